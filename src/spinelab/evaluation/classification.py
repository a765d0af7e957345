"""Statistics of a confusion matrix: sensitivity, F1, kappa and their kin.

Every function takes counts ``(..., K, K)``, row = truth, column = answer, and returns ``(...)``: one matrix, or a stack of 2,000 resamples
at once. A statistic whose denominator is zero does not exist and is ``nan``, never a silent 0. What averages over classes leaves out
the classes that do not occur (in the truth for recall, in truth and answers for precision and F1); but a class that occurs and
is never answered has no precision, and then the average has none either, rather than flattering the model.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spinelab.evaluation.resampling import Floats, ratio

Counts = NDArray[Any]


def confusion_matrix(truth: ArrayLike, answers: ArrayLike, classes: int) -> NDArray[np.int64]:
    """Return (K, K) counts: row = true class, column = answer."""
    cells = np.asarray(truth, dtype=np.int64) * classes + np.asarray(answers, dtype=np.int64)
    return np.bincount(cells.ravel(), minlength=classes * classes).reshape(classes, classes).astype(np.int64)


def _mean(values: Floats, counted: NDArray[np.bool_]) -> Floats:
    """Average over the classes that count; nan where none does, or where one that counts is undefined."""
    return ratio(np.where(counted, values, 0).sum(-1), counted.sum(-1))


def _hits(counts: Counts) -> Counts:
    return np.diagonal(counts, axis1=-2, axis2=-1)


def _true(counts: Counts) -> Counts:
    return np.asarray(counts.sum(-1))


def _answered(counts: Counts) -> Counts:
    return np.asarray(counts.sum(-2))


def _total(counts: Counts) -> Counts:
    return np.asarray(counts.sum((-2, -1)))


def class_recall(counts: Counts) -> Floats:
    """Return (..., K): of those who have the class, the share that is found."""
    return ratio(_hits(counts), _true(counts))


def class_precision(counts: Counts) -> Floats:
    """Return (..., K): of those who are given the class, the share that has it."""
    return ratio(_hits(counts), _answered(counts))


def class_specificity(counts: Counts) -> Floats:
    """Return (..., K): of those who lack the class, the share that is not given it."""
    lacking = _total(counts)[..., None] - _true(counts)
    return ratio(lacking - _answered(counts) + _hits(counts), lacking)


def class_f1(counts: Counts) -> Floats:
    """Return (..., K): 2 TP / (2 TP + FP + FN), the harmonic mean of precision and recall."""
    return ratio(2 * _hits(counts), _true(counts) + _answered(counts))


def accuracy(counts: Counts) -> Floats:
    """Return the share of right answers."""
    return ratio(_hits(counts).sum(-1), _total(counts))


def balanced_accuracy(counts: Counts) -> Floats:
    """Return recall averaged over the classes that occur in the truth (Brodersen et al., ICPR 2010)."""
    return _mean(class_recall(counts), _true(counts) > 0)


def sensitivity(counts: Counts, positive: int | None = None) -> Floats:
    """Return the recall of the positive class, or averaged over classes where none is named."""
    return balanced_accuracy(counts) if positive is None else class_recall(counts)[..., positive]


def specificity(counts: Counts, positive: int | None = None) -> Floats:
    """Return the specificity of the positive class, or averaged over the classes that somebody lacks where none is named."""
    values = class_specificity(counts)
    return _mean(values, ~np.isnan(values)) if positive is None else values[..., positive]


def precision_macro(counts: Counts) -> Floats:
    """Return precision averaged over the classes in truth or answers."""
    return _mean(class_precision(counts), _true(counts) + _answered(counts) > 0)


def recall_macro(counts: Counts) -> Floats:
    """Return recall averaged over the classes in the truth; the same number as `balanced_accuracy`."""
    return balanced_accuracy(counts)


def f1_macro(counts: Counts) -> Floats:
    """Return F1 averaged over the classes in truth or answers."""
    return _mean(class_f1(counts), _true(counts) + _answered(counts) > 0)


def precision_micro(counts: Counts) -> Floats:
    """Return precision of all answers pooled; with one answer an examination it equals accuracy."""
    return ratio(_hits(counts).sum(-1), _answered(counts).sum(-1))


def recall_micro(counts: Counts) -> Floats:
    """Return recall of all truths pooled; with one answer an examination it equals accuracy."""
    return ratio(_hits(counts).sum(-1), _true(counts).sum(-1))


def f1_micro(counts: Counts) -> Floats:
    """Return F1 of all classes pooled; with one answer an examination it equals accuracy."""
    return ratio(2 * _hits(counts).sum(-1), _true(counts).sum(-1) + _answered(counts).sum(-1))


def _weighted(values: Floats, counts: Counts) -> Floats:
    """Average with the number of true examinations as weight."""
    support = _true(counts)
    return ratio(np.where(support > 0, values * support, 0).sum(-1), support.sum(-1))


def precision_weighted(counts: Counts) -> Floats:
    """Return precision averaged with the true class sizes as weights."""
    return _weighted(class_precision(counts), counts)


def recall_weighted(counts: Counts) -> Floats:
    """Return recall averaged with the true class sizes as weights; it equals accuracy."""
    return _weighted(class_recall(counts), counts)


def f1_weighted(counts: Counts) -> Floats:
    """Return F1 averaged with the true class sizes as weights."""
    return _weighted(class_f1(counts), counts)


def mcc(counts: Counts) -> Floats:
    """Return Matthews' correlation, for many classes Gorodkin's R_K (Comput Biol Chem 2004;28:367-374).

    It does not exist where the truth or the answers are all of one class; scikit-learn says 0 there.
    """
    truth, answered = _true(counts).astype(np.float64), _answered(counts).astype(np.float64)
    total = _total(counts).astype(np.float64)
    covariance = _hits(counts).sum(-1) * total - (truth * answered).sum(-1)
    spread = (total**2 - (truth**2).sum(-1)) * (total**2 - (answered**2).sum(-1))
    return ratio(covariance, np.sqrt(spread))


def _kappa(counts: Counts, disagreement: Floats) -> Floats:
    """Return 1 - observed / expected disagreement (Cohen, Psychol Bull 1968;70:213-220)."""
    expected = _true(counts)[..., :, None] * _answered(counts)[..., None, :].astype(np.float64)
    observed = (counts * disagreement).sum((-2, -1)) * _total(counts)
    return 1 - ratio(observed, (expected * disagreement).sum((-2, -1)))


def cohen_kappa(counts: Counts) -> Floats:
    """Return agreement beyond chance: (observed - expected) / (1 - expected)."""
    return _kappa(counts, 1 - np.eye(counts.shape[-1]))


def quadratic_kappa(counts: Counts) -> Floats:
    """Return kappa with squared distance between class numbers as weight: for ordered classes only."""
    number = np.arange(counts.shape[-1], dtype=np.float64)
    return _kappa(counts, (number[:, None] - number) ** 2)
