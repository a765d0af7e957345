"""From when on a vertebra counts as misplaced, and what such a one makes of the names: learnt from films of held-out patients as the networks read them.

What neighbours are to each other is learnt from the training films' marks; how far a right reading strays from that, only readings can tell: networks place
vertebrae more evenly than people mark them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spinelab.geometry.cobb import centres
from spinelab.geometry.misplaced import LEAST, LEAST_LIMIT, MISCOUNTED, Neighbours, find_faults

Floats = NDArray[np.float64]

SAME: Final = 0.5
"""Of the usual distance between neighbours: how far a vertebra's centre may lie from that of the true one."""
UNREMARKED: Final = 0.98
"""Share of the rightly read films on which a quantity stays within its limit."""
LEAST_RIGHT: Final = 20
"""Rightly read held-out films below which the limits stay those of the training films."""


def learn_limits(columns: Sequence[tuple[Floats, int]], truth: Floats, neighbours: Neighbours) -> dict[str, Any]:
    """Return ``neighbours`` with limits, and on how many films with a miscounted vertebra the names were right, for JSON.

    Parameters
    ----------
    columns
        What was read of each film: corners ``(n, 4, 2)`` and the level of the first vertebra.
    truth
        ``(N, L, 4, 2)``, nan where a corner is not on the film. A film that does not show all its levels teaches nothing.
    """
    films = [(*column, true) for column, true in zip(columns, truth, strict=True) if len(column[0]) >= LEAST and np.isfinite(true).all()]
    worst = [neighbours.worst(corners, first) for corners, first, true in films if _read_rightly(corners, true)]
    if len(worst) < LEAST_RIGHT:
        return {}
    learnt = replace(neighbours, limit={name: max(LEAST_LIMIT, float(np.quantile([one[name] for one in worst], UNREMARKED))) for name in neighbours.limit})
    named = [_named_rightly(*film) for film in films if any(fault.kind in MISCOUNTED for fault in find_faults(film[0], learnt, film[1]))]
    return {"neighbours": learnt.to_dict(), "miscounted": {"films": len(named), "right": sum(named)}}


def most_certain(learnt: Mapping[str, Any]) -> float:
    """Return how certain the names can be where a vertebra seems miscounted: (right + 1) / (films + 2), Laplace's rule of succession."""
    known = learnt.get("miscounted", {"films": 0, "right": 0})
    return float((known["right"] + 1) / (known["films"] + 2))


def _read_rightly(corners: Floats, truth: Floats) -> bool:
    """Return whether the vertebrae lie on true ones, each on the next, whatever they are called; beyond the marks' ends there may be more."""
    apart = _apart(corners, truth)
    marked = np.flatnonzero(apart.min(axis=1) < SAME)
    return bool(len(marked) >= LEAST and (np.diff(marked) == 1).all() and (np.diff(apart.argmin(axis=1)[marked]) == 1).all())


def _named_rightly(corners: Floats, first: int, truth: Floats) -> bool:
    """Return whether every vertebra is nearest to the true one of its level."""
    return bool((_apart(corners, truth).argmin(axis=1) == first + np.arange(len(corners))).all())


def _apart(corners: Floats, truth: Floats) -> Floats:
    """Return how far each vertebra ``(n, 4, 2)`` is from each true one ``(L, 4, 2)``, in usual distances between true neighbours."""
    found, middle = centres(corners), centres(truth)
    pitch = np.median(np.linalg.norm(np.diff(middle, axis=0), axis=1))
    return np.asarray(np.linalg.norm(found[:, None] - middle[None], axis=2) / pitch, np.float64)
