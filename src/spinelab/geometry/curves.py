"""Curves of a scoliotic spine by the clinical rule: end vertebrae, Cobb angle, apex, convexity and the region's name.

A curve runs between two vertebrae that are tilted most, one way and the other, against the column. Its Cobb angle is that between the
upper endplate of the upper end vertebra and the lower endplate of the lower one (Cobb JR, Instr Course Lect 5:261-275, 1948; terms of
the Scoliosis Research Society). Whether a curve is structural, and with it the Lenke type, is not told: that takes bending films.

One wrong vertebra must make no curve. The tilts that *choose* curves are therefore cleaned (an endplate that disagrees both with the
lines around it and with the course of the column is set aside) and smoothed, and a swing below `SWING_DEG` is none; end vertebrae
are then taken from sound endplates, as drawn. Angles are always those of the endplates as drawn, never of smoothed ones.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spinelab.core import InputError
from spinelab.geometry.apex import apex_place
from spinelab.geometry.cobb import Integers, Numbers, as_corners, centres, tilts, turned_deg
from spinelab.geometry.levels import REGIONS, THORACOLUMBAR, region_codes
from spinelab.geometry.lines import Points

SWING_DEG: Final = 5.0
"""Two turning points of the tilt belong to different curves from this difference on: about what two readers of a Cobb angle differ by."""
DOUBT_DEG: Final = 8.0
"""An endplate is set aside when it differs by more from both the median of the five lines around it and the column's own direction."""
LEVEL_DEG: Final = 1.0
"""Vertebrae whose tilts differ by less are tilted alike: of several, the one nearest to the apex is the end vertebra."""
SCOLIOSIS_DEG: Final = 10.0
"""Below this a curve is not called scoliosis (Kane WJ, Clin Orthop Relat Res 126:43-46, 1977; Scoliosis Research Society)."""
REGIONAL: Final = ("proximal thoracic", "main thoracic", "thoracolumbar / lumbar")
"""What `regional_cobb` measures, in order."""

ImageSide = Literal["left", "right"]


@dataclass(frozen=True, slots=True)
class Curve:
    """One curve; ``convexity`` is a side of the image, ``apex`` counts vertebrae from the top, a half being the disc below."""

    upper: int
    lower: int
    apex: float
    upper_name: str
    lower_name: str
    apex_name: str
    cobb_deg: float
    convexity: ImageSide
    region: str

    @property
    def scoliotic(self) -> bool:
        """Whether the curve reaches 10 degrees."""
        return self.cobb_deg >= SCOLIOSIS_DEG


@dataclass(frozen=True, eq=False)
class RegionalCobb:
    """The largest curve of each of the three regions of `REGIONAL`.

    ``angles_deg`` (..., 3), NaN where no curve has its apex there; ``ends`` (..., 3, 2) end vertebrae from the top, -1 where none;
    ``apex`` (..., 3), NaN where none; ``convexity`` (..., 3): 1 to the image's right, -1 to its left, 0 where none.
    """

    angles_deg: Numbers
    ends: Integers
    apex: Numbers
    convexity: Integers


@dataclass(frozen=True, eq=False)
class _Found:
    """Curves of N spines, K places each: end vertebrae and ``side`` (N, K), which is 0 where there is no curve."""

    upper: Integers
    lower: Integers
    side: Integers
    angle_deg: Numbers
    apex: Numbers


def _against_column(points: Points) -> tuple[Numbers, Numbers, Numbers]:
    """Return tilts of upper endplates, lower endplates and of the column's own direction (N, n), all against the axis from first to last."""
    middle = centres(points)
    axis = middle[:, -1] - middle[:, 0]
    level = np.degrees(np.arctan2(axis[:, 1], axis[:, 0]))[:, None] - 90.0
    step = np.concatenate([middle[:, 1:2] - middle[:, :1], middle[:, 2:] - middle[:, :-2], middle[:, -1:] - middle[:, -2:-1]], axis=1)
    course = np.degrees(np.arctan2(step[..., 1], step[..., 0])) - 90.0
    plates = tilts(points)
    return turned_deg(plates.upper_deg - level), turned_deg(plates.lower_deg - level), turned_deg(course - level)


