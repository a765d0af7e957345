"""Drawing patients with replacement, as a table of counts, and limits from what the draws give.

Efron B, Tibshirani RJ. An Introduction to the Bootstrap. Chapman & Hall 1993: percentile limits (chapter 13). Whole patients are drawn, all
their images and repeats together: Field CA, Welsh AH. Bootstrapping clustered data. J R Stat Soc B 2007;69:369-390.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spinelab.core import InputError
from spinelab.evaluation.types import Estimate

BOOTSTRAPS: Final = 2000
LEVEL: Final = 0.95
MOST_UNDEFINED: Final = 0.05
"""Share of resamples in which a statistic may be undefined before its limits are withheld."""

_BLOCK: Final = 100_000
"""Draws that are counted at a time: few enough to stay in the processor's cache."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Distribution:
    """A statistic, and what it came to in each resample of patients.

    Parameters
    ----------
    value
        On the patients as they are; nan where undefined.
    samples
        (B,) nan where undefined in that resample.
    patients
        Number of patients that were drawn from.
    """

    value: float
    samples: Floats
    patients: int

    @property
    def undefined(self) -> int:
        """Number of resamples in which the statistic does not exist, for example for lack of a class."""
        return int(np.isnan(self.samples).sum())

    def estimate(self, level: float = LEVEL) -> Estimate:
        """Return the value with percentile limits; `percentile_limits` says when there are none."""
        if np.isnan(self.value):
            return Estimate(None)
        lo, hi = percentile_limits(self.samples, level) if self.patients >= 2 else (None, None)
        return Estimate(float(self.value), lo, hi)


def percentile_limits(samples: Floats, level: float = LEVEL) -> tuple[float, float] | tuple[None, None]:
    """Return the central ``level`` of the samples (linear interpolation), leaving undefined ones out.

    There are no limits where more than `MOST_UNDEFINED` of the resamples are undefined.
    """
    check_level(level)
    defined = samples[~np.isnan(samples)]
    if len(samples) == 0 or len(defined) < (1 - MOST_UNDEFINED) * len(samples):
        return None, None
    lo, hi = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return float(lo), float(hi)


def patient_codes(patients: Sequence[Any] | NDArray[Any]) -> tuple[Ints, int]:
    """Number the patients in the order of their names, so that the order of the rows changes nothing.

    Returns
    -------
    codes
        (n,) number of each row's patient.
    count
        Number of patients.
    """
    names, codes = np.unique(np.asarray(patients), return_inverse=True)
    return codes.reshape(-1).astype(np.int64), len(names)


def draw_indices(patients: int, bootstraps: int, seed: int) -> NDArray[np.unsignedinteger[Any]]:
    """Return (B, P) numbers of patients drawn with replacement, in the smallest type that holds them."""
    if bootstraps < 1:
        raise InputError(f"{bootstraps} bootstraps", expected="at least 1", action="leave the number of bootstraps at its default")
    kind = np.uint16 if patients <= 1 << 16 else np.uint32
    indices: NDArray[np.unsignedinteger[Any]] = np.random.default_rng(seed).integers(0, patients, (bootstraps, patients), dtype=kind)
    return indices


def draw_counts(patients: int, bootstraps: int, seed: int) -> NDArray[np.uint8]:
    """Return (B, P): how often each patient was drawn in each resample.

    A sparse matrix adds up the draws several times faster than ``bincount``. A patient cannot in practice be drawn more than 255
    times: with 256 patients or more its chance is below 1e-500.
    """
    from scipy import sparse  # slow to import, and the command line imports this file

    if patients == 0:
        return np.zeros((bootstraps, 0), np.uint8)
    indices = draw_indices(patients, bootstraps, seed)
    counts = np.empty((bootstraps, patients), np.uint8)
    step = max(1, min(bootstraps, _BLOCK // patients))
    ones, ends = np.ones(step * patients, np.uint8), np.arange(0, step * patients + 1, patients, dtype=np.int32)
    for start in range(0, bootstraps, step):
        part = indices[start : start + step]
        drawn = (ones[: part.size], part.reshape(-1).astype(np.int32), ends[: len(part) + 1])
        counts[start : start + step] = sparse.csr_array(drawn, shape=part.shape).toarray()
    return counts


def check_level(level: float) -> None:
    """Refuse a confidence level outside (0, 1)."""
    if not 0 < level < 1:
        raise InputError(f"Confidence level {level}", expected="a value between 0 and 1, such as 0.95", action="correct the level")


def check_binary(truth: ArrayLike, *columns: ArrayLike) -> tuple[NDArray[np.bool_], list[Floats]]:
    """Return the truth as booleans and the columns as floats; refuse other truths, unequal lengths and missing scores."""
    true = np.asarray(truth)
    scores = [np.asarray(column, dtype=np.float64) for column in columns]
    if true.ndim != 1 or not (true.dtype == np.bool_ or ((true == 0) | (true == 1)).all()):
        raise InputError("A truth that is not 0 and 1", expected="one 0 or 1 an examination", action="name the positive class and compare with it")
    for score in scores:
        if score.shape != true.shape or not np.isfinite(score).all():
            raise InputError(f"Scores {score.shape} for truths {true.shape}", expected="one finite score a truth", action="leave unscored examinations out")
    return true.astype(bool), scores


def ratio(numerator: ArrayLike, denominator: ArrayLike) -> Floats:
    """Divide; nan where the denominator is zero."""
    top, bottom = np.broadcast_arrays(np.asarray(numerator, dtype=np.float64), np.asarray(denominator, dtype=np.float64))
    out = np.full(top.shape, np.nan)
    np.divide(top, bottom, out=out, where=bottom != 0)
    return out
