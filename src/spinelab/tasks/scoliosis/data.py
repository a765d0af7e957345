"""AP films with their corners: in the AASCE layout, or films with a table of landmarks (`spinelab.tasks.scoliosis.films`).

The AASCE layout is ``data/<split>/*.jpg`` and ``labels/<split>/{filenames,landmarks,angles}.csv``. A row of ``landmarks.csv`` holds 68 x, then 68 y,
divided by the picture's width and height; 17 vertebrae from T1 to L5, four corners each (superior left, superior right, inferior left, inferior right
of the picture). A row of ``angles.csv`` holds three Cobb angles. The patient is the number after the date in a film's name; letters tell the films of
one patient apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from spinelab.core import Example, Examples, Fact, Finding, InputError, Study, counted, noted, plural
from spinelab.geometry import CORNER_LANDMARKS
from spinelab.io.film_header import picture_size
from spinelab.io.tables import read_cells
from spinelab.phantoms import is_phantom
from spinelab.tasks.scoliosis import films
from spinelab.tasks.scoliosis.marks import remarked
from spinelab.tasks.scoliosis.measure import TARGET, class_of
from spinelab.tasks.scoliosis.truth import truth

LAYOUT: Final = "data/<split>/*.jpg and labels/<split>/filenames.csv, landmarks.csv (68 x, then 68 y) and angles.csv"
PATIENT: Final = re.compile(r"^(?P<site>.*?)-?\d{1,2}-[A-Za-z]{3}-\d{4}-(?P<number>\w+)\b")
"""Site, date and number: ``<site>-04-Jan-2021-12 B AP.jpg``; the letter counts a patient's films, on other days too."""
LANDMARKS: Final = len(CORNER_LANDMARKS)
FAULTS: Final = {
    "reordered": "[film lists its|films list their] vertebrae out of order: they were put in order from top to bottom.",
    "doubled": "[film marks|films mark] one vertebra twice: [its|their] levels are named wrongly on one side of it.",
    "swapped": "[film lists|films list] corners of a vertebra with left and right, or superior and inferior exchanged: "
    "each was put where its place in the picture says, and the angles were computed anew.",
}
"""What is wrong with a row and can be seen without the picture, by the fact that says so."""
SAME: Final = 0.1
"""Share of the usual distance within which two vertebrae are one."""
BEYOND: Final = 0.25
"""Share of the picture's size by which a corner may lie outside it before the row is taken for pixels or nonsense."""


def examples(root: Path, threshold_deg: float) -> Examples:
    """Read every split of a folder in the AASCE layout, or a folder of films with ``landmarks.csv``.

    Raises
    ------
    InputError
        If the folder has another layout, or its tables do not fit each other (the row is named).
    """
    if films.is_marked(root):
        return films.examples(root, threshold_deg)
    labels = root / "labels"
    splits = sorted(p.parent.name for p in labels.glob("*/filenames.csv")) if labels.is_dir() else []
    if not splits:
        raise InputError(
            f"{root}: no labels/<split>/filenames.csv, and no landmarks.csv", expected=f"{LAYOUT}; or {films.LAYOUT}", action="give the folder that holds them"
        )
    items: list[Example] = []
    for split in splits:
        items += _split(root, split, threshold_deg)
    items, doubtful = remarked(items)
    return Examples(tuple(items), root, phantom=is_phantom(root), notes=(*_notes(items), *doubtful))


def _notes(items: list[Example]) -> tuple[str, ...]:
    unknown = sum(item.patient is None for item in items)
    said = [counted(unknown, "[film does not name its|films do not name their] patient: each counts as a patient of its own.")] if unknown else []
    for fact, what in FAULTS.items():
        said += noted([item.id for item in items if fact in item.facts], what)
    return (*said, "The files do not state which side of the patient is on the left of the picture: sides are those of the picture.")


def _split(root: Path, split: str, threshold_deg: float) -> Iterator[Example]:
    folder = root / "labels" / split
    names = [row[0] for row in _rows(folder / "filenames.csv")]
    points = _numbers(folder / "landmarks.csv", 2 * LANDMARKS, len(names))
    angles = _numbers(folder / "angles.csv", 3, len(names)) if (folder / "angles.csv").is_file() else None
    for number, name in enumerate(names):
        path = root / "data" / split / name
        if not path.is_file():
            raise InputError(
                f"{folder / 'filenames.csv'} row {number + 1}: {name} is not in data/{split}", expected=LAYOUT, action="add the picture, or drop the row"
            )
        yield _example(path, split, points[number], None if angles is None else angles[number], f"{folder / 'landmarks.csv'} row {number + 1}", threshold_deg)


