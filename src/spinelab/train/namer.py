"""A third network that names what was found, where a task's landmarks are alike and only their surroundings tell which is which."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import nn

from spinelab.train.batches import TrainingFilms
from spinelab.train.canvas import Changes

Naming = Callable[[int, NDArray[np.float64], NDArray[np.intp]], float]
"""Film of the batch, corners ``(n, 4, 2)`` on the canvas and their levels ``(n,)``: logarithm of how likely these names are."""


class Namer(Protocol):
    """The meaning of the third network."""

    def network(self) -> nn.Module:
        """Return it untrained."""

    def criterion(self) -> nn.Module:
        """Return its loss of ``(outputs, levels)``."""

    def films(self, pixels: Any, truth: NDArray[np.float32], limits: Changes, *, mirrored: bool) -> TrainingFilms:
        """Return what it is shown while training, from films ``detail`` times finer than the canvas and landmarks ``(N, P, 3)`` of the canvas."""

    def naming(self, net: nn.Module, pixels: NDArray[np.uint8]) -> Naming:
        """Return how likely names are on films ``(N, 1, H, W)``."""
