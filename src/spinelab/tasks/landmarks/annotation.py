"""What one picture's annotation says, whichever file it came from."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from spinelab.core import Fact, InputError
from spinelab.io.tables import age_of, sex_of

Point = tuple[float, float]

LAYOUT: Final = (
    "pictures with landmarks.csv (image, landmark, x, y; or image, NAME_x, NAME_y, ...), a COCO keypoints file, or labelme files; "
    "and beside them, if something is to be measured, measurements.toml"
)
FACTS: Final = ("sex", "age", "site", "split")


@dataclass(frozen=True, eq=False)
class Annotated:
    """A picture and its points, in pixels with pixel centres at whole numbers; absent points are left out.

    ``name`` is the picture's path as the annotation gives it; ``where`` names the place in the file for messages; ``size`` is the columns and rows of the
    picture that was marked, where the annotation states them.
    """

    name: str
    points: Mapping[str, Point]
    where: str
    patient: str | None = None
    spacing_mm: tuple[float, float] | None = None
    facts: Mapping[str, Fact] = field(default_factory=dict)
    size: tuple[int, int] | None = None


@dataclass(frozen=True, eq=False)
class Book:
    """All annotations of a data set: ``folders`` are where pictures are looked for, ``names`` the points in their order of appearance."""

    source: Path
    pictures: tuple[Annotated, ...]
    names: tuple[str, ...]
    folders: tuple[Path, ...]
    notes: tuple[str, ...] = ()


def number(text: object, where: str, what: str) -> float:
    """Return a finite number; raises `InputError` with the place where it stands."""
    try:
        value = float(str(text).strip())
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"{where}: {what} is {str(text)[:40]!r}", expected="a number", action="correct it; leave a point that is not in the picture out")
    return value


def size_of(columns: object, rows: object) -> tuple[int, int] | None:
    """Return the size of a picture as an annotation states it, ``None`` where it states none."""
    return (columns, rows) if isinstance(columns, int) and isinstance(rows, int) and columns > 0 and rows > 0 else None


def stated(said: Mapping[str, str | None], where: str, source: str) -> dict[str, Fact]:
    """Return what the data set states of `FACTS` about a picture; ``None`` is a column that is not there, an empty text a blank.

    Raises
    ------
    InputError
        For an age or a sex that is none.
    """
    facts: dict[str, Fact] = {}
    for name in FACTS:
        text = said.get(name)
        if text is not None:
            origin = f"{source} column {name}" + ("" if text else " is blank")
            facts[{"age": "age_years"}.get(name, name)] = Fact(_value(name, text, where) if text else None, origin)
    return facts


def _value(name: str, text: str, where: str) -> str | float | None:
    if name == "sex":
        return sex_of(text, where)
    return age_of(text, where, name) if name == "age" else text


def in_order(names: Iterable[str]) -> tuple[str, ...]:
    """Return names once each, in the order of their first appearance."""
    return tuple(dict.fromkeys(names))
