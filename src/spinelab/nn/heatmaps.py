"""One map a named landmark: what it should look like, the losses that teach it, and the point that it shows.

Losses: ``heatmap`` is the whole-spine source's (L1 weighted by the areas of foreground and background, plus a Dice loss whose weight rises with every
pass; its printed formulas swap the two areas, the text does not); ``cross-entropy`` takes the map as the probability of each place;
``coordinate`` compares the mean place of that probability with the truth (soft-argmax; Nibali et al. 2018, "Numerical Coordinate Regression
with Convolutional Neural Networks", arXiv:1801.07372) and keeps a small cross-entropy so that the map stays in one piece.

Coordinates are pixels of the canvas, ``x`` to the right and ``y`` down, pixel centres at integers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

RISE: Final = 0.002
"""Growth of the Dice loss's weight a pass, in the source."""
DICE_MOST: Final = 0.9
FOREGROUND: Final = math.exp(-2.0)
"""Height of a Gaussian at two standard deviations: the source's edge between foreground and background."""
KEEP_WHOLE: Final = 0.2
"""Weight of the cross-entropy beside the coordinate loss."""
REACH: Final = 2.5
"""Standard deviations of a landmark's Gaussian on each side of the highest cell that decide its place between the cells; fewer draw it to the cell's centre."""
TINY: Final = 1e-8


def centres(rows: int, columns: int, stride: int, device: torch.device | None = None) -> Tensor:
    """Return the canvas position ``(rows, columns, 2)`` x, y of the centre of every cell of a map."""
    y, x = torch.meshgrid(torch.arange(rows, device=device), torch.arange(columns, device=device), indexing="ij")
    return torch.stack([x, y], dim=-1) * float(stride) + (stride - 1) / 2


def gaussians(truth: Tensor, rows: int, columns: int, *, stride: int, sigma_px: float) -> Tensor:
    """Return one Gaussian of height 1 a landmark ``(B, P, rows, columns)``; nothing for those that are absent.

    ``truth`` is ``(B, P, 3)``: x, y and 1 where the landmark is on the film.
    """
    x, y, there = truth.unbind(dim=-1)
    cells = torch.arange(max(rows, columns), device=truth.device) * float(stride) + (stride - 1) / 2
    across = torch.exp(-((cells[:columns] - x[..., None]) ** 2) / (2 * sigma_px**2))
    down = torch.exp(-((cells[:rows] - y[..., None]) ** 2) / (2 * sigma_px**2))
    return down[..., :, None] * across[..., None, :] * there[..., None, None]


class HeatmapLoss(nn.Module):
    """Loss of ``(maps (B, P, h, w), absent logits (B, P))`` against landmarks ``(B, P, 3)``; `epoch` is told by the loop."""

    def __init__(self, kind: str, *, stride: int, sigma_px: float) -> None:
        super().__init__()
        self.kind, self.stride, self.sigma_px, self.epoch = kind, stride, sigma_px, 0

    def forward(self, outputs: tuple[Tensor, Tensor], truth: Tensor) -> Tensor:
        maps, absent = outputs[0].float(), outputs[1].float()
        target = gaussians(truth, *maps.shape[-2:], stride=self.stride, sigma_px=self.sigma_px)
        if self.kind == "heatmap":
            return self._source(maps, target) + functional.binary_cross_entropy_with_logits(absent, 1 - truth[..., 2])
        entropy = _cross_entropy(maps, absent, target, truth[..., 2])
        if self.kind == "cross-entropy":
            return entropy
        return self._coordinate(maps, truth) + KEEP_WHOLE * entropy

    def _source(self, maps: Tensor, target: Tensor) -> Tensor:
        shown = maps.sigmoid()
        inside = (target >= FOREGROUND).float()
        apart = (target - shown).abs()
        areas = [part / part.sum(dim=(-2, -1), keepdim=True).clamp_min(1) for part in (inside, 1 - inside)]
        weighted = ((areas[0] + areas[1]) * apart).sum(dim=(-2, -1))
        drawn, seen = inside * target, torch.where(shown >= FOREGROUND, shown, 0)
        both = ((drawn * seen > 0) * (drawn + seen)).sum(dim=(-2, -1))
        dice = 1 - both / (drawn.sum(dim=(-2, -1)) + seen.sum(dim=(-2, -1))).clamp_min(TINY)
        rising = min(DICE_MOST, RISE * self.epoch)
        there = (inside.sum(dim=(-2, -1)) > 0).float()
        return ((1 - rising) * weighted + rising * dice * there).mean()

    def _coordinate(self, maps: Tensor, truth: Tensor) -> Tensor:
        rows, columns = maps.shape[-2:]
        shares = maps.flatten(2).softmax(dim=2)
        mean = shares @ centres(rows, columns, self.stride, maps.device).flatten(0, 1)
        apart = functional.smooth_l1_loss(mean / self.stride, truth[..., :2] / self.stride, reduction="none", beta=0.5).sum(dim=-1)
        return (apart * truth[..., 2]).sum() / truth[..., 2].sum().clamp_min(1)


