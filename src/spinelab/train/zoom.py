"""Parts of the film at higher resolution: a second network sees each group of landmarks from near, and finds them again.

The source of the whole-spine task does so for the neck: the tight box of its landmarks, as the first network found them, with a margin.
Here every group has its box, and one network serves them all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from spinelab.nn.heatmaps import HeatmapLoss, locate, probabilities
from spinelab.nn.landmark_net import STRIDES, landmark_net
from spinelab.train.batches import Batch, TrainingFilms
from spinelab.train.canvas import Changes, change, finer
from spinelab.train.landmark_head import Sighting, drawn
from spinelab.train.landmark_settings import LandmarkSettings

MARGIN: Final = 0.3
"""Of the box's larger side, added on each side of it: the source's horizontal margin."""
LEAST_SIDE: Final = 0.045
"""Smallest side of a box before the margin, as a share of the film's height: two points need some surroundings."""
OFF_PLACE, OFF_SIZE = 0.08, 0.12
"""How far a training box is moved (share of its side) and enlarged or shrunk, as the first network may be wrong."""
VOTES: Final = 4
"""Boxes of each group at the second look, a little apart: their points are averaged, and what they disagree about widens the spread."""
VOTE_SHARE: Final = 0.6
"""How far these are apart, as a share of the above."""
ON_FILM: Final = 0.5
SURE: Final = 0.1
"""Share of a map near its point below which the first network's point is kept."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Zoom:
    """What the second network looks at: groups of landmarks by their positions, and the side of its square picture."""

    groups: tuple[tuple[int, ...], ...]
    side: int
    sigma: float


@dataclass(frozen=True, slots=True)
class Box:
    """A square on the film: its middle and its side, in pixels."""

    middle: tuple[float, float]
    side: float

    def matrix(self, size: int) -> Floats:
        """Return the matrix ``(2, 3)`` from the film to a picture of ``size`` x ``size``."""
        scale = size / self.side
        return np.array([[scale, 0, (size - 1) / 2 - scale * self.middle[0]], [0, scale, (size - 1) / 2 - scale * self.middle[1]]])


def box_of(points: Floats, height: float) -> Box:
    """Return the square around points ``(n, 2)`` with its margin."""
    low, high = points.min(axis=0), points.max(axis=0)
    side = max(float((high - low).max()), LEAST_SIDE * height) * (1 + 2 * MARGIN)
    return Box((float(low[0] + high[0]) / 2, float(low[1] + high[1]) / 2), side)


def cut(film: NDArray[np.uint8], box: Box, size: int) -> NDArray[np.uint8]:
    """Return the box of a film ``(H, W)`` as a square picture, black beyond the film."""
    import cv2

    return np.asarray(cv2.warpAffine(film, box.matrix(size), (size, size), flags=cv2.INTER_LINEAR), np.uint8)


def _moved(points: Floats, matrix: Floats) -> Floats:
    return np.asarray(points @ matrix[:, :2].T + matrix[:, 2], np.float64)


def _near(box: Box, rng: np.random.Generator, apart: float = 1.0) -> Box:
    """Return the box as the first network may have placed it."""
    off = rng.uniform(-OFF_PLACE, OFF_PLACE, 2) * apart * box.side
    return Box((box.middle[0] + off[0], box.middle[1] + off[1]), box.side * float(np.exp(apart * rng.uniform(-OFF_SIZE, OFF_SIZE))))


@dataclass(frozen=True, eq=False)
class ZoomFilms:
    """Boxes around groups of landmarks for training, from films ``(N, 1, H, W)`` and landmarks ``(N, P, 3)`` in their pixels."""

    pixels: Any
    truth: Floats
    zoom: Zoom
    limits: Changes
    mirror: Sequence[int] | None

    def batch(self, positions: NDArray[np.int64]) -> Batch:
        return self.changed_batch(positions, np.random.default_rng(0))

    def changed_batch(self, positions: NDArray[np.int64], rng: np.random.Generator) -> Batch:
        """Return one box of every group of each film that shows it."""
        pairs = [pair for position in positions for pair in self._film(int(position), rng)]
        if not pairs:
            pairs = [(np.zeros((self.zoom.side, self.zoom.side), np.uint8), np.zeros((self.truth.shape[1], 3), np.float32))]
        pictures, truths = zip(*pairs, strict=True)
        return torch.from_numpy(np.stack(pictures)[:, None]), torch.ones(len(pictures), 1, dtype=torch.bool), torch.from_numpy(np.stack(truths))

    def _film(self, position: int, rng: np.random.Generator) -> list[tuple[NDArray[np.uint8], NDArray[np.float32]]]:
        film, truth = self.pixels[position][0], self.truth[position]
        made = []
        for group in self.zoom.groups:
            seen = [i for i in group if truth[i, 2] > 0]
            if seen:
                made.append(self._box(film, truth, box_of(truth[seen, :2], film.shape[0]), rng))
        return made

    def _box(self, film: NDArray[np.uint8], truth: Floats, box: Box, rng: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        near = _near(box, rng)
        changed = change(cut(film, near, self.zoom.side), rng, self.limits)
        points, on = changed.moved(_moved(truth[:, :2], near.matrix(self.zoom.side)))
        moved = np.column_stack([points, on * truth[:, 2]]).astype(np.float32)
        return changed.film, moved[list(self.mirror)] if changed.mirrored and self.mirror is not None else moved


@dataclass(frozen=True, eq=False)
class Votes:
    """A landmark as several boxes show it: points ``(n, 2)`` in pixels of the film, covariances ``(n, 2, 2)``, shares of the maps near the points."""

    points: Floats
    covariances: Floats
    shares: Floats

    @property
    def spread(self) -> Floats:
        """Covariance of a point: what the maps leave open, and what the boxes disagree about."""
        apart = np.cov(self.points.T) if len(self.points) > 1 else np.zeros((2, 2))
        return np.asarray(self.covariances.mean(axis=0) + apart, np.float64)


class ZoomRefiner:
    """The second network of named landmarks: it finds those of each group again, in the group's box."""

    def __init__(self, points: int, zoom: Zoom, settings: LandmarkSettings, mirror: Sequence[int] | None) -> None:
        self.points, self.zoom, self.settings, self.mirror = points, zoom, settings, mirror
        self.stride = STRIDES[settings.model]

    def network(self) -> nn.Module:
        return landmark_net(self.settings.model, self.points, self.points)

    def criterion(self) -> nn.Module:
        return HeatmapLoss(self.settings.loss, stride=self.stride, sigma_px=self.zoom.sigma)

    def films(self, pixels: Any, truth: NDArray[np.float32], limits: Changes, mirror: Sequence[int] | None) -> TrainingFilms:
        fine = truth.astype(np.float64)
        fine[..., :2] = finer(fine[..., :2], self.settings.detail)
        return ZoomFilms(pixels, fine, self.zoom, replace(limits, crop=0.0, shift=0.0, zoom=0.0, flip=limits.flip and mirror is not None), mirror)

    def refine(self, net: nn.Module, pixels: NDArray[np.uint8], seen: Sequence[Sighting]) -> list[Sighting]:
        """Look at every group that was found; a point that the second network is not sure of stays where the first one saw it."""
        return [self._film(net, film[0], sighting) for film, sighting in zip(pixels, seen, strict=True)]

    def _film(self, net: nn.Module, film: NDArray[np.uint8], seen: Sighting) -> Sighting:
        groups = [[i for i in group if seen.there[i] >= ON_FILM] for group in self.zoom.groups]
        groups = [group for group in groups if group]
        if not groups:
            return seen
        detail = self.settings.detail
        first = [box_of(finer(seen.points[group], detail), film.shape[0]) for group in groups]
        once = self._found(net, film, groups, first)
        fine = finer(seen.points, detail)
        for i, votes in once.items():
            fine[i] = votes.points[0]
        rng = np.random.default_rng(0xB0C5)
        boxes = [_near(box_of(fine[group], film.shape[0]), rng, VOTE_SHARE) for _ in range(VOTES) for group in groups]
        points, samples, share = seen.points.copy(), seen.samples.copy(), seen.share.copy()
        for i, votes in self._found(net, film, groups * VOTES, boxes).items():
            points[i], share[i] = finer(votes.points.mean(axis=0), 1 / detail), float(votes.shares.mean())
            samples[:, i] = drawn(points[i][None], votes.spread[None] / detail**2)[:, 0]
        return replace(seen, points=points, samples=samples, share=share, facts=seen.facts | {"first_share": seen.share})

    def _found(self, net: nn.Module, film: NDArray[np.uint8], groups: Sequence[Sequence[int]], boxes: Sequence[Box]) -> dict[int, Votes]:
        """Return what the boxes show of their groups' landmarks, on the film; nothing of those that no box is sure of."""
        near = self._look(net, np.stack([cut(film, box, self.zoom.side) for box in boxes]))
        places, spreads, shares = (part.double().cpu().numpy() for part in (near.points, near.spread, near.share))
        found: dict[int, list[tuple[Floats, Floats, float]]] = {}
        for number, (group, box) in enumerate(zip(groups, boxes, strict=True)):
            back = box.side / self.zoom.side
            for i in (i for i in group if shares[number, i] >= SURE):
                place = (places[number, i] - (self.zoom.side - 1) / 2) * back + np.array(box.middle)
                found.setdefault(i, []).append((place, spreads[number, i] * back**2, float(shares[number, i])))
        return {i: Votes(*map(np.array, zip(*votes, strict=True))) for i, votes in found.items()}

    def _look(self, net: nn.Module, pictures: NDArray[np.uint8]) -> Any:
        films = torch.from_numpy(pictures[:, None]).to(next(net.parameters()).device)
        with torch.inference_mode():
            views = [net(films)]
            if self.mirror is not None and self.settings.flip:
                maps, absent = net(films.flip(3))
                views.append((maps.flip(3)[:, list(self.mirror)], absent[:, list(self.mirror)]))
            pairs = [probabilities(view, self.settings.loss) for view in views]
        shares, there = (sum(part) / len(pairs) for part in zip(*pairs, strict=True))
        return locate(shares, there, self.stride, self.zoom.sigma)
