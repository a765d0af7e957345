"""The bodies of the grading networks: from normalised pictures ``(B, C, H, W)`` to feature maps, or to a vector where they work with tokens."""

from __future__ import annotations

import difflib
import functools
import itertools
from typing import Any, Final

import torch
from torch import Tensor, nn

from spinelab.core import TaskError

WIDTHS: Final = (32, 64, 128)
COARSE_PATCHES_PX: Final = 128
"""Pictures of this side or more keep the transformer's own patches; smaller ones get patches of 8 x 8 pixels, so that there is something to attend to."""


def plain_blocks(channels: int, *, modified: bool) -> tuple[nn.Sequential, int]:
    """Return three blocks and their width: convolution, ReLU, pooling; ``modified``: convolution, GELU, layer normalisation, pooling.

    The layer normalisation is over channels, rows and columns with a scale a channel, so that it takes any size of picture.
    """
    blocks = []
    for before, after in itertools.pairwise((channels, *WIDTHS)):
        between = [nn.GELU(), nn.GroupNorm(1, after)] if modified else [nn.ReLU(inplace=True)]
        blocks.append(nn.Sequential(nn.Conv2d(before, after, 3, padding=1), *between, nn.MaxPool2d(2, ceil_mode=True)))
    return nn.Sequential(*blocks), WIDTHS[-1]


class InceptionModule(nn.Module):
    """Four ways of looking, side by side: 1x1; 1x1 then 3x3; 1x1 then 5x5; 3x3 max-pool then 1x1 (Szegedy et al. 2015, arXiv:1409.4842).

    The widths are those of GoogLeNet's module 3a for 192 channels in.
    """

    width = 64 + 128 + 32 + 32

    def __init__(self, before: int) -> None:
        super().__init__()
        self.one = _conv(before, 64, 1)
        self.three = nn.Sequential(_conv(before, 96, 1), _conv(96, 128, 3))
        self.five = nn.Sequential(_conv(before, 16, 1), _conv(16, 32, 5))
        self.pool = nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1), _conv(before, 32, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Return ``(B, 256, h, w)``."""
        return torch.cat([self.one(x), self.three(x), self.five(x), self.pool(x)], dim=1)


class Inception(nn.Sequential):
    """A convolutional stem and one inception module."""

    width = InceptionModule.width

    def __init__(self, channels: int) -> None:
        super().__init__(_conv(channels, 32, 7, 2), nn.MaxPool2d(2, ceil_mode=True), _conv(32, 64, 3), nn.MaxPool2d(2, ceil_mode=True), InceptionModule(64))


class VGG16Features(nn.Module):
    """The convolutions of VGG-16 (Simonyan and Zisserman 2015, arXiv:1409.1556), named as in timm, so that its weights fit."""

    width = 512
    plan: Final = (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0)
    """Channels of each convolution; 0 is a pooling."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for wide in self.plan:
            layers += [nn.Conv2d(channels, wide, 3, padding=1), nn.ReLU(inplace=True)] if wide else [nn.MaxPool2d(2, ceil_mode=True)]
            channels = wide or channels
        self.features = nn.Sequential(*layers)
        self.pretrained_cfg: dict[str, Any] = {"first_conv": "features.0"}
        for layer in layers:
            if isinstance(layer, nn.Conv2d):  # with torch's own start, thirteen layers without normalisation let nothing through
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
                nn.init.zeros_(torch.as_tensor(layer.bias))
        fit_first_layer(self, self.features[0].in_channels)  # type: ignore[arg-type]
        self.register_load_state_dict_pre_hook(_convolutions_only)  # type: ignore[no-untyped-call]

    def forward(self, x: Tensor) -> Tensor:
        """Return ``(B, 512, H / 32, W / 32)``."""
        maps: Tensor = self.features(x)
        return maps


def token_body(name: str, channels: int, side: int) -> nn.Module:
    """Return a vision transformer of timm for pictures of one size, giving the vector that its own head would read.

    For `vit` that is a convolution as patch embedding, learnt positions, the encoder and the class token, as in the source.

    Raises
    ------
    TaskError
        If it cannot be made for this size.
    """
    import timm

    patch = {} if side >= COARSE_PATCHES_PX else {"patch_size": 8}
    try:
        body: nn.Module = timm.create_model(name, pretrained=False, in_chans=channels, num_classes=0, img_size=side, **patch)
    except (AssertionError, TypeError, ValueError, RuntimeError) as error:
        given = f"model={name!r}, side={side}: {error}"
        raise TaskError(given, expected="a transformer that takes pictures of this size", action="choose another size or network") from error
    body.register_load_state_dict_pre_hook(_fit_patches)  # type: ignore[no-untyped-call]
    return body


@functools.cache
def is_of_tokens(name: str) -> bool:
    """Return whether timm's ``name`` is a plain vision transformer; raises `TaskError` if timm does not know it."""
    import timm

    if not timm.is_model(name):
        close = (difflib.get_close_matches(name, timm.list_models(), n=1) or ["resnet18"])[0]
        raise TaskError(f"model='timm:{name}'", expected="a name that the installed timm knows", action=f"did you mean timm:{close}?")
    return any(timm.models.get_arch_name(name) in timm.list_models(module=module) for module in ("vision_transformer", "deit"))


def fit_first_layer(body: nn.Module, channels: int) -> None:
    """Let weights for a grey film start a body with several channels: each gets the same share."""
    first = f"{getattr(body, 'pretrained_cfg', {}).get('first_conv')}.weight"

    def spread(_module: nn.Module, tensors: dict[str, Tensor], prefix: str, *_rest: Any) -> None:
        held = tensors.get(prefix + first)
        if held is not None and held.shape[1] == 1 < channels:
            tensors[prefix + first] = held.expand(-1, channels, -1, -1) / channels

    body.register_load_state_dict_pre_hook(spread)  # type: ignore[no-untyped-call]


def _convolutions_only(_module: nn.Module, tensors: dict[str, Tensor], prefix: str, *_rest: Any) -> None:
    """Drop what follows the convolutions in timm's VGG-16."""
    for name in [name for name in tensors if name.startswith((prefix + "pre_logits.", prefix + "head."))]:
        del tensors[name]


def _fit_patches(module: Any, tensors: dict[str, Tensor], prefix: str, *_rest: Any) -> None:
    """Take weights that were made for one channel, another size of picture or other patches."""
    from timm.layers import resample_abs_pos_embed, resample_patch_embed

    positions, kernel = f"{prefix}pos_embed", f"{prefix}patch_embed.proj.weight"
    if positions in tensors and tensors[positions].shape != module.pos_embed.shape:
        tensors[positions] = resample_abs_pos_embed(tensors[positions], module.patch_embed.grid_size, num_prefix_tokens=module.num_prefix_tokens)
    if kernel in tensors:
        wanted, held = module.patch_embed.proj.weight.shape, tensors[kernel]
        held = resample_patch_embed(held, list(wanted[-2:])) if held.shape[-2:] != wanted[-2:] else held
        tensors[kernel] = held.expand(-1, wanted[1], -1, -1) / wanted[1] if held.shape[1] == 1 < wanted[1] else held


def _conv(before: int, after: int, kernel: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(before, after, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(after), nn.ReLU(inplace=True))
