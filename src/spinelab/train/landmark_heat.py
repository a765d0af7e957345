"""Where a landmark network saw something, as one picture."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn


def seen_where(net: nn.Module, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the highest of all maps at every place of a canvas ``(1, H, W)``, each map from 0 to its own highest value, ``(H, W)`` in [0, 1]."""
    device = next((weights.device for weights in net.parameters()), "cpu")
    with torch.inference_mode():
        maps, _ = net(torch.from_numpy(np.array(pixels))[None].to(device))
    shares = maps[0].flatten(1).softmax(dim=1)
    heat = (shares / shares.amax(dim=1, keepdim=True)).amax(dim=0).reshape(maps.shape[-2:]).cpu().numpy()
    wide = cv2.resize(heat.astype(np.float32), (pixels.shape[2], pixels.shape[1]), interpolation=cv2.INTER_LINEAR)
    return np.asarray(np.clip(wide, 0, 1), np.float32)
