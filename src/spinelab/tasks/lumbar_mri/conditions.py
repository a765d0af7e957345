"""How often a head that tells the condition is right on each kind of series, beside what the series alone gives away."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spinelab.evaluation.estimates import compute_metrics
from spinelab.evaluation.rsna import CONDITIONS
from spinelab.evaluation.types import Predictions
from spinelab.tasks.lumbar_mri.scores import said
from spinelab.tasks.lumbar_mri.targets import DESCRIPTIONS

TITLE: Final = "The condition, by series"
TEXT: Final = (
    "The series gives most of the condition away: the canal is asked on sagittal T2/STIR, the foramina on sagittal T1, the recesses on axial T2, and only "
    "left and right remain. Accuracy is read beside that of always answering the most frequent condition of the series. Intervals resample whole examinations."
)
COLUMNS: Final = ("series", "questions", "conditions", "right by the series alone")


def of_answers(answers: Mapping[str, Any], series: Mapping[str, str], *, bootstraps: int) -> list[dict[str, Any]]:
    """Return the accuracy of models that told conditions by kind of series; nothing where none did.

    ``series`` is the kind of series on which each question was asked.
    """
    told: dict[str, Predictions] = {name: found for name, found in answers.items() if isinstance(found, Predictions) and found.classes == CONDITIONS}
    if not told:
        return []
    some = next(iter(told.values()))
    kinds = np.array([series[name] for name in some.images])
    groups = {"all": np.ones(len(kinds), dtype=bool)} | {kind: kinds == kind for kind in DESCRIPTIONS if (kinds == kind).any()}
    rows = []
    for name, inside in groups.items():
        accuracies = (compute_metrics(found.subset(np.flatnonzero(inside)), metrics=["accuracy"], bootstraps=bootstraps) for found in told.values())
        facts = (name, int(inside.sum()), len(np.unique(some.truth[inside])), f"{_by_series(some.truth[inside], kinds[inside]):.3f}")
        rows.append((*facts, *(said(found["accuracy"]) for found in accuracies)))
    return [{"title": TITLE, "text": TEXT, "table": {"columns": (*COLUMNS, *(f"{name}: accuracy" for name in told)), "rows": rows}}]


def _by_series(truth: NDArray[np.int64], kinds: NDArray[np.str_]) -> float:
    """Return the share of right answers of whoever knows of each series only its most frequent condition."""
    return sum(int(np.bincount(truth[kinds == kind]).max()) for kind in np.unique(kinds)) / len(truth)
