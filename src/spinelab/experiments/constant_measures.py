"""What measuring without looking reaches: one number for everyone, and one mean shape laid over every film."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spinelab.core import Examples, Quantity, Settings, Task
from spinelab.evaluation.cluster import Resamples, estimate_of
from spinelab.evaluation.types import Estimate
from spinelab.experiments.pairing import kinds, landmark_tables, measured_quantity
from spinelab.experiments.splits import banded_splits
from spinelab.report.measured import MeasuredQuantity

Sizes = Sequence[tuple[int, int]]
_PARTS: Final = 5


def learnt_constants(quantities: Sequence[Quantity], examples: Examples, sizes: Sizes) -> dict[str, Any]:
    """Return the median of each quantity, and each landmark's mean position as a share of the film's width and height (JSON-able).

    ``sizes`` are rows and columns of each film; without them there is no mean shape.
    """
    truths = [e.truth for e in examples]
    medians = {}
    for kind in kinds(quantities, truths):
        quantity = measured_quantity(kind, truths, truths)
        known = quantity.truth[np.isfinite(quantity.truth)]
        if known.size:
            medians[quantity.column] = {"median": float(np.median(known)), "films": int(known.size)}
    shape = _mean_shape(examples, sizes) if len(sizes) == len(examples) else {}
    return {"medians": medians, "mean_shape": shape}


def _mean_shape(examples: Examples, sizes: Sizes) -> dict[str, list[float]]:
    truths = [e.truth for e in examples]
    tables = landmark_tables(truths, truths, [None] * len(truths))
    if tables is None:
        return {}
    shares = (tables.truth + 0.5) / _extents(sizes)
    counts = np.isfinite(shares[..., 0]).sum(axis=0)
    mean = np.nansum(shares, axis=0) / np.maximum(counts, 1)[:, None]
    return {name: [float(x), float(y)] for name, (x, y), n in zip(tables.names, mean, counts, strict=True) if n}


def _extents(sizes: Sizes) -> NDArray[np.float64]:
    """Return (n, 1, 2) width and height in pixels."""
    return np.array([[columns, rows] for rows, columns in sizes], dtype=np.float64).reshape(-1, 1, 2)


def laid_out(shape: Mapping[str, Sequence[float]], names: Sequence[str], sizes: Sizes) -> NDArray[np.float64]:
    """Return (n, L, 2) positions of the mean shape in pixels of films of these sizes; nan for a landmark that it lacks."""
    shares = np.array([shape.get(name, (np.nan, np.nan)) for name in names], dtype=np.float64).reshape(1, -1, 2)
    return np.asarray(shares * _extents(sizes) - 0.5)


def measured_baselines(task: Task, settings: Settings, examples: Examples, *, bootstraps: int = 1000) -> dict[str, Any]:
    """Return the error of each quantity's median and of the mean shape, both taken from four fifths of the patients and tried on the rest."""
    truths, groups, quantities = [e.truth for e in examples], examples.groups(), task.quantities(settings)
    sizes = _sizes(examples) if any(t.landmarks for t in truths) else []
    measured = [measured_quantity(kind, truths, truths) for kind in kinds(quantities, truths)]
    tables = landmark_tables(truths, truths, [None] * len(truths))
    answers = {q.column: np.full(len(truths), np.nan) for q in measured}
    laid = None if tables is None or not sizes else np.full(tables.truth.shape, np.nan)
    values = measured[0].truth.tolist() if measured else [np.nan] * len(truths)
    for split in banded_splits(values, groups, folds=max(2, min(_PARTS, len(set(groups)))), holdout=None, repeats=1, seed=0):
        learnt = learnt_constants(quantities, examples.subset(split.train), [sizes[int(i)] for i in split.train] if sizes else ())
        for column, median in learnt["medians"].items():
            answers[column][split.test] = median["median"]
        if laid is not None and tables is not None:
            laid[split.test] = laid_out(learnt["mean_shape"], tables.names, [sizes[int(i)] for i in split.test])
    rows = {q.column: _constant_row(q, answers[q.column], groups, bootstraps) for q in measured}
    shape = {} if laid is None or tables is None else {"px": _median_error(laid - tables.truth, groups, bootstraps)}
    return {"quantities": rows, "mean_shape": shape}


def _constant_row(q: MeasuredQuantity, answer: NDArray[np.float64], groups: Sequence[str], bootstraps: int) -> dict[str, Any]:
    error = np.abs(answer - q.truth)
    known = q.truth[np.isfinite(q.truth)]
    mae = _over_patients(error, groups, bootstraps, None)
    return {"title": q.title, "unit": q.unit, "answer": float(np.median(known)) if known.size else None, "films": int(known.size), "mae": mae}


def _median_error(offset: NDArray[np.float64], groups: Sequence[str], bootstraps: int) -> dict[str, Any]:
    errors = np.hypot(offset[..., 0], offset[..., 1])
    return _over_patients(errors.ravel(), np.repeat(np.asarray(groups), errors.shape[1]).tolist(), bootstraps, 0.5)


def _over_patients(column: NDArray[np.float64], groups: Sequence[str], bootstraps: int, quantile: float | None) -> dict[str, Any]:
    known = np.isfinite(column)
    if not known.any():
        return Estimate(None).to_dict()
    draws = Resamples.of([g for g, k in zip(groups, known, strict=True) if k], bootstraps=bootstraps)
    return estimate_of(draws.mean(column[known]) if quantile is None else draws.quantile(column[known], quantile)).to_dict()


def _sizes(examples: Examples) -> list[tuple[int, int]]:
    """Return rows and columns of each example's first film; nothing where one has none."""
    images = [example.open().images for example in examples]
    return [found[0].shape_yx for found in images] if all(images) else []
