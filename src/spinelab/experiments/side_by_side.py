"""The same held-out examinations seen by every model: chosen before anything is trained, so that no model picks those that flatter it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from spinelab.core import Example, InputError, Task
from spinelab.experiments.bench import Bench, CaseFile, FoldResult, Trained
from spinelab.report.content import GalleryCell, GalleryRow

SHARED: Final = "shared"
"""Kind of a case that every model explains."""
LEAST: Final = 4
MOST: Final = 6
"""Examinations shown; as many as there are classes, within these limits."""


def chosen(bench: Bench) -> tuple[int, ...]:
    """Return the examinations that all models explain: drawn by the design's seed from those held out in the first repeat, class by class in turn."""
    held_out = {int(i) for split in bench.splits if split.repeat == 0 for i in split.test}
    order = np.random.default_rng(bench.design.seed).permutation(sorted(held_out)).tolist()
    waiting = [[i for i in order if bench.labels[i] == name] for name in bench.classes]
    wanted = max(LEAST, min(MOST, len(bench.classes)))
    picked: list[tuple[int, int]] = []
    for turn in range(wanted):
        picked += [(position, queue[turn]) for position, queue in enumerate(waiting) if turn < len(queue)]
    return tuple(i for _, i in sorted(picked[:wanted]))


def anatomy_of(task: Task, example: Example) -> Mapping[str, NDArray[np.bool_]]:
    """Return where a model should look, as the truth tells: by the task, else what the landmarks of a single picture enclose."""
    import cv2

    told = task.anatomy(example)
    points = [(point.x, point.y) for point in example.truth.landmarks]
    if told or len(points) < 3:
        return told
    try:
        images = example.open().images
    except InputError:
        return {}
    if len(images) != 1:
        return {}
    mask = np.zeros(images[0].shape_yx, np.uint8)
    cv2.fillConvexPoly(mask, cv2.convexHull(np.round(points).astype(np.int32)), 1)
    return {"": mask.astype(bool)} if mask.any() else {}


def opened_once(example: Example) -> Example:
    """Return an example whose study is kept from the first opening on, so that anatomy and maps share it; for as long as the example itself is kept."""
    return replace(example, open=cache(example.open))


def gallery(bench: Bench, trained: Sequence[Trained]) -> tuple[GalleryRow, ...]:
    """Return an examination a row and a model a cell; nothing where no model shows where it looked."""
    rows = []
    for index in chosen(bench) if bench.target else ():
        cells = tuple(_cell(bench, one, index) for one in trained if one.failure is None)
        if any(cell.explanations for cell in cells):
            rows.append(GalleryRow(bench.examples[index].id, bench.labels[index], cells))
    return tuple(rows)


def _cell(bench: Bench, trained: Trained, index: int) -> GalleryCell:
    for fold in trained.folds:
        at = np.flatnonzero(fold.split.test == index)
        if fold.split.repeat == 0 and at.size:
            return _answered(bench, trained.plan.name, fold, int(at[0]), index)
    return GalleryCell(trained.plan.name, None, None, None)


def _answered(bench: Bench, name: str, fold: FoldResult, position: int, index: int) -> GalleryCell:
    shares = fold.probabilities[position]
    case: CaseFile | None = next((c for c in fold.cases if c.kind == SHARED and c.position == position), None)
    maps = () if case is None else case.explanations
    if not np.isfinite(shares).all():
        return GalleryCell(name, None, None, None, maps)
    best = int(np.argmax(shares))
    return GalleryCell(name, bench.classes[best], float(shares[best]), float(shares[bench.classes.index(bench.labels[index])]), maps)
