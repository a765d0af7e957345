"""A comparison or an evaluation as a folder: JSON for programs, a table for spreadsheets, a page for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from spinelab.report import graphs, layout
from spinelab.report.content import FLAGS, Comparison, DataSummary, Evaluation, Flag, GalleryRow, Variant
from spinelab.report.documents import comparison_document, evaluation_document
from spinelab.report.figures import inline
from spinelab.report.files import write_json, write_text
from spinelab.report.heatmaps import edges_of, heat_pictures
from spinelab.report.measured_files import agreement_csv, comparison_csv, evaluation_csv, landmarks_csv
from spinelab.report.measured_page import comparison_rows, landmark_rows, measured_context
from spinelab.report.pages import render
from spinelab.report.pictures import SIDE_PX, film, overlay, size
from spinelab.report.tables import predictions_csv


def write_comparison(comparison: Comparison, folder: Path) -> Path:
    """Write ``comparison.json``, ``predictions.csv`` and ``report.html``; return the path of the page.

    Raises
    ------
    InputError
        When the disk is full or the folder cannot be written; the files that were finished are kept.
    """
    write_json(folder / "comparison.json", comparison_document(comparison))
    known = comparison.data.patients is not None
    table = comparison_csv if any(v.measured is not None for v in comparison.variants) else predictions_csv
    write_text(folder / "predictions.csv", table(comparison.variants, patients_known=known))
    return write_text(folder / "report.html", comparison_page(comparison))


def write_evaluation(evaluation: Evaluation, folder: Path) -> Path:
    """Write ``evaluation.json``, ``predictions.csv`` and ``report.html``; return the path of the page.

    Of measurements ``agreement.csv`` is written as well, of landmarks ``landmarks.csv``.

    Raises
    ------
    InputError
        When the disk is full or the folder cannot be written; the files that were finished are kept.
    """
    write_json(folder / "evaluation.json", evaluation_document(evaluation))
    variant, known = evaluation.variant, evaluation.data.patients is not None
    measured = variant.measured
    table = predictions_csv([variant], patients_known=known) if measured is None else evaluation_csv(variant, patients_known=known)
    write_text(folder / "predictions.csv", table)
    if measured is not None:
        write_text(folder / "agreement.csv", agreement_csv(measured))
    if measured is not None and measured.landmarks is not None:
        write_text(folder / "landmarks.csv", landmarks_csv(measured))
    return write_text(folder / "report.html", evaluation_page(evaluation))


def comparison_page(comparison: Comparison) -> str:
    """Return ``report.html`` of a comparison."""
    variants = comparison.variants
    baseline = layout.baseline_metrics(comparison.baseline)
    floor = baseline[comparison.rank_by].value if comparison.rank_by in baseline else None
    first_pairs, other_pairs = layout.split_pairs(comparison)
    shared = _shared(variants, comparison.data, comparison.design)
    learning = graphs.learning(comparison.learning_curve, baseline)
    analysis = [_analysis(n, part) for n, part in enumerate(comparison.analysis, 1)]
    worst = next((v for v in shared["order"] if v.measured is not None and v.measured.shown), None)
    present = {
        "flags": any(v.flags for v in variants) or bool(comparison.data.flags),
        "heads": bool(comparison.heads),
        "pairs": bool(comparison.pairs),
        "learning": learning is not None,
        "gallery": bool(comparison.gallery),
        "measured": any(v.measured is not None for v in variants),
        "disputed": worst is not None and bool(worst.measured and worst.measured.disputed),
        "worst": worst is not None,
    }
    return render(
        "comparison.html",
        c=comparison,
        **shared,
        baseline=baseline,
        constants=layout.other_constants(comparison.baseline),
        floor=floor,
        columns=layout.columns(variants, comparison.rank_by),
        metrics=layout.every_metric(variants),
        heads=[(head, layout.columns(list(head.models.values()), comparison.rank_by)) for head in comparison.heads],
        beside=HEADS_BESIDE,
        measured=comparison_rows(shared["order"]),
        measured_landmarks=landmark_rows(shared["order"]),
        worst=None if worst is None else measured_context(worst.measured),
        worst_of="" if worst is None else worst.name,
        routes=comparison.routes,
        scale=layout.scale([v.figures.get(comparison.rank_by) for v in variants], floor),
        flagged=[v for v in shared["order"] if v.flags],
        first_pairs=first_pairs,
        other_pairs=other_pairs,
        pair_scale=layout.scale([pair.difference for pair in comparison.pairs], 0.0),
        tests=_tests(comparison),
        learning=learning,
        analysis=analysis,
        gallery=[_gallery_row(row, [v.name for v in shared["order"]]) for row in comparison.gallery],
        sections=_sections(_COMPARISON_SECTIONS, shared, present, [part["title"] for part in analysis]),
    )


def evaluation_page(evaluation: Evaluation) -> str:
    """Return ``report.html`` of an evaluation."""
    variants = (evaluation.variant,)
    shared = _shared(variants, evaluation.data, evaluation.design)
    in_groups = {name for group in evaluation.subgroups for name in (group.get("metrics") or {})}
    columns = layout.columns(variants, next(iter(evaluation.variant.metrics), "balanced_accuracy"))
    measured = measured_context(evaluation.variant.measured)
    analysis = [_analysis(n, part) for n, part in enumerate(evaluation.analysis, 1)]
    present = {
        "flags": bool(evaluation.variant.flags or evaluation.data.flags),
        "subgroups": bool(evaluation.subgroups),
        "learning": False,
        "metrics": bool(evaluation.variant.metrics),
        "measured": measured is not None,
        "agreement": bool(measured and measured["grids"]),
        "landmarks": bool(measured and measured["landmarks"]),
        "levels": bool(measured and measured["levels"]),
        "disputed": bool(measured and measured["disputed"]),
        "worst": bool(measured and measured["films"]),
    }
    return render(
        "evaluation.html",
        c=evaluation,
        **shared,
        baseline=layout.baseline_metrics(evaluation.baseline),
        constants=layout.other_constants(evaluation.baseline),
        columns=columns,
        group_columns=_group_columns(evaluation, columns, in_groups),
        metrics=layout.every_metric(variants),
        measured=measured,
        learning=None,
        gallery=[],
        analysis=analysis,
        origin=_origin(evaluation.trained_on),
        sections=_sections(_EVALUATION_SECTIONS, shared, present, [part["title"] for part in analysis]),
    )


def _origin(trained_on: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the page says of the training data: facts, and the sentences of flags and notes. What constants are stands beside each quantity."""
    sentences = [str(flag["text"]) if isinstance(flag, Mapping) else str(flag) for flag in trained_on.get("flags", ())]
    facts = {key: value for key, value in trained_on.items() if key not in {"flags", "notes", "constants"}}
    if facts.pop("questions", None) is not None:
        facts["classes"] = {name: {"questions" if key == "images" else key: n for key, n in counts.items()} for name, counts in facts["classes"].items()}
    return {"facts": facts, "sentences": [*sentences, *map(str, trained_on.get("notes", ()))]}


