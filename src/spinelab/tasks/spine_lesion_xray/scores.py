"""Diseased against normal: the source's sensitivity and specificity, with what each of them is said in full."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from spinelab.evaluation import compute_metrics, constant_metrics
from spinelab.evaluation.types import Estimate, Predictions
from spinelab.tasks.spine_lesion_xray.data import NORMAL

DISEASED = "diseased"


def diseased_or_normal(predictions: Predictions, *, bootstraps: int, figures: Callable[..., dict[str, Estimate]] = compute_metrics) -> dict[str, Estimate]:
    """Return how well the three lesions together are told from normal films; nothing where no class is normal.

    ``sensitivity[diseased]``: of the diseased, the share that is given any of the lesions, be it the wrong one. ``specificity[diseased]``: of the normal,
    the share that is given normal. Both come from the answers, as in a confusion matrix whose lesions are put together. ``auroc[diseased]`` and
    ``average_precision[diseased]`` come from 1 minus the probability of normal; the one is no other word for the other. ``figures`` makes the figures.
    """
    if NORMAL not in predictions.classes or len(predictions.classes) < 3:
        return {}
    k = predictions.classes.index(NORMAL)
    normal = predictions.probabilities[..., k]
    lesion = replace(
        predictions,
        classes=(NORMAL, DISEASED),
        truth=(predictions.truth != k).astype(np.int64),
        probabilities=np.stack([normal, 1 - normal], axis=-1),
    )
    said = (predictions.answers != k).astype(np.float64)
    answers = replace(lesion, probabilities=np.stack([1 - said, said], axis=-1))
    of_answers = figures(answers, metrics=["sensitivity", "specificity"], bootstraps=bootstraps)
    of_shares = figures(lesion, metrics=["auroc", "average_precision"], bootstraps=bootstraps)
    return {f"{name}[{DISEASED}]": estimate for name, estimate in {**of_answers, **of_shares}.items()}


def always_the_most_frequent(predictions: Predictions, *, bootstraps: int) -> dict[str, Estimate]:
    """Return what `diseased_or_normal` is for somebody who always says the class that is most frequent here."""
    table = np.zeros_like(predictions.probabilities)
    table[..., int(np.bincount(predictions.truth, minlength=len(predictions.classes)).argmax())] = 1.0
    return diseased_or_normal(replace(predictions, probabilities=table), bootstraps=bootstraps, figures=constant_metrics)
