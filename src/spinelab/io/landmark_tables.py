"""``landmarks.csv`` (film, patient, landmark, x_px, y_px) and ``subjects.csv`` (patient, age_years, sex, site, presacral), read and written."""

from __future__ import annotations

import csv
import difflib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from spinelab.core import InputError, Result
from spinelab.io.tables import Row, age_of, read_rows, sex_of

POINTS: Final = "landmarks.csv"
SUBJECTS: Final = "subjects.csv"
COLUMNS: Final = ("film", "patient", "landmark", "x_px", "y_px")
_EXPECTED: Final = f"{POINTS} with the columns {', '.join(COLUMNS)}: a row a landmark, absent ones left out"
ABOUT: Final = ("age_years", "sex", "site", "presacral")
PRESACRAL: Final = ("23", "24", "25", "26")
_LISTED: Final = 30
_SUBJECTS_EXPECTED: Final = f"{SUBJECTS} with the column patient and, if wished, {', '.join(ABOUT)}"


@dataclass(frozen=True)
class Film:
    """One film's rows: its name as written, its patient, and its points in pixels."""

    name: str
    patient: str
    points: Mapping[str, tuple[float, float]]
    line: int = 0
    split: str | None = None


@dataclass(frozen=True)
class Subject:
    """What the subject table says of a patient; ``None`` where it is blank. ``presacral`` counts the vertebrae above the sacrum."""

    age_years: float | None = None
    sex: str | None = None
    site: str | None = None
    presacral: int | None = None


def read_points(path: Path, names: Sequence[str]) -> tuple[Film, ...]:
    """Read the landmarks of every film, out of ``names``; raises `InputError` with the line that is wrong. A column ``split`` is optional."""
    rows = read_rows(path, COLUMNS, ("split",), _EXPECTED, film="film")
    films: dict[str, list[tuple[int, Row]]] = {}
    for line, row in rows:
        for column in COLUMNS:
            if not row[column]:
                raise InputError(f"{path.name} line {line}: no {column}", expected=_EXPECTED, action="fill it in; leave a landmark that is absent out")
        films.setdefault(row["film"], []).append((line, row))
    known = {name.lower(): name for name in names}
    return tuple(_film(path, film, own, known) for film, own in films.items())


def _film(path: Path, name: str, rows: Sequence[tuple[int, Row]], known: Mapping[str, str]) -> Film:
    points: dict[str, tuple[float, float]] = {}
    for line, row in rows:
        where = f"{path.name} line {line}"
        landmark = known.get(row["landmark"].lower())
        if landmark is None:
            close = difflib.get_close_matches(row["landmark"], known.values(), n=1)
            raise InputError(
                f"{where}: unknown landmark {row['landmark']!r}",
                expected=_some(tuple(known.values())),
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


def _some(names: Sequence[str]) -> str:
    """Return the names, of very many the first four and the last."""
    return ", ".join(names if len(names) <= _LISTED else (*names[:4], "...", names[-1]))


def read_subjects(path: Path) -> dict[str, Subject]:
    """Read the subject table; a patient in two rows is refused. An absent file is an empty table."""
    if not path.is_file():
        return {}
    found: dict[str, Subject] = {}
    for line, row in read_rows(path, ("patient",), ABOUT, _SUBJECTS_EXPECTED):
        where = f"{path.name} line {line}"
        if not row["patient"] or row["patient"] in found:
            said = f"patient {row['patient']} stands in two rows" if row["patient"] else "no patient"
            raise InputError(f"{where}: {said}", expected="one row a patient", action="correct the line")
        age, sex = age_of(row.get("age_years", ""), where), sex_of(row.get("sex", ""), where)
        found[row["patient"]] = Subject(age, sex, row.get("site") or None, _presacral(row.get("presacral", ""), where))
    return found


def film_of(patient: str, truth: Result) -> Film:
    """Return the rows of a film whose landmarks are known, named after the study."""
    return Film(truth.study, patient, {p.name: (p.x, p.y) for p in truth.landmarks})


def write_points(path: Path, films: Iterable[Film]) -> None:
    """Write the landmarks of films as `read_points` reads them, to a thousandth of a pixel; films without a split."""
    _write(path, COLUMNS, ((film.name, film.patient, name, f"{x:.3f}", f"{y:.3f}") for film in films for name, (x, y) in film.points.items()))


def write_subjects(path: Path, subjects: Mapping[str, Subject]) -> None:
    """Write what is known of patients as `read_subjects` reads it."""
    rows = ((patient, *("" if (said := getattr(subject, key)) is None else f"{said}" for key in ABOUT)) for patient, subject in subjects.items())
    _write(path, ("patient", *ABOUT), rows)


def _write(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def _presacral(text: str, where: str) -> int | None:
    if text and text not in PRESACRAL:
        raise InputError(
            f"{where}: presacral is {text[:40]!r}",
            expected=f"vertebrae above the sacrum: {', '.join(PRESACRAL)}, or blank",
            action="correct it or leave it blank",
        )
    return int(text) if text else None


def _number(text: str, where: str, what: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"{where}: {what} is {text[:40]!r}", expected="pixels of the original film", action="correct it; leave an absent landmark out")
    return value
