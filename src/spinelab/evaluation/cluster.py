"""Means, medians and quantiles of a column of numbers in every resample of patients at once.

A resample is a line in a table of how often each patient was drawn (`resampling.draw_counts`), so a mean is one matrix product. For a quantile the column
is sorted once and cut into blocks: a matrix product finds the block, a cumulative sum the row in it. Entry 0 of every answer is the sample as it is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spinelab.core import InputError
from spinelab.evaluation.intervals import wilson, without_zero_width
from spinelab.evaluation.resampling import BOOTSTRAPS, LEVEL, Distribution, Floats, Ints, draw_counts, patient_codes, ratio
from spinelab.evaluation.types import Estimate


@dataclass(frozen=True, eq=False)
class Resamples:
    """Rows of a table, whose they are, and how often each patient occurs in each resample.

    Parameters
    ----------
    codes
        (n,) number of each row's patient, 0 to P - 1.
    counts
        (B + 1, P); the first line is the sample as it is.
    """

    codes: Ints
    counts: NDArray[np.uint8]

    @staticmethod
    def of(patients: Sequence[Any] | NDArray[Any], *, bootstraps: int = BOOTSTRAPS, seed: int = 0) -> Resamples:
        """Draw the patients of n rows with replacement; ``bootstraps`` of 0 draws none (values without limits)."""
        codes, count = patient_codes(patients)
        counts = np.ones((bootstraps + 1, count), np.uint8)
        if bootstraps:
            counts[1:] = draw_counts(count, bootstraps, seed)
        return Resamples(codes, counts)

    @property
    def patients(self) -> int:
        return int(self.counts.shape[1])

    @cached_property
    def _weights(self) -> Floats:
        return self.counts.astype(np.float64)

    def totals(self, columns: ArrayLike) -> Floats:
        """Return (B + 1, ...) sums of (n, ...) columns over the rows of every resample."""
        values = np.asarray(columns, dtype=np.float64)
        flat = values.reshape(len(values), -1)
        sums = np.zeros((self.patients, flat.shape[1]))
        np.add.at(sums, self.codes, flat)
        totals = self._weights @ sums
        return totals.reshape(len(self.counts), *values.shape[1:])

    def mean(self, column: ArrayLike, rows: NDArray[np.bool_] | None = None) -> Distribution:
        """Return the mean of an (n,) column over all rows, or over those marked in ``rows``."""
        values = np.asarray(column, dtype=np.float64)
        used = np.ones(len(values), np.bool_) if rows is None else rows
        sums = self.totals(np.stack([np.where(used, values, 0.0), used.astype(np.float64)], axis=1))
        return self.distribution(ratio(sums[:, 0], sums[:, 1]))

    def quantile(self, column: ArrayLike, q: float) -> Distribution:
        """Return a quantile of an (n,) column, by linear interpolation as ``np.quantile``; nan in the column is left out."""
        values = np.asarray(column, dtype=np.float64)
        order = np.argsort(values, kind="stable")[: int((~np.isnan(values)).sum())]
        if len(order) == 0:
            return self.distribution(np.full(len(self.counts), np.nan))
        return self.distribution(self._quantile(values[order], self.codes[order], q))

    def _quantile(self, ordered: Floats, codes: Ints, q: float) -> Floats:
        """Return (B + 1,) quantiles of sorted values; nan where none of the rows was drawn."""
        blocks = math.isqrt(len(ordered) - 1) + 1 if len(ordered) > 1 else 1
        length = -(-len(ordered) // blocks)
        block = np.arange(len(ordered)) // length
        table = np.bincount(codes * blocks + block, minlength=self.patients * blocks).reshape(self.patients, blocks)
        reached = np.cumsum(self._weights @ table, axis=1)
        size = reached[:, -1]
        place = q * np.maximum(size - 1, 0)
        below = np.floor(place)
        above = np.minimum(below + 1, np.maximum(size - 1, 0))
        low, high = (ordered[self._row_at(index, reached, codes, length)] for index in (below, above))
        return np.where(size > 0, low + (place - below) * (high - low), np.nan)

    def _row_at(self, place: Floats, reached: Floats, codes: Ints, length: int) -> Ints:
        """Return which row of the sorted column stands at ``place`` in each resample: first the block that it is in, then the row in the block."""
        block = np.argmax(reached > place[:, None], axis=1)
        before = np.where(block > 0, reached[np.arange(len(reached)), block - 1], 0)
        rows = block[:, None] * length + np.arange(length)
        inside = rows < len(codes)
        own = np.where(inside, codes[np.minimum(rows, len(codes) - 1)], 0)
        drawn = np.take_along_axis(self.counts, own, axis=1) * inside
        within = np.cumsum(drawn, axis=1, dtype=np.int64)
        return np.asarray(block * length + np.argmax(within > (place - before)[:, None], axis=1), dtype=np.int64)

    def share(self, marked: NDArray[np.bool_], rows: NDArray[np.bool_] | None = None, level: float = LEVEL) -> Estimate:
        """Return the share of marked rows with Wilson's interval for clustered rows; see `clustered_wilson`."""
        used = np.ones(len(marked), np.bool_) if rows is None else rows
        return clustered_wilson(marked[used], self.codes[used], level)

    def distribution(self, samples: Floats) -> Distribution:
        """Wrap (B + 1,) values of a statistic, the first one that of the sample itself."""
        return Distribution(float(samples[0]), samples[1:], self.patients)


