"""What answers that need no picture reach: the constants and chance that every model must beat."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from spinelab.core import Examples, Settings, Task
from spinelab.evaluation import constant_metrics
from spinelab.evaluation.types import Predictions
from spinelab.experiments.asked import ask
from spinelab.experiments.constant_measures import measured_baselines
from spinelab.experiments.measured import has_measured_truth
from spinelab.experiments.splits import patients_per_class

BASELINES_SCHEMA = "spinelab.baselines/1"


def majority(labels: Sequence[str], groups: Sequence[str], classes: Sequence[str], *, bootstraps: int = 2000) -> dict[str, Any]:
    """Return what always answering the most frequent class reaches, with its probabilities set to the class frequencies."""
    predictions = _constant(labels, groups, classes, _frequencies(labels, classes))
    most, count = Counter(labels).most_common(1)[0]
    return {
        "name": f"always {most}",
        "majority_class": most,
        "majority_share": count / len(labels),
        "metrics": constant_metrics(predictions, bootstraps=bootstraps),
        "predictions": predictions,
    }


def _frequencies(labels: Sequence[str], classes: Sequence[str]) -> list[float]:
    counts = Counter(labels)
    return [counts[c] / len(labels) for c in classes]


def _constant(labels: Sequence[str], groups: Sequence[str], classes: Sequence[str], answer: Sequence[float]) -> Predictions:
    truth = np.array([classes.index(label) for label in labels], dtype=np.int64)
    table = np.tile(np.asarray(answer, dtype=np.float64), (1, len(labels), 1))
    names = tuple(str(i) for i in range(len(labels)))
    return Predictions(tuple(classes), names, tuple(groups), truth, table, np.zeros((1, len(labels)), dtype=np.int64))


def baselines(task: Task, examples: Examples, settings: Settings) -> dict[str, Any]:
    """Return what constants and chance reach on these labels, and of a task that measures one number for everyone and one mean shape.

    Nothing is trained; pictures are opened only where their size is needed for the mean shape. Of examinations that are asked several questions,
    ``questions`` is their number, and ``images`` of a class counts questions.
    """
    settings = task.settled(examples, settings)
    target = task.target(settings)
    asked = ask(task, examples, settings)
    body: dict[str, Any] = {
        "schema": BASELINES_SCHEMA,
        "task": task.name,
        "target": target,
        "examinations": len(examples),
        "patients": len(set(examples.groups())) if examples.patients_known else None,
        "classes": {},
    } | ({"questions": len(asked.questions)} if asked.several else {})
    if target:
        body |= _of_classes(asked.questions, asked.question_labels(target), task.classes(asked.questions, settings), known=examples.patients_known)
    if has_measured_truth(task, settings, examples.items):
        body["measured"] = measured_baselines(task, settings, examples)
    body |= task.constants(examples)
    return body | {"phantom": examples.phantom, "notes": list(examples.notes)}


def _of_classes(examples: Examples, labels: Sequence[str], classes: Sequence[str], *, known: bool) -> dict[str, Any]:
    groups = examples.groups()
    frequencies = _frequencies(labels, classes)
    answers = {
        "class-frequencies": (frequencies, "the class frequencies as probabilities; the answer is the most frequent class"),
        "uniform": ([1 / len(classes)] * len(classes), "the same probability for every class; as an answer, the first class"),
    } | {f"always {c}": ([float(c == other) for other in classes], f"certain of {c} for everyone") for c in classes}
    rows = {
        name: {"meaning": meaning, "probabilities": dict(zip(classes, answer, strict=True)), "metrics": _numbers(_constant(labels, groups, classes, answer))}
        for name, (answer, meaning) in answers.items()
    }
    counts, patients = Counter(labels), patients_per_class(labels, groups)
    majority_class, count = counts.most_common(1)[0]
    return {
        "classes": {c: {"images": counts[c], "patients": patients.get(c) if known else None, "share": counts[c] / len(labels)} for c in classes},
        "majority_class": majority_class,
        "majority_rate": count / len(labels),
        "chance": {
            "accuracy": float(np.sum(np.square(frequencies))),
            "balanced_accuracy": 1 / len(classes),
            "auroc": 0.5,
            "note": "guessing with the class frequencies",
        },
        "baselines": rows,
    }


def _numbers(predictions: Predictions) -> dict[str, Any]:
    return {name: estimate.to_dict() for name, estimate in constant_metrics(predictions, bootstraps=1000).items()}
