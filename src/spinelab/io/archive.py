"""Zip archives, unpacked within limits into a folder that is removed again."""

from __future__ import annotations

import stat
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Final

from spinelab.core import InputError, Study
from spinelab.io.dicom_header import looks_like_dicom
from spinelab.io.gate import MAX_FILES, decoding
from spinelab.io.header_texts import header_texts

MAX_BYTES: Final = 8 * 2**30
"""Bytes of all files of one archive together once unpacked."""

MAX_RATIO: Final = 200
"""Unpacked to packed size of a file larger than ``_SMALL``; real images stay far below."""

_SMALL: Final = 16 * 2**20
_CHUNK: Final = 2**20
_HEAD: Final = 132
"""Bytes that tell a DICOM file."""

_DAMAGES: Final = (zipfile.BadZipFile, zlib.error, OSError, EOFError, NotImplementedError, RuntimeError)
"""What an entry can fail with that is damaged, or packed in a way that is not known here."""

_ACTION: Final = "unpack it yourself, check what it holds, and give the folder"


def read_zip(path: Path, name: str) -> Study:
    """Read an archive as one examination; nothing is left on disk."""
    from spinelab.io.series import read_folder

    with unpacked(path, name) as folder:
        return replace(read_folder(folder, name), id=path.stem)


@contextmanager
def unpacked(path: Path, name: str) -> Iterator[Path]:
    """Unpack an archive into a folder that is removed afterwards; raises `InputError` for a dangerous or damaged one."""
    with tempfile.TemporaryDirectory(prefix="spinelab-") as temporary:
        folder = Path(temporary) / "archive"
        folder.mkdir()
        with _opened(path, name) as archive:
            for entry in _checked(archive, name):
                _unpack(archive, entry, folder, name)
        yield folder


def headers_in(path: Path, name: str, *keywords: str) -> list[tuple[str, ...]]:
    """Return elements of the header of each DICOM file in an archive (`header_texts`); nothing is written to disk, and damaged files are left out.

    Raises
    ------
    InputError
        For an archive that is dangerous or damaged as a whole.
    """
    found = []
    with _opened(path, name) as archive:
        for entry in _checked(archive, name):
            with suppress(*_DAMAGES), archive.open(entry) as stream:
                if looks_like_dicom(stream.read(_HEAD)):
                    stream.seek(0)
                    found.append(header_texts(stream, *keywords))
    return found


def _opened(path: Path, name: str) -> zipfile.ZipFile:
    with decoding("zip", name, expected="a complete zip archive", action="copy the archive again"):
        try:
            return zipfile.ZipFile(path)
        except zipfile.BadZipFile as error:
            raise ValueError(str(error)) from error


def _checked(archive: zipfile.ZipFile, name: str) -> list[zipfile.ZipInfo]:
    """Return the files of an archive, refusing it as a whole if any entry is dangerous."""
    entries = [entry for entry in archive.infolist() if not entry.is_dir() and not entry.filename.startswith("__MACOSX/")]
    if len(entries) > MAX_FILES or sum(entry.file_size for entry in entries) > MAX_BYTES:
        raise InputError(
            f"{name} unpacks to {len(entries):,} files of {sum(e.file_size for e in entries):,} bytes",
            expected=f"at most {MAX_FILES:,} files of {MAX_BYTES:,} bytes together",
            action=_ACTION,
        )
    for entry in entries:
        reason = _danger(entry)
        if reason:
            raise InputError(f"{name}: {entry.filename!r} {reason}", expected="plain files below the archive's own folder", action=_ACTION)
    return entries


def _danger(entry: zipfile.ZipInfo) -> str:
    parts = PurePosixPath(entry.filename.replace("\\", "/"))
    if parts.is_absolute() or ".." in parts.parts or (parts.parts and parts.parts[0].endswith(":")) or "\0" in entry.orig_filename:
        return "points outside the archive"
    if stat.S_ISLNK(entry.external_attr >> 16):
        return "is a link"
    if entry.flag_bits & 1:
        return "is encrypted"
    if entry.filename.lower().endswith(".zip"):
        return "is an archive in the archive"
    if entry.file_size > _SMALL and entry.file_size > MAX_RATIO * max(entry.compress_size, 1):
        return f"is packed {entry.file_size // max(entry.compress_size, 1):,} to 1, like a bomb"
    return ""


def _unpack(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, folder: Path, name: str) -> None:
    """Write one file, never more bytes than the directory of the archive states."""
    target = folder / PurePosixPath(entry.filename.replace("\\", "/"))
    expected = "a complete zip archive of uniquely named files"
    with decoding("zip", f"{name}: {entry.filename!r}", expected=expected, action="copy the archive again"):
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with archive.open(entry) as source, target.open("xb") as sink:
                left = entry.file_size
                while left > 0 and (block := source.read(min(_CHUNK, left))):
                    left -= sink.write(block)
        except zipfile.BadZipFile as error:
            raise ValueError(str(error)) from error
