"""The three CSV files of the RSNA 2024 layout: grades (wide), coordinates and series descriptions, each checked line by line."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from spinelab.core import InputError, noted
from spinelab.evaluation.rsna import COLUMNS, RsnaLabels
from spinelab.io.tables import Row, read_table
from spinelab.tasks.lumbar_mri.targets import DESCRIPTIONS, Question, grade_of, question_of

GRADES_FILE: Final = "train.csv"
STUDY: Final = "study_id"
COORDINATES_FILE: Final = "train_label_coordinates.csv"
COORDINATES_HEADER: Final = (STUDY, "series_id", "instance_number", "condition", "level", "x", "y")
SERIES_FILE: Final = "train_series_descriptions.csv"
IMAGES_FOLDER: Final = "train_images"
LAYOUT: Final = f"a folder with {GRADES_FILE}, {COORDINATES_FILE}, {SERIES_FILE} and, for pictures, {IMAGES_FOLDER}/<study>/<series>/<instance>.dcm"

_SCIENTIFIC: Final = re.compile(r"[+-]?\d+(?:[.,]\d*)?e[+-]?\d+", re.IGNORECASE)
"""A number as a spreadsheet shortens it, which has lost the last digits of an identifier."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A reader's point: series, number of the slice, and pixel (centres at whole numbers)."""

    study: str
    series: str
    instance: int
    question: Question
    x: float
    y: float
    line: int


@dataclass(frozen=True, slots=True)
class Series:
    """A series and what the table says that it is."""

    study: str
    id: str
    description: str


def read_grades(path: Path) -> RsnaLabels:
    """Read a table such as ``train.csv``, or that of a folder: a row a study, 25 columns, empty cells where no grade was given.

    Raises
    ------
    InputError
        Another layout, a study in two rows, or a cell that is no grade.
    """
    studies, grades = [], []
    path = path / GRADES_FILE if path.is_dir() else path
    for line, row in rows_of(path, (STUDY, *COLUMNS)):
        studies.append(_identifier(row[STUDY], f"{path} line {line}: {STUDY}"))
        values = []
        for column in COLUMNS:
            try:
                grade = grade_of(row[column])
            except InputError as error:
                raise InputError(f"{path} line {line}, {column}: {error.given}", expected=error.expected, action=error.action) from error
            values.append(-1 if grade is None else grade)
        grades.append(values)
    repeated = sorted({study for study in studies if studies.count(study) > 1}) if len(set(studies)) < len(studies) else []
    if repeated:
        raise InputError(f"{path}: study {repeated[0]} stands in two rows", expected="one row a study", action="remove one of them")
    return RsnaLabels(tuple(studies), np.array(grades, dtype=np.int8).reshape(-1, len(COLUMNS)))


def read_series(path: Path) -> dict[str, dict[str, Series]]:
    """Read a table of the series of every study, by study and series number; other descriptions than the three are refused."""
    found: dict[str, dict[str, Series]] = {}
    for line, row in rows_of(path, (STUDY, "series_id", "series_description")):
        study, series = (_identifier(row[key], f"{path} line {line}: {key}") for key in (STUDY, "series_id"))
        description = next((d for d in DESCRIPTIONS if d.lower() == row["series_description"].lower()), None)
        if description is None:
            raise InputError(f"{path} line {line}: {row['series_description']!r}", expected=", ".join(DESCRIPTIONS), action="correct the description")
        known = found.setdefault(study, {}).get(series)
        if known is not None and known.description != description:
            raise InputError(f"{path} line {line}: series {series} is {known.description} and {description}", expected="one row a series", action="remove one")
        found[study][series] = Series(study, series, description)
    return found


def read_marks(root: Path) -> tuple[list[Mark], list[str]]:
    """Read the coordinates; rows whose point is no number are left out, and said so."""
    marks, left_out = [], []
    path = root / COORDINATES_FILE
    for line, row in rows_of(path, COORDINATES_HEADER):
        study, series = (_identifier(row[key], f"{path} line {line}: {key}") for key in (STUDY, "series_id"))
        try:
            question = question_of(row["condition"], row["level"])
        except InputError as error:
            raise InputError(f"{path} line {line}: {error.given}", expected=error.expected, action=error.action) from error
        instance, x, y = (_number(row[key]) for key in ("instance_number", "x", "y"))
        if instance is None or x is None or y is None or instance != int(instance) or min(x, y) < -0.5:
            left_out.append(f"line {line}")
            continue
        marks.append(Mark(study, series, int(instance), question, x, y, line))
    return marks, noted(left_out, f"[row|rows] of {COORDINATES_FILE} [has|have] no usable instance number, x and y and [was|were] left out")


def rows_of(path: Path, needed: Sequence[str], *, expected: str = LAYOUT) -> tuple[tuple[int, Row], ...]:
    """Return each row of a CSV with its line number; empty rows are passed over.

    Raises
    ------
    InputError
        A file that cannot be read, a needed column that is absent or there twice, a row with too few or too many cells, or no row.
    """
    return read_table(path, expected, needed=needed, wanted=needed, name=str, whole=True).rows


def _identifier(text: str, where: str) -> str:
    """Return a number that names a study or a series, as it was written; tables that went through a spreadsheet may say ``123.0``."""
    name = text[:-2] if text.endswith(".0") else text
    if not name or any(mark in name for mark in ("/", "\\", "..")) or _SCIENTIFIC.fullmatch(name):
        raise InputError(f"{where} is {text!r}", expected="a whole number, as the folder is named", action="export the table again as text")
    return name


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
