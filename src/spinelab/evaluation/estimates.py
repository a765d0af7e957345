"""Metrics of a model with intervals, and the difference of two models, by resampling patients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from spinelab.core import InputError
from spinelab.evaluation.intervals import wilson, without_zero_width
from spinelab.evaluation.metrics import MetricSpec, batch, named
from spinelab.evaluation.probability import check_probabilities
from spinelab.evaluation.resampling import BOOTSTRAPS, LEVEL, Distribution, Floats, check_level, draw_counts, patient_codes
from spinelab.evaluation.tally import Tally
from spinelab.evaluation.types import Estimate, Predictions

_ZERO: Final = 1e-12
BY_DEFINITION: Final = ("recall", "specificity")
"""The shares of a class that an answer which never changes decides, whoever the patients are."""


def metric_distributions(
    predictions: Predictions, *, metrics: Sequence[str] | None = None, bootstraps: int = BOOTSTRAPS, seed: int = 0, positive: int = 1
) -> dict[str, Distribution]:
    """Return every metric with its value in each resample of patients; arguments as in `compute_metrics`.

    ``Distribution.undefined`` counts the resamples in which the metric does not exist.
    """
    tally = _tally(predictions, bootstraps, seed, positive)
    return {name: _distribution(tally, spec, label) for name, (spec, label) in named(metrics, predictions.classes).items()}


def compute_metrics(
    predictions: Predictions,
    *,
    metrics: Sequence[str] | None = None,
    level: float = LEVEL,
    bootstraps: int = BOOTSTRAPS,
    seed: int = 0,
    positive: int = 1,
) -> dict[str, Estimate]:
    """Return every metric with its confidence interval.

    The value is the mean over repeats of the metric of all folds pooled; with one repeat it is what scikit-learn computes from ``predictions.csv``. A
    repeat in which a metric does not exist (precision of a class that is never answered) is left out of the mean; where it exists in none, the value
    is ``None``. The limits are percentiles over resamples of whole patients, all their images and repeats together.

    There are no limits for fewer than two patients, or where the metric does not exist in more than 5 % of the resamples. Limits that would both fall on
    the value (a perfect or constant model, whose every resample is alike) are replaced by Wilson's interval with the number of patients as n, for a
    proportion; for an average of proportions by the average of Wilson's limits; for other metrics they are withheld.

    Parameters
    ----------
    predictions
        One model's out-of-sample answers.
    metrics
        Names from `METRICS` or ``name[class]``; all that exist by default.
    level, bootstraps, seed
        Share of the resamples between the limits, number of resamples, seed of the draw.
    positive
        Number of the positive class where there are two.
    """
    check_level(level)
    tally = _tally(predictions, bootstraps, seed, positive)
    return {name: _estimate(tally, spec, label, level) for name, (spec, label) in named(metrics, predictions.classes).items()}


def constant_metrics(predictions: Predictions, *, metrics: Sequence[str] | None = None, bootstraps: int = BOOTSTRAPS) -> dict[str, Estimate]:
    """Return what one answer to everyone reaches; arguments as in `compute_metrics`.

    Its sensitivities and specificities are exactly 0 or 1, and their means exactly 1 / number of classes or its complement: they hold by definition, on any
    patients, and have no limits.
    """
    specs = named(metrics, predictions.classes)
    found = compute_metrics(predictions, metrics=metrics, bootstraps=bootstraps)
    return {name: Estimate(one.value) if specs[name][0].share in BY_DEFINITION else one for name, one in found.items()}


def paired_difference(
    a: Predictions, b: Predictions, metric: str, *, level: float = LEVEL, bootstraps: int = BOOTSTRAPS, seed: int = 0, positive: int = 1
) -> tuple[Estimate, float | None]:
    """Return how much higher ``metric`` is for ``a`` than for ``b`` on the same patients, and a two-sided p value.

    Both models are scored on the same resamples of patients. p is twice the smaller share of resamples at or beyond zero, with one added to
    both counts (Davison AC, Hinkley DV. Bootstrap Methods 1997, eq. 4.11), so it is never below 2 / (bootstraps + 1). No limits
    and no p where `compute_metrics` would give no limits.
    """
    b = _in_order_of(a, b)
    first, second = (_distribution(_tally(p, bootstraps, seed, positive), *named([metric], p.classes)[metric]) for p in (a, b))
    difference = Distribution(first.value - second.value, first.samples - second.samples, first.patients)
    estimate = difference.estimate(level)
    if estimate.value is None or estimate.lo is None:
        return estimate, None
    samples = difference.samples[~np.isnan(difference.samples)]
    below, above = int((samples <= _ZERO).sum()), int((samples >= -_ZERO).sum())
    p = min(1.0, 2 * (min(below, above) + 1) / (len(samples) + 1))
    return (estimate if abs(estimate.value) < _ZERO else without_zero_width(estimate)), p


def fold_values(predictions: Predictions, metric: str, *, positive: int = 1) -> Floats:
    """Return (R, F): a metric in each fold of each repeat, nan where it does not exist there; for `corrected_resampled_t`."""
    truth, probabilities = check_probabilities(predictions.truth, predictions.probabilities)
    spec, label = named([metric], predictions.classes)[metric]
    names = np.unique(predictions.folds[predictions.folds >= 0])
    values = np.full((len(probabilities), len(names)), np.nan)
    for repeat, folds in enumerate(predictions.folds):
        for column, name in enumerate(names):
            rows = np.flatnonzero(folds == name)
            if len(rows):
                tally = Tally(truth[rows], probabilities[repeat : repeat + 1, rows], np.arange(len(rows)), np.ones((len(rows), 1), np.uint8), positive)
                values[repeat, column] = batch(tally, spec, label)[0]
    return values


def _tally(predictions: Predictions, bootstraps: int, seed: int, positive: int) -> Tally:
    """Set up the patients as they are (the first column of weights) and resampled (the others)."""
    if predictions.probabilities.ndim != 3 or len(predictions.patients) != len(predictions.truth):
        raise InputError(
            f"Probabilities of shape {predictions.probabilities.shape} for {len(predictions.patients)} patients",
            expected="(repeats, examinations, classes) with one patient an examination",
            action="add the axis of repeats",
        )
    truth, probabilities = check_probabilities(predictions.truth, predictions.probabilities)
    if not 0 <= positive < len(predictions.classes) or len(predictions.classes) != probabilities.shape[2]:
        raise InputError(
            f"Positive class {positive}, {len(predictions.classes)} names for {probabilities.shape[2]} columns",
            expected="one name a column and a positive class among them",
            action="check the class names",
        )
    if len(truth) == 0:
        raise InputError("No predictions", expected="at least one examination", action="check that the data were read")
    codes, patients = patient_codes(predictions.patients)
    weights = np.ones((patients, bootstraps + 1), np.uint8)
    weights[:, 1:] = draw_counts(patients, bootstraps, seed).T
    return Tally(truth, probabilities, codes, weights, positive)


def _distribution(tally: Tally, spec: MetricSpec, label: int | None) -> Distribution:
    values = batch(tally, spec, label)
    return Distribution(float(values[0]), values[1:], len(tally.weights))


def _estimate(tally: Tally, spec: MetricSpec, label: int | None, level: float) -> Estimate:
    distribution = _distribution(tally, spec, label)
    estimate = distribution.estimate(level)
    shown = without_zero_width(estimate)
    if shown is estimate or spec.share is None or estimate.value is None:
        return shown
    return _wilson_fallback(tally, spec, label, level, estimate.value)


def _wilson_fallback(tally: Tally, spec: MetricSpec, label: int | None, level: float, value: float) -> Estimate:
    """Return Wilson's limits with patients as n, averaged over the classes that the metric averages over."""
    single = label if label is not None else tally.positive
    averaged = label is None and (spec.averages or not tally.binary)
    if spec.share == "accuracy":
        limits = [wilson(value * len(tally.weights), len(tally.weights), level)]
    else:
        numbers = range(tally.classes) if averaged else [single]
        limits = [_class_limits(tally, spec, number, level) for number in numbers]
    kept = [(e.lo, e.hi) for e in limits if e.value is not None and e.lo is not None and e.hi is not None]
    if not kept:
        return Estimate(value)
    lo, hi = np.mean(kept, axis=0)
    return Estimate(value, float(lo), float(hi))


