"""What a task measures, how it is drawn on the film, and what is usual: described once, for evaluation, reports and the web page."""

from __future__ import annotations

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
        return self.name if self.unit == "1" else f"{self.name}_{'percent' if self.unit == '%' else self.unit}"


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
