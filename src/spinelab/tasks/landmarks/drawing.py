"""Declared angles and distances as marks on the picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from spinelab.core import Landmark, Measurement, Result, Stroke
from spinelab.geometry import marked_value
from spinelab.tasks.landmarks.declaration import Declaration, Measure

_DECIMALS: Final = {"deg": 1, "mm": 1, "px": 0}
_REACH: Final = 0.6
"""Length of the axis that an angle is measured from, in lengths of the line."""

At = NDArray[np.float64]


def strokes(result: Result, declaration: Declaration) -> tuple[Stroke, ...]:
    """Return every landmark as a point with its name, and every measurement that has a value as the lines it is measured between."""
    marks = [Stroke("point", ((p.x, p.y),), "landmark", p.name, "landmarks") for p in result.landmarks]
    points = {p.name: p for p in result.landmarks}
    for item in declaration.measures:
        given = _given(result, item)
        if given is not None and given.value is not None and all(name in points for name in item.points):
            marks += _one(item, _spots(item, points), f"{item.title} {marked_value(given.value, given.unit, _DECIMALS[given.unit])}")
    return tuple(marks)


def _given(result: Result, item: Measure) -> Measurement | None:
    """Return the measurement in the first of its units that has a value."""
    values = {m.unit: m for m in result.measurements if m.name == item.name and m.value is not None}
    return next((values[unit] for unit in item.units if unit in values), None)


def _spots(item: Measure, points: Mapping[str, Landmark]) -> list[At]:
    return [np.mean([(points[name].x, points[name].y) for name in spot], axis=0) for spot in item.spots]


def _one(item: Measure, at: list[At], text: str) -> list[Stroke]:
    role = item.kind

    def line(*ends: At) -> Stroke:
        return Stroke("line", tuple(map(_pair, ends)), role, "", item.kind + "s", item.name)

    def label(where: At) -> Stroke:
        return Stroke("label", (_pair(where),), role, text, item.kind + "s", item.name)

    if item.shape == "lines":
        return [line(*at[:2]), line(*at[2:]), *_between(item, at), label((at[0] + at[1] + at[2] + at[3]) / 4)]
    if item.shape == "corner":
        arc = Stroke("arc", (_pair(_near(at[1], at[0])), _pair(at[1]), _pair(_near(at[1], at[2]))), role, "", "angles", item.name)
        return [line(at[1], at[0]), line(at[1], at[2]), arc, label(at[1])]
    if item.shape == "axis":
        along = _axis_end(item, at)
        arc = Stroke("arc", (_pair(_near(at[0], along)), _pair(at[0]), _pair(_near(at[0], at[1]))), role, "", "angles", item.name)
        return [line(*at), Stroke("line", (_pair(at[0]), _pair(along)), "plumb", "", "angles", item.name), arc, label(at[0])]
    if item.shape == "offset":
        foot = _foot(*at)
        return [line(at[1], at[2]), line(at[0], foot), label((at[0] + foot) / 2)]
    if item.along:
        corner = np.array([at[1][0], at[0][1]]) if item.along == "horizontal" else np.array([at[0][0], at[1][1]])
        return [line(at[0], corner), Stroke("line", (_pair(corner), _pair(at[1])), "plumb", "", "distances", item.name), label((at[0] + corner) / 2)]
    return [line(*at), label((at[0] + at[1]) / 2)]


def _between(item: Measure, at: list[At]) -> list[Stroke]:
    """Return the arc where two lines meet, if that is near enough to be looked at."""
    a, b = at[1] - at[0], at[3] - at[2]
    cross = a[0] * b[1] - a[1] * b[0]
    reach = max(float(np.hypot(*a)), float(np.hypot(*b)))
    if abs(cross) < 1e-9 * reach * reach:
        return []
    apart = at[2] - at[0]
    meet = at[0] + a * ((apart[0] * b[1] - apart[1] * b[0]) / cross)
    if max(float(np.hypot(*(end - meet))) for end in at) > 3 * reach:
        return []
    first, second = (meet + reach * 0.5 * v / np.hypot(*v) for v in (a, b))
    return [Stroke("arc", (_pair(first), _pair(meet), _pair(second)), "angle", "", "angles", item.name)]


def _axis_end(item: Measure, at: list[At]) -> At:
    """Return a point on the axis through the line's start, on the side to which the line runs."""
    apart = at[1] - at[0]
    axis = np.array([1.0, 0.0]) if item.along == "horizontal" else np.array([0.0, 1.0])
    side = -1.0 if float(apart @ axis) < 0 else 1.0
    end: At = at[0] + axis * side * _REACH * float(np.hypot(*apart))
    return end


def _near(vertex: At, end: At) -> At:
    near: At = vertex + 0.4 * (end - vertex)
    return near


def _foot(point: At, start: At, end: At) -> At:
    along = end - start
    foot: At = start + along * float((point - start) @ along / (along @ along))
    return foot


def _pair(at: At) -> tuple[float, float]:
    return float(at[0]), float(at[1])
