"""From the answers of a measuring model to its figures, film by film beside the truth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spinelab.core import Example, Quantity, Result, Settings, Task
from spinelab.evaluation.agreement import measurement_agreement, smape
from spinelab.evaluation.cluster import Resamples, estimate_of
from spinelab.evaluation.types import Estimate
from spinelab.experiments.constant_measures import Sizes
from spinelab.experiments.measured_landmarks import level_figures, mean_shapes, with_figures
from spinelab.experiments.pairing import kinds, landmark_tables, measured_quantity, metric_name, remarks_of
from spinelab.report.measured import Measured, MeasuredQuantity
from spinelab.report.words import estimate

CHALLENGE_ANGLES: Final = ("cobb_max", "cobb_upper", "cobb_lower")
"""The three angles of the AASCE challenge, whose SMAPE is taken over all three of a film."""


@dataclass(frozen=True, eq=False)
class Rows:
    """Answers beside the films that they are about; in a comparison a film has one row a repeat.

    Parameters
    ----------
    groups
        What is drawn again as one: patients, those who share a picture being one.
    sizes, spacings
        Rows and columns of each film (or nothing where some are not known); its spacing in millimetres or ``None``.
    constants
        For each row, what was learnt without looking by a model's training part (`constant_measures.learnt_constants`).
    source
        Where the constants come from, in words.
    """

    examples: Sequence[Example]
    answers: Sequence[Result]
    groups: Sequence[str]
    sizes: Sizes
    spacings: Sequence[Any]
    constants: Sequence[Mapping[str, Any]]
    source: str
    folds: tuple[int, ...] = ()
    repeats: tuple[int, ...] = ()


def has_measured_truth(task: Task, settings: Settings, examples: Sequence[Example]) -> bool:
    """Return whether there is anything to hold this task's measurements or landmarks against."""
    wanted = {(q.name, q.unit) for q in task.quantities(settings)}
    return task.route(settings) == "measures" and any(
        e.truth.landmarks or any((m.name, m.unit) in wanted and m.value is not None for m in e.truth.measurements) for e in examples
    )


def measure(task: Task, settings: Settings, rows: Rows, *, bootstraps: int, seed: int = 0) -> Measured:
    """Return every quantity with its agreement, the landmarks with their errors, and how often the levels were named right."""
    truths = [e.truth for e in rows.examples]
    asked = kinds(task.quantities(settings), truths, rows.answers)
    found = [measured_quantity(kind, rows.answers, truths) for kind in asked]
    quantities = tuple(_judged(q, rows, bootstraps, seed) for q in found)
    tables = landmark_tables(rows.answers, truths, rows.spacings)
    landmarks = levels = None
    if tables is not None:
        laid = mean_shapes(tables.names, rows.constants, rows.sizes)
        landmarks = with_figures(tables, rows.groups, task.regions(settings), rows.spacings, laid, bootstraps)
        levels = level_figures(tables, rows.answers, [e.id for e in rows.examples], rows.groups, bootstraps, seed)
    metrics = _metrics(quantities, rows.groups, bootstraps, seed)
    if landmarks is not None:
        metrics |= {f"landmark_median_{unit}": estimate(landmarks.rows[0][unit]["median"]) for unit in ("px", "mm")}
    if levels is not None:
        metrics |= {"levels_right": estimate(levels["all_right"]), "levels_numbered_right": estimate(levels["numbered_right"])}
    return Measured(
        images=tuple(e.id for e in rows.examples),
        patients=tuple(e.patient or "" for e in rows.examples),
        groups=tuple(rows.groups),
        quantities=quantities,
        metrics={name: value for name, value in metrics.items() if value.value is not None},
        folds=rows.folds,
        repeats=rows.repeats,
        landmarks=landmarks,
        remarks=tuple(remarks_of(answer, asked) for answer in rows.answers),
        levels=levels,
    )


def part_of(measured: Measured, rows: NDArray[np.int64], *, bootstraps: int, seed: int = 0) -> dict[str, Estimate]:
    """Return the metrics of some rows only, for a subgroup; landmarks and levels are left out."""
    groups = [measured.groups[int(i)] for i in rows]
    parts = [replace(q, value=q.value[rows], lo=q.lo[rows], hi=q.hi[rows], truth=q.truth[rows], constant={}, figures={}) for q in measured.quantities]
    judged = tuple(replace(q, figures=_agreement(q, groups, bootstraps, seed)) for q in parts)
    return {name: value for name, value in _metrics(judged, groups, bootstraps, seed).items() if value.value is not None}


