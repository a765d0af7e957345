"""Networks that grade a picture of several channels: one body, one or two heads.

Sources: the severity study's five architectures (CNN, MCNN, ResNet-18, ViT, CKAN) and the two-head study's three (SimpleCNN, Inception, VGG-16). Neither
gives its widths; those here are ours and are counted in ``tests/nn/test_grading.py``. Any of them takes one head or several, and any size of picture
(the transformer: the size that it was made for).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

import torch
from torch import Tensor, nn

from spinelab.core import TaskError
from spinelab.nn.backbones import Backbone
from spinelab.nn.backbones import backbone as film_backbone
from spinelab.nn.cam import transformer_of
from spinelab.nn.grading_bodies import Inception, VGG16Features, fit_first_layer, is_of_tokens, plain_blocks, token_body
from spinelab.nn.kan import KAN
from spinelab.nn.names import ANY_TIMM, GRADING_NETWORKS, check_name
from spinelab.nn.ordinal import OrdinalHead

VIT: Final = "vit_tiny_patch16_224"
POOLED: Final = 4
"""Rows and columns that the flattened architectures keep of their feature maps: enough to tell left from right and above from below."""
KAN_RANGE: Final = 3.0
"""Grid of the first spline layer, in standard deviations of its normalised inputs."""
FOLLOW_AT: Final = (20, 100, 400)
"""Training steps at which CKAN's grids follow their inputs."""
DENSE: Final = {"cnn": (256, 64), "mcnn": (256, 64), "simple-cnn": (128, 64), "inception": (128,)}
"""Widths of the shared linear layers; with the last one of each head they are the sources' number."""


class ChannelBackbone(Backbone):
    """A `Backbone` whose pictures have channels: uint8 ``(B, C, H, W)``, neighbouring slices or a marker, in."""

    def normalise(self, film: Tensor) -> Tensor:
        """Return ``film`` as floats in the range that pretrained weights expect."""
        x = film.to(self.mean.dtype).div_(255)
        return x.sub_(self.mean).div_(self.std).contiguous(memory_format=torch.channels_last)

    def maps(self, film: Tensor, available: Tensor | None) -> Tensor:
        """Return feature maps ``(B, width, h, w)``, or vectors ``(B, width)`` of a transformer; missing channels are mean grey."""
        x = self.normalise(film)
        if available is not None:
            x = x * available.to(x.dtype)[:, :, None, None]
        maps: Tensor = self.body(x)
        return maps

    def forward(self, film: Tensor) -> Tensor:
        """Return one feature vector ``(B, width)`` a picture."""
        maps = self.maps(film, None)
        return maps.mean(dim=(2, 3)) if maps.ndim == 4 else maps


