"""Confidence intervals: Wilson's for a proportion, the patient bootstrap for an area under the ROC curve, and how many patients they need."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from spinelab.core import InputError
from spinelab.evaluation.ranking import Ranking, auroc, resampled_auroc
from spinelab.evaluation.resampling import BOOTSTRAPS, LEVEL, Distribution, check_binary, check_level, draw_counts, patient_codes
from spinelab.evaluation.types import Estimate


def wilson(successes: float, n: int, level: float = LEVEL) -> Estimate:
    """Return a proportion with Wilson's score interval, without continuity correction.

    Wilson EB. J Am Stat Assoc 1927;22:209-212. ``n`` = 0 gives no value and the limits 0 and 1.
    """
    check_level(level)
    if not (0 <= successes <= n and math.isfinite(n)):
        raise InputError(f"{successes} successes of {n}", expected="0 <= successes <= n", action="check the counts")
    if n == 0:
        return Estimate(None, 0.0, 1.0)
    share, z = successes / n, float(ndtri((1 + level) / 2))
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = _wilson_half(n, share, z)
    lo = 0.0 if successes == 0 else max(0.0, centre - half)
    hi = 1.0 if successes == n else min(1.0, centre + half)
    return Estimate(share, lo, hi)


def _wilson_half(n: int, share: float, z: float) -> float:
    return z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)


def interval_halfwidth_wilson(n: int, p: float, level: float = LEVEL) -> float:
    """Return half the width of Wilson's interval when a share ``p`` is seen in ``n`` patients."""
    check_level(level)
    if n < 1 or not 0 <= p <= 1:
        raise InputError(f"Share {p} of {n} patients", expected="a share in [0, 1] of at least one patient", action="check the numbers")
    return _wilson_half(n, p, float(ndtri((1 + level) / 2)))


def patients_needed(difference: float, p: float, level: float = LEVEL) -> int:
    """Return the smallest number of patients of a class with whom Wilson's interval of a share ``p`` is no wider than twice ``difference``.

    For the headline of a small study: with so many patients of the rarest class its sensitivity would be known to +- ``difference``, counted from the
    middle of the interval. That lies between ``p`` and one half, so that the interval reaches further than ``difference`` from ``p`` on that side.
    """
    if not 0 < difference < 1:
        raise InputError(f"Half-width {difference}", expected="a value between 0 and 1, such as 0.05", action="correct the half-width")
    high = 1
    while interval_halfwidth_wilson(high, p, level) > difference:
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if interval_halfwidth_wilson(middle, p, level) <= difference else (middle, high)
    return high


def auroc_distribution(
    truth: ArrayLike, score: ArrayLike, *, groups: Sequence[Any] | NDArray[Any] | None = None, bootstraps: int = BOOTSTRAPS, seed: int = 0
) -> Distribution:
    """Return the AUROC of the patients and of ``bootstraps`` resamples of them.

    Without ``groups`` each row is a patient, and patients are numbered in ascending order of score: then the table of counts is already sorted.
    With them, whole groups are drawn, numbered in the order of their names. Resample b holds row i as often as
    ``draw_indices(patients, bootstraps, seed)[b]`` holds its patient's number.
    """
    positive, (values,) = check_binary(truth, score)
    ranking = Ranking.of(positive, values)
    if groups is None:
        patients = len(values)
        counts = np.ascontiguousarray(draw_counts(patients, bootstraps, seed).T)
    else:
        codes, patients = patient_codes(groups)
        counts = np.ascontiguousarray(draw_counts(patients, bootstraps, seed).T)[codes[ranking.order]]
    return Distribution(auroc(positive, values), resampled_auroc(ranking, counts), patients)


def auroc_interval(
    truth: ArrayLike, score: ArrayLike, *, groups: Sequence[Any] | NDArray[Any] | None = None, bootstraps: int = BOOTSTRAPS, seed: int = 0, level: float = LEVEL
) -> Estimate:
    """Return the AUROC with percentile limits of the patient bootstrap.

    The limits are those of a loop over ``roc_auc_score`` on the same resamples, to rounding, several hundred times sooner
    (``benchmarks/auc_interval.py``). There are none for fewer than two patients, a class that is missing from more than 5 % of the resamples, or a
    perfect separation, where every resample is perfect too and the bootstrap cannot tell how sure that is.

    Parameters
    ----------
    truth
        (n,) 1 = positive.
    score
        (n,) larger = more likely positive.
    groups
        (n,) patient of each row; a row is its own patient without.
    bootstraps, seed, level
        Number of resamples, seed of the draw, share of the resamples between the limits.
    """
    return without_zero_width(auroc_distribution(truth, score, groups=groups, bootstraps=bootstraps, seed=seed).estimate(level))


def without_zero_width(estimate: Estimate) -> Estimate:
    """Withhold limits that fall on the value: no finite sample is that sure."""
    if estimate.lo is not None and estimate.hi is not None and estimate.hi - estimate.lo < 1e-12:
        return Estimate(estimate.value)
    return estimate
