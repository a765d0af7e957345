"""Named points from a CSV: a row a point (long), or a row a picture (wide)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from spinelab.core import InputError
from spinelab.io.tables import Row, check_columns, read_table, spacing_of
from spinelab.tasks.landmarks.annotation import Annotated, Book, Point, in_order, number, stated

FILE: Final = "landmarks.csv"
_SAME: Final = {"point": "landmark", "x_px": "x", "y_px": "y", "age_years": "age"}
_ABOUT: Final = ("patient", "spacing_mm", "sex", "age", "site", "split")
_YES: Final = {"1": True, "2": True, "true": True, "yes": True, "": True, "0": False, "false": False, "no": False}
_EXPECTED: Final = "a CSV with the columns image, landmark, x, y (a row a point), or image, NAME_x, NAME_y, ... (a row a picture)"


def read_csv(path: Path) -> Book:
    """Read either layout; raises `InputError` with the line that is wrong."""
    rows = _rows(path, ("image",))
    columns = set(rows[0][1])
    long = {"landmark", "x", "y"}
    check_columns(path, tuple(rows[0][1]), sorted(long) if long & columns else (), _EXPECTED)
    pictures, names = _long(path, rows) if long <= columns else _wide(path, rows)
    _check_patients(path, pictures)
    return Book(path, pictures, names, (path.parent, path.parent / "images", path.parent / "films"))


def read_patients(path: Path) -> dict[str, Annotated]:
    """Return what a table of pictures without points says of each: ``image``, ``patient``, if wished ``spacing_mm``, sex, age, site and split.

    Raises
    ------
    InputError
        If a column or a patient is missing, or a picture stands in two rows.
    """
    rows = _rows(path, ("image", "patient"), "the columns image and patient")
    found: dict[str, Annotated] = {}
    for at, row in rows:
        if not row["image"] or not row["patient"] or row["image"] in found:
            raise InputError(f"{path} line {at}: {row['image'] or 'no image'}", expected="one row a picture, with its patient", action="correct the line")
        found[row["image"]] = _annotated(path, row["image"], [(at, row)], {})
    return found


def _rows(path: Path, needed: Sequence[str], expected: str = _EXPECTED) -> Sequence[tuple[int, Row]]:
    """Return the rows with their line numbers; ``NaN`` is a blank, and paths of Windows become those of this system."""
    table = read_table(path, expected, needed=needed, name=_column, film="image")
    return [(line, {name: _cell(name, text) for name, text in row.items()}) for line, row in table.rows]


def _column(written: str) -> str:
    """Return the name that a column is known by; those of points are kept as they are written."""
    name = _SAME.get(written.lower(), written)
    return name.lower() if name.lower() in ("image", "landmark", "x", "y", "visible", *_ABOUT) else name


def _cell(name: str, text: str) -> str:
    if name == "image":
        return text.replace("\\", "/")
    return "" if name in _ABOUT and text.lower() == "nan" else text


def _long(path: Path, rows: Sequence[tuple[int, Row]]) -> tuple[tuple[Annotated, ...], tuple[str, ...]]:
    found: dict[str, list[tuple[int, Row]]] = {}
    for at, row in rows:
        for column in ("image", "landmark"):
            if not row[column]:
                raise InputError(f"{path} line {at}: no {column}", expected=f"an {column} in every row", action="fill it in, or leave the row out")
        found.setdefault(row["image"], []).append((at, row))
    pictures = []
    for image, own in found.items():
        points: dict[str, Point | None] = {}
        for at, row in own:
            if row["landmark"] in points:
                raise InputError(
                    f"{path} line {at}: {image} has a second point {row['landmark']!r}", expected="every point once a picture", action="remove or rename one"
                )
            points[row["landmark"]] = _point(row.get("x", ""), row.get("y", ""), row.get("visible", ""), f"{path.name} line {at}")
        pictures.append(_annotated(path, image, own, points))
    return tuple(pictures), in_order(row["landmark"] for _, row in rows)


def _wide(path: Path, rows: Sequence[tuple[int, Row]]) -> tuple[tuple[Annotated, ...], tuple[str, ...]]:
    columns = [c for c in rows[0][1] if c not in ("image", *_ABOUT)]
    names = in_order(c[:-2] for c in columns if c[-2:].lower() in ("_x", "_y") and len(c) > 2)
    where = {c.lower(): c for c in columns}
    for name in names:
        missing = [f"{name}{end}" for end in ("_x", "_y") if f"{name}{end}".lower() not in where]
        if missing:
            raise InputError(f"{path} has no column {missing[0]}", expected="NAME_x and NAME_y of every point", action="add the column or rename the other one")
    if not names:
        raise InputError(f"{path} has no points; its columns are {', '.join(rows[0][1])}", expected=_EXPECTED, action="name the columns in the first row")
    pictures, seen = [], set()
    for at, row in rows:
        if not row["image"] or row["image"] in seen:
            said = f"{row['image']} stands in two rows" if row["image"] else "no image"
            raise InputError(f"{path} line {at}: {said}", expected="one row a picture", action="correct the line or leave it out")
        seen.add(row["image"])
        points = {n: _point(row[where[f"{n}_x".lower()]], row[where[f"{n}_y".lower()]], "", f"{path.name} line {at}, {n}") for n in names}
        pictures.append(_annotated(path, row["image"], [(at, row)], points))
    return tuple(pictures), names


def _point(x: str, y: str, visible: str, where: str) -> Point | None:
    """Return the position, or ``None`` for a point that is marked or left blank (or ``NaN``) as absent."""
    if visible.lower() not in _YES:
        raise InputError(f"{where}: visible is {visible!r}", expected="1 (seen), 2 (seen, as COCO writes it), 0 (absent) or blank", action="correct it")
    if not _YES[visible.lower()] or {x.lower(), y.lower()} <= {"", "nan"}:
        return None
    return number(x, where, "x"), number(y, where, "y")


def _annotated(path: Path, image: str, rows: Sequence[tuple[int, Row]], points: Mapping[str, Point | None]) -> Annotated:
    about: dict[str, str | None] = {}
    for column in _ABOUT:
        said = in_order(row[column] for _, row in rows if column in row)
        if len(said) > 1:
            raise InputError(
                f"{path} line {rows[0][0]} and below: {image} has {column} {said[0]!r} and {said[1]!r}",
                expected=f"one {column} a picture",
                action="correct the rows of this picture",
            )
        about[column] = said[0] if said else None
    where = f"{path.name} line {rows[0][0]}"
    facts = stated(about, where, path.name)
    there = {name: at for name, at in points.items() if at is not None}
    return Annotated(image, there, where, about["patient"] or None, spacing_of(about["spacing_mm"] or "", where), facts)


def _check_patients(path: Path, pictures: Sequence[Annotated]) -> None:
    blank = [p for p in pictures if p.patient is None]
    if blank and len(blank) < len(pictures):
        raise InputError(
            f"{path}: no patient for {blank[0].name} ({len(blank)} such)",
            expected="a patient for every picture, or no patient column at all",
            action="fill it in: without it, pictures of one patient could stand on both sides of a split",
        )
