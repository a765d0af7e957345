"""Flags of one model, from its answers: collapse, no gain over a constant, unfinished training, precision, weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from spinelab.evaluation.types import Estimate, Predictions
from spinelab.report.content import Flag

COLLAPSED_SHARE: Final = 0.90
"""Share of one answer from which a model may be collapsed."""
COLLAPSED_MARGIN: Final = 0.10
"""How far above chance its balanced accuracy may lie while it still counts as collapsed."""

CHANCE: Final[Mapping[str, Any]] = {
    "balanced_accuracy": lambda classes: 1 / classes,
    "auroc": lambda _classes: 0.5,
    "mcc": lambda _classes: 0.0,
    "cohen_kappa": lambda _classes: 0.0,
    "quadratic_kappa": lambda _classes: 0.0,
}
"""What a constant reaches in each metric that may rank models; a constant can win none of them."""


def collapse(predictions: Predictions, balanced_accuracy: float | None, noun: str = "examination") -> Flag | None:
    """Return the flag if the model gives one answer to (nearly) everyone.

    Over all folds, or within each fold: a model that answers "normal" to all of one fold and "disordered" to all of the next has
    learnt nothing either. A model whose balanced accuracy is well above chance is not collapsed, however rare one class is.
    ``noun`` is what is answered: examinations, or questions about them.
    """
    chance = 1 / len(predictions.classes)
    if balanced_accuracy is not None and balanced_accuracy > chance + COLLAPSED_MARGIN:
        return None
    shares = [_largest_share(predictions.answers[predictions.folds == fold]) for fold in np.unique(predictions.folds)]
    overall = _largest_share(predictions.answers)
    within = float(np.mean(shares))
    if max(overall, within) < COLLAPSED_SHARE:
        return None
    answer = predictions.classes[int(np.bincount(predictions.answers.ravel()).argmax())]
    where = f"answers {answer!r} for {overall:.0%} of the {noun}s" if overall >= COLLAPSED_SHARE else f"gives one answer to {within:.0%} of each fold"
    return Flag("collapsed", f"It {where}: one answer for (nearly) everyone is not ranked.")


def _largest_share(answers: Any) -> float:
    return float(np.bincount(np.ravel(answers)).max() / np.size(answers))


def never_answered(predictions: Predictions) -> Flag | None:
    """Return the flag if some class is never the answer."""
    missing = [c for i, c in enumerate(predictions.classes) if not (predictions.answers == i).any()]
    if not missing or len(missing) == len(predictions.classes) - 1:
        return None
    return Flag("class-never-answered", f"It never answers {', '.join(missing)}.")


def against_majority(gain: Estimate, accuracy: Estimate, majority: str, share: float) -> Flag | None:
    """Return the flag unless the accuracy is shown to exceed that of always answering the most frequent class.

    Where every resample gives the same ``gain`` it has no limits: then the accuracy's own interval has to lie above the share.
    """
    lowest = gain.lo if gain.lo is not None or accuracy.lo is None else accuracy.lo - share
    if lowest is not None and lowest > 0:
        return None
    value = f"{accuracy.value:.3f}" if accuracy.value is not None else "not known"
    return Flag("not-better-than-majority", f"Its accuracy of {value} is not shown to exceed {share:.3f}, which always answering {majority!r} reaches.")


def against_chance(score: Estimate, metric: str, classes: int) -> Flag | None:
    """Return the flag unless the interval of the ranking metric lies above what a constant reaches."""
    chance = CHANCE[metric](classes)
    perfect = score.value is not None and score.value >= 1  # every resample is perfect too, and there is no limit to give
    if perfect or (score.lo is not None and score.lo > chance):
        return None
    return Flag("not-better-than-chance", f"Its interval for {metric.replace('_', ' ')} does not lie above {chance:.2f}, which guessing reaches.")


def _stops_early(record: Mapping[str, Any]) -> bool:
    """Return whether a training could end before its last pass: not that of landmark networks, whose rate falls to zero by then, nor one without validation."""
    parts = record["networks"].values() if "networks" in record else (record,)
    return "landmarks" not in record and any(part.get("validation", {}).get("examples") != 0 for part in parts)


def of_training(records: Sequence[Mapping[str, Any]]) -> list[Flag]:
    """Return what the training records say: reduced precision, missing pretrained weights, stopped while improving."""
    found = []
    weights = [r["weights"] for r in records if isinstance(r.get("weights"), Mapping)]
    scratch = [w for w in weights if w.get("asked") not in ("scratch", None) and w.get("used") == "scratch"]
    if scratch:
        where = f" in {len(scratch)} of {len(weights)} folds" if len(scratch) < len(weights) else ""
        why = (
            f"Pretrained weights were asked for and not available{where}, so it was trained from scratch{' there' * bool(where)} ({scratch[0].get('why', '')})."
        )
        found.append(Flag("weights-scratch", why))
    precisions = {str(r["precision"].get("used")) for r in records if isinstance(r.get("precision"), Mapping)}
    if precisions & {"bf16", "16", "bf16-mixed", "16-mixed"}:
        found.append(Flag("mixed-precision", f"Trained in {', '.join(sorted(precisions))} precision."))
    unfinished = sum(r.get("stopped") == "last-epoch" and _stops_early(r) for r in records)
    if unfinished:
        where = f"In {unfinished} of {len(records)} folds the" if len(records) > 1 else "The"
        text = f"{where} last epoch allowed was reached before early stopping: more epochs may change its figures."
        found.append(Flag("not-trained-to-the-end", text))
    return found
