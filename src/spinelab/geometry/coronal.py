"""Balance of the spine seen from the front: plumb line, offset, apical translation, trunk tilt.

Lengths are in the unit of the points; positive to the image's right. The patient's own side is stated only where the file states it, so
turning a sign into *left* or *right* is left to the reader of the file. Definitions: O'Brien MF et al., Radiographic Measurement Manual,
Spinal Deformity Study Group, 2004; see ``docs/reference/angles.md``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spinelab.geometry.apex import apex_point
from spinelab.geometry.cobb import Numbers, as_corners, centres, turned_deg
from spinelab.geometry.levels import CORNERS


def coronal_balance(c7: ArrayLike, sacrum: ArrayLike) -> Numbers:
    """Return how far the C7 plumb line (C7PL) runs to the image's right of the central sacral vertical line (CSVL).

    ``c7`` (..., 2) is the centre of C7, ``sacrum`` (..., 2) the middle of the upper endplate of S1. Both lines are vertical in the picture.
    """
    return _x(c7) - _x(sacrum)


def t1_l5_offset(corners: ArrayLike) -> Numbers:
    """Return how far the centre of the first vertebra lies to the image's right of that of the last one.

    What T1 .. L5 can say about balance; it is no coronal balance, which takes C7 and the sacrum.
    """
    middle = centres(as_corners(corners))
    offset: Numbers = middle[..., 0, 0] - middle[..., -1, 0]
    return offset


def trunk_tilt_deg(corners: ArrayLike) -> Numbers:
    """Return the angle in degrees between the vertical and the line from the last vertebra's centre to the first's, positive to the image's right."""
    middle = centres(as_corners(corners))
    up = middle[..., 0, :] - middle[..., -1, :]
    tilt: Numbers = np.degrees(np.arctan2(up[..., 0], -up[..., 1]))
    return tilt


def apical_translation(corners: ArrayLike, apex: ArrayLike, *, plumb_x: ArrayLike | None = None) -> Numbers:
    """Return how far the apex of a curve lies to the image's right of a line of reference.

    Parameters
    ----------
    corners
        (..., vertebrae, 4, 2).
    apex
        (...) counted from the top, a half being the disc below; NaN gives NaN.
    plumb_x
        Where the vertical line of reference runs: the C7 plumb line for thoracic curves, the CSVL for thoracolumbar and lumbar ones.
        Without it the distance is that from the straight line through the centres of the first and the last vertebra, at right angles
        to it: say so where the number is shown.
    """
    points = as_corners(corners)
    at = apex_point(points, apex)
    if plumb_x is not None:
        return _x(at) - np.asarray(plumb_x, dtype=np.float64)
    middle = centres(points)
    down = middle[..., -1, :] - middle[..., 0, :]
    offset = at - middle[..., 0, :]
    distance: Numbers = (offset[..., 0] * down[..., 1] - offset[..., 1] * down[..., 0]) / np.hypot(down[..., 0], down[..., 1])
    return distance


def convex_side(points: Mapping[str, ArrayLike], site: str | None) -> Literal["left", "right"] | None:
    """Return to which side of the picture the curve between two end vertebrae (``T5-T12``) is convex.

    ``points`` are x and y by the names of `CORNER_LANDMARKS`. ``None`` where the two vertebrae are not among them, or are parallel.
    """
    ends = (site or "").split("-")
    named = [[f"{level}_{corner}" for corner in CORNERS] for level in ends]
    if len(ends) != 2 or not all(name in points for names in named for name in names):
        return None
    middles = _mid_line_deg(np.array([[points[name] for name in names] for names in named], dtype=np.float64))
    apart = float(turned_deg(middles[1] - middles[0]))
    return None if apart == 0 else "right" if apart > 0 else "left"


def _mid_line_deg(corners: NDArray[np.float64]) -> Numbers:
    """Return the direction of the mid-line of each vertebra (vertebrae, 4, 2)."""
    along = corners[:, 1] + corners[:, 3] - corners[:, 0] - corners[:, 2]
    direction: Numbers = np.degrees(np.arctan2(along[:, 1], along[:, 0]))
    return direction


def _x(point: ArrayLike) -> NDArray[np.float64]:
    x: Numbers = np.asarray(point, dtype=np.float64)[..., 0]
    return x
