"""Marks that show on a lateral film what was measured there: endplates, pelvic triangle, lordosis and kyphosis, head and balance.

Strokes are in pixels of the film. Only what `spinelab.geometry.sagittal_parameters` measures from the given points is drawn; differences (PI-LL,
TS-CL) have no mark of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from spinelab.core import Stroke
from spinelab.geometry.drawing import BALANCE_LAYER, VERTEBRAE_LAYER, angle_between_lines, marked_value, stroke, unit_vector
from spinelab.geometry.lines import Points
from spinelab.geometry.sagittal import LATERAL_LANDMARKS, facing_side, sagittal_parameters

LUMBOPELVIC_LAYER: Final = "lumbopelvic"
THORACIC_LAYER: Final = "thoracic"
CERVICAL_LAYER: Final = "cervical"
_ENDPLATES: Final = ("S", "L1", "L4", "T12", "T4", "T1", "C7", "C2")
_ABBREVIATIONS: Final = {"l4_s1": "L4-S1", "c2_c7": "C2-C7", "t1_slope": "T1 slope"}
_UP: Final = np.array([0.0, -1.0])


@dataclass(frozen=True, eq=False)
class _Film:
    """The points of one film, what was measured there, and lengths to draw with."""

    at: Mapping[str, Points]
    values: Mapping[str, float]
    texts: Mapping[str, str]
    forward: Points
    size: float

    def text(self, name: str) -> str:
        return self.texts.get(name) or f"{_ABBREVIATIONS.get(name, name.upper())} {marked_value(self.values[name], 'px' if name == 'sva' else 'deg')}"

    def middle(self, stem: str) -> Points:
        centre: Points = (self.at[f"{stem}_1"] + self.at[f"{stem}_2"]) / 2
        return centre

    def plate(self, stem: str) -> Points:
        return np.stack([self.at[f"{stem}_2"], self.at[f"{stem}_1"]])


def sagittal_strokes(points: Mapping[str, ArrayLike], *, facing: int | None = None, texts: Mapping[str, str] | None = None) -> tuple[Stroke, ...]:
    """Return how the sagittal parameters are drawn on one film.

    Parameters
    ----------
    points
        Landmark to x, y (2) in pixels; points that are not finite count as absent.
    facing
        1 (the image's right) or -1; by default the vote of the front and back points. Where it cannot be told only the points are drawn.
    texts
        Replaces the value beside a mark, by measurement (``sva``: "SVA 23 mm").
    """
    at = {name: np.asarray(xy, dtype=np.float64) for name, xy in points.items() if name in LATERAL_LANDMARKS}
    at = {name: xy for name, xy in at.items() if np.isfinite(xy).all()}
    marks = list(_landmark_strokes(at))
    values = {name: float(value) for name, value in sagittal_parameters(at, facing).items() if np.isfinite(value)}
    if values:
        side = float(facing_side(at)) if facing is None else float(facing)
        film = _Film(at, values, texts or {}, np.array([side, 0.0]), _drawing_size(at))
        for name, draw in _DRAWN.items():
            if name in values:
                marks += draw(film)
    return tuple(marks)


def _drawing_size(at: Mapping[str, Points]) -> float:
    """Return about the depth of a vertebral body, in pixels."""
    plates = [float(np.linalg.norm(at[f"{stem}_1"] - at[f"{stem}_2"])) for stem in _ENDPLATES if f"{stem}_1" in at and f"{stem}_2" in at]
    if plates:
        return float(np.median(plates))
    spread = np.ptp(np.array(list(at.values())), axis=0)
    return float(max(spread.max() / 15, 1.0))


def _landmark_strokes(at: Mapping[str, Points]) -> list[Stroke]:
    marks = [stroke("point", (xy,), "landmark", name, layer=VERTEBRAE_LAYER) for name, xy in at.items()]
    pairs = [(f"{stem}_2", f"{stem}_1") for stem in _ENDPLATES]
    marks += [stroke("line", (at[back], at[front]), "outline", layer=VERTEBRAE_LAYER) for back, front in pairs if back in at and front in at]
    return marks


def _angle_at(
    film: _Film, name: str, vertex: Points, first: Points, second: Points, layer: str, *, radius: float, lengths: tuple[float, float]
) -> list[Stroke]:
    """Draw the angle at ``vertex`` between two directions: a line along each, the arc, the value."""
    one, two = unit_vector(first), unit_vector(second)
    roles = ("plumb" if abs(one[0]) < 1e-9 else "angle", "plumb" if abs(two[0]) < 1e-9 else "angle")
    bisector = unit_vector(one + two)
    return [
        stroke("line", (vertex, vertex + one * lengths[0]), roles[0], layer=layer, measurement=name),
        stroke("line", (vertex, vertex + two * lengths[1]), roles[1], layer=layer, measurement=name),
        stroke("arc", (vertex + one * radius, vertex, vertex + two * radius), "angle", layer=layer, measurement=name),
        stroke("label", (vertex + bisector * (radius + 0.35 * film.size),), "angle", film.text(name), layer=layer, measurement=name),
    ]


def _pi(film: _Film) -> list[Stroke]:
    hips, sacrum = film.middle("FH"), film.middle("S")
    along = film.at["S_1"] - film.at["S_2"]
    down = np.array([-along[1], along[0]])
    down = down if down[1] > 0 or (down[1] == 0 and down @ (hips - sacrum) > 0) else -down
    reach = float(np.linalg.norm(hips - sacrum))
    heads = [stroke("point", (film.at[name],), "landmark", name, layer=LUMBOPELVIC_LAYER, measurement="pi") for name in ("FH_1", "FH_2")]
    axis = stroke("line", (film.at["FH_1"], film.at["FH_2"]), "outline", layer=LUMBOPELVIC_LAYER, measurement="pi")
    return [*heads, axis, *_angle_at(film, "pi", sacrum, hips - sacrum, down, LUMBOPELVIC_LAYER, radius=0.45 * reach, lengths=(reach, reach))]


def _pt(film: _Film) -> list[Stroke]:
    hips, sacrum = film.middle("FH"), film.middle("S")
    reach = float(np.linalg.norm(hips - sacrum))
    return _angle_at(film, "pt", hips, sacrum - hips, _UP, LUMBOPELVIC_LAYER, radius=0.6 * reach, lengths=(reach, 1.1 * reach))


def _ss(film: _Film) -> list[Stroke]:
    along = film.at["S_1"] - film.at["S_2"]
    length = float(np.linalg.norm(along))
    return _angle_at(film, "ss", film.at["S_2"], along, film.forward, LUMBOPELVIC_LAYER, radius=1.3 * length, lengths=(1.6 * length, 1.6 * length))


def _between(film: _Film, name: str, upper: str, lower: str, layer: str, *, aside: float) -> list[Stroke]:
    return list(angle_between_lines(film.plate(upper), film.plate(lower), film.text(name), aside=aside * film.size, layer=layer, measurement=name))


def _t1_slope(film: _Film) -> list[Stroke]:
    along = film.at["T1_1"] - film.at["T1_2"]
    reach = 3.0 * film.size
    return _angle_at(film, "t1_slope", film.at["T1_2"], along, film.forward, CERVICAL_LAYER, radius=0.8 * reach, lengths=(reach, reach))


def _cbva(film: _Film) -> list[Stroke]:
    chin, brow = film.at["Jaw"], film.at["Forehead"]
    reach = float(np.linalg.norm(brow - chin))
    return _angle_at(film, "cbva", chin, brow - chin, _UP, CERVICAL_LAYER, radius=0.8 * reach, lengths=(reach, reach))


def _odha(film: _Film) -> list[Stroke]:
    hips, top = film.middle("FH"), film.at["ODT"]
    reach = float(np.linalg.norm(top - hips))
    return _angle_at(film, "odha", hips, top - hips, _UP, BALANCE_LAYER, radius=0.9 * reach, lengths=(reach, reach))


def _tpa(film: _Film) -> list[Stroke]:
    hips, sacrum, top = film.middle("FH"), film.middle("S"), film.at["T1"]
    reach = float(np.linalg.norm(top - hips))
    lengths = (reach, float(np.linalg.norm(sacrum - hips)))
    return _angle_at(film, "tpa", hips, top - hips, sacrum - hips, BALANCE_LAYER, radius=1.3 * lengths[1], lengths=(reach, 1.6 * lengths[1]))


def _ssa(film: _Film) -> list[Stroke]:
    sacrum, top = film.middle("S"), film.at["C7"]
    along = film.at["S_1"] - sacrum
    lengths = (float(np.linalg.norm(top - sacrum)), 2.0 * film.size)
    return _angle_at(film, "ssa", sacrum, top - sacrum, along, BALANCE_LAYER, radius=1.6 * film.size, lengths=lengths)


def _sva(film: _Film) -> list[Stroke]:
    top, corner = film.at["C7"], film.at["S_2"]
    foot, below = np.array([top[0], corner[1]]), np.array([0.0, 0.5 * film.size])
    return [
        stroke("line", (top, foot + below), "plumb", "C7PL", layer=BALANCE_LAYER, measurement="sva"),
        stroke("line", (corner, foot), "distance", layer=BALANCE_LAYER, measurement="sva"),
        stroke("label", (corner - 1.6 * film.size * film.forward,), "distance", film.text("sva"), layer=BALANCE_LAYER, measurement="sva"),
    ]


_DRAWN: Final[Mapping[str, Callable[[_Film], list[Stroke]]]] = {
    "pi": _pi,
    "pt": _pt,
    "ss": _ss,
    "ll": lambda film: _between(film, "ll", "L1", "S", LUMBOPELVIC_LAYER, aside=2.2),
    "l4_s1": lambda film: _between(film, "l4_s1", "L4", "S", LUMBOPELVIC_LAYER, aside=1.2),
    "tk": lambda film: _between(film, "tk", "T4", "T12", THORACIC_LAYER, aside=1.5),
    "c2_c7": lambda film: _between(film, "c2_c7", "C2", "C7", CERVICAL_LAYER, aside=1.2),
    "t1_slope": _t1_slope,
    "cbva": _cbva,
    "tpa": _tpa,
    "odha": _odha,
    "ssa": _ssa,
    "sva": _sva,
}
