"""Declared angles and distances, for one set of points or for many at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from spinelab.core import Fact, Landmark, Measurement
from spinelab.tasks.landmarks.declaration import Declaration, Measure

Points = Mapping[str, NDArray[np.float64]]
"""Named points ``(..., 2)`` as x, y in pixels, all of one shape."""

SQUARE: Final = 1e-3
"""Rows and columns whose spacing differs by less than this part are taken for square pixels."""


def measure(points: Points, spacing_mm: tuple[float, float] | None, declaration: Declaration) -> dict[tuple[str, str], NDArray[np.float64]]:
    """Return every declared quantity whose points are all there, by name and unit.

    Parameters
    ----------
    points
        Each ``(..., 2)`` x, y in pixels with ``y`` downwards; absent points are left out.
    spacing_mm
        Millimetres between rows and between columns, if known: lengths are then given in millimetres as well, and angles are taken from
        millimetres, which matters where pixels are not square. Without it pixels are taken for square.

    Returns
    -------
    Arrays of the leading shape; not a number where an angle has no direction because two of its points fall together.
    """
    scale = np.ones(2) if spacing_mm is None else np.array([spacing_mm[1], spacing_mm[0]], np.float64)
    found: dict[tuple[str, str], NDArray[np.float64]] = {}
    for item in declaration.measures:
        if not all(name in points for name in item.points):
            continue
        spots = [np.mean([np.asarray(points[name], np.float64) for name in spot], axis=0) for spot in item.spots]
        if item.kind == "angle":
            found[item.name, "deg"] = _ANGLES[item.shape]([spot * scale for spot in spots], item)
            continue
        if spacing_mm is not None:
            found[item.name, "mm"] = _DISTANCES[item.shape]([spot * scale for spot in spots], item)
        found[item.name, "px"] = _DISTANCES[item.shape](spots, item)
    return found


def measurements(landmarks: tuple[Landmark, ...], spacing: Fact, declaration: Declaration) -> tuple[Measurement, ...]:
    """Return a value, or the reason why there is none, for every declared quantity of one picture."""
    points = {p.name: np.array([p.x, p.y]) for p in landmarks}
    values = measure(points, spacing.value, declaration)
    given = []
    for item in declaration.measures:
        for unit in item.units:
            value = values.get((item.name, unit))
            usable = value is not None and bool(np.isfinite(value))
            reason = None if usable else withheld(item, unit, points, spacing)
            given.append(Measurement(item.name, float(value) if usable and value is not None else None, unit, withheld=reason))
    return tuple(given)


def withheld(item: Measure, unit: str, points: Mapping[str, object], spacing: Fact) -> str:
    """Return in words why a quantity has no value."""
    absent = [name for name in item.points if name not in points]
    if absent:
        return f"{' and '.join(filter(None, (', '.join(absent[:-1]), absent[-1])))} {'is' if len(absent) == 1 else 'are'} not in the picture"
    if unit == "mm" and not spacing.known:
        return f"no pixel spacing: {spacing.source}"
    return "two of its points fall together, so that a direction is not defined"


def _turn_deg(start: NDArray[np.float64], end: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the angle that turns one direction into the other, in (-180, 180], counter-clockwise as displayed; y points down."""
    cross = start[..., 0] * end[..., 1] - start[..., 1] * end[..., 0]
    dot = start[..., 0] * end[..., 0] + start[..., 1] * end[..., 1]
    turned = -np.degrees(np.arctan2(cross, dot))
    nowhere = (np.hypot(start[..., 0], start[..., 1]) == 0) | (np.hypot(end[..., 0], end[..., 1]) == 0)
    return np.where(nowhere, np.nan, np.where(turned <= -180, turned + 360, turned))


def _lines(spots: list[NDArray[np.float64]], item: Measure) -> NDArray[np.float64]:
    turned = _turn_deg(spots[1] - spots[0], spots[3] - spots[2])
    return turned if item.signed else np.abs(turned)


def _corner(spots: list[NDArray[np.float64]], _item: Measure) -> NDArray[np.float64]:
    return np.abs(_turn_deg(spots[0] - spots[1], spots[2] - spots[1]))


def _axis(spots: list[NDArray[np.float64]], item: Measure) -> NDArray[np.float64]:
    """Return the angle between an undirected line and an axis, in (-90, 90] if signed, else in [0, 90]."""
    direction = np.array([1.0, 0.0]) if item.along == "horizontal" else np.array([0.0, -1.0])
    turned = _turn_deg(np.broadcast_to(direction, spots[0].shape), spots[1] - spots[0])
    folded = -((90 - turned) % 180 - 90)
    folded = np.where(folded <= -90, folded + 180, folded)
    return folded if item.signed else np.abs(folded)


def _pair(spots: list[NDArray[np.float64]], item: Measure) -> NDArray[np.float64]:
    apart = spots[1] - spots[0]
    if not item.along:
        return np.hypot(apart[..., 0], apart[..., 1])
    part = apart[..., 0 if item.along == "horizontal" else 1]
    return part if item.signed else np.abs(part)


def _offset(spots: list[NDArray[np.float64]], _item: Measure) -> NDArray[np.float64]:
    along, to = spots[2] - spots[1], spots[0] - spots[1]
    length = np.hypot(along[..., 0], along[..., 1])
    area = np.abs(along[..., 0] * to[..., 1] - along[..., 1] * to[..., 0])
    return np.where(length == 0, np.nan, area / np.where(length == 0, 1.0, length))


_Shape = Callable[[list[NDArray[np.float64]], Measure], NDArray[np.float64]]
_ANGLES: Final[Mapping[str, _Shape]] = {"lines": _lines, "corner": _corner, "axis": _axis}
_DISTANCES: Final[Mapping[str, _Shape]] = {"pair": _pair, "offset": _offset}
