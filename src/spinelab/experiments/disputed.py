"""Films whose levels the model names surely and otherwise than the truth does: there, the truth may be what is wrong.

Whoever marks a spine counts from one end, and a first rib or a lumbosacral vertebra that is hard to tell moves every name by one. A model that has learnt from
many marks, and whose certainty comes true, then says so on a single film (as in Northcutt, Jiang and Chuang 2021, "Confident learning: estimating
uncertainty in dataset labels").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spinelab.core import plural

SURE: Final = 0.85
"""Stated certainty of the names from which a film that the truth names otherwise is worth a second look."""
NAMED: Final = 3
"""How many of these films are named in words; all are in the file and up to ten are shown."""


def disputed_names(images: Sequence[str], shift: NDArray[np.int64], certainty: NDArray[np.float64], levels: Sequence[str]) -> dict[str, Any]:
    """Return the films that are named surely and lie a level or more off the truth as a whole, the surest first.

    Parameters
    ----------
    images, shift, certainty
        One an answer: its film's name, the commonest shift of its vertebrae (`LevelNaming.shift`), and the stated probability that all names are right (nan:
        none). Of a film with several answers, one a repeat, the first counts: the surest of them would promise more than a certainty does.
    levels
        Names of the vertebrae, from top to bottom.

    Returns
    -------
    found
        ``from``, the least certainty; ``sure``, how many films are that sure; ``expected``, how many of them are named wrong if the certainties are true; and
        ``films``: ``image``, ``certainty``, ``off_by`` and ``named``, a level as the answer and as the truth calls it.
    """
    first = np.zeros(len(images), dtype=bool)
    first[np.unique(images, return_index=True)[1]] = True
    sure = first & (np.nan_to_num(certainty, nan=0.0) >= SURE)
    otherwise = sorted(np.flatnonzero(sure & (shift != 0)).tolist(), key=lambda row: -float(certainty[row]))
    films = [
        {"image": images[row], "certainty": float(certainty[row]), "off_by": int(shift[row]), "named": _named(levels, int(shift[row]))} for row in otherwise
    ]
    return {"from": SURE, "sure": int(sure.sum()), "expected": float((1 - certainty[sure]).sum()), "films": films}


def _named(levels: Sequence[str], off_by: int) -> tuple[str, str]:
    """Return how the answer and the truth call one vertebra near the middle that both name."""
    middle = min(max(len(levels) // 2, -off_by, 0), len(levels) - 1 - max(off_by, 0))
    return levels[middle], levels[middle + off_by]


def disputed_words(found: Mapping[str, Any] | None) -> str:
    """Return which films the truth may have wrong; empty where there is none."""
    if not found or not found["films"]:
        return ""
    films = found["films"]
    named = ", ".join(f"{film['image']} ({film_words(film)})" for film in films[:NAMED])
    more = f" and {len(films) - NAMED} more" if len(films) > NAMED else ""
    off = "one level" if all(abs(film["off_by"]) == 1 for film in films) else "a level or more"
    carry, these = ("carries", "this film") if len(films) == 1 else ("carry", "these films")
    return (
        f"Of {plural(found['sure'], 'film')} whose levels are named with a certainty of {100 * found['from']:.0f} % or more, {len(films)} {carry} names in the "
        f"truth that are {off} off as a whole: {named}{more}. Certainties that come true leave the model wrong on about {found['expected']:.0f}; look at "
        f"{these}, for the truth may be."
    )


def film_words(film: Mapping[str, Any]) -> str:
    """Return what is disputed about a film."""
    ours, theirs = film["named"]
    return f"the answer's {ours} is the truth's {theirs}; certainty {100 * film['certainty']:.0f} %"