def _judged(quantity: MeasuredQuantity, rows: Rows, bootstraps: int, seed: int) -> MeasuredQuantity:
    return replace(quantity, figures=_agreement(quantity, rows.groups, bootstraps, seed), constant=_constant(quantity, rows, bootstraps, seed))


def _agreement(quantity: MeasuredQuantity, groups: Sequence[str], bootstraps: int, seed: int) -> dict[str, Any]:
    stated = bool(np.isfinite(quantity.lo).any())
    lo, hi = (quantity.lo, quantity.hi) if stated else (None, None)
    return measurement_agreement(quantity.value, quantity.truth, groups, lo, hi, bootstraps=bootstraps, seed=seed)


def _constant(quantity: MeasuredQuantity, rows: Rows, bootstraps: int, seed: int) -> dict[str, Any]:
    """Return what always giving the training median reaches on the films whose truth is known."""
    medians = [dict(c.get("medians", {})).get(quantity.column, {}).get("median") for c in rows.constants]
    answer = np.array([np.nan if m is None else m for m in medians], dtype=np.float64)
    known = np.isfinite(answer) & np.isfinite(quantity.truth)
    if not known.any():
        return {}
    error, own = np.abs(answer - quantity.truth), np.abs(quantity.value - quantity.truth)
    mae = mean_with_limits(np.where(known, error, np.nan), rows.groups, bootstraps, seed)
    gain = mean_with_limits(np.where(known, error - own, np.nan), rows.groups, bootstraps, seed)
    return {"answer": float(np.median(answer[known])), "source": rows.source, "mae": mae, "gain": gain}


def mean_with_limits(column: NDArray[np.float64], groups: Sequence[str], bootstraps: int, seed: int) -> Estimate:
    """Return the mean of what is known in a column, with limits over resampled patients."""
    known = np.isfinite(column)
    if not known.any():
        return Estimate(None)
    draws = Resamples.of([g for g, k in zip(groups, known, strict=True) if k], bootstraps=bootstraps, seed=seed)
    return estimate_of(draws.mean(column[known]))


def _metrics(quantities: Sequence[MeasuredQuantity], groups: Sequence[str], bootstraps: int, seed: int) -> dict[str, Estimate]:
    names = Counter(q.name for q in quantities)
    metrics: dict[str, Estimate] = {}
    for q in quantities:
        for statistic, name in (("mae", "mae"), ("median_ae", "median_absolute_error"), ("bias", "bias")):
            metrics[metric_name(q.name, statistic, q.unit)] = q.figure(name)
        metrics[metric_name(q.name, "coverage", q.unit if names[q.name] > 1 else "")] = q.of_interval("coverage")
    by_name = {q.name: q for q in quantities if q.unit == "deg"}
    three = [by_name[name] for name in CHALLENGE_ANGLES if name in by_name]
    if len(three) == len(CHALLENGE_ANGLES) and all((q.value[q.paired] >= 0).all() and (q.truth[q.paired] >= 0).all() for q in three):
        value, truth = (np.stack([getattr(q, side) for q in three], axis=1) for side in ("value", "truth"))
        if (np.isfinite(value) & np.isfinite(truth)).all(axis=1).any():
            metrics["smape_percent"] = smape(value, truth, groups, bootstraps=bootstraps, seed=seed)
    return metrics


def quantity_of(measured: Measured, metric: str) -> MeasuredQuantity | None:
    """Return the quantity whose error a metric is about: ``cobb_max_mae_deg``."""
    return next((q for q in measured.quantities for s in ("mae", "median_ae") if metric_name(q.name, s, q.unit) == metric), None)


def rankable(quantities: Sequence[Quantity]) -> list[str]:
    """Return the metrics by which measuring models can be ranked: each quantity's mean absolute error, and the landmarks' median error."""
    return [*(metric_name(q.name, "mae", q.unit) for q in quantities), "landmark_median_px", "landmark_median_mm"]
