"""One finished model on another folder: other patients, another site."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spinelab.core import Examples, Explaining, InputError, Model, Result, Run, Task, TaskError, plural
from spinelab.core.versions import versions
from spinelab.evaluation.types import Estimate, Predictions
from spinelab.experiments import measured_words, words
from spinelab.experiments.asked import ask
from spinelab.experiments.bench import AnswerClock
from spinelab.experiments.classified import Classified, classify, known_labels
from spinelab.experiments.constant_measures import learnt_constants
from spinelab.experiments.data_check import SHOWN, DataCheck, announce, check_data, with_groups
from spinelab.experiments.data_words import JUDGED_ON
from spinelab.experiments.declined import reasons, refusal_of
from spinelab.experiments.flags import of_training
from spinelab.experiments.gallery import with_galleries
from spinelab.experiments.heads import Head, judge_heads, sections
from spinelab.experiments.looked import looked
from spinelab.experiments.measured import Rows, has_measured_truth, measure, part_of
from spinelab.experiments.measured_flags import of_measured
from spinelab.experiments.named_splits import part_to_try
from spinelab.experiments.opening import UnreadableError
from spinelab.experiments.subgroups import subgroups
from spinelab.report import write_evaluation, write_text
from spinelab.report.content import DataSummary, Evaluation, Flag, Variant
from spinelab.report.measured import Measured

_QUICK: Final = Explaining()
_LEARNT: Final = "on the data that the model was trained on: "
OWN_MEDIANS: Final = "the medians of these very data (the model's record holds none), which favours them"


@dataclass(frozen=True, eq=False)
class _Halves:
    """What is known of a model's answers: classes, measurements, or both; a section on where it looked, every head of several, and why some have no class."""

    classified: Classified | None
    measured: Measured | None
    looks: tuple[Mapping[str, Any], ...] = ()
    heads: tuple[Head, ...] = ()
    unanswered: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, eq=False)
class _Known:
    """What is known before a model answers: the questions, their classes, what was found in the data, and whether measurements are judged."""

    questions: Examples
    labels: tuple[str, ...]
    check: DataCheck
    measures: bool


def evaluate(
    task: Task,
    model: Model,
    examples: Examples,
    *,
    out: Path,
    run: Run,
    bootstraps: int = 2000,
    split: str | None = None,
    explaining: Explaining | None = _QUICK,
) -> Evaluation:
    """Try a model on examinations with a known truth that it has not seen; write what it is worth into ``out``.

    Writes ``evaluation.json``, ``predictions.csv`` and ``report.html``; of measurements also ``agreement.csv``, of landmarks ``landmarks.csv``, and the
    task's own tables (`Task.tables`), such as a competition's submission. Of data that come with splits the test split is used, or the one named.
    ``explaining`` chooses the maps that tell where the model looked, where the truth tells where it should; ``None``: none. Examinations that cannot be
    read are left out, and named in the notes.

    Raises
    ------
    TaskError
        If there is no such split, the folder holds a class that the model does not know, or none of its examinations was answered.
    InputError
        If a model that only measures meets data without measured truth, or no examination can be read.
    """
    part = part_to_try(examples, split, run.tell)
    try:
        known = _known(task, model, part.examples, run)
    except UnreadableError as error:
        known = _known(task, model, _readable(part.examples, error, run), run)
    check, examples = known.check, known.questions
    announce(check.summary, run)
    clock = AnswerClock(run)
    results = task.predict_many(model, examples, clock.run)
    predict_ms = clock.milliseconds(len(examples))
    run.progress(0, 1, "figures and intervals")
    halves = _halves(task, model, examples, results, known, bootstraps=bootstraps)
    halves = replace(halves, unanswered=_why_unanswered(examples, results, halves.classified, check.doubts.left_out))
    halves = replace(halves, looks=_looks(task, model, examples, halves.classified, explaining, run))
    run.progress(0, 1, "writing the report")
    evaluation = _conclude(task, model, examples, halves, check.summary, predict_ms, bootstraps, part.name)
    write_evaluation(evaluation, out)
    for name, text in task.tables(model, task.together(examples, results)).items():
        write_text(out / name, text)
    return evaluation


def _known(task: Task, model: Model, examples: Examples, run: Run) -> _Known:
    """Open the examinations and return what is known of them; raises `UnreadableError` where some cannot be read."""
    target, asked = task.target(model.settings), ask(task, examples, model.settings)
    measures = has_measured_truth(task, model.settings, asked.examinations)
    if not target and not measures:
        raise InputError(
            f"{examples.root}: no examination with a true measurement", expected="measurements or landmarks to compare with", action="use data with a truth"
        )
    labels = known_labels(model, asked.questions, target) if target else []
    quantities = task.quantities(model.settings)
    check = check_data(asked.examinations, target, run.progress, measures=measures, asked=asked, words=JUDGED_ON, quantities=quantities, doubts=task.doubts)
    return _Known(with_groups(asked.questions, asked.spread(check.groups)), tuple(labels), check, measures=measures)


