"""How far two measurements of the same thing differ: bias and limits of agreement, with an interval of each.

Bland JM, Altman DG. Lancet 1986;i:307-310; Stat Methods Med Res 1999;8:135-160 (intervals, slope); J Biopharm Stat 2007;17:571-582 (several films a
patient, the true value differing between them). Exact limits: Carkeet A. Optom Vis Sci 2015;92:e71-80. Several films: Zou 2013 (`mover`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri, stdtrit

from spinelab.evaluation.cluster import check_patients, check_rows
from spinelab.evaluation.intervals import without_zero_width
from spinelab.evaluation.mover import mean_plus_deviations, variance_interval
from spinelab.evaluation.resampling import LEVEL, Floats, Ints, check_level, patient_codes
from spinelab.evaluation.types import Estimate

ROUNDING: Final = 1e-12
"""Share of the largest reading up to which readings differ by the error of rounding alone."""


@dataclass(frozen=True, slots=True)
class BlandAltman:
    """Bias and limits of agreement of ``value`` - ``truth``, in the unit of the measurement.

    Parameters
    ----------
    bias
        Mean difference, with its t interval.
    lower, upper
        Limits between which 95 % of the differences of new films are expected; intervals exact with one film a patient, by MOVER with several.
    lower_classical, upper_classical
        The same with the intervals of Bland and Altman 1999; none with several films a patient.
    lower_mover, upper_mover
        The same with the intervals of Zou 2013.
    sd, sd_between, sd_within
        Standard deviation of a difference, and its parts between patients and within a patient (``None`` with one film a patient).
    slope
        Change of the difference per unit of the mean of both (proportional bias): 0 is none.
    films, patients
        How many were compared.
    note
        In words: which method, and what could not be given.
    """

    bias: Estimate
    lower: Estimate
    upper: Estimate
    lower_classical: Estimate
    upper_classical: Estimate
    lower_mover: Estimate
    upper_mover: Estimate
    sd: float | None
    sd_between: float | None
    sd_within: float | None
    slope: Estimate
    films: int
    patients: int
    note: str

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


class _Limits(NamedTuple):
    """Lower and upper limit of agreement."""

    lower: Estimate
    upper: Estimate


@dataclass(frozen=True, slots=True)
class _Spread:
    """Variance components of the differences, one-way by patient."""

    mean: float
    error: float
    parts: tuple[tuple[float, float, float], ...]
    between: float
    within: float
    rows: int
    patients: int


def bland_altman(
    value: ArrayLike, truth: ArrayLike, patients: Sequence[Any] | NDArray[Any] | None = None, *, level: float = LEVEL, agreement: float = 0.95
) -> BlandAltman:
    """Return bias and limits of agreement; pairs with a missing number are left out and counted in the note.

    With several films a patient the variance is split between and within patients by a one-way analysis of variance (Bland and Altman 2007, section 3);
    taking the films as independent would make the limits too sure. The slope is that of a regression of the difference on the mean of both, on
    the mean because a regression on the reference alone shows a slope where there is none (Bland and Altman, Lancet 1995;346:1085-7); it
    also differs from 0 where the two spread differently. With several films a patient its standard error is summed over patients (CR1).

    Parameters
    ----------
    value, truth
        (n,) the two measurements in one unit.
    patients
        (n,) patient of each film; each film its own without.
    level
        Of the intervals.
    agreement
        Share of differences between the limits: .95 gives bias +- 1.96 standard deviations.
    """
    check_level(level)
    check_level(agreement)
    first, second = check_rows(value=value, truth=truth)
    names = check_patients(patients, len(first))
    kept = np.isfinite(first) & np.isfinite(second)
    codes, count = patient_codes(names[kept])
    missing = int((~kept).sum())
    note = f"; {missing} pair{'s' * (missing != 1)} with a missing number left out" if missing else ""
    difference, mean = (first - second)[kept], ((first + second) / 2)[kept]
    if count < 2:
        return _too_few(difference, count, note)
    least = ROUNDING * float(max(np.abs(first[kept]).max(), np.abs(second[kept]).max()))
    spread = _components(difference, codes, count, least)
    return _agreement(spread, _slope(difference, mean, codes, count, level, least), level, float(ndtri((1 + agreement) / 2)), note)


def _too_few(difference: Floats, patients: int, note: str) -> BlandAltman:
    none = Estimate(None)
    bias = Estimate(float(difference.mean())) if len(difference) else none
    limits = _Limits(none, none)
    return _assemble(bias, limits, limits, limits, (None, None, None), none, (len(difference), patients, f"fewer than two patients: no limits{note}"))


def _assemble(
    bias: Estimate,
    shown: _Limits,
    classical: _Limits,
    mover: _Limits,
    deviations: tuple[float | None, float | None, float | None],
    slope: Estimate,
    facts: tuple[int, int, str],
) -> BlandAltman:
    sd, between, within = deviations
    films, patients, note = facts
    return BlandAltman(
        bias=bias,
        lower=shown.lower,
        upper=shown.upper,
        lower_classical=classical.lower,
        upper_classical=classical.upper,
        lower_mover=mover.lower,
        upper_mover=mover.upper,
        sd=sd,
        sd_between=between,
        sd_within=within,
        slope=slope,
        films=films,
        patients=patients,
        note=note,
    )


def _components(difference: Floats, codes: Ints, patients: int, least: float) -> _Spread:
    """Split the variance of the differences; one film a patient leaves one part with n - 1 degrees of freedom. Spread up to ``least`` is none."""
    rows = len(difference)
    mean = float(difference.mean())
    size = np.bincount(codes, minlength=patients)
    own = np.bincount(codes, weights=difference, minlength=patients) / size
    between_square = float((size * (own - mean) ** 2).sum()) / (patients - 1)
    within_square = float(((difference - own[codes]) ** 2).sum()) / (rows - patients) if rows > patients else 0.0
    if float(np.ptp(difference)) <= least:
        between_square = within_square = 0.0
    typical = (rows - float((size**2).sum()) / rows) / (patients - 1)
    between = (between_square - within_square) / typical
    error = math.sqrt(max(between, 0.0) * float((size**2).sum()) / rows**2 + within_square / rows)
    parts = ((1 / typical, between_square, patients - 1.0), (1 - 1 / typical, within_square, float(rows - patients)))
    return _Spread(mean, error, parts, max(between, 0.0), within_square, rows, patients)


def _agreement(spread: _Spread, slope: Estimate, level: float, z: float, note: str) -> BlandAltman:
    variance = variance_interval(spread.parts, level)
    sd = math.sqrt(variance.value or 0.0)
    t = float(stdtrit(spread.patients - 1, (1 + level) / 2))
    bias = without_zero_width(Estimate(spread.mean, spread.mean - t * spread.error, spread.mean + t * spread.error))
    mover = _Limits(*(without_zero_width(mean_plus_deviations(spread.mean, spread.error, variance, multiple, level)) for multiple in (-z, z)))
    if spread.rows > spread.patients:
        told = "several films a patient: Bland and Altman 2007, intervals by Zou 2013 (MOVER)"
        parts = (sd, math.sqrt(spread.between), math.sqrt(spread.within))
        return _assemble(bias, mover, _Limits(Estimate(None), Estimate(None)), mover, parts, slope, (spread.rows, spread.patients, told + note))
    half = t * sd * math.sqrt(1 / spread.rows + z * z / (2 * (spread.rows - 1)))
    classical = _Limits(*(without_zero_width(Estimate(middle, middle - half, middle + half)) for middle in (spread.mean - z * sd, spread.mean + z * sd)))
    told = "one film a patient: exact intervals (Carkeet 2015)"
    exact = _exact(spread.mean, sd, spread.rows, z, level)
    return _assemble(bias, exact, classical, mover, (sd, None, None), slope, (spread.rows, spread.patients, told + note))


def _exact(mean: float, sd: float, rows: int, z: float, level: float) -> _Limits:
    """Return both limits with exact intervals of a normal quantile, from the non-central t distribution."""
    from scipy.stats import nct  # slow to import, and the command line imports this file

    if sd == 0:
        return _Limits(Estimate(mean), Estimate(mean))
    root = math.sqrt(rows)
    near, far = (float(nct.ppf(q, rows - 1, z * root)) * sd / root for q in ((1 - level) / 2, (1 + level) / 2))
    return _Limits(Estimate(mean - z * sd, mean - far, mean - near), Estimate(mean + z * sd, mean + near, mean + far))


def _slope(difference: Floats, mean: Floats, codes: Ints, patients: int, level: float, least: float) -> Estimate:
    """Return the slope of the difference on the mean with a t interval; errors summed over patients where they have several films."""
    rows = len(difference)
    centred = mean - mean.mean()
    square = float((centred**2).sum())
    if rows < 3 or patients < 3 or np.ptp(mean) <= least:
        return Estimate(None)
    slope = float((centred * difference).sum()) / square
    residual = difference - difference.mean() - slope * centred
    if rows == patients:
        error, freedom = math.sqrt(float((residual**2).sum()) / (rows - 2) / square), rows - 2
    else:
        score = np.bincount(codes, weights=centred * residual, minlength=patients)
        correction = patients / (patients - 1) * (rows - 1) / (rows - 2)
        error, freedom = math.sqrt(correction * float((score**2).sum())) / square, patients - 1
    half = float(stdtrit(freedom, (1 + level) / 2)) * error
    return Estimate(slope, slope - half, slope + half)