def _group_columns(evaluation: Evaluation, columns: Sequence[str], found: set[str]) -> list[str]:
    """Return the metrics of the table of subgroups: the first errors and coverages, then those of the classes."""
    measured = evaluation.variant.measured
    errors = [name for name in (measured.metrics if measured is not None else ()) if name in found and ("_mae" in name or name.endswith("_coverage"))]
    return [*errors[:4], *[name for name in columns if name in found][: 3 if errors else None]] or sorted(found)[:5]


HEADS_BESIDE: Final = ("accuracy", "balanced_accuracy", "f1_macro")
"""Metrics of all heads of a model side by side."""

_COMPARISON_SECTIONS = (
    ("summary", "Summary"),
    ("models", "Models, ranked"),
    ("heads", "Each head"),
    ("measured", "Measured"),
    ("disputed", "Films that the truth may have wrong"),
    ("worst", "The worst films"),
    ("flags", "Flags"),
    ("pairs", "Pairwise tests"),
    ("curves", "Discrimination and calibration"),
    ("confusion", "Confusion matrices"),
    ("training", "Training"),
    ("learning", "Learning curve"),
    ("gallery", "The same film, model by model"),
    ("cases", "Cases"),
    ("analysis", ""),
    ("data", "Data"),
    ("settings", "Settings and design"),
    ("cost", "Time, memory and versions"),
    ("glossary", "Flags and metrics in plain words"),
)
_EVALUATION_SECTIONS = (
    ("summary", "Summary"),
    ("measured", "Measurements"),
    ("agreement", "Agreement"),
    ("metrics", "Metrics"),
    ("landmarks", "Landmarks"),
    ("levels", "Naming of the levels"),
    ("disputed", "Films that the truth may have wrong"),
    ("worst", "The worst films"),
    ("flags", "Flags"),
    ("subgroups", "Subgroups"),
    ("curves", "Discrimination and calibration"),
    ("confusion", "Confusion matrices"),
    ("training", "Training"),
    ("cases", "Cases"),
    ("analysis", ""),
    ("data", "Data"),
    ("origin", "The model and its training"),
    ("settings", "Settings, design and versions"),
    ("glossary", "Flags and metrics in plain words"),
)