def _cleaned(upper: Numbers, lower: Numbers, course: Numbers) -> tuple[Numbers, NDArray[np.bool_], NDArray[np.bool_]]:
    """Return smoothed tilts of the vertebrae (N, n), and which upper and lower endplates are sound (N, n)."""
    count = upper.shape[1]
    plates = np.stack([upper, lower], axis=-1).reshape(len(upper), 2 * count)
    window = 5
    start = np.clip(np.arange(2 * count) - window // 2, 0, 2 * count - window)
    around = np.sort(plates[:, start[:, None] + np.arange(window)], axis=-1)[..., window // 2]
    low, high = _tilts_of_course(course, (upper + lower) / 2)
    off_course = np.maximum(low.repeat(2, axis=1) - plates, plates - high.repeat(2, axis=1))
    doubtful = (np.abs(plates - around) > DOUBT_DEG) & (off_course > DOUBT_DEG)
    kept = np.where(doubtful, around, plates)
    trusted = (kept[:, ::2] + kept[:, 1::2]) / 2
    smooth = trusted.copy()
    smooth[:, 1:-1] = (trusted[:, :-2] + 2 * trusted[:, 1:-1] + trusted[:, 2:]) / 4
    sound = ~doubtful.reshape(*upper.shape, 2)
    return smooth, sound[..., 0], sound[..., 1]


def _tilts_of_course(course: Numbers, tilt: Numbers) -> tuple[Numbers, Numbers]:
    """Return the lowest and highest tilt (N, n) that go with the column's course.

    The course past a vertebra is a quarter of the tilt above, half of its own and a quarter of that below, so at a sharp turn the tilt
    that goes with it is steeper than the course itself; past the first and last vertebra it is half of its own and half of its neighbour's.
    """
    around = np.concatenate([tilt[:, 1:2], (tilt[:, :-2] + tilt[:, 2:]) / 2, tilt[:, -2:-1]], axis=1)
    implied = 2 * course - around
    return np.minimum(course, implied), np.maximum(course, implied)


def _turning_points(tilt: Numbers) -> Integers:
    """Return where the tilt (N, n) turns, (N, places) from top to bottom, -1 beyond the last: alternating extremes at least `SWING_DEG` apart."""
    rows = np.arange(len(tilt))
    turns = np.full(tilt.shape, -1, dtype=np.intp)
    found, heading, high, low = (np.zeros(len(tilt), dtype=np.intp) for _ in range(4))
    for place in range(tilt.shape[1]):
        now = tilt[:, place]
        high = np.where(now > tilt[rows, high], place, high)
        low = np.where(now < tilt[rows, low], place, low)
        falls = (heading >= 0) & (tilt[rows, high] - now >= SWING_DEG)
        rises = (heading <= 0) & (now - tilt[rows, low] >= SWING_DEG)
        for turned, extreme in ((falls, high), (rises, low)):
            turns[rows[turned], found[turned]] = extreme[turned]
            found[turned] += 1
        heading = np.where(falls, -1, np.where(rises, 1, heading))
        high, low = np.where(rises, place, high), np.where(falls, place, low)
    moving = heading != 0
    turns[rows[moving], found[moving]] = np.where(heading > 0, high, low)[moving]
    return turns[:, : max(2, int(found.max(initial=0)) + 1)]


def _steepest(score: Numbers, near: Integers, first: Integers, last: Integers, *, prefer_lower: bool) -> Integers:
    """Return the vertebra (N, K) of highest score (N, K, n) within one of ``near`` and in first .. last; of equals the one nearer to the apex."""
    places = np.arange(score.shape[-1])
    allowed = (np.abs(places - near[..., None]) <= 1) & (places >= first[..., None]) & (places <= last[..., None])
    bonus = 1e-9 * (places if prefer_lower else -places)
    best = np.where(allowed, score + bonus, -np.inf)
    return np.where(np.isfinite(best).any(axis=-1), best.argmax(axis=-1), near)


def _find(points: Points) -> _Found:
    upper, lower, course = _against_column(points)
    smooth, sound_upper, sound_lower = _cleaned(upper, lower, course)
    turns = _turning_points(smooth)
    rows, last = np.arange(len(points))[:, None], points.shape[1] - 1
    some = turns[:, 1:] >= 0
    start, stop = np.where(some, turns[:, :-1], 0), np.where(some, turns[:, 1:], last)
    toward = np.where(smooth[rows, stop] > smooth[rows, start], 1, -1)
    begin, end = _bending_part(smooth, start, stop, toward)
    up_score = np.where(sound_upper[:, None], -toward[..., None] * upper[:, None], -np.inf)
    low_score = np.where(sound_lower[:, None], toward[..., None] * lower[:, None], -np.inf)
    ends_up = _steepest(up_score, begin, np.zeros_like(begin), (begin + end - 1) // 2, prefer_lower=True)
    ends_low = _steepest(low_score, end, (begin + end) // 2 + 1, np.full_like(end, last), prefer_lower=False)
    _part(ends_up, ends_low, np.where(some, stop, -1), sound_upper, sound_lower)
    angle = np.where(some, np.abs(lower[rows, ends_low] - upper[rows, ends_up]), np.nan)
    apex = np.where(some, apex_place(points, ends_up, ends_low, toward), np.nan)
    return _Found(ends_up, ends_low, np.where(some, toward, 0).astype(np.intp), angle, apex)


def _bending_part(tilt: Numbers, start: Integers, stop: Integers, side: Integers) -> tuple[Integers, Integers]:
    """Move both turning points (N, K) towards each other over vertebrae tilted within `LEVEL_DEG` of them: a straight stretch is no part of a curve."""
    rows, places = np.arange(len(tilt))[:, None], np.arange(tilt.shape[1])
    rise = side[..., None] * tilt[:, None]
    low, high = side * tilt[rows, start], side * tilt[rows, stop]
    inside = (places >= start[..., None]) & (places <= stop[..., None])
    begin = np.where(inside & (rise <= low[..., None] + LEVEL_DEG), places, -1).max(axis=-1)
    end = np.where(inside & (rise >= high[..., None] - LEVEL_DEG) & (places > begin[..., None]), places, tilt.shape[1]).min(axis=-1)
    sensible = (begin >= 0) & (end < tilt.shape[1])
    return np.where(sensible, begin, start), np.where(sensible, end, stop)


def _part(ends_up: Integers, ends_low: Integers, stop: Integers, sound_upper: NDArray[np.bool_], sound_lower: NDArray[np.bool_]) -> None:
    """Give two neighbouring curves that overlap one common vertebra instead (in place): where they turn (``stop``, -1: no curve), or beside it."""
    rows = np.arange(len(stop))[:, None]
    sound = sound_upper & sound_lower
    above, below, turn = ends_up[:, 1:], ends_low[:, :-1], stop[:, :-1]
    overlap = (below > above) & (stop[:, 1:] >= 0)
    common = np.where(sound[rows, turn], turn, np.where(sound[rows, above], above, np.where(sound[rows, below], below, turn)))
    ends_low[:, :-1], ends_up[:, 1:] = np.where(overlap, common, below), np.where(overlap, common, above)


def _checked(corners: ArrayLike, names: Sequence[str]) -> Points:
    points = as_corners(corners, vertebrae=len(names))
    if not np.isfinite(points).all():
        raise InputError(
            "A corner that is not a finite number", expected="all corners of all vertebrae named", action="leave out vertebrae not seen, and their names"
        )
    return points


def clinical_curves(corners: ArrayLike, names: Sequence[str] = THORACOLUMBAR) -> tuple[Curve, ...]:
    """Return the curves of one spine from top to bottom, neighbours bending to opposite sides.

    Curves below 10 degrees are returned too (``scoliotic`` is false). A curve cut off by the end of ``corners`` ends at the last
    vertebra there. Structural or not, and hence the Lenke type, cannot be told from one standing film.

    Parameters
    ----------
    corners
        (vertebrae, 4, 2) x, y; vertebrae from top to bottom, corners in the order of `CORNERS`.
    names
        Names of the vertebrae; leave out those not on the film.

    Raises
    ------
    InputError
        Another shape, a corner that is not finite, or a name that is no vertebra.
    """
    points = _checked(corners, names)
    if points.ndim != 3:
        raise InputError(f"Corners of shape {points.shape}", expected="one spine (vertebrae, 4, 2)", action="use regional_cobb for many at once")
    codes = region_codes(names)
    found = _find(points[None])
    curves = []
    for k in np.flatnonzero(found.side[0]):
        apex, up, low = float(found.apex[0, k]), int(found.upper[0, k]), int(found.lower[0, k])
        apex_name = names[int(apex)] if apex == int(apex) else f"{names[int(apex)]}/{names[int(apex) + 1]}"
        side: ImageSide = "right" if found.side[0, k] > 0 else "left"
        cobb_deg = float(found.angle_deg[0, k])
        curves.append(Curve(up, low, apex, names[up], names[low], apex_name, cobb_deg, side, REGIONS[int(codes[round(2 * apex)])]))
    return tuple(curves)


def regional_cobb(corners: ArrayLike, names: Sequence[str] = THORACOLUMBAR, ends: ArrayLike | None = None) -> RegionalCobb:
    """Return the Cobb angles of the proximal thoracic, main thoracic and thoracolumbar / lumbar curve of many spines at once.

    Without ``ends`` every spine's own end vertebrae are chosen: what repeated readings of a film differ by, choice of levels included.
    With ``ends`` (3, 2) - or (..., 3, 2) - from an earlier call, angles are between those vertebrae on every spine: what the corners
    alone contribute, and the usual way to follow a patient over time. Where ``ends`` is -1 the angle is NaN.

    Raises
    ------
    InputError
        As `clinical_curves`.
    """
    points = _checked(corners, names)
    lead = points.shape[:-3]
    flat = points.reshape(math.prod(lead), *points.shape[-3:])
    if ends is not None:
        return _between(flat, np.broadcast_to(np.asarray(ends, dtype=np.intp), (*lead, 3, 2)).reshape(len(flat), 3, 2), lead)
    found = _find(flat)
    code = region_codes(names)[np.round(2 * np.nan_to_num(found.apex)).astype(np.intp)]
    group = np.select([code == 1, code == 2, (code == 3) | (code == 4)], [0, 1, 2], -1)
    size = np.where((found.side != 0)[:, None] & (group[:, None] == np.arange(3)[:, None]), np.nan_to_num(found.angle_deg)[:, None], -1.0)
    best, rows = size.argmax(axis=-1), np.arange(len(flat))[:, None]
    some = size.max(axis=-1) >= 0
    chosen = np.where(some[..., None], np.stack([found.upper[rows, best], found.lower[rows, best]], axis=-1), -1)
    angle, apex, side = (np.where(some, values[rows, best], empty) for values, empty in ((found.angle_deg, np.nan), (found.apex, np.nan), (found.side, 0)))
    return RegionalCobb(angle.reshape(*lead, 3), chosen.reshape(*lead, 3, 2), apex.reshape(*lead, 3), side.astype(np.intp).reshape(*lead, 3))


def _between(points: Points, ends: Integers, lead: tuple[int, ...]) -> RegionalCobb:
    upper, lower, _ = _against_column(points)
    rows, some = np.arange(len(points))[:, None], ends[..., 0] >= 0
    first, last = np.where(some, ends[..., 0], 0), np.where(some, ends[..., 1], 2)
    difference = lower[rows, last] - upper[rows, first]
    side = np.where(some, np.where(difference >= 0, 1, -1), 0)
    angle = np.where(some, np.abs(difference), np.nan)
    apex = np.where(some, apex_place(points, first, last, np.where(some, side, 1)), np.nan)
    return RegionalCobb(angle.reshape(*lead, 3), ends.reshape(*lead, 3, 2), apex.reshape(*lead, 3), side.astype(np.intp).reshape(*lead, 3))


def curve_pattern(curves: Sequence[Curve]) -> str:
    """Say in words which curves of 10 degrees and more there are, from top to bottom, the largest marked as major.

    A pattern and no Lenke type: ``main thoracic right 48 (major), lumbar left 30``; sides are the image's.
    """
    scoliotic = [curve for curve in curves if curve.scoliotic]
    if not scoliotic:
        return "no curve of 10 degrees or more"
    major = max(scoliotic, key=lambda curve: curve.cobb_deg)
    return ", ".join(f"{c.region} {c.convexity} {c.cobb_deg:.0f}" + (" (major)" if c is major and len(scoliotic) > 1 else "") for c in scoliotic)
