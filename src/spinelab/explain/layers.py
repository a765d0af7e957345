"""Inside a network: the filters of its first layer, and what its layers show of a film."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from spinelab.core import TaskError
from spinelab.explain.scoring import evaluating
from spinelab.nn.cam import in_place, transformer_of


@dataclass(frozen=True, eq=False)
class LayerPictures:
    """Some pictures of one layer: ``values`` ``(n, rows, columns)``, the channel of each, and how many channels the layer has."""

    layer: str
    values: NDArray[np.float32]
    channels: tuple[int, ...]
    of: int

    def mosaic(self, *, across: int = 8, enlarge: int = 1, signed: bool = False) -> NDArray[np.uint8]:
        """Return the pictures side by side, uint8: each from its own darkest to its own brightest; ``signed``: zero is middle grey."""
        tiles = [_grey(value, signed=signed) for value in self.values]
        tiles = [np.pad(np.kron(tile, np.ones((enlarge, enlarge), np.uint8)), 1) for tile in tiles]
        blank = np.zeros_like(tiles[0])
        tiles += [blank] * (-len(tiles) % min(across, len(tiles)))
        wide = min(across, len(tiles))
        return np.vstack([np.hstack(tiles[i : i + wide]) for i in range(0, len(tiles), wide)])


def first_layer_filters(net: nn.Module) -> list[LayerPictures]:
    """Return the filters of the first convolution of the network, or of each view's network, one picture an input channel.

    Filters of volumes are shown by their middle slice.

    Raises
    ------
    TaskError
        If the network has no convolution.
    """
    parts = getattr(net, "backbones", None)
    named = [(f"backbones.{n}.", part) for n, part in enumerate(parts)] if isinstance(parts, nn.ModuleList) else [("", net)]
    found = []
    for prefix, part in named:
        first = next(((name, m) for name, m in part.named_modules() if isinstance(m, nn.Conv2d | nn.Conv3d)), None)
        if first is None:
            raise TaskError("A network without convolutions", expected="a convolution or a patch embedding", action="leave this picture out")
        weight = first[1].weight.detach().float().cpu().numpy()
        flat = weight[:, :, weight.shape[2] // 2] if weight.ndim == 5 else weight
        found.append(LayerPictures(prefix + first[0], flat.reshape(-1, *flat.shape[2:]), tuple(range(flat.shape[0] * flat.shape[1])), len(weight)))
    return found


def feature_maps(net: nn.Module, pixels: Tensor, available: Tensor, *, most: int = 16, layers: Sequence[str] | None = None) -> list[LayerPictures]:
    """Return what layers show of the first film, in the order of the network: the channels that vary most, at most ``most`` a layer.

    By default the last layer of each resolution; four blocks of a transformer. ``layers`` names others, as ``named_modules`` does. Volumes are shown by
    their middle slice.
    """
    kept: dict[str, Tensor] = {}
    wanted = set(layers) if layers is not None else _blocks(net)
    names = {name for name, _ in net.named_modules()}
    if wanted is not None and not wanted <= names:
        raise TaskError(
            f"Layers {', '.join(sorted(wanted - names))}", expected=f"some of {', '.join(sorted(names - {''})[:8])}, ...", action="correct the names"
        )
    with ExitStack() as stack, torch.no_grad(), evaluating(net):
        for name, module in net.named_modules():
            if name and (wanted is None or name in wanted):
                stack.callback(module.register_forward_hook(_keeper(net, name, kept, pixels)).remove)
        net(pixels[:1], available[:1])
    if wanted is None:
        kept = _last_of_each_size(kept)
    return [_most_varied(name, values[0], most) for name, values in kept.items()]


def _keeper(net: nn.Module, name: str, kept: dict[str, Tensor], pixels: Tensor) -> Any:
    def hook(_module: nn.Module, _inputs: Any, output: Any) -> None:
        fits = isinstance(output, Tensor) and (output.ndim == pixels.ndim or (output.ndim == 3 and transformer_of(net) is not None))
        if fits:
            maps = in_place(net, output.detach(), pixels.shape[2:]).float().cpu().clone()
            if min(maps.shape[2:]) > 1:
                kept.pop(name, None)
                kept[name] = maps

    return hook


def _blocks(net: nn.Module) -> set[str] | None:
    transformer = transformer_of(net)
    if transformer is None:
        return None
    depth = len(transformer.blocks)
    chosen = {id(transformer.blocks[i]) for i in {max(0, depth * q // 4 - 1) for q in (1, 2, 3, 4)}}
    return {name for name, module in net.named_modules() if id(module) in chosen}


def _last_of_each_size(kept: dict[str, Tensor]) -> dict[str, Tensor]:
    last: dict[tuple[int, ...], str] = {}
    for name, maps in kept.items():
        last[tuple(maps.shape[2:])] = name
    return {name: maps for name, maps in kept.items() if name in set(last.values())}


def _most_varied(name: str, maps: Tensor, most: int) -> LayerPictures:
    flat = maps[:, maps.shape[1] // 2] if maps.ndim == 4 else maps
    chosen = flat.flatten(1).var(dim=1).topk(min(most, len(flat))).indices.sort().values
    return LayerPictures(name, flat[chosen].numpy().astype(np.float32), tuple(chosen.tolist()), len(flat))


def _grey(value: NDArray[np.float32], *, signed: bool) -> NDArray[np.uint8]:
    low, high = float(value.min()), float(value.max())
    if signed:
        high = max(abs(low), abs(high))
        low = -high
    share = (value - low) / (high - low) if high > low else np.full_like(value, 0.5)
    return np.round(255 * share).astype(np.uint8)
