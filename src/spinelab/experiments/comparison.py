"""Several models on the same folds of the same patients, and what can honestly be said of the difference."""

from __future__ import annotations

import math
import shlex
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from spinelab.core import Examples, Run, Settings, Task, TaskError
from spinelab.core.versions import versions
from spinelab.evaluation.types import Predictions
from spinelab.experiments import measured_words, ranked_words, words
from spinelab.experiments.asked import Asked, ask
from spinelab.experiments.assemble import answers_together, variant_of
from spinelab.experiments.bench import Bench, FoldResult, Trained
from spinelab.experiments.compared_heads import compare_heads, with_other_heads
from spinelab.experiments.compared_heads import statements as head_statements
from spinelab.experiments.course import Course, Leg
from spinelab.experiments.data_check import announce, check_data, with_groups
from spinelab.experiments.design import Design, claim_folder
from spinelab.experiments.error_columns import measured_pairs
from spinelab.experiments.folds import fold_folder, run_fold
from spinelab.experiments.judged import baseline_of
from spinelab.experiments.learning_curve import extra_folds, learning_curve
from spinelab.experiments.measured_variants import constant_error, measured_of, on_common_films, skipped_films
from spinelab.experiments.named_splits import part_to_learn
from spinelab.experiments.pairing import kinds, measured_quantity
from spinelab.experiments.pairs import compare_pairs
from spinelab.experiments.rank import Ranking, ranking_of
from spinelab.experiments.side_by_side import gallery
from spinelab.experiments.splits import Split, bands_of
from spinelab.experiments.variants import Plan, plans
from spinelab.report import write_comparison
from spinelab.report.content import ComparedHead, Comparison, DataSummary, Flag, Pair, Variant


def compare(
    task: Task, examples: Examples, *, out: Path, settings: Settings, vary: Mapping[str, Sequence[Any]], design: Design, resume: bool, run: Run
) -> Comparison:
    """Train every combination of the varied settings on the same folds and write what can be said.

    Writes ``comparison.json``, ``predictions.csv`` and ``report.html`` into ``out``; finished folds are kept in ``out/folds`` and
    are never repeated. All settings must agree on the target, so that the models answer one question. Models that only measure (no
    target) are ranked by an error. Of data that come with splits the training split is used, or the one that ``design`` names.
    """
    started = time.perf_counter()
    part = part_to_learn(examples, design.split, run.tell)
    variants = plans(task.settled(part.examples, settings), vary)
    asked = ask(task, part.examples, variants[0].settings)
    examples = asked.examinations
    target = _common_target(task, variants)
    ranking = ranking_of(design.rank_by, task, variants, target)
    quantities = task.quantities(variants[0].settings)
    check = check_data(examples, target, run.progress, measures=not target, asked=asked, quantities=quantities, doubts=task.doubts)
    announce(check.summary, run)
    labels, splits = _split(task, variants[0].settings, asked, target, check.groups, design)
    claim_folder(
        out,
        {
            "task": task.name,
            "target": target,
            "data": check.summary.digest,
            "folds": design.folds,
            "repeats": design.repeats,
            "holdout": design.holdout,
            "seed": design.seed,
        },
        resume=resume,
    )
    classes = task.classes(asked.questions, variants[0].settings) if target else ()
    groups = asked.spread(check.groups)
    bench = Bench(
        task,
        with_groups(asked.questions, groups),
        target,
        classes,
        tuple(labels),
        tuple(groups),
        tuple(map(asked.split, splits)),
        out,
        run,
        design,
        ranking,
        check.sizes,
        check.spacings,
        part.name,
        check.doubts.left_out,
    )
    course = Course(run, len(splits) * len(variants), extra_folds(bench))
    trained = _train_all(bench, variants, course)
    comparison = _conclude(bench, trained, check.summary, course, started)
    write_comparison(comparison, out)
    return comparison


def _split(task: Task, settings: Settings, asked: Asked, target: str, groups: Sequence[str], design: Design) -> tuple[list[str], list[Split]]:
    """Return the classes, or where nothing is classified the bands of the first quantity, and the splits that keep them in proportion."""
    if asked.several:
        return asked.question_labels(target), design.splits_by_size(list(asked.burden), list(groups))
    if target:
        return list(asked.labels), design.splits(list(asked.labels), list(groups))
    truths = [e.truth for e in asked.examinations]
    found = kinds(task.quantities(settings), truths)
    values = measured_quantity(found[0], truths, truths).truth.tolist() if found else [math.nan] * len(truths)
    return bands_of(values), design.splits_by_size(values, list(groups))


