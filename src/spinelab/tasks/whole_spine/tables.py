"""``landmarks.csv`` (film, patient, landmark, x_px, y_px) and ``subjects.csv`` (patient, age_years, sex, site)."""

from __future__ import annotations

import csv
import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from spinelab.core import InputError
from spinelab.geometry import LATERAL_LANDMARKS
from spinelab.io.text import read_text

POINTS: Final = "landmarks.csv"
SUBJECTS: Final = "subjects.csv"
COLUMNS: Final = ("film", "patient", "landmark", "x_px", "y_px")
_EXPECTED: Final = f"{POINTS} with the columns {', '.join(COLUMNS)}: a row a landmark, absent ones left out"
_SUBJECTS_EXPECTED: Final = f"{SUBJECTS} with the columns patient, age_years, sex, site (the last three optional)"
_NAMES: Final = {name.lower(): name for name in LATERAL_LANDMARKS}
_SEXES: Final = {"f": "F", "female": "F", "w": "F", "m": "M", "male": "M", "o": "O", "other": "O"}

Row = Mapping[str, str]


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
    rows = _rows(path, COLUMNS, ("split",), _EXPECTED)
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
    for line, row in _rows(path, ("patient",), ("age_years", "sex", "site"), _SUBJECTS_EXPECTED):
        where = f"{path.name} line {line}"
        if not row["patient"] or row["patient"] in found:
            said = f"patient {row['patient']} stands in two rows" if row["patient"] else "no patient"
            raise InputError(f"{where}: {said}", expected="one row a patient", action="correct the line")
        found[row["patient"]] = Subject(_age(row.get("age_years", ""), where), _sex(row.get("sex", ""), where), row.get("site") or None)
    return found


def _rows(path: Path, needed: Sequence[str], optional: Sequence[str], expected: str) -> list[tuple[int, Row]]:
    lines = read_text(path, expected, kind="UTF-8 CSV", when_empty="write one row each").splitlines()
    reader = csv.reader(lines, delimiter=max(",;\t", key=lines[0].count))
    header = [name.strip().lower() for name in next(reader)]
    absent = [name for name in needed if name not in header]
    if absent:
        raise InputError(
            f"{path} has no column {' and '.join(absent)}; it has {', '.join(header)}", expected=expected, action="name the columns in the first row"
        )
    wanted = {name: header.index(name) for name in (*needed, *optional) if name in header}

    def row(cells: list[str]) -> Row:
        return {name: cells[at].strip() if at < len(cells) else "" for name, at in wanted.items()}

    rows = [(reader.line_num, row(cells)) for cells in reader if any(cell.strip() for cell in cells)]
    if not rows:
        raise InputError(f"{path} has no rows", expected=expected, action="write one row each")
    return rows


def _number(text: str, where: str, what: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"{where}: {what} is {text[:40]!r}", expected="pixels of the original film", action="correct it; leave an absent landmark out")
    return value


def _age(text: str, where: str) -> float | None:
    if not text:
        return None
    try:
        age = float(text)
    except ValueError:
        age = math.nan
    if not 0 <= age <= 130:
        raise InputError(f"{where}: age_years {text!r}", expected="years from 0 to 130, or blank", action="correct it or leave it blank")
    return age


def _sex(text: str, where: str) -> str | None:
    if text and text.lower() not in _SEXES:
        raise InputError(f"{where}: sex {text!r}", expected="F, M, O or blank", action="correct it or leave it blank")
    return _SEXES.get(text.lower())
