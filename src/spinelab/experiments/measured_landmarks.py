"""Errors of landmarks by landmark, level and region, and how often the levels carry their right names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spinelab.core import Result
from spinelab.evaluation.landmark_error import ALL, LandmarkErrors, landmark_errors
from spinelab.evaluation.level_naming import certainty_calibration, level_naming
from spinelab.experiments.constant_measures import Sizes, laid_out
from spinelab.experiments.disputed import disputed_names
from spinelab.report.measured import MeasuredLandmarks
from spinelab.report.reading import levels as stated_levels

LEAST_LEVELS: Final = 5
"""Named levels below which nothing is said of naming: with few, a wrong name is hardly possible."""

_LEVEL: Final = re.compile(r"([CTLS]\d{1,2})(?:_|$)")
_ORDER: Final = {"C": 0, "T": 100, "L": 200, "S": 300}
Floats = NDArray[np.float64]


def level_columns(names: Sequence[str]) -> dict[str, list[int]]:
    """Return the landmarks (as columns) of every vertebra, top to bottom, from names such as ``T1_superior_image_left``."""
    found: dict[str, list[int]] = {}
    for column, name in enumerate(names):
        level = _LEVEL.match(name)
        if level is not None:
            found.setdefault(level[1], []).append(column)
    return dict(sorted(found.items(), key=lambda item: _ORDER[item[0][0]] + int(item[0][1:])))


def with_figures(
    tables: MeasuredLandmarks,
    groups: Sequence[str],
    regions: Mapping[str, Sequence[str]],
    spacings: Sequence[Any],
    laid: Floats | None,
    bootstraps: int,
) -> MeasuredLandmarks:
    """Return the tables with the errors of each region, level and landmark, of all, and of the mean shape ``laid`` over the films.

    Errors in heights of a vertebra are left out where no vertebra has landmarks above and below.
    """
    spacing = np.array([(np.nan, np.nan) if s is None else s for s in spacings], dtype=np.float64).reshape(-1, 2)
    parts = _regions(tables.names, regions)
    heights = _heights(tables)
    shared: dict[str, Any] = {"patients": groups, "spacing_mm": spacing, "height_px": heights, "bootstraps": bootstraps}
    found = landmark_errors(tables.predicted, tables.truth, tables.names, regions=parts, **shared)
    rows = [_row("all", found[ALL])]
    if laid is not None and np.isfinite(laid).any():
        rows.append(_row("constant", landmark_errors(laid, tables.truth, tables.names, **shared)[ALL]) | {"name": "mean shape"})
    rows += [_row("level" if name in level_columns(tables.names) else "region", found[name]) for name in parts]
    rows += [_row("landmark", found[name]) for name in tables.names]
    unknown = set() if np.isfinite(heights).any() else {"heights"}
    return replace(tables, rows=tuple({key: value for key, value in row.items() if key not in unknown} for row in rows))


def mean_shapes(names: Sequence[str], constants: Sequence[Mapping[str, Any]], sizes: Sizes) -> Floats | None:
    """Return (n, L, 2) the mean shape that each row's training part gives, in pixels; ``None`` where there is none."""
    if len(sizes) != len(constants) or not any(c.get("mean_shape") for c in constants):
        return None
    return np.concatenate([laid_out(c.get("mean_shape", {}), names, [size]) for c, size in zip(constants, sizes, strict=True)])


def _row(kind: str, errors: LandmarkErrors) -> dict[str, Any]:
    return {"kind": kind} | errors.to_dict()


def _regions(names: Sequence[str], regions: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Return the task's regions and every level of more than one landmark, as far as they have landmarks here."""
    levels = {level: [names[c] for c in columns] for level, columns in level_columns(names).items() if len(columns) > 1}
    known = {name: [m for m in members if m in names] for name, members in regions.items()} | levels
    return {name: members for name, members in known.items() if members and name not in {*names, ALL}}


def _heights(tables: MeasuredLandmarks) -> Floats:
    """Return (n, L) true height of each landmark's vertebra in pixels, where names tell superior from inferior corners; else nan."""
    heights = np.full(tables.truth.shape[:2], np.nan)
    for columns in level_columns(tables.names).values():
        upper, lower = ([c for c in columns if word in tables.names[c]] for word in ("superior", "inferior"))
        if upper and lower:
            apart = tables.truth[:, upper].mean(axis=1) - tables.truth[:, lower].mean(axis=1)
            heights[:, columns] = np.hypot(apart[:, 0], apart[:, 1])[:, None]
    heights[heights <= 0] = np.nan
    return heights


def level_figures(
    tables: MeasuredLandmarks, answers: Sequence[Result], images: Sequence[str], groups: Sequence[str], bootstraps: int, seed: int
) -> dict[str, Any] | None:
    """Return how often the levels are named right, whether the stated certainty of that comes true, and where the truth itself is in doubt.

    ``None`` where too few levels are named. Films on which no vertebra was found are counted as ``unanswered`` and not judged.
    """
    columns = level_columns(tables.names)
    if len(columns) < LEAST_LEVELS:
        return None
    found, true = (np.stack([points[:, c].mean(axis=1) for c in columns.values()], axis=1) for points in (tables.predicted, tables.truth))
    with_truth = np.isfinite(true).all(axis=2).any(axis=1)
    known = with_truth & np.isfinite(found).all(axis=2).any(axis=1)
    if not known.any():
        return None
    naming = level_naming(found[known], true[known], [g for g, k in zip(groups, known, strict=True) if k])
    figures = naming.to_dict() | {"unanswered": int((with_truth & ~known).sum())}
    stated = _certainties([a for a, k in zip(answers, known, strict=True) if k])
    told = np.isfinite(stated)
    if told.any():
        owners = np.asarray([g for g, k in zip(groups, known, strict=True) if k])[told]
        figures["certainty"] = certainty_calibration(naming.unmistaken[told], stated[told], owners, bootstraps=bootstraps, seed=seed).to_dict()
        figures["disputed"] = disputed_names([image for image, k in zip(images, known, strict=True) if k], naming.shift, stated, list(columns))
    return figures


def _certainties(answers: Sequence[Result]) -> Floats:
    """Return the stated probability that the levels are named right; nan where none is stated."""
    stated = [stated_levels(answer) for answer in answers]
    return np.array([np.nan if s is None or s.probability is None else s.probability for s in stated], dtype=np.float64)