def _common_target(task: Task, variants: Sequence[Plan]) -> str:
    targets = {task.target(v.settings) for v in variants}
    if len(targets) > 1:
        raise TaskError(
            f"Models that answer different questions ({', '.join(sorted(t or 'measuring only' for t in targets))})",
            expected="one target for all",
            action="compare the targets one at a time",
        )
    drawn = [name for name in sorted(task.draws_classes) if len({v.settings.to_dict()[name] for v in variants}) > 1]
    if drawn:
        raise TaskError(
            f"Models whose classes are drawn at different {', '.join(drawn)}", expected="one truth for all", action="compare them one value at a time"
        )
    return targets.pop()


def _train_all(bench: Bench, variants: Sequence[Plan], course: Course) -> list[Trained]:
    """Run fold after fold, all variants in each, so that an interrupted comparison has tried all models equally often."""
    done: dict[str, list[FoldResult]] = {v.key: [] for v in variants}
    failed: dict[str, str] = {}
    for s, split in enumerate(bench.splits):
        for v, plan in enumerate(variants):
            if plan.key in failed:
                continue
            leg = Leg(course, s * len(variants) + v, 1.0, f"{plan.name}, {_split_name(bench.design, split)}")
            try:
                done[plan.key].append(_one_fold(bench, plan, split, leg))
            except TaskError as error:
                failed[plan.key] = str(error)
    if len(failed) == len(variants):
        raise TaskError(
            f"Every model failed; the first: {next(iter(failed.values()))}",
            expected="at least one that trains",
            action="correct the settings and run again with --resume",
        )
    return [Trained(plan, tuple(done[plan.key]), failed.get(plan.key)) for plan in variants]


def _one_fold(bench: Bench, plan: Plan, split: Split, leg: Leg) -> FoldResult:
    folder = fold_folder(bench.out, plan.key, split)
    return run_fold(bench, plan.settings, split, folder=folder, leg=leg, explain=True)


def _split_name(design: Design, split: Split) -> str:
    fold = "hold-out" if design.holdout is not None else f"fold {split.fold + 1} of {design.folds}"
    return fold if design.repeats == 1 else f"{fold}, repeat {split.repeat + 1} of {design.repeats}"


def _conclude(bench: Bench, trained: Sequence[Trained], data: DataSummary, course: Course, started: float) -> Comparison:
    ranking = bench.ranking
    predictions, compared = answers_together(bench, trained)
    some = next(iter(predictions.values()), None)
    base = {} if some is None else baseline_of(bench.task, bench.examples, some, bootstraps=bench.design.bootstraps)
    variants = _variants(bench, trained, predictions, base, course)
    skipped = ""
    if ranking.measures:
        skipped = skipped_films(bench, variants)
        variants = on_common_films(bench, variants)
    variants = _rank(variants, ranking)
    if ranking.measures:
        constant = constant_error(bench, variants)
        base = {**base, **constant, "metrics": {**base.get("metrics", {}), **constant["metrics"]}}
    pairs = compare_pairs(variants, bench.splits, bench.design, ranking)
    variants = _mark_few_patients(_mark_indistinguishable(variants, pairs), data)
    heads, unheard = compare_heads(bench, trained, variants, base, course)
    variants = with_other_heads(variants, heads, bench.target)
    curve = learning_curve(bench, trained, variants, course) if bench.design.learning_curve else None
    course.page()
    design = _design_facts(bench, started) | compared
    routes = measured_words.routes([(v.name, v.route) for v in variants if v.answered and v.name not in compared.get("left_out", ())])
    told = (routes, *head_statements(heads, bench.target), *unheard, *words.statements(variants, pairs, data, design), words.constants(base), skipped)
    return Comparison(
        task=bench.task.name,
        title=bench.task.title,
        question=bench.task.question,
        target=bench.target,
        headline=ranked_words.headline(variants, pairs, data, base, ranking),
        statements=tuple(dict.fromkeys(t for t in told if t)),
        rank_by=ranking.metric,
        variants=tuple(variants),
        baseline={k: v for k, v in base.items() if k != "predictions"},
        pairs=tuple(pairs),
        data=data,
        design=design,
        versions=versions(),
        learning_curve=curve,
        analysis=tuple(_analysis(bench, trained, variants, heads)),
        measured_pairs=measured_pairs(variants, bench.design),
        routes=routes,
        gallery=gallery(bench, trained),
        heads=tuple(heads),
    )


