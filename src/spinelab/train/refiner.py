"""A second network that looks again, from near, at what the first one found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import nn

from spinelab.train.batches import TrainingFilms
from spinelab.train.canvas import Changes
from spinelab.train.landmark_head import Sighting


class Refiner(Protocol):
    """The meaning of the second network."""

    def network(self) -> nn.Module:
        """Return it untrained."""

    def criterion(self) -> nn.Module:
        """Return its loss of ``(outputs, landmarks)``."""

    def films(self, pixels: Any, truth: NDArray[np.float32], limits: Changes, mirror: Sequence[int] | None) -> TrainingFilms:
        """Return what it is shown while training, from films ``detail`` times finer than the canvas and landmarks ``(N, P, 3)`` of the canvas."""

    def refine(self, net: nn.Module, pixels: NDArray[np.uint8], seen: Sequence[Sighting]) -> list[Sighting]:
        """Return what was seen on films ``(N, 1, H, W)`` with the landmarks that the second network sees better."""