def _cross_entropy(maps: Tensor, absent: Tensor, target: Tensor, there: Tensor) -> Tensor:
    """Return the cross-entropy over all places and "not on the film" together."""
    log_shares = torch.cat([maps.flatten(2), absent[..., None]], dim=2).log_softmax(dim=2)
    wanted = target.flatten(2)
    wanted = wanted / wanted.sum(dim=2, keepdim=True).clamp_min(TINY)
    wanted = torch.cat([wanted * there[..., None], (1 - there)[..., None]], dim=2)
    return -(wanted * log_shares).sum(dim=2).mean()


@dataclass(frozen=True)
class Located:
    """Where landmarks were seen.

    Parameters
    ----------
    points
        ``(B, P, 2)`` canvas pixels.
    spread
        ``(B, P, 2, 2)`` covariance of the place in square pixels, by the map alone.
    share
        ``(B, P)`` probability that the landmark is on the film and near the point.
    """

    points: Tensor
    spread: Tensor
    share: Tensor


def probabilities(outputs: tuple[Tensor, Tensor], kind: str) -> tuple[Tensor, Tensor]:
    """Return the probability of each place ``(B, P, h, w)`` (sums to 1) and that the landmark is on the film ``(B, P)``."""
    maps, absent = outputs[0].float(), outputs[1].float()
    if kind == "heatmap":
        shown = maps.sigmoid()
        return shown / shown.sum(dim=(-2, -1), keepdim=True).clamp_min(TINY), (1 - absent.sigmoid()) * shown.amax(dim=(-2, -1))
    shares = maps.flatten(2).softmax(dim=2).reshape(maps.shape)
    return shares, 1 - torch.cat([maps.flatten(2), absent[..., None]], dim=2).softmax(dim=2)[..., -1]


def locate(shares: Tensor, there: Tensor, stride: int, sigma_px: float) -> Located:
    """Return each map's point, to a fraction of a cell, with its covariance and probability."""
    rows, columns = shares.shape[-2:]
    best = shares.flatten(2).argmax(dim=2)
    top, left = best // columns, best % columns
    window = math.ceil(REACH * sigma_px / stride)
    offsets = torch.arange(-window, window + 1, device=shares.device)
    y, x = top[..., None] + offsets, left[..., None] + offsets
    inside = ((y >= 0) & (y < rows))[..., :, None] & ((x >= 0) & (x < columns))[..., None, :]
    flat = (y.clamp(0, rows - 1)[..., :, None] * columns + x.clamp(0, columns - 1)[..., None, :]).flatten(2)
    near = shares.flatten(2).gather(2, flat) * inside.flatten(2)
    places = centres(rows, columns, stride, shares.device).flatten(0, 1)
    weights = near / near.sum(dim=2, keepdim=True).clamp_min(TINY)
    point = (weights[..., None] * places[flat]).sum(dim=2)
    return Located(point, _covariance(shares, places, point, stride), there * near.sum(dim=2).clamp(max=1))


def _covariance(shares: Tensor, places: Tensor, point: Tensor, stride: int) -> Tensor:
    """Return the second moments of a map around its point, at least those of one cell."""
    flat = shares.flatten(2)
    first, second = flat @ places, flat @ torch.stack([places[:, 0] ** 2, places[:, 0] * places[:, 1], places[:, 1] ** 2], dim=-1)
    total = flat.sum(dim=2)
    xx = second[..., 0] - 2 * point[..., 0] * first[..., 0] + point[..., 0] ** 2 * total
    yy = second[..., 2] - 2 * point[..., 1] * first[..., 1] + point[..., 1] ** 2 * total
    xy = second[..., 1] - point[..., 0] * first[..., 1] - point[..., 1] * first[..., 0] + point[..., 0] * point[..., 1] * total
    least = stride**2 / 12
    return torch.stack([torch.stack([xx + least, xy], -1), torch.stack([xy, yy + least], -1)], -2)
