"""Feature extractors: uint8 film in, feature maps or a feature vector out; normalisation is part of the network."""

from __future__ import annotations

import difflib
import itertools
from typing import Final

import torch
from torch import Tensor, nn

from spinelab.core import TaskError
from spinelab.nn.names import NAMES, check_name, timm_name

GREY_MEAN: Final = (0.485 + 0.456 + 0.406) / 3
GREY_STD: Final = (0.229 + 0.224 + 0.225) / 3
"""ImageNet's channel means and deviations, averaged: what pretrained weights expect of a grey picture in [0, 1]."""


class SimpleCNN(nn.Sequential):
    """Four blocks of convolution, batch normalisation, ReLU and pooling, trained from scratch.

    The source paper names such a network without giving its widths; 16, 32, 64 and 128 channels are ours.
    """

    num_features = 128

    def __init__(self, in_chans: int = 1) -> None:
        widths = (in_chans, 16, 32, 64, self.num_features)
        super().__init__(*(_block(before, after) for before, after in itertools.pairwise(widths)))


def _block(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, 3, padding=1, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2, ceil_mode=True),
    )


class Backbone(nn.Module):
    """A convolutional network without its head.

    Parameters
    ----------
    name
        As in the settings; pretrained weights are found by it.
    body
        Module from ``(B, 1, S, S)`` floats to feature maps ``(B, width, h, w)``.
    width
        Length of the feature vector.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, name: str, body: nn.Module, width: int) -> None:
        super().__init__()
        self.name, self.body, self.width = name, body, width
        self.register_buffer("mean", torch.tensor(GREY_MEAN))
        self.register_buffer("std", torch.tensor(GREY_STD))

    def normalise(self, film: Tensor) -> Tensor:
        """Return ``film`` ``(B, S, S)`` uint8 as ``(B, 1, S, S)`` floats in the range that pretrained weights expect."""
        x = film.unsqueeze(1).to(self.mean.dtype).div_(255)
        return x.sub_(self.mean).div_(self.std).contiguous(memory_format=torch.channels_last)

    def forward(self, film: Tensor) -> Tensor:
        """Return one feature vector ``(B, width)`` a film ``(B, S, S)``."""
        maps: Tensor = self.body(self.normalise(film))
        return maps.mean(dim=(2, 3))


def backbone(name: str, *, in_chans: int = 1) -> Backbone:
    """Return an untrained feature extractor; `start_from` gives it pretrained weights.

    Raises
    ------
    TaskError
        If nobody knows the name, or if the network has no feature maps (a transformer of tokens).
    """
    check_name(name)
    if name == "simple-cnn":
        return Backbone(name, SimpleCNN(in_chans), SimpleCNN.num_features)
    body = _timm_body(name, in_chans)
    return Backbone(name, body, int(body.num_features))  # type: ignore[arg-type]


def _timm_body(name: str, in_chans: int) -> nn.Module:
    import timm

    known = timm_name(name)
    if not timm.is_model(known):
        close = difflib.get_close_matches(known, timm.list_models(), n=1)
        hint = f"did you mean timm:{close[0]}?" if close else "look the name up in timm's own list"
        raise TaskError(f"model={name!r}", expected="a name that the installed timm knows", action=hint)
    body: nn.Module = timm.create_model(known, pretrained=False, in_chans=in_chans, num_classes=0, global_pool="")
    _require_feature_maps(name, body, in_chans)
    return body


def _require_feature_maps(name: str, body: nn.Module, in_chans: int) -> None:
    if name in NAMES:
        return
    with torch.no_grad():
        try:
            shape = tuple(body.eval()(torch.zeros(1, in_chans, 224, 224)).shape)
        except (RuntimeError, AssertionError) as error:
            raise TaskError(f"model={name!r}: {error}", expected="a network that takes 224 x 224 pixels", action="choose another network") from error
    body.train()
    if len(shape) != 4 or shape[1] != body.num_features:
        raise TaskError(
            f"model={name!r} gives features of shape {shape}",
            expected="a convolutional network with feature maps (channels, rows, columns)",
            action="choose a convolutional network, such as timm:convnext_atto",
        )