def _readable(examples: Examples, error: UnreadableError, run: Run) -> Examples:
    """Return the examinations without those that cannot be read, which a note names."""
    kept = examples.subset([i for i, example in enumerate(examples) if example.id not in error.names])
    if not len(kept):
        raise InputError(error.given, expected=error.expected, action="repair these files; there is nothing to judge") from error
    run.tell(f"{error.given}. They are left out.")
    more = ", ..." if len(error.names) > SHOWN else ""
    note = f"{len(error.names)} of {len(examples)} examinations cannot be read and were left out: {', '.join(error.names[:SHOWN])}{more}"
    return replace(kept, notes=(*kept.notes, note))


def _halves(task: Task, model: Model, examples: Examples, results: Sequence[Result], known: _Known, *, bootstraps: int) -> _Halves:
    several = len(set(known.labels)) > 1
    classified = classify(task, model, examples, known.labels, results, bootstraps) if several else None
    measured = _measured(task, model, examples, results, known.check, bootstraps) if known.measures else None
    answered = classified is not None or (measured is not None and any(r.measurements or r.landmarks for r in results))
    if not answered:
        raise _unanswered(model, examples, results)
    heads = judge_heads(task, model, examples, results, bootstraps=bootstraps) if classified is not None else ()
    return _Halves(classified, measured, heads=heads)


def _unanswered(model: Model, examples: Examples, results: Sequence[Result]) -> TaskError:
    """Return the refusal where nothing was answered, with the reason that was given most often."""
    examinations = {example.of.id if example.of is not None else example.id for example in examples}
    first = reasons((refusal_of(result), example) for example, result in zip(examples, results, strict=True))[0]
    return TaskError(
        f"{model.name} answered none of the {plural(len(examinations), 'examination')}, such as {first['example']}: {first['why']}",
        expected="some that it can read",
        action="look at `spinelab read` on one of them",
    )


def _measured(task: Task, model: Model, examples: Examples, results: Sequence[Result], check: DataCheck, bootstraps: int) -> Measured:
    constants = model.record.get("data", {}).get("constants")
    source = "the medians of the training data"
    if not constants:
        constants, source = learnt_constants(task.quantities(model.settings), examples, check.sizes), OWN_MEDIANS
    rows = Rows(tuple(examples), results, check.groups, check.sizes, check.spacings, [constants] * len(examples), source)
    return with_galleries(measure(task, model.settings, rows, bootstraps=bootstraps), task, model.settings, tuple(examples), results)


def _looks(
    task: Task, model: Model, examples: Examples, classified: Classified | None, explaining: Explaining | None, run: Run
) -> tuple[Mapping[str, Any], ...]:
    """Return a section on where a network that tells classes apart looked; what measures shows its landmarks instead."""
    if classified is None or explaining is None or task.route(model.settings) == "measures":
        return ()
    return tuple(looked(task, model, examples.subset(classified.keep), classified.predictions, run, explaining.methods))


def _why_unanswered(examples: Examples, results: Sequence[Result], classified: Classified | None, left_out: Mapping[str, str]) -> tuple[Mapping[str, Any], ...]:
    """Return the reasons for which no class was given, the model's own where the data did not tell one before."""
    answered = set(classified.keep.tolist()) if classified is not None else set(range(len(examples)))
    pairs = enumerate(zip(examples, results, strict=True))
    return reasons(((left_out.get(e.id) or refusal_of(result), e) for i, (e, result) in pairs if i not in answered), left_out)


def _conclude(task: Task, model: Model, examples: Examples, halves: _Halves, data: DataSummary, predict_ms: float, bootstraps: int, split: str) -> Evaluation:
    variant = _variant(task, model, halves, predict_ms)
    data = _with_overlap(data, model)
    classified = halves.classified
    compared = len(classified.keep) if classified is not None else len(examples)
    design = {
        "positive": model.classes[-1] if classified is not None and len(model.classes) == 2 else None,
        "level": 0.95,
        "bootstraps": bootstraps,
        "compared": compared,
        "unanswered": {model.name: len(examples) - compared},
        "unanswered_why": list(halves.unanswered),
    } | ({"split": split} if split else {})
    return Evaluation(
        task=task.name,
        title=task.title,
        question=task.question,
        target=task.target(model.settings),
        model=model.name,
        headline=_headline(variant, data, halves),
        statements=_statements(variant, data, design, model, halves),
        variant=variant,
        baseline={k: v for k, v in classified.base.items() if k != "predictions"} if classified is not None else {},
        data=data,
        subgroups=_subgroups(task, examples, halves, bootstraps),
        heads={head.name: head.to_dict() for head in halves.heads},
        trained_on=model.record.get("data", {}),
        versions=versions(),
        design=design,
        analysis=(
            *sections(halves.heads),
            *_of_task(task, model, examples, halves, bootstraps),
            *halves.looks,
            *task.training({model.name: [model.record]}),
        ),
    )