class GradingNet(nn.Module):
    """A body, layers that all heads share, and a head a question.

    Parameters
    ----------
    backbone
        Pictures to feature maps or vectors.
    neck
        Feature maps or vectors to ``(B, width)``.
    heads
        The last layers by name; their logits stand side by side in the answer, in this order.
    """

    def __init__(self, backbone: ChannelBackbone, neck: nn.Module, heads: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.backbone, self.neck, self.heads = backbone, neck, nn.ModuleDict(heads)
        self.columns: dict[str, slice] = {}

    def forward(self, pixels: Tensor, available: Tensor | None = None) -> Tensor:
        """Return logits ``(B, K)`` for uint8 ``pixels`` ``(B, C, H, W)``; bool ``available`` ``(B, C)`` tells which channels exist.

        With two heads the logits of the second follow those of the first: `columns` tells which is which, `split` takes them apart.
        """
        features = self.neck(self.backbone.maps(pixels, available))
        return torch.cat([head(features) for head in self.heads.values()], dim=1)

    def split(self, logits: Tensor) -> dict[str, Tensor]:
        """Return each head's own logits."""
        return {name: logits[:, where] for name, where in self.columns.items()}

    def cam_layers(self) -> list[nn.Module]:
        """Return the layer whose feature maps Grad-CAM weighs, the same for all channels."""
        transformer = transformer_of(self.backbone.body)
        # after the last block only the class token is read: what that block attends to is the last word on the patches
        return [self.backbone.body if transformer is None else transformer.blocks[-1].norm1]


def grading_net(name: str, heads: Mapping[str, int], *, channels: int = 1, side: int = 224, dropout: float = 0.4, ordinal: Collection[str] = ()) -> GradingNet:
    """Return an untrained network by name; `spinelab.nn.start_from` gives it pretrained weights where there are any.

    Parameters
    ----------
    name
        One of `GRADING_NETWORKS`, or ``timm:NAME`` for any backbone of timm, convolutional or of tokens.
    heads
        Classes of each question, such as ``{"condition": 5, "severity": 3}``.
    channels
        Channels of the picture.
    side
        Rows and columns of the picture in pixels; only transformers are bound to it.
    ordinal
        Heads that answer with an order (`OrdinalHead`): one logit less than classes.

    Raises
    ------
    TaskError
        If the name is unknown, a head has fewer than two classes, or a transformer cannot take pictures of this size.
    """
    check_name(name, GRADING_NETWORKS)
    if not heads or min(heads.values()) < 2 or not set(ordinal) <= set(heads):
        expected = "one head or more of two classes or more, and ordinal heads among them"
        raise TaskError(f"heads={dict(heads)}, ordinal={sorted(ordinal)}", expected=expected, action="correct the heads")
    body = _body(name, channels, side)
    neck, width = _neck(name, body, dropout)
    net = GradingNet(body, neck, {head: _head(name, width, classes, dropout, ordinal=head in ordinal) for head, classes in heads.items()})
    at = 0
    for head, classes in heads.items():
        wide = classes - (head in ordinal)
        net.columns[head] = slice(at, at + wide)
        at += wide
    return net


def _body(name: str, channels: int, side: int) -> ChannelBackbone:
    if name in {"cnn", "mcnn", "ckan", "simple-cnn"}:
        modified = name in {"mcnn", "ckan"}
        return ChannelBackbone(name, *plain_blocks(channels, modified=modified))
    if name == "inception":
        return ChannelBackbone(name, Inception(channels), Inception.width)
    if name == "vgg16":
        return ChannelBackbone(name, VGG16Features(channels), VGG16Features.width)
    wanted = VIT if name == "vit" else name.removeprefix(ANY_TIMM)
    if is_of_tokens(wanted):
        tokens = token_body(wanted, channels, side)
        return ChannelBackbone(f"{ANY_TIMM}{wanted}", tokens, int(tokens.num_features))  # type: ignore[arg-type]
    film = film_backbone(name, in_chans=channels)
    fit_first_layer(film.body, channels)
    return ChannelBackbone(film.name, film.body, film.width)


def _neck(name: str, body: ChannelBackbone, dropout: float) -> tuple[nn.Module, int]:
    if transformer_of(body.body) is not None:
        return nn.Dropout(dropout), body.width
    if name == "vgg16":
        return nn.Sequential(nn.AdaptiveAvgPool2d(POOLED), nn.Flatten()), body.width * POOLED**2
    if name not in {*DENSE, "ckan"}:
        return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(dropout)), body.width
    layers: list[nn.Module] = [nn.AdaptiveAvgPool2d(POOLED), nn.Flatten()]
    flat = body.width * POOLED**2
    if name == "ckan":
        # normalised, so that the curves' grid fits its inputs from the first step
        layers += [nn.Linear(flat, 64), nn.LayerNorm(64), nn.Dropout(dropout), KAN([64, 32], low=-KAN_RANGE, high=KAN_RANGE, follow_at=FOLLOW_AT)]
        return nn.Sequential(*layers), 32
    for wide in DENSE[name]:
        layers += [nn.Linear(flat, wide), nn.ReLU(inplace=True)]
        flat = wide
    return nn.Sequential(*layers, nn.Dropout(dropout)), flat


def _head(name: str, width: int, classes: int, dropout: float, *, ordinal: bool) -> nn.Module:
    if name == "vgg16":
        last = OrdinalHead(256, classes) if ordinal else nn.Linear(256, classes)
        return nn.Sequential(nn.Linear(width, 256), nn.ReLU(inplace=True), nn.Dropout(dropout), last)
    if ordinal:
        return OrdinalHead(width, classes)
    if name == "ckan":
        return KAN([width, classes], low=-KAN_RANGE, high=KAN_RANGE, follow_at=FOLLOW_AT)
    return nn.Linear(width, classes)
