"""One vertebra, turned upright and seen from near: where its four corners are.

The answer is the mean place of each corner's map (soft-argmax), which is not bound to the cells of the map.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from spinelab.nn.column_maps import CORNERS, tilt
from spinelab.nn.heatmaps import centres
from spinelab.nn.landmark_net import LandmarkNet, Residual

CROP: Final = (80, 112)
"""Rows and columns of a crop."""
WIDTH_PX: Final = 56.0
"""Width of the vertebra in it."""
STRIDE: Final = 4
TILT_WEIGHT: Final = 0.1
SPREAD_WEIGHT: Final = 0.002
"""Weights of the tilt's error (degrees) and of the maps' variance (square pixels) beside the corners' error (pixels)."""


class VertebraNet(LandmarkNet):
    """uint8 crops ``(N, 1, 80, 112)`` to corners ``(N, 4, 2)`` in crop pixels, and the variance of each map ``(N, 4)``."""

    def __init__(self, widths: tuple[int, int, int] = (24, 48, 96)) -> None:
        super().__init__()
        a, b, c = widths
        self.enter = nn.Sequential(nn.Conv2d(1, a, 5, 2, 2, bias=False), nn.BatchNorm2d(a), nn.ReLU(inplace=True))
        self.fine = nn.Sequential(Residual(a, b, 2), Residual(b, b))
        self.middle = nn.Sequential(Residual(b, c, 2), Residual(c, c))
        self.coarse = nn.Sequential(Residual(c, c, 2), Residual(c, c))
        self.narrow, self.join, self.maps = nn.Conv2d(c, b, 1), Residual(b, b), nn.Conv2d(b, CORNERS, 1)

    def forward(self, films: Tensor) -> tuple[Tensor, Tensor]:
        fine = self.fine(self.enter(self.scaled(films)))
        middle = self.middle(fine)
        middle = middle + functional.interpolate(self.coarse(middle), size=middle.shape[-2:])
        maps = self.maps(self.join(fine + functional.interpolate(self.narrow(middle), size=fine.shape[-2:])))
        shares = maps.flatten(2).softmax(dim=2)
        places = centres(maps.shape[-2], maps.shape[-1], STRIDE, maps.device).flatten(0, 1)
        mean = shares @ places
        return mean, (shares @ places**2 - mean**2).sum(dim=2)


class VertebraLoss(nn.Module):
    """Loss of ``(corners, variances)`` against corners ``(N, 4, 3)``: x, y in crop pixels and 1 where the corner is on the film."""

    def __init__(self) -> None:
        super().__init__()
        self.epoch = 0

    def forward(self, outputs: tuple[Tensor, Tensor], truth: Tensor) -> Tensor:
        corners, variance = outputs
        there = truth[..., 2].amin(dim=1)
        error = functional.smooth_l1_loss(corners, truth[..., :2], reduction="none", beta=1.0).mean(dim=(1, 2))
        turned = torch.rad2deg((tilt(corners) - tilt(truth[..., :2])).abs())
        each = error + TILT_WEIGHT * turned + SPREAD_WEIGHT * variance.mean(dim=1)
        return (each * there).sum() / there.sum().clamp_min(1)
