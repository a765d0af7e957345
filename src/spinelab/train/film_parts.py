"""Held-out films of which a part is shown, so that a head learns how far its names can be trusted on such films."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from spinelab.core import Examples, Image, Model, Run
from spinelab.train.landmark_head import Sighting
from spinelab.train.landmark_truth import on_canvas, on_film

if TYPE_CHECKING:
    from spinelab.train.landmark_task import LandmarkTask


def seen_in_parts(task: LandmarkTask, model: Model, examples: Examples, run: Run) -> tuple[list[Sighting], NDArray[np.float32]]:
    """Cut films as the model's head says; return what its first network sees, and all landmarks ``(N, P, 3)``, those that were cut off as well."""
    settings, head, names = task.own(model.settings), task.head_of(model), task.names_of(model)
    canvases, truths = [], []
    for example in examples:
        points = on_film(example.truth.landmarks, names)
        cuts = head.cuts(points)
        if not cuts:
            continue
        study = example.open()
        film = task.film(study, settings)
        for first, last in cuts:
            canvas = task.prepare(replace(study, images=(rows_of(film, first, last),)), settings)
            canvases.append(canvas)
            truths.append(on_canvas(points - [0.0, first], canvas.facts["shape"], settings))
    if not canvases:
        return [], np.zeros((0, len(names), 3), np.float32)
    seen = task.sightings(model, np.stack([c.pixels for c in canvases]), [c.facts["shape"] for c in canvases], run, near=False)
    return seen, np.stack(truths)


def rows_of(film: Image, first: int, last: int | None) -> Image:
    """Return a film from its row ``first`` up to but not with ``last``, or to its end."""
    where = [slice(None)] * film.pixels.ndim
    where[film.axes.index("Y")] = slice(first, last)
    return replace(film, pixels=film.pixels[tuple(where)])
