"""``predictions.csv``, ``results.csv`` and ``measurements.csv``: one row an answer, safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from spinelab.core import Measurement, Quantity, Result, at_several_places
from spinelab.core.measuring import column_of
from spinelab.evaluation.types import Predictions
from spinelab.report.content import Variant
from spinelab.report.reading import LEVEL_FINDINGS, levels, refusal
from spinelab.report.serial import Series
from spinelab.report.visits import Visit

_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n")


def predictions_csv(variants: Iterable[Variant], *, patients_known: bool) -> str:
    """Return every out-of-sample answer of every variant; an examination that was not predicted (nan) has no row.

    Columns: ``patient, image, fold, repeat, variant, truth, answer``, then ``prob_<class>`` for every class. ``fold`` and
    ``repeat`` count from 0; ``patient`` is empty where patients are not known. Every other head of a network with several adds ``<head>_truth``,
    ``<head>_answer`` and ``<head>_prob_<class>``; what a head did not answer stays empty.
    """
    answered = [variant for variant in variants if variant.predictions is not None]
    heads = dict.fromkeys(name for variant in answered for name in variant.other_heads)
    header = ["patient", "image", "fold", "repeat", "variant", *_answer_columns(variant.predictions for variant in answered)]
    for head in heads:
        header += _answer_columns((variant.other_heads.get(head) for variant in answered), f"{head}_")
    rows = (row for variant in answered for row in _prediction_rows(variant, patients_known=patients_known))
    return _csv(header, ([row.get(name, "") for name in header] for row in rows))


def results_csv(results: Sequence[Result], folders: Mapping[str, str], titles: Mapping[str, str]) -> str:
    """Return one row a study: ``image``, its folder, every finding with its probabilities, every measurement as in `measurements_csv`.

    ``titles`` are what findings are called, by name. Site and side of a measurement stand in the header where a study has several of it, else in
    columns of their own.
    """
    several = at_several_places(results)
    rows = [_result_row(result, folders.get(result.study, ""), several, titles) for result in results]
    header = list(dict.fromkeys(name for row in rows for name in row))
    if "notes" in header:
        header.append(header.pop(header.index("notes")))
    return _csv(header, ([row.get(name, "") for name in header] for row in rows))


def measurements_csv(
    results: Sequence[Result], quantities: Sequence[Quantity], titles: Mapping[str, str], *, visits: Mapping[str, Visit], files: Mapping[str, str]
) -> str:
    """Return one row a film, refused films as well: ``image``, every quantity, findings, whose film it is, certainty of the levels, notes.

    A quantity has the columns ``<column>, <column>_lo, <column>_hi, <column>_withheld`` and, where a measurement tells them, ``_site`` and
    ``_side``. ``titles`` are what findings are called, by name. ``patient``, ``date`` and ``file`` are empty where they are not known.
    ``levels_certainty`` is the probability that the levels are named rightly.
    """
    several = at_several_places(results)
    rows = [_film_row(result, quantities, several, titles) | _whose(visits.get(result.study, Visit()), files.get(result.study, "")) for result in results]
    ends = ("_lo", "_hi", "_withheld", "_site", "_side")
    present = dict.fromkeys(name for row in rows for name in row)
    order = ["image", *(f"{q.column}{end}" for q in quantities for end in ("", *ends) if f"{q.column}{end}" in present)]
    last = ("patient", "date", "file", "levels_certainty", "notes")
    header = [*order, *(name for name in present if name not in {*order, *last}), *last]
    return _csv(header, ([row.get(name, "") for name in header] for row in rows))


def changes_csv(series: Iterable[Series]) -> str:
    """Return one row a quantity and pair of films: how they differ, what of it the landmarks explain, and the verdict."""
    header = ["patient", "image", "date", "earlier_image", "earlier_date", "measurement", "earlier", "later", "difference"]
    rows = [
        [
            *(spreadsheet_safe(one.patient), spreadsheet_safe(pair.later), pair.later_day, spreadsheet_safe(pair.earlier), pair.earlier_day),
            *(spreadsheet_safe(c.column), number_cell(c.earlier), number_cell(c.later), number_cell(c.difference)),
            *(_optional(c.mdc_films), _optional(c.mdc_held_out), c.verdict),
        ]
        for one in series
        for pair in one.follow_ups
        for c in pair.changes
    ]
    return _csv([*header, "mdc_of_intervals", "mdc_held_out", "verdict"], rows)


def rows_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return rows of named values, columns in the order of their first appearance; what is ``None`` stays empty."""
    return cells_csv([{name: _cell(value) for name, value in row.items()} for row in rows])