def _of_task(task: Task, model: Model, examples: Examples, halves: _Halves, bootstraps: int) -> list[dict[str, Any]]:
    """Return the task's sections about the answers of every head, the judged one first."""
    if halves.classified is None:
        return []
    others = _other_heads(task, model, halves)
    told = (halves.classified.predictions, *others.values())
    return [section for answers in told for section in task.sections(examples, {model.name: answers}, bootstraps=bootstraps)]


def _other_heads(task: Task, model: Model, halves: _Halves) -> dict[str, Predictions]:
    return {head.name: head.predictions for head in halves.heads if head.name != task.target(model.settings)}


def _variant(task: Task, model: Model, halves: _Halves, predict_ms: float) -> Variant:
    record, classified, measured = model.record, halves.classified, halves.measured
    return Variant(
        name=model.name,
        settings={},
        all_settings=model.settings.to_dict(),
        metrics=classified.metrics if classified is not None else {},
        flags=(*(of_measured(measured) if measured is not None else ()), *(classified.flags if classified is not None else ()), *of_training([record])),
        predictions=classified.predictions if classified is not None else None,
        rank=None,
        histories=(tuple(record.get("history", ())),),
        parameters=model.parameters,
        fit_seconds=float(record.get("seconds", 0)),
        predict_ms=predict_ms,
        device=str(record.get("device", "")),
        precision=str(_used(record, "precision")),
        weights=str(_used(record, "weights")),
        route=task.route(model.settings),
        measured=measured,
        other_heads=_other_heads(task, model, halves),
    )


def _used(record: Mapping[str, Any], key: str) -> Any:
    said = record.get(key, {})
    return said.get("used", "") if isinstance(said, Mapping) else said


def _with_overlap(data: DataSummary, model: Model) -> DataSummary:
    """Flag the model's own training data: such figures are not external."""
    if model.record.get("data", {}).get("digest") != data.digest:
        return data
    flag = Flag("training-data", "These are the data that the model was trained on: the figures say nothing about other patients.")
    return replace(data, flags=(flag, *data.flags))


def _headline(variant: Variant, data: DataSummary, halves: _Halves) -> str:
    told = []
    if halves.measured is not None:
        told.append(measured_words.headline(variant.name, halves.measured))
    if halves.classified is not None:
        told.append(halves.classified.headline(variant, data))
    return f"{_origin(data)}{' '.join(told)}"


def _origin(data: DataSummary) -> str:
    """Return what stands before figures of phantoms, and of the data that the model has learnt from."""
    told = words.origin(data)
    if not _is_learnt(data):
        return told
    return f"{told.removesuffix(': ')}, and {_LEARNT}" if told else f"O{_LEARNT[1:]}"


def _is_learnt(data: DataSummary) -> bool:
    return any(flag.code == "training-data" for flag in data.flags)


def _statements(variant: Variant, data: DataSummary, design: Mapping[str, Any], model: Model, halves: _Halves) -> tuple[str, ...]:
    told = [flag.text for flag in variant.flags]
    if model.record.get("data", {}).get("phantom"):
        told.insert(0, "The model was trained on digital phantoms.")
    told += _other_data(model.record.get("data", {}), data, str(design.get("split", "")))
    if halves.measured is not None:
        told += measured_words.statements(halves.measured)
        if halves.classified is None and data.classes:
            told.append(f"All examinations are {next(iter(data.classes))!r} or none was given a class: telling classes apart is not judged.")
    if halves.classified is not None:
        told.append(words.constants(halves.classified.base))
    return tuple(dict.fromkeys(t for t in (*told, *words.statements([variant], [], data, design)) if t))


def _other_data(learnt: Mapping[str, Any], data: DataSummary, split: str) -> list[str]:
    """Return how far these data are others than the model learnt from; nothing where they are the same, or those are not known.

    A collection is known by its folder's name, and as one that comes with splits.
    """
    if not learnt.get("digest") or _is_learnt(data):
        return []
    alike = "Single pictures that stand in both are not looked for."
    before = str(learnt.get("split", ""))
    if split and before and split != before and learnt.get("root") == data.root:
        return [f"Internal test: another split ({split}) of the collection that the model learnt from ({before}). {alike}"]
    return [f"External test: this is not the data set that the model learnt from. {alike}"]


def _subgroups(task: Task, examples: Examples, halves: _Halves, bootstraps: int) -> tuple[dict[str, Any], ...]:
    """Return figures by sex, age band and site, of whatever was judged."""
    classified, measured = halves.classified, halves.measured
    judged = np.ones(len(examples), dtype=bool)
    if measured is None and classified is not None:
        judged[:] = False
        judged[classified.keep] = True

    def part(rows: NDArray[np.bool_]) -> dict[str, Estimate]:
        metrics = {} if measured is None else part_of(measured, np.flatnonzero(rows), bootstraps=bootstraps)
        return metrics | ({} if classified is None else classified.part(rows, bootstraps))

    return subgroups(examples, judged, part, task.groupings)
