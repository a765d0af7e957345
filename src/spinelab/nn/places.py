"""Where on the film the cells of a feature map lie.

A cell of a map does not lie where it would if the map were the film made smaller. A convolution of odd width with stride 2 and padding sees around every
second pixel, beginning with the very first, so after five of them (a ResNet) cell 0 looks around pixel 0 and not around pixel 15.5: a map that is simply
enlarged shows everything half a cell too far to the right and below. Windows of even width (pooling 2 x 2, patches) lie as one expects. Steps and first
cells are therefore worked out layer by layer (Araujo et al. 2019, "Computing receptive fields of convolutional neural networks", Distill,
doi:10.23915/distill.00021).
"""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvTransposeNd

Size = tuple[int, ...]
Axes = tuple[tuple[float, float], ...]
"""For each axis where the first cell looks, and how far it is to the next one, in pixels of the film."""

_KNOWN: weakref.WeakKeyDictionary[nn.Module, dict[Size, dict[Size, Axes]]] = weakref.WeakKeyDictionary()


@contextmanager
def placing(net: nn.Module, film: Sequence[int]) -> Iterator[Mapping[Size, Axes]]:
    """Learn from the pass made inside where maps of each size look; from the second time on it is known.

    ``film`` are rows and columns (slices first in a volume). Maps whose way from the film cannot be followed are not among the answers.
    """
    shape = tuple(int(n) for n in film)
    known = _KNOWN.setdefault(net, {})
    if shape in known:
        yield known[shape]
        return
    found: dict[Size, Axes] = {shape: ((0.0, 1.0),) * len(shape)}
    with ExitStack() as stack:
        for module in net.modules():
            if hasattr(module, "kernel_size") and hasattr(module, "stride") and not isinstance(module, _ConvTransposeNd):
                stack.callback(module.register_forward_hook(_follow(found)).remove)
        yield found
    known[shape] = found


def centred(cells: Sequence[int], film: Sequence[int]) -> Axes:
    """Return where the cells of a map look that is the film made smaller."""
    return tuple(((pixels / n - 1) / 2, pixels / n) for n, pixels in zip(cells, film, strict=True))


def spread(maps: Tensor, film: Sequence[int], places: Mapping[Size, Axes] | None = None) -> Tensor:
    """Return maps ``(B, channels, ...)`` enlarged to the film, linearly between the places where their cells look, and as the outermost cells beyond these."""
    size = tuple(maps.shape[2:])
    for axis, (place, pixels) in enumerate(zip((places or {}).get(size) or centred(size, film), film, strict=True), start=2):
        weights = _weights(int(pixels), int(size[axis - 2]), *place).to(maps)
        maps = (maps.movedim(axis, -1) @ weights).movedim(-1, axis)
    return maps


@functools.lru_cache(maxsize=64)
def _weights(pixels: int, cells: int, first: float, step: float) -> Tensor:
    """Return the shares ``(cells, pixels)`` that the cells have in each pixel; not to be written to."""
    at = ((torch.arange(pixels) - first) / step).clamp(0, cells - 1)
    return (1 - (at - torch.arange(cells)[:, None]).abs()).clamp_min(0)


def _follow(found: dict[Size, Axes]) -> Callable[[Any, Any, Any], None]:
    def hook(module: Any, inputs: Any, output: Any) -> None:
        before, after = tuple(inputs[0].shape[2:]), tuple(output.shape[2:])
        if before in found and after not in found and len(before) == len(after):
            axes = [_onward(module, n, before[n], after[n], found[before][n]) for n in range(len(before))]
            if all(axis is not None for axis in axes):
                found[after] = tuple(axis for axis in axes if axis is not None)

    return hook


def _onward(module: Any, axis: int, before: int, after: int, place: tuple[float, float]) -> tuple[float, float] | None:
    """Return where the cells behind a window look; nothing where its size is not what its settings make it, as with padding of its own."""
    kernel, stride, padding, dilation = (
        _of(getattr(module, name, default), axis) for name, default in (("kernel_size", 1), ("stride", 1), ("padding", 0), ("dilation", 1))
    )
    reach = dilation * (kernel - 1)
    if padding < 0 or (before + 2 * padding - reach - 1) // stride + 1 != after:
        return None
    first, step = place
    return first + (reach / 2 - padding) * step, step * stride


def _of(value: Any, axis: int) -> int:
    """Return a setting for one axis; -1 for padding that is told by a word."""
    if isinstance(value, str):
        return -1
    return int(value[axis] if isinstance(value, Sequence) else value)
