"""What a task measures, how it is drawn on the film, and what is usual: described once, for evaluation, reports and the web page."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from spinelab.core.errors import InputError

UNITS: Final = ("deg", "mm", "px", "%", "1")
STROKES: Final = ("point", "line", "polyline", "polygon", "arc", "label")
ROLES: Final = ("landmark", "outline", "endplate", "angle", "plumb", "distance", "comparison", "uncertain")


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number that a task measures; ``how`` says how it is constructed.

    One for ``comparison`` is there to be held against published figures: a reader of a film meets it after the others.
    """

    name: str
    unit: str
    title: str
    how: str = ""
    comparison: bool = False

    def __post_init__(self) -> None:
        if self.unit not in UNITS:
            raise InputError(f"{self.name}: unit {self.unit!r}", expected=f"one of {', '.join(UNITS)}", action="name the unit")

    @property
    def column(self) -> str:
        """Name of its column in a table: ``cobb_max_deg``."""
        return column_of(self.name, self.unit)


def column_of(name: str, unit: str, site: str | None = None, side: str | None = None) -> str:
    """Return the column of a measurement in every table: name, place where it is one of several, unit.

    >>> column_of("slip", "%", "L4/L5", "left")
    'slip_L4_L5_left_percent'
    """
    ending = "" if unit == "1" else f"_{'percent' if unit == '%' else unit}"
    return f"{name}{place_of(site, side)}{ending}"


def place_of(site: str | None, side: str | None) -> str:
    """Return site and side as a part of a column's name: ``_L4_L5_left``."""
    return "".join(f"_{re.sub(r'[^0-9A-Za-z]+', '_', part)}" for part in (site, side) if part)


@dataclass(frozen=True, slots=True)
class Reference:
    """The range in which ``share`` of a healthy population lies, for whom it holds, and who published it."""

    low: float
    high: float
    population: str
    source: str
    share: float = 0.95


@dataclass(frozen=True, slots=True)
class Stroke:
    """One mark on a film, in pixels of the original image (``x`` to the right, ``y`` down).

    ``kind``: ``point`` (1 point), ``line`` (2), ``polyline``, ``polygon`` (any number), ``arc`` (start, vertex, end; drawn on the shorter
    side), ``label`` (``text`` beside 1 point). ``layer`` groups the marks that a reader switches on and off together; ``measurement`` is
    the name of the measurement that the mark explains. A layer of marks in the role ``comparison`` is off until the reader asks for it.
    """

    kind: str
    points: tuple[tuple[float, float], ...]
    role: str
    text: str = ""
    layer: str = ""
    measurement: str = ""

    def __post_init__(self) -> None:
        if self.kind not in STROKES or self.role not in ROLES:
            raise InputError(f"A stroke of kind {self.kind!r} and role {self.role!r}", expected=f"{', '.join(STROKES)}; {', '.join(ROLES)}", action="choose")
