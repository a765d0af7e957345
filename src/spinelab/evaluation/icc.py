"""Intraclass correlation in all six Shrout-Fleiss forms, standard error of measurement and minimal detectable change.

Shrout PE, Fleiss JL. Psychol Bull 1979;86:420-428; McGraw KO, Wong SP. Psychol Methods 1996;1:30-46. Which form to report: Koo TK, Li MY.
J Chiropr Med 2016;15:155-163. Standard error of measurement, agreement and consistency: de Vet HC et al. J Clin Epidemiol 2006;59:1033-1039.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import fdtrc, fdtri

from spinelab.core import InputError
from spinelab.evaluation.mover import variance_interval
from spinelab.evaluation.resampling import LEVEL, Floats, check_level
from spinelab.evaluation.types import Estimate

DETECTABLE: Final = 1.96 * math.sqrt(2)
"""Minimal detectable change (95 %) in standard deviations of one reading's error: the difference of two readings holds both their errors."""

_MODELS: Final = {
    1: ("one-way random: each subject has other readers", "absolute agreement"),
    2: ("two-way random: the readers are a sample of all readers", "absolute agreement"),
    3: ("two-way mixed: these readers and no others", "consistency"),
}


@dataclass(frozen=True, slots=True)
class IccForm:
    """One form of the intraclass correlation: its name in Shrout and Fleiss's notation and in words, with interval and F test against 0."""

    name: str
    model: str
    type: str
    unit: str
    icc: Estimate
    f: float | None
    df1: int
    df2: int
    p: float | None


@dataclass(frozen=True, slots=True)
class Icc:
    """All six forms, keyed ``ICC(1,1)`` to ``ICC(3,k)``, and what they say in the unit of the measurement.

    Parameters
    ----------
    forms
        By name.
    sem_agreement
        Standard error of one reading by any reader: readers' own shifts count (two-way random, root of the variance of readers + residual; where the
        readers differ at least as much as chance lets them it is the standard deviation of the readings of a subject).
    sem_consistency
        Standard error of one reading by the same reader: root of the residual mean square.
    mdc95_agreement, mdc95_consistency
        Minimal detectable change, 1.96 x sqrt(2) x the standard error of that name: a change beyond it is more than error in 95 %.
    subjects, readers, dropped
        How many were used, and how many subjects were left out for a missing rating.
    note
        What was left out or could not be given, in words; empty where nothing.
    """

    forms: dict[str, IccForm]
    sem_agreement: Estimate
    sem_consistency: Estimate
    mdc95_agreement: Estimate
    mdc95_consistency: Estimate
    subjects: int
    readers: int
    dropped: int
    note: str

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class _Table:
    """Mean squares of a table of n subjects and k readers."""

    n: int
    k: int
    subjects: float
    readers: float
    residual: float
    within: float


def icc(ratings: ArrayLike, *, missing: Literal["refuse", "drop"] = "refuse", level: float = LEVEL) -> Icc:
    """Return the intraclass correlations of a table of ratings.

    Subjects are taken as independent: with several films a patient, give one film a patient, or read the limits as too narrow. An interval of a single
    reading, forms (.,1), holds for one reader's number; those of the mean of all readers, (.,k), only where all of them read every film.

    Parameters
    ----------
    ratings
        (subjects, readers); nan is a missing rating.
    missing
        ``refuse`` raises on a missing rating; ``drop`` leaves the subject out and says so.
    level
        Of the intervals.

    Raises
    ------
    InputError
        Fewer than two subjects or readers, or a missing rating with ``refuse``.
    """
    check_level(level)
    table = np.asarray(ratings, dtype=np.float64)
    if table.ndim != 2 or table.shape[1] < 2:
        raise InputError(f"Ratings of shape {table.shape}", expected="(subjects, readers) with two readers or more", action="put one reader in a column")
    complete = np.isfinite(table).all(axis=1)
    dropped = int((~complete).sum())
    if dropped and missing == "refuse":
        raise InputError(
            f"{dropped} of {len(table)} subjects lack a rating", expected="a rating by every reader", action="complete them, or use missing='drop'"
        )
    if complete.sum() < 2:
        raise InputError(f"{int(complete.sum())} completely rated subjects", expected="two or more", action="rate more subjects")
    squares = _mean_squares(table[complete])
    notes = [f"{dropped} of {len(table)} subjects left out for a missing rating"] * bool(dropped)
    if max(squares.residual, squares.within) <= 1e-12 * max(squares.subjects, 1e-300):
        notes.append("the readers agree exactly: no interval")
    return _report(squares, level, dropped, "; ".join(notes))


