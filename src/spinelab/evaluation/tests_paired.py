"""Tests of two models on the same patients, and Holm's correction for testing many pairs."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import bdtr, chdtrc, stdtr, stdtrit

from spinelab.core import InputError
from spinelab.evaluation.resampling import LEVEL, check_level
from spinelab.evaluation.types import Estimate


def mcnemar(correct_a: ArrayLike, correct_b: ArrayLike, *, exact: bool = True, mid_p: bool = False) -> float:
    """Return McNemar's two-sided p value that two models are right equally often (Psychometrika 1947;12:153-157).

    One entry an independent patient: several images of a patient make p too small.

    Parameters
    ----------
    correct_a, correct_b
        (n,) whether each model is right.
    exact
        Binomial test of the discordant pairs; otherwise chi-squared with continuity correction, as R's ``mcnemar.test``.
    mid_p
        With ``exact``: count only half of the observed outcome (Fagerland MW et al. BMC Med Res Methodol 2013;13:91), less conservative.
    """
    a, b = np.asarray(correct_a), np.asarray(correct_b)
    if a.shape != b.shape or a.ndim != 1:
        raise InputError(f"Answers of shape {a.shape} and {b.shape}", expected="two lists of one length", action="compare models on one data set")
    a, b = a.astype(bool), b.astype(bool)
    only_a, only_b = int((a & ~b).sum()), int((b & ~a).sum())
    discordant, fewer = only_a + only_b, min(only_a, only_b)
    if discordant == 0:
        return 1.0
    if not exact:
        return float(chdtrc(1, max(0, abs(only_a - only_b) - 1) ** 2 / discordant))
    p = 2 * float(bdtr(fewer, discordant, 0.5))
    return min(1.0, p - math.comb(discordant, fewer) / 2**discordant if mid_p else p)


def corrected_resampled_t(differences: ArrayLike, *, test_fraction_ratio: float, level: float = LEVEL) -> tuple[Estimate, float | None]:
    """Return the mean difference over folds with Nadeau and Bengio's interval and two-sided p value (Mach Learn 2003;52:239-281).

    The k differences of cross-validation share training patients, so the variance of their mean is taken as var (1 / k + n_test / n_train) instead of
    var / k, with k - 1 degrees of freedom. Repeated cross-validation: Bouckaert RR, Frank E. PAKDD 2004.

    Parameters
    ----------
    differences
        One a fold and repeat, any shape; nan (no value in that fold) is left out.
    test_fraction_ratio
        n_test / n_train: 1 / (folds - 1) for cross-validation, 0.25 for a hold-out of 20 %.
    level
        Level of the interval.

    Returns
    -------
    estimate, p
        No limits and no p for fewer than two differences, or where all differ alike but are not zero.
    """
    check_level(level)
    values = np.asarray(differences, dtype=np.float64).ravel()
    values = values[~np.isnan(values)]
    if not (math.isfinite(test_fraction_ratio) and test_fraction_ratio > 0):
        raise InputError(f"n_test / n_train of {test_fraction_ratio}", expected="a positive number, such as 0.25 for five folds", action="give 1 / (folds - 1)")
    if len(values) < 2:
        return Estimate(float(values[0]) if len(values) else None), None
    mean, variance = float(values.mean()), float(values.var(ddof=1))
    if variance < 1e-24:
        return Estimate(mean), (1.0 if abs(mean) < 1e-12 else None)
    error = math.sqrt(variance * (1 / len(values) + test_fraction_ratio))
    half = float(stdtrit(len(values) - 1, (1 + level) / 2)) * error
    return Estimate(mean, mean - half, mean + half), float(2 * stdtr(len(values) - 1, -abs(mean) / error))


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Return p values adjusted by Holm's step-down method (Scand J Stat 1979;6:65-70), in their order; ``None`` is not a test and stays."""
    tests = sorted((p, place) for place, p in enumerate(p_values) if p is not None and not math.isnan(p))
    adjusted: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for done, (p, place) in enumerate(tests):
        largest = max(largest, min(1.0, (len(tests) - done) * p))
        adjusted[place] = largest
    return adjusted
