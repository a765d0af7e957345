"""How far the pixel spacing of an AP film can be trusted, by the size and the shape of its vertebrae."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from spinelab.core import Fact
from spinelab.geometry.cobb import centres
from spinelab.tasks.scoliosis.measure import corners_of, found_levels, scale
from spinelab.train.film_scale import is_square

LEAST_LEVELS: Final = 5
APART_LIMITS_MM: Final = (8.0, 55.0)
"""Mean distance of neighbouring vertebrae from an infant to a large adult with a third of magnification."""
WIDTH_IN_DISTANCES: Final = 1.3
"""Mean width of T1 to L5 in mean distances of neighbours: the median of 481 public AP films, of which 95 % have 1.0 to 1.6."""
CLEARLY: Final = 1.15
"""Factor by which square pixels have to agree better with that than the stated ones."""


def implausible(points: Mapping[str, NDArray[np.float64]], spacing: Fact) -> str:
    """Return why millimetres cannot be right, by the distance of neighbouring vertebrae; empty if they can, or nothing can be said."""
    column = _column(points)
    if not spacing.known or column is None:
        return ""
    apart = _apart(column * scale(spacing.value))
    if APART_LIMITS_MM[0] <= apart <= APART_LIMITS_MM[1]:
        return ""
    return f"the pixel spacing of {spacing.value[0]:.3g} mm is not plausible: by it vertebrae would lie {apart:.3g} mm apart ({spacing.source})"


def distorted(points: Mapping[str, NDArray[np.float64]], spacing: Fact) -> str:
    """Return why no angle can be measured: by the spacing pixels are not square, but the vertebrae look as if they were; empty if nothing speaks for that."""
    column = _column(points)
    if is_square(spacing) or column is None:
        return ""
    stated, square = (abs(math.log(_width(c) / _apart(c) / WIDTH_IN_DISTANCES)) for c in (column * scale(spacing.value), column))
    if stated < square + math.log(CLEARLY):
        return ""
    rows, columns = spacing.value
    return (
        f"by the spacing a pixel is {rows:.3g} mm high and {columns:.3g} mm wide, but the vertebrae have the shape that they have where pixels are square "
        f"({spacing.source})"
    )


def _column(points: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float64] | None:
    levels = found_levels(points)
    return corners_of(points, levels) if len(levels) >= LEAST_LEVELS else None


def _apart(corners: NDArray[np.float64]) -> float:
    return float(np.linalg.norm(np.diff(centres(corners), axis=0), axis=1).mean())


def _width(corners: NDArray[np.float64]) -> float:
    return float(np.linalg.norm(corners[:, [1, 3]] - corners[:, [0, 2]], axis=2).mean())
