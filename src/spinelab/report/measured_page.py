"""What the page says and shows of measurements: rows of the tables, charts, films with truth and answer drawn over them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from markupsafe import Markup, escape

from spinelab.report.film_drawing import Mark, draw
from spinelab.report.graphs import Grid, Panel
from spinelab.report.measured import Measured, MeasuredLandmarks, MeasuredQuantity, ShownFilm
from spinelab.report.measured_charts import agreement_chart, difference_chart, errors_chart
from spinelab.report.pictures import film, size
from spinelab.report.reading import shown, symbol
from spinelab.report.words import estimate, number, p_value

OPEN_CHARTS: Final = 3
"""Quantities whose charts are shown at once; those of the others are folded away."""
FILM_PX: Final = 640
_MOST_OF: Final = 0.8
"""Share of the landmarks that levels (or regions) must hold for the chart of errors to go by them."""
TRUTH: Final = "#4be0a8"
ANSWER: Final = "#ff9a1f"

_AGREEMENT: Final = (
    "Left, answer against truth: on the dashed line they are equal; films whose stated interval missed the truth are orange. Right, their difference "
    "against their mean (Bland and Altman): the line is the bias, the dashed lines the limits between which 95 % of the differences of new films are "
    "expected, each with its interval."
)


_AGREEMENT_HEADS: Final = (
    ("Bias", "mean of answer minus truth"),
    ("Lower limit", "lower limit of agreement: bias - 1.96 standard deviations of the difference"),
    ("Upper limit", "upper limit of agreement: bias + 1.96 standard deviations of the difference"),
    ("Pearson r", "Pearson's correlation: no agreement by itself, a ruler that reads twice the truth has 1"),
    ("CCC", "Lin's concordance correlation"),
    ("ICC(2,1)", "intraclass correlation, two-way random effects, absolute agreement, single reading"),
    ("ICC(3,1)", "intraclass correlation, two-way mixed effects, consistency, single reading"),
    ("SEM", "standard error of measurement: the standard deviation of answer minus truth, the truth taken as right"),
    ("MDC", "minimal detectable change, 95 %: 1.96 x root 2 x SEM; standing again differently is not in it"),
    ("Wilcoxon p", "signed-rank test that the differences are symmetric about 0, one mean difference a patient"),
)
"""Heads of the table of agreement, each with what it means."""


def measured_context(measured: Measured | None) -> dict[str, Any] | None:
    """Return what the template of an evaluation shows of the measurements; ``None`` where there are none."""
    if measured is None:
        return None
    judged = [q for q in measured.quantities if q.paired.any()]
    return {
        "rows": [quantity_row(q) for q in measured.quantities],
        "agreement": [_agreement_row(q) for q in judged],
        "agreement_heads": _AGREEMENT_HEADS,
        "grids": [_grid(n, q) for n, q in enumerate(judged)],
        "open": OPEN_CHARTS,
        "text": _AGREEMENT,
        "landmarks": _landmarks(measured.landmarks),
        "levels": measured.levels,
        "films": [_film(one) for one in measured.shown],
        "worst_by": measured.worst_by,
        "disputed": [_film(one) for one in measured.disputed],
    }


def quantity_row(q: MeasuredQuantity) -> dict[str, Any]:
    """Return one line of the table of quantities, numbers as text in the quantity's unit."""
    figures = q.figures
    return {
        "title": q.title,
        "how": q.how,
        "unit": q.unit,
        "n": figures.get("n", 0),
        "mae": told(q.figure("mae"), q.unit),
        "median": told(q.figure("median_absolute_error"), q.unit),
        "rmse": told(q.figure("rmse"), q.unit),
        "constant": told(q.constant.get("mae"), q.unit),
        "answer": f"{shown(q.constant['answer'], q.unit)}{symbol(q.unit)}" if q.constant else "",
        "bias": told(q.limit("bias"), q.unit),
        "icc": told(q.figure("icc_2_1"), "1"),
        "coverage": share(q.of_interval("coverage")),
        "width": told(q.of_interval("mean_width"), q.unit),
        "withheld": sum(q.withheld.values()),
        "reasons": list(q.withheld.items()),
        "by_width": [
            f"{row['tercile']} ({shown(row['narrowest'], q.unit)} to {shown(row['widest'], q.unit)}{symbol(q.unit)}): {share(row['coverage'])[0]}"
            for row in dict(figures.get("interval") or {}).get("by_width", ())
        ],
    }


def _agreement_row(q: MeasuredQuantity) -> dict[str, Any]:
    """Return one line of the table of agreement, its cells in the order of the heads; the last is Wilcoxon's p."""
    correlations, in_unit = ("pearson", "ccc", "icc_2_1", "icc_3_1"), ("sd_difference", "mdc95")
    cells = [told(q.limit(name), q.unit) for name in ("bias", "lower", "upper")]
    cells += [told(q.figure(name), "1") for name in correlations]
    cells += [told(q.figure(name), q.unit) for name in in_unit]
    p = dict(q.figures.get("wilcoxon") or {}).get("p")
    return {"title": q.title, "unit": q.unit, "cells": [*cells, (p_value(p), "")]}


def told(value: Any, unit: str) -> tuple[str, str]:
    """Return a value and its limits as text."""
    e = estimate(value)
    if e.value is None:
        return "–", ""
    sign = symbol(unit)
    limits = f"{_signed(e.lo, unit)} to {_signed(e.hi, unit)}" if e.lo is not None and e.hi is not None else ""
    return f"{_signed(e.value, unit)}{sign}", limits


