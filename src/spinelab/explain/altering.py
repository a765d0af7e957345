"""Methods that alter the film and look at the answer: Score-CAM and occlusion. They need no gradients."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from spinelab.core import TaskError
from spinelab.explain.scoring import BATCH, class_of, evaluating, scores, seen_together
from spinelab.nn.cam import EVERY, cam_layers, in_place, remember_cells, to_one
from spinelab.nn.places import Axes, Size, placing, spread

WINDOWS_ACROSS: Final = 8
"""Windows side by side in an occlusion map, before they overlap."""
FLAT: Final = 1e-8


def scorecam(
    net: nn.Module,
    pixels: Tensor,
    available: Tensor,
    class_index: Tensor | int | None = None,
    *,
    layers: Sequence[nn.Module] | None = None,
    columns: slice = EVERY,
    most: int | None = None,
) -> tuple[NDArray[np.float32], Tensor]:
    """Return Score-CAM maps (Wang et al. 2020, arXiv:1910.01279) and logits; arguments and answer are those of `gradcam`.

    Each feature map, stretched to [0, 1], is laid over the film as a stencil; it weighs by the softmax over all maps of the class's logit for that film.
    One pass a channel: ``most`` keeps only the channels that vary most.
    """
    with evaluating(net), torch.no_grad():
        chosen = list(layers) if layers is not None else cam_layers(net, pixels, available)
        logits, index = class_of(net, pixels, available, class_index, columns)
        heat = np.zeros(pixels.shape, np.float32)
        for b in range(len(pixels)):
            film, there = pixels[b : b + 1], available[b : b + 1]
            with placing(net, film.shape[2:]) as places, _outputs(chosen) as maps:
                net(film, there)
            for place, layer_map in enumerate(maps):
                views = list(range(pixels.shape[1])) if len(chosen) == 1 and pixels.shape[1] > 1 else [place]
                if layer_map is not None and bool(there[0, views].any()):
                    stencils = in_place(net, layer_map, pixels.shape[2:])
                    remember_cells(chosen[place], pixels.shape[2:], stencils.shape[2:])
                    heat[b, views] = _stencilled(net, film, there, views, stencils, int(index[b]), most, places)
    heat[~available.cpu().numpy()] = 0
    return heat, logits


def _stencilled(
    net: nn.Module, film: Tensor, there: Tensor, views: list[int], maps: Tensor, column: int, most: int | None, places: Mapping[Size, Axes]
) -> NDArray[np.float32]:
    if most is not None and most < maps.shape[1]:
        maps = maps[:, maps.flatten(2).var(dim=2)[0].topk(most).indices]
    found = []
    for part in torch.split(maps[0], BATCH):
        large = spread(part[None].float(), film.shape[2:], places)[0]
        low, high = large.flatten(1).amin(dim=1), large.flatten(1).amax(dim=1)
        shape = (-1, *[1] * (large.ndim - 1))
        stencils = (large - low.reshape(shape)) / (high - low + FLAT).reshape(shape)
        films = film.float().repeat(len(part), *[1] * (film.ndim - 1))
        films[:, views] *= stencils[:, None]
        found.append(scores(net, films, there, column))
    weights = torch.cat(found).softmax(dim=0)
    cam = torch.relu(torch.einsum("c,c...->...", weights, maps[0].float()))
    picture: NDArray[np.float32] = to_one(spread(cam[None, None], film.shape[2:], places)[0]).cpu().numpy()
    return picture


def occlusion(
    net: nn.Module,
    pixels: Tensor,
    available: Tensor,
    class_index: Tensor | int | None = None,
    *,
    window: int | None = None,
    stride: int | None = None,
    fill: float | None = None,
    columns: slice = EVERY,
) -> tuple[NDArray[np.float32], Tensor]:
    """Return how much the class's logit falls when a window of the film is covered (Zeiler and Fergus 2014, arXiv:1311.2901), and logits.

    Parameters
    ----------
    window, stride
        Side of the window and its step in pixels; by default an eighth of the film's longest side, and half of the window.
    fill
        Grey level of the cover; by default the film's own mean.

    Raises
    ------
    TaskError
        If the window or its step is not between one pixel and the film's side.
    """
    shape = pixels.shape[2:]
    side = window if window is not None else max(2, max(shape) // WINDOWS_ACROSS)
    step = stride if stride is not None else max(1, side // 2)
    if not 1 <= side <= max(shape) or not 1 <= step <= side:
        raise TaskError(f"A window of {side} pixels moved by {step}", expected=f"1 to {max(shape)} pixels, moved by at most its side", action="choose others")
    with evaluating(net):
        logits, index = class_of(net, pixels, available, class_index, columns)
        heat = np.zeros(pixels.shape, np.float32)
        for b in range(len(pixels)):
            groups = [list(range(pixels.shape[1]))] if seen_together(net, pixels.shape[1]) else [[v] for v in range(pixels.shape[1])]
            for views in groups:
                if bool(available[b, views].any()):
                    film, there = pixels[b : b + 1], available[b : b + 1]
                    heat[b, views] = _covered(net, film, there, views, int(index[b]), (side, step, fill)).cpu().numpy()
    heat[~available.cpu().numpy()] = 0
    return heat, logits


def _covered(net: nn.Module, film: Tensor, there: Tensor, views: list[int], column: int, how: tuple[int, int, float | None]) -> Tensor:
    side, step, fill = how
    shape = film.shape[2:]
    corners = list(itertools.product(*(_starts(n, side, step) for n in shape)))
    whole = scores(net, film, there, column)
    grey = fill if fill is not None else float(film[:, views].float().mean())
    total, times = torch.zeros(shape), torch.zeros(shape)
    for part in (corners[i : i + BATCH] for i in range(0, len(corners), BATCH)):
        films = film.float().repeat(len(part), *[1] * (film.ndim - 1))
        for one, corner in zip(films, part, strict=True):
            one[(views, *(slice(c, c + side) for c in corner))] = grey
        falls = (whole - scores(net, films, there, column)).cpu()
        for fall, corner in zip(falls, part, strict=True):
            where = tuple(slice(c, c + side) for c in corner)
            total[where] += fall
            times[where] += 1
    return to_one((total / times)[None])[0]


def _starts(length: int, side: int, step: int) -> list[int]:
    """Return where windows begin along one axis, so that every pixel is covered at least once."""
    last = max(0, length - side)
    return sorted({*range(0, last + 1, step), last})


@contextmanager
def _outputs(layers: Sequence[nn.Module]) -> Iterator[list[Tensor | None]]:
    """Collect what the layers give."""
    maps: list[Tensor | None] = [None] * len(layers)

    def keep(place: int) -> Callable[..., None]:
        def hook(_module: nn.Module, _inputs: Any, output: Tensor) -> None:
            maps[place] = output.detach().clone()  # a layer after it may work in place

        return hook

    with ExitStack() as stack:
        for place, layer in enumerate(layers):
            stack.callback(layer.register_forward_hook(keep(place)).remove)
        yield maps
