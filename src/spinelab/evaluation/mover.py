"""Intervals of a sum of mean squares, and of a mean plus or minus a multiple of a standard deviation.

Zou GY. Confidence interval estimation for the Bland-Altman limits of agreement with multiple observations per individual. Stat Methods Med Res
2013;22:630-642 (MOVER: the variance of each part is recovered from its own interval). Graybill FA, Wang CM. J Am Stat Assoc 1980;75:869-873.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from scipy.special import chdtri, ndtri

from spinelab.evaluation.types import Estimate


def chi_square_factors(freedom: float, level: float) -> tuple[float, float]:
    """Return what a mean square is multiplied by to give its lower and upper limit."""
    tail = (1 - level) / 2
    return freedom / float(chdtri(freedom, tail)), freedom / float(chdtri(freedom, 1 - tail))


def variance_interval(parts: Sequence[tuple[float, float, float]], level: float) -> Estimate:
    """Return the sum of (weight, mean square, degrees of freedom) with its limits; one part gives the exact chi-squared interval.

    Parts with no degree of freedom are left out.
    """
    used = [(weight * square, chi_square_factors(freedom, level)) for weight, square, freedom in parts if freedom > 0]
    total = sum(size for size, _ in used)
    below = math.sqrt(sum((size * (1 - lo)) ** 2 for size, (lo, _) in used))
    above = math.sqrt(sum((size * (hi - 1)) ** 2 for size, (_, hi) in used))
    return Estimate(total, max(0.0, total - below), total + above)


def mean_plus_deviations(mean: float, error: float, variance: Estimate, multiple: float, level: float) -> Estimate:
    """Return ``mean`` + ``multiple`` standard deviations with limits; ``error`` is the mean's standard error, ``multiple`` may be negative."""
    if variance.value is None or variance.lo is None or variance.hi is None:
        return Estimate(None)
    z = float(ndtri((1 + level) / 2))
    centre, spread = multiple * math.sqrt(variance.value), z * error
    near, far = multiple * math.sqrt(variance.lo), multiple * math.sqrt(variance.hi)
    low, high = min(near, far), max(near, far)
    value = mean + centre
    return Estimate(value, value - math.hypot(spread, centre - low), value + math.hypot(spread, high - centre))
