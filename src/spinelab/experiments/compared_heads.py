"""The heads of several networks that answer more than one question: the one that ranks, and beside it every other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from spinelab.core import TaskError
from spinelab.experiments import words
from spinelab.experiments.assemble import answers_together, judged_of
from spinelab.experiments.bench import Bench, Trained
from spinelab.experiments.course import Course
from spinelab.experiments.judged import baseline_of
from spinelab.report.content import ComparedHead, HeadFigures, Variant


def compare_heads(
    bench: Bench, trained: Sequence[Trained], variants: Sequence[Variant], base: Mapping[str, Any], course: Course
) -> tuple[list[ComparedHead], list[str]]:
    """Return every head of models with several, the one that ranks among them, and what must be said of heads that nobody answered."""
    place = {v.name: i for i, v in enumerate(variants)}
    trained = sorted(trained, key=lambda t: place[t.plan.name])
    names = dict.fromkeys(name for t in trained if t.failure is None for name in bench.task.heads(t.plan.settings))
    heads, told = [], []
    for name in names:
        try:
            heads.append(_judged(bench, variants, base) if name == bench.target else _other(bench, trained, name, course))
        except TaskError as error:
            told.append(f"The head {name} is not reported: {error.given}.")
    return heads, told


def with_other_heads(variants: Sequence[Variant], heads: Sequence[ComparedHead], target: str) -> list[Variant]:
    """Return the models with the answers of the heads that do not rank."""
    answers = {(head.name, model): found.predictions for head in heads if head.name != target for model, found in head.models.items()}
    return [replace(v, other_heads={head: found for (head, model), found in answers.items() if model == v.name}) for v in variants]


def _judged(bench: Bench, variants: Sequence[Variant], base: Mapping[str, Any]) -> ComparedHead:
    models = {v.name: HeadFigures(v.predictions, v.metrics, v.flags) for v in variants if v.predictions is not None}
    return ComparedHead(bench.target, bench.classes, _without_answers(base), models)


def _other(bench: Bench, trained: Sequence[Trained], name: str, course: Course) -> ComparedHead:
    """Return a head as if it were the one that is judged: by the same folds, constants and flags."""
    course.figures(1.0, f"figures and intervals of the head {name}")
    having = [t for t in trained if name in bench.task.heads(t.plan.settings) and t.failure is None]
    classes = bench.task.heads(having[0].plan.settings)[name]
    own = replace(bench, target=name, classes=classes, labels=tuple(bench.examples.labels(name)))
    told = [replace(t, folds=tuple(replace(fold, probabilities=fold.heads[name]) for fold in t.folds)) for t in having]
    predictions, _ = answers_together(own, told)
    base = baseline_of(own.task, own.examples, next(iter(predictions.values())), bootstraps=own.design.bootstraps)
    models = {}
    for t in told:
        if t.plan.key in predictions:
            answers = predictions[t.plan.key]
            judged = judged_of(own, answers, base)
            models[t.plan.name] = HeadFigures(answers, judged.metrics, judged.flags)
    return ComparedHead(name, classes, _without_answers(base), models)


def _without_answers(base: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in base.items() if key != "predictions"}


def statements(heads: Sequence[ComparedHead], judged: str) -> list[str]:
    """Return a sentence a head that does not rank: the accuracy of every model, and that of the most frequent class."""
    told = []
    for head in heads:
        if head.name != judged:
            models = "; ".join(f"{name} {words.say(found.figures['accuracy'])}" for name, found in head.models.items())
            constant = f"always answering {head.baseline['majority_class']!r} is right for {head.baseline['majority_share']:.0%}"
            told.append(f"The head {head.name}, which does not rank, answers with accuracy: {models}; {constant}.")
    return told
