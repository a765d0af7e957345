"""What a model's classes are worth: its figures, and the flags that they raise beside the constant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from spinelab.core import Examples, Judgement, Task
from spinelab.evaluation import compute_metrics, paired_difference
from spinelab.evaluation.types import Estimate, Predictions
from spinelab.experiments.constant import majority
from spinelab.experiments.flags import against_chance, against_majority, collapse, never_answered
from spinelab.report.content import Flag


@dataclass(frozen=True, eq=False)
class Judged:
    """Metrics and flags of a model's classes, those of the task included, and what the task's own judgement is."""

    metrics: dict[str, Estimate]
    flags: tuple[Flag, ...]
    own: Judgement


def judge(
    task: Task, examples: Examples, predictions: Predictions, base: Mapping[str, Any], *, ranked: str = "balanced_accuracy", bootstraps: int, seed: int = 0
) -> Judged:
    """Return what the answers of a model are worth.

    Parameters
    ----------
    base
        The constant on the same examinations: ``predictions``, ``majority_class`` and ``majority_share`` of `majority`.
    ranked
        The metric that has to be better than chance; balanced accuracy where it is none of these.
    """
    metrics = compute_metrics(predictions, bootstraps=bootstraps, seed=seed)
    own = task.judge(examples, predictions, bootstraps=bootstraps)
    gain = gain_over(predictions, base["predictions"], bootstraps)
    ranked = ranked if ranked in metrics else "balanced_accuracy"
    found = (
        collapse(predictions, metrics["balanced_accuracy"].value, examples.noun),
        never_answered(predictions),
        against_majority(gain, metrics["accuracy"], base["majority_class"], base["majority_share"]),
        against_chance(metrics[ranked], ranked, len(predictions.classes)),
    )
    flags = (*(flag for flag in found if flag is not None), *(Flag(*flag) for flag in own.flags.items()))
    return Judged(metrics | dict(own.metrics), flags, own)


def with_constants(base: Mapping[str, Any], own: Judgement) -> dict[str, Any]:
    """Return the majority's figures with the task's own of it, and beside them what other answers reach that need no picture."""
    others = {"constants": own.constants} if own.constants else {}
    return {**base, "metrics": {**base["metrics"], **own.baseline}, **others}


def baseline_of(task: Task, examples: Examples, predictions: Predictions, *, bootstraps: int) -> dict[str, Any]:
    """Return what constants reach on the examinations of these answers (see `with_constants`)."""
    labels = [predictions.classes[i] for i in predictions.truth]
    base = majority(labels, predictions.patients, predictions.classes, bootstraps=bootstraps)
    return with_constants(base, task.judge(examples, predictions, bootstraps=bootstraps))


def gain_over(predictions: Predictions, constant: Predictions, bootstraps: int) -> Estimate:
    """Return how much more accurate the model is than the constant, with a paired interval."""
    repeated = np.repeat(constant.probabilities, len(predictions.probabilities), axis=0)
    difference, _ = paired_difference(predictions, replace(predictions, probabilities=repeated), "accuracy", bootstraps=bootstraps)
    return difference
