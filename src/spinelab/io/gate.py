"""The safety gate: limits that hold before anything is decoded, and the one place where a library's failure becomes our refusal."""

from __future__ import annotations

import logging
import math
import struct
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Final

from spinelab.core import InputError

MAX_PIXELS: Final = 512 * 2**20
"""Samples in one object (rows x columns x frames x colours), taken from the header before decoding."""

MAX_FILES: Final = 50_000
"""Files in one folder or archive."""

_COMMON: Final[tuple[type[Exception], ...]] = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    NotImplementedError,
    OSError,
    RuntimeError,  # RecursionError and the codecs' own errors
    SyntaxError,  # Pillow, for a broken PNG chunk
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)


_TALKATIVE: Final = {"tifffile": ("tifffile",), "pydicom": ("pydicom", "openjpeg")}
"""Loggers that Python prints on stderr when the program sets up no logging; what they say is in our error or does not matter."""


@cache
def _own_errors(library: str) -> tuple[type[Exception], ...]:
    """Return the exceptions of a library that derive from `Exception` alone; asked once a library, for a header has hundreds of elements."""
    for name in _TALKATIVE.get(library, ()):
        logger = logging.getLogger(name)
        if not logger.handlers:
            logger.addHandler(logging.NullHandler())
    if library == "pydicom":
        from pydicom.errors import BytesLengthException, InvalidDicomError

        return (BytesLengthException, InvalidDicomError)
    if library == "pillow":
        from PIL.Image import DecompressionBombError

        return (DecompressionBombError,)
    if library == "nibabel":
        from nibabel.filebasedimages import ImageFileError
        from nibabel.spatialimages import HeaderDataError

        return (ImageFileError, HeaderDataError)
    if library == "tifffile":
        from tifffile import TiffFileError

        return (TiffFileError,)
    return ()


class _Quiet:
    """Silence warnings while any thread is inside; restoring once the last has left keeps it safe between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._depth = 0
        self._saved: warnings.catch_warnings[None] | None = None

    def __enter__(self) -> None:
        with self._lock:
            if self._depth == 0:
                self._saved = warnings.catch_warnings()
                self._saved.__enter__()
                warnings.simplefilter("ignore")
            self._depth += 1

    def __exit__(self, *_error: object) -> None:
        with self._lock:
            self._depth -= 1
            if self._depth == 0 and self._saved is not None:
                self._saved.__exit__(None, None, None)
                self._saved = None


quiet = _Quiet()
"""Context without warnings."""


@contextmanager
def decoding(library: str, name: str, *, expected: str, action: str) -> Iterator[None]:
    """Turn a library's failure on the user's bytes into an `InputError`; wrap library calls only, never our own code."""
    errors = (*_COMMON, *_own_errors(library))
    try:
        with quiet:
            yield
    except errors as error:
        raise InputError(f"{name} cannot be decoded: {_sentence(error)}", expected=expected, action=action) from error


def _sentence(error: Exception) -> str:
    """Return the first line of a library's message, or the name of the error when it has none."""
    if isinstance(error, RecursionError):
        return "its sequences are nested too deeply"
    if isinstance(error, MemoryError):
        return "it does not fit into memory"
    text = str(error).strip().splitlines()
    return text[0][:200] if text else type(error).__name__


def check_size(name: str, **extents: int) -> None:
    """Refuse an object whose stated extents are not positive or multiply to more than ``MAX_PIXELS``."""
    stated = ", ".join(f"{key} {value}" for key, value in extents.items())
    if any(value < 1 for value in extents.values()):
        raise InputError(f"{name} states {stated}", expected="at least 1 of each", action="export the file again; its header is damaged")
    if math.prod(extents.values()) > MAX_PIXELS:
        raise InputError(
            f"{name} states {stated}: {math.prod(extents.values()):,} samples",
            expected=f"at most {MAX_PIXELS:,} samples in one object",
            action="check the header; if the size is real, crop or split the object",
        )


def check_spacing(name: str, what: str, values: tuple[float, ...]) -> tuple[float, ...]:
    """Return spacings in mm, refusing zero, negative, infinite, undefined and absurd ones by the name of their field."""
    from spinelab.core.study import SPACING_LIMITS_MM

    low, high = SPACING_LIMITS_MM
    if not all(math.isfinite(value) and low <= value <= high for value in values):
        shown = "\\".join(f"{value:g}" for value in values)
        raise InputError(
            f"{name}: {what} is {shown}",
            expected=f"finite spacings between {low} and {high} mm, or no such field",
            action="correct the field, or remove it so that the spacing is unknown",
        )
    return values
