"""Lateral whole-spine films with their landmarks: ``films/``, ``landmarks.csv`` and, if there is one, ``subjects.csv``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from spinelab.core import Example, Examples, Fact, Landmark, Result, noted
from spinelab.geometry import FRONT_AND_BACK, LATERAL_LANDMARKS
from spinelab.io.marked_films import MarkedFilm, example_of, read_marked
from spinelab.phantoms import is_phantom
from spinelab.tasks.whole_spine.film import FILMS
from spinelab.tasks.whole_spine.measure import as_landmarks, facing, findings, measurements

TASK_NAME: Final = "whole-spine"


def examples(root: Path) -> Examples:
    """Read a data set; one example a film, without decoding any.

    Raises
    ------
    InputError
        For another layout, a row that cannot be used, x and y exchanged, a wrong view, or no film that can be used.
    """
    marked = read_marked(root, LATERAL_LANDMARKS, FILMS.views)
    notes = [*marked.notes, *_doubts(marked.films)]
    items = [_example(f, notes) for f in marked.films]
    bare = [item.id for item in items if not item.facts["spacing_mm"].known]
    notes += noted(bare, "[film states|films state] no pixel spacing: [its|their] SVA is in pixels only.")
    return Examples(tuple(items), marked.root, phantom=is_phantom(marked.root), notes=tuple(notes))


def _doubts(found: Sequence[MarkedFilm]) -> list[str]:
    """Return which films have an endplate whose front and back look exchanged: it faces the other way than most of the others."""
    doubtful = []
    for f in found:
        pairs = [(front, back) for front, back in FRONT_AND_BACK if front in f.film.points and back in f.film.points]
        votes = np.array([np.sign(f.film.points[front][0] - f.film.points[back][0]) for front, back in pairs])
        if len(votes) >= 3 and 0 < abs(votes.sum()) < len(votes):
            against = [front.removesuffix("_1") for (front, _), vote in zip(pairs, votes, strict=True) if vote * votes.sum() < 0]
            doubtful.append(f"{' and '.join(against)} of {f.film.name}")
    return noted(doubtful, "[film has|films have] an endplate whose front and back look exchanged: [it was used as it is|they were used as they are].")


def _example(found: MarkedFilm, notes: list[str]) -> Example:
    points = as_landmarks(found.film.points)
    truth = truth_of(found.film.name, points, found.header.spacing_mm, author="reader")
    example = example_of(found, truth, "LATERAL", notes)
    return replace(example, facts={**example.facts, "facing": Fact(facing(points) or None, "landmarks")})


def truth_of(study: str, points: tuple[Landmark, ...], spacing: Fact, *, author: str, notes: tuple[str, ...] = ()) -> Result:
    """Return landmarks, parameters and classes as a result; a class whose parameters are withheld is left out."""
    given = measurements(points, spacing)
    values = {(m.name, m.unit): np.array(m.value) for m in given if m.value is not None}
    return Result(TASK_NAME, author, study, findings=findings(values), measurements=given, landmarks=points, notes=notes)
