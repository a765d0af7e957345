"""What answers that need no picture reach in the competition's score: uniform, and weighted class frequencies, in-sample."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from spinelab.core import InputError
from spinelab.evaluation.resampling import BOOTSTRAPS, Distribution, Floats
from spinelab.evaluation.rsna import COLUMNS, CONDITION_GROUPS, CONDITIONS, GRADE_WEIGHTS, GRADES, LEVELS, SCORES, RsnaLabels, rsna_distributions

RSNA_BASELINES_SCHEMA: Final = "spinelab.rsna-baselines/1"
METRIC: Final = "RSNA 2024 lumbar spine score: mean of four weighted log losses, lower is better"

_POOLS: Final = {
    "uniform": "one third for every grade",
    "weighted-frequencies-per-condition": "the grades' frequencies weighted by 1, 2, 4, one answer for the canal, one for all foramina, one for all recesses",
    "weighted-frequencies-per-condition-and-side": "the same, left and right apart: five answers",
    "weighted-frequencies-per-column": "the same, one answer for each of the 25 columns",
}


CONSTANTS: Final = tuple(_POOLS)
"""Names of the constant answers."""


def rsna_constant(labels: RsnaLabels, name: str) -> Floats:
    """Return the (25, 3) probabilities of a constant answer, for `rsna_score` after repeating them for every study.

    Frequencies weighted like the loss are the constant with the lowest weighted log loss in each pool. A pool without a grade is answered uniformly.

    Parameters
    ----------
    name
        ``uniform``, or ``weighted-frequencies-per-condition``, ``-per-condition-and-side`` or ``-per-column``.
    """
    counts = np.stack([(labels.grades == grade).sum(axis=0) for grade in range(len(GRADES))], axis=1) * np.array(GRADE_WEIGHTS)
    pooled = np.empty_like(counts)
    for columns in _pools(name):
        pooled[columns] = counts[columns].sum(axis=0)
    totals = pooled.sum(axis=1, keepdims=True)
    uniform = np.full(pooled.shape, 1 / len(GRADES))
    return uniform if name == "uniform" else np.where(totals > 0, pooled / np.maximum(totals, 1), uniform)


def _pools(name: str) -> list[list[int]]:
    """Return the columns that share an answer."""
    by_condition = [[i * len(LEVELS) + j for j in range(len(LEVELS))] for i in range(len(CONDITIONS))]
    if name in ("uniform", "weighted-frequencies-per-condition"):
        return [[column for place in places for column in by_condition[place]] for places in CONDITION_GROUPS.values()]
    if name == "weighted-frequencies-per-condition-and-side":
        return by_condition
    if name == "weighted-frequencies-per-column":
        return [[column] for column in range(len(COLUMNS))]
    raise InputError(f"Baseline {name!r}", expected=", ".join(_POOLS), action="choose one of them")


def rsna_baselines(labels: RsnaLabels, *, bootstraps: int = BOOTSTRAPS, seed: int = 0) -> dict[str, Any]:
    """Return, ready for JSON, what constants reach in-sample on these labels, with the counts that they come from.

    Intervals resample studies while the constant stays as it is. ``best_constant`` is the score that a model has to beat.
    """
    rows: dict[str, dict[str, Any]] = {}
    for name, meaning in _POOLS.items():
        answer = rsna_constant(labels, name)
        found = rsna_distributions(labels, np.broadcast_to(answer, (len(labels.studies), *answer.shape)), bootstraps=bootstraps, seed=seed)
        rows[name] = {
            "meaning": meaning,
            **rsna_figures(found),
            "probabilities": {column: dict(zip(GRADES, map(float, answer[place]), strict=True)) for place, column in enumerate(COLUMNS)},
        }
    defined = [name for name, row in rows.items() if row["score"] is not None]
    return {
        "schema": RSNA_BASELINES_SCHEMA,
        "task": "lumbar-mri",
        "metric": METRIC,
        "in_sample": True,
        "studies": len(labels.studies),
        "rows_scored": int((labels.grades >= 0).sum()),
        "rows_without_grade": int((labels.grades < 0).sum()),
        "counts": {c: {g: int((labels.grades[:, i] == k).sum()) for k, g in enumerate(GRADES)} for i, c in enumerate(COLUMNS)},
        "baselines": rows,
        "best_constant": min(defined, key=lambda name: float(rows[name]["score"]), default=None),
    }


def rsna_figures(found: Mapping[str, Distribution]) -> dict[str, Any]:
    """Return score and parts by name, and their ``intervals`` (lower, upper), ready for JSON; ``None`` where there is none."""
    return {**{part: _number(found[part].value) for part in SCORES}, "intervals": {part: _limits(found[part]) for part in SCORES}}


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _limits(distribution: Distribution) -> list[float] | None:
    found = distribution.estimate()
    return None if found.lo is None or found.hi is None else [found.lo, found.hi]
