"""Which codec decodes a compressed frame: the fastest measured, and none that can take the process down.

gdcm is not among them: on damaged JPEG-LS it ends the process with an uncaught C++ exception, which no handler in Python sees.
Nor is pylibjpeg-rle, which panics on damaged frames. The tests use both as the other opinion.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spinelab.io.codestream import stated_size

DIRECT: Final[dict[str, tuple[str, ...]]] = {
    "1.2.840.10008.1.2.5": ("dicomrle",),
    "1.2.840.10008.1.2.4.51": ("jpeg8",),  # 12 bits, which Pillow cannot
    "1.2.840.10008.1.2.4.57": ("ljpeg", "jpegsof3", "jpeg8"),
    "1.2.840.10008.1.2.4.70": ("ljpeg", "jpegsof3", "jpeg8"),
    "1.2.840.10008.1.2.4.80": ("pyjpegls", "jpegls"),
    "1.2.840.10008.1.2.4.81": ("pyjpegls", "jpegls"),
}
"""Codecs of imagecodecs (and pyjpegls) that are called frame by frame, in this order."""

DIRECT_COLOUR: Final = ("1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70")
"""Transfer syntaxes whose colour frames go the direct way too."""

PLUGINS: Final[dict[str, str | None]] = {
    "1.2.840.10008.1.2.4.50": "pillow",
    "1.2.840.10008.1.2.4.51": "pillow",
    "1.2.840.10008.1.2.4.57": None,
    "1.2.840.10008.1.2.4.70": None,
    "1.2.840.10008.1.2.4.80": "pyjpegls",
    "1.2.840.10008.1.2.4.81": "pyjpegls",
    "1.2.840.10008.1.2.4.90": "pylibjpeg",
    "1.2.840.10008.1.2.4.91": "pylibjpeg",
    "1.2.840.10008.1.2.4.201": "pylibjpeg",
    "1.2.840.10008.1.2.4.202": "pylibjpeg",
    "1.2.840.10008.1.2.4.203": "pylibjpeg",
    "1.2.840.10008.1.2.5": "pydicom",
}
"""The pydicom plugin for what the direct codecs do not take; ``None``: there is no safe one."""


def decode_frame(syntax: str, frame: bytes, shape: tuple[int, ...], bits_allocated: int) -> NDArray[Any] | None:
    """Return one frame as stored unsigned values, or ``None`` where every codec declines it.

    ``shape`` (rows, columns[, 3]) and ``bits_allocated`` are needed for RLE alone, which does not state them itself.
    """
    for name in DIRECT.get(syntax, ()):
        try:
            pixels = _call(name, frame, shape, bits_allocated)
        except (RuntimeError, ValueError, TypeError):
            continue
        if pixels.size:
            return pixels
    return None


def _call(name: str, frame: bytes, shape: tuple[int, ...], bits_allocated: int) -> NDArray[Any]:
    """Call one codec of `DIRECT`."""
    if name == "pyjpegls":
        return _pyjpegls(frame)
    if name == "dicomrle":
        return _rle(frame, shape, bits_allocated)
    import imagecodecs

    return np.asarray(getattr(imagecodecs, f"{name}_decode")(frame))


def _rle(frame: bytes, shape: tuple[int, ...], bits_allocated: int) -> NDArray[Any]:
    """Decode the segments of PS3.5 annex G; colours come plane by plane."""
    import imagecodecs

    kind = np.dtype(f"<u{bits_allocated // 8}")
    flat = np.frombuffer(imagecodecs.dicomrle_decode(frame, kind), kind)
    return flat.reshape(shape) if len(shape) == 2 else np.moveaxis(flat.reshape(shape[2], *shape[:2]), 0, -1)


def _pyjpegls(frame: bytes) -> NDArray[Any]:
    import jpeg_ls  # type: ignore[import-untyped]

    rows, columns = stated_size(frame) or (0, 0)
    raw = bytes(jpeg_ls.decode_pixel_data(frame))
    return np.frombuffer(raw, f"<u{max(1, len(raw) // max(1, rows * columns))}").reshape(rows, columns)
