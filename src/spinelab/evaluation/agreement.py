"""How well a measurement agrees with its reference: errors, correlation and intervals, whole patients resampled.

Every figure and its outside number: ``docs/reference/agreement.md``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spinelab.core import InputError
from spinelab.evaluation.bland_altman import ROUNDING, bland_altman
from spinelab.evaluation.cluster import Resamples, check_patients, check_rows, estimate_of
from spinelab.evaluation.concordance import central, concordance, correlation, moments, varying
from spinelab.evaluation.coverage import interval_agreement
from spinelab.evaluation.icc import DETECTABLE
from spinelab.evaluation.resampling import BOOTSTRAPS, LEVEL, Distribution, Floats, ratio
from spinelab.evaluation.types import Estimate


def smape(
    value: ArrayLike,
    truth: ArrayLike,
    patients: Sequence[Any] | NDArray[Any] | None = None,
    *,
    variant: Literal["aasce", "pooled"] = "aasce",
    bootstraps: int = BOOTSTRAPS,
    seed: int = 0,
) -> Estimate:
    """Return the symmetric mean absolute percentage error of several angles a film, in percent.

    ``aasce`` is the definition of the AASCE challenge (MICCAI 2019): for each image the summed distance of its angles from the truth over the sum of
    both, sum abs(a - b) / sum (a + b), averaged over the images, times 100. ``pooled`` sums over all images before dividing, so films with
    hardly any curve weigh little. There is no factor 2: the worst is 100 %. Other authors divide angle by angle; those figures are larger and
    cannot be compared with these.

    Parameters
    ----------
    value, truth
        (n, angles) or (n,), none negative; a film with a missing angle is left out. A film with all angles 0 in both counts as 0 %.
    patients
        (n,) patient of each film.

    Raises
    ------
    InputError
        For negative values: a percentage of a signed angle has no meaning.
    """
    if variant not in {"aasce", "pooled"}:
        raise InputError(f"SMAPE variant {variant!r}", expected="aasce or pooled", action="choose one")
    first, second = np.asarray(value, dtype=np.float64), np.asarray(truth, dtype=np.float64)
    if first.shape != second.shape or first.ndim not in {1, 2}:
        raise InputError(f"Angles {first.shape} and {second.shape}", expected="(films, angles) twice", action="pair the films first")
    first, second = first.reshape(len(first), -1), second.reshape(len(second), -1)
    names = check_patients(patients, len(first))
    kept = np.isfinite(first).all(axis=1) & np.isfinite(second).all(axis=1)
    if (first[kept] < 0).any() or (second[kept] < 0).any():
        raise InputError("Negative angles", expected="angles of 0 or more", action="report the mean absolute error instead")
    if not kept.any():
        return Estimate(None)
    draws = Resamples.of(names[kept], bootstraps=bootstraps, seed=seed)
    return estimate_of(_smape(draws, first[kept], second[kept], variant))


def _smape(draws: Resamples, value: Floats, truth: Floats, variant: str = "aasce") -> Distribution:
    apart, whole = np.abs(value - truth).sum(axis=1), (value + truth).sum(axis=1)
    if variant == "pooled":
        sums = draws.totals(np.stack([apart, whole], axis=1))
        return draws.distribution(100 * ratio(sums[:, 0], sums[:, 1]))
    return draws.mean(100 * np.divide(apart, whole, out=np.zeros_like(apart), where=whole > 0))


def error_metrics(
    value: ArrayLike,
    truth: ArrayLike,
    patients: Sequence[Any] | NDArray[Any] | None = None,
    *,
    within: float = 5.0,
    bootstraps: int = BOOTSTRAPS,
    seed: int = 0,
    level: float = LEVEL,
) -> dict[str, Estimate]:
    """Return the errors of a measurement against its reference, each with percentile limits over resampled patients.

    Parameters
    ----------
    value, truth
        (n,) finite numbers in one unit.
    patients
        (n,) patient of each film; all films of a drawn patient come together.
    within
        The share of films whose error is at most this is ``within_5`` (deg for angles, mm for lengths).

    Returns
    -------
    dict
        ``mae``, ``median_absolute_error``, ``p90_absolute_error``, ``sd_absolute_error``, ``rmse``, ``bias`` (value - truth), ``sd_difference``,
        ``mdc95`` (1.96 x sqrt 2 x ``sd_difference``: the difference of two films that the errors of both explain, the reference taken as right; a
        constant bias cancels, and standing again differently is not in it),
        ``pearson``, ``ccc`` (Lin), ``icc_1_1``, ``icc_2_1``, ``icc_3_1`` (model and reference as two readers, single reading) and ``icc_1_k``,
        ``icc_2_k``, ``icc_3_k`` (the mean of both), ``within_5`` (Wilson's limits,
        n reduced for films of one patient) and, where nothing is negative, ``smape`` of this quantity alone in percent.
    """
    first, second = check_rows(value=value, truth=truth)
    if not (np.isfinite(first).all() and np.isfinite(second).all()) or len(first) == 0:
        raise InputError(f"{len(first)} pairs, some of them missing", expected="at least one pair, all finite", action="leave withheld measurements out")
    draws = Resamples.of(check_patients(patients, len(first)), bootstraps=bootstraps, seed=seed)
    absolute = np.abs(first - second)
    found = {
        "mae": draws.mean(absolute),
        "median_absolute_error": draws.quantile(absolute, 0.5),
        "p90_absolute_error": draws.quantile(absolute, 0.9),
        **_moment_metrics(draws, first, second),
    }
    if (first >= 0).all() and (second >= 0).all():
        found["smape"] = _smape(draws, first[:, None], second[:, None])
    metrics = {name: estimate_of(distribution, level) for name, distribution in found.items()}
    return metrics | {f"within_{within:g}": draws.share(absolute <= within, level=level)}


def _moment_metrics(draws: Resamples, value: Floats, truth: Floats) -> dict[str, Distribution]:
    """Return everything that follows from sums of values, products and errors."""
    difference = value - truth
    sums = draws.totals(moments(value, truth))
    errors = draws.totals(np.stack([difference, difference**2, np.abs(difference)], axis=1))
    n = sums[:, 0]
    bias, square, mae = (ratio(errors[:, place], n) for place in range(3))
    apart = _deviation(varying(square, bias), n)
    whole = {
        "sd_absolute_error": _deviation(varying(square, mae), n),
        "rmse": np.sqrt(square),
        "bias": bias,
        "sd_difference": apart,
        "mdc95": DETECTABLE * apart,
        "pearson": correlation(sums),
        "ccc": concordance(sums),
        **_icc_of_two(sums, square),
    }
    return {name: draws.distribution(samples) for name, samples in whole.items()}


def _deviation(variance: Floats, n: Floats) -> Floats:
    """Return the standard deviation with divisor n - 1 from a variance with divisor n."""
    return np.sqrt(variance * ratio(n, n - 1))


def _icc_of_two(sums: Floats, square: Floats) -> dict[str, Floats]:
    """Return the six forms of the ICC of two readings from summed moments and the mean squared difference: the mean squares of a table of two columns."""
    n = sums[:, 0]
    mx, my, xx, yy, xy = central(sums)
    freedom = ratio(n, n - 1)
    subjects, residual = (np.maximum(xx + yy + sign * 2 * xy, 0) / 2 * freedom for sign in (1, -1))
    readers, within = n * (mx - my) ** 2 / 2, square / 2
    single = {
        "icc_1": ratio(subjects - within, subjects + within),
        "icc_2": ratio(subjects - residual, subjects + residual + 2 * ratio(readers - residual, n)),
        "icc_3": ratio(subjects - residual, subjects + residual),
    }
    # from -1 on Spearman and Brown's step to the mean of both leads nowhere, and beyond it to the other sign
    means = {f"{name}_k": ratio(2 * one, np.where(1 + one > 1e-12, 1 + one, 0)) for name, one in single.items()}
    return {f"{name}_1": one for name, one in single.items()} | means


def wilcoxon_test(value: ArrayLike, truth: ArrayLike, patients: Sequence[Any] | NDArray[Any] | None = None) -> dict[str, Any]:
    """Return Wilcoxon's signed-rank test that the differences are symmetric about 0, one mean difference a patient.

    Several films of a patient are averaged, because the test takes its entries as independent. Differences that are one but for rounding are ties, as with
    ``digits.rank`` of R's ``wilcox.test``. A p value above .05 is no proof of agreement. Exact for up to 50 patients without ties or zeros, by all
    permutations for up to 13 with them (SciPy's rule), otherwise the normal approximation with continuity correction, as in R.

    Returns
    -------
    dict
        ``statistic`` (sum of ranks of positive differences), ``p`` (``None`` where no patient differs), ``patients``.
    """
    from scipy.stats import wilcoxon  # slow to import, and the command line imports this file

    first, second = check_rows(value=value, truth=truth)
    names = check_patients(patients, len(first))
    kept = np.isfinite(first) & np.isfinite(second)
    difference = first[kept] - second[kept]
    _, codes = np.unique(names[kept], return_inverse=True)
    mean = np.bincount(codes, weights=difference) / np.bincount(codes) if len(difference) else difference
    step = ROUNDING * max(np.abs(first[kept]).max(initial=0), np.abs(second[kept]).max(initial=0))
    mean = np.round(mean / step) * step if step > 0 else mean
    if not mean.any():
        return {"statistic": None, "p": None, "patients": len(mean)}
    found = wilcoxon(mean, correction=True)
    return {"statistic": _positive_ranks(mean), "p": float(found.pvalue), "patients": len(mean)}


def _positive_ranks(difference: Floats) -> float:
    from scipy.stats import rankdata

    used = difference[difference != 0]
    return float(np.asarray(rankdata(np.abs(used)))[used > 0].sum())


def measurement_agreement(
    value: ArrayLike,
    truth: ArrayLike,
    patients: Sequence[Any] | NDArray[Any] | None = None,
    lo: ArrayLike | None = None,
    hi: ArrayLike | None = None,
    *,
    within: float = 5.0,
    bootstraps: int = BOOTSTRAPS,
    seed: int = 0,
) -> dict[str, Any]:
    """Return everything about one quantity's agreement with its reference, ready for JSON.

    Parameters
    ----------
    value, truth
        (n,) in one unit; a nan value was withheld, a nan truth has no reference. Both are counted and left out.
    patients
        (n,) patient of each film; each film its own without.
    lo, hi
        (n,) the 95 % intervals that came with the values, if any.
    within
        Largest error that counts as close, in the unit.

    Returns
    -------
    dict
        ``n`` (compared), ``patients``, ``films`` (given), ``withheld`` (reference known, value not), ``without_reference``, ``metrics`` (name to value, lo, hi;
        see `error_metrics`; ``bias`` has the t interval of ``bland_altman``), ``wilcoxon``, ``bland_altman``, and ``interval`` (see `interval_agreement`)
        where limits were given. With nothing to compare there are only the counts.
    """
    first, second = check_rows(value=value, truth=truth)
    names = check_patients(patients, len(first))
    known, answered = np.isfinite(second), np.isfinite(first)
    kept = known & answered
    counts = {
        "n": int(kept.sum()),
        "patients": len(np.unique(names[kept])),
        "films": len(first),
        "withheld": int((known & ~answered).sum()),
        "without_reference": int((~known).sum()),
    }
    if not kept.any():
        return counts
    pair, own = (first[kept], second[kept]), names[kept]
    metrics = error_metrics(*pair, own, within=within, bootstraps=bootstraps, seed=seed)
    limits = bland_altman(*pair, own)
    metrics["bias"] = limits.bias
    report: dict[str, Any] = counts | {
        "metrics": {name: estimate.to_dict() for name, estimate in metrics.items()},
        "wilcoxon": wilcoxon_test(*pair, own),
        "bland_altman": limits.to_dict(),
    }
    if lo is not None and hi is not None:
        low, high, _ = check_rows(lo=lo, hi=hi, value=first)
        report["interval"] = interval_agreement(low[kept], high[kept], pair[1], own, bootstraps=bootstraps, seed=seed)
    return report
