"""Grad-CAM (Selvaraju et al., 2017): which parts of the film raised the score of a class.

Only the head is differentiated: the maps come from one forward pass, and the graph starts at the last feature maps, or behind the average pool that takes
them in. Films may be flat or volumes, of any shape; the tokens of a transformer are put back into their rows and columns. `class_activation` is the way
that other methods with feature maps and slopes take too.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from spinelab.core import TaskError
from spinelab.nn.places import Axes, Size, placing, spread

EVERY: Final = slice(None)
_AVERAGE_POOLS: Final = (nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d)
_CELLS: weakref.WeakKeyDictionary[nn.Module, dict[Size, int]] = weakref.WeakKeyDictionary()
"""By layer and shape of the film: the cells of its maps along the longest side."""

Weigh = Callable[[Tensor, Sequence[Tensor]], Tensor]
"""Feature maps ``(B, channels, ...)`` and the parts of their gradient to one map ``(B, 1, ...)``."""


def gradcam(
    net: nn.Module,
    pixels: Tensor,
    available: Tensor,
    class_index: Tensor | int | None = None,
    *,
    layers: Sequence[nn.Module] | None = None,
    columns: slice = EVERY,
) -> tuple[NDArray[np.float32], Tensor]:
    """Return one heatmap a film and the logits.

    Parameters
    ----------
    pixels, available
        As the network takes them: uint8 ``(B, V, rows, columns)`` or ``(B, V, slices, rows, columns)``, and bool ``(B, V)``.
    class_index
        The logit to explain, one for all or one a study; by default the highest one.
    layers
        Layers whose feature maps are weighed, one a view or one for all; found by `cam_layers` by default.
    columns
        The logits among which the highest one is looked for: those of one head, where a network has several.

    Returns
    -------
    heat
        Shaped as ``pixels``, in [0, 1], each map divided by its own maximum; zero where a view is missing or nothing speaks for the class.
    logits
        ``(B, K)``, the same as without the explanation.
    """
    chosen = list(layers) if layers is not None else cam_layers(net, pixels, available)
    return class_activation(net, (pixels, available), (class_index, columns), chosen, _by_mean_slope, behind_pools=True)


def class_activation(
    net: nn.Module, films: tuple[Tensor, Tensor], logit: tuple[Tensor | int | None, slice], layers: Sequence[nn.Module], weigh: Weigh, *, behind_pools: bool
) -> tuple[NDArray[np.float32], Tensor]:
    """Return the maps that ``weigh`` makes of feature maps and their gradients, laid over the films, and the logits; as from `gradcam`.

    ``films`` are pixels and availability, ``logit`` is the class index and the columns among which it is looked for. With ``behind_pools`` the graph begins
    behind an average pool that takes the maps in, where there is one: the sums of their gradients are right, the gradients themselves are not known.
    """
    pixels, available = films
    shape = pixels.shape[2:]
    with evaluating(net), frozen(net), placing(net, shape) as places, _starts(net, layers, behind_pools=behind_pools) as starts, torch.enable_grad():
        logits = net(pixels, available)
        index = chosen_class(logits, *logit)
        leaves = [leaf for start in starts if start is not None for leaf in start.leaves]
        gradients = iter(torch.autograd.grad(logits.gather(1, index).sum(), leaves, allow_unused=True))
    found = [None if start is None else _weighed(net, start, [next(gradients) for _ in start.leaves], shape, weigh) for start in starts]
    for layer, maps in zip(layers, found, strict=True):
        if maps is not None:
            remember_cells(layer, shape, maps.shape[2:])
    return _heat(found, available, shape, places), logits.detach()


def remember_cells(layer: nn.Module, film: Sequence[int], cells: Sequence[int]) -> None:
    """Remember for `cell_px` how many cells a layer's maps of such a film have."""
    _CELLS.setdefault(layer, {})[tuple(film)] = max(cells)


def cell_px(layers: Sequence[nn.Module], film: Sequence[int]) -> float | None:
    """Return how many pixels of the film a cell of these layers' maps stands for, along its longest side; ``None`` where no map of them was made yet."""
    cells = [_CELLS[layer][tuple(film)] for layer in layers if tuple(film) in _CELLS.get(layer, {})]
    return max(film) / min(cells) if cells else None


def cam_layers(net: nn.Module, pixels: Tensor, available: Tensor) -> list[nn.Module]:
    """Return the layers to explain: the network's own choice, or the last one with feature maps before pooling takes them.

    Raises
    ------
    TaskError
        If no layer gives maps ``(B, channels, rows, columns)``, or of a volume, of more than one pixel.
    """
    own = getattr(net, "cam_layers", None)
    if callable(own):
        return list(own())
    transformer = transformer_of(net)
    if transformer is not None:
        return [transformer.blocks[-1].norm1]
    seen: list[nn.Module] = []

    def remember(module: nn.Module, _inputs: Any, output: Any) -> None:
        if isinstance(output, Tensor) and output.ndim == pixels.ndim and min(output.shape[2:]) > 1:
            seen.append(module)

    with ExitStack() as stack, evaluating(net), torch.no_grad():
        for module in net.modules():
            if module is not net:
                stack.callback(module.register_forward_hook(remember).remove)
        net(pixels[:1], available[:1])
    if not seen:
        raise TaskError("A network without feature maps", expected="a convolutional network", action="explain a convolutional network")
    return [seen[-1]]


@contextmanager
def evaluating(net: nn.Module) -> Iterator[None]:
    """Put a network into evaluation mode, and each of its parts back into the mode that it was in; costs nothing where all are in it already."""
    training = [module for module in net.modules() if module.training]
    for module in training:
        module.training = False
    try:
        yield
    finally:
        for module in training:
            module.training = True


