"""Vertebrae cut out upright, one crop each, and what the second network of the column sees in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from spinelab.nn.vertebra_net import CROP, WIDTH_PX, VertebraLoss, VertebraNet
from spinelab.train.batches import Batch, TrainingFilms
from spinelab.train.canvas import Changes, finer, grey_table
from spinelab.train.landmark_head import SAMPLES, Sighting

FLIPPED: Final = [1, 0, 3, 2]
"""Corners of a mirrored crop."""
AN_EPOCH: Final = 9
"""Vertebrae of each film that are shown in one pass."""
SMOOTH: Final = 5
"""Neighbours over which the width of the column is averaged."""
OFF_CENTRE, OFF_TURN_DEG, OFF_SIZE = 0.06, 4.0, 0.08
"""Standard deviations of where the first network may be wrong: share of the width, degrees, share of the size."""
LOOKS: Final = 3
"""How often the second network looks: first from where the first network saw the vertebra, then from where it saw it itself."""
VOTES: Final = 4
"""Crops of each vertebra at the last look, a little apart; what they disagree about becomes spread."""
VOTE_SHARE: Final = 0.6
"""How far these are apart, as a share of the above."""
FIRST_SHARE: Final = 0.15
"""Weight of the first network's corners in the mean with those seen from near: it errs otherwise, for it sees the whole column."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Frames:
    """How crops lie on the film: ``film = centre + turn @ (crop - middle)``; ``centre`` ``(n, 2)``, ``turn`` ``(n, 2, 2)`` with the scale in it."""

    centre: Floats
    turn: Floats

    def to_film(self, points: Floats) -> Floats:
        """Return crop coordinates ``(n, k, 2)`` on the film."""
        return np.asarray(np.einsum("nij,nkj->nki", self.turn, points - _MIDDLE) + self.centre[:, None], np.float64)

    def to_crop(self, points: Floats) -> Floats:
        """Return film coordinates ``(n, k, 2)`` in the crops."""
        return np.asarray(np.einsum("nij,nkj->nki", np.linalg.inv(self.turn), points - self.centre[:, None]) + _MIDDLE, np.float64)

    def cut(self, film: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the crops ``(n, 80, 112)`` of a film ``(H, W)``."""
        matrices = np.concatenate([self.turn, (self.centre - self.turn @ _MIDDLE)[:, :, None]], axis=2)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        return np.stack([np.asarray(cv2.warpAffine(film, matrix, CROP[::-1], flags=flags), np.uint8) for matrix in matrices])


_MIDDLE: Final = np.array([(CROP[1] - 1) / 2, (CROP[0] - 1) / 2])


def frames_of(corners: Floats, rng: np.random.Generator | None = None, apart: float = 1.0) -> Frames:
    """Return the upright frame of every vertebra ``(n, 4, 2)`` of a column; with ``rng`` each as far off as the first network may be."""
    centre = corners.mean(axis=1)
    along = np.gradient(centre, axis=0)
    angle = np.arctan2(along[:, 1], along[:, 0]) - np.pi / 2
    width = np.linalg.norm(corners[:, 1] + corners[:, 3] - corners[:, 0] - corners[:, 2], axis=1) / 2
    width = np.convolve(np.pad(width, SMOOTH // 2, mode="edge"), np.ones(SMOOTH) / SMOOTH, mode="valid")
    width = np.maximum(width, 1.0)
    if rng is not None:
        centre = centre + rng.normal(0, apart * OFF_CENTRE, centre.shape) * width[:, None]
        angle = angle + np.deg2rad(rng.normal(0, apart * OFF_TURN_DEG, angle.shape))
        width = width * np.exp(rng.normal(0, apart * OFF_SIZE, width.shape))
    scale = width / WIDTH_PX
    turn = np.stack([np.stack([np.cos(angle), -np.sin(angle)], -1), np.stack([np.sin(angle), np.cos(angle)], -1)], -2)
    return Frames(centre, turn * scale[:, None, None])


@dataclass(frozen=True, eq=False)
class VertebraFilms:
    """Crops of vertebrae for training, from films ``(N, 1, H, W)`` and corners ``(N, L, 4, 3)`` in their pixels."""

    pixels: Any
    corners: Floats
    limits: Changes

    def batch(self, positions: NDArray[np.int64]) -> Batch:
        return self.changed_batch(positions, np.random.default_rng(0))

    def changed_batch(self, positions: NDArray[np.int64], rng: np.random.Generator) -> Batch:
        """Return some vertebrae of each film, as the first network could have seen them."""
        parts = [self._film(int(position), rng) for position in positions]
        crops, corners = (np.concatenate(part) for part in zip(*parts, strict=True))
        return torch.from_numpy(crops[:, None]), torch.ones(len(crops), 1, dtype=torch.bool), torch.from_numpy(corners)

    def _film(self, position: int, rng: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        corners, there = self.corners[position, ..., :2], self.corners[position, ..., 2].min(axis=1) > 0
        rows = np.flatnonzero(there)
        if len(rows) < 2:
            return np.zeros((0, *CROP), np.uint8), np.zeros((0, 4, 3), np.float32)
        frames = frames_of(corners[rows], rng)
        chosen = rng.choice(len(rows), min(AN_EPOCH, len(rows)), replace=False)
        frames = Frames(frames.centre[chosen], frames.turn[chosen])
        crops, points = frames.cut(self.pixels[position][0]), frames.to_crop(corners[rows][chosen])
        crops = np.stack([np.asarray(cv2.LUT(crop, grey_table(rng, self.limits)), np.uint8) for crop in crops])
        if self.limits.flip:
            turned = rng.random(len(crops)) < 0.5
            crops[turned] = crops[turned, :, ::-1]
            points[turned] = _turned(points[turned])
        return crops, np.concatenate([points, np.ones((len(points), 4, 1))], axis=2).astype(np.float32)


def _turned(points: Floats) -> Floats:
    """Return corners ``(n, 4, 2)`` of crops as those of the mirrored crops."""
    return np.asarray((points * [-1.0, 1.0] + [CROP[1] - 1.0, 0.0])[:, FLIPPED], np.float64)


class VertebraRefiner:
    """The second network of a column: corners of single vertebrae."""

    def __init__(self, levels: int, detail: int) -> None:
        self.levels, self.detail = levels, detail

    def network(self) -> nn.Module:
        return VertebraNet()

    def criterion(self) -> nn.Module:
        return VertebraLoss()

    def films(self, pixels: Any, truth: NDArray[np.float32], limits: Changes, mirror: Sequence[int] | None) -> TrainingFilms:
        corners = truth.reshape(len(truth), self.levels, 4, 3).astype(np.float64)
        corners[..., :2] = finer(corners[..., :2], self.detail)
        return VertebraFilms(pixels, corners, replace(limits, flip=limits.flip and mirror is not None))

    def refine(self, net: nn.Module, pixels: NDArray[np.uint8], seen: Sequence[Sighting]) -> list[Sighting]:
        """Look at every vertebra that was found, and draw samples from what several looks disagree about."""
        return [self._film(net, film[0], sighting) for film, sighting in zip(pixels, seen, strict=True)]

    def _film(self, net: nn.Module, film: NDArray[np.uint8], seen: Sighting) -> Sighting:
        points = seen.points.reshape(self.levels, 4, 2)
        rows = np.flatnonzero(seen.there.reshape(self.levels, 4).min(axis=1) >= 0.5)
        if len(rows) < 2:
            return seen
        corners = first = finer(points[rows], self.detail)
        for _ in range(LOOKS - 1):
            corners = _look(net, film, frames_of(corners))
        rng = np.random.default_rng(0xBEEF)
        votes = np.stack([_look(net, film, frames_of(corners, rng, VOTE_SHARE)) for _ in range(VOTES)])
        corners, spread = FIRST_SHARE * first + (1 - FIRST_SHARE) * votes.mean(axis=0), votes.std(axis=0, ddof=1)
        whole, samples = points.copy(), seen.samples.reshape(len(seen.samples), self.levels, 4, 2).copy()
        whole[rows] = finer(corners, 1 / self.detail)
        noise = np.random.default_rng(0x51AB).standard_normal((SAMPLES, *corners.shape))
        samples[:, rows] = finer(corners + noise * spread, 1 / self.detail)
        return replace(seen, points=whole.reshape(-1, 2), samples=samples.reshape(len(samples), -1, 2))


def _look(net: nn.Module, film: NDArray[np.uint8], frames: Frames) -> Floats:
    """Return the corners ``(n, 4, 2)`` on the film as the network sees them in the crops and in their mirror images."""
    crops = torch.from_numpy(frames.cut(film)[:, None]).to(next(net.parameters()).device)
    with torch.inference_mode():
        plain, turned = (part[0].double().cpu().numpy() for part in (net(crops), net(crops.flip(3))))
    return frames.to_film((plain + _turned(turned)) / 2)
