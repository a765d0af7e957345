"""What was measured as JSON and as tables for spreadsheets."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from spinelab.report.content import Variant
from spinelab.report.measured import Measured, MeasuredQuantity, Remarks
from spinelab.report.tables import answer_cells, cells_csv, number_cell, spreadsheet_safe

Row = dict[str, Any]


def measured_document(measured: Measured) -> dict[str, Any]:
    """Return the figures for ``evaluation.json`` and ``comparison.json``; the films themselves are in the tables."""
    landmarks = measured.landmarks
    return {
        "metrics": measured.metrics,
        "quantities": [_quantity(q) for q in measured.quantities],
        "landmarks": [] if landmarks is None else list(landmarks.rows),
        "levels": measured.levels,
        "worst": {"by": measured.worst_by, "films": [{"image": film.image, "facts": film.facts} for film in measured.shown]},
    }


def _quantity(q: MeasuredQuantity) -> dict[str, Any]:
    return {name: getattr(q, name) for name in ("name", "column", "unit", "title", "how", "withheld", "figures", "constant")}


def evaluation_csv(variant: Variant, *, patients_known: bool) -> str:
    """Return one row a film: ``image, patient``, each quantity with limits and truth, then truth, answer and probabilities of the class, if any.

    The last columns are what the answer says besides: ``levels_certainty``, ``withheld``, ``notes``.
    """
    rows = _rows(variant, patients_known=patients_known)
    left_out = {"fold", "repeat", "variant"}
    return cells_csv([{key: cell for key, cell in row.items() if key not in left_out} for row in rows])


def comparison_csv(variants: Iterable[Variant], *, patients_known: bool) -> str:
    """Return one row a film, repeat and model, as `evaluation_csv` does; what a model does not give stays empty."""
    return cells_csv([row for variant in variants for row in _rows(variant, patients_known=patients_known)])


def agreement_csv(measured: Measured) -> str:
    """Return one row a quantity that was compared: its counts, and every figure of agreement with ``_lo`` and ``_hi``.

    Bias, limits of agreement and slope are those of Bland and Altman; the others are resampled over patients, as in ``evaluation.json``.
    """
    return cells_csv([_agreement_cells(q) for q in measured.quantities if q.paired.any()])


def _agreement_cells(q: MeasuredQuantity) -> Row:
    counts = {name: q.figures.get(name, "") for name in ("n", "patients", "films", "withheld", "without_reference")}
    limits = {"bias": q.limit("bias"), "lower_limit": q.limit("lower"), "upper_limit": q.limit("upper"), "slope": q.limit("slope")}
    others = {name: q.figure(name) for name in dict(q.figures.get("metrics") or {}) if name != "bias"}
    stated = {name: q.of_interval(name) for name in ("coverage", "mean_width")}
    wilcoxon = {f"wilcoxon_{name}": value for name, value in dict(q.figures.get("wilcoxon") or {}).items()}
    row: Row = {"quantity": q.column, "title": spreadsheet_safe(q.title), "unit": q.unit, **counts}
    for name, found in (limits | others | stated).items():
        row |= {f"{name}{end}": "" if part is None else number_cell(part) for end, part in (("", found.value), ("_lo", found.lo), ("_hi", found.hi))}
    return row | {name: "" if value is None else value for name, value in wilcoxon.items()}


def landmarks_csv(measured: Measured) -> str:
    """Return one row a film and landmark that is known or was found: ``x_px, y_px``, their truth, and the error in px and mm."""
    landmarks = measured.landmarks
    if landmarks is None:
        return ""
    rows: list[Row] = []
    for f, image in enumerate(measured.images):
        for n, name in enumerate(landmarks.names):
            found, true = landmarks.predicted[f, n], landmarks.truth[f, n]
            if not np.isfinite((found, true)).any():
                continue
            cells = (*found, *true, landmarks.error_px[f, n], landmarks.error_mm[f, n])
            columns = ("x_px", "y_px", "x_px_truth", "y_px_truth", "error_px", "error_mm")
            rows.append({"image": spreadsheet_safe(image), "landmark": name} | {c: number_cell(v) for c, v in zip(columns, cells, strict=True)})
    return cells_csv(rows)


def _rows(variant: Variant, *, patients_known: bool) -> list[Row]:
    """Return the rows of one model, measured and classified cells of a film side by side."""
    rows: dict[tuple[str, int], Row] = {}
    said: dict[tuple[str, int], Row] = {}
    measured, classes = variant.measured, variant.predictions
    if measured is not None:
        for n, image in enumerate(measured.images):
            repeat = measured.repeats[n] if measured.repeats else 0
            fold = measured.folds[n] if measured.folds else 0
            row = _who(variant, image, measured.patients[n] if patients_known else "", (fold, repeat))
            rows[image, repeat] = row | {cell: value for q in measured.quantities for cell, value in _cells(q, n)}
            said[image, repeat] = _said(measured.remarks[n]) if measured.remarks else {}
    for repeat, n in np.ndindex(*classes.folds.shape) if classes is not None else ():
        if classes is None or np.isnan(classes.probabilities[repeat, n]).any():
            continue
        image = classes.images[n]
        who = _who(variant, image, classes.patient(n) if patients_known else "", (int(classes.folds[repeat, n]), repeat))
        rows[image, repeat] = {**rows.get((image, repeat), who), **answer_cells(classes, repeat, n)}
    return [{**row, **said.get(key, {})} for key, row in rows.items()]


def _said(remarks: Remarks) -> Row:
    certainty = "" if remarks.certainty is None else number_cell(remarks.certainty)
    withheld, notes = (spreadsheet_safe(" | ".join(sentences)) for sentences in (remarks.withheld, remarks.notes))
    return {"levels_certainty": certainty, "withheld": withheld, "notes": notes}


def _who(variant: Variant, image: str, patient: str, where: tuple[int, int]) -> Row:
    names = {"image": spreadsheet_safe(image), "patient": spreadsheet_safe(patient)}
    return {**names, "fold": where[0], "repeat": where[1], "variant": spreadsheet_safe(variant.name)}


def _cells(q: MeasuredQuantity, n: int) -> list[tuple[str, str]]:
    return [(f"{q.column}{end}", number_cell(float(column[n]))) for end, column in (("", q.value), ("_lo", q.lo), ("_hi", q.hi), ("_truth", q.truth))]