def estimate_of(distribution: Distribution, level: float = LEVEL) -> Estimate:
    """Return the value with percentile limits; limits that would both fall on the value are withheld."""
    return without_zero_width(distribution.estimate(level)) if len(distribution.samples) else _bare(distribution)


def _bare(distribution: Distribution) -> Estimate:
    return Estimate(None if np.isnan(distribution.value) else float(distribution.value))


def clustered_wilson(marked: ArrayLike, patients: Sequence[Any] | NDArray[Any], level: float = LEVEL) -> Estimate:
    """Return a share with Wilson's interval, its n reduced where several rows of a patient go together.

    With one row a patient this is Wilson's interval. Otherwise n is divided by the design effect: the variance of the share between patients (linearised
    ratio) over that of independent rows (Korn EL, Graubard BI. Surv Methodol 1998;24:193-201), never less than one. Where all rows
    are alike, n is the number of patients.
    """
    right = np.asarray(marked, dtype=np.float64)
    codes, count = patient_codes(patients)
    rows = len(right)
    if rows in (0, count):
        return wilson(int(right.sum()), rows, level)
    share = float(right.mean())
    binomial = share * (1 - share) / rows
    if binomial == 0 or count < 2:
        effective = count
    else:
        residual = np.bincount(codes, weights=right - share, minlength=count)
        variance = count / (count - 1) * float((residual**2).sum()) / rows**2
        effective = max(1, int(rows / max(1.0, variance / binomial)))
    limits = wilson(share * effective, effective, level)
    return Estimate(share, limits.lo, limits.hi)


def check_rows(**columns: ArrayLike) -> list[Floats]:
    """Return the named columns as floats; refuse columns of unequal length or of more than one axis."""
    arrays = {name: np.asarray(column, dtype=np.float64) for name, column in columns.items()}
    sizes = {name: array.shape for name, array in arrays.items()}
    if len(set(sizes.values())) > 1 or any(len(shape) != 1 for shape in sizes.values()):
        listed = ", ".join(f"{name} {shape}" for name, shape in sizes.items())
        raise InputError(f"Columns of different shapes: {listed}", expected="one number a film in each", action="pair the films first")
    return list(arrays.values())


def check_patients(patients: Sequence[Any] | NDArray[Any] | None, rows: int) -> NDArray[Any]:
    """Return (n,) patients; each row its own where none are given. Refuse a list of another length."""
    names: NDArray[Any] = np.arange(rows) if patients is None else np.asarray(patients)
    if names.shape != (rows,):
        raise InputError(f"{names.size} patients for {rows} rows", expected="one patient a row", action="pair the films and their patients")
    return names
