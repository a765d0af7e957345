"""The maps of a spine seen from the front: where vertebrae are, which level each is, and where its corners lie.

Channels: one map a level (the probability of each place to be the centre of T1, of T2, ...), one map of all centres together, and
the offsets from each place near a centre to that vertebra's four corners. Centres are found whatever their level is, so that the angles do not
depend on the names, and the names come from the whole column at once (`spinelab.geometry.column`).
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from spinelab.nn.heatmaps import centres, gaussians

CORNERS: Final = 4
OFFSET_UNIT_PX: Final = 8.0
"""Offsets are learnt in this unit, so that they are about 1."""
NEAR_PX, REACH_PX = 4.0, 10.0
"""Width of the weight with which places around a centre learn its corners, and how far from it they do."""
WEIGHTS: Final = {"levels": 1.0, "centres": 2.0, "corners": 1.0, "tilt": 0.1, "absent": 0.2}
LEAST_WIDTH_PX: Final = 2.0


def channels(levels: int) -> int:
    """Return how many maps a column of so many levels has."""
    return levels + 1 + 2 * CORNERS


class ColumnLoss(nn.Module):
    """Loss of ``(maps, absent logits (B, L))`` against corners ``(B, 4 L, 3)``: x, y in canvas pixels and 1 where the corner is on the film."""

    def __init__(self, levels: int, *, stride: int, sigma_px: float) -> None:
        super().__init__()
        self.levels, self.stride, self.sigma_px, self.epoch = levels, stride, sigma_px, 0

    def forward(self, outputs: tuple[Tensor, Tensor], truth: Tensor) -> Tensor:
        maps, absent = outputs[0].float(), outputs[1].float()
        corners = truth.reshape(len(truth), self.levels, CORNERS, 3)
        there = corners[..., 2].amin(dim=2)
        middle = torch.cat([corners[..., :2].mean(dim=2), there[..., None]], dim=2)
        bumps = gaussians(middle, *maps.shape[-2:], stride=self.stride, sigma_px=self.sigma_px)
        corner_loss, tilt_loss = self._corners(maps[:, self.levels + 1 :], corners[..., :2], middle)
        parts = {
            "levels": _level_loss(maps[:, : self.levels], bumps, there),
            "centres": _centre_loss(maps[:, self.levels], bumps.amax(dim=1), there),
            "corners": corner_loss,
            "tilt": tilt_loss,
            "absent": functional.binary_cross_entropy_with_logits(absent, 1 - there),
        }
        total: Tensor = torch.stack([WEIGHTS[name] * part for name, part in parts.items()]).sum()
        return total

    def _corners(self, maps: Tensor, corners: Tensor, middle: Tensor) -> tuple[Tensor, Tensor]:
        """Return the error of the corners, in pixels, and of the tilt, in degrees, at places near a centre."""
        batch, _, rows, columns = maps.shape
        cells = centres(rows, columns, self.stride, maps.device)
        apart = ((cells - middle[:, :, None, None, :2]) ** 2).sum(dim=-1)
        apart = apart.masked_fill(middle[..., 2, None, None] < 0.5, 1e9)
        distance, nearest = apart.min(dim=1)
        weight = torch.exp(-distance / (2 * NEAR_PX**2)) * (distance < REACH_PX**2)
        wanted = corners[torch.arange(batch, device=maps.device)[:, None, None], nearest] - cells[None, :, :, None]
        found = maps.permute(0, 2, 3, 1).reshape(batch, rows, columns, CORNERS, 2) * OFFSET_UNIT_PX
        error = functional.smooth_l1_loss(found, wanted, reduction="none", beta=0.5).mean(dim=(-2, -1))
        turned = (tilt(found) - tilt(wanted)).abs()
        total = weight.sum().clamp_min(1e-6)
        return (error * weight).sum() / total, torch.rad2deg((turned * weight).sum() / total)


def tilt(corners: Tensor) -> Tensor:
    """Return the tilt, in radians, of the mid-line of corners ``(..., 4, 2)``: superior left, superior right, inferior left, inferior right."""
    along = corners[..., 1, :] + corners[..., 3, :] - corners[..., 0, :] - corners[..., 2, :]
    return torch.atan2(along[..., 1], along[..., 0].clamp_min(2 * LEAST_WIDTH_PX))


def _level_loss(maps: Tensor, bumps: Tensor, there: Tensor) -> Tensor:
    wanted = bumps.flatten(2)
    wanted = wanted / wanted.sum(dim=2, keepdim=True).clamp_min(1e-6)
    entropy = -(wanted * maps.flatten(2).log_softmax(dim=2)).sum(dim=2)
    return (entropy * there).sum() / there.sum().clamp_min(1)


def _centre_loss(maps: Tensor, bumps: Tensor, there: Tensor) -> Tensor:
    """Return the focal cross-entropy of soft targets (Li et al. 2020, "Generalized focal loss", arXiv:2006.04388), a vertebra."""
    apart = (bumps - maps.sigmoid()).abs()
    entropy = functional.binary_cross_entropy_with_logits(maps, bumps, reduction="none")
    return (entropy * apart**2).sum() / there.sum().clamp_min(1)
