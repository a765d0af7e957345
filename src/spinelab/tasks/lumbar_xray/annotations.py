"""The endplate lines beside a film: a CSV with one row ``x1,y1,x2,y2,class`` a line, in pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from spinelab.core import InputError, Landmark
from spinelab.geometry import LEVELS, LINES, Film, measure_frontal, measure_lateral
from spinelab.geometry.lines import Points
from spinelab.io.tables import read_cells

VIEWS: Final = ("AP", "LATERAL")
ROWS: Final = {"AP": 10, "LATERAL": 11}
SUBTYPES: Final = ("normal", "left-laterolisthesis", "right-laterolisthesis", "anterolisthesis", "retrolisthesis")
"""In the order of the class numbers 0 to 4."""
SHOWN_BY: Final = {1: "AP", 2: "AP", 3: "LATERAL", 4: "LATERAL"}
"""The film on which each kind of slip can be seen."""

_COLUMNS: Final = ("x1", "y1", "x2", "y2", "class")
_CLASS_WORDS: Final = {"class", "label", "category", "cls"}


@dataclass(frozen=True, eq=False)
class Annotation:
    """The lines of one film ``(10 or 11, 2, 2)``, the class of each line, and what the lines measure."""

    view: str
    endplates: Points
    classes: tuple[int, ...]
    source: str
    film: Film

    @property
    def slips(self) -> tuple[tuple[str, int], ...]:
        """Disc level and class of every line that is marked as slipped; a mark on a vertebra belongs to the disc below it."""
        marked = {(min(i // 2, 4), c) for i, c in enumerate(self.classes) if c}
        return tuple((LEVELS[i], c) for i, c in sorted(marked))

    def landmarks(self) -> list[Landmark]:
        return [
            Landmark(f"{self.view} {name} end-{end + 1}", float(self.endplates[i, end, 0]), float(self.endplates[i, end, 1]))
            for i, name in enumerate(LINES[: len(self.endplates)])
            for end in (0, 1)
        ]


def measure(endplates: Points, view: str, spacing_mm: tuple[float, float] | None = None) -> Film:
    """Measure one film; raises `InputError` where the lines make no spine."""
    return measure_frontal(endplates, spacing_mm=spacing_mm) if view == "AP" else measure_lateral(endplates, spacing_mm=spacing_mm)


def endplates_of(landmarks: Sequence[Landmark], view: str) -> Points | None:
    """Return the lines that `Annotation.landmarks` wrote for a view, or ``None`` if there are none."""
    found = {p.name: (p.x, p.y) for p in landmarks if p.name.startswith(f"{view} ")}
    if not found:
        return None
    absent = (np.nan, np.nan)
    return np.array([[found.get(f"{view} {name} end-{end}", absent) for end in (1, 2)] for name in LINES[: ROWS[view]]])


def read_annotation(path: Path, view: str) -> Annotation:
    """Read one CSV.

    A header, a byte-order mark, blanks, semicolons or tabs, decimal commas (with semicolons) and further columns are accepted.

    Raises
    ------
    InputError
        Naming the file and row, for anything that does not give 10 (AP) or 11 (lateral) lines with finite ends and a class 0 to 4.
    """
    try:
        rows = [cells for _, cells in read_cells(path, "endplate lines", spaces=True)]
    except InputError as error:
        raise _refuse(path, error.given.removeprefix(f"{path} "), view) from error
    order = _order(rows[0], path, view)
    body = rows if order is None else rows[1:]
    if len(body) != ROWS[view]:
        raise _refuse(path, f"has {len(body)} rows", view)
    numbers = np.array([_numbers(row, order, f"row {i + 1}", path, view) for i, row in enumerate(body)])
    endplates = numbers[:, :4].reshape(-1, 2, 2)
    try:
        film = measure(endplates, view)
    except InputError as error:
        raise _refuse(path, f"has {error.given[0].lower()}{error.given[1:]}", view) from error
    return Annotation(view, endplates, tuple(int(c) for c in numbers[:, 4]), f"{path.parent.name}/{path.name}", film)


def _order(first: list[str], path: Path, view: str) -> list[int] | None:
    """Return the position of each needed column if the first row is a header, else ``None``."""
    names = ["class" if cell.lower() in _CLASS_WORDS else cell.lower() for cell in first]
    if not any(name in _COLUMNS for name in names):
        return None
    missing = [name for name in _COLUMNS if name not in names]
    if missing:
        raise _refuse(path, f"lacks the column {', '.join(missing)}", view)
    return [names.index(name) for name in _COLUMNS]


def _numbers(row: list[str], order: list[int] | None, where: str, path: Path, view: str) -> list[float]:
    chosen = row[:5] if order is None else [row[i] for i in order if i < len(row)]
    if len(chosen) < 5:
        raise _refuse(path, f"has {len(chosen)} of 5 values in {where}", view)
    try:
        values = [float(cell) for cell in chosen]
    except ValueError as error:
        raise _refuse(path, f"has {', '.join(chosen)!r} in {where}", view) from error
    if not np.isfinite(values).all():
        raise _refuse(path, f"has a value that is not finite in {where}", view)
    if values[4] not in range(len(SUBTYPES)):
        raise _refuse(path, f"has class {chosen[4]} in {where}", view)
    return values


def _refuse(path: Path, what: str, view: str) -> InputError:
    return InputError(
        f"{path.parent.name}/{path.name} {what}",
        expected=f"{ROWS[view]} rows x1,y1,x2,y2,class in pixels, class 0 to 4",
        action="correct the CSV or remove it",
    )
