"""One finished model on another folder: other patients, another site."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spinelab.core import Examples, Model, Run, Task, TaskError
from spinelab.core.versions import versions
from spinelab.evaluation import compute_metrics
from spinelab.evaluation.types import Estimate, Predictions
from spinelab.experiments import words
from spinelab.experiments.assemble import gain_over
from spinelab.experiments.constant import majority
from spinelab.experiments.data_check import announce, check_data
from spinelab.experiments.flags import against_chance, against_majority, collapse, never_answered, of_training
from spinelab.experiments.folds import probability_table
from spinelab.report import write_evaluation
from spinelab.report.content import DataSummary, Evaluation, Flag, Variant

LEAST_IN_SUBGROUP: Final = 10
"""Patients below which a subgroup's figures are not given: an interval would span nearly everything."""


def evaluate(task: Task, model: Model, examples: Examples, *, out: Path, run: Run, bootstraps: int = 2000) -> Evaluation:
    """Try a model on labelled examinations that it has not seen; write ``evaluation.json``, ``predictions.csv`` and ``report.html``.

    Raises
    ------
    TaskError
        If the folder holds a class that the model does not know, or none of its examinations was answered.
    """
    target = task.target(model.settings)
    labels = _known_labels(model, examples, target)
    check = check_data(examples, target, run.progress)
    announce(check.summary, run)
    started = time.perf_counter()
    table = probability_table(task.predict_many(model, examples, run), model.classes, target)
    predict_ms = 1000 * (time.perf_counter() - started) / len(examples)
    keep = np.flatnonzero(np.isfinite(table).all(axis=1))
    if keep.size == 0:
        raise TaskError(
            f"{model.name} answered none of the {len(examples)} examinations",
            expected="some that it can read",
            action="look at `spinelab read` on one of them for the reason",
        )
    predictions = _predictions(model, examples, labels, table, keep)
    base = majority([model.classes[i] for i in predictions.truth], predictions.patients, model.classes, bootstraps=bootstraps)
    variant = _variant(model, predictions, base, predict_ms, bootstraps)
    data = _with_overlap(check.summary, model)
    design = {
        "positive": model.classes[-1] if len(model.classes) == 2 else None,
        "level": 0.95,
        "bootstraps": bootstraps,
        "compared": len(keep),
        "unanswered": {model.name: len(examples) - len(keep)},
    }
    evaluation = Evaluation(
        task=task.name,
        title=task.title,
        question=task.question,
        target=target,
        model=model.name,
        headline=_headline(variant, data, base),
        statements=_statements(variant, data, design, model),
        variant=variant,
        baseline={k: v for k, v in base.items() if k != "predictions"},
        data=data,
        subgroups=tuple(_subgroups(examples, predictions, keep, bootstraps)),
        trained_on=model.record.get("data", {}),
        versions=versions(),
        design=design,
    )
    write_evaluation(evaluation, out)
    return evaluation


def _known_labels(model: Model, examples: Examples, target: str) -> list[str]:
    labels = examples.labels(target)
    strange = sorted(set(labels) - set(model.classes))
    if strange:
        raise TaskError(
            f"{examples.root}: labels that {model.name} does not know: {', '.join(strange)}",
            expected=f"labels among {', '.join(model.classes)}",
            action="rename the labels to the model's, or leave those examinations out",
        )
    return labels


def _predictions(model: Model, examples: Examples, labels: Sequence[str], table: NDArray[np.float64], keep: NDArray[np.int64]) -> Predictions:
    return Predictions(
        classes=model.classes,
        images=tuple(examples[int(i)].id for i in keep),
        patients=tuple(examples[int(i)].group for i in keep),
        truth=np.array([model.classes.index(labels[i]) for i in keep], dtype=np.int64),
        probabilities=table[None, keep],
        folds=np.zeros((1, keep.size), dtype=np.int64),
    )


