"""Grad-CAM (Selvaraju et al., 2017): which parts of the film raised the score of a class.

Only the head is differentiated: the maps come from one forward pass, and the graph starts at the last feature maps. Films may be flat or volumes, of any
shape; the tokens of a transformer are put back into their rows and columns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from spinelab.core import TaskError
from spinelab.nn.places import Axes, Size, placing, spread

EVERY: Final = slice(None)


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
    with evaluating(net), frozen(net), placing(net, pixels.shape[2:]) as places, _leaves(chosen) as maps, torch.enable_grad():
        logits = net(pixels, available)
        index = chosen_class(logits, class_index, columns)
        gradients = torch.autograd.grad(logits.gather(1, index).sum(), [m for m in maps if m is not None], allow_unused=True)
    return _heat(net, maps, gradients, available, pixels.shape[2:], places), logits.detach()


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

    with ExitStack() as stack, torch.no_grad():
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


@contextmanager
def _leaves(layers: Sequence[nn.Module]) -> Iterator[list[Tensor | None]]:
    """Make each layer's output the start of the graph, and collect it."""
    maps: list[Tensor | None] = [None] * len(layers)

    def start(place: int) -> Callable[..., Tensor]:
        def hook(_module: nn.Module, _inputs: Any, output: Tensor) -> Tensor:
            leaf = maps[place] = output.detach().requires_grad_()
            return leaf.clone()  # a layer after it may work in place

        return hook

    with ExitStack() as stack:
        for place, layer in enumerate(layers):
            stack.callback(layer.register_forward_hook(start(place)).remove)
        yield maps


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


def _heat(
    net: nn.Module,
    maps: Sequence[Tensor | None],
    gradients: Sequence[Tensor | None],
    available: Tensor,
    shape: Sequence[int],
    places: Mapping[Size, Axes],
) -> NDArray[np.float32]:
    batch, views = available.shape
    heat = np.zeros((batch, views, *shape), np.float32)
    remaining = iter(gradients)
    shared = len(maps) == 1 and views > 1
    for place, layer_map in enumerate(maps):
        gradient = next(remaining) if layer_map is not None else None
        if layer_map is None or gradient is None:
            continue
        picture = _one(in_place(net, layer_map.detach(), shape), in_place(net, gradient, shape), shape, places)
        if shared:
            heat[:] = picture[:, None]
        else:
            heat[available[:, place].cpu().numpy(), place] = picture
    heat[~available.cpu().numpy()] = 0
    return heat


def _one(layer_map: Tensor, gradient: Tensor, shape: Sequence[int], places: Mapping[Size, Axes]) -> NDArray[np.float32]:
    """Return ReLU of the maps weighed by their mean gradients, enlarged to ``(b, *shape)``, in [0, 1]."""
    weights = gradient.mean(dim=tuple(range(2, gradient.ndim)), keepdim=True)
    cam = torch.relu((weights * layer_map).sum(dim=1, keepdim=True)).float()
    picture: NDArray[np.float32] = to_one(spread(cam, shape, places).squeeze(1)).cpu().numpy()
    return picture