def _shared(variants: Sequence[Variant], data: DataSummary, design: Mapping[str, Any]) -> dict[str, Any]:
    """Return what both pages show: curves, confusion, training, cases, settings, words."""
    order = layout.ranked(variants)
    varied, all_settings = layout.settings_tables(order)
    flags = [*data.flags, *(flag for variant in variants for flag in variant.flags)]
    return {
        "order": order,
        "best": layout.best(variants),
        "rarest": layout.rarest(data.classes, data.counted),
        "level": f"{100 * float(design.get('level', 0.95)):.3g} %",
        "grids": graphs.discrimination(order, design),
        "matrices": graphs.confusions(order),
        "repeats": max((v.predictions.probabilities.shape[0] for v in variants if v.predictions is not None), default=1),
        "training": graphs.training(order),
        "case_groups": [group for group in map(_cases, order) if group["cases"]],
        "varied": varied,
        "all_settings": all_settings,
        "codes": _codes(flags),
    }


def _sections(known: Sequence[tuple[str, str]], shared: Mapping[str, Any], present: Mapping[str, bool], analysis: Sequence[str]) -> list[tuple[str, str]]:
    """Return the table of contents: the sections that this page has."""
    has = {
        "curves": bool(shared["grids"]),
        "confusion": bool(shared["matrices"]),
        "training": shared["training"] is not None,
        "cases": bool(shared["case_groups"]),
    }
    has |= present
    sections: list[tuple[str, str]] = []
    for identifier, title in known:
        if identifier == "analysis":
            sections += [(f"analysis-{n}", name) for n, name in enumerate(analysis, 1)]
        elif has.get(identifier, True):
            sections.append((identifier, title))
    return sections


def _tests(comparison: Comparison) -> list[tuple[str, str, str]]:
    """Return title, field and corrected field of the tests that were made for at least one pair."""
    tests = (("Bootstrap", "p_bootstrap"), ("Corrected\u00a0t", "p_resampled_t"), ("McNemar", "p_mcnemar"), ("DeLong", "p_delong"))
    return [(title, name, f"{name}_holm") for title, name in tests if any(getattr(pair, name) is not None for pair in comparison.pairs)]


def _analysis(n: int, part: Mapping[str, Any]) -> dict[str, Any]:
    """Return a task's own section; its SVG is trusted by contract."""
    drawn = part.get("svg")
    title = str(part.get("title", "Analysis"))
    return {
        "title": title,
        "text": part.get("text", ""),
        "svg": inline(str(drawn), f"analysis-{n}", title) if drawn else None,
        "table": layout.table(part.get("table")),
    }


def _cases(variant: Variant) -> dict[str, Any]:
    """Return a model's cases with their pictures, best first and worst last."""
    kinds = ("best", "typical", "worst")
    ordered = sorted(variant.cases, key=lambda case: kinds.index(case.kind) if case.kind in kinds else len(kinds))
    return {
        "name": variant.name,
        "cases": [
            {
                "kind": case.kind,
                "image": case.image,
                "truth": case.truth,
                "answer": case.answer,
                "probability": case.probability_of_truth,
                "views": [
                    {"name": e.view, "method": e.method, "label": e.label, "film": film(e.picture), "overlay": overlay(e), "edges": edges_of(e)}
                    | size(e.picture)
                    for e in case.explanations
                ],
            }
            for case in ordered
        ],
    }


def _gallery_row(row: GalleryRow, names: Sequence[str]) -> dict[str, Any]:
    """Return one examination with its pictures, models in the order of the page."""
    cells = {cell.model: cell for cell in row.cells}
    ordered = [cells[name] for name in names if name in cells]
    seen = next((cell.explanations for cell in ordered if cell.explanations), ())
    return {
        "image": row.image,
        "truth": row.truth,
        "films": heat_pictures(seen, side=SIDE_PX),
        "cells": [
            {
                "model": c.model,
                "answer": c.answer,
                "probability": c.probability,
                "of_truth": c.probability_of_truth,
                "maps": heat_pictures(c.explanations, side=SIDE_PX),
            }
            for c in ordered
        ],
    }


def _codes(flags: Iterable[Flag]) -> list[str]:
    """Return the codes that were raised, in the order of the vocabulary."""
    raised = {flag.code for flag in flags}
    return [code for code in FLAGS if code in raised] + sorted(raised - set(FLAGS))
