"""Milliseconds an image of every grading architecture, with and without each kind of map. Goal: Grad-CAM at most 1.1 times a pass without one.

HiResCAM, the quick map of convolutional networks, is printed beside it: it goes back through the layers behind the fine maps. Both are measured on one film
and on a batch of them: the fixed cost is a millisecond or two, as much as a small network's pass over one film.
``--quick`` leaves out the methods of many passes.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

import torch

from spinelab.explain import METHODS, methods_for
from spinelab.nn import GRADING_NETWORKS, GradingNet, grading_net

SIDE, ROUNDS, GOAL, BATCH = 96, 15, 1.1, 16
QUICK = ("attention rollout",)
CAMERAS = ("Grad-CAM", "HiResCAM")


def milliseconds(run: Callable[[], object], rounds: int) -> list[float]:
    times = []
    for _ in range(rounds):
        begun = time.process_time()
        run()
        times.append(1e3 * (time.process_time() - begun))
    return times


def camera(net: GradingNet, method: str, films: int) -> tuple[float, float]:
    """Return milliseconds of a pass over a batch, and how many times that a map takes; the two in turn, so that a busy machine slows both."""
    pixels, available = torch.randint(0, 256, (films, 1, SIDE, SIDE), dtype=torch.uint8), torch.ones(films, 1, dtype=torch.bool)

    def forward() -> torch.Tensor:
        with torch.no_grad():
            return net(pixels, available)

    def cam() -> object:
        return METHODS[method](net, pixels, available, 1)

    milliseconds(forward, 2), milliseconds(cam, 2)
    pairs = [(milliseconds(forward, 1)[0], milliseconds(cam, 1)[0]) for _ in range(ROUNDS)]
    return statistics.median(p for p, _ in pairs), statistics.median(c for _, c in pairs) / statistics.median(p for p, _ in pairs)


def measure(name: str, net: GradingNet) -> tuple[float, float]:
    """Print a line and return how many times a pass Grad-CAM takes, on one film and on a batch."""
    plain, single = camera(net, "Grad-CAM", 1)
    _, batched = camera(net, "Grad-CAM", BATCH)
    fine = ", of ".join(f"{films} x {camera(net, 'HiResCAM', films)[1]:.2f}" for films in (1, BATCH))
    pixels, available = torch.randint(0, 256, (1, 1, SIDE, SIDE), dtype=torch.uint8), torch.ones(1, 1, dtype=torch.bool)
    others = {
        method: milliseconds(lambda method=method: METHODS[method](net, pixels, available, 1), 1)[0]  # type: ignore[misc]
        for method in methods_for(net)
        if method not in CAMERAS and (method in QUICK or "--quick" not in sys.argv)
    }
    size = sum(p.numel() for p in net.parameters()) / 1e6
    rest = "   ".join(f"{method} {time_ms:.0f} ms" for method, time_ms in others.items())
    print(f"{name:<11}{size:8.2f} M{plain:9.1f} ms   Grad-CAM x {single:.2f}, of {BATCH} films x {batched:.2f}   HiResCAM of {fine}   {rest}", flush=True)
    return single, batched


def main() -> int:
    torch.set_num_threads(1)
    ratios: dict[str, float] = {}
    for name in GRADING_NETWORKS:
        torch.manual_seed(0)
        net = grading_net(name, {"condition": 5, "severity": 3}, side=SIDE).to(memory_format=torch.channels_last).eval()
        ratios[name] = min(measure(name, net))
    worst = max(ratios, key=lambda name: ratios[name])
    print(f"Grad-CAM takes at most {ratios[worst]:.2f} times a pass ({worst}; goal {GOAL}; one film or {BATCH}, whichever is cheaper)")
    return int(ratios[worst] > GOAL)


if __name__ == "__main__":
    raise SystemExit(main())
