"""Why models gave no class: the reasons in their own words, counted, with an example of each."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spinelab.core import Example, Result
from spinelab.report.reading import REFUSED

_NUMBER: Final = re.compile(r"(?<![\w/.])\d+(?:\.\d+)?(?!\w)")
"""A number that stands alone: not that of a level or a series, such as L4/L5 or T1."""


def refusal_of(result: Result) -> str:
    """Return the model's reason for giving no class: the note that says so, else its first."""
    note = next((note for note in result.notes if note.startswith(REFUSED)), next(iter(result.notes), "the model gave no answer"))
    return note.removeprefix(REFUSED).rstrip(". ")


def declined(results: Sequence[Result], table: NDArray[np.float64]) -> dict[int, str]:
    """Return why no class was given, by the place of the result; ``table`` (n, K) has NaN in its row."""
    return {int(row): refusal_of(results[int(row)]) for row in np.flatnonzero(np.isnan(table).any(axis=1))}


def reasons(cases: Iterable[tuple[str, Example]], in_data: Collection[str] = ()) -> tuple[Mapping[str, Any], ...]:
    """Return the reasons, the most frequent first: how many of how many examinations, with an example.

    One that differs in the name of its film, or in what was counted or measured on it, is told once, in the words about the example.
    ``in_data`` are the names of the examples whose reason was found in the data, before any model answered; they are marked as such.
    """
    found: dict[str, list[tuple[str, Example]]] = defaultdict(list)
    for why, example in cases:
        found[_NUMBER.sub("#", _without(why, example, "each"))].append((why, example))
    return tuple(_reason(own, in_data) for _, own in sorted(found.items(), key=lambda case: -len(case[1])))


def _reason(own: Sequence[tuple[str, Example]], in_data: Collection[str]) -> Mapping[str, Any]:
    why, example = own[0]
    examinations = len({(e.of or e).id for _, e in own})
    said = _without(why, example, "each" if examinations > 1 else "it")
    return {"why": said, "count": len(own), "examinations": examinations, "example": example.id, "in_data": example.id in in_data}


def _without(why: str, example: Example, word: str) -> str:
    """Return a reason without the name that it begins with, or with this word in its place where the name is what it speaks of."""
    for name in (example.id, example.of.id if example.of else ""):
        if name and why.startswith(f"{name}: "):
            return why.removeprefix(f"{name}: ")
        if name and why.startswith(f"{name} "):
            return word + why.removeprefix(name)
    return why
