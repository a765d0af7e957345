"""Would more patients help? The best model again, on parts of each training fold, tried on the same test patients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from spinelab.core import TaskError
from spinelab.evaluation import compute_metrics
from spinelab.evaluation.types import Estimate
from spinelab.experiments.assemble import predictions_of, table_of
from spinelab.experiments.bench import Bench, FoldResult, Trained, within
from spinelab.experiments.folds import fold_folder, run_fold
from spinelab.experiments.measured_variants import measured_of
from spinelab.experiments.splits import Split
from spinelab.experiments.variants import Plan
from spinelab.report.content import LearningCurve, Variant

FRACTIONS: Final = (0.25, 0.5)
MOST_FOLDS: Final = 3
"""Folds on which the curve is drawn: all of its points are about the test patients of the same folds."""
LEAST_PATIENTS: Final = 4
"""Patients of each class in the smallest part, below which no curve is drawn."""


def learning_curve(bench: Bench, trained: Sequence[Trained], variants: Sequence[Variant]) -> LearningCurve | None:
    """Return accuracy and ranking metric of the first-ranked model against the number of training patients, on the first folds."""
    best = next((v for v in variants if v.rank == 1), None)
    if best is None:
        return None
    source = next(t for t in trained if t.plan.name == best.name)
    first = [f for f in source.folds if f.split.repeat == 0][:MOST_FOLDS]
    points: list[tuple[int, Mapping[str, Estimate]]] = []
    for fraction in FRACTIONS:
        try:
            folds = [_part(bench, source.plan, f, fraction, (i, len(first))) for i, f in enumerate(first)]
        except TaskError:
            return None
        if any(fold is None for fold in folds):
            continue
        points.append(_point(bench, source.plan, [f for f in folds if f is not None]))
    points.append(_point(bench, source.plan, first))
    if len(points) < 2:
        return None
    metric, figures = bench.ranking.metric, [f for _, f in points]
    return LearningCurve(
        variant=best.name,
        patients=tuple(n for n, _ in points),
        accuracy=tuple(f["accuracy"] for f in figures if "accuracy" in f),
        metric=metric,
        scores=tuple(f.get(metric, Estimate(None)) for f in figures),
    )


def _part(bench: Bench, plan: Plan, fold: FoldResult, fraction: float, position: tuple[int, int]) -> FoldResult | None:
    part = _subset(bench, fold.split, fraction)
    if part is None:
        return None
    split = replace(fold.split, train=part)
    folder = fold_folder(bench.out, f"learning-curve-{round(100 * fraction)}-{plan.key}", split)
    text = f"learning curve of {plan.name}, {fraction:.0%} of the patients"
    run = replace(bench.run, progress=within(bench.run, *position, text))
    return run_fold(bench, plan.settings, split, folder=folder, run=run, explain=False)


def _subset(bench: Bench, split: Split, fraction: float) -> NDArray[np.int64] | None:
    """Return the training examinations of this share of each class's patients, ``None`` if a class would have too few."""
    rng = np.random.default_rng([bench.design.seed, split.fold])
    chosen: set[str] = set()
    for label in bench.classes or sorted(set(bench.labels)):
        patients = sorted({bench.examples[int(i)].group for i in split.train if bench.labels[int(i)] == label})
        count = round(fraction * len(patients))
        if count < LEAST_PATIENTS:
            return None
        chosen |= set(rng.permutation(patients)[:count].tolist())
    return np.array([i for i in split.train if bench.examples[int(i)].group in chosen], dtype=np.int64)


def _point(bench: Bench, plan: Plan, folds: Sequence[FoldResult]) -> tuple[int, Mapping[str, Estimate]]:
    """Return the number of training patients, and what was reached with them."""
    counts = [len({bench.examples[int(i)].group for i in f.split.train}) for f in folds]
    patients, trained = round(float(np.mean(counts))), Trained(plan, tuple(folds))
    if bench.ranking.measures:
        measured = measured_of(bench, trained)
        return patients, {} if measured is None else measured.metrics
    single = replace(bench, design=replace(bench.design, repeats=1))
    table, numbers = table_of(single, trained)
    keep = np.asarray(np.isfinite(table).all(axis=(0, 2)))
    predictions = predictions_of(single, table, numbers, keep)
    return patients, compute_metrics(predictions, metrics=["accuracy", bench.ranking.metric], bootstraps=bench.design.bootstraps)