def share(value: Any) -> tuple[str, str]:
    """Return a share and its limits in percent."""
    e = estimate(value)
    if e.value is None:
        return "–", ""
    limits = f"{number(100 * e.lo, 0)} to {number(100 * e.hi, 0)} %" if e.lo is not None and e.hi is not None else ""
    return f"{number(100 * e.value, 1)} %", limits


def as_share(value: Any) -> str:
    """Return a share with its limits on one line."""
    text, limits = share(value)
    return f"{text} ({limits})" if limits else text


def _signed(value: float, unit: str) -> str:
    return number(value, 2 if unit == "1" or (unit == "mm" and abs(value) < 1) else 1)


def _grid(n: int, q: MeasuredQuantity) -> Grid:
    words = f"{int(q.paired.sum())} films"
    mae, bias = told(q.figure("mae"), q.unit)[0], told(q.limit("bias"), q.unit)[0]
    lower, upper = told(q.limit("lower"), q.unit)[0], told(q.limit("upper"), q.unit)[0]
    return Grid(
        q.title,
        "",
        (
            Panel("Answer and truth", f"{words}, mean absolute error {mae}", agreement_chart(f"agree-{n}", q, f"{q.title}: answer against truth, {words}")),
            Panel("Difference", f"bias {bias}, limits {lower} to {upper}", difference_chart(f"differ-{n}", q, f"{q.title}: Bland-Altman plot, bias {bias}")),
        ),
    )


def _landmarks(landmarks: MeasuredLandmarks | None) -> dict[str, Any] | None:
    if landmarks is None or not landmarks.rows:
        return None
    unit = "mm" if estimate(landmarks.rows[0]["mm"]["median"]).value is not None else "px"
    present = {kind: sum(row["present"] for row in landmarks.rows if row["kind"] == kind) for kind in ("level", "region", "landmark", "all")}
    finest = next(kind for kind, count in present.items() if kind == "all" or count >= _MOST_OF * present["all"] > 0)
    drawn = [row for row in landmarks.rows if row["kind"] == finest][:40]
    alt = "; ".join(f"{row['name']} {number(estimate(row[unit]['median']).value, 1)}" for row in drawn)
    return {
        "chart": errors_chart("landmark-errors", drawn, unit, f"Median error in {unit}: {alt}"),
        "finest": {"level": "vertebra", "region": "region", "landmark": "landmark", "all": "film"}[finest],
        "main": [row for row in landmarks.rows if row["kind"] != "landmark"],
        "single": [row for row in landmarks.rows if row["kind"] == "landmark"],
        "units": [u for u in ("px", "mm", "heights") if estimate(landmarks.rows[0].get(u, {}).get("median")).value is not None],
    }


def _film(one: ShownFilm) -> dict[str, Any]:
    rows, columns = one.picture.shape[:2]
    alt = f"{one.image} with the truth and the answer drawn over it"
    return {"image": one.image, "facts": one.facts, "svg": _overlay(one, columns, rows, alt), **size(one.picture, side=FILM_PX)}


def _overlay(one: ShownFilm, columns: int, rows: int, alt: str) -> Markup:
    layers = [(TRUTH, draw(one.truth, width=columns, height=rows)), (ANSWER, draw(one.answer, width=columns, height=rows))]
    body = "".join(
        _path(mark, colour, wide * max(rows, columns))
        for (colour, drawing), wide in zip(layers, (1.0, 0.5), strict=True)
        for mark in drawing.marks
        if mark.shape != "text"
    )
    picture = f'<image href="{film(one.picture, side=FILM_PX)}" x="-0.5" y="-0.5" width="{columns}" height="{rows}" preserveAspectRatio="none"/>'
    head = f'<svg viewBox="-0.5 -0.5 {columns} {rows}" role="img" aria-label="{escape(alt)}" fill="none">'
    return Markup(f"{head}{picture}{body}</svg>")  # noqa: S704 - numbers and escaped text only


def _path(mark: Mark, colour: str, size_px: float) -> str:
    """Return a mark as SVG, sized as on a film of this length; a dot is a line of no length with a round end."""
    points = np.round(np.asarray(mark.points, dtype=np.float64), 1).tolist()
    steps = "L".join(f"{x:g} {y:g}" for x, y in (points if len(points) > 1 else points * 2))
    width, close = (size_px / 75, "") if mark.shape in ("dot", "ring") else (size_px / 240, "Z" if mark.closed else "")
    return f'<path d="M{steps}{close}" stroke="{colour}" stroke-width="{width:.1f}" stroke-linecap="round"/>'


def comparison_rows(variants: Sequence[Any]) -> list[dict[str, Any]]:
    """Return, for each quantity that some model measures, a line a model: its error, median, bias and coverage."""
    titles: dict[str, dict[str, Any]] = {}
    for variant in variants:
        for q in variant.measured.quantities if variant.measured is not None else ():
            if q.paired.any():
                entry = titles.setdefault(q.column, {"title": q.title, "how": q.how, "models": []})
                entry["models"].append({"name": variant.name, "route": variant.route, **quantity_row(q)})
    return list(titles.values())


def landmark_rows(variants: Sequence[Any]) -> list[Mapping[str, Any]]:
    """Return the errors over all landmarks of each model that gives any, and how often it names the levels right."""
    return [
        {"name": v.name, "all": v.measured.landmarks.rows[0], "levels": share(v.measured.metrics.get("levels_right"))}
        for v in variants
        if v.measured is not None and v.measured.landmarks is not None
    ]
