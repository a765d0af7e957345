"""AP films with a table of landmarks: ``films/*.dcm``, ``landmarks.csv`` and, if there is one, ``subjects.csv``, as `spinelab.io.marked_films` reads them.

Landmarks are the corners ``T1_superior_image_left`` ... ``L5_inferior_image_right``; a vertebra that is not on the film has no rows. Spacing, age
and sex come from the films' headers, the patient from the table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np

from spinelab.core import Example, Examples, InputError, noted
from spinelab.geometry import CORNER_LANDMARKS, CORNERS, THORACOLUMBAR
from spinelab.io.landmark_tables import POINTS, SUBJECTS, Film
from spinelab.io.marked_films import MarkedFilm, example_of, layout_of, read_marked
from spinelab.phantoms import is_phantom
from spinelab.tasks.scoliosis.marks import remarked
from spinelab.tasks.scoliosis.measure import TARGET, corners_of, found_levels
from spinelab.tasks.scoliosis.settings import FILMS
from spinelab.tasks.scoliosis.truth import column_of, truth

LAYOUT: Final = layout_of(FILMS.views)
VIEW: Final = "AP"


def is_marked(root: Path) -> bool:
    """Return whether this is a folder with a table of landmarks, or that table."""
    return (root / POINTS).is_file() or (root.name == POINTS and root.is_file())


def examples(root: Path, threshold_deg: float) -> Examples:
    """Read a data set; one example a film, without decoding any.

    A film on which the largest angle cannot be measured, because the column from T1 down is not whole, is left out and told: its class is not known.

    Raises
    ------
    InputError
        As `read_marked`; and for vertebrae whose names do not follow each other down the film, whose corners are exchanged, or an L5 of a patient who has none.
    """
    marked = read_marked(root, CORNER_LANDMARKS, FILMS.views)
    for found in marked.films:
        _require_order(found.film)
    complete, notes = _complete(marked.films)
    notes = [*marked.notes, *notes]
    items = [_example(found, threshold_deg, notes) for found in complete]
    partial = [item.id for item in items if item.truth.finding(TARGET) is None]
    items = [item for item in items if item.truth.finding(TARGET) is not None]
    if not items:
        raise InputError(
            f"{marked.root}: on no film the whole column from T1 to L5 is marked, such as {partial[0]}",
            expected=f"T1 to L5, four corners each; T1 to L4 of a patient of whom {SUBJECTS} says that 23 vertebrae are above the sacrum",
            action="mark the vertebrae that are missing",
        )
    notes += noted(partial, f"[film was|films were] left out: T1 to L5 are not all marked, nor does {SUBJECTS} say that there is no L5 (presacral 23).")
    unusual = [item.id for item in items if item.truth.notes]
    notes += noted(unusual, "[film is of a patient|films are of patients] with another number of vertebrae above the sacrum than 24.")
    bare = [item.id for item in items if not item.facts["spacing_mm"].known]
    notes += noted(bare, "[film states|films state] no pixel spacing: [its|their] distances are in pixels only.")
    items, doubtful = remarked(items)
    return Examples(tuple(items), marked.root, phantom=is_phantom(marked.root), notes=(*notes, *doubtful))


def _complete(films: Sequence[MarkedFilm]) -> tuple[list[MarkedFilm], list[str]]:
    """Take a vertebra without all of its four corners for absent."""
    kept, parts = [], []
    for found in films:
        points = found.film.points
        levels = set(found_levels(points))
        whole = {name: at for name, at in points.items() if _level(name) in levels}
        parts += [f"{level} of {found.film.name}" for level in THORACOLUMBAR if level not in levels and any(_level(name) == level for name in points)]
        kept.append(replace(found, film=replace(found.film, points=whole)))
    return kept, noted(parts, "[vertebra|vertebrae] without all four corners [counts|count] as absent.")


def _level(landmark: str) -> str:
    return landmark.split("_", maxsplit=1)[0]


def _require_order(film: Film) -> None:
    """Refuse corners whose names contradict the picture: a wrong name teaches every film a wrong level or side."""
    points = {name: np.array(at, np.float64) for name, at in film.points.items()}
    levels = found_levels(points)
    corners = corners_of(points, levels) if levels else np.zeros((0, len(CORNERS), 2))
    for level, (left_up, right_up, left_down, right_down) in zip(levels, corners, strict=True):
        if left_up[0] + left_down[0] >= right_up[0] + right_down[0]:
            raise _refused(film, f"the image_left corners of {level} lie to the right of its image_right ones", "left and right are those of the picture")
        if left_up[1] + right_up[1] >= left_down[1] + right_down[1]:
            raise _refused(film, f"the superior corners of {level} lie below its inferior ones", "superior above inferior; y_px counts rows downwards")
    heights = dict(zip(levels, corners[..., 1].mean(axis=1), strict=True))
    for upper, lower in pairwise(levels):
        if heights[upper] >= heights[lower]:
            raise _refused(film, f"{lower} lies above {upper}", "vertebrae named from T1 at the top down to L5")


def _refused(film: Film, given: str, expected: str) -> InputError:
    return InputError(f"{POINTS} line {film.line} and below, film {film.name}: {given}", expected=expected, action="correct the names of this film's rows")


def _example(found: MarkedFilm, threshold_deg: float, notes: list[str]) -> Example:
    film, header, presacral = found.film, found.header, found.subject.presacral
    _require_levels(film, presacral)
    rows = None if header.size is None else header.size[1]
    said = truth(film.points, film.name, rows, threshold_deg, spacing_mm=header.spacing_mm.value, presacral=presacral, author="reader")
    return example_of(found, said, VIEW, notes)


def _require_levels(film: Film, presacral: int | None) -> None:
    """Refuse a vertebra of a patient who, by the table of subjects, has none of that name."""
    if presacral is None:
        return
    surplus = [level for level in found_levels(film.points) if level not in column_of(presacral)]
    if surplus:
        raise InputError(
            f"{POINTS} line {film.line} and below, film {film.name}: {surplus[0]} is marked, and {SUBJECTS} says that patient {film.patient} has {presacral} "
            "vertebrae above the sacrum",
            expected=f"{column_of(presacral)[0]} to {column_of(presacral)[-1]}, counted from T1 down",
            action=f"correct the names of the levels, or the number in {SUBJECTS}",
        )


def points_of(levels: Sequence[str], corners: np.ndarray) -> Mapping[str, tuple[float, float]]:
    """Return corners ``(levels, 4, 2)`` by name."""
    names = [f"{level}_{corner}" for level in levels for corner in CORNERS]
    return {name: (float(x), float(y)) for name, (x, y) in zip(names, corners.reshape(-1, 2), strict=True)}