def _class_limits(tally: Tally, spec: MetricSpec, label: int, level: float) -> Estimate:
    """Return one class's share with Wilson's limits; n = patients with at least one examination in the denominator."""
    counted, right = _rows_of_share(tally, spec, label)
    total, patients = int(counted.sum()), tally.patients_with(counted)
    return wilson(patients * float(right.sum() / total) if total else 0.0, patients, level)


def _rows_of_share(tally: Tally, spec: MetricSpec, label: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return (R, n) rows in the denominator and in the numerator of a class's recall, specificity or precision."""
    has, given = np.broadcast_to(tally.truth == label, tally.predicted.shape), tally.answers == label
    if spec.share == "recall":
        return tally.predicted & has, tally.predicted & has & given
    if spec.share == "specificity":
        return tally.predicted & ~has, tally.predicted & ~has & ~given
    return tally.predicted & given, given & has


def _in_order_of(a: Predictions, b: Predictions) -> Predictions:
    """Return ``b`` with its rows in the order of ``a``; raises `InputError` where they are not the same examinations."""
    order = {image: row for row, image in enumerate(b.images)}
    rows = np.array([order.get(image, -1) for image in a.images], dtype=np.int64)
    same = len(a.images) == len(b.images) == len(order) and (rows >= 0).all() and a.classes == b.classes
    if not same or (b.truth[rows] != a.truth).any() or tuple(b.patients[r] for r in rows) != tuple(a.patients):
        raise InputError(
            f"{len(a.images)} and {len(b.images)} examinations that differ",
            expected="the same examinations, truths and classes",
            action="compare models on one data set",
        )
    return Predictions(b.classes, a.images, a.patients, a.truth, b.probabilities[:, rows], b.folds[:, rows], a.named)
