"""The report's charts: curves with bands, calibration with counts, training and learning."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from spinelab.evaluation.calibration import Calibration
from spinelab.evaluation.types import Estimate
from spinelab.report.content import LearningCurve
from spinelab.report.figures import BLUE, FAINT, GREEN, GREY, INK, ORANGE, drawing, plain_axis, svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Values = NDArray[np.float64]

_PANEL_IN: Final = (3.3, 3.0)


@dataclass(frozen=True, eq=False)
class Curve:
    """A line in the unit square, with its band where there is one."""

    x: Values
    y: Values
    band: tuple[Values, Values, Values] | None = None
    """Positions, lower and upper limit."""


def roc_chart(key: str, curve: Curve, others: Sequence[Curve], alt: str) -> Markup:
    """Draw an ROC curve with its band; the other models stay behind it in grey."""
    with drawing(key, *_PANEL_IN) as figure:
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, linestyle=(0, (4, 3)))
        _curves(axes, curve, others)
        plain_axis(axes, "False positive rate (1 − specificity)", "True positive rate (sensitivity)")
        return svg(figure, key, alt)


def pr_chart(key: str, curve: Curve, others: Sequence[Curve], share: float, alt: str) -> Markup:
    """Draw a precision-recall curve with its band; the dashed line is the share of the class, what guessing reaches."""
    with drawing(key, *_PANEL_IN) as figure:
        axes = figure.subplots()
        axes.axhline(share, color=GREY, linewidth=0.8, linestyle=(0, (4, 3)))
        _curves(axes, curve, others)
        plain_axis(axes, "Recall (sensitivity)", "Precision")
        return svg(figure, key, alt)


def calibration_chart(key: str, calibration: Calibration, alt: str) -> Markup:
    """Draw what was observed against what was stated, with the number of answers below."""
    with drawing(key, _PANEL_IN[0], 3.5) as figure:
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
        upper.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, linestyle=(0, (4, 3)))
        errors = np.clip(np.stack([calibration.observed - calibration.lo, calibration.hi - calibration.observed]), 0, None)
        upper.errorbar(calibration.predicted, calibration.observed, yerr=errors, color=BLUE, marker="o", markersize=4, elinewidth=1, linewidth=1)
        _unit_square(upper)
        upper.set_ylabel("Observed share")
        lower.bar(calibration.predicted, calibration.examinations, width=0.035, color=FAINT, edgecolor=GREY, linewidth=0.5)
        for x, height in zip(calibration.predicted, calibration.examinations, strict=True):
            lower.annotate(f"{height:.0f}", (x, height), xytext=(0, 1.5), textcoords="offset points", ha="center", fontsize=6.5, color="#52606D")
        lower.set_ylim(0, max(1.0, float(calibration.examinations.max(initial=1))) * 1.45)
        lower.set_yticks([])
        plain_axis(lower, "Stated probability", "Answers")
        return svg(figure, key, alt)


def training_chart(key: str, histories: Sequence[Sequence[Mapping[str, float]]], alt: str) -> Markup:
    """Draw training and validation loss of every fold against the epoch."""
    from matplotlib.ticker import MaxNLocator

    with drawing(key, _PANEL_IN[0], 2.5) as figure:
        axes = figure.subplots()
        drawn: list[float] = []
        for column, colour, style, label in (("train_loss", BLUE, "-", "training"), ("validation_loss", ORANGE, (0, (3, 1.5)), "validation")):
            lines = [_points(history, column) for history in histories]
            for n, (epochs, losses) in enumerate(line for line in lines if line[0]):
                axes.plot(
                    epochs, losses, color=colour, linestyle=style, linewidth=1, alpha=0.75, label=label if n == 0 else None, marker=_dot(epochs), markersize=2.5
                )
                drawn += losses
        _limit_to_most(axes, drawn)
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        if drawn:
            axes.legend(loc="upper right")
        plain_axis(axes, "Epoch", "Loss")
        return svg(figure, key, alt)


def learning_chart(key: str, curve: LearningCurve, which: str, floor: float | None, labels: tuple[str, str]) -> Markup:
    """Draw accuracy (``which="accuracy"``) or the ranking metric (``which="scores"``) against the number of training patients.

    ``labels`` are the name of the vertical axis and the text for those who cannot see the figure.
    """
    values: Sequence[Estimate] = getattr(curve, which)
    known = [(n, e.value, _reach(e)) for n, e in zip(curve.patients, values, strict=True) if e.value is not None]
    with drawing(key, _PANEL_IN[0], 2.6) as figure:
        axes = figure.subplots()
        if floor is not None:
            axes.axhline(floor, color=GREY, linewidth=0.8, linestyle=(0, (4, 3)))
        axes.errorbar(
            [n for n, _, _ in known],
            [value for _, value, _ in known],
            yerr=np.array([reach for _, _, reach in known]).reshape(-1, 2).T,
            color=BLUE if which == "scores" else GREEN,
            marker="o",
            markersize=4,
            elinewidth=1,
            capsize=2.5,
        )
        axes.set_xlim(left=0)
        axes.margins(y=0.12)
        plain_axis(axes, "Training patients", labels[0])
        return svg(figure, key, labels[1])


def _curves(axes: Axes, curve: Curve, others: Sequence[Curve]) -> None:
    for other in others:
        axes.plot(other.x, other.y, color="#B8BFC8", linewidth=0.7)
    if curve.band is not None:
        axes.fill_between(*curve.band, color=BLUE, alpha=0.16, linewidth=0)
    axes.plot(curve.x, curve.y, color=BLUE)
    _unit_square(axes)


def _unit_square(axes: Axes) -> None:
    axes.set_xlim(-0.015, 1.015)
    axes.set_ylim(-0.015, 1.015)
    axes.set_xticks(np.linspace(0, 1, 6))
    axes.set_yticks(np.linspace(0, 1, 6))


def _points(history: Sequence[Mapping[str, Any]], column: str) -> tuple[list[float], list[float]]:
    """Return the epochs at which a finite loss is known, and the losses."""
    rows = [(float(row.get("epoch", n)), row.get(column)) for n, row in enumerate(history)]
    known = [(epoch, float(loss)) for epoch, loss in rows if loss is not None and math.isfinite(loss)]
    return [epoch for epoch, _ in known], [loss for _, loss in known]


def _dot(epochs: Sequence[float]) -> str:
    """Return a marker for a line of one point, which would be invisible."""
    return "o" if len(epochs) == 1 else ""


def _limit_to_most(axes: Axes, values: Sequence[float]) -> None:
    """Keep one exploding epoch from flattening everything else."""
    if not values:
        axes.text(0.5, 0.5, "no losses recorded", ha="center", va="center", transform=axes.transAxes, color=INK)
        return
    low, high, top = min(values), float(np.quantile(values, 0.97)), max(values)
    if top > low + 3 * (high - low) > low:
        axes.set_ylim(low - 0.08 * (high - low), low + 1.6 * (high - low))


def _reach(value: Estimate) -> tuple[float, float]:
    """Return how far the limits lie below and above the value."""
    if value.value is None or value.lo is None or value.hi is None:
        return 0.0, 0.0
    return max(0.0, value.value - value.lo), max(0.0, value.hi - value.value)
