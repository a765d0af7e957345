"""The errors by which measuring models are ranked and compared, film by film, on the films that all of them measured."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from spinelab.evaluation import corrected_resampled_t, holm
from spinelab.evaluation.cluster import Resamples, estimate_of
from spinelab.evaluation.types import Estimate
from spinelab.experiments.design import Design
from spinelab.experiments.measured import mean_with_limits
from spinelab.experiments.measured_words import paired_words
from spinelab.experiments.rank import Ranking
from spinelab.report.content import MeasuredPair, Variant
from spinelab.report.measured import Measured, MeasuredQuantity

MOST_QUANTITIES = 6
"""Quantities whose differences are tested between every pair of models: the first ones of the task."""

Floats = NDArray[np.float64]


def errors_of(measured: Measured, ranking: Ranking) -> Floats:
    """Return (n,) the error that ranks on each row: absolute error, or median distance of the row's landmarks; nan where there is none."""
    q = ranking.quantity
    if q is not None:
        own = next((m for m in measured.quantities if (m.name, m.unit) == (q.name, q.unit)), None)
        return np.full(len(measured.images), np.nan) if own is None else np.abs(own.value - own.truth)
    if measured.landmarks is None:
        return np.full(len(measured.images), np.nan)
    table = measured.landmarks.error_px if ranking.unit == "px" else measured.landmarks.error_mm
    medians, known = np.full(len(table), np.nan), np.isfinite(table).any(axis=1)
    medians[known] = np.nanmedian(table[known], axis=1)
    return medians


def common_rows(variants: Sequence[Variant], ranking: Ranking) -> NDArray[np.bool_]:
    """Return the rows on which every model that measures what ranks gave it."""
    columns = [errors_of(v.measured, ranking) for v in variants if v.measured is not None]
    given = [np.isfinite(column) for column in columns if np.isfinite(column).any()]
    return np.all(given, axis=0) if given else np.zeros(0, dtype=bool)


def ranked_error(measured: Measured, ranking: Ranking, common: NDArray[np.bool_], design: Design) -> Estimate:
    """Return the mean (of landmarks: the median) error over the rows that all models measured, with limits over resampled patients."""
    column = np.where(common, errors_of(measured, ranking), np.nan)
    if ranking.quantity is not None:
        return mean_with_limits(column, measured.groups, design.bootstraps, design.seed)
    known = np.isfinite(column)
    if not known.any():
        return Estimate(None)
    draws = Resamples.of([g for g, k in zip(measured.groups, known, strict=True) if k], bootstraps=design.bootstraps, seed=design.seed)
    return estimate_of(draws.quantile(column[known], 0.5))


def paired_error(a: Measured, b: Measured, first: Floats, second: Floats, design: Design) -> tuple[Estimate, float | None, float | None]:
    """Return the mean difference of two columns of errors with its limits, the bootstrap's p, and that of the corrected resampled t-test.

    p of the bootstrap as in `evaluation.paired_difference`; the t-test over folds as in `pairs.compare_pairs`.
    """
    apart = first - second
    known = np.isfinite(apart)
    if not known.any() or a.images != b.images:
        return Estimate(None), None, None
    draws = Resamples.of([g for g, k in zip(a.groups, known, strict=True) if k], bootstraps=design.bootstraps, seed=design.seed)
    distribution = draws.mean(apart[known])
    estimate, samples = estimate_of(distribution), distribution.samples[~np.isnan(distribution.samples)]
    if estimate.lo is None:
        return estimate, None, None
    beyond = min(int((samples <= 0).sum()), int((samples >= 0).sum()))
    return estimate, min(1.0, 2 * (beyond + 1) / (len(samples) + 1)), _resampled_t(a, apart, design)


def _resampled_t(measured: Measured, apart: Floats, design: Design) -> float | None:
    keys = list(zip(measured.repeats, measured.folds, strict=True))
    means = [np.nanmean(part) for key in dict.fromkeys(keys) if np.isfinite(part := apart[[k == key for k in keys]]).any()]
    if len(means) < 3:
        return None
    ratio = design.holdout / (1 - design.holdout) if design.holdout is not None else 1 / (design.folds - 1)
    return corrected_resampled_t(means, test_fraction_ratio=ratio)[1]


def measured_pairs(variants: Sequence[Variant], design: Design) -> tuple[MeasuredPair, ...]:
    """Return every pair of measuring models for each of the first quantities, Holm's correction over all of them."""
    measuring = [(v.name, v.measured) for v in variants if v.measured is not None]
    found: list[tuple[str, str, MeasuredQuantity, int, Estimate, float | None]] = []
    for i, (a, first) in enumerate(measuring):
        for b, second in measuring[i + 1 :]:
            others = {q.column: q for q in second.quantities}
            for q in [q for q in first.quantities if q.column in others and q.paired.any()][:MOST_QUANTITIES]:
                other = others[q.column]
                columns = np.abs(q.value - q.truth), np.abs(other.value - other.truth)
                difference, p, _ = paired_error(first, second, *columns, design)
                found.append((a, b, q, int(np.isfinite(columns[0] - columns[1]).sum()), difference, p))
    adjusted = holm([p for *_, p in found])
    return tuple(
        MeasuredPair(a, b, q.column, q.title, q.unit, films, difference, p, p_holm, paired_words(a, b, q, difference, p_holm))
        for (a, b, q, films, difference, p), p_holm in zip(found, adjusted, strict=True)
    )
