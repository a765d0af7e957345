"""Whether a probability of 70 % comes true in 70 of 100: reliability curve, slope, intercept, expected calibration error.

Van Calster B et al. Calibration: the Achilles heel of predictive analytics. BMC Med 2019;17:230. Slope: coefficient of logit(p) in a
logistic regression of the truth (1 is perfect, below 1 means too extreme). Intercept: calibration in the large, the constant when the
slope is held at 1 (0 is perfect, below 0 means too high).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spinelab.core import InputError
from spinelab.evaluation.intervals import wilson, without_zero_width
from spinelab.evaluation.resampling import BOOTSTRAPS, LEVEL, Distribution, Floats, check_binary, draw_counts, patient_codes, ratio
from spinelab.evaluation.types import Estimate

LEAST: Final = 1e-6
"""Probabilities nearer to 0 or 1 count as this near, so that their logit is finite."""
_STEPS: Final = 30
_ROWS: Final = 100_000
_STEEPEST: Final = 50.0
"""A slope beyond this means that the classes are separated and no finite slope exists."""


@dataclass(frozen=True, eq=False)
class Calibration:
    """A reliability curve and its summaries; one entry a bin that holds anybody.

    Parameters
    ----------
    edges
        (bins + 1,) limits of the equally wide bins.
    predicted, observed
        Mean probability and share of positives in the bin.
    lo, hi
        Wilson's limits of ``observed`` with the number of patients in the bin as n.
    examinations, patients
        How many are in the bin.
    slope, intercept, error
        Summaries with limits over resampled patients; ``error`` is the expected calibration error.
    """

    edges: Floats
    predicted: Floats
    observed: Floats
    lo: Floats
    hi: Floats
    examinations: NDArray[np.int64]
    patients: NDArray[np.int64]
    slope: Estimate
    intercept: Estimate
    error: Estimate


def calibration_curve(
    truth: ArrayLike,
    probability: ArrayLike,
    *,
    bins: int = 10,
    groups: Sequence[Any] | NDArray[Any] | None = None,
    bootstraps: int = BOOTSTRAPS,
    seed: int = 0,
    level: float = LEVEL,
) -> Calibration:
    """Return the reliability curve of a probability, its slope, intercept and expected calibration error.

    Parameters
    ----------
    truth
        (n,) 1 = positive.
    probability
        (n,) of being positive.
    bins
        Number of equally wide bins over [0, 1]; a value on an edge belongs to the bin above it.
    groups
        (n,) patient of each row; limits resample whole patients. A row is its own patient without.
    """
    positive, (values,) = check_binary(truth, probability)
    if bins < 1 or len(values) == 0 or (values < 0).any() or (values > 1).any():
        raise InputError(f"{bins} bins for {len(values)} probabilities", expected="at least one bin, and values in [0, 1]", action="check the probabilities")
    codes, patients = patient_codes(np.arange(len(values)) if groups is None else groups)
    weights = np.ones((bootstraps + 1, patients), np.uint8)
    weights[1:] = draw_counts(patients, bootstraps, seed)
    number = np.minimum((values * bins).astype(np.int64), bins - 1)
    summaries = np.concatenate([_summaries(positive, values, number, part) for part in _blocks(weights, codes)], axis=1)
    estimates = [without_zero_width(Distribution(float(s[0]), s[1:], patients).estimate(level)) for s in summaries]
    return Calibration(np.linspace(0, 1, bins + 1), *_bins(positive, values, number, codes, level), *estimates)


def _blocks(weights: NDArray[np.uint8], codes: NDArray[np.int64]) -> Iterator[Floats]:
    """Yield (b, n) counts of the rows, few enough resamples at a time to fit in memory."""
    step = max(1, _ROWS // len(codes))
    for start in range(0, len(weights), step):
        yield weights[start : start + step][:, codes].astype(np.float64)


def _summaries(positive: NDArray[np.bool_], values: Floats, number: NDArray[np.int64], counts: Floats) -> Floats:
    """Return (3, b): slope, intercept and error of each resample."""
    return np.stack([_slope(positive, values, counts), _intercept(positive, values, counts), _expected_error(positive, values, number, counts)])


def _bins(
    positive: NDArray[np.bool_], values: Floats, number: NDArray[np.int64], codes: NDArray[np.int64], level: float
) -> tuple[Floats, Floats, Floats, Floats, NDArray[np.int64], NDArray[np.int64]]:
    used = np.unique(number)
    inside = [number == place for place in used]
    size = np.array([rows.sum() for rows in inside], dtype=np.int64)
    patients = np.array([len(np.unique(codes[rows])) for rows in inside], dtype=np.int64)
    predicted = np.array([values[rows].mean() for rows in inside])
    observed = np.array([positive[rows].mean() for rows in inside])
    limits = [wilson(float(share) * int(n), int(n), level) for share, n in zip(observed, patients, strict=True)]
    lo, hi = (np.array([getattr(e, side) for e in limits], dtype=np.float64) for side in ("lo", "hi"))
    return predicted, observed, lo, hi, size, patients


def _expected_error(positive: NDArray[np.bool_], values: Floats, number: NDArray[np.int64], counts: Floats) -> Floats:
    """Return (B,): mean distance between predicted and observed over the bins, weighted by their size (Naeini et al., AAAI 2015)."""
    members = np.eye(int(number.max()) + 1)[number]
    gap = counts @ (members * (positive - values)[:, None])
    return ratio(np.abs(gap).sum(1), counts.sum(1))


def _logit(values: Floats) -> Floats:
    clipped = np.clip(values, LEAST, 1 - LEAST)
    return np.asarray(np.log(clipped) - np.log1p(-clipped), dtype=np.float64)


def _expit(values: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(values, -700, 700))), dtype=np.float64)


def _slope(positive: NDArray[np.bool_], values: Floats, counts: Floats) -> Floats:
    """Return (B,): the slope by Newton's method in all resamples together; nan where it does not converge."""
    x = _logit(values)
    a, b = np.zeros((2, len(counts)))
    step = np.full(len(counts), np.inf)
    for _ in range(_STEPS):
        p = _expit(a[:, None] + b[:, None] * x)
        residual, spread = counts * (positive - p), counts * p * (1 - p)
        g0, g1 = residual.sum(1), residual @ x
        h0, h1, h2 = spread.sum(1), spread @ x, spread @ (x * x)
        determinant = h0 * h2 - h1 * h1
        da, db = ratio(h2 * g0 - h1 * g1, determinant), ratio(h0 * g1 - h1 * g0, determinant)
        a, b, step = a + da, b + db, np.abs(da) + np.abs(db)
        if not (step > 1e-9).any():
            break
    return np.where((step < 1e-6) & (np.abs(b) < _STEEPEST), b, np.nan)


def _intercept(positive: NDArray[np.bool_], values: Floats, counts: Floats) -> Floats:
    """Return (B,): the constant with the slope held at 1; nan where the truth is all of one class."""
    x = _logit(values)
    a = np.zeros(len(counts))
    step = np.full(len(counts), np.inf)
    for _ in range(_STEPS):
        p = _expit(a[:, None] + x)
        step = ratio((counts * (positive - p)).sum(1), (counts * p * (1 - p)).sum(1))
        a = a + np.clip(step, -5, 5)
        if not (np.abs(step) > 1e-9).any():
            break
    return np.where(np.abs(step) < 1e-6, a, np.nan)
