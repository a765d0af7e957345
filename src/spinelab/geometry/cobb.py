"""Endplate tilts of a spine seen from the front, and the Cobb angles of the AASCE challenge's rule.

Corners are an array ``(..., vertebrae, 4, 2)`` of x, y in pixels or millimetres, vertebrae from top to bottom, corners in the order of
`CORNERS`. Tilts are positive where the image-right end of a line is the lower one. The clinical rule is in `spinelab.geometry.curves`;
both are described, with their sources, in ``docs/reference/angles.md``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spinelab.core import InputError
from spinelab.geometry.lines import Points

Integers = NDArray[np.intp]
Numbers = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ChallengeCobb:
    """The three Cobb angles of the challenge's rule.

    ``angles_deg`` (..., 3): the largest, the upper and the lower one. ``ends`` (..., 3, 2): the two vertebrae that each is measured
    between, as positions from the top.
    """

    angles_deg: Numbers
    ends: Integers


@dataclass(frozen=True, eq=False)
class Tilts:
    """Tilts in degrees (..., vertebrae) of the upper endplates, the lower endplates and the middles between the two."""

    upper_deg: Numbers
    lower_deg: Numbers
    middle_deg: Numbers


def as_corners(corners: ArrayLike, *, vertebrae: int | None = None) -> Points:
    """Check the shape ``(..., vertebrae, 4, 2)``; at least three vertebrae.

    Raises
    ------
    InputError
        The shape is another, or ``vertebrae`` is given and the number differs.
    """
    points = np.asarray(corners, dtype=np.float64)
    fits = points.ndim >= 3 and points.shape[-2:] == (4, 2) and points.shape[-3] >= 3
    if not fits or (vertebrae is not None and points.shape[-3] != vertebrae):
        raise InputError(f"Corners of shape {points.shape}", expected=f"(..., {vertebrae or 'vertebrae'}, 4, 2)", action="give four corners a vertebra")
    return points


def centres(corners: Points) -> Points:
    """Return the middle of every vertebra's four corners (..., vertebrae, 2)."""
    middle: Points = (corners[..., 0, :] + corners[..., 1, :] + corners[..., 2, :] + corners[..., 3, :]) / 4  # a fifth of mean()'s time
    return middle


def turned_deg(degrees: NDArray[Any]) -> Numbers:
    """Bring differences between the directions of undirected lines into [-90, 90)."""
    wrapped: Numbers = (degrees + 90.0) % 180.0 - 90.0
    return wrapped


def _directions_deg(start: Points, end: Points) -> Numbers:
    along = end - start
    direction: Numbers = np.degrees(np.arctan2(along[..., 1], along[..., 0]))
    return direction


def tilts(corners: ArrayLike) -> Tilts:
    """Return the tilt of every endplate and of every vertebra against the horizontal, in [-90, 90) degrees.

    Lines have no direction here, so a vertebra whose left and right corners were swapped has the tilt of its endplates all the same.
    """
    points = as_corners(corners)
    upper = turned_deg(_directions_deg(points[..., 0, :], points[..., 1, :]))
    lower = turned_deg(_directions_deg(points[..., 2, :], points[..., 3, :]))
    middle = turned_deg(upper + turned_deg(lower - upper) / 2)
    return Tilts(upper, lower, middle)


def _pairwise_deg(points: Points) -> Numbers:
    """Return the angle (..., n, n) in [0, 180] between the mid-lines of every two vertebrae."""
    along = (points[..., 1, :] + points[..., 3, :]) - (points[..., 0, :] + points[..., 2, :])
    direction = np.degrees(np.arctan2(along[..., 1], along[..., 0]))
    difference = np.abs(direction[..., :, None] - direction[..., None, :])
    between: Numbers = np.minimum(difference, 360.0 - difference)
    return between


def _is_s_shaped(points: Points) -> NDArray[np.bool_]:
    """Whether the middles of the endplates lie on both sides of the line from the first to the last of them."""
    middles = points.reshape(*points.shape[:-3], 2 * points.shape[-3], 2, 2).mean(axis=-2)
    chord = middles[..., :1, :] - middles[..., -1:, :]
    offset = middles[..., :-2, :] - middles[..., -1:, :]
    side = offset[..., 1] * chord[..., 0] - offset[..., 0] * chord[..., 1]
    both: NDArray[np.bool_] = (side > 0).any(axis=-1) & (side < 0).any(axis=-1)
    return both


