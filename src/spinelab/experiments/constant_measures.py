"""What measuring without looking reaches: one number for everyone, and one mean shape laid over every film."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinelab.core import Examples, Quantity
from spinelab.experiments.pairing import kinds, landmark_tables, measured_quantity

Sizes = Sequence[tuple[int, int]]


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
