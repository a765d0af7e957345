"""Marks that show on an AP film what was measured there: vertebrae, Cobb angles as a surgeon draws them, balance.

Strokes are in pixels of the film. A Cobb angle is two endplate lines, drawn out to the concave side, and a perpendicular on each; the
arc where the perpendiculars cross has the angle's value beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from spinelab.core import Stroke
from spinelab.geometry.apex import apex_point
from spinelab.geometry.cobb import as_corners, centres
from spinelab.geometry.coronal import apical_translation, t1_l5_offset
from spinelab.geometry.curves import Curve
from spinelab.geometry.levels import THORACOLUMBAR
from spinelab.geometry.lines import Points

VERTEBRAE_LAYER: Final = "vertebrae"
COBB_LAYER: Final = "Cobb angles"
CHALLENGE_LAYER: Final = "AASCE rule"
BALANCE_LAYER: Final = "balance"
REGION_MEASUREMENTS: Final[Mapping[str, str]] = {
    "proximal thoracic": "cobb_proximal_thoracic",
    "main thoracic": "cobb_main_thoracic",
    "thoracolumbar": "cobb_thoracolumbar_lumbar",
    "lumbar": "cobb_thoracolumbar_lumbar",
}
"""The measurement that the largest curve of a region gives."""
REGION_SHORT: Final[Mapping[str, str]] = {"proximal thoracic": "PT", "main thoracic": "MT", "thoracolumbar": "TL/L", "lumbar": "TL/L"}
"""What surgeons call the curve of a region for short, where they do."""


_UNITS: Final[Mapping[str, str]] = {"deg": "°", "mm": " mm", "px": " px"}


def marked_value(value: float, unit: str, digits: int = 0) -> str:
    """Return a value with its unit as it stands beside a mark on a film: ``48°``, ``−20 mm``; the minus sign is a true one, and none stands before nothing."""
    return f"{value:z.{digits}f}{_UNITS.get(unit, '')}".replace("-", "−")


def stroke(kind: str, points: Sequence[ArrayLike], role: str, text: str = "", *, layer: str, measurement: str = "") -> Stroke:
    """Make a stroke of points given as x, y in any form."""
    return Stroke(kind, tuple((float(p[0]), float(p[1])) for p in np.asarray(points, dtype=np.float64)), role, text, layer, measurement)


def unit_vector(vector: Points) -> Points:
    """Return the vector (2) at length 1; a vector of no length stays."""
    length = float(np.hypot(vector[0], vector[1]))
    scaled: Points = vector / length if length > 0 else vector
    return scaled


def angle_between_lines(
    upper: Points, lower: Points, text: str, *, aside: float, layer: str, measurement: str = "", comparison: bool = False
) -> tuple[Stroke, ...]:
    """Draw the angle between two lines ``(2, 2)``, ends in the same order: the lines drawn out, a perpendicular on each, the arc, the value.

    ``aside`` is how far, in pixels, the perpendiculars cross beyond the line between the middles of the two lines, on the side on which they converge.
    With ``comparison`` all of it is drawn as the angle of another rule.
    """
    plate, angle = ("comparison", "comparison") if comparison else ("endplate", "angle")
    top, bottom = upper.mean(axis=0), lower.mean(axis=0)
    along_top, along_bottom = unit_vector(upper[1] - upper[0]), unit_vector(lower[1] - lower[0])
    towards_second_ends = float((bottom - top) @ (along_bottom - along_top)) < 0
    side = 1.0 if towards_second_ends else -1.0
    half_angle = np.arctan2(np.linalg.norm(along_bottom - along_top), np.linalg.norm(along_bottom + along_top))
    aside = min(aside, 0.3 * float(np.linalg.norm(bottom - top)) / max(float(np.tan(half_angle)), 1e-9))  # the lines must not have met before
    cross = (top + bottom) / 2 + side * aside * unit_vector(along_top + along_bottom)
    foot_top = top + along_top * float((cross - top) @ along_top)
    foot_bottom = bottom + along_bottom * float((cross - bottom) @ along_bottom)
    rise, fall = unit_vector(foot_top - cross), unit_vector(foot_bottom - cross)
    radius = 0.5 * min(float(np.linalg.norm(foot_top - cross)), float(np.linalg.norm(foot_bottom - cross)), 2 * aside)
    beyond = 0.3 * aside
    lines = [(upper, foot_top, along_top), (lower, foot_bottom, along_bottom)]
    drawn = [stroke("line", _drawn_out(ends, foot, along, beyond), plate, layer=layer, measurement=measurement) for ends, foot, along in lines]
    return (
        *drawn,
        stroke("line", (foot_top, cross - 1.2 * radius * rise), angle, layer=layer, measurement=measurement),
        stroke("line", (foot_bottom, cross - 1.2 * radius * fall), angle, layer=layer, measurement=measurement),
        stroke("arc", (cross + radius * rise, cross, cross - radius * fall), angle, layer=layer, measurement=measurement),
        stroke("label", (cross + 1.3 * radius * unit_vector(rise - fall),), angle, text, layer=layer, measurement=measurement),
    )


def _drawn_out(ends: Points, foot: Points, along: Points, beyond: float) -> tuple[Points, Points]:
    """Return the ends of a line through ``ends`` that reaches past the foot of its perpendicular."""
    at = [float((p - ends[0]) @ along) for p in (ends[0], ends[1], foot)]
    return ends[0] + along * (min(at) - beyond), ends[0] + along * (max(at) + beyond)


def vertebra_strokes(corners: ArrayLike, names: Sequence[str] = THORACOLUMBAR) -> tuple[Stroke, ...]:
    """Return the outline of every vertebra (vertebrae, 4, 2), with its name to the image's right of it."""
    points = as_corners(corners, vertebrae=len(names))
    width = float(np.median(np.linalg.norm(points[:, 1] - points[:, 0], axis=-1)))
    marks = []
    for name, corner in zip(names, points, strict=True):
        marks.append(stroke("polygon", corner[[0, 1, 3, 2]], "outline", layer=VERTEBRAE_LAYER))
        marks.append(stroke("label", (corner.mean(axis=0) + np.array([0.75 * width, 0.0]),), "outline", name, layer=VERTEBRAE_LAYER))
    return tuple(marks)


