"""``landmarks.csv`` (film, patient, landmark, x_px, y_px) and ``subjects.csv`` (patient, age_years, sex, site)."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from spinelab.core import InputError
from spinelab.geometry import LATERAL_LANDMARKS
from spinelab.io.tables import Row, age_of, read_rows, sex_of

POINTS: Final = "landmarks.csv"
SUBJECTS: Final = "subjects.csv"
COLUMNS: Final = ("film", "patient", "landmark", "x_px", "y_px")
_EXPECTED: Final = f"{POINTS} with the columns {', '.join(COLUMNS)}: a row a landmark, absent ones left out"
_SUBJECTS_EXPECTED: Final = f"{SUBJECTS} with the columns patient, age_years, sex, site (the last three optional)"
_NAMES: Final = {name.lower(): name for name in LATERAL_LANDMARKS}


@dataclass(frozen=True)
class Film:
    """One film's rows: its name as written, its patient, and its points in pixels."""

    name: str
    patient: str
    points: Mapping[str, tuple[float, float]]
    line: int
    split: str | None = None


@dataclass(frozen=True)
class Subject:
    """What the subject table says of a patient; ``None`` where it is blank."""

    age_years: float | None = None
    sex: str | None = None
    site: str | None = None


def read_points(path: Path) -> tuple[Film, ...]:
    """Read the landmarks of every film; raises `InputError` with the line that is wrong. A column ``split`` is optional."""
    rows = read_rows(path, COLUMNS, ("split",), _EXPECTED)
    films: dict[str, list[tuple[int, Row]]] = {}
    for line, row in rows:
        for column in COLUMNS:
            if not row[column]:
                raise InputError(f"{path.name} line {line}: no {column}", expected=_EXPECTED, action="fill it in; leave a landmark that is absent out")
        films.setdefault(row["film"], []).append((line, row))
    return tuple(_film(path, name, own) for name, own in films.items())


def _film(path: Path, name: str, rows: Sequence[tuple[int, Row]]) -> Film:
    points: dict[str, tuple[float, float]] = {}
    for line, row in rows:
        where = f"{path.name} line {line}"
        landmark = _NAMES.get(row["landmark"].lower())
        if landmark is None:
            close = difflib.get_close_matches(row["landmark"], LATERAL_LANDMARKS, n=1)
            raise InputError(
                f"{where}: unknown landmark {row['landmark']!r}",
                expected=", ".join(LATERAL_LANDMARKS),
                action=f"write {close[0]!r} if that is meant" if close else "use these names, or the task `landmarks` for points of your own",
            )
        if landmark in points:
            raise InputError(f"{where}: film {name} has a second {landmark}", expected="every landmark once a film", action="remove one of the rows")
        points[landmark] = _number(row["x_px"], where, "x_px"), _number(row["y_px"], where, "y_px")
    for column in ("patient", "split"):
        stated = sorted({row.get(column, "") for _, row in rows})
        if len(stated) > 1:
            raise InputError(
                f"{path.name} line {rows[0][0]} and below: film {name} has {column} {stated[0]!r} and {stated[1]!r}",
                expected=f"one {column} a film",
                action="correct the rows of this film",
            )
    first = rows[0][1]
    return Film(name, first["patient"], points, rows[0][0], first.get("split") or None)


def read_subjects(path: Path) -> dict[str, Subject]:
    """Read the subject table; a patient in two rows is refused. An absent file is an empty table."""
    if not path.is_file():
        return {}
    found: dict[str, Subject] = {}
    for line, row in read_rows(path, ("patient",), ("age_years", "sex", "site"), _SUBJECTS_EXPECTED):
        where = f"{path.name} line {line}"
        if not row["patient"] or row["patient"] in found:
            said = f"patient {row['patient']} stands in two rows" if row["patient"] else "no patient"
            raise InputError(f"{where}: {said}", expected="one row a patient", action="correct the line")
        found[row["patient"]] = Subject(age_of(row.get("age_years", ""), where), sex_of(row.get("sex", ""), where), row.get("site") or None)
    return found


def _number(text: str, where: str, what: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"{where}: {what} is {text[:40]!r}", expected="pixels of the original film", action="correct it; leave an absent landmark out")
    return value
