"""Which charts a page shows, and of whose answers: two classes, every model; more classes, the best model against the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from markupsafe import Markup

from spinelab.evaluation.classification import confusion_matrix
from spinelab.evaluation.types import Estimate, Predictions
from spinelab.report import layout
from spinelab.report.charts import Curve, calibration_chart, learning_chart, pr_chart, roc_chart, training_chart
from spinelab.report.content import LearningCurve, Variant
from spinelab.report.curves import OneClass, pr, reliability, roc
from spinelab.report.words import interval, metric, number

MAX_CLASSES: Final = 12
"""Classes drawn one against the rest; beyond that the page would be curves only."""


_CALIBRATION: Final = (
    "On the dashed diagonal the stated probability is the observed share; bars are its limits, and below stands the number of answers. "
    "A slope of 1 is perfect, below 1 the probabilities are too extreme; the error is the mean distance from the diagonal."
)
_TRAINING: Final = "Loss on the films that the model learns from, one line a training."
_STOPPING: Final = (
    "Loss on the films that the model learns from (solid) and on those that decide when to stop (dashed), one line a training. "
    "A gap that widens is overfitting."
)
_LEARNING: Final = (
    "What the same model reaches when it learns from fewer patients, on the test patients of up to three folds, with intervals; "
    "dashed, what a constant reaches. A curve that still rises says that more patients would help."
)


@dataclass(frozen=True, slots=True)
class Panel:
    """One chart with its title."""

    title: str
    text: str
    svg: Markup


@dataclass(frozen=True, slots=True)
class Grid:
    """Charts of one kind."""

    title: str
    text: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True)
class _Subject:
    """Whose curve a panel shows, and against whom."""

    title: str
    text: str
    answers: OneClass
    comparable: bool
    """Whether it answers the same question as the others, and so may be drawn behind them."""


def discrimination(variants: Sequence[Variant], design: Mapping[str, Any]) -> list[Grid]:
    """Return ROC, precision-recall and calibration charts of models in ranked order; none where no class can be told from the rest.

    Of two classes the one that ``design`` names as ``positive``, else the second, is the one to find.
    """
    top = layout.best(variants)
    if top is None or top.predictions is None:
        return []
    classes = top.predictions.classes
    positive = str(design.get("positive"))
    if len(classes) == 2:
        subjects, words = _models(variants, positive if positive in classes else classes[1])
    else:
        subjects, words = _classes(top.name, top.predictions)
    if not subjects:
        return []
    behind = " The other models are drawn behind it in grey." if len(classes) == 2 and len(subjects) > 1 else ""
    if len(subjects) == 1:
        return [_side_by_side(subjects[0], words, design)]
    band = f"The band is the interval at each point over patients.{behind}"
    return [
        Grid("Receiver operating characteristic", f"{words} The dashed diagonal is guessing. {band}", _roc_panels(subjects, design)),
        Grid("Precision and recall", f"{words} The dashed line is the share of the class, which guessing reaches. {band}", _pr_panels(subjects, design)),
        Grid("Calibration", f"{words} {_CALIBRATION}", _calibration_panels(subjects, design)),
    ]


def confusions(variants: Sequence[Variant]) -> list[dict[str, Any]]:
    """Return the confusion matrix of every model that has answers, as counts and shares of the row."""
    return [_confusion(variant.name, variant.predictions) for variant in variants if variant.predictions is not None]


def training(variants: Sequence[Variant]) -> Grid | None:
    """Return training and validation loss of every fold; ``None`` where no model keeps them."""
    trained = [variant for variant in variants if any(variant.histories)]
    panels = tuple(
        Panel(
            variant.name,
            _trainings(variant),
            training_chart(f"training-{n}", variant.histories, f"Loss of {variant.name} against the epoch, one line a training"),
        )
        for n, variant in enumerate(trained)
    )
    stopping = any("validation_loss" in row for variant in trained for history in variant.histories for row in history)
    return Grid("Loss against epoch", _STOPPING if stopping else _TRAINING, panels) if panels else None


def _trainings(variant: Variant) -> str:
    count, epochs = sum(map(bool, variant.histories)), max(map(len, variant.histories))
    return f"{epochs} epochs" if count == 1 else f"{count} folds, up to {epochs} epochs"


def learning(curve: LearningCurve | None, baseline: Mapping[str, Estimate]) -> Grid | None:
    """Return accuracy and ranking metric against the number of training patients."""
    if curve is None or not curve.patients:
        return None
    panels = []
    for which, name in (("scores", curve.metric), ("accuracy", "accuracy")):
        values: Sequence[Estimate] = getattr(curve, which)
        if not values:
            continue
        title, floor = metric(name).title, baseline[name].value if name in baseline else None
        told = "; ".join(f"{n} patients: {number(e.value)}" for n, e in zip(curve.patients, values, strict=True))
        panels.append(
            Panel(title, f"{curve.variant}", learning_chart(f"learning-{which}", curve, which, floor, (title, f"{title} against training patients. {told}")))
        )
        if curve.metric == "accuracy":
            break
    return Grid(f"{curve.variant}, learning from fewer patients", _LEARNING, tuple(panels))


def _models(variants: Sequence[Variant], positive: str) -> tuple[list[_Subject], str]:
    subjects = []
    for variant in variants:
        if variant.predictions is None or positive not in variant.predictions.classes:
            continue
        answers = OneClass.of(variant.predictions, positive)
        if answers.drawable:
            area = variant.metrics.get("auroc")
            subjects.append(_Subject(variant.name, _area(area), answers, comparable=True))
    return subjects, f"Finding “{positive}”."


def _classes(name: str, predictions: Predictions) -> tuple[list[_Subject], str]:
    shown = predictions.classes[:MAX_CLASSES]
    every = [(label, OneClass.of(predictions, label)) for label in shown]
    subjects = [_Subject(label, f"{answers.positives} of {answers.count} answers", answers, comparable=False) for label, answers in every if answers.drawable]
    left_out = f" The first {MAX_CLASSES} of {len(predictions.classes)} classes." if len(predictions.classes) > MAX_CLASSES else ""
    return subjects, f"{name}, each class against the rest.{left_out}"


def _area(area: Estimate | None) -> str:
    if area is None or area.value is None:
        return ""
    limits = interval(area)
    return f"AUROC {number(area.value)}" + (f" ({limits})" if limits else "")


def _side_by_side(subject: _Subject, words: str, design: Mapping[str, Any]) -> Grid:
    """Return the three charts of a single model in one row."""
    charts = (("ROC", _roc_panels), ("Precision and recall", _pr_panels), ("Calibration", _calibration_panels))
    panels = [(title, draw([subject], design)[0]) for title, draw in charts]
    text = f"{words} Bands and bars are intervals over patients; dashed lines are guessing and, in the calibration, what is perfect. {_CALIBRATION}"
    return Grid(subject.title, text, tuple(Panel(title, panel.text, panel.svg) for title, panel in panels))


def _behind(curves: Sequence[Curve], subjects: Sequence[_Subject], n: int) -> list[Curve]:
    """Return the curves of those that answer the same question."""
    return [curve for k, curve in enumerate(curves) if k != n and subjects[k].comparable]


def _roc_panels(subjects: Sequence[_Subject], design: Mapping[str, Any]) -> tuple[Panel, ...]:
    curves = [roc(subject.answers, design) for subject in subjects]
    return tuple(
        Panel(s.title, s.text, roc_chart(f"roc-{n}", curves[n], _behind(curves, subjects, n), f"ROC curve of {s.title}. {s.text}"))
        for n, s in enumerate(subjects)
    )


def _pr_panels(subjects: Sequence[_Subject], design: Mapping[str, Any]) -> tuple[Panel, ...]:
    curves = [pr(subject.answers, design) for subject in subjects]
    panels = []
    for n, s in enumerate(subjects):
        share = s.answers.positives / s.answers.count
        alt = f"Precision-recall curve of {s.title}"
        panels.append(Panel(s.title, f"share of the class {number(share, 2)}", pr_chart(f"pr-{n}", curves[n], _behind(curves, subjects, n), share, alt)))
    return tuple(panels)


def _calibration_panels(subjects: Sequence[_Subject], design: Mapping[str, Any]) -> tuple[Panel, ...]:
    panels = []
    for n, s in enumerate(subjects):
        drawn = reliability(s.answers, design)
        points = zip(drawn.predicted, drawn.observed, drawn.examinations, strict=True)
        told = "; ".join(f"stated {number(p, 2)}, observed {number(o, 2)}, {count} answers" for p, o, count in points)
        text = f"slope {_brief(drawn.slope)}, error {_brief(drawn.error)}"
        panels.append(Panel(s.title, text, calibration_chart(f"cal-{n}", drawn, f"Calibration of {s.title}: {told}")))
    return tuple(panels)


def _brief(value: Estimate) -> str:
    limits = interval(value, 2)
    return number(value.value, 2) + (f" ({limits})" if limits else "")


def _confusion(name: str, predictions: Predictions) -> dict[str, Any]:
    answered = ~np.isnan(predictions.probabilities).any(axis=2)
    truth = np.broadcast_to(predictions.truth, answered.shape)[answered]
    counts = confusion_matrix(truth, predictions.answers[answered], len(predictions.classes))
    rows = [[{"count": int(cell), "share": int(cell) / max(1, int(row.sum()))} for cell in row] for row in counts]
    return {"name": name, "classes": predictions.classes, "rows": rows}