def _variants(bench: Bench, trained: Sequence[Trained], predictions: Mapping[str, Predictions], base: Mapping[str, Any], course: Course) -> list[Variant]:
    """Return the models with their figures; how far that is is told, for it takes long where there are many answers."""
    found = []
    for done, t in enumerate(trained):
        course.figures(done / len(trained), f"figures and intervals of {t.plan.name}")
        found.append(variant_of(bench, t, predictions.get(t.plan.key), base, measured_of(bench, t)))
    return found


def _analysis(bench: Bench, trained: Sequence[Trained], variants: Sequence[Variant], heads: Sequence[ComparedHead]) -> Iterator[dict[str, Any]]:
    """Yield the task's sections about the answers of every head, the judged one first, and those about the training and the data."""
    task, bootstraps = bench.task, bench.design.bootstraps
    yield from task.sections(bench.examples, {v.name: v.predictions for v in variants if v.predictions is not None}, bootstraps=bootstraps)
    for head in heads:
        if head.name != bench.target:
            yield from task.sections(bench.examples, {name: found.predictions for name, found in head.models.items()}, bootstraps=bootstraps)
    yield from task.training({t.plan.name: [fold.record for fold in t.folds] for t in trained})
    yield from task.analysis(bench.examples, trained[0].plan.settings)


def _rank(variants: Sequence[Variant], ranking: Ranking) -> list[Variant]:
    """Give ranks by the metric; collapsed and failed models, and those that do not have it, get none and come last."""
    scores = {v.name: v.figures[ranking.metric].value for v in variants if ranking.metric in v.figures and not words.has(v, "collapsed")}
    eligible = [v for v in variants if scores.get(v.name) is not None]
    order = sorted(eligible, key=lambda v: float(scores[v.name] or 0) * (1 if ranking.measures else -1))
    ranked = [replace(v, rank=position + 1) for position, v in enumerate(order)]
    return ranked + [v for v in variants if v not in eligible]


def _mark_indistinguishable(variants: Sequence[Variant], pairs: Sequence[Pair]) -> list[Variant]:
    best = next((v for v in variants if v.rank == 1), None)
    if best is None:
        return list(variants)
    level = {name for p in pairs if best.name in (p.a, p.b) and not p.distinguishable for name in (p.a, p.b)}
    marked = []
    for v in variants:
        others = sorted(level - {v.name}) if v is best else [best.name]
        flag = Flag("not-distinguishable", f"Not distinguishable from {', '.join(others)} on these data.")
        marked.append(replace(v, flags=(*v.flags, flag)) if v.name in level and v.rank is not None else v)
    return marked


def _mark_few_patients(variants: Sequence[Variant], data: DataSummary) -> list[Variant]:
    """Put the flag on every model too: it is their ranking that so few patients cannot carry."""
    few = tuple(flag for flag in data.flags if flag.code == "too-few-patients")
    return [replace(v, flags=(*v.flags, *few)) if v.answered else v for v in variants]


def _design_facts(bench: Bench, started: float) -> dict[str, Any]:
    design = bench.design
    parts = {"folds": design.folds} if design.holdout is None else {"holdout": design.holdout}
    positive = {"positive": bench.classes[-1]} if len(bench.classes) == 2 else {}
    named = {"split": bench.split} if bench.split else {}
    return (
        parts
        | positive
        | named
        | {
            "repeats": design.repeats,
            "seed": design.seed,
            "rank_by": bench.ranking.metric,
            "level": 0.95,
            "bootstraps": design.bootstraps,
            "seconds": time.perf_counter() - started,
            "command": shlex.join(Path(word).name if "/" in word and "=" not in word else word for word in sys.argv),
        }
    )
