"""Correlation of two measurements, and how close they lie to the line of equality."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from spinelab.evaluation.cluster import check_rows
from spinelab.evaluation.resampling import LEVEL, Floats, check_level, ratio
from spinelab.evaluation.types import Estimate


def pearson(value: ArrayLike, truth: ArrayLike, *, level: float = LEVEL) -> Estimate:
    """Return Pearson's correlation with Fisher's z interval, for independent films; pairs with a missing number are left out.

    A high correlation is no agreement: a ruler that reads twice the truth correlates perfectly.
    """
    first, second = _paired(value, truth, level)
    r = float(correlation(moments(first, second).sum(0)))
    return _fisher(r, 1 / math.sqrt(len(first) - 3) if len(first) > 3 else None, level)


def lins_ccc(value: ArrayLike, truth: ArrayLike, *, level: float = LEVEL) -> Estimate:
    """Return Lin's concordance correlation with his z-transformed interval, for independent films.

    Lin LI. Biometrics 1989;45:255-268, variance as corrected in 2000;56:324-325; variances with divisor n. Pairs with a missing number are left out.
    """
    first, second = _paired(value, truth, level)
    sums = moments(first, second).sum(0)
    ccc, r, rows = float(concordance(sums)), float(correlation(sums)), len(first)
    if rows < 3 or math.isnan(ccc) or math.isnan(r) or r == 0 or abs(ccc) >= 1:
        return Estimate(None if math.isnan(ccc) else ccc)
    shift = (float(first.mean()) - float(second.mean())) ** 2 / float(first.std() * second.std())
    variance = (1 - r**2) * ccc**2 * (1 - ccc**2) / r**2 + 2 * ccc**3 * (1 - ccc) * shift / r - 0.5 * ccc**4 * shift**2 / r**2
    return _fisher(ccc, math.sqrt(max(variance, 0.0) / (rows - 2)) / (1 - ccc**2), level)


def moments(value: Floats, truth: Floats) -> Floats:
    """Return (n, 6): 1, x, y, xx, yy, xy of each film about the means, the raw material of every correlation."""
    x, y = value - value.mean() if len(value) else value, truth - value.mean() if len(value) else truth
    return np.stack([np.ones(len(x)), x, y, x * x, y * y, x * y], axis=-1)


def correlation(sums: Floats) -> Floats:
    """Return Pearson's correlation from (..., 6) summed `moments`; nan where one of the two does not vary."""
    _, _, xx, yy, xy = central(sums)
    return np.where((xx > 0) & (yy > 0), np.clip(ratio(xy, np.sqrt(np.maximum(xx * yy, 0))), -1, 1), np.nan)


def concordance(sums: Floats) -> Floats:
    """Return Lin's concordance correlation from (..., 6) summed `moments`."""
    mx, my, xx, yy, xy = central(sums)
    return ratio(2 * xy, xx + yy + (mx - my) ** 2)


def central(sums: Floats) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """Return means, variances and covariance with divisor n; nan where there are no films, 0 where all that remains is the error of rounding."""
    n = sums[..., 0]
    mx, my = ratio(sums[..., 1], n), ratio(sums[..., 2], n)
    xx, yy = (varying(ratio(sums[..., place], n), mean) for place, mean in ((3, mx), (4, my)))
    together = np.where((xx == 0) | (yy == 0), 0.0, ratio(sums[..., 5], n) - mx * my)
    return mx, my, xx, yy, together


def varying(square: Floats, mean: Floats) -> Floats:
    """Return the variance from a mean square and a mean: of one film drawn over and over it is nothing, not a rest of either sign."""
    variance = square - mean**2
    return np.where(variance <= 1e-12 * square, 0.0, variance)


def _paired(value: ArrayLike, truth: ArrayLike, level: float) -> tuple[Floats, Floats]:
    check_level(level)
    first, second = check_rows(value=value, truth=truth)
    kept = np.isfinite(first) & np.isfinite(second)
    return first[kept], second[kept]


def _fisher(r: float, error: float | None, level: float) -> Estimate:
    """Return a correlation with limits that are symmetric in artanh."""
    if math.isnan(r):
        return Estimate(None)
    if error is None or abs(r) >= 1:
        return Estimate(r)
    half = float(ndtri((1 + level) / 2)) * error
    return Estimate(r, math.tanh(math.atanh(r) - half), math.tanh(math.atanh(r) + half))
