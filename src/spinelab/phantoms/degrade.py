"""What befalls films on their way: cut off, upside down, mirrored, inverted, shrunk to a thumbnail. For tests of refusal and of signs."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from spinelab.core import TaskError
from spinelab.phantoms.scoliosis import ScoliosisFilm
from spinelab.phantoms.spine import LEVELS, SpineFilm
from spinelab.phantoms.whole_spine import WholeSpineFilm

Pixels = NDArray[Any]


def cropped_at(film: WholeSpineFilm | ScoliosisFilm | SpineFilm, level: str = "T6", *, keep: str = "below") -> Pixels:
    """Return the part of a film below (or above) the middle of a vertebra from T1 to L5.

    Raises
    ------
    TaskError
        The level is not drawn on the film, or ``keep`` is neither ``below`` nor ``above``.
    """
    if keep not in ("below", "above"):
        raise TaskError(f"keep={keep!r}", expected="below or above", action="choose one of them")
    row = round(_row(film, level))
    part = film.pixels[row:] if keep == "below" else film.pixels[: row + 1]
    return np.ascontiguousarray(part)


def upside_down(pixels: Pixels) -> Pixels:
    """Turn a film by 180 degrees."""
    return np.ascontiguousarray(pixels[::-1, ::-1])


def mirrored(pixels: Pixels) -> Pixels:
    """Swap image left and right; a point x, y moves to ``columns - 1 - x``, y."""
    return np.ascontiguousarray(pixels[:, ::-1])


def inverted(pixels: Pixels, *, bits: int | None = None) -> Pixels:
    """Swap black and white within ``bits`` (8 for ``uint8``, else 12)."""
    top = 2 ** (bits or (8 if pixels.dtype == np.uint8 else 12)) - 1
    return np.asarray(top - pixels.astype(np.int32)).astype(pixels.dtype)


def thumbnail(pixels: Pixels, longest_px: int = 200) -> Pixels:
    """Shrink a film so that its longer side has ``longest_px`` pixels."""
    factor = longest_px / max(pixels.shape[:2])
    size = (max(round(pixels.shape[1] * factor), 1), max(round(pixels.shape[0] * factor), 1))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA))


def _row(film: WholeSpineFilm | ScoliosisFilm | SpineFilm, level: str) -> float:
    known = tuple(film.posture.spine) if isinstance(film, WholeSpineFilm) else LEVELS
    if level not in known:
        raise TaskError(f"Level {level!r}", expected=f"one of {', '.join(known)}", action="choose a level that is on the film")
    if isinstance(film, WholeSpineFilm):
        return float(film.film.project(film.posture.spine[level].centre_mm)[1])
    return float(film.corners[LEVELS.index(level), :, 1].mean())
