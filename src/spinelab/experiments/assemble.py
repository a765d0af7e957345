"""From the folds on disk to the answers, figures and flags of each model."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spinelab.core import Judgement, TaskError
from spinelab.evaluation.types import Predictions
from spinelab.experiments.bench import Bench, CaseFile, FoldResult, Trained
from spinelab.experiments.declined import reasons
from spinelab.experiments.flags import of_training
from spinelab.experiments.judged import Judged, judge
from spinelab.experiments.measured_flags import of_measured
from spinelab.report.content import Case, Flag, Variant
from spinelab.report.measured import Measured

LEAST_ANSWERED: Final = 0.5
"""Share of the held-out examinations that a model has to answer for its classes to be judged."""


def table_of(bench: Bench, trained: Trained) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return (R, n, K) probabilities, NaN where an examination was not held out or not answered, and (R, n) folds."""
    shape = (bench.design.repeats, len(bench.examples))
    table = np.full((*shape, len(bench.classes)), np.nan)
    folds = np.full(shape, -1, dtype=np.int64)
    for fold in trained.folds:
        table[fold.split.repeat, fold.split.test] = fold.probabilities
        folds[fold.split.repeat, fold.split.test] = fold.split.fold
    return table, folds


def answered(trained: Sequence[Trained], tables: Mapping[str, Any]) -> tuple[NDArray[np.bool_], set[str], dict[str, int]]:
    """Return the examinations by which models are compared, the keys of these models, and how many held-out examinations each model declined.

    The examinations are those held out in every repeat and answered by every model of which `LEAST_ANSWERED` of them got an answer: one that
    declines nearly all must not take them from the others.
    """
    held_out = np.all([folds >= 0 for _, folds in tables.values()], axis=(0, 1))
    answers = {key: np.isfinite(table).all(axis=(0, 2)) for key, (table, _) in tables.items()}
    judged = {key for key, own in answers.items() if own[held_out].mean() >= LEAST_ANSWERED} if held_out.any() else set()
    everyone = held_out & np.all([answers[key] for key in judged], axis=0)
    unanswered = {t.plan.name: int((held_out & ~answers[t.plan.key]).sum()) for t in trained if t.plan.key in tables}
    if not judged or not everyone.any():
        counts = ", ".join(f"{name} declined {count}" for name, count in unanswered.items())
        raise TaskError(
            f"No examination was answered by every model ({counts})",
            expected="some examinations that all models answer",
            action="train them for longer, or compare models that accept the same views",
        )
    return everyone, judged, unanswered


def answers_together(bench: Bench, trained: Sequence[Trained]) -> tuple[dict[str, Predictions], dict[str, Any]]:
    """Return the classes that each model gave, by its key, and on how many examinations they can be compared; nothing where nothing is classified."""
    if not bench.target:
        return {}, {}
    tables = {t.plan.key: table_of(bench, t) for t in trained if t.failure is None}
    kept, judged, unanswered = answered(trained, tables)
    found = {key: predictions_of(bench, table, folds, kept) for key, (table, folds) in tables.items() if key in judged}
    left_out = [t.plan.name for t in trained if t.plan.key in tables and t.plan.key not in judged]
    why = [{"model": t.plan.name} | dict(row) for t in trained if t.plan.key in tables for row in _why_declined(bench, t)]
    return found, {"compared": int(kept.sum()), "unanswered": unanswered, "unanswered_why": why, "left_out": left_out}


def _why_declined(bench: Bench, trained: Trained) -> tuple[Mapping[str, Any], ...]:
    """Return why a model gave no class, of each examination what it said when it was first held out."""
    first = [fold for fold in trained.folds if fold.split.repeat == 0]
    cases = [(why, bench.examples[int(fold.split.test[place])]) for fold in first for place, why in fold.declined.items()]
    return reasons(((bench.left_out.get(example.id) or why, example) for why, example in cases), bench.left_out)


def predictions_of(bench: Bench, table: NDArray[np.float64], folds: NDArray[np.int64], keep: NDArray[np.bool_]) -> Predictions:
    """Return the answers for the examinations that are kept."""
    index = np.flatnonzero(keep)
    return Predictions(
        classes=bench.classes,
        images=tuple(bench.examples[int(i)].id for i in index),
        patients=tuple(bench.examples[int(i)].group for i in index),
        truth=np.array([bench.classes.index(bench.labels[i]) for i in index], dtype=np.int64),
        probabilities=table[:, index],
        folds=folds[:, index],
        named=tuple(bench.examples[int(i)].patient or "" for i in index),
    )


