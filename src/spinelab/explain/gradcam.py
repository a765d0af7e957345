"""Grad-CAM for any network, and the sanity check that its maps depend on the weights."""

from __future__ import annotations

import copy

import numpy as np
import torch
from torch import Tensor, nn

from spinelab.nn.cam import cam_layers, gradcam

__all__ = ["cam_layers", "gradcam", "weights_matter"]


def weights_matter(net: nn.Module, pixels: Tensor, available: Tensor, *, seed: int = 0) -> float:
    """Return how alike the maps of a network and of the same network with random weights are: the mean rank correlation.

    Near 0 the maps tell of what was learnt; near 1 they would look the same without learning (Adebayo et al., 2018). The same class is
    explained in both.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        stranger = copy.deepcopy(net)
        for module in stranger.modules():
            renew = getattr(module, "reset_parameters", None)
            if callable(renew):
                renew()
    heat, logits = gradcam(net, pixels, available)
    other, _ = gradcam(stranger, pixels, available, logits.argmax(dim=1))
    shown = available.cpu().numpy()
    return float(np.mean([_rank_correlation(a, b) for a, b in zip(heat[shown], other[shown], strict=True)]))


def _rank_correlation(a: np.ndarray, b: np.ndarray) -> float:
    from scipy.stats import rankdata

    x, y = rankdata(a).astype(float), rankdata(b).astype(float)
    x, y = x - x.mean(), y - y.mean()
    scale = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / scale if scale > 0 else 0.0
