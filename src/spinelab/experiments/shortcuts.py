"""What can be guessed without looking at the spine: a probe on facts that carry no anatomy.

A model is free to use whatever separates the classes. If the size of the film, its borders, its brightness or how well it
compresses already do, a good score says little about disease.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import ExtraTreesClassifier

from spinelab.core import Example
from spinelab.evaluation import compute_metrics
from spinelab.evaluation.types import Predictions
from spinelab.experiments.splits import grouped_folds, patients_per_class

LEAST_PATIENTS: Final = 10
"""Patients of the rarest class below which nothing is probed."""
_FOLDS: Final = 5


def picture_facts(picture: NDArray[np.uint8], file_bytes: int) -> dict[str, float]:
    """Return facts about a greyscale picture (rows, columns) that hold no anatomy worth the name."""
    rows, columns = picture.shape
    strip = max(1, min(rows, columns) // 30)
    return {
        "width": float(columns),
        "height": float(rows),
        "aspect": columns / rows,
        "bytes a pixel": file_bytes / picture.size,
        "mean grey": float(picture.mean()),
        "grey spread": float(picture.std()),
        "top border": float(picture[:strip].mean()),
        "bottom border": float(picture[-strip:].mean()),
        "left border": float(picture[:, :strip].mean()),
        "right border": float(picture[:, -strip:].mean()),
        "black share": float((picture < 8).mean()),
        "white share": float((picture > 247).mean()),
    }


def patient_facts(example: Example) -> dict[str, float]:
    """Return sex, age and site as numbers; unknown ones are -1."""
    sex, age, site = (example.facts[k].value if k in example.facts else None for k in ("sex", "age_years", "site"))
    return {"sex": {"F": 0.0, "M": 1.0}.get(str(sex), -1.0), "age": float(age) if age is not None else -1.0, "site": float(hash_site(site))}


def hash_site(site: Any) -> int:
    """Return a number for a site's name, the same in every run; unknown is -1."""
    return -1 if site is None else sum(ord(c) * 31**i for i, c in enumerate(str(site)[:12])) % 9973


def probe(kind: str, facts: Sequence[Mapping[str, float]], labels: Sequence[str], groups: Sequence[str]) -> dict[str, Any] | None:
    """Return how well a forest guesses the label from such facts on held-out patients, or ``None`` where too few can tell.

    The answer holds ``kind``, ``facts``, ``auroc`` (value, lo, hi) and ``suspicious``: the interval lies above 0.5 and the
    value above 0.6, or the classes are told apart without a mistake.
    """
    table = np.array([list(row.values()) for row in facts])
    varying = [name for name, column in zip(facts[0], table.T, strict=True) if np.ptp(column) > 0] if facts else []
    counts = patients_per_class(labels, groups)
    if not varying or len(counts) < 2 or min(counts.values()) < LEAST_PATIENTS:
        return None
    estimate = compute_metrics(_guess(table, labels, groups), metrics=["auroc"], bootstraps=1000)["auroc"]
    value, low = estimate.value, estimate.lo
    perfect = value is not None and value >= 1  # every resample is perfect too, and there is no limit to give
    suspicious = perfect or (value is not None and low is not None and low > 0.5 and value > 0.6)
    return {"kind": kind, "facts": varying, "auroc": estimate.to_dict(), "suspicious": suspicious}


def _guess(table: NDArray[np.float64], labels: Sequence[str], groups: Sequence[str]) -> Predictions:
    classes = tuple(sorted(set(labels)))
    truth = np.array([classes.index(label) for label in labels])
    probabilities = np.zeros((len(labels), len(classes)))
    folds = np.zeros(len(labels), dtype=np.int64)
    for split in grouped_folds(labels, groups, folds=_FOLDS, repeats=1, seed=0):
        forest = ExtraTreesClassifier(n_estimators=60, min_samples_leaf=3, random_state=0)
        forest.fit(table[split.train], truth[split.train])
        probabilities[np.ix_(split.test, forest.classes_)] = forest.predict_proba(table[split.test])
        folds[split.test] = split.fold
    names = tuple(str(i) for i in range(len(labels)))
    return Predictions(classes, names, tuple(groups), truth, probabilities[None], folds[None])
