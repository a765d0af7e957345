"""Grad-CAM (Selvaraju et al., 2017): which parts of the film raised the score of a class.

Only the head is differentiated: the maps come from one forward pass, and the graph starts at the last feature maps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from spinelab.core import TaskError


def gradcam(
    net: nn.Module,
    pixels: Tensor,
    available: Tensor,
    class_index: Tensor | int | None = None,
    *,
    layers: Sequence[nn.Module] | None = None,
) -> tuple[NDArray[np.float32], Tensor]:
    """Return one heatmap a film and the logits.

    Parameters
    ----------
    pixels, available
        As the network takes them: uint8 ``(B, V, S, S)`` and bool ``(B, V)``.
    class_index
        The class to explain, one for all or one a study; the predicted one by default.
    layers
        Layers whose feature maps are weighed, one a view or one for all; found by `cam_layers` by default.

    Returns
    -------
    heat
        ``(B, V, S, S)`` in [0, 1], each map divided by its own maximum; zero where a view is missing or nothing speaks for the class.
    logits
        ``(B, K)``, the same as without the explanation.
    """
    chosen = list(layers) if layers is not None else cam_layers(net, pixels, available)
    was_training = net.training
    net.eval()
    try:
        with _frozen(net), _leaves(chosen) as maps, torch.enable_grad():
            logits = net(pixels, available)
            index = _index(logits, class_index)
            gradients = torch.autograd.grad(logits.gather(1, index).sum(), [m for m in maps if m is not None], allow_unused=True)
    finally:
        net.train(was_training)
    return _heat(maps, gradients, available, pixels.shape[-1]), logits.detach()


def cam_layers(net: nn.Module, pixels: Tensor, available: Tensor) -> list[nn.Module]:
    """Return the layers to explain: the network's own choice, or the last one with feature maps before pooling takes them.

    Raises
    ------
    TaskError
        If no layer gives maps ``(B, channels, rows, columns)`` of more than one pixel.
    """
    own = getattr(net, "cam_layers", None)
    if callable(own):
        return list(own())
    seen: list[nn.Module] = []

    def remember(module: nn.Module, _inputs: Any, output: Any) -> None:
        if isinstance(output, Tensor) and output.ndim == 4 and min(output.shape[2:]) > 1:
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
def _frozen(net: nn.Module) -> Iterator[None]:
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


def _index(logits: Tensor, class_index: Tensor | int | None) -> Tensor:
    if class_index is None:
        return logits.argmax(dim=1, keepdim=True)
    if isinstance(class_index, int):
        return torch.full((len(logits), 1), class_index, device=logits.device)
    return class_index.to(logits.device).reshape(-1, 1)


def _heat(maps: Sequence[Tensor | None], gradients: Sequence[Tensor | None], available: Tensor, size: int) -> NDArray[np.float32]:
    batch, views = available.shape
    heat = np.zeros((batch, views, size, size), np.float32)
    remaining = iter(gradients)
    shared = len(maps) == 1 and views > 1
    for place, layer_map in enumerate(maps):
        gradient = next(remaining) if layer_map is not None else None
        if layer_map is None or gradient is None:
            continue
        picture = _one(layer_map.detach(), gradient, size)
        if shared:
            heat[:] = picture[:, None]
        else:
            heat[available[:, place].cpu().numpy(), place] = picture
    heat *= available.cpu().numpy()[:, :, None, None]
    return heat


def _one(layer_map: Tensor, gradient: Tensor, size: int) -> NDArray[np.float32]:
    """Return ReLU of the maps weighed by their mean gradients, upsampled to ``(b, size, size)`` in [0, 1]."""
    weights = gradient.mean(dim=(2, 3), keepdim=True)
    cam = torch.relu((weights * layer_map).sum(dim=1, keepdim=True)).float()
    cam = functional.interpolate(cam, size=(size, size), mode="bilinear", align_corners=False).squeeze(1)
    top = cam.amax(dim=(1, 2), keepdim=True)
    scaled = torch.where(top > 0, cam / top.clamp_min(torch.finfo(cam.dtype).tiny), cam)
    picture: NDArray[np.float32] = scaled.cpu().numpy()
    return picture
