"""What the models of a comparison measured on held-out films, put together from the folds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from spinelab.experiments.bench import Bench, Trained
from spinelab.experiments.constant_measures import learnt_constants
from spinelab.experiments.error_columns import common_rows, ranked_error
from spinelab.experiments.gallery import with_galleries
from spinelab.experiments.measured import Rows, has_measured_truth, measure
from spinelab.experiments.measured_words import amount
from spinelab.report.content import Variant
from spinelab.report.measured import Measured
from spinelab.report.words import estimate

SOURCE = "the medians of each fold's training part"


def measured_of(bench: Bench, trained: Trained) -> Measured | None:
    """Return what a variant measured, a row a held-out film and repeat; ``None`` where it measures nothing whose truth is known."""
    task, settings = bench.task, trained.plan.settings
    if trained.failure is not None or not has_measured_truth(task, settings, bench.examples.items):
        return None
    rows = _rows(bench, trained)
    measured = measure(task, settings, rows, bootstraps=bench.design.bootstraps, seed=bench.design.seed)
    if measured.landmarks is None and not any(q.paired.any() for q in measured.quantities):
        return None
    return with_galleries(measured, task, settings, rows.examples, rows.answers)


def _rows(bench: Bench, trained: Trained) -> Rows:
    """Return every held-out film of every fold with its answer, and the constants of the fold's training part."""
    test = [int(i) for fold in trained.folds for i in fold.split.test]
    quantities = bench.task.quantities(trained.plan.settings)
    constants: list[dict[str, Any]] = []
    for fold in trained.folds:
        train = [int(i) for i in fold.split.train]
        learnt = learnt_constants(quantities, bench.examples.subset(train), [bench.sizes[i] for i in train] if bench.sizes else ())
        constants += [learnt] * len(fold.split.test)
    return Rows(
        examples=[bench.examples[i] for i in test],
        answers=[result for fold in trained.folds for result in fold.results],
        groups=[bench.groups[i] for i in test],
        sizes=[bench.sizes[i] for i in test] if bench.sizes else (),
        spacings=[bench.spacings[i] for i in test],
        constants=constants,
        source=SOURCE,
        folds=tuple(fold.split.fold for fold in trained.folds for _ in fold.split.test),
        repeats=tuple(fold.split.repeat for fold in trained.folds for _ in fold.split.test),
    )


def on_common_films(bench: Bench, variants: Sequence[Variant]) -> list[Variant]:
    """Return the variants with the error that ranks taken over the films that all of them measured."""
    common = common_rows(variants, bench.ranking)
    changed = []
    for v in variants:
        if v.measured is None:
            changed.append(v)
            continue
        score = ranked_error(v.measured, bench.ranking, common, bench.design)
        metrics = {**v.metrics, bench.ranking.metric: score} if score.value is not None else v.metrics
        changed.append(replace(v, metrics=metrics))
    return changed


def constant_error(bench: Bench, variants: Sequence[Variant]) -> dict[str, Any]:
    """Return what one number for everyone reaches in the error that ranks; only its name where that is not known."""
    q = bench.ranking.quantity
    measured = next((v.measured for v in variants if v.measured is not None and v.rank is not None), None)
    if q is None:
        return _mean_shape(bench, measured)
    own = None if measured is None else next((m for m in measured.quantities if (m.name, m.unit) == (q.name, q.unit) and m.constant), None)
    if own is None:
        return {"name": "one number for everyone", "metrics": {}}
    return {"name": f"always {amount(own.constant['answer'], own.unit)}", "metrics": {bench.ranking.metric: own.constant["mae"]}}


def _mean_shape(bench: Bench, measured: Measured | None) -> dict[str, Any]:
    landmarks = None if measured is None else measured.landmarks
    row = next((r for r in (landmarks.rows if landmarks is not None else ()) if r["kind"] == "constant"), None)
    return {"name": "a mean shape over every film", "metrics": {} if row is None else {bench.ranking.metric: estimate(row[bench.ranking.unit]["median"])}}


def skipped_films(bench: Bench, variants: Sequence[Variant]) -> str:
    """Return in words on how many held-out films the ranking rests, where some model withheld what ranks."""
    common = common_rows(variants, bench.ranking)
    if common.all() or not common.size:
        return ""
    return f"Ranked on the {int(common.sum())} of {common.size} held-out answers that every measuring model gave; the other figures are over all of its own."