def variant_of(bench: Bench, trained: Trained, predictions: Predictions | None, base: Mapping[str, Any], measured: Measured | None = None) -> Variant:
    """Return one model's figures, flags, timing and cases; a failed one has only its reason."""
    plan, route = trained.plan, bench.task.route(trained.plan.settings)
    if trained.failure is not None or (predictions is None and measured is None):
        few = f"It answered fewer than {LEAST_ANSWERED:.0%} of the held-out {bench.examples.noun}s: too few to be judged."
        failure = Flag("failed", few if trained.failure is None else f"Training failed: {trained.failure}")
        return Variant(plan.name, plan.varied, plan.settings.to_dict(), {}, (failure,), None, None, notes=(failure.text,), route=route)
    records = [fold.record for fold in trained.folds]
    judged = judged_of(bench, predictions, base) if predictions is not None else Judged({}, (), Judgement())
    flags = [*(of_measured(measured) if measured is not None else ()), *judged.flags, *of_training(records)]
    return Variant(
        name=plan.name,
        settings=plan.varied,
        all_settings=plan.settings.to_dict(),
        metrics=judged.metrics,
        flags=tuple(flags),
        predictions=predictions,
        rank=None,
        histories=tuple(tuple(r.get("history", ())) for r in records),
        parameters=trained.folds[0].parameters,
        fit_seconds=float(sum(r.get("seconds", 0) for r in records)),
        predict_ms=float(np.median([f.predict_ms for f in trained.folds])),
        peak_memory_mb=max((r["peak_memory_mb"] for r in records if r.get("peak_memory_mb")), default=None),
        device=_said(records, "device"),
        precision=_said(records, "precision", "used"),
        weights=_said(records, "weights", "used"),
        cases=_cases(bench, trained),
        notes=_notes(records, bench.examples.notes),
        route=route,
        measured=measured,
    )


def judged_of(bench: Bench, predictions: Predictions, base: Mapping[str, Any]) -> Judged:
    """Return what the answers of one model are worth, by the design of the comparison."""
    design = bench.design
    return judge(bench.task, bench.examples, predictions, base, ranked=bench.ranking.metric, bootstraps=design.bootstraps, seed=design.seed)


def _notes(records: Sequence[Mapping[str, Any]], known: Sequence[str]) -> tuple[str, ...]:
    """Return what the folds remarked, a sentence that differs in its numbers once, without what is known of the data."""
    remarks = (note for r in records for note in r.get("notes", ()) if note not in known)
    return tuple({re.sub(r"\d+", "#", note): note for note in remarks}.values())


def _said(records: Sequence[Mapping[str, Any]], key: str, inner: str | None = None) -> str:
    values = [r[key].get(inner) if inner and isinstance(r.get(key), Mapping) else r.get(key) for r in records]
    return ", ".join(sorted({str(v) for v in values if v}))


def _cases(bench: Bench, trained: Trained) -> tuple[Case, ...]:
    """Return the best, the typical and the worst held-out answer over all folds."""
    stored = [(fold, case) for fold in trained.folds for case in fold.cases]
    chosen = []
    for kind, pick in (("best", max), ("worst", min)):
        of_kind = [fc for fc in stored if fc[1].kind == kind]
        if of_kind:
            chosen.append(pick(of_kind, key=lambda fc: fc[1].probability_of_truth))
    typical = sorted((fc for fc in stored if fc[1].kind == "typical"), key=lambda fc: fc[1].probability_of_truth)
    if typical:
        chosen.insert(1, typical[len(typical) // 2])
    return tuple(_case(bench, fold, case) for fold, case in chosen)


def _case(bench: Bench, fold: FoldResult, case: CaseFile) -> Case:
    position = int(fold.split.test[case.position])
    answer = bench.classes[int(np.argmax(fold.probabilities[case.position]))]
    return Case(case.kind, bench.examples[position].id, bench.labels[position], answer, case.probability_of_truth, case.explanations)
