"""Tables that a user writes: the one reader of CSV files, rows by column name, and the cells that several tables have in common."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from io import StringIO
from pathlib import Path
from typing import Final

from spinelab.core import InputError
from spinelab.core.study import SPACING_LIMITS_MM
from spinelab.io.text import read_text

Row = Mapping[str, str]

FILM_COLUMNS: Final = ("image", "film", "path", "file", "filename")
"""What the column that names the film may be called, in any table; of several, the first in this order names it."""
_SEXES: Final = {"f": "F", "female": "F", "w": "F", "m": "M", "male": "M", "o": "O", "other": "O"}
_DECIMAL_COMMA: Final = re.compile(r"(?<=\d),(?=\d)")
_NUMBER: Final = re.compile(r"[+-]?(?:\d+[.,]?\d*|[.,]\d+)(?:e[+-]?\d+)?", re.IGNORECASE)
_SHOWN: Final = 3
"""Columns that are absent and named."""
_END: Final = "\x1a"
"""A row of its own behind the last one, which is read as such if every quotation mark ends."""


@dataclass(frozen=True, slots=True)
class Table:
    """The names of all columns, and the rows below them by name with the line that each stands in; a cell that is not there is blank."""

    columns: tuple[str, ...]
    rows: tuple[tuple[int, Row], ...]


def read_cells(path: Path, expected: str, *, spaces: bool = False, when_empty: str = "write one row each") -> list[tuple[int, list[str]]]:
    """Return the rows of a CSV that hold something, with the line that each stands in; the one reader of such files.

    Commas, semicolons or tabs separate, whichever the first row has most of; with ``spaces`` blanks where it has none of them. A byte-order mark, blanks
    around a cell and quotation marks are no part of it. Where semicolons separate, a number with a decimal comma becomes one with a point.

    Raises
    ------
    InputError
        For a file that is no UTF-8 text, is empty, or has a quotation mark that does not end.
    """
    text = read_text(path, expected, kind="UTF-8 CSV", when_empty=when_empty)
    delimiter = _delimiter(text.lstrip().partition("\n")[0], spaces=spaces)
    rows = [(line, cells) for line, cells in _parsed(path, text, delimiter) if any(cells)]
    if not rows:
        raise InputError(f"{path} is empty", expected=expected, action=when_empty)
    return [(line, [_with_point(cell) for cell in cells]) for line, cells in rows] if delimiter == ";" else rows


def _parsed(path: Path, text: str, delimiter: str) -> list[tuple[int, list[str]]]:
    """Return every row with the line that it ends in; a quotation mark that does not end would make the rest of the file one cell, and is refused."""
    reader = csv.reader(StringIO(f"{text}\n{_END}"), delimiter=delimiter, skipinitialspace=True)
    rows = [(0, [""])]
    try:
        rows += [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader]
    except csv.Error as error:
        raise InputError(f"{path} line {reader.line_num}: {error}", expected="a table", action="correct the line, or export the table again") from error
    if rows.pop()[1] != [_END]:
        given = f"{path}: a quotation mark in line {rows[-1][0] + 1} does not end"
        raise InputError(given, expected="quotation marks where a cell begins and where it ends", action="correct the line")
    return rows


def _delimiter(line: str, *, spaces: bool) -> str:
    """Return what separates the cells of a line; commas between digits are decimal ones where there are semicolons."""
    counted = _DECIMAL_COMMA.sub("", line) if ";" in line else line
    found = max(",;\t", key=counted.count)
    return " " if spaces and found not in line else found


def _with_point(cell: str) -> str:
    """Return a number, or several with blanks between, with decimal points; any other cell as it is."""
    return cell.replace(",", ".") if all(_NUMBER.fullmatch(part) for part in cell.split()) else cell


def read_table(
    path: Path,
    expected: str,
    *,
    needed: Sequence[str] = (),
    wanted: Collection[str] | None = None,
    name: Callable[[str], str] = str.lower,
    whole: bool = False,
    film: str = "",
) -> Table:
    """Return a table with its columns' names in the first row.

    Parameters
    ----------
    expected
        What the file has to be, for messages.
    needed
        Columns that have to be there.
    wanted
        The columns that are kept; by default all that have a name.
    name
        Makes the name that a column is known by from the one that is written.
    whole
        Whether a row may not end early.
    film
        The column that names the film, if there is one: it may be called by any of `FILM_COLUMNS`.

    Raises
    ------
    InputError
        As `read_cells`, and for a needed column that is not there, two kept ones of one name, a row with more cells than there are columns, or no row.
    """
    (_, header), *body = read_cells(path, expected)
    columns = _with_film(tuple(name(written) for written in header), film)
    check_columns(path, columns, needed, expected)
    kept = {column: at for at, column in enumerate(columns) if column and (wanted is None or column in wanted)}
    twice = next((column for column in kept if columns.count(column) > 1), None)
    if twice is not None:
        raise InputError(f"{path}: two columns are called {twice!r}", expected="different names", action="rename one of them")
    for line, cells in body:
        _check_width(f"{path} line {line}", cells, len(columns), expected, whole=whole)
    if not body:
        raise InputError(f"{path} has no rows", expected=expected, action="write one row each")
    return Table(columns, tuple((line, {column: cells[at] if at < len(cells) else "" for column, at in kept.items()}) for line, cells in body))


def _with_film(columns: tuple[str, ...], film: str) -> tuple[str, ...]:
    """Return the columns with the one that names the film called ``film``."""
    if not film or film in columns:
        return columns
    plain = [column.lower() for column in columns]
    found = next((plain.index(other) for other in FILM_COLUMNS if other in plain), None)
    return columns if found is None else (*columns[:found], film, *columns[found + 1 :])


def _check_width(where: str, cells: Sequence[str], columns: int, expected: str, *, whole: bool) -> None:
    if any(cells[columns:]) or (whole and len(cells) < columns):
        too_few = "correct the line, or export the table again; it may have been cut off"
        action = too_few if len(cells) < columns else "correct the line; a cell that holds a separator stands in quotation marks"
        raise InputError(f"{where}: {len(cells)} cells under {columns} columns", expected=expected, action=action)


def check_columns(path: Path, columns: Sequence[str], needed: Sequence[str], expected: str) -> None:
    """Raise `InputError` for needed columns that are absent, naming those that are there."""
    absent = [name for name in needed if name not in columns]
    if absent:
        raise InputError(f"{path} has no column {_listed(absent)}; it has {', '.join(columns)}", expected=expected, action="name the columns in the first row")


def _listed(names: Sequence[str]) -> str:
    return " and ".join(names) if len(names) <= _SHOWN else f"{', '.join(names[:_SHOWN])} and {len(names) - _SHOWN} more"


def read_rows(path: Path, needed: Sequence[str], optional: Sequence[str], expected: str, *, closed: bool = False, film: str = "") -> list[tuple[int, Row]]:
    """Return the rows of a table with known columns, which are named in any case of letters; see `read_table`.

    Raises
    ------
    InputError
        For a file that is no table, has no row or lacks a needed column; with ``closed`` also for a column that is not known.
    """
    known = (*needed, *optional)
    table = read_table(path, expected, needed=needed, wanted=known, film=film)
    strange = [name for name in table.columns if name and name not in known]
    if closed and strange:
        raise InputError(f"{path}: the column {strange[0]!r} is not known", expected=expected, action="rename it or leave it out")
    return list(table.rows)


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
