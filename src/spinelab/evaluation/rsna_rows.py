"""The competition's long tables, a row a study and target: read line by line, each ``row_id`` once."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from spinelab.core import InputError
from spinelab.evaluation.rsna import COLUMNS, GRADES

ROW_ID: Final = "row_id"
HEADER: Final = (ROW_ID, *GRADES)


@dataclass(frozen=True, slots=True)
class Row:
    """One line: ``study`` and ``column`` (one of `COLUMNS`) that its ``row_id`` names, its cells by the columns' names, and where it stands."""

    study: str
    column: str
    cells: dict[str, str]
    where: str


def read_rows(path: Path, *, expected: str, more: Sequence[str] | None = ()) -> dict[str, Row]:
    """Read a table with the columns `HEADER` and ``more``, in any order; with ``more=None`` others may stand beside them.

    Returns
    -------
    rows
        By ``row_id``, in the order of the file; empty lines are passed over.

    Raises
    ------
    InputError
        A file that cannot be read, another layout, a row with too few or too many cells, a ``row_id`` that names no target or stands there twice, or no row.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}", expected=expected, action="check the path") from error
    reader = csv.reader(lines)
    header = [name.strip() for name in next(reader, [])]
    _check_header(path, header, more, expected)
    found: dict[str, Row] = {}
    for line in reader:
        cells = [cell.strip() for cell in line]
        if not any(cells):
            continue
        row = _row(header, cells, f"{path} line {reader.line_num}")
        name = row.cells[ROW_ID]
        if name in found:
            raise InputError(f"{row.where}: {name} stands there for the second time", expected="one row a target", action="remove one")
        found[name] = row
    if not found:
        raise InputError(f"{path} has no rows", expected=expected, action="write one row a target")
    return found


def _check_header(path: Path, header: list[str], more: Sequence[str] | None, expected: str) -> None:
    known = [*HEADER, *(more or ())]
    twice = len(set(header)) < len(header)
    if twice or set(known) - set(header) or (more is not None and set(header) - set(known)):
        raise InputError(f"{path} has the columns {', '.join(header) or 'none'}", expected=expected, action="name the columns in the first row")


def _row(header: list[str], cells: list[str], where: str) -> Row:
    if len(cells) != len(header):
        raise InputError(f"{where} has {len(cells)} cells", expected=f"{len(header)} cells, as many as there are columns", action="write the table again")
    told = dict(zip(header, cells, strict=True))
    name = told[ROW_ID]
    column = next((column for column in COLUMNS if name.endswith(f"_{column}") and len(name) > len(column) + 1), None)
    if column is None:
        raise InputError(f"{where}: row_id {name!r}", expected="<study>_<condition>_<level>, such as 123_spinal_canal_stenosis_l1_l2", action="correct it")
    return Row(name[: -len(column) - 1], column, told, where)
