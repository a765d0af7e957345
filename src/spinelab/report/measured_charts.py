"""Charts of agreement: answer against truth, their difference against their mean, errors from level to level."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from markupsafe import Markup

from spinelab.evaluation.types import Estimate
from spinelab.report.figures import BLUE, FAINT, GREY, INK, ORANGE, drawing, plain_axis, svg
from spinelab.report.measured import MeasuredQuantity
from spinelab.report.words import estimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PANEL_IN: Final = (3.3, 3.0)
_MOST_DRAWN: Final = 800
"""Films up to which every one is a mark of its own; more become a picture inside the chart."""

UNIT_NAMES: Final[Mapping[str, str]] = {"deg": "°", "1": "", "%": "%"}


def agreement_chart(key: str, q: MeasuredQuantity, alt: str) -> Markup:
    """Draw answer against truth with the line of equality; films whose interval missed the truth stand out."""
    kept = q.paired
    value, truth = q.value[kept], q.truth[kept]
    missed = (q.lo[kept] > truth) | (q.hi[kept] < truth)
    with drawing(key, *_PANEL_IN) as figure:
        axes = figure.subplots()
        low, high = _span(np.concatenate([value, truth]))
        axes.plot([low, high], [low, high], color=GREY, linewidth=0.8, linestyle=(0, (4, 3)))
        _dots(axes, truth[~missed], value[~missed], BLUE)
        _dots(axes, truth[missed], value[missed], ORANGE)
        axes.set_xlim(low, high)
        axes.set_ylim(low, high)
        plain_axis(axes, f"Truth{_unit(q)}", f"Answer{_unit(q)}")
        return svg(figure, key, alt)


def difference_chart(key: str, q: MeasuredQuantity, alt: str) -> Markup:
    """Draw the difference against the mean of answer and truth, with bias, limits of agreement and their intervals (Bland and Altman)."""
    kept = q.paired
    value, truth = q.value[kept], q.truth[kept]
    with drawing(key, *_PANEL_IN) as figure:
        axes = figure.subplots()
        axes.axhline(0, color=FAINT, linewidth=0.8)
        for name, colour, style in (("bias", INK, "-"), ("lower", ORANGE, (0, (4, 3))), ("upper", ORANGE, (0, (4, 3)))):
            _limit(axes, q.limit(name), colour, style)
        _dots(axes, (value + truth) / 2, value - truth, BLUE)
        axes.margins(x=0.06, y=0.12)
        plain_axis(axes, f"Mean of answer and truth{_unit(q)}", f"Answer − truth{_unit(q)}")
        return svg(figure, key, alt)


def errors_chart(key: str, rows: Sequence[Mapping[str, Any]], unit: str, alt: str) -> Markup:
    """Draw the median error of every level or region with its quartiles (bar) and ninetieth percentile (tick)."""
    with drawing(key, 6.6, 0.5 + 0.165 * len(rows)) as figure:
        figure.subplots_adjust(left=0.19)
        axes = figure.subplots()
        for place, row in enumerate(rows):
            found = row[unit]
            median = estimate(found["median"]).value
            if median is None:
                continue
            axes.plot([found["q1"], found["q3"]], [place, place], color="#a9cfe5", linewidth=5, solid_capstyle="butt")
            axes.plot(found["p90"], place, color=GREY, marker="|", markersize=6)
            axes.plot(median, place, color=BLUE, marker="o", markersize=3.6)
        axes.set_yticks(range(len(rows)), [row["name"] for row in rows])
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.set_xlim(left=0)
        plain_axis(axes, f"Error ({unit})", "")
        return svg(figure, key, alt)


def _dots(axes: Axes, x: Any, y: Any, colour: str) -> None:
    if len(x):
        axes.plot(
            x, y, color=colour, linestyle="", marker="o", markersize=2.6, markeredgewidth=0, alpha=0.6 if len(x) > 150 else 0.8, rasterized=len(x) > _MOST_DRAWN
        )


def _limit(axes: Axes, value: Estimate, colour: str, style: Any) -> None:
    if value.value is None:
        return
    if value.lo is not None and value.hi is not None:
        axes.axhspan(value.lo, value.hi, color=colour, alpha=0.10, linewidth=0)
    axes.axhline(value.value, color=colour, linewidth=0.9, linestyle=style)


def _span(values: Any) -> tuple[float, float]:
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
    room = 0.05 * (high - low) or 1.0
    return low - room, high + room


def _unit(q: MeasuredQuantity) -> str:
    name = UNIT_NAMES.get(q.unit, q.unit)
    return f" ({name})" if name else ""
