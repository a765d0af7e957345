"""Which charts a page shows, and of whose answers: two classes, every model; more classes, the best model against the rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from markupsafe import Markup

from spinelab.evaluation.classification import confusion_matrix
from spinelab.evaluation.types import Estimate, Predictions
from spinelab.report import layout
from spinelab.report.charts import calibration_chart, learning_chart, pr_chart, roc_chart, training_chart
from spinelab.report.content import LearningCurve, Variant
from spinelab.report.curves import OneClass, calibration, pr_band, pr_line, roc_band, roc_line
from spinelab.report.words import interval, metric, number

MAX_CLASSES: Final = 12
"""Classes drawn one against the rest; beyond that the page would be curves only."""


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


def discrimination(variants: Sequence[Variant], positive: str | None = None) -> list[Grid]:
    """Return ROC, precision-recall and calibration charts of models in ranked order; none where no class can be told from the rest."""
    top = layout.best(variants)
    if top is None or top.predictions is None:
        return []
    classes = top.predictions.classes
    if len(classes) == 2:
        subjects, words = _models(variants, positive if positive in classes else classes[1])
    else:
        subjects, words = _classes(top.name, top.predictions)
    if not subjects:
        return []
    behind = " The other models are drawn behind it in grey." if len(classes) == 2 and len(subjects) > 1 else ""
    return [
        Grid("Receiver operating characteristic", f"{words} The band is the interval over patients; the dashed diagonal is guessing.{behind}", _panels("roc", subjects, _roc)),
        Grid("Precision and recall", f"{words} The dashed line is the share of the class, which guessing reaches.{behind}", _panels("pr", subjects, _pr)),
        Grid("Calibration", f"{words} On the dashed diagonal the stated probability is the observed share; below, the number of answers.", _panels("cal", subjects, _calibrated)),
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
            f"{sum(map(bool, variant.histories))} folds, up to {max(map(len, variant.histories))} epochs",
            training_chart(f"training-{n}", variant.histories, f"Training and validation loss of {variant.name}, one line a fold"),
        )
        for n, variant in enumerate(trained)
    )
    text = "Loss on the films that the model learns from (solid) and on those that decide when to stop (dashed), one line a fold. A gap that widens is overfitting."
    return Grid("Loss against epoch", text, panels) if panels else None


def learning(curve: LearningCurve | None, baseline: Mapping[str, Estimate]) -> Grid | None:
    """Return accuracy and ranking metric against the number of training patients."""
    if curve is None or not curve.patients:
        return None
    panels = []
    for which, name in (("scores", curve.metric), ("accuracy", "accuracy")):
        values: Sequence[Estimate] = getattr(curve, which)
        title, floor = metric(name).title, baseline[name].value if name in baseline else None
        told = "; ".join(f"{n} patients: {number(e.value)}" for n, e in zip(curve.patients, values, strict=True))
        panels.append(Panel(title, f"{curve.variant}", learning_chart(f"learning-{which}", curve, which, floor, (title, f"{title} against training patients. {told}"))))
        if curve.metric == "accuracy":
            break
    text = "What the same model reaches when it learns from fewer patients, with intervals; dashed, what a constant reaches. A curve that still rises says that more patients would help."
    return Grid(f"{curve.variant}, learning from fewer patients", text, tuple(panels))


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


def _panels(kind: str, subjects: Sequence[_Subject], draw: Callable[[str, int, Sequence[_Subject]], Markup]) -> tuple[Panel, ...]:
    return tuple(Panel(subject.title, subject.text, draw(f"{kind}-{n}", n, subjects)) for n, subject in enumerate(subjects))


def _roc(key: str, n: int, subjects: Sequence[_Subject]) -> Markup:
    others = [roc_line(other.answers) for other in subjects if other is not subjects[n] and other.comparable]
    return roc_chart(key, roc_band(subjects[n].answers), others, f"ROC curve of {subjects[n].title}. {subjects[n].text}")


def _pr(key: str, n: int, subjects: Sequence[_Subject]) -> Markup:
    answers = subjects[n].answers
    others = [pr_line(other.answers) for other in subjects if other is not subjects[n] and other.comparable]
    return pr_chart(key, pr_band(answers), others, answers.positives / answers.count, f"Precision-recall curve of {subjects[n].title}")


def _calibrated(key: str, n: int, subjects: Sequence[_Subject]) -> Markup:
    drawn = calibration(subjects[n].answers)
    told = "; ".join(f"stated {number(s, 2)}, observed {number(o, 2)}, {c:.0f} answers" for s, o, c in zip(drawn.stated, drawn.observed, drawn.counts, strict=True))
    return calibration_chart(key, drawn, f"Calibration of {subjects[n].title}: {told}")


def _confusion(name: str, predictions: Predictions) -> dict[str, Any]:
    answered = ~np.isnan(predictions.probabilities).any(axis=2)
    truth = np.broadcast_to(predictions.truth, answered.shape)[answered]
    counts = confusion_matrix(truth, predictions.answers[answered], len(predictions.classes))
    rows = [[{"count": int(cell), "share": int(cell) / max(1, int(row.sum()))} for cell in row] for row in counts]
    return {"name": name, "classes": predictions.classes, "rows": rows}
