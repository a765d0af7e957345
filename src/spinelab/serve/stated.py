"""What the user states of films whose files do not say it: a table of patient, date, age, sex and pixel size."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from spinelab.core import Fact, Image, InputError, Study, unknown
from spinelab.io.tables import age_of, date_of, read_rows, sex_of, spacing_of
from spinelab.serve.examinations import Examination

COLUMNS: Final = ("patient", "date", "age_years", "sex", "spacing_mm")
_EXPECTED: Final = f"a CSV with the column image and any of {', '.join(COLUMNS)}: a row a film"
_NOT_STATED: Final = unknown("not stated")
_SAME_SPACING: Final = 1e-3
"""Relative difference up to which two spacings are called equal: headers round."""


@dataclass(frozen=True)
class Row:
    """One film's row: where it stands, the name as written, and what it states by column; blank cells are left out."""

    where: str
    image: str
    facts: Mapping[str, Fact]


def with_table(found: Sequence[Examination], table: Path, source: Path) -> list[Examination]:
    """Return the examinations with what a table states of them; ``source`` is the file or folder that is read.

    Raises
    ------
    InputError
        For a table that cannot be read, and a row whose film is not there, is not the only one of that name, or has a row already.
    """
    folder = source if source.is_dir() else source.parent
    rows: dict[str, dict[Path, Row]] = defaultdict(dict)
    for row in read_films(table):
        name, path = _film(row, found, folder)
        if path in rows[name]:
            raise InputError(f"{row.where}: {row.image} stands in two rows", expected="one row a film", action="remove one of the rows")
        rows[name][path] = row
    return [_stated(one, rows[one.name]) if one.name in rows else one for one in found]


def read_films(table: Path) -> list[Row]:
    """Read the table; raises `InputError` with the line that is wrong."""
    rows = []
    for line, cells in read_rows(table, ("image",), COLUMNS, _EXPECTED, closed=True, film="image"):
        where = f"{table.name} line {line}"
        if not cells["image"]:
            raise InputError(f"{where}: no image", expected=_EXPECTED, action="name the film, or remove the line")
        said: dict[str, Any] = {
            "patient": cells.get("patient") or None,
            "date": date_of(cells.get("date", ""), where),
            "age_years": age_of(cells.get("age_years", ""), where),
            "sex": sex_of(cells.get("sex", ""), where),
            "spacing_mm": spacing_of(cells.get("spacing_mm", ""), where),
        }
        rows.append(Row(where, cells["image"], {column: Fact(value, table.name) for column, value in said.items() if value is not None}))
    return rows


def _film(row: Row, found: Sequence[Examination], folder: Path) -> tuple[str, Path]:
    """Return the examination and the file that a row means: by the path from the folder that is read, else by a name that is there once."""
    asked = Path(row.image.replace("\\", "/")).as_posix()
    files = [(one.name, path) for one in found for path in one.files]
    meant = [(name, path) for name, path in files if path.relative_to(folder).as_posix() == asked]
    meant = meant or [(name, path) for name, path in files if path.name == asked]
    if len(meant) != 1:
        said = f"{row.image} is there {len(meant)} times" if meant else f"{row.image} is not among the films that are read"
        raise InputError(f"{row.where}: {said}", expected=f"a file's name, or its path from {folder}", action="correct the row or remove it")
    return meant[0]


def _stated(one: Examination, rows: Mapping[Path, Row]) -> Examination:
    patient = next((row.facts["patient"].value for row in rows.values() if "patient" in row.facts), None)
    return replace(one, open=partial(_open, one, rows), patient=patient)


def _open(one: Examination, rows: Mapping[Path, Row]) -> Study:
    study = one.open()
    for path, row in rows.items():
        day = _settled(row, "date", study.facts.get("StudyDate", _NOT_STATED))
        study = replace(
            study,
            patient=_settled(row, "patient", study.patient),
            sex=_settled(row, "sex", study.sex),
            age_years=_settled(row, "age_years", study.age_years),
            facts={**study.facts, "StudyDate": day} if day.known else study.facts,
            images=tuple(_scaled(image, row) if len(one.files) == 1 or Path(image.source) == path else image for image in study.images),
        )
    return study


def _scaled(image: Image, row: Row) -> Image:
    if "spacing_mm" not in row.facts:
        return image
    if "Z" in image.axes:
        raise InputError(f"{row.where}: spacing_mm of a volume", expected="a spacing for single pictures", action="leave it blank: a volume states its own")
    return replace(image, spacing_mm=_settled(row, "spacing_mm", image.spacing_mm))


def _settled(row: Row, column: str, own: Fact) -> Fact:
    """Return the file's own fact where it states one, else the table's.

    Raises
    ------
    InputError
        If the two contradict each other.
    """
    stated = row.facts.get(column)
    if stated is None:
        return own
    if not own.known:
        return stated
    if not _same(column, own.value, stated.value):
        raise InputError(
            f"{row.where}: {column} is {_shown(stated.value)}, but the file of {row.image} states {_shown(own.value)} ({own.source})",
            expected="a table that agrees with the files",
            action="correct the row, or leave the cell blank so that the file's own value counts",
        )
    return own


def _same(column: str, own: Any, stated: Any) -> bool:
    if column == "spacing_mm":
        return all(math.isclose(a, b, rel_tol=_SAME_SPACING) for a, b in zip(own, stated, strict=True))
    if column == "age_years":
        return bool(abs(own - stated) < 1)
    return str(own).replace(".", "").strip() == str(stated) if column == "date" else str(own).strip() == str(stated)


def _shown(value: Any) -> str:
    return " x ".join(f"{part:.4g}" for part in value) if isinstance(value, tuple) else str(value)