def _example(path: Path, split: str, row: NDArray[np.float64], angles: NDArray[np.float64] | None, where: str, threshold_deg: float) -> Example:
    rows, columns = _size(path)
    shares = np.stack([row[:LANDMARKS], row[LANDMARKS:]], axis=1)
    if not (np.isfinite(shares).all() and (shares > -BEYOND).all() and (shares < 1 + BEYOND).all()):
        raise InputError(
            f"{where}: coordinates from {np.nanmin(shares):.3g} to {np.nanmax(shares):.3g}",
            expected="68 x, then 68 y, divided by the picture's width and height",
            action="divide pixels by the picture's size",
        )
    points, faults = put_right(shares * [columns, rows])
    angles = None if "swapped" in faults else angles
    study = f"{split}/{path.name}"
    match = PATIENT.match(path.name)
    named = {name: (x, y) for name, (x, y) in zip(CORNER_LANDMARKS, points.tolist(), strict=True)}
    return Example(
        study,
        truth(named, study, rows, threshold_deg, angles=angles),
        lambda: _open(path),
        f"{match['site']} {match['number']}".strip() if match else None,
        {"AP": path},
        {"split": Fact(split, "folder")} | {fault: Fact(fault, where) for fault in faults},
    )


def put_right(points: NDArray[np.float64]) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """Return corners ``(68, 2)`` with the vertebrae in the order of their heights and each corner where its name says, and which of `FAULTS` the row has.

    Some rows end with T1, and in some a vertebra's left and right corners are exchanged: its mid-line points backwards, and the angle with it is 156 degrees.
    """
    vertebrae = points.reshape(-1, 4, 2)
    heights = vertebrae[..., 1].mean(axis=1)
    order = np.argsort(heights, kind="stable")
    gaps = np.diff(heights[order])
    named = _named_by_place(vertebrae[order])
    found = {
        "reordered": bool(np.any(order != np.arange(len(order)))),
        "doubled": bool(gaps.min() < SAME * np.median(gaps)),
        "swapped": bool(np.any(named != vertebrae[order])),
    }
    return named.reshape(-1, 2), tuple(fault for fault, there in found.items() if there)


def _named_by_place(vertebrae: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return vertebrae ``(n, 4, 2)`` of a film of the front with left corners to the left of right ones, and the upper endplate above the lower one."""
    endplates = vertebrae.reshape(-1, 2, 2, 2)
    by_side = np.take_along_axis(endplates, np.argsort(endplates[..., :1], axis=2, kind="stable"), axis=2)
    by_height = np.argsort(by_side[..., 1].mean(axis=2), axis=1, kind="stable")
    return np.take_along_axis(by_side, by_height[:, :, None, None], axis=1).reshape(vertebrae.shape)


def with_class(example: Example, threshold_deg: float) -> Example:
    """Return an example whose class is drawn at another threshold; one without the largest angle as it is."""
    angle = example.truth.value("cobb_max", "deg")
    if angle is None:
        return example
    others = tuple(finding for finding in example.truth.findings if finding.name != TARGET)
    return replace(example, truth=replace(example.truth, findings=(Finding(TARGET, class_of(angle, threshold_deg)), *others)))


def _open(path: Path) -> Study:
    from spinelab.io import read

    return read(path)


def _size(path: Path) -> tuple[int, int]:
    """Return rows and columns without decoding the picture."""
    size = picture_size(path)
    if size is None:
        raise InputError(f"{path} is no picture that can be read", expected="a JPG, PNG or TIFF file", action="replace the file")
    return size[1], size[0]


def _rows(path: Path) -> list[list[str]]:
    return [cells for _, cells in read_cells(path, LAYOUT)]


def _numbers(path: Path, width: int, count: int) -> NDArray[np.float64]:
    rows = _rows(path)
    if len(rows) != count:
        raise InputError(
            f"{path}: {len(rows)} rows for {plural(count, 'film')}", expected="one row a film, in the order of filenames.csv", action="correct the tables"
        )
    for number, row in enumerate(rows, 1):
        if len(row) != width:
            raise InputError(f"{path} row {number}: {len(row)} values", expected=f"{width} values", action="correct the row")
    return np.array([[_value(cell, f"{path} row {number}, value {place}") for place, cell in enumerate(row, 1)] for number, row in enumerate(rows, 1)])


def _value(cell: str, where: str) -> float:
    try:
        return float(cell)
    except ValueError as error:
        raise InputError(f"{where} is {cell[:40] or 'blank'}", expected="a number", action="correct the row") from error
