"""DeLong's variance of areas under the ROC curve, their interval, and the test of two areas on the same patients.

DeLong ER, DeLong DM, Clarke-Pearson DL. Biometrics 1988;44:837-845, in O(n log n). Where patients have several images, ``groups`` adds up
the components of each patient first (Obuchowski NA. Biometrics 1997;53:567-578); with one image a patient both are the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

from spinelab.evaluation.resampling import LEVEL, Floats, check_binary, check_level, patient_codes
from spinelab.evaluation.types import Estimate

_NOTHING: Final = 1e-15
"""A variance below this is the error of rounding, of either sign."""

Groups = Sequence[Any] | NDArray[Any] | None


def _components(above: Floats, below: Floats) -> tuple[Floats, Floats]:
    """Return for each positive the share of negatives it beats, for each negative the share of positives that beat it.

    Both sides are sorted once; searching sorted values in sorted values stays in the cache, where ranking the pooled sample
    sorts three times.
    """
    up, down = np.argsort(above), np.argsort(below)
    high, low = above[up], below[down]
    beaten = np.searchsorted(low, high, "left") + np.searchsorted(low, high, "right")
    beating = np.searchsorted(high, low, "left") + np.searchsorted(high, low, "right")
    of_positive, of_negative = np.empty(len(high)), np.empty(len(low))
    of_positive[up] = beaten / (2 * len(low))
    of_negative[down] = 1 - beating / (2 * len(high))
    return of_positive, of_negative


def _covariance(positive: NDArray[np.bool_], scores: Sequence[Floats], groups: Groups) -> tuple[Floats, Floats]:
    """Return the areas (S,) and their covariance (S, S) of S scores."""
    parts = [_components(score[positive], score[~positive]) for score in scores]
    won, lost = np.array([p for p, _ in parts]), np.array([n for _, n in parts])
    areas = won.mean(1)
    if groups is not None:
        return areas, _clustered(positive, won - areas[:, None], lost - areas[:, None], groups)
    m, n = won.shape[1], lost.shape[1]
    return areas, _scatter(won, areas) / (m * (m - 1)) + _scatter(lost, areas) / (n * (n - 1))


def _scatter(components: Floats, areas: Floats) -> Floats:
    centred = components - areas[:, None]
    return np.asarray(centred @ centred.T, dtype=np.float64)


def _clustered(positive: NDArray[np.bool_], won: Floats, lost: Floats, groups: Groups) -> Floats:
    """Return Obuchowski's covariance from the centred components of positives and negatives."""
    codes, patients = patient_codes(np.asarray(groups))
    m, n = won.shape[1], lost.shape[1]
    first = np.array([np.bincount(codes[positive], weights=row, minlength=patients) for row in won])
    second = np.array([np.bincount(codes[~positive], weights=row, minlength=patients) for row in lost])
    with_positive, with_negative = len(np.unique(codes[positive])), len(np.unique(codes[~positive]))
    s10 = first @ first.T * with_positive / ((with_positive - 1) * m)
    s01 = second @ second.T * with_negative / ((with_negative - 1) * n)
    s11 = first @ second.T * patients / (patients - 1)
    return np.asarray(s10 / m + s01 / n + (s11 + s11.T) / (m * n), dtype=np.float64)


def _enough(positive: NDArray[np.bool_], groups: Groups) -> bool:
    """Tell whether both classes have two patients, the least from which a variance can be had."""
    if groups is None:
        return 2 <= int(np.count_nonzero(positive)) <= len(positive) - 2
    codes, _ = patient_codes(groups)
    return all(len(np.unique(codes[side])) >= 2 for side in (positive, ~positive))


def delong_variance(truth: ArrayLike, score: ArrayLike, *, groups: Groups = None) -> float:
    """Return the variance of an AUROC; nan where a class has fewer than two patients.

    Parameters
    ----------
    truth
        (n,) 1 = positive.
    score
        (n,) larger = more likely positive.
    groups
        (n,) patient of each row; a row is its own patient without.
    """
    positive, scores = check_binary(truth, score)
    return max(0.0, float(_covariance(positive, scores, groups)[1][0, 0])) if _enough(positive, groups) else float("nan")


def delong_interval(truth: ArrayLike, score: ArrayLike, *, groups: Groups = None, level: float = LEVEL, logit: bool = False) -> Estimate:
    """Return an AUROC with DeLong's interval: area +- z standard errors, cut at 0 and 1, as pROC's ``ci.auc`` does.

    ``logit=True`` takes the interval on the logit scale, which stays inside and covers better near 1 (Pepe MS. The Statistical Evaluation of Medical
    Tests 2003, section 5.2). No limits where the variance is zero: a perfect separation says nothing about its own spread.
    """
    check_level(level)
    positive, scores = check_binary(truth, score)
    if not (positive.any() and (~positive).any()):
        return Estimate(None)
    if not _enough(positive, groups):
        return Estimate(float(_components(scores[0][positive], scores[0][~positive])[0].mean()))
    areas, covariance = _covariance(positive, scores, groups)
    area, variance, z = float(areas[0]), float(covariance[0, 0]), float(ndtri((1 + level) / 2))
    if variance < _NOTHING:
        return Estimate(area)
    error = float(np.sqrt(variance))
    if not logit:
        return Estimate(area, max(0.0, area - z * error), min(1.0, area + z * error))
    centre, half = np.log(area / (1 - area)), z * error / (area * (1 - area))
    return Estimate(area, float(1 / (1 + np.exp(half - centre))), float(1 / (1 + np.exp(-half - centre))))


def delong_test(truth: ArrayLike, a: ArrayLike, b: ArrayLike, *, groups: Groups = None, level: float = LEVEL) -> tuple[Estimate, float | None]:
    """Return how much larger the AUROC of ``a`` is than that of ``b`` on the same patients, and a two-sided p value.

    p is 1 where the two scores rank everybody alike; there is none where a class has fewer than two patients.
    """
    check_level(level)
    positive, scores = check_binary(truth, a, b)
    if not _enough(positive, groups):
        return Estimate(None), None
    areas, covariance = _covariance(positive, scores, groups)
    difference = float(areas[0] - areas[1])
    variance = float(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    if variance < _NOTHING:
        return Estimate(difference), (1.0 if abs(difference) < 1e-12 else None)
    error = float(np.sqrt(variance))
    half = float(ndtri((1 + level) / 2)) * error
    return Estimate(difference, difference - half, difference + half), float(2 * ndtr(-abs(difference) / error))
