"""From a study to the one film that is read; what is refused unread, and what once it is read."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spinelab.core import Image, InputError, NotSureError, Study

PROJECTIONS: Final = ("CR", "DX", "DR", "RG", "RF", "XA", "OT", "SC")
"""Modalities of a film; OT and SC are what exports call themselves."""
FROM_THE_TOP: Final = {
    "the skull base": ("FM_1", "FM_2"),
    "C7": ("C7", "C7_1", "C7_2"),
    "T4": ("T4_1", "T4_2"),
    "T12": ("T12_1", "T12_2"),
    "L4": ("L4_1", "L4_2"),
    "the sacrum": ("S_1", "S_2"),
    "the hips": ("FH_1", "FH_2"),
}
SMALLEST_ROWS: Final = 256
"""A whole spine on fewer rows has about 4 mm a pixel or more: no angle could be told."""
COLOUR: Final = 0.12
"""Mean difference between a picture's colour channels, as a share of full brightness, above which it is a photograph."""


def lateral_film(study: Study) -> Image:
    """Return the study's lateral film.

    Raises
    ------
    InputError
        If there is no picture or several that could be meant, or it is a volume or a cine loop.
    NotSureError
        If it cannot be a lateral radiograph of the whole spine: another view or modality by its header, a photograph, a thumbnail.
    """
    images = [image for image in study.images if image.view.value == "LATERAL"] or list(study.images)
    if len(images) != 1:
        raise InputError(f"{study.id}: {len(images)} pictures", expected="one lateral film of the whole spine", action="give the films one at a time")
    image = images[0]
    if image.axes not in ("YX", "YXC") and image.pixels.shape[0] != 1:
        raise InputError(f"{study.id} is no single picture ({image.axes})", expected="one lateral film of the whole spine", action="give the film")
    reason = _refusal(image)
    if reason:
        raise NotSureError(f"{study.id}: {reason}", expected="a lateral radiograph of the whole spine, from skull to hips", action="check which film this is")
    return image


def _refusal(image: Image) -> str:
    """Return why a picture cannot be a lateral film of the whole spine; empty if nothing speaks against it."""
    if image.view.known and image.view.value != "LATERAL":
        return f"the header says that the view is {image.view.value} ({image.view.source})"
    if image.modality.known and image.modality.value not in PROJECTIONS:
        return f"the header says that it is no radiograph (modality {image.modality.value})"
    rows, columns = image.shape_yx
    if max(rows, columns) < SMALLEST_ROWS:
        return f"the picture has only {columns} x {rows} pixels: no angle can be read from it"
    if image.axes.endswith("C") and _colourfulness(image.pixels) > COLOUR:
        return "the picture is in colour: a photograph, no radiograph"
    return ""


def _colourfulness(pixels: NDArray[Any]) -> float:
    """Return the mean distance between the largest and the smallest of red, green and blue, as a share of full brightness."""
    step = max(1, pixels.shape[0] // 256)
    sample = pixels.reshape(-1, *pixels.shape[-3:])[0][::step, ::step, :3].astype(np.float64)
    full = float(np.iinfo(pixels.dtype).max) if pixels.dtype.kind in "ui" else max(float(sample.max()), 1e-9)
    return float(np.mean(sample.max(axis=-1) - sample.min(axis=-1)) / full)


def misplaced(points: Mapping[str, NDArray[np.float64]]) -> str:
    """Return why landmarks (name to x, y) are no standing spine: parts that should lie one below the other do not; empty if they do."""
    heights = {}
    for part, names in FROM_THE_TOP.items():
        seen = [float(points[name][1]) for name in names if name in points]
        if seen:
            heights[part] = float(np.mean(seen))
    parts = list(heights)
    for upper, lower in pairwise(parts):
        if heights[upper] >= heights[lower]:
            return f"{lower} would lie above {upper}: this is no standing spine, or it lies on its side or upside down"
    return ""
