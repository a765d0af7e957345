"""Every head of a network that answers more than one question: what each is worth, not only the one that is judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spinelab.core import Examples, Model, Result, Task
from spinelab.evaluation import compute_metrics
from spinelab.evaluation.types import Estimate, Predictions
from spinelab.experiments.classified import IN_SUBGROUPS, answered
from spinelab.experiments.subgroups import subgroups

SHOWN: Final = {"accuracy": "accuracy", "balanced_accuracy": "balanced accuracy", "precision_macro": "precision", "recall_macro": "recall", "f1_macro": "F1"}
MOST: Final = "most_frequent_share"
"""The share of the most frequent true class, which an answer without a picture reaches."""
TITLE: Final = "Each head"
TEXT: Final = (
    "The network answers with several heads from the same features. Precision, recall and F1 are the means over the classes. Accuracy is read beside the "
    "share of the most frequent class, which an answer without a picture reaches."
)
BY_GROUP: Final = "Each head, part by part"
BY_GROUP_TEXT: Final = "Accuracy of every head, and beside it the share of its most frequent class in that part of the answers."


@dataclass(frozen=True, eq=False)
class Head:
    """One head: its answers, their metrics, and those of parts of the answers; among them `MOST`."""

    name: str
    predictions: Predictions
    metrics: Mapping[str, Estimate]
    groups: tuple[dict[str, Any], ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers, for ``evaluation.json``."""
        return {
            "classes": self.predictions.classes,
            "answers": len(self.predictions.images),
            "metrics": self.metrics,
            "subgroups": self.groups,
        }


def judge_heads(task: Task, model: Model, examples: Examples, results: Sequence[Result], *, bootstraps: int) -> tuple[Head, ...]:
    """Return every head of a model with several (`Task.heads`); nothing of a model with one."""
    found = []
    for name, classes in task.heads(model.settings).items():
        told = answered(examples, examples.labels(name), results, classes, name)
        if told is not None:
            found.append(_head(task, examples, name, *told, bootstraps=bootstraps))
    return tuple(found)


def sections(heads: Sequence[Head]) -> list[dict[str, Any]]:
    """Return the tables of a report: a row a head, and a row a part of the answers."""
    if not heads:
        return []
    columns = ("head", "classes", "answers", *SHOWN.values(), "share of the most frequent class")
    names = (*SHOWN, MOST)
    rows = [(h.name, len(h.predictions.classes), len(h.predictions.images), *(_said(h.metrics[name]) for name in names)) for h in heads]
    return [
        {"title": TITLE, "text": TEXT, "table": {"columns": columns, "rows": rows}},
        {"title": BY_GROUP, "text": BY_GROUP_TEXT, "table": _by_group(heads)},
    ]


def _by_group(heads: Sequence[Head]) -> dict[str, Any]:
    by_head = {head.name: {(row["fact"], row["value"]): row for row in head.groups} for head in heads}
    parts = dict.fromkeys(part for rows in by_head.values() for part in rows)
    columns = ["by", "group", "answers", *(column for head in heads for column in (f"{head.name}: accuracy", f"{head.name}: most frequent"))]
    rows = []
    for fact, value in parts:
        own = [found.get((fact, value)) for found in by_head.values()]
        answers = max(row["examinations"] for row in own if row is not None)
        rows.append((fact, value, answers, *(cell for row in own for cell in _cells(row))))
    return {"columns": columns, "rows": rows}


def _cells(row: Mapping[str, Any] | None) -> tuple[str, str]:
    if row is None:
        return "no answer", ""
    if not row["metrics"]:
        return row["note"], ""
    return _said(row["metrics"]["accuracy"]), _said(row["metrics"][MOST])


def _said(estimate: Estimate) -> str:
    """Return a figure as a cell of a table."""
    if estimate.value is None:
        return "not defined"
    return f"{estimate.value:.2f}" if estimate.lo is None or estimate.hi is None else f"{estimate.value:.2f} ({estimate.lo:.2f} to {estimate.hi:.2f})"


def _head(task: Task, examples: Examples, name: str, keep: NDArray[np.int64], predictions: Predictions, *, bootstraps: int) -> Head:
    judged = np.zeros(len(examples), dtype=bool)
    judged[keep] = True

    def part(rows: NDArray[np.bool_]) -> dict[str, Estimate]:
        own = predictions.subset(np.flatnonzero(rows[keep]))
        return {**compute_metrics(own, metrics=list(IN_SUBGROUPS), bootstraps=bootstraps), MOST: _most_frequent(own)}

    own = task.judge(examples, predictions, bootstraps=bootstraps).metrics
    metrics = {**compute_metrics(predictions, bootstraps=bootstraps), **own, MOST: _most_frequent(predictions)}
    return Head(name, predictions, metrics, subgroups(examples, judged, part, task.groupings))


def _most_frequent(predictions: Predictions) -> Estimate:
    return Estimate(float(np.bincount(predictions.truth).max() / len(predictions.truth)))
