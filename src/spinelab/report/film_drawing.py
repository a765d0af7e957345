"""Strokes of a task as marks that page, PDF and thumbnail draw alike: paths, dots, rings and texts in film pixels."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from spinelab.core import Stroke

COLOURS: Final = {
    "landmark": "#8fd3ff",
    "outline": "#b8c4d0",
    "endplate": "#ffe14d",
    "angle": "#4db8ff",
    "plumb": "#ff8ad1",
    "distance": "#4be0a8",
    "comparison": "#c9a8ff",
    "uncertain": "#ff9a1f",
}
"""One colour a role: light ones, read on a dark film and told apart with common colour blindness; what is uncertain is dashed as well."""

WIDTHS: Final = {"landmark": 1.3, "outline": 1.0, "endplate": 1.8, "angle": 1.8, "plumb": 1.5, "distance": 1.8, "comparison": 1.5, "uncertain": 1.8}
"""Line widths in CSS pixels on the page and in points x 0.55 in print."""

DASHES: Final[dict[str, tuple[float, ...]]] = {"uncertain": (5.0, 3.5), "plumb": (9.0, 4.0), "comparison": (2.5, 3.0)}
LEGEND: Final = {
    "landmark": "landmark",
    "outline": "outline",
    "endplate": "endplate",
    "angle": "angle",
    "plumb": "plumb line",
    "distance": "distance",
    "comparison": "another rule, to compare with",
    "uncertain": "uncertain landmark: check it",
}
_ARC_STEPS: Final = 24
_CHARACTER: Final = 0.68
_WIDE_CHARACTER: Final = 1.05
_WIDE: Final = frozenset("mwMW−%")
"""Width of a character in heights of the text, in the widest of the usual bold fonts: texts are kept apart and on the film."""
_STEPS: Final = tuple(step for n in range(12) for step in dict.fromkeys((-1.1 * n, 1.1 * n)))
"""How far above or below its place a text may stand, the nearest first, in heights of the text."""
_MARGIN: Final = 0.25
"""Most that the picture reaches beyond the film on a side, as a share of the film, for what is drawn there."""

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Mark:
    """One thing to draw, in film pixels.

    ``shape`` is ``path`` (``points`` joined, back to the first where ``closed``), ``dot``, ``ring`` (1 point) or ``text`` (1 point: the
    left end of the text's middle line, or its right end where ``leftward``). ``name`` tells a landmark's name, shown when asked for.
    """

    shape: str
    points: tuple[Point, ...]
    role: str
    layer: str
    measurement: str = ""
    text: str = ""
    closed: bool = False
    leftward: bool = False
    name: bool = False


@dataclass(frozen=True, slots=True)
class Drawing:
    """The marks of one film of ``width`` x ``height`` pixels, the layers in their order, and the height of its texts in film pixels."""

    width: int
    height: int
    marks: tuple[Mark, ...]
    layers: tuple[str, ...]
    text_px: float

    @property
    def frame(self) -> tuple[float, float, float, float]:
        """Return left, top, width and height of the picture in film pixels: the film, and beside it room for what is drawn there, plumb lines apart."""
        points = [p for mark in self.marks if mark.shape == "path" and mark.role != "plumb" for p in mark.points]
        (left, right), (top, bottom) = (_reach([p[axis] for p in points], side, 0.3 * self.text_px) for axis, side in enumerate((self.width, self.height)))
        return left, top, right - left, bottom - top

    @property
    def off(self) -> tuple[str, ...]:
        """Return the layers that are shown only when asked for: another rule's lines over the first ones could not be told apart."""
        return tuple(layer for layer in self.layers if self.role_of(layer) == "comparison")

    @property
    def printed(self) -> tuple[Mark, ...]:
        """Return the marks of a picture on which nothing can be switched: all but names of landmarks and the layers that are off."""
        return tuple(mark for mark in self.marks if not mark.name and mark.layer not in self.off)

    @property
    def roles(self) -> tuple[str, ...]:
        """Return the roles that occur, in the order of the legend."""
        found = {mark.role for mark in self.marks}
        return tuple(role for role in LEGEND if role in found)

    @property
    def names(self) -> bool:
        """Whether there are names of landmarks to show when asked for."""
        return any(mark.name for mark in self.marks)

    def role_of(self, layer: str) -> str:
        """Return the role that stands for a layer: that of its first mark which is not uncertain."""
        roles = [mark.role for mark in self.marks if mark.layer == layer]
        return next((role for role in roles if role != "uncertain"), roles[0])


def draw(strokes: Iterable[Stroke], *, width: int, height: int) -> Drawing:
    """Return the marks of ``strokes`` on a film; a stroke whose points are not finite, or too few for its kind, is left out."""
    usable = [stroke for stroke in strokes if _complete(stroke)]
    text_px = math.sqrt(height * width) / 41
    marks = [mark for stroke in usable for mark in _shapes(stroke)]
    marks += _texts(usable, (width, height), text_px)
    return Drawing(width, height, tuple(marks), tuple(dict.fromkeys(mark.layer for mark in marks)), text_px)


def _reach(places: Sequence[float], side: int, pad: float) -> tuple[float, float]:
    """Return where the picture begins and ends on one axis: at the film's edges (pixel centres are whole numbers), or where the drawing leaves it."""
    first, last = -0.5, side - 0.5
    low, high = min(places, default=first), max(places, default=last)
    return (
        first if low >= first else max(low - pad, first - _MARGIN * side),
        last if high <= last else min(high + pad, last + _MARGIN * side),
    )


def holds(strokes: Sequence[Stroke], shape_yx: tuple[int, int]) -> bool:
    """Return whether most points of ``strokes`` lie on a film of these rows and columns (construction lines may leave it)."""
    points = [p for stroke in strokes if stroke.kind in ("point", "line", "polygon") for p in stroke.points]
    inside = sum(-1 <= x <= shape_yx[1] and -1 <= y <= shape_yx[0] for x, y in points)
    return 2 * inside >= len(points)


def _complete(stroke: Stroke) -> bool:
    needed = {"point": 1, "label": 1, "line": 2, "polyline": 2, "polygon": 3, "arc": 3}[stroke.kind]
    return len(stroke.points) >= needed and all(math.isfinite(v) for p in stroke.points for v in p)


def layer_of(stroke: Stroke) -> str:
    """Return the layer's name; marks without one are grouped by what they are."""
    return stroke.layer or {"uncertain": "landmarks", "landmark": "landmarks"}.get(stroke.role, f"{LEGEND[stroke.role]}s")


def _shapes(stroke: Stroke) -> list[Mark]:
    layer = layer_of(stroke)
    if stroke.kind == "label":
        return []
    if stroke.kind == "point":
        return [Mark("ring" if stroke.role == "uncertain" else "dot", stroke.points[:1], stroke.role, layer, stroke.measurement, stroke.text)]
    points = arc(stroke.points) if stroke.kind == "arc" else stroke.points
    return [Mark("path", tuple(points), stroke.role, layer, stroke.measurement, closed=stroke.kind == "polygon")]


def arc(points: Sequence[Point]) -> tuple[Point, ...]:
    """Return points on the arc about the second point, from the first towards the third, on the shorter side; its radius is the first's distance."""
    (sx, sy), (vx, vy), (ex, ey) = points[:3]
    radius, begin = math.hypot(sx - vx, sy - vy), math.atan2(sy - vy, sx - vx)
    sweep = math.remainder(math.atan2(ey - vy, ex - vx) - begin, 2 * math.pi)
    turns = [begin + sweep * n / _ARC_STEPS for n in range(_ARC_STEPS + 1)]
    return tuple((vx + radius * math.cos(turn), vy + radius * math.sin(turn)) for turn in turns)


def _texts(strokes: Sequence[Stroke], film: tuple[int, int], text_px: float) -> list[Mark]:
    """Return every text where it covers no other: angles and labels first, names of landmarks apart, for they are shown only when asked for."""
    placed: list[tuple[float, float, float, float]] = []
    marks = []
    for stroke in sorted((s for s in strokes if s.text and not _named_landmark(s)), key=lambda s: (s.kind == "label", s.role != "angle")):
        at, leftward = _place(_anchor(stroke, film), _letters(stroke.text), film, text_px, placed)
        marks.append(Mark("text", (at,), stroke.role, layer_of(stroke), stroke.measurement, stroke.text, leftward=leftward))
    for stroke in strokes:
        if stroke.text and _named_landmark(stroke):
            at, leftward = _place(stroke.points[0], _letters(stroke.text), film, text_px, [])
            marks.append(Mark("text", (at,), stroke.role, layer_of(stroke), stroke.measurement, stroke.text, leftward=leftward, name=True))
    return marks


def _named_landmark(stroke: Stroke) -> bool:
    return stroke.kind == "point" and stroke.role in ("landmark", "uncertain")


def _anchor(stroke: Stroke, film: tuple[int, int]) -> Point:
    """Return where the text of a stroke belongs: the middle of what of it lies on the film."""
    points = arc(stroke.points) if stroke.kind == "arc" else stroke.points
    if stroke.kind == "line":
        (ax, ay), (bx, by) = points[:2]
        points = tuple((ax + (bx - ax) * n / 8, ay + (by - ay) * n / 8) for n in range(9))
    seen = [p for p in points if 0 <= p[0] < film[0] and 0 <= p[1] < film[1]] or list(points)
    return seen[len(seen) // 2]


def _letters(text: str) -> float:
    """Return how long a text is, in heights of it."""
    return sum(_WIDE_CHARACTER if letter in _WIDE else _CHARACTER for letter in text)


def _place(at: Point, long: float, film: tuple[int, int], text_px: float, placed: list[tuple[float, float, float, float]]) -> tuple[Point, bool]:
    """Return the left (or right) end of a text near a point, inside the film and, where possible, beside the texts in ``placed``."""
    wide, gap = long * text_px, 0.55 * text_px
    found = []
    for step, leftward in ((step, leftward) for step in _STEPS for leftward in (False, True)):
        x = min(max(at[0] + (-gap - wide if leftward else gap), 0.2 * text_px), max(film[0] - wide - 0.2 * text_px, 0.0))
        y = min(max(at[1] + step * text_px, 0.7 * text_px), film[1] - 0.7 * text_px)
        found.append(((x + wide if leftward else x, y), leftward, (x, y - 0.55 * text_px, x + wide, y + 0.55 * text_px)))
    point, leftward, box = next((one for one in found if not any(_overlap(one[2], other) for other in placed)), found[0])
    placed.append(box)
    return point, leftward


def _overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