@contextmanager
def frozen(net: nn.Module) -> Iterator[None]:
    """Keep the weights out of the graph, so that nothing before the hooked layers is differentiated."""
    trainable = [p for p in net.parameters() if p.requires_grad]
    for p in trainable:
        p.requires_grad = False
    try:
        yield
    finally:
        for p in trainable:
            p.requires_grad = True


@dataclass(frozen=True, eq=False)
class _Start:
    """Where the graph begins: feature maps, as the rest of the network is given them, and what average pools make of them.

    Grad-CAM asks of a map's gradient its mean alone. A cell of an average pool passes its gradient on in shares that add up to 1, so the sum over the map is
    the sum over the cells, and the pool itself need not be differentiated.
    """

    maps: Tensor
    given: Tensor
    pooled: list[Tensor] = field(default_factory=list)

    @property
    def leaves(self) -> list[Tensor]:
        return [self.maps, *self.pooled]


def _weighed(net: nn.Module, start: _Start, gradients: Sequence[Tensor | None], film: Sequence[int], weigh: Weigh) -> Tensor | None:
    """Return one map ``(B, 1, ...)`` of a layer's feature maps; ``None`` where nothing depends on them."""
    slopes = [in_place(net, gradient, film) for gradient in gradients if gradient is not None]
    return weigh(in_place(net, start.maps.detach(), film), slopes) if slopes else None


def _by_mean_slope(maps: Tensor, slopes: Sequence[Tensor]) -> Tensor:
    """Return the maps' sum, each weighed by the mean of its gradient; the maps are not copied, in whatever order they lie in memory."""
    cells = maps.movedim(1, -1).flatten(1, -2)
    weights = torch.stack([slope.sum(dim=tuple(range(2, slope.ndim))) for slope in slopes]).sum(dim=0) / cells.shape[1]
    return (cells @ weights[:, :, None]).reshape(len(maps), 1, *maps.shape[2:])


@contextmanager
def _starts(net: nn.Module, layers: Sequence[nn.Module], *, behind_pools: bool) -> Iterator[list[_Start | None]]:
    """Let the graph begin at each layer's output, or behind the average pools that take it in, and collect both."""
    starts: list[_Start | None] = [None] * len(layers)

    def begin(place: int) -> Callable[..., Tensor]:
        def hook(_module: nn.Module, _inputs: Any, output: Tensor) -> Tensor:
            leaf = output.detach().requires_grad_()
            given = leaf.clone()  # a layer after it may work in place
            starts[place] = _Start(leaf, given)
            return given

        return hook

    def behind(_module: nn.Module, inputs: Any, output: Tensor) -> Tensor:
        start = next((s for s in starts if s is not None and s.given is inputs[0]), None)
        if start is None:
            return output
        leaf = output.detach().requires_grad_()
        start.pooled.append(leaf)
        return leaf.clone()

    with ExitStack() as stack:
        for place, layer in enumerate(layers):
            stack.callback(layer.register_forward_hook(begin(place)).remove)
        for module in net.modules():
            if behind_pools and isinstance(module, _AVERAGE_POOLS):
                stack.callback(module.register_forward_hook(behind).remove)
        yield starts


def chosen_class(logits: Tensor, class_index: Tensor | int | None, columns: slice = EVERY) -> Tensor:
    """Return the logit ``(B, 1)`` to explain: the one asked for, or the highest of these columns."""
    if class_index is None:
        return logits[:, columns].argmax(dim=1, keepdim=True) + (columns.start or 0)
    if isinstance(class_index, int):
        return torch.full((len(logits), 1), class_index, device=logits.device)
    return class_index.to(logits.device).reshape(-1, 1)


def transformer_of(net: nn.Module) -> Any:
    """Return the vision transformer inside a network, as timm builds them, or ``None``."""
    return next((m for m in net.modules() if all(hasattr(m, part) for part in ("blocks", "patch_embed", "num_prefix_tokens"))), None)


def in_place(net: nn.Module, values: Tensor, shape: Sequence[int]) -> Tensor:
    """Return feature maps ``(B, channels, ...)`` as they are, and tokens ``(B, N, channels)`` as maps: class tokens left out, patches in rows and columns.

    ``shape`` is that of the film.
    """
    if values.ndim != 3:
        return values
    transformer = transformer_of(net)
    if transformer is None:
        raise TaskError("Features in a row, of an unknown order", expected="feature maps, or a vision transformer of timm", action="name another layer")
    patches = values[:, transformer.num_prefix_tokens :]
    rows, columns = transformer.patch_embed.dynamic_feat_size(tuple(shape))
    return patches.transpose(1, 2).reshape(len(values), -1, rows, columns)


def to_one(heat: Tensor) -> Tensor:
    """Return each map ``(B, ...)`` divided by its maximum; a map without anything above zero stays empty."""
    heat = torch.relu(heat)
    top = heat.flatten(1).amax(dim=1).reshape(-1, *[1] * (heat.ndim - 1))
    return torch.where(top > 0, heat / top.clamp_min(torch.finfo(heat.dtype).tiny), heat)


def _heat(weighed: Sequence[Tensor | None], available: Tensor, shape: Sequence[int], places: Mapping[Size, Axes]) -> NDArray[np.float32]:
    batch, views = available.shape
    heat = np.zeros((batch, views, *shape), np.float32)
    shared = len(weighed) == 1 and views > 1
    there = available.cpu().numpy()
    for place, maps in enumerate(weighed):
        if maps is None:
            continue
        picture = to_one(spread(torch.relu(maps).float(), shape, places).squeeze(1)).cpu().numpy()
        if shared:
            heat[:] = picture[:, None]
        else:
            heat[there[:, place], place] = picture
    heat[~there] = 0
    return heat
