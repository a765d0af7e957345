"""Measured values to eight bits, for eyes and for networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spinelab.core import Image, InputError, NotSureError, Study
from spinelab.io.dicom_spacing import SLICES

PERCENTILES: Final = (0.5, 99.5)
"""Window of a picture deeper than eight bits whose file states none."""

_LUMINANCE: Final = (0.299, 0.587, 0.114)  # ITU-R BT.601


def to_uint8(image: Image) -> NDArray[np.uint8]:
    """Return one greyscale picture, (rows, columns) of 0 to 255.

    In this order: the file's VOI look-up table, its window (DICOM PS3.3 C.11.2), the values themselves if they are unsigned 8-bit,
    else the 0.5th to 99.5th percentile. Colour becomes luminance (BT.601). Raises `InputError` for a volume or a cine loop.
    """
    pixels = _single(image)
    if image.axes.endswith("C"):
        pixels = _luminance(pixels)
    table = image.facts.get("VOILUT")
    if table is not None and table.known:
        return _by_values(pixels, lambda values: _voi_table(values, table.value))
    if image.window is not None:
        function = image.facts["VOILUTFunction"].value if "VOILUTFunction" in image.facts else "LINEAR"
        centre, width = image.window
        return _by_values(pixels, lambda values: _window(values, centre, width, function))
    if pixels.dtype == np.uint8:
        return pixels.copy()
    low, high = _spread(pixels)
    return _by_values(pixels, lambda values: _stretch(values, low, high))


def require_content(study: Study) -> None:
    """Raise `NotSureError` for an examination with a film of one grey value throughout: it is blank, or its window shows nothing of it.

    A blank slice among others is no reason.
    """
    for image in study.images:
        if image.axes not in ("YX", "YXC") or image.modality.value in SLICES:
            continue
        grey = to_uint8(image)
        if grey.min() == grey.max():
            by = _window_in_words(image)
            action = "correct or remove the window in its header" if by else "export the film again"
            raise NotSureError(f"{study.id}: every pixel of the film is of one grey value{by}", expected="a film on which something is seen", action=action)


def _window_in_words(image: Image) -> str:
    """Return the window that makes a picture look all of one grey value, as its header states it; empty where none does."""
    stated = image.facts.get("windows")
    if stated is None or image.window is None or image.pixels.min() == image.pixels.max():
        return ""
    centre, width = stated.value[0]
    return f" in the window of its header (centre {centre:g}, width {width:g})"


def _single(image: Image) -> NDArray[Any]:
    """Return the only picture of an image."""
    if image.axes in ("YX", "YXC"):
        return image.pixels
    if image.pixels.shape[0] == 1:
        return np.asarray(image.pixels[0])
    what = "volume" if image.axes.startswith("Z") else "cine loop"
    raise InputError(
        f"{image.source or 'Image'} is a {what} of {image.pixels.shape[0]} pictures", expected="one picture", action="choose a slice or a frame first"
    )


def _luminance(pixels: NDArray[Any]) -> NDArray[Any]:
    grey = pixels[..., :3].astype(np.float32) @ np.array(_LUMINANCE, np.float32)
    return np.rint(grey).astype(pixels.dtype) if pixels.dtype.kind in "ui" and pixels.dtype.itemsize <= 2 else grey


def _by_values(pixels: NDArray[Any], curve: Any) -> NDArray[np.uint8]:
    """Apply a curve; integers of up to 16 bits go through a table of the values that occur, the same result much faster."""
    if pixels.dtype.kind in "ui" and pixels.dtype.itemsize <= 4 and pixels.size > 2**16:
        low, high = int(pixels.min()), int(pixels.max())
        if high - low < 2**16:
            table = curve(np.arange(low, high + 1, dtype=np.float64))
            return np.asarray(table.take(np.subtract(pixels, low, dtype=np.int32)), dtype=np.uint8)
    return np.asarray(curve(pixels.astype(np.float64)), dtype=np.uint8)


def _grey(fraction: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Return fractions of full brightness as 0 to 255; undefined values are black."""
    return np.rint(np.nan_to_num(np.clip(fraction, 0, 1), nan=0.0) * 255).astype(np.uint8)


def _window(values: NDArray[np.float64], centre: float, width: float, function: str = "LINEAR") -> NDArray[np.uint8]:
    """Apply LINEAR (C.11.2.1.2.1), LINEAR_EXACT (C.11.2.1.3.2) or SIGMOID (C.11.2.1.3.1)."""
    if function == "SIGMOID":
        return _grey(1 / (1 + np.exp(np.clip(-4 * (values - centre) / width, -700, 700))))
    if function == "LINEAR_EXACT":
        return _grey((values - centre) / width + 0.5)
    if width <= 1:
        return _grey((values > centre - 0.5).astype(np.float64))
    return _grey((values - (centre - 0.5)) / (width - 1) + 0.5)


def _voi_table(values: NDArray[np.float64], table: dict[str, Any]) -> NDArray[np.uint8]:
    """Look values up (C.11.2.1.1); beyond the table's ends its end entries hold."""
    entries = np.asarray(table["entries"], dtype=np.float64)
    stored = values if table["mirror"] is None else table["mirror"] - values
    index = np.clip(np.rint(stored - table["first"]), 0, len(entries) - 1).astype(np.int64)
    fraction = entries[index] / (2.0 ** table["bits"] - 1)
    return _grey(fraction if table["mirror"] is None else 1 - fraction)


def _spread(pixels: NDArray[Any]) -> tuple[float, float]:
    """Return the percentiles of the finite values."""
    values = pixels if pixels.dtype.kind != "f" else pixels[np.isfinite(pixels)]
    if values.size == 0:
        return 0.0, 0.0
    low, high = percentiles(values, PERCENTILES)
    return float(low), float(high)


def percentiles(values: NDArray[Any], shares: Sequence[float]) -> NDArray[np.floating]:
    """Return percentiles as `numpy.percentile` does; unsigned whole numbers of up to 16 bits are counted and not sorted, in a tenth of the time."""
    if values.dtype.kind != "u" or values.dtype.itemsize > 2:
        return np.asarray(np.percentile(values, shares))
    up_to = np.cumsum(np.bincount(values.reshape(-1)))
    places = np.asarray(shares) / 100 * (values.size - 1)
    below, above = (np.searchsorted(up_to, ends(places), side="right") for ends in (np.floor, np.ceil))
    part, step = places - np.floor(places), above - below
    return np.where(part < 0.5, below + step * part, above - step * (1 - part))


def _stretch(values: NDArray[np.float64], low: float, high: float) -> NDArray[np.uint8]:
    if high <= low:
        return np.zeros(values.shape, np.uint8)
    return _grey((values - low) / (high - low))
