"""Training films with their landmarks, changed anew every time they are shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from spinelab.train.batches import Batch
from spinelab.train.canvas import Changes, change, pooled


@dataclass(frozen=True, eq=False)
class LandmarkFilms:
    """Films ``(N, 1, H, W)`` and their landmarks ``(N, P, 3)``: x, y in canvas pixels and 1 where the landmark is on the film.

    ``mirror`` says which landmark each one becomes in a mirrored film; without it no film is mirrored. The films are ``detail`` times
    finer than the canvas, and shown as the canvas.
    """

    pixels: Any
    truth: NDArray[np.float32]
    limits: Changes
    mirror: Sequence[int] | None
    detail: int = 1

    def batch(self, positions: NDArray[np.int64]) -> Batch:
        return self._tensors(np.stack([pooled(self.pixels[int(i)][0], self.detail)[None] for i in positions]), self.truth[positions])

    def changed_batch(self, positions: NDArray[np.int64], rng: np.random.Generator) -> Batch:
        """Return a batch whose films were each changed; a mirrored film has the names of its sides swapped."""
        films, truths = zip(*(self._changed(int(position), rng) for position in positions), strict=True)
        return self._tensors(np.stack(films), np.stack(truths))

    def _changed(self, position: int, rng: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        changed = change(pooled(self.pixels[position][0], self.detail), rng, self.limits)
        truth = self.truth[position]
        points, on = changed.moved(truth[:, :2].astype(np.float64))
        moved = np.column_stack([points, on * truth[:, 2]]).astype(np.float32)
        if changed.mirrored and self.mirror is not None:
            moved = moved[list(self.mirror)]
        return changed.film[None], moved

    def _tensors(self, pixels: NDArray[np.uint8], truth: NDArray[np.float32]) -> Batch:
        return torch.from_numpy(pixels), torch.ones(len(pixels), 1, dtype=torch.bool), torch.from_numpy(truth)
