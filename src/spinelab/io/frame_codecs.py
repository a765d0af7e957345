"""Which codec decodes a compressed frame: the fastest measured, and none that can take the process down.

gdcm is not among them: on damaged JPEG-LS it ends the process with an uncaught C++ exception, which no handler in Python sees.
Nor are pylibjpeg-rle, which panics on damaged frames, and the RLE of imagecodecs, which reads beyond them: pydicom's own is slower and
safe. The tests use gdcm as the other opinion.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

DIRECT: Final[dict[str, tuple[str, ...]]] = {
    "1.2.840.10008.1.2.4.51": ("jpeg8",),  # 12 bits, which Pillow cannot
    "1.2.840.10008.1.2.4.57": ("ljpeg", "jpegsof3", "jpeg8"),
    "1.2.840.10008.1.2.4.70": ("ljpeg", "jpegsof3", "jpeg8"),
    "1.2.840.10008.1.2.4.80": ("jpegls",),
    "1.2.840.10008.1.2.4.81": ("jpegls",),
}
"""Codecs of imagecodecs that are called frame by frame, in this order."""

DIRECT_COLOUR: Final = ("1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70")
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


def decode_frame(syntax: str, frame: bytes) -> NDArray[Any] | None:
    """Return one frame as stored unsigned values, or ``None`` where every codec declines it."""
    for name in DIRECT.get(syntax, ()):
        try:
            pixels = _imagecodecs(name, frame)
        except (RuntimeError, ValueError, TypeError):
            continue
        if pixels.size:
            return pixels
    return None


def _imagecodecs(name: str, frame: bytes) -> NDArray[Any]:
    import imagecodecs

    return np.asarray(getattr(imagecodecs, f"{name}_decode")(frame))
