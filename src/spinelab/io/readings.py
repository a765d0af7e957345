"""What several readers measured on the same films, from a table with a row a film and reader."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from spinelab.core import InputError
from spinelab.io.tables import FILM_COLUMNS, Row, Table, read_table

EXPECTED: Final = "a CSV with the columns image, reader and one a measurement, if wished also patient and repeat; a row a film and reader"
_ABOUT: Final = ("image", "reader", "patient", "repeat")
_ABSENT: Final = ("", "nan", "na", "none", "-")


@dataclass(frozen=True, eq=False)
class Readings:
    """Measurements of films by readers.

    Parameters
    ----------
    images, readers, repeats
        Their names, in the order of their first appearance; the repeats of a table without that column are one.
    patients
        The patient of each film, each film its own where the table does not say.
    values
        Measurement -> (films, readers, repeats); nan where a reader gave no number.
    """

    images: tuple[str, ...]
    readers: tuple[str, ...]
    repeats: tuple[str, ...]
    patients: tuple[str, ...]
    values: dict[str, NDArray[np.float64]]


def read_readings(path: Path) -> Readings:
    """Read the table; blank cells and ``NaN`` are numbers that were not given.

    Raises
    ------
    InputError
        If a column or a name is missing, a cell is no number, or a reader has two rows for a film.
    """
    table = _table(path)
    rows, measurements = table.rows, _measured(table)
    images, readers, repeats = (tuple(dict.fromkeys(row.get(column, "") for _, row in rows)) for column in ("image", "reader", "repeat"))
    values = {name: np.full((len(images), len(readers), len(repeats)), np.nan) for name in measurements}
    seen: set[tuple[int, int, int]] = set()
    for at, row in rows:
        where = images.index(row["image"]), readers.index(row["reader"]), repeats.index(row.get("repeat", ""))
        if where in seen:
            said = f"{path} line {at}: {row['reader']} has a second row for {row['image']}"
            raise InputError(said, expected="one row a film and reader, or a column repeat", action="number the repeats, or remove a row")
        seen.add(where)
        for name in measurements:
            values[name][where] = _number(row[name], f"{path} line {at}: {name}")
    return Readings(images, readers, repeats, _patients(path, rows, images), values)


def _table(path: Path) -> Table:
    """Return the table, after checking that it names film, reader and something measured, and the first two in every row."""
    table = read_table(path, EXPECTED, needed=("image", "reader"), name=_column, whole=True, film="image")
    if not _measured(table):
        raise InputError(f"{path} has no column of a measurement; it has {', '.join(table.columns)}", expected=EXPECTED, action="add what was measured")
    for line, row in table.rows:
        if not row["image"] or not row["reader"]:
            raise InputError(f"{path} line {line}: no image or no reader", expected="both in every row", action="fill them in")
    return table


def _column(written: str) -> str:
    return written.lower() if written.lower() in _ABOUT else written


def _measured(table: Table) -> list[str]:
    return [name for name in table.columns if name and name not in _ABOUT and name.lower() not in FILM_COLUMNS]


def _number(text: str, where: str) -> float:
    if text.lower() in _ABSENT:
        return math.nan
    try:
        value = float(text if "." in text else text.replace(",", "."))
    except ValueError:
        value = math.inf
    if not math.isfinite(value):
        raise InputError(f"{where} is {text[:40]!r}", expected="a number, or a blank where none was given", action="correct it, or leave the column out")
    return value


def _patients(path: Path, rows: Sequence[tuple[int, Row]], images: Sequence[str]) -> tuple[str, ...]:
    if "patient" not in rows[0][1]:
        return tuple(images)
    owners: dict[str, str] = {}
    for at, row in rows:
        patient = row["patient"]
        if not patient or owners.setdefault(row["image"], patient) != patient:
            said = f"{path} line {at}: {row['image']} has the patient {patient!r}"
            raise InputError(said, expected="one patient a film, in every row of it", action="correct it, or leave the column out")
    return tuple(owners[image] for image in images)
