"""What a file is, from its first bytes and never from its name."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import Final

from spinelab.core import InputError
from spinelab.io.dicom_header import HEAD_BYTES, looks_like_dicom

_PICTURES: Final = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")
_TIFFS: Final = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_HEAD: Final = 352
_NIFTI_SIZES: Final = {348, 540}


def open_for_reading(path: Path, name: str, size: int = _HEAD) -> bytes:
    """Return a file's first bytes, refusing what cannot be opened."""
    try:
        with path.open("rb") as stream:
            return stream.read(size)
    except OSError as error:
        raise InputError(f"{name}: {error.strerror or error}", expected="a file that can be read", action="check the path and its permissions") from error


def kind_of(path: Path, name: str) -> str:
    """Return ``picture`` (JPG, PNG), ``tiff``, ``dicom``, ``nifti``, ``zip``, or an empty text for anything else."""
    return _kind(open_for_reading(path, name), path)


def kind_and_head(path: Path, name: str) -> tuple[str, bytes]:
    """Return what `kind_of` returns, and so much of the file that the header of a DICOM slice is usually in it: it is opened once for both."""
    head = open_for_reading(path, name, HEAD_BYTES)
    return _kind(head[:_HEAD], path), head


def _kind(head: bytes, path: Path) -> str:
    if head.startswith(_PICTURES):
        return "picture"
    if head.startswith(_TIFFS) and not looks_like_preamble(head):
        return "tiff"
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "zip"
    if is_nifti(head) or (head.startswith(b"\x1f\x8b") and is_nifti(_unpacked_head(path))):
        return "nifti"
    return "dicom" if looks_like_dicom(head) else ""


def looks_like_preamble(head: bytes) -> bool:
    """Tell a DICOM file whose preamble holds a TIFF header (a dual-personality file) from a TIFF."""
    return head[128:132] == b"DICM"


def is_nifti(head: bytes) -> bool:
    """Tell whether a file begins with the header of a single-file NIfTI-1 or NIfTI-2."""
    sizes = {int.from_bytes(head[:4], "little"), int.from_bytes(head[:4], "big")}
    magic = head[344:347] if 348 in sizes else head[4:7]
    return len(head) >= 348 and bool(sizes & _NIFTI_SIZES) and magic in (b"n+1", b"n+2")


def _unpacked_head(path: Path) -> bytes:
    try:
        with gzip.open(path) as stream:
            return stream.read(_HEAD)
    except (OSError, EOFError, zlib.error):
        return b""