def _report(table: _Table, level: float, dropped: int, note: str) -> Icc:
    forms = {form.name: form for number in _MODELS for form in _forms(number, table, level)}
    consistency = _root(variance_interval([(1, table.residual, (table.n - 1) * (table.k - 1))], level))
    # where the readers differ less than chance lets them, their variance is 0 and both errors agree
    shifted = table.readers > table.residual
    parts = [(1 / table.n, table.readers, table.k - 1.0), ((table.n - 1) / table.n, table.residual, (table.n - 1.0) * (table.k - 1))]
    agreement = _root(variance_interval(parts, level)) if shifted else consistency
    return Icc(forms, agreement, consistency, _detectable(agreement), _detectable(consistency), table.n, table.k, dropped, note)


def _mean_squares(table: Floats) -> _Table:
    n, k = table.shape
    grand = table.mean()
    rows, columns = table.mean(axis=1), table.mean(axis=0)
    residual = table - rows[:, None] - columns[None, :] + grand
    within = float(((table - rows[:, None]) ** 2).sum()) / (n * (k - 1))
    readers = n * float(((columns - grand) ** 2).sum()) / (k - 1)
    return _Table(n, k, k * float(((rows - grand) ** 2).sum()) / (n - 1), readers, float((residual**2).sum()) / ((n - 1) * (k - 1)), within)


def _forms(number: int, table: _Table, level: float) -> list[IccForm]:
    """Return the form of a single reading and that of the mean of all readers."""
    model, kind = _MODELS[number]
    error = table.within if number == 1 else table.residual
    freedom = table.n * (table.k - 1) if number == 1 else (table.n - 1) * (table.k - 1)
    single = _two_way_random(table, level) if number == 2 else _from_f(table.subjects, error, table.k, (table.n - 1, freedom), level)
    f = table.subjects / error if error > 0 else None
    p = None if f is None else float(fdtrc(table.n - 1, freedom, f))
    rest = (f, table.n - 1, freedom, p)
    return [
        IccForm(f"ICC({number},1)", model, kind, "a single reading", single, *rest),
        IccForm(f"ICC({number},k)", model, kind, f"the mean of {table.k} readings", _of_mean(single, table.k), *rest),
    ]


def _from_f(between: float, error: float, k: int, freedom: tuple[int, int], level: float) -> Estimate:
    """Return (between - error) / (between + (k - 1) error) with the exact limits of the F ratio."""
    if between + (k - 1) * error <= 0:
        return Estimate(None)
    value = (between - error) / (between + (k - 1) * error)
    if _bare(between, error):
        return Estimate(value)
    f, (df1, df2) = between / error, freedom
    low = f / float(fdtri(df1, df2, (1 + level) / 2))
    high = f * float(fdtri(df2, df1, (1 + level) / 2))
    return Estimate(value, (low - 1) / (low + k - 1), (high - 1) / (high + k - 1))


def _bare(between: float, error: float) -> bool:
    """Return whether one of two mean squares is but the error of rounding: the readers, or the subjects, do not differ, and no limits can be given."""
    return min(between, error) <= 1e-12 * max(between, error)


def _two_way_random(table: _Table, level: float) -> Estimate:
    """Return ICC(2,1) with Satterthwaite's limits (Shrout and Fleiss 1979, p. 424)."""
    n, k, between, readers, residual = table.n, table.k, table.subjects, table.readers, table.residual
    whole = between + (k - 1) * residual + k * (readers - residual) / n
    if whole <= 0:
        return Estimate(None)
    value = (between - residual) / whole
    if _bare(between, residual):
        return Estimate(value)
    ratio, rest = readers / residual, n * (1 + (k - 1) * value) - k * value
    freedom = (n - 1) * (k - 1) * (k * value * ratio + rest) ** 2 / ((n - 1) * k**2 * value**2 * ratio**2 + rest**2)
    f_low, f_high = float(fdtri(n - 1, freedom, (1 + level) / 2)), float(fdtri(freedom, n - 1, (1 + level) / 2))
    spread = k * readers + (k * n - k - n) * residual
    low = n * (between - f_low * residual) / (f_low * spread + n * between)
    high = n * (f_high * between - residual) / (spread + n * f_high * between)
    return Estimate(value, low, high)


def _of_mean(single: Estimate, k: int) -> Estimate:
    """Return Spearman and Brown's step from one reading to the mean of k."""
    return Estimate(*(None if x is None or 1 + (k - 1) * x <= 1e-12 else k * x / (1 + (k - 1) * x) for x in (single.value, single.lo, single.hi)))


def _root(variance: Estimate) -> Estimate:
    return Estimate(*(None if x is None else math.sqrt(x) for x in (variance.value, variance.lo, variance.hi)))


def _detectable(sem: Estimate) -> Estimate:
    return Estimate(*(None if x is None else DETECTABLE * x for x in (sem.value, sem.lo, sem.hi)))
