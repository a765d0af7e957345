"""HiResCAM on fine feature maps: where within the neighbourhood that Grad-CAM points at.

The last feature maps of a convolutional network are coarse, and what they say of a place was gathered from around it. Earlier maps are finer and lie where
their pixels lie, so each cell's own part in the answer, feature times slope, is asked there. It takes a backward pass through the layers behind them.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from spinelab.explain.scoring import answer, evaluating
from spinelab.nn.cam import EVERY, cam_layers, class_activation, frozen, transformer_of

CELLS_ACROSS: Final = 32
"""Cells along the film's longest side: the layer has at least as many, and its map is smoothed by a Gaussian as wide as one of so many."""

_FINE: weakref.WeakKeyDictionary[nn.Module, dict[tuple[int, ...], list[nn.Module]]] = weakref.WeakKeyDictionary()


def hirescam(
    net: nn.Module,
    pixels: Tensor,
    available: Tensor,
    class_index: Tensor | int | None = None,
    *,
    layers: Sequence[nn.Module] | None = None,
    columns: slice = EVERY,
) -> tuple[NDArray[np.float32], Tensor]:
    """Return HiResCAM maps (Draelos and Carin 2020, arXiv:2011.08891) and logits; arguments and answer are those of `gradcam`.

    Every feature is multiplied by its own slope, place by place, and the products are summed over the channels. Strides leave a chequered pattern in the
    slopes of fine maps: what speaks for and against the class is smoothed together before the latter is cut off. ``layers`` are found by `fine_layers`.
    """
    chosen = list(layers) if layers is not None else fine_layers(net, pixels, available)
    return class_activation(net, (pixels, available), (class_index, columns), chosen, _place_by_place, behind_pools=False)


def fine_layers(net: nn.Module, pixels: Tensor, available: Tensor) -> list[nn.Module]:
    """Return for each of `cam_layers` the last layer before it with at least `CELLS_ACROSS` cells along the film's longest side, found once a network.

    Only a layer that the whole answer goes through will do: one of several branches, or one that a shortcut leads around, tells a part. Where none has so
    many cells the one with the most is taken. A transformer has one size of maps, and keeps its layer.
    """
    known = _FINE.setdefault(net, {})
    shape = tuple(pixels.shape[2:])
    if shape not in known:
        coarse = cam_layers(net, pixels, available)
        known[shape] = coarse if transformer_of(net) is not None else [_fine(net, layer, pixels[:1]) for layer in coarse]
    return known[shape]


def _fine(net: nn.Module, last: nn.Module, film: Tensor) -> nn.Module:
    """Return the layer for one view, whose last layer with maps is ``last``."""
    inner = [module for module in last.modules() if module is not last]
    cells: dict[nn.Module, int] = {}

    def remember(module: nn.Module, _inputs: Any, output: Any) -> None:
        if isinstance(output, Tensor) and output.ndim == film.ndim:
            cells.pop(module, None)  # the order is that of the last call
            cells[module] = max(output.shape[2:])

    with ExitStack() as stack:
        for module in inner or [m for m in net.modules() if m is not net]:
            stack.callback(module.register_forward_hook(remember).remove)
        stack.callback(last.register_forward_hook(remember).remove)
        with torch.no_grad():
            _pass(net, film)
    order = list(cells)[: list(cells).index(last) + 1]
    enough = min(CELLS_ACROSS, max(cells[module] for module in order))
    return next((module for module in reversed(order) if cells[module] >= enough and _everything_passes(net, module, last, film)), last)


def _everything_passes(net: nn.Module, layer: nn.Module, last: nn.Module, film: Tensor) -> bool:
    """Return whether nothing of the film reaches ``last`` but through ``layer``: cut off there, its maps no longer depend on the film."""
    depends: list[bool] = []

    def cut_off(_module: nn.Module, _inputs: Any, output: Tensor) -> Tensor:
        return output.detach()

    def arrive(_module: nn.Module, _inputs: Any, output: Tensor) -> None:
        depends.append(output.requires_grad)

    with ExitStack() as stack, frozen(net), torch.enable_grad():
        stack.callback(layer.register_forward_hook(cut_off).remove)
        stack.callback(last.register_forward_hook(arrive).remove)
        _pass(net, film.float().requires_grad_())
    return depends == [False]


def _pass(net: nn.Module, film: Tensor) -> None:
    with evaluating(net):
        answer(net, film, torch.ones(film.shape[:2], dtype=torch.bool, device=film.device))


def _place_by_place(maps: Tensor, slopes: Sequence[Tensor]) -> Tensor:
    from scipy.ndimage import gaussian_filter

    (slope,) = slopes
    products = (maps * slope).sum(dim=1, keepdim=True)
    width = max(products.shape[2:]) / CELLS_ACROSS
    # mirrored about the outermost cells, so that the pattern of the strides goes on beyond them
    smooth = gaussian_filter(products.cpu().numpy(), (0, 0, *[width] * (products.ndim - 2)), mode="mirror")
    return torch.from_numpy(smooth).to(products)
