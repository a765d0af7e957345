"""Directed lines in an image: x to the right, y down, so a positive angle turns clockwise on the screen."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
"""Coordinates ``(..., 2)`` as x, y."""


def turn_deg(start: Points, end: Points) -> float:
    """Return the angle in degrees that turns the direction ``start`` into ``end``, in (-180, 180], clockwise on the screen."""
    cross = float(start[0] * end[1] - start[1] * end[0])
    dot = float(start[0] * end[0] + start[1] * end[1])
    return math.degrees(math.atan2(cross, dot))


def offset_along(point: Points, line: Points) -> float:
    """Return where ``point`` falls on ``line`` ``(2, 2)``: 0 at its first end, 1 at its second, measured along the line."""
    along = line[1] - line[0]
    return float((point - line[0]) @ along / (along @ along))


def down_axis(lines: Points) -> Points:
    """Return the unit vector from the middle of the first usable line to the middle of the last, for lines ``(n, 2, 2)``."""
    middles = (lines[:, 0] + lines[:, 1]) / 2
    usable = middles[np.isfinite(middles).all(axis=1)]
    axis = usable[-1] - usable[0]
    unit: Points = axis / np.hypot(*axis)
    return unit


def ends_left_to_right(lines: Points) -> Points:
    """Swap the ends of lines ``(n, 2, 2)`` where needed, so that each runs to the right of someone looking down the axis on the screen.

    Looking at an upright film this is simply image left to image right; measured against the axis it still holds on a tilted film.
    """
    axis = down_axis(lines)
    right = np.array([axis[1], -axis[0]])
    backwards = (lines[:, 1] - lines[:, 0]) @ right < 0
    ordered: Points = np.where(backwards[:, None, None], lines[:, ::-1], lines)
    return ordered
