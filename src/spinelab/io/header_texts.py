"""Single elements of a DICOM header as text, for those who only have to know what belongs together."""

from __future__ import annotations

from pathlib import Path
from typing import IO


def header_texts(source: Path | IO[bytes], *keywords: str) -> tuple[str, ...]:
    """Return elements of a header without decoding anything; empty texts where it cannot be read, for the reader of the whole will say why."""
    import pydicom

    try:
        header = pydicom.dcmread(source, stop_before_pixels=True, specific_tags=list(keywords), force=True)
    except (pydicom.errors.InvalidDicomError, OSError, ValueError, KeyError, AttributeError, TypeError, NotImplementedError, EOFError):
        return ("",) * len(keywords)
    return tuple(str(header.get(keyword) or "") for keyword in keywords)
