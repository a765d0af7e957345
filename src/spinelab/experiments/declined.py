"""Why models gave no class: the reasons in their own words, counted, with an example of each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinelab.core import Example, Result
from spinelab.report.reading import REFUSED


def refusal_of(result: Result) -> str:
    """Return the model's reason for giving no class: the note that says so, else its first."""
    note = next((note for note in result.notes if note.startswith(REFUSED)), next(iter(result.notes), "the model gave no answer"))
    return note.removeprefix(REFUSED).rstrip(". ")


def declined(results: Sequence[Result], table: NDArray[np.float64]) -> dict[int, str]:
    """Return why no class was given, by the place of the result; ``table`` (n, K) has NaN in its row."""
    return {int(row): refusal_of(results[int(row)]) for row in np.flatnonzero(np.isnan(table).any(axis=1))}


def reasons(cases: Iterable[tuple[str, Example]], in_data: Collection[str] = ()) -> tuple[Mapping[str, Any], ...]:
    """Return the reasons, the most frequent first: how many of how many examinations, with an example.

    ``in_data`` are the names of the examples whose reason was found in the data, before any model answered; they are marked as such.
    """
    found: dict[str, list[Example]] = defaultdict(list)
    for why, example in cases:
        found[why].append(example)
    return tuple(
        {"why": why, "count": len(own), "examinations": len({(e.of or e).id for e in own}), "example": own[0].id, "in_data": own[0].id in in_data}
        for why, own in sorted(found.items(), key=lambda case: -len(case[1]))
    )
