"""``comparison.json`` and ``evaluation.json``: the content of a report for programs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import PureWindowsPath
from typing import Any

from spinelab.report.content import (
    COMPARISON_SCHEMA,
    EVALUATION_SCHEMA,
    Case,
    ComparedHead,
    Comparison,
    DataSummary,
    Evaluation,
    Flag,
    GalleryRow,
    MeasuredPair,
    Pair,
    Variant,
)
from spinelab.report.files import plain
from spinelab.report.measured_files import measured_document


def comparison_document(comparison: Comparison) -> dict[str, Any]:
    """Return the body of ``comparison.json`` (schema ``spinelab.comparison/1``)."""
    curve = comparison.learning_curve
    body = {
        "schema": COMPARISON_SCHEMA,
        **_shallow(comparison, "task", "title", "question", "target", "headline", "statements", "rank_by"),
        "variants": [variant_document(variant) for variant in comparison.variants],
        "baseline": comparison.baseline,
        "pairs": [_pair(pair) for pair in comparison.pairs],
        **({"measured_pairs": [_pair(pair) for pair in comparison.measured_pairs]} if comparison.measured_pairs else {}),
        "data": data_document(comparison.data),
        "learning_curve": None if curve is None else _shallow(curve, *(f.name for f in dataclasses.fields(curve))),
        "analysis": _sections(comparison.analysis),
        "design": comparison.design,
        "versions": comparison.versions,
        **({"heads": {head.name: _head(head) for head in comparison.heads}} if comparison.heads else {}),
        **({"gallery": [_gallery_row(row) for row in comparison.gallery]} if comparison.gallery else {}),
    }
    return dict(plain(body))


def _head(head: ComparedHead) -> dict[str, Any]:
    """Return one head with the figures of every model; its answers are in ``predictions.csv``."""
    models = {name: {"metrics": found.figures, **_flags(found.flags)} for name, found in head.models.items()}
    return {**_shallow(head, "classes", "answers", "baseline"), "models": models}


def _gallery_row(row: GalleryRow) -> dict[str, Any]:
    """Return what the models said about one examination; of the maps everything but the pixels, which are in the page."""
    cells = []
    for cell in row.cells:
        maps = [{key: value for key, value in dataclasses.asdict(e.summary("")).items() if key != "file"} for e in cell.explanations]
        cells.append({**_shallow(cell, "model", "answer", "probability", "probability_of_truth"), "maps": maps})
    return {**_shallow(row, "image", "truth"), "cells": cells}


def evaluation_document(evaluation: Evaluation) -> dict[str, Any]:
    """Return the body of ``evaluation.json`` (schema ``spinelab.evaluation/1``)."""
    variant = variant_document(evaluation.variant)
    measured = variant.pop("measured", None)
    body = {
        "schema": EVALUATION_SCHEMA,
        **_shallow(evaluation, "task", "title", "question", "target", "model", "headline", "statements"),
        "metrics": variant.pop("metrics"),
        **({"measured": measured} if measured is not None else {}),
        "flags": variant.pop("flags"),
        "flag_texts": variant.pop("flag_texts"),
        "baseline": evaluation.baseline,
        "subgroups": evaluation.subgroups,
        **({"heads": evaluation.heads} if evaluation.heads else {}),
        **({"analysis": _sections(evaluation.analysis)} if evaluation.analysis else {}),
        "data": data_document(evaluation.data),
        "variant": {key: value for key, value in variant.items() if key not in {"rank", "histories"}},
        "trained_on": evaluation.trained_on,
        "design": evaluation.design,
        "versions": evaluation.versions,
    }
    return dict(plain(body))


def variant_document(variant: Variant) -> dict[str, Any]:
    """Return one model; its answers are in ``predictions.csv``. Of one that measures, the figures of that too."""
    measured = {} if variant.measured is None else {"measured": measured_document(variant.measured)}
    route = {"route": variant.route} if variant.measured is not None or variant.route != "classifies" else {}
    names = ("name", "rank", "settings", "all_settings")
    cost = ("parameters", "fit_seconds", "predict_ms", "peak_memory_mb", "device", "precision", "weights", "notes", "histories")
    return {
        **_shallow(variant, *names),
        "metrics": variant.figures,
        **_flags(variant.flags),
        **_shallow(variant, *cost),
        "cases": [_case(case) for case in variant.cases],
        **route,
        **measured,
    }


def data_document(data: DataSummary) -> dict[str, Any]:
    """Return where the figures come from; of the root only the folder's name, for a path can name a person."""
    found = ("duplicates", "leaks", "conflicts", "shortcuts", "marked_twice")
    names = ("digest", "phantom", "patients", "images", "examinations", "classes", *found, "facts", "notes", "remarks")
    asked = {} if data.questions is None else {"questions": data.questions}
    return {"root": folder_name(data.root), **_shallow(data, *names), **asked, **_flags(data.flags)}


def folder_name(root: str) -> str:
    """Return the last part of a path, POSIX or Windows."""
    return PureWindowsPath(root).name or root


def _sections(found: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in section.items() if key != "svg"} for section in found]


def _pair(pair: Pair | MeasuredPair) -> dict[str, Any]:
    return _shallow(pair, *(f.name for f in dataclasses.fields(pair)))


def _case(case: Case) -> dict[str, Any]:
    return _shallow(case, "kind", "image", "truth", "answer", "probability_of_truth")


def _flags(flags: Iterable[Flag]) -> dict[str, Any]:
    """Return codes for programs and, in the same order, sentences for people."""
    flags = list(flags)
    return {"flags": [flag.code for flag in flags], "flag_texts": [flag.text for flag in flags]}


def _shallow(source: Any, *names: str) -> dict[str, Any]:
    return {name: getattr(source, name) for name in names}