def _variant(model: Model, predictions: Predictions, base: Mapping[str, Any], predict_ms: float, bootstraps: int) -> Variant:
    metrics = compute_metrics(predictions, bootstraps=bootstraps)
    gain = gain_over(predictions, base["predictions"], bootstraps)
    found = [
        collapse(predictions, metrics["balanced_accuracy"].value),
        never_answered(predictions),
        against_majority(gain, metrics["accuracy"], base["majority_class"], base["majority_share"]),
        against_chance(metrics["balanced_accuracy"], "balanced_accuracy", len(model.classes)),
        *of_training([model.record]),
    ]
    record = model.record
    return Variant(
        name=model.name,
        settings={},
        all_settings=model.settings.to_dict(),
        metrics=metrics,
        flags=tuple(f for f in found if f is not None),
        predictions=predictions,
        rank=None,
        histories=(tuple(record.get("history", ())),),
        parameters=model.parameters,
        fit_seconds=float(record.get("seconds", 0)),
        predict_ms=predict_ms,
        device=str(record.get("device", "")),
        precision=str(record.get("precision", {}).get("used", "")),
        weights=str(record.get("weights", {}).get("used", "")),
    )


def _with_overlap(data: DataSummary, model: Model) -> DataSummary:
    """Flag the model's own training data: such figures are not external."""
    if model.record.get("data", {}).get("digest") != data.digest:
        return data
    flag = Flag("training-data", "These are the data that the model was trained on: the figures say nothing about other patients.")
    return replace(data, flags=(flag, *data.flags))


def _headline(variant: Variant, data: DataSummary, base: Mapping[str, Any]) -> str:
    figures = f"balanced accuracy {words.say(variant.metrics['balanced_accuracy'])}, accuracy {words.say(variant.metrics['accuracy'])}"
    if words.has(variant, "collapsed"):
        verdict = f"{variant.name} collapsed to one answer on these data"
    elif words.has(variant, "not-better-than-chance"):
        verdict = f"Cannot tell: {variant.name} is not shown to do better than guessing on these data"
    else:
        verdict = f"{variant.name} does better than guessing on these data"
    context = f"always answering {base['majority_class']!r} is right for {base['majority_share']:.0%}"
    return f"{words.origin(data)}{verdict}: {figures}; {context}; {words.rarest(data)}."


def _statements(variant: Variant, data: DataSummary, design: Mapping[str, Any], model: Model) -> tuple[str, ...]:
    told = [flag.text for flag in variant.flags]
    if model.record.get("data", {}).get("phantom"):
        told.insert(0, "The model was trained on digital phantoms.")
    return tuple(dict.fromkeys([*told, *words.statements([variant], [], data, design)]))


def _subgroups(examples: Examples, predictions: Predictions, keep: NDArray[np.int64], bootstraps: int) -> list[dict[str, Any]]:
    """Return figures by sex, age band and site; small groups are counted, not measured."""
    rows = []
    for fact in ("sex", "age band", "site"):
        values = [_value(examples[int(i)].facts, fact) for i in keep]
        if len(set(values)) > 1 or values[0] != "unknown":
            rows += [_subgroup(fact, value, np.array([v == value for v in values]), predictions, bootstraps) for value in sorted(set(values))]
    return rows


def _value(facts: Mapping[str, Any], name: str) -> str:
    fact = facts.get("age_years" if name == "age band" else name)
    if fact is None or fact.value is None:
        return "unknown"
    if name != "age band":
        return str(fact.value)
    low = 20 * int(float(fact.value) // 20)
    return f"{low}-{low + 19} years"


def _subgroup(fact: str, value: str, mask: NDArray[np.bool_], predictions: Predictions, bootstraps: int) -> dict[str, Any]:
    patients = len({p for p, inside in zip(predictions.patients, mask, strict=True) if inside})
    row: dict[str, Any] = {"fact": fact, "value": value, "patients": patients, "examinations": int(mask.sum()), "metrics": {}, "note": ""}
    if patients < LEAST_IN_SUBGROUP:
        return row | {"note": f"too few to say (fewer than {LEAST_IN_SUBGROUP} patients)"}
    index = np.flatnonzero(mask)
    part = Predictions(
        predictions.classes,
        tuple(predictions.images[i] for i in index),
        tuple(predictions.patients[i] for i in index),
        predictions.truth[index],
        predictions.probabilities[:, index],
        predictions.folds[:, index],
    )
    names = ["accuracy", "balanced_accuracy", "sensitivity", "specificity", "auroc", "brier"]
    metrics: dict[str, Estimate] = compute_metrics(part, metrics=names, bootstraps=bootstraps)
    return row | {"metrics": metrics}
