"""Networks from a film to one map a landmark: a compact one with a view of the whole film, and the classic U-Net.

`CompactUNet` works at a quarter of the film's resolution and lets the coarsest features of the whole film attend to each other, because a
vertebra's level is told by what lies above and below it. `UNet` is Ronneberger, Fischer and Brox 2015 ("U-Net: Convolutional Networks for
Biomedical Image Segmentation", arXiv:1505.04597), at full resolution, as in the source of the whole-spine task.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn import functional

MEAN, SPREAD = 0.45, 0.25
"""Grey level and contrast of a film, as shares of 255, that the first layer sees as 0 and 1."""

SIZES: Final = {"compact": (48, 96, 160, 224), "compact-small": (32, 64, 112, 160), "unet": (24, 48, 96, 192, 256)}
STRIDES: Final = {"compact": 4, "compact-small": 4, "unet": 1}
"""Film pixels a cell of the maps, by network."""


class LandmarkNet(nn.Module):
    """Base: uint8 films ``(B, 1, H, W)`` to ``(maps (B, C, H / stride, W / stride), summary (B, K))``.

    ``maps`` are the channels of the head, ``summary`` global logits (one for each landmark that may be absent).
    """

    def scaled(self, films: Tensor) -> Tensor:
        """Return films as numbers around 0."""
        return (films.float() / 255 - MEAN) / SPREAD


class CompactUNet(LandmarkNet):
    """Residual encoder from stride 4 to 32, two attention layers over the coarsest features, additive decoder back to stride 4."""

    def __init__(self, maps: int, summary: int, widths: Sequence[int] = SIZES["compact"]) -> None:
        super().__init__()
        a, b, c, d = widths
        self.enter = nn.Sequential(nn.Conv2d(1, a, 7, 4, 3, bias=False), nn.BatchNorm2d(a), nn.ReLU(inplace=True), Residual(a, a))
        self.down = nn.ModuleList(nn.Sequential(Residual(i, o, 2), Residual(o, o)) for i, o in ((a, b), (b, c), (c, d)))
        self.attend = nn.ModuleList(_attention(d) for _ in range(2))
        self.narrow = nn.ModuleList(nn.Conv2d(i, o, 1) for i, o in ((d, c), (c, b), (b, a)))
        self.up = nn.ModuleList(Residual(o, o) for o in (c, b, a))
        self.maps = nn.Conv2d(a, maps, 1)
        self.summary = nn.Linear(d, summary)

    def forward(self, films: Tensor) -> tuple[Tensor, Tensor]:
        kept = [self.enter(self.scaled(films))]
        for step in self.down:
            kept.append(step(kept[-1]))
        coarse = self._context(kept.pop())
        answer = coarse
        for narrow, up in zip(self.narrow, self.up, strict=True):
            finer = kept.pop()
            answer = up(functional.interpolate(narrow(answer), size=finer.shape[-2:], mode="nearest") + finer)
        return self.maps(answer), self.summary(coarse.mean(dim=(2, 3)))

    def _context(self, coarse: Tensor) -> Tensor:
        batch, width, rows, columns = coarse.shape
        words = coarse.flatten(2).transpose(1, 2) + _places(rows, columns, width, coarse.device)
        for layer in self.attend:
            words = layer(words)
        return words.transpose(1, 2).reshape(batch, width, rows, columns)


class UNet(LandmarkNet):
    """The classic U-Net with batch normalisation, at the film's full resolution."""

    def __init__(self, maps: int, summary: int, widths: Sequence[int] = SIZES["unet"]) -> None:
        super().__init__()
        steps = list(zip((1, *widths[:-1]), widths, strict=True))
        self.down = nn.ModuleList(_double(i, o) for i, o in steps)
        self.grow = nn.ModuleList(nn.ConvTranspose2d(o, i, 2, 2) for i, o in steps[:0:-1])
        self.up = nn.ModuleList(_double(2 * i, i) for i, _ in steps[:0:-1])
        self.maps = nn.Conv2d(widths[0], maps, 1)
        self.summary = nn.Linear(widths[-1], summary)

    def forward(self, films: Tensor) -> tuple[Tensor, Tensor]:
        kept, answer = [], self.scaled(films)
        for number, step in enumerate(self.down):
            answer = step(functional.max_pool2d(answer, 2) if number else answer)
            kept.append(answer)
        coarse = kept.pop()
        for grow, up in zip(self.grow, self.up, strict=True):
            answer = up(torch.cat([grow(answer), kept.pop()], dim=1))
        return self.maps(answer), self.summary(coarse.mean(dim=(2, 3)))


def landmark_net(name: str, maps: int, summary: int) -> LandmarkNet:
    """Return an untrained network: one of `LANDMARK_NETWORKS`."""
    made: LandmarkNet = (UNet if name == "unet" else CompactUNet)(maps, summary, SIZES[name])
    return made


class Residual(nn.Module):
    """Two convolutions and a way around them (He et al. 2016, arXiv:1512.03385)."""

    def __init__(self, before: int, after: int, stride: int = 1) -> None:
        super().__init__()
        self.first = _conv(before, after, stride)
        self.second = nn.Sequential(nn.Conv2d(after, after, 3, 1, 1, bias=False), nn.BatchNorm2d(after))
        same = before == after and stride == 1
        self.skip = nn.Identity() if same else nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.second(self.first(x)) + self.skip(x))


def _conv(before: int, after: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU(inplace=True))


def _double(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(_conv(before, after), _conv(after, after))


def _attention(width: int) -> nn.Module:
    return nn.TransformerEncoderLayer(width, 4, 2 * width, 0.1, batch_first=True, norm_first=True, activation=functional.gelu)


def _places(rows: int, columns: int, width: int, device: Any) -> Tensor:
    """Return sines and cosines of each cell's height and breadth in the film ``(rows * columns, width)`` (Vaswani et al. 2017)."""
    quarter = width // 4
    rates = math.pi * 2 ** (torch.arange(quarter, device=device) / quarter * 6)
    tall, broad = ((torch.arange(n, device=device) / n)[:, None] * rates for n in (rows, columns))
    down = torch.cat([tall.sin(), tall.cos()], 1)[:, None].expand(rows, columns, -1)
    across = torch.cat([broad.sin(), broad.cos()], 1)[None].expand(rows, columns, -1)
    return torch.cat([down, across], -1).reshape(rows * columns, width)