def cobb_strokes(
    corners: ArrayLike,
    curves: Sequence[Curve],
    names: Sequence[str] = THORACOLUMBAR,
    *,
    texts: Mapping[str, str] | None = None,
) -> tuple[Stroke, ...]:
    """Return how the curves of one spine (vertebrae, 4, 2) are drawn: outlines, and each curve's Cobb angle with its apex.

    Beside each angle stands what the curve is called, with its value (``MT 48°``); ``texts`` replaces the value, by measurement
    (``cobb_main_thoracic``: "48 (44-52)"). Of several curves in a region the largest is the measurement; the others are drawn without one.
    """
    points = as_corners(corners, vertebrae=len(names))
    width = float(np.median(np.linalg.norm(points[:, 1] - points[:, 0], axis=-1)))
    marks = list(vertebra_strokes(points, names))
    for curve in curves:
        measurement = measurement_of(curve, curves)
        text = f"{REGION_SHORT.get(curve.region, curve.region)} {(texts or {}).get(measurement) or marked_value(curve.cobb_deg, 'deg')}"
        upper, lower = points[curve.upper, :2], points[curve.lower, 2:]
        marks += angle_between_lines(upper, lower, text, aside=width, layer=COBB_LAYER, measurement=measurement)
        marks.append(stroke("point", (apex_point(points, curve.apex),), "angle", f"apex {curve.apex_name}", layer=COBB_LAYER, measurement=measurement))
    return tuple(marks)


def measurement_of(curve: Curve, curves: Sequence[Curve]) -> str:
    """Return the measurement that a curve gives, as the largest one of its region; empty where it gives none."""
    measurement = REGION_MEASUREMENTS.get(curve.region, "")
    rivals = [c for c in curves if REGION_MEASUREMENTS.get(c.region) == measurement]
    return measurement if measurement and curve is max(rivals, key=lambda c: c.cobb_deg) else ""


