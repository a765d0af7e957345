"""Batches straight from the decoded films, by index: no worker processes, no copy of the data in memory."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spinelab.train.augment import Augmenter, mild

Batch = tuple[Tensor, Tensor, Tensor]
"""uint8 pixels ``(B, V, S, S)``, bool availability ``(B, V)``, labels ``(B,)`` or ``(B, heads)``."""


@dataclass(frozen=True, eq=False)
class Films:
    """All films that a fit can see, and the code of each one's class."""

    pixels: Any
    available: NDArray[np.bool_]
    labels: NDArray[np.int64]
    """(N,), or (N, heads) where a network answers several questions about a film."""
    augmenter: Augmenter = mild

    def batch(self, positions: NDArray[np.int64]) -> Batch:
        return self._tensors(np.ascontiguousarray(self.pixels[positions]), positions)

    def changed_batch(self, positions: NDArray[np.int64], rng: np.random.Generator) -> Batch:
        """Return a batch whose films were each changed a little."""
        return self._tensors(self.augmenter(self.pixels[positions], rng), positions)

    def _tensors(self, pixels: NDArray[np.uint8], positions: NDArray[np.int64]) -> Batch:
        return torch.from_numpy(pixels), torch.from_numpy(self.available[positions]), torch.from_numpy(self.labels[positions])


class TrainingFilms(Protocol):
    """Films that can be shown as they are, or changed a little."""

    def batch(self, positions: NDArray[np.int64]) -> Batch: ...
    def changed_batch(self, positions: NDArray[np.int64], rng: np.random.Generator) -> Batch: ...


class TrainingBatches:
    """One shuffled pass each time it is iterated; the order depends on the seed and the number of the pass alone.

    With several devices each takes every ``world``-th batch, and all take equally many.
    """

    def __init__(self, films: TrainingFilms, positions: NDArray[np.int64], *, batch_size: int, seed: int, augment: bool) -> None:
        self.films, self.positions, self.batch_size, self.seed, self.augment = films, positions, batch_size, seed, augment
        self.epoch, self.rank, self.world = 0, 0, 1

    def __len__(self) -> int:
        return math.ceil(self._batches() / self.world)

    def _batches(self) -> int:
        full, rest = divmod(len(self.positions), self.batch_size)
        # One film alone has no batch statistics: it joins the batch before it.
        return max(1, full + (rest > 1))

    def __iter__(self) -> Iterator[Batch]:
        order = self.positions[np.random.default_rng([self.seed, self.epoch, 1]).permutation(len(self.positions))]
        count = self._batches()
        for step in range(len(self)):
            number = (step * self.world + self.rank) % count
            stop = None if number == count - 1 else (number + 1) * self.batch_size
            rows = order[number * self.batch_size : stop]
            if self.augment:
                yield self.films.changed_batch(rows, np.random.default_rng([self.seed, self.epoch, 2, number]))
            else:
                yield self.films.batch(rows)


class Handfuls:
    """Batches handed over several at a time, so that what the trainer does around each handover is paid once for all of them."""

    def __init__(self, batches: TrainingBatches, size: int) -> None:
        self.batches, self.size = batches, size

    def __len__(self) -> int:
        return math.ceil(len(self.batches) / self.size)

    def __iter__(self) -> Iterator[list[Batch]]:
        coming = iter(self.batches)
        while handful := list(itertools.islice(coming, self.size)):
            yield handful


class PlainBatches:
    """Batches in the given order."""

    def __init__(self, films: Films, positions: Sequence[int] | NDArray[np.int64], *, batch_size: int) -> None:
        self.films, self.positions, self.batch_size = films, np.asarray(positions, dtype=np.int64), batch_size

    def __len__(self) -> int:
        return math.ceil(len(self.positions) / self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        for start in range(0, len(self.positions), self.batch_size):
            yield self.films.batch(self.positions[start : start + self.batch_size])
