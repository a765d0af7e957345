"""Films whose marks look misplaced when every vertebra is held against its neighbours: told, so that somebody looks at them, and none refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from spinelab.core import Example, Fact
from spinelab.geometry import CORNER_LANDMARKS, CORNERS, THORACOLUMBAR
from spinelab.geometry.misplaced import fit_neighbours
from spinelab.tasks.scoliosis import position

_NAMED: Final = 3
"""Films that the note names; the others' remarks are in the JSON of the data check."""
_ABSENT: Final = (np.nan, np.nan)


def remarked(films: Sequence[Example]) -> tuple[list[Example], list[str]]:
    """Return the films, those with marks that look misplaced with a ``remark`` among their facts, and a note that counts them and names some.

    What neighbours usually are to each other is learnt from these very films; where fewer than thirty show the whole column, order, outlines and crossings
    alone are judged.
    """
    if not films:
        return [], []
    points = [{p.name: np.array([p.x, p.y]) for p in film.truth.landmarks} for film in films]
    corners = np.array([[one.get(name, _ABSENT) for name in CORNER_LANDMARKS] for one in points])
    learnt = fit_neighbours(corners.reshape(-1, len(THORACOLUMBAR), len(CORNERS), 2))
    found = [
        position.implausible(one, film.facts["spacing_mm"].value if "spacing_mm" in film.facts else None, learnt)
        for one, film in zip(points, films, strict=True)
    ]
    marked = [_with_remark(film, faults) if faults else film for film, faults in zip(films, found, strict=True)]
    return marked, _note([f"{film.id} ({_short(faults)})" for film, faults in zip(films, found, strict=True) if faults], len(films))


def _with_remark(film: Example, found: Sequence[position.Misplaced]) -> Example:
    said = "; ".join(f"{one.level}: {position.words(one)}" for one in found)
    return replace(film, facts={**film.facts, "remark": Fact(f"marks that look misplaced: {said}", "the marks of the other films")})


def _short(found: Sequence[position.Misplaced]) -> str:
    """Return what is implausible about the uppermost vertebra, and which others are remarked on."""
    first, *others = found
    more = [level for level in dict.fromkeys(one.level for one in others) if level != first.level]
    return f"{first.level}: {position.words(first)}" + (f"; also {', '.join(more)}" if more else "")


def _note(films: Sequence[str], count: int) -> list[str]:
    if not films:
        return []
    more = f"; and {len(films) - _NAMED} more" if len(films) > _NAMED else ""
    what = "look at them, none was left out" if len(films) > 1 else "look at it, it was not left out"
    return [f"{len(films)} of {count} films {'have' if len(films) > 1 else 'has'} marks that look misplaced ({what}): {'; '.join(films[:_NAMED])}{more}."]