def challenge_strokes(corners: ArrayLike, ends: Mapping[str, tuple[int, int]], *, texts: Mapping[str, str]) -> tuple[Stroke, ...]:
    """Return how angles of the challenge's rule are drawn on one spine: between the mid-lines of two vertebrae.

    ``ends`` are these two, from the top, and ``texts`` the values, both by measurement (``cobb_max``).
    """
    points = as_corners(corners)
    width = float(np.median(np.linalg.norm(points[:, 1] - points[:, 0], axis=-1)))
    midlines = np.stack([(points[:, 0] + points[:, 2]) / 2, (points[:, 1] + points[:, 3]) / 2], axis=1)
    marks: list[Stroke] = []
    for measurement, (upper, lower) in ends.items():
        text, aside = f"AASCE {texts.get(measurement, '')}".strip(), 1.2 * width
        marks += angle_between_lines(midlines[upper], midlines[lower], text, aside=aside, layer=CHALLENGE_LAYER, measurement=measurement, comparison=True)
    return tuple(marks)


def coronal_strokes(
    corners: ArrayLike,
    curves: Sequence[Curve] = (),
    *,
    c7: ArrayLike | None = None,
    sacrum: ArrayLike | None = None,
    texts: Mapping[str, str] | None = None,
) -> tuple[Stroke, ...]:
    """Return how coronal balance is drawn: plumb line, reference line, their distance, and the major curve's apical translation.

    With C7 and the middle of S1 the lines are the C7 plumb line and the CSVL; without them the plumb line of the first vertebra, the
    last vertebra's vertical, and for the translation the straight line between the two.
    """
    points = as_corners(corners)
    middle = centres(points)
    top = middle[0] if c7 is None else np.asarray(c7, dtype=np.float64)
    base = middle[-1] if sacrum is None else np.asarray(sacrum, dtype=np.float64)
    whole = c7 is not None and sacrum is not None
    name = "coronal_balance" if whole else "t1_l5_offset"
    offset = float(top[0] - base[0]) if whole else float(t1_l5_offset(points))
    marks = [
        stroke("line", (top, (top[0], base[1])), "plumb", "C7PL" if c7 is not None else "", layer=BALANCE_LAYER, measurement=name),
        stroke("line", (base, (base[0], top[1])), "plumb", "CSVL" if sacrum is not None else "", layer=BALANCE_LAYER, measurement=name),
        stroke("line", (base, (top[0], base[1])), "distance", layer=BALANCE_LAYER, measurement=name),
        stroke("label", ((top[0], base[1]),), "distance", (texts or {}).get(name) or f"{offset:+.0f} px", layer=BALANCE_LAYER, measurement=name),
    ]
    if curves:
        marks += _translation_strokes(points, max(curves, key=lambda c: c.cobb_deg), None if sacrum is None else float(base[0]), texts)
    return tuple(marks)


def _translation_strokes(points: Points, curve: Curve, plumb_x: float | None, texts: Mapping[str, str] | None) -> list[Stroke]:
    at, middle = apex_point(points, curve.apex), centres(points)
    distance = float(apical_translation(points, curve.apex, plumb_x=plumb_x))
    down = unit_vector(middle[-1] - middle[0])
    foot = np.array([plumb_x, at[1]]) if plumb_x is not None else middle[0] + down * float((at - middle[0]) @ down)
    name = "apical_translation"
    text = (texts or {}).get(name) or f"{distance:+.0f} px"
    chord = [stroke("line", (middle[0], middle[-1]), "plumb", layer=BALANCE_LAYER, measurement=name)] if plumb_x is None else []
    return [
        *chord,
        stroke("line", (foot, at), "distance", layer=BALANCE_LAYER, measurement=name),
        stroke("label", (at,), "distance", text, layer=BALANCE_LAYER, measurement=name),
    ]