def cells_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return rows of named cells that are made with `number_cell` and `spreadsheet_safe` already, columns in the order of their first appearance."""
    header = list(dict.fromkeys(name for row in rows for name in row))
    return _csv(header, ([row.get(name, "") for name in header] for row in rows))


def _cell(value: Any) -> Any:
    if isinstance(value, float):
        return number_cell(value)
    return spreadsheet_safe(value) if isinstance(value, str) else "" if value is None else value


def spreadsheet_safe(text: str) -> str:
    """Return ``text``, with an apostrophe before a start that a spreadsheet would run as a formula (OWASP, CSV injection)."""
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def answer_cells(answers: Predictions, repeat: int, n: int, head: str = "") -> dict[str, str]:
    """Return truth, answer and probabilities of one examination, by column; ``head`` stands before the names."""
    names, shares = answers.classes, answers.probabilities[repeat, n]
    said = {"truth": names[int(answers.truth[n])], "answer": names[int(shares.argmax())]}
    cells = {f"{head}{column}": spreadsheet_safe(name) for column, name in said.items()}
    return cells | {f"{head}prob_{name}": number_cell(float(share)) for name, share in zip(names, shares, strict=True)}


def _answer_columns(found: Iterable[Predictions | None], head: str = "") -> list[str]:
    """Return the columns of `answer_cells` for these models."""
    classes = dict.fromkeys(name for answers in found if answers is not None for name in answers.classes)
    return [f"{head}truth", f"{head}answer", *(f"{head}prob_{name}" for name in classes)]


def _prediction_rows(variant: Variant, *, patients_known: bool) -> list[dict[str, Any]]:
    """Return one row a repeat and examination that any head answered."""
    rows: dict[tuple[int, str], dict[str, Any]] = {}
    ranked = {} if variant.predictions is None else {"": variant.predictions}
    for head, answers in (ranked | {f"{name}_": answers for name, answers in variant.other_heads.items()}).items():
        for repeat, n in np.ndindex(*answers.folds.shape):
            if np.isnan(answers.probabilities[repeat, n]).any():
                continue
            who = {
                "patient": spreadsheet_safe(answers.patient(n)) if patients_known else "",
                "image": spreadsheet_safe(answers.images[n]),
                "fold": int(answers.folds[repeat, n]),
                "repeat": repeat,
                "variant": spreadsheet_safe(variant.name),
            }
            rows.setdefault((repeat, answers.images[n]), who).update(answer_cells(answers, repeat, n, head))
    return list(rows.values())


def _result_row(result: Result, folder: str, several: Collection[tuple[str, str]], titles: Mapping[str, str]) -> dict[str, Any]:
    row: dict[str, Any] = {"image": spreadsheet_safe(result.study), "folder": spreadsheet_safe(folder), "task": result.task}
    row["model"] = spreadsheet_safe(result.model)
    for finding in result.findings:
        name = _column(titles.get(finding.name, finding.name), finding.site, finding.side)
        row[name] = "" if finding.label is None else spreadsheet_safe(finding.label)
        row |= {f"{name}: prob_{label}": number_cell(value) for label, value in finding.probabilities.items()}
    for measurement in result.measurements:
        here = (measurement.name, measurement.unit) in several
        place = (measurement.site, measurement.side) if here else (None, None)
        row |= _quantity_cells(column_of(measurement.name, measurement.unit, *place), measurement, "")
    row["notes"] = spreadsheet_safe(" | ".join(result.notes))
    return row


def _film_row(result: Result, quantities: Sequence[Quantity], several: Collection[tuple[str, str]], titles: Mapping[str, str]) -> dict[str, Any]:
    row: dict[str, Any] = {"image": spreadsheet_safe(result.study)}
    refused = refusal(result)
    for quantity in quantities:
        found = result.measured(quantity.name, quantity.unit)
        if (quantity.name, quantity.unit) not in several:
            row |= _quantity_cells(quantity.column, found[0] if found else None, "the film was not read: see notes" if refused else "not in the model's answer")
            continue
        for one in found:
            row |= _quantity_cells(column_of(one.name, one.unit, one.site, one.side), one, "")
    for finding in result.findings:
        name = _column(titles.get(finding.name, finding.name), finding.site, finding.side)
        row[name] = "" if finding.label is None else spreadsheet_safe(finding.label)
        if finding.name not in LEVEL_FINDINGS:
            row |= {f"{name}: prob_{label}": number_cell(value) for label, value in finding.probabilities.items()}
    known = levels(result)
    row["levels_certainty"] = "" if known is None else _optional(known.probability)
    row["notes"] = spreadsheet_safe(" | ".join(result.notes))
    return row


def _whose(visit: Visit, file: str) -> dict[str, str]:
    """Return patient and date as far as the film states them, and the file's path below the folder that was read."""
    day = "" if visit.day is None else visit.day.isoformat()
    return {"patient": spreadsheet_safe(visit.patient or ""), "date": day, "file": spreadsheet_safe(file)}


def _quantity_cells(column: str, one: Measurement | None, missing: str) -> dict[str, Any]:
    """Return value, limits and reason of one measurement, and where it was taken if it says so."""
    if one is None:
        return {column: "", f"{column}_lo": "", f"{column}_hi": "", f"{column}_withheld": missing}
    low, high = one.interval if one.interval is not None else (None, None)
    cells = {column: _optional(one.value), f"{column}_lo": _optional(low), f"{column}_hi": _optional(high)}
    cells[f"{column}_withheld"] = spreadsheet_safe(one.withheld or "")
    return cells | {f"{column}_{key}": spreadsheet_safe(value) for key, value in (("site", one.site), ("side", one.side)) if value}


def _optional(value: float | None) -> str:
    return "" if value is None else number_cell(value)


def _column(name: str, site: str | None, side: str | None) -> str:
    return " ".join(part for part in (name, site, side) if part)


def number_cell(value: float) -> str:
    """Return a number as a table holds it, every digit of it; nothing for one that is not finite."""
    return repr(float(value)) if math.isfinite(value) else ""


def _csv(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([spreadsheet_safe(name) for name in header])
    writer.writerows(rows)
    return out.getvalue()