def _largest_within(angles: Numbers, vertebra: Integers, *, above: bool) -> Integers:
    """Return the vertebra (N) that makes the largest angle with ``vertebra`` (N), among it and those above (or below) it."""
    rows = angles[np.arange(len(angles)), vertebra]
    places = np.arange(angles.shape[-1])
    allowed = places <= vertebra[:, None] if above else places >= vertebra[:, None]
    largest: Integers = np.where(allowed, rows, -1.0).argmax(axis=-1)
    return largest


def challenge_cobb(corners: ArrayLike, image_height: float | ArrayLike | None = None) -> ChallengeCobb:
    """Return the three Cobb angles of the AASCE challenge: from mid-lines of vertebrae, not from endplates.

    The first angle is the largest between the mid-lines of any two vertebrae. Where the middles of the endplates all lie on one side
    of the line from the first to the last of them (no S shape), the others are measured from the first vertebra to the upper of the two,
    and from the lower of the two to the last vertebra. In an S shape they are the largest angle with a vertebra above the upper one and
    with a vertebra below the lower one - or, where the two lie in the lower half of the picture, the largest with a vertebra above the
    upper one and the largest with a vertebra above *that*: the third number is then the topmost curve and not a lower one.

    Parameters
    ----------
    corners
        (..., 17, 4, 2), or any other number of vertebrae from three.
    image_height
        Height of the picture in the unit of the corners, for the rule's halves; one number, or one for each set of corners. Without it
        the middle of the column (from the highest to the lowest corner) stands in for the middle of the picture.

    Notes
    -----
    Wu H et al., MICCAI 2017 (BoostNet, SpineWeb data set 16) and the AASCE challenge, MICCAI 2019. Checked against the challenge's own
    angles: all three agree within .02 degrees on each of its 481 training films.
    """
    points = as_corners(corners)
    lead, count = points.shape[:-3], points.shape[-3]
    flat = points.reshape(math.prod(lead), count, 4, 2)
    angles = _pairwise_deg(flat)
    top, bottom = np.divmod(angles.reshape(len(flat), count * count).argmax(axis=-1), count)
    higher, lower = _largest_within(angles, top, above=True), _largest_within(angles, bottom, above=False)
    bent_low = _in_lower_half(flat, top, bottom, image_height, lead)
    topmost = _largest_within(angles, higher, above=True)
    s_shaped = _is_s_shaped(flat)
    second = np.stack([np.where(s_shaped, higher, 0), top], axis=-1)
    third = np.where(bent_low[:, None], np.stack([topmost, higher], axis=-1), np.stack([bottom, lower], axis=-1))
    third = np.where(s_shaped[:, None], third, np.stack([bottom, np.full_like(bottom, count - 1)], axis=-1))
    ends = np.stack([np.stack([top, bottom], axis=-1), second, third], axis=-2)
    values = angles[np.arange(len(flat))[:, None], ends[..., 0], ends[..., 1]]
    return ChallengeCobb(values.reshape(*lead, 3), ends.reshape(*lead, 3, 2))


def _in_lower_half(points: Points, top: Integers, bottom: Integers, image_height: float | ArrayLike | None, lead: tuple[int, ...]) -> NDArray[np.bool_]:
    """Whether the lower endplates of the two vertebrae have their middle in the lower half of the picture."""
    rows = np.arange(len(points))
    low_plate = points[..., 2:, 1].mean(axis=-1)
    middle = (low_plate[rows, top] + low_plate[rows, bottom]) / 2
    if image_height is None:
        y = points[..., 1].reshape(len(points), 4 * points.shape[1])
        half = (y.min(axis=-1) + y.max(axis=-1)) / 2
    else:
        half = np.broadcast_to(np.asarray(image_height, dtype=np.float64), lead).reshape(-1) / 2
    below: NDArray[np.bool_] = middle >= half
    return below
