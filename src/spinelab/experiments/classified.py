"""The classifying half of an evaluation: which class each examination was given, and what that is worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinelab.core import Examples, Model, Result, Task, TaskError
from spinelab.evaluation import compute_metrics
from spinelab.evaluation.types import Estimate, Predictions
from spinelab.experiments import words
from spinelab.experiments.constant import majority
from spinelab.experiments.folds import probability_table
from spinelab.experiments.judged import judge, with_constants
from spinelab.report.content import DataSummary, Flag, Variant

IN_SUBGROUPS = ("accuracy", "balanced_accuracy", "sensitivity", "specificity", "auroc", "brier")


@dataclass(frozen=True, eq=False)
class Classified:
    """Answers of the examinations at ``keep`` that got one, their metrics and flags, and the constant beside them."""

    keep: NDArray[np.int64]
    predictions: Predictions
    metrics: dict[str, Estimate]
    flags: tuple[Flag, ...]
    base: dict[str, Any]

    def headline(self, variant: Variant, data: DataSummary) -> str:
        """Return how far the answers are better than guessing."""
        figures = f"balanced accuracy {words.say(self.metrics['balanced_accuracy'])}, accuracy {words.say(self.metrics['accuracy'])}"
        if words.has(variant, "collapsed"):
            verdict = f"{variant.name} collapsed to one answer on these data"
        elif words.has(variant, "not-better-than-chance"):
            verdict = f"Cannot tell: {variant.name} is not shown to do better than guessing on these data"
        else:
            verdict = f"{variant.name} does better than guessing on these data"
        context = f"always answering {self.base['majority_class']!r} is right for {self.base['majority_share']:.0%}"
        return f"{verdict}: {figures}; {context}; {words.rarest(data)}."

    def part(self, rows: NDArray[np.bool_], bootstraps: int) -> dict[str, Estimate]:
        """Return the metrics of a subgroup; ``rows`` marks its examinations among all."""
        index = np.flatnonzero(rows[self.keep])
        if index.size == 0:
            return {}
        return compute_metrics(self.predictions.subset(index), metrics=list(IN_SUBGROUPS), bootstraps=bootstraps)


def known_labels(model: Model, examples: Examples, target: str) -> list[str]:
    """Return the true labels; refuse those that the model does not know."""
    labels = examples.labels(target)
    strange = sorted(set(labels) - set(model.classes))
    if strange:
        raise TaskError(
            f"{examples.root}: labels that {model.name} does not know: {', '.join(strange)}",
            expected=f"labels among {', '.join(model.classes)}",
            action="rename the labels to the model's, or leave those examinations out",
        )
    return labels


def classify(task: Task, model: Model, examples: Examples, labels: Sequence[str], results: Sequence[Result], bootstraps: int) -> Classified | None:
    """Return the classifying half, ``None`` where no examination was given a class."""
    told = answered(examples, labels, results, model.classes, task.target(model.settings))
    if told is None:
        return None
    keep, predictions = told
    base = majority([model.classes[i] for i in predictions.truth], predictions.patients, model.classes, bootstraps=bootstraps)
    judged = judge(task, examples, predictions, base, bootstraps=bootstraps)
    return Classified(keep, predictions, judged.metrics, judged.flags, with_constants(base, judged.own))


def answered(
    examples: Examples, labels: Sequence[str], results: Sequence[Result], classes: Sequence[str], finding: str
) -> tuple[NDArray[np.int64], Predictions] | None:
    """Return the positions of the examinations whose ``finding`` was answered, and these answers; ``None`` where there is none."""
    table = probability_table(results, classes, finding)
    keep = np.flatnonzero(np.isfinite(table).all(axis=1))
    if keep.size == 0:
        return None
    return keep, Predictions(
        classes=tuple(classes),
        images=tuple(examples[int(i)].id for i in keep),
        patients=tuple(examples[int(i)].group for i in keep),
        truth=np.array([classes.index(labels[int(i)]) for i in keep], dtype=np.int64),
        probabilities=table[None, keep],
        folds=np.zeros((1, keep.size), dtype=np.int64),
        named=tuple(examples[int(i)].patient or "" for i in keep),
    )
