"""Files that are either complete or not there: written beside their place, then moved into it."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import json
import math
import os
import re
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from spinelab.core import InputError

_FULL: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_NAME_LENGTH: Final = 100
_DEVICE_NAMES: Final = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
"""Names that Windows keeps for itself."""


def write_text(path: Path, text: str) -> Path:
    r"""Write UTF-8 text so that a reader finds the old file or the whole new one, never half.

    A character that UTF-8 cannot hold (a file name that was not UTF-8 on disk) is written as ``\udc80``, which JSON reads back.

    Raises
    ------
    InputError
        When the disk is full or the folder cannot be written; files finished earlier stay.
    """
    return write_bytes(path, text.encode("utf-8", errors="backslashreplace"))


def write_bytes(path: Path, content: bytes) -> Path:
    """Write a file whole or not at all, as `write_text` does."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, content)
    except OSError as error:
        raise _refusal(path, error) from error
    return path


def write_json(path: Path, body: Any) -> Path:
    """Write strict JSON (no NaN) for programs and people."""
    return write_text(path, json.dumps(body, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def folder_names(ids: Iterable[str]) -> dict[str, str]:
    """Return one folder name an identifier: safe on every system, different from all others, and readable."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    for identifier in ids:
        stem = re.sub(r"[^\w.+-]+", "_", identifier).strip("._ ")[:_NAME_LENGTH] or "study"
        if _DEVICE_NAMES.fullmatch(stem):
            stem = f"{stem}_"
        name, count = stem, 1
        while name.lower() in taken:
            count += 1
            name = f"{stem}-{count}"
        taken.add(name.lower())
        names[identifier] = name
    return names


def plain(value: Any) -> Any:
    """Return ``value`` as JSON's own types: arrays become lists, NaN and infinities become ``None``, keys become text.

    Raises
    ------
    TypeError
        For an object that has no JSON form.
    """
    if hasattr(value, "to_dict"):
        value = value.to_dict()
    elif hasattr(value, "tolist"):
        value = value.tolist()
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = {item.name: getattr(value, item.name) for item in dataclasses.fields(value)}
    if value is None or isinstance(value, bool | str | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, set | frozenset):
        return sorted((plain(item) for item in value), key=str)
    if isinstance(value, Iterable):
        return [plain(item) for item in value]
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _replace(path: Path, content: bytes) -> None:
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o666 & ~_umask())
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise


def _umask() -> int:
    """Return the process's file mode mask, which can only be read by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _refusal(path: Path, error: OSError) -> InputError:
    if error.errno in _FULL:
        return InputError(
            f"The disk is full: {path} could not be written",
            expected="free space where the results go",
            action="free some space or choose another folder with --out, and run the command again; files that were finished are kept",
        )
    return InputError(
        f"{path} could not be written: {error.strerror or error}", expected="a folder that can be written", action="choose another folder with --out"
    )
