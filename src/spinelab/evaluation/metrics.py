"""The metrics by name: what each is, which way is better, what chance reaches, and how it is added up."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import ArrayLike

from spinelab.core import InputError
from spinelab.evaluation import classification as table
from spinelab.evaluation.probability import check_probabilities
from spinelab.evaluation.resampling import Floats, ratio
from spinelab.evaluation.tally import Tally

Batched = Callable[[Tally], Floats]
Share = Literal["accuracy", "recall", "specificity", "precision"]


@dataclass(frozen=True)
class MetricSpec:
    """One metric.

    Parameters
    ----------
    name, label
        Key in files, and words in reports.
    batched
        Takes a `Tally`, returns (B, R): every resample, every repeat.
    higher_is_better
        False for losses.
    chance
        What a model that knows nothing reaches, in words.
    needs_probabilities
        False where the answers alone will do.
    share
        The kind of proportion it is (or averages), for Wilson's interval where the bootstrap has zero width.
    averages
        Whether it averages that proportion over classes even where there are two.
    only
        ``binary`` or ``multiclass`` where it exists for one of them only.
    by_class
        Takes a `Tally` and a class; makes ``name[class]`` where there are more than two classes.
    """

    name: str
    label: str
    batched: Batched
    higher_is_better: bool = True
    chance: str = ""
    needs_probabilities: bool = False
    share: Share | None = None
    averages: bool = False
    only: str | None = None
    by_class: Callable[[Tally, int], Floats] | None = None

    def function(self, truth: ArrayLike, probabilities: ArrayLike, *, positive: int = 1) -> float:
        """Return the metric of one table: truth (n,), probabilities (n, K); nan where it does not exist."""
        true, shares = check_probabilities(truth, probabilities)
        rows = np.arange(len(true))
        tally = Tally(true, shares[None], rows, np.ones((len(true), 1), np.uint8), positive)
        return float(self.batched(tally)[0, 0])

    def exists_for(self, classes: int) -> bool:
        return self.only is None or self.only == ("binary" if classes == 2 else "multiclass")


def _confusion(function: Callable[[Any], Floats]) -> Batched:
    return lambda tally: function(tally.confusion)


def _side(function: Callable[[Any, int | None], Floats]) -> Batched:
    """Take the positive class of two, the average over more."""
    return lambda tally: function(tally.confusion, tally.positive if tally.binary else None)


def _of_class(function: Callable[[Any], Floats]) -> Callable[[Tally, int], Floats]:
    return lambda tally, label: function(tally.confusion)[..., label]


def _positive(function: Callable[[Any], Floats]) -> Batched:
    return lambda tally: function(tally.confusion)[..., tally.positive]


def _over_classes(area: Callable[[Tally, int], Floats]) -> Batched:
    """Take the positive class of two, the one-vs-rest average over the classes that occur otherwise."""

    def average(tally: Tally) -> Floats:
        if tally.binary:
            return area(tally, tally.positive)
        values = np.stack([area(tally, label) for label in range(tally.classes)])
        return ratio(np.nansum(values, axis=0), (~np.isnan(values)).sum(0))

    return average


_HALF: Final = "1 / number of classes"
_PREVALENCE: Final = "the share of the class"
_MAJORITY: Final = "the share of the most frequent class, by always answering it"
_GUESS: Final = "depends on the share of each class; see the majority baseline"

_SPECS: Final = (
    MetricSpec("accuracy", "Accuracy", _confusion(table.accuracy), chance=_MAJORITY, share="accuracy"),
    MetricSpec("balanced_accuracy", "Balanced accuracy", _confusion(table.balanced_accuracy), chance=_HALF, share="recall", averages=True),
    MetricSpec(
        "sensitivity",
        "Sensitivity",
        _side(table.sensitivity),
        chance="the share of positive answers",
        share="recall",
        by_class=_of_class(table.class_recall),
    ),
    MetricSpec(
        "specificity",
        "Specificity",
        _side(table.specificity),
        chance="the share of negative answers",
        share="specificity",
        by_class=_of_class(table.class_specificity),
    ),
    MetricSpec("precision", "Precision", _positive(table.class_precision), chance=_PREVALENCE, share="precision", only="binary"),
    MetricSpec("recall", "Recall", _positive(table.class_recall), chance="the share of positive answers", share="recall", only="binary"),
    MetricSpec("f1", "F1", _positive(table.class_f1), chance=_GUESS, only="binary"),
    MetricSpec(
        "precision_macro",
        "Precision (macro)",
        _confusion(table.precision_macro),
        chance=_HALF,
        share="precision",
        averages=True,
        by_class=_of_class(table.class_precision),
    ),
    MetricSpec("recall_macro", "Recall (macro)", _confusion(table.recall_macro), chance=_HALF, share="recall", averages=True),
    MetricSpec("f1_macro", "F1 (macro)", _confusion(table.f1_macro), chance=_GUESS, by_class=_of_class(table.class_f1)),
    MetricSpec("precision_micro", "Precision (micro)", _confusion(table.precision_micro), chance=_MAJORITY, share="accuracy"),
    MetricSpec("recall_micro", "Recall (micro)", _confusion(table.recall_micro), chance=_MAJORITY, share="accuracy"),
    MetricSpec("f1_micro", "F1 (micro)", _confusion(table.f1_micro), chance=_MAJORITY, share="accuracy"),
    MetricSpec("precision_weighted", "Precision (weighted)", _confusion(table.precision_weighted), chance=_GUESS),
    MetricSpec("recall_weighted", "Recall (weighted)", _confusion(table.recall_weighted), chance=_MAJORITY, share="accuracy"),
    MetricSpec("f1_weighted", "F1 (weighted)", _confusion(table.f1_weighted), chance=_GUESS),
    MetricSpec("mcc", "Matthews correlation", _confusion(table.mcc), chance="0; does not exist for a constant answer"),
    MetricSpec("cohen_kappa", "Cohen's kappa", _confusion(table.cohen_kappa), chance="0"),
    MetricSpec("quadratic_kappa", "Quadratic kappa (ordered classes only)", _confusion(table.quadratic_kappa), chance="0"),
    MetricSpec("auroc", "AUROC", _over_classes(Tally.auroc), chance="0.5", needs_probabilities=True, by_class=Tally.auroc),
    MetricSpec(
        "average_precision",
        "Average precision",
        _over_classes(Tally.average_precision),
        chance=_PREVALENCE,
        needs_probabilities=True,
        by_class=Tally.average_precision,
    ),
    MetricSpec(
        "brier",
        "Brier score",
        lambda tally: tally.brier,
        higher_is_better=False,
        chance="p (1 - p) of the positive class, or 1 - sum of squared class shares, by always giving the class shares",
        needs_probabilities=True,
    ),
    MetricSpec(
        "log_loss",
        "Log loss",
        lambda tally: tally.log_loss,
        higher_is_better=False,
        chance="the entropy of the class shares, by always giving them",
        needs_probabilities=True,
    ),
)

METRICS: Final[Mapping[str, MetricSpec]] = {spec.name: spec for spec in _SPECS}
"""Every metric by name."""


def named(metrics: Sequence[str] | None, classes: Sequence[str]) -> dict[str, tuple[MetricSpec, int | None]]:
    """Return the metrics to be computed, by the name they get, with the class of ``name[class]``.

    Without a choice: everything that exists for so many classes. Raises `InputError` for a name that does not.
    """
    known: dict[str, tuple[MetricSpec, int | None]] = {}
    for spec in _SPECS:
        if spec.exists_for(len(classes)):
            known[spec.name] = (spec, None)
        if spec.by_class is not None and len(classes) > 2:
            known |= {f"{spec.name.removesuffix('_macro')}[{label}]": (spec, number) for number, label in enumerate(classes)}
    if metrics is None:
        return known
    missing = [name for name in metrics if name not in known]
    if missing:
        raise InputError(f"Metric {missing[0]!r} with {len(classes)} classes", expected=f"one of {', '.join(known)}", action="choose another metric")
    return {name: known[name] for name in metrics}


def batch(tally: Tally, spec: MetricSpec, label: int | None) -> Floats:
    """Return (B,): the metric of every resample, averaged over the repeats in which it exists."""
    values = spec.batched(tally) if label is None or spec.by_class is None else spec.by_class(tally, label)
    return ratio(np.nansum(values, axis=1), (~np.isnan(values)).sum(1))
