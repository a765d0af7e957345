"""ROC and precision-recall curves, with bands from resampled patients."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spinelab.core import InputError
from spinelab.evaluation.ranking import Ranking
from spinelab.evaluation.resampling import BOOTSTRAPS, LEVEL, MOST_UNDEFINED, Floats, check_binary, check_level, draw_counts, patient_codes, ratio


@dataclass(frozen=True, eq=False)
class Curve:
    """A curve through every threshold, from the strictest down: ``x`` and ``y`` with the threshold that gives them.

    For ROC, x is the false-positive and y the true-positive rate; for precision-recall, x is recall and y precision.
    """

    x: Floats
    y: Floats
    thresholds: Floats


@dataclass(frozen=True, eq=False)
class Band:
    """A curve on a fixed grid with limits at each x; ``lo`` and ``hi`` are nan where none can be given."""

    x: Floats
    y: Floats
    lo: Floats
    hi: Floats


def _cumulative(truth: ArrayLike, score: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Return true positives, false positives and threshold at each distinct score, from the highest down."""
    positive, (values,) = check_binary(truth, score)
    order = np.argsort(-values, kind="stable")
    ordered, classes = values[order], positive[order]
    last = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True)[: len(order)])
    return np.cumsum(classes)[last].astype(np.float64), np.cumsum(~classes)[last].astype(np.float64), ordered[last]


def roc_curve(truth: ArrayLike, score: ArrayLike) -> Curve:
    """Return the ROC curve from (0, 0) to (1, 1), every distinct score a point; raises `InputError` where a class is missing."""
    found, false, thresholds = _cumulative(truth, score)
    if len(found) == 0 or found[-1] == 0 or false[-1] == 0:
        raise InputError("A truth of one class", expected="positives and negatives", action="leave the curve out")
    return Curve(np.r_[0.0, false / false[-1]], np.r_[0.0, found / found[-1]], np.r_[np.inf, thresholds])


def pr_curve(truth: ArrayLike, score: ArrayLike) -> Curve:
    """Return the precision-recall curve, every distinct score a point; raises `InputError` where nobody is positive."""
    found, false, thresholds = _cumulative(truth, score)
    if len(found) == 0 or found[-1] == 0:
        raise InputError("A truth without positives", expected="at least one positive", action="leave the curve out")
    return Curve(found / found[-1], found / (found + false), thresholds)


def _at_fpr(found: Floats, false: Floats, grid: Floats) -> Floats:
    """Read sensitivity at false-positive rates: the upper end of a step, straight between points."""
    if not (found[-1] and false[-1]):
        return np.full(len(grid), np.nan)
    x, y = np.r_[0.0, false / false[-1]], np.r_[0.0, found / found[-1]]
    last = np.append(x[1:] != x[:-1], True)
    return np.asarray(np.interp(grid, x[last], y[last]), dtype=np.float64)


def _at_recall(found: Floats, false: Floats, grid: Floats) -> Floats:
    """Read the precision of the strictest threshold that reaches each recall: precision is not linear between points."""
    if not found[-1]:
        return np.full(len(grid), np.nan)
    at = np.searchsorted(found / found[-1], grid - 1e-12, side="left")
    first = int(np.argmax(found > 0))
    precision = ratio(found, found + false)
    return np.asarray(precision[np.maximum(at, first)], dtype=np.float64)


def roc_band(
    truth: ArrayLike,
    score: ArrayLike,
    *,
    groups: Sequence[Any] | NDArray[Any] | None = None,
    points: int = 101,
    bootstraps: int = BOOTSTRAPS,
    seed: int = 0,
    level: float = LEVEL,
) -> Band:
    """Return sensitivity at fixed false-positive rates with pointwise percentile limits over resampled patients.

    Vertical averaging (Fawcett T. Pattern Recognit Lett 2006;27:861-874). With scores ``(R, n)`` of repeated cross-validation the
    curves of the repeats are averaged.
    """
    return _band(_at_fpr, truth, score, groups, np.linspace(0, 1, points), (bootstraps, seed, level))


def pr_band(
    truth: ArrayLike,
    score: ArrayLike,
    *,
    groups: Sequence[Any] | NDArray[Any] | None = None,
    points: int = 101,
    bootstraps: int = BOOTSTRAPS,
    seed: int = 0,
    level: float = LEVEL,
) -> Band:
    """Return precision at fixed recalls with pointwise percentile limits over resampled patients; arguments as in `roc_band`."""
    return _band(_at_recall, truth, score, groups, np.linspace(0, 1, points), (bootstraps, seed, level))


def _band(
    read: Callable[[Floats, Floats, Floats], Floats],
    truth: ArrayLike,
    score: ArrayLike,
    groups: Sequence[Any] | NDArray[Any] | None,
    grid: Floats,
    draw: tuple[int, int, float],
) -> Band:
    bootstraps, seed, level = draw
    check_level(level)
    repeats = np.atleast_2d(np.asarray(score, dtype=np.float64))
    codes, patients = patient_codes(np.arange(repeats.shape[1]) if groups is None else groups)
    weights = np.ones((patients, bootstraps + 1), np.uint8)
    weights[:, 1:] = draw_counts(patients, bootstraps, seed).T
    curves = np.zeros((bootstraps + 1, len(grid)))
    for values in repeats:
        positive, _ = check_binary(truth, values)
        for row, (found, false) in enumerate(_weighted_steps(positive, values, weights, codes)):
            curves[row] += read(found, false, grid) / len(repeats)
    lo, hi = _limits(curves[1:], level) if patients >= 2 else np.full((2, len(grid)), np.nan)
    return Band(grid, curves[0], lo, hi)


def _weighted_steps(positive: NDArray[np.bool_], score: Floats, weights: NDArray[np.uint8], codes: NDArray[np.int64]) -> Iterator[tuple[Floats, Floats]]:
    """Yield true and false positives at each distinct score, from the highest down, for each resample."""
    ranking = Ranking.of(positive, score)
    order = ranking.order[::-1]
    # read from the top, the row that opens a score upwards is the last one of it
    ends = np.flatnonzero(np.append(score[order][1:] != score[order][:-1], True)[: len(order)])
    for counts in np.ascontiguousarray(weights.T)[:, codes[order]]:
        yield np.cumsum(counts * positive[order], dtype=np.float64)[ends], np.cumsum(counts * ~positive[order], dtype=np.float64)[ends]


def _limits(samples: Floats, level: float) -> tuple[Floats, Floats]:
    """Return pointwise percentile limits over defined resamples; nan where too few are defined."""
    defined = ~np.isnan(samples).any(axis=1)
    if defined.mean() < 1 - MOST_UNDEFINED:
        return np.full(samples.shape[1], np.nan), np.full(samples.shape[1], np.nan)
    lo, hi = np.quantile(samples[defined], [(1 - level) / 2, (1 + level) / 2], axis=0)
    return lo, hi
