"""Vertebrae with their surroundings, one crop each, and what the third network of the column says about their names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from spinelab.nn.level_net import CROP, PITCH_PX, LevelLoss, LevelNet
from spinelab.train.batches import Batch, TrainingFilms
from spinelab.train.canvas import Changes, finer, grey_table
from spinelab.train.namer import Naming
from spinelab.train.vertebra_crops import Frames

AN_EPOCH: Final = 10
"""Vertebrae of each film that are shown in one pass."""
LEAST: Final = 3
"""Vertebrae without which a column has no pitch and no direction."""
SMOOTH: Final = 7
"""Neighbours over which the pitch is averaged."""
OFF_CENTRE, OFF_TURN_DEG, OFF_SIZE, OFF_PITCH = 0.12, 4.0, 0.03, 0.10
"""Standard deviations of where a column may be wrong: share of the pitch, degrees, share of the size of each, and of all vertebrae together."""

Floats = NDArray[np.float64]


def frames_of(centre: Floats, levels: Floats, rng: np.random.Generator | None = None) -> Frames:
    """Return upright frames at the column's own scale for vertebrae at ``centre`` ``(n, 2)``; a level that was skipped counts as a step.

    With ``rng`` each lies as far off as a column may that was found.
    """
    along = np.gradient(centre, levels, axis=0)
    angle = np.convolve(np.pad(np.arctan2(along[:, 1], along[:, 0]) - np.pi / 2, 1, mode="edge"), np.ones(3) / 3, mode="valid")
    pitch = np.convolve(np.pad(np.linalg.norm(along, axis=1), SMOOTH // 2, mode="edge"), np.ones(SMOOTH) / SMOOTH, mode="valid")
    pitch = np.maximum(pitch, 1.0)
    if rng is not None:
        centre = centre + rng.normal(0, OFF_CENTRE, centre.shape) * pitch[:, None]
        angle = angle + np.deg2rad(rng.normal(0, OFF_TURN_DEG, angle.shape))
        pitch = pitch * np.exp(rng.normal(0, OFF_PITCH) + rng.normal(0, OFF_SIZE, pitch.shape))
    scale = pitch / PITCH_PX
    turn = np.stack([np.stack([np.cos(angle), -np.sin(angle)], -1), np.stack([np.sin(angle), np.cos(angle)], -1)], -2)
    return Frames(centre, turn * scale[:, None, None], CROP)


def continued(centre: Floats, levels: NDArray[np.intp]) -> tuple[Floats, NDArray[np.intp]]:
    """Return a column with the places above its first and below its last vertebra: what lies there is no vertebra of these levels, and is learnt as such."""
    ends = 2 * centre[[0, -1]] - centre[[1, -2]]
    return np.concatenate([ends[:1], centre, ends[1:]]), np.concatenate([levels[:1] - 1, levels, levels[-1:] + 1])


@dataclass(frozen=True, eq=False)
class LevelFilms:
    """Crops for training, from films ``(N, 1, H, W)`` and corners ``(N, L, 4, 3)`` in their pixels."""

    pixels: Any
    corners: Floats
    limits: Changes
    mirrored: bool

    def batch(self, positions: NDArray[np.int64]) -> Batch:
        return self.changed_batch(positions, np.random.default_rng(0))

    def changed_batch(self, positions: NDArray[np.int64], rng: np.random.Generator) -> Batch:
        """Return some vertebrae of each film with their levels, 0 for above the first."""
        crops, levels = (np.concatenate(part) for part in zip(*(self._film(int(p), rng) for p in positions), strict=True))
        return torch.from_numpy(crops[:, None]), torch.ones(len(crops), 1, dtype=torch.bool), torch.from_numpy(levels)

    def _film(self, position: int, rng: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        corners, there = self.corners[position, ..., :2], self.corners[position, ..., 2].min(axis=1) > 0
        rows = np.flatnonzero(there)
        if len(rows) < LEAST:
            return np.zeros((0, *CROP), np.uint8), np.zeros(0, np.int64)
        centre, levels = continued(corners[rows].mean(axis=1), rows)
        frames = frames_of(centre, levels.astype(np.float64), rng)
        chosen = rng.choice(len(levels), min(AN_EPOCH, len(levels)), replace=False)
        crops = Frames(frames.centre[chosen], frames.turn[chosen], CROP).cut(self.pixels[position][0])
        crops = np.asarray(cv2.LUT(crops, grey_table(rng, self.limits)), np.uint8)
        if self.mirrored and rng.random() < 0.5:
            crops = np.ascontiguousarray(crops[:, :, ::-1])
        return crops, levels[chosen].astype(np.int64) + 1


class LevelNamer:
    """The third network of a column: the level of each vertebra, from its surroundings."""

    def __init__(self, levels: int, detail: int) -> None:
        self.levels, self.detail = levels, detail

    def network(self) -> nn.Module:
        return LevelNet(self.levels)

    def criterion(self) -> nn.Module:
        return LevelLoss()

    def films(self, pixels: Any, truth: NDArray[np.float32], limits: Changes, *, mirrored: bool) -> TrainingFilms:
        corners = truth.reshape(len(truth), self.levels, 4, 3).astype(np.float64)
        corners[..., :2] = finer(corners[..., :2], self.detail)
        return LevelFilms(pixels, corners, limits, mirrored)

    def naming(self, net: nn.Module, pixels: NDArray[np.uint8]) -> Naming:
        """Return the mean logarithm of the probability of the names, times the number of levels, so that columns of different length compare."""
        known: dict[tuple[int, bytes, bytes], Floats] = {}

        def likely(film: int, corners: Floats, levels: NDArray[np.intp]) -> float:
            if len(levels) < LEAST:
                return 0.0
            steps = levels - levels[0]
            key = (film, corners.tobytes(), steps.tobytes())
            if key not in known:
                known[key] = _log_shares(net, pixels[film][0], finer(corners.mean(axis=1), self.detail), steps)
            return self.levels * float(known[key][np.arange(len(levels)), levels + 1].mean())

        return likely


def _log_shares(net: nn.Module, film: NDArray[np.uint8], centre: Floats, steps: Sequence[int] | NDArray[np.intp]) -> Floats:
    """Return the logarithm of the probability of every level ``(n, levels + 2)``, of the crops and of their mirror images on average."""
    crops = torch.from_numpy(frames_of(centre, np.asarray(steps, np.float64)).cut(film)[:, None]).to(next(net.parameters()).device)
    with torch.inference_mode():
        shares = (net(crops).log_softmax(dim=1) + net(crops.flip(3)).log_softmax(dim=1)) / 2
    return np.asarray(shares.double().cpu().numpy(), np.float64)
