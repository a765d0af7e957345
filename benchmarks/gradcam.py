"""Time of a Grad-CAM map against one forward pass, ours and pytorch-grad-cam's. Goal: at most 1.1 times."""

from __future__ import annotations

import json
import statistics
import time
import warnings
from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from spinelab.explain import gradcam
from spinelab.nn import MultiViewNet, backbone

SIDE, ROUNDS, NAMES = 224, 9, ("resnet18", "densenet121")


class OneInput(nn.Module):
    """The same network for a library that knows one input."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.net(x, torch.ones(len(x), 1, dtype=torch.bool))


def contenders(name: str) -> dict[str, Callable[[], object]]:
    from pytorch_grad_cam import GradCAM
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    torch.manual_seed(0)
    net = MultiViewNet(lambda: backbone(name), views=1, classes=2, dropout=0.4).to(memory_format=torch.channels_last).eval()
    pixels, available = torch.randint(0, 256, (1, 1, SIDE, SIDE), dtype=torch.uint8), torch.ones(1, 1, dtype=torch.bool)
    other = GradCAM(OneInput(net), [net.cam_layers()[0]])

    def forward() -> object:
        with torch.no_grad():
            return net(pixels, available)

    def theirs() -> np.ndarray:
        return np.asarray(other(pixels.float(), [ClassifierOutputTarget(0)]))

    difference = float(np.abs(gradcam(net, pixels, available, 0)[0][0, 0] - theirs()[0]).max())
    print(json.dumps({"network": name, "largest_difference_from_pytorch_grad_cam": round(difference, 3)}), flush=True) if difference > 0.2 else None
    return {"forward": forward, "ours": lambda: gradcam(net, pixels, available, 0), "pytorch_grad_cam": theirs}


def main() -> None:
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    detail: dict[str, object] = {}
    worst = 0.0
    for name in NAMES:
        runs = contenders(name)
        times: dict[str, list[float]] = {key: [] for key in runs}
        for _ in range(ROUNDS):
            for key, run in runs.items():
                begun = time.process_time()
                run()
                times[key].append(time.process_time() - begun)
        ratios = {key: statistics.median(values) / statistics.median(times["forward"]) for key, values in times.items() if key != "forward"}
        detail[name] = {"forward_ms": round(1e3 * statistics.median(times["forward"]), 1)} | {key: round(value, 2) for key, value in ratios.items()}
        worst = max(worst, ratios["ours"])
    print(json.dumps({"benchmark": "gradcam", "ratio": round(worst, 2), "goal": "<= 1.1", "met": worst <= 1.1, "detail": detail}))


if __name__ == "__main__":
    main()
