"""One vertebra with its surroundings, upright and at the column's own scale: which level it is.

Ribs, their last pair, the first one under the clavicles, iliac crests and sacrum name a level; they stand beside the vertebra, so the picture is several
vertebrae high and wide, and the answer keeps what lies where.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from spinelab.nn.landmark_net import LandmarkNet, Residual

CROP: Final = (112, 160)
"""Rows and columns of a crop."""
PITCH_PX: Final = 20.0
"""Distance between neighbouring vertebrae in it."""
POOLED: Final = (4, 6)
SMOOTHING: Final = 0.05
WIDTHS: Final = (16, 32, 64, 96)


class LevelNet(LandmarkNet):
    """uint8 crops ``(N, 1, 112, 160)`` to logits ``(N, levels + 2)``: above the first level, the levels downwards, below the last."""

    def __init__(self, levels: int) -> None:
        super().__init__()
        a, b, c, d = WIDTHS
        self.enter = nn.Sequential(nn.Conv2d(1, a, 5, 2, 2, bias=False), nn.BatchNorm2d(a), nn.ReLU(inplace=True))
        self.body = nn.Sequential(Residual(a, b, 2), Residual(b, c, 2), Residual(c, d, 2), Residual(d, d))
        self.narrow = nn.Sequential(nn.Conv2d(d, 32, 1), nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(POOLED), nn.Flatten(), nn.Dropout(0.4))
        self.name = nn.Sequential(nn.Linear(32 * POOLED[0] * POOLED[1], 128), nn.ReLU(inplace=True), nn.Dropout(0.3), nn.Linear(128, levels + 2))

    def forward(self, films: Tensor) -> Tensor:
        """Return the logits; every crop is brought to its own mean and contrast first."""
        x = films.to(self.enter[0].weight.dtype)  # type: ignore[arg-type]
        x = (x - x.mean(dim=(2, 3), keepdim=True)) / (x.std(dim=(2, 3), keepdim=True) + 8.0)
        logits: Tensor = self.name(self.narrow(self.body(self.enter(x.contiguous(memory_format=torch.channels_last)))))
        return logits


class LevelLoss(nn.Module):
    """Cross-entropy of the logits against levels ``(N,)``, a little smoothed: the level beside is wrong, but not absurd."""

    def __init__(self) -> None:
        super().__init__()
        self.epoch = 0

    def forward(self, outputs: Tensor, truth: Tensor) -> Tensor:
        return functional.cross_entropy(outputs, truth, label_smoothing=SMOOTHING)
