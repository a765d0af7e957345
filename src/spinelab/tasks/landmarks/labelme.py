"""Named points from labelme, https://github.com/wkentaro/labelme: one JSON file a picture, one point shape a landmark."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, Final

from spinelab.core import InputError, plural
from spinelab.tasks.landmarks.annotation import Annotated, Book, Point, in_order, number, size_of
from spinelab.tasks.landmarks.csv_files import read_patients

_EXPECTED: Final = "a labelme file: imagePath, and shapes with label, shape_type and points"
_HALF: Final = 0.5
"""Labelme counts from the corner of the first pixel, we from its centre."""


def is_labelme(body: object) -> bool:
    """Tell whether a JSON file's content is a labelme annotation."""
    return isinstance(body, Mapping) and isinstance(body.get("shapes"), list) and isinstance(body.get("imagePath"), str)


PATIENTS: Final = "patients.csv"


def read_labelme(root: Path, files: Sequence[tuple[Path, Mapping[str, Any]]]) -> Book:
    """Read labelme annotations that were found below ``root``; pictures are named from there.

    ``patients.csv`` in that folder (``image``, ``patient``, if wished ``spacing_mm``) tells whose they are; it names a picture by its path or its file's name.

    Shapes other than points are refused: which corner of a polygon is which landmark is not stated, and half-read annotations would
    pass for complete ones.
    """
    pictures = []
    for path, body in files:
        where = path.name
        points: dict[str, Point] = {}
        for shape in body["shapes"]:
            label, at = _point(shape, where)
            if label in points:
                raise InputError(f"{where}: two points are called {label!r}", expected="every point once a picture", action="remove or rename one")
            points[label] = at
        pictures.append(Annotated(_picture(root, path, body), points, where, size=size_of(body.get("imageWidth"), body.get("imageHeight"))))
    if not any(p.points for p in pictures):
        raise InputError(f"{root}: none of {plural(len(files), 'labelme file')} holds a point", expected=_EXPECTED, action="mark the points")
    if (root / PATIENTS).is_file():
        pictures = _with_patients(root / PATIENTS, pictures)
    return Book(root, tuple(pictures), in_order(sorted({name for p in pictures for name in p.points})), (root,))


def _with_patients(path: Path, pictures: Sequence[Annotated]) -> list[Annotated]:
    """Return the pictures with what the table says of them; a picture that it does not name is refused."""
    table = read_patients(path)
    told = []
    for picture in pictures:
        about = table.get(picture.name) or table.get(PurePosixPath(picture.name).name)
        if about is None:
            raise InputError(f"{path} has no row for {picture.name}", expected="a patient for every picture", action="add the row, or remove the table")
        told.append(replace(picture, patient=about.patient, spacing_mm=about.spacing_mm, facts=about.facts))
    return told


def _point(shape: Any, where: str) -> tuple[str, Point]:
    label = shape.get("label") if isinstance(shape, Mapping) else None
    if not isinstance(label, str) or not label.strip():
        raise InputError(f"{where}: a shape without a label", expected=_EXPECTED, action="name the point in labelme")
    kind = shape.get("shape_type", "polygon")
    if kind != "point":
        raise InputError(
            f"{where}: {label!r} is a {kind}",
            expected="points only: a landmark is one named point",
            action=f"mark the ends or corners of {label!r} as points of their own, and delete the {kind}",
        )
    points = shape.get("points")
    if not isinstance(points, list) or len(points) != 1 or not isinstance(points[0], list) or len(points[0]) != 2:
        raise InputError(f"{where}: point {label!r} has no single position", expected="points = [[x, y]]", action="mark it again")
    x, y = (number(value, where, f"{label} {axis}") for value, axis in zip(points[0], "xy", strict=True))
    return label.strip(), (x - _HALF, y - _HALF)


def _picture(root: Path, path: Path, body: Mapping[str, Any]) -> str:
    """Return the picture's path from the root, whichever separators the annotation was written with."""
    written = body["imagePath"]
    place = path.parent / (PureWindowsPath(written).as_posix() if "\\" in written else written)
    if not place.is_file() and (path.parent / PureWindowsPath(written).name).is_file():
        place = path.parent / PureWindowsPath(written).name
    if not place.is_file() and body.get("imageData"):
        raise InputError(
            f"{path.name}: {written} is not there, only a copy inside the annotation",
            expected="the picture itself",
            action="put the picture beside its JSON file",
        )
    try:
        return place.resolve().relative_to(root.resolve()).as_posix()
    except ValueError:
        return place.as_posix()


def load(path: Path) -> object:
    """Return a JSON file's content, ``None`` where it is no JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, RecursionError):
        return None
