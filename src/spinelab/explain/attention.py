"""Attention rollout: which patches a vision transformer's answer was gathered from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from spinelab.core import TaskError
from spinelab.explain.scoring import evaluating
from spinelab.nn.cam import EVERY, cam_layers, in_place, remember_cells, transformer_of
from spinelab.nn.places import spread


def attention_rollout(
    net: nn.Module,
    pixels: Tensor,
    available: Tensor,
    class_index: Tensor | int | None = None,  # noqa: ARG001 - as all methods are called
    *,
    columns: slice = EVERY,  # noqa: ARG001
) -> tuple[NDArray[np.float32], Tensor]:
    """Return maps of the attention of all layers multiplied (Abnar and Zuidema 2020, arXiv:2005.00928, section 3), and logits.

    Every patch gets some attention: a map begins at its own lowest value and is divided by its highest, so that it reaches 1 only where other places get
    none, and even attention is an empty map.

    In every layer the mean of the heads counts half and the path around the layer counts half. The map is that of the class token, or the mean over
    patches where there is none. It is the same for every class: ``class_index`` and ``columns`` change nothing.

    Raises
    ------
    TaskError
        If the network is no vision transformer of timm whose patches all see each other.
    """
    transformer = transformer_of(net)
    if transformer is None:
        raise TaskError("A network without attention", expected="a vision transformer of timm", action="choose Grad-CAM, Score-CAM or occlusion")
    with evaluating(net), torch.no_grad(), _attention(transformer) as layers:
        logits = net(pixels, available)
    tokens = transformer.num_prefix_tokens + int(np.prod(transformer.patch_embed.dynamic_feat_size(tuple(pixels.shape[2:]))))
    if len(layers) != len(transformer.blocks) or any(layer.shape[-1] != tokens for layer in layers):
        raise TaskError(
            "A transformer whose layers see only parts", expected="attention among all patches in every layer", action="choose Grad-CAM or occlusion"
        )
    rolled = torch.eye(tokens, device=logits.device).expand(len(logits), -1, -1)
    for layer in layers:
        rolled = (0.5 * layer.float().mean(dim=1) + 0.5 * torch.eye(tokens, device=logits.device)) @ rolled
    row = rolled[:, 0] if transformer.num_prefix_tokens else rolled.mean(dim=1)
    patches = in_place(net, row[:, :, None], pixels.shape[2:])
    remember_cells(cam_layers(net, pixels, available)[0], pixels.shape[2:], patches.shape[2:])
    heat = _above_lowest(spread(patches, pixels.shape[2:])[:, 0]).cpu().numpy()
    return np.where(available.cpu().numpy()[:, :, None, None], heat[:, None], np.float32(0)), logits


def _above_lowest(maps: Tensor) -> Tensor:
    """Return maps ``(B, rows, columns)`` less their lowest value, divided by their highest one."""
    low, high = maps.amin(dim=(1, 2), keepdim=True), maps.amax(dim=(1, 2), keepdim=True)
    return (maps - low) / high


@contextmanager
def _attention(transformer: Any) -> Iterator[list[Tensor]]:
    """Collect every layer's attention ``(B, heads, N, N)``, which timm works out in one piece with what follows unless told otherwise."""
    layers: list[Tensor] = []

    def keep(_module: nn.Module, inputs: Any, _output: Any) -> None:
        layers.append(inputs[0].detach())

    blocks = [block.attn for block in transformer.blocks if hasattr(block, "attn") and hasattr(block.attn, "attn_drop")]
    before = [block.fused_attn for block in blocks]
    with ExitStack() as stack:
        for block in blocks:
            block.fused_attn = False
            stack.callback(block.attn_drop.register_forward_hook(keep).remove)
        try:
            yield layers
        finally:
            for block, fused in zip(blocks, before, strict=True):
                block.fused_attn = fused
