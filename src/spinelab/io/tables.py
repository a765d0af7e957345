"""Tables that a user writes about films: rows by column name, and the cells that several tables have in common."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Final

from spinelab.core import InputError
from spinelab.core.study import SPACING_LIMITS_MM
from spinelab.io.text import read_text

Row = Mapping[str, str]

_SEXES: Final = {"f": "F", "female": "F", "w": "F", "m": "M", "male": "M", "o": "O", "other": "O"}


def read_rows(path: Path, needed: Sequence[str], optional: Sequence[str], expected: str, *, closed: bool = False) -> list[tuple[int, Row]]:
    """Return the rows below a header with their line numbers; commas, semicolons or tabs separate, and a cell that is not there is blank.

    Raises
    ------
    InputError
        For a file that is no table, has no row or lacks a needed column; with ``closed`` also for a column that is not known.
    """
    lines = read_text(path, expected, kind="UTF-8 CSV", when_empty="write one row each").splitlines()
    reader = csv.reader(lines, delimiter=max(",;\t", key=lines[0].count))
    header = [name.strip().lower() for name in next(reader)]
    absent = [name for name in needed if name not in header]
    if absent:
        raise InputError(
            f"{path} has no column {' and '.join(absent)}; it has {', '.join(header)}", expected=expected, action="name the columns in the first row"
        )
    strange = [name for name in header if name not in (*needed, *optional) or header.count(name) > 1]
    if closed and strange:
        raise InputError(f"{path}: the column {strange[0]!r} is not known, or there twice", expected=expected, action="rename it or leave it out")
    wanted = {name: header.index(name) for name in (*needed, *optional) if name in header}

    def row(cells: list[str]) -> Row:
        return {name: cells[at].strip() if at < len(cells) else "" for name, at in wanted.items()}

    rows = [(reader.line_num, row(cells)) for cells in reader if any(cell.strip() for cell in cells)]
    if not rows:
        raise InputError(f"{path} has no rows", expected=expected, action="write one row each")
    return rows


def age_of(text: str, where: str, column: str = "age_years") -> float | None:
    """Return an age in years, ``None`` for a blank; raises `InputError` with the place where it stands."""
    if not text:
        return None
    try:
        age = float(text)
    except ValueError:
        age = math.nan
    if not 0 <= age <= 130:
        raise InputError(f"{where}: {column} {text!r}", expected="years from 0 to 130, or blank", action="correct it or leave it blank")
    return age


def sex_of(text: str, where: str) -> str | None:
    """Return F, M or O, ``None`` for a blank; raises `InputError` with the place where it stands."""
    if text and text.lower() not in _SEXES:
        raise InputError(f"{where}: sex {text!r}", expected="F, M, O or blank", action="correct it or leave it blank")
    return _SEXES.get(text.lower())


def spacing_of(text: str, where: str) -> tuple[float, float] | None:
    """Return millimetres between rows and between columns from one number or two, ``None`` for a blank; raises `InputError` for what is no spacing."""
    if not text.strip():
        return None
    low, high = SPACING_LIMITS_MM
    try:
        values = [float(part) for part in re.split(r"[\s\\]+", text.strip())]
    except ValueError:
        values = []
    if len(values) not in (1, 2) or not all(low <= value <= high for value in values):
        raise InputError(
            f"{where}: spacing_mm is {text.strip()[:40]}",
            expected=f"millimetres a pixel, from {low:g} to {high:g}: one number, or rows and columns with a space between; or blank",
            action="correct it or leave it blank",
        )
    return values[0], values[-1]


def date_of(text: str, where: str) -> str | None:
    """Return a day as DICOM writes it (``20240131``), ``None`` for a blank; raises `InputError` for what is no day of the calendar."""
    if not text:
        return None
    try:
        return date.fromisoformat(text).strftime("%Y%m%d")
    except ValueError as error:
        raise InputError(f"{where}: date {text!r}", expected="a day such as 2024-01-31, or blank", action="correct it or leave it blank") from error
