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
from spinelab.experiments.bench import Bench, FoldResult, Trained
from spinelab.experiments.course import Course, Leg
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


def extra_folds(bench: Bench) -> float:
    """Return how many folds are trained beside those of the comparison; one on a share of its patients counts as that share."""
    return sum(fraction * len(parts) for fraction, parts in _parts(bench)) if bench.design.learning_curve else 0.0


def learning_curve(bench: Bench, trained: Sequence[Trained], variants: Sequence[Variant], course: Course) -> LearningCurve | None:
    """Return accuracy and ranking metric of the first-ranked model against the number of training patients, on the first folds.

    All points are about the examinations that were answered at every point; there is no curve where that is none.
    """
    best = next((v for v in variants if v.rank == 1), None)
    parts = _parts(bench)
    if best is None or not parts:
        return None
    source = next(t for t in trained if t.plan.name == best.name)
    begins = course.curve_begins
    taught: list[Sequence[FoldResult]] = []
    for fraction, splits in parts:
        try:
            folds = [_part(bench, source.plan, split, fraction, course, begins + n * fraction) for n, split in enumerate(splits)]
        except TaskError:
            return None
        begins += fraction * len(splits)
        taught.append(folds)
    taught.append(source.folds[: len(parts[0][1])])
    single = replace(bench, design=replace(bench.design, repeats=1))
    answered = _answered(single, source.plan, taught)
    if not bench.ranking.measures and not answered.any():
        bench.run.tell("No learning curve: no examination was answered by the models of every size of the training part.")
        return None
    points = [_point(single, source.plan, folds, answered) for folds in taught]
    metric, figures = bench.ranking.metric, [f for _, f in points]
    return LearningCurve(
        variant=best.name,
        patients=tuple(n for n, _ in points),
        accuracy=tuple(f["accuracy"] for f in figures if "accuracy" in f),
        metric=metric,
        scores=tuple(f.get(metric, Estimate(None)) for f in figures),
    )


def _parts(bench: Bench) -> list[tuple[float, list[Split]]]:
    """Return the shares of which every fold has enough patients, each with the folds cut down to it."""
    first = [split for split in bench.splits if split.repeat == 0][:MOST_FOLDS]
    cut = [(fraction, [(split, _subset(bench, split, fraction)) for split in first]) for fraction in FRACTIONS]
    return [(fraction, [replace(s, train=part) for s, part in found if part is not None]) for fraction, found in cut if all(p is not None for _, p in found)]


def _part(bench: Bench, plan: Plan, split: Split, fraction: float, course: Course, begins: float) -> FoldResult:
    folder = fold_folder(bench.out, f"learning-curve-{round(100 * fraction)}-{plan.key}", split)
    leg = Leg(course, begins, fraction, f"learning curve of {plan.name}, {fraction:.0%} of the patients, fold {split.fold + 1}")
    return run_fold(bench, plan.settings, split, folder=folder, leg=leg, explain=False)


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


def _answered(single: Bench, plan: Plan, taught: Sequence[Sequence[FoldResult]]) -> NDArray[np.bool_]:
    """Return which examinations were answered at every point of the curve; none where nothing is classified."""
    tables = [table_of(single, Trained(plan, tuple(folds)))[0] for folds in taught]
    return np.asarray(np.all([np.isfinite(table).all(axis=(0, 2)) for table in tables], axis=0), np.bool_)


def _point(single: Bench, plan: Plan, folds: Sequence[FoldResult], answered: NDArray[np.bool_]) -> tuple[int, Mapping[str, Estimate]]:
    """Return the number of training patients, and what was reached with them, of classes on these examinations; ``single`` has one repeat."""
    counts = [len({single.examples[int(i)].group for i in f.split.train}) for f in folds]
    patients, trained = round(float(np.mean(counts))), Trained(plan, tuple(folds))
    if single.ranking.measures:
        measured = measured_of(single, trained)
        return patients, {} if measured is None else measured.metrics
    table, numbers = table_of(single, trained)
    predictions = predictions_of(single, table, numbers, answered)
    return patients, compute_metrics(predictions, metrics=["accuracy", single.ranking.metric], bootstraps=single.design.bootstraps)
