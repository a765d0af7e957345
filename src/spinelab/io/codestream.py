"""The size that a compressed frame itself states, read from its marker segments before a codec is let loose on it."""

from __future__ import annotations

from typing import Final

_JPEG_START: Final = b"\xff\xd8"
_J2K_START: Final = b"\xff\x4f\xff\x51"
_JP2_START: Final = b"\x00\x00\x00\x0cjP"
_NOT_SOF: Final = (0xC4, 0xC8, 0xCC)


def stated_size(frame: bytes) -> tuple[int, int] | None:
    """Return (rows, columns) that a JPEG, JPEG-LS or JPEG 2000 code stream states, or ``None`` where none is found."""
    if frame.startswith(_JP2_START):
        start = frame.find(_J2K_START)
        return _j2k_size(frame[start : start + 40]) if start >= 0 else None
    if frame.startswith(_J2K_START):
        return _j2k_size(frame[:40])
    return _jpeg_size(frame) if frame.startswith(_JPEG_START) else None


def _j2k_size(head: bytes) -> tuple[int, int] | None:
    """Read the SIZ segment: extent of the reference grid less its offset (ISO/IEC 15444-1 A.5.1)."""
    if len(head) < 24:
        return None
    width, height, left, top = (int.from_bytes(head[at : at + 4], "big") for at in (8, 12, 16, 20))
    return height - top, width - left


def _jpeg_size(frame: bytes) -> tuple[int, int] | None:
    """Walk the marker segments up to the frame header (SOF0 to SOF15, or SOF55 of JPEG-LS)."""
    at = 2
    while at + 9 <= len(frame):
        if frame[at] != 0xFF:
            return None
        marker = frame[at + 1]
        if marker == 0xFF:
            at += 1
        elif marker == 0xF7 or (0xC0 <= marker <= 0xCF and marker not in _NOT_SOF):
            return int.from_bytes(frame[at + 5 : at + 7], "big"), int.from_bytes(frame[at + 7 : at + 9], "big")
        else:
            at += 2 + int.from_bytes(frame[at + 2 : at + 4], "big")
    return None
