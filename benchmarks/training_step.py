"""A ResNet-18 training step as spinelab does it against plain fp32 NCHW. Goal: 2.5 times where the processor has bf16 matrix units."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable

import torch
from torch import nn

from spinelab.nn import MultiViewNet, backbone
from spinelab.train.precision import choose_precision

SIDE, BATCH, ROUNDS = 160, 8, 5


def step(*, ours: bool, used: str) -> Callable[[], None]:
    torch.manual_seed(0)
    net = MultiViewNet(lambda: backbone("resnet18"), views=1, classes=2, dropout=0.4).train()
    if ours:
        net = net.to(memory_format=torch.channels_last)
    else:
        net.backbones[0].normalise = lambda film: film.unsqueeze(1).float().div(255)
    optimizer, criterion = torch.optim.Adam(net.parameters(), lr=1e-4), nn.CrossEntropyLoss()
    pixels, available = torch.randint(0, 256, (BATCH, 1, SIDE, SIDE), dtype=torch.uint8), torch.ones(BATCH, 1, dtype=torch.bool)
    labels = torch.randint(0, 2, (BATCH,))

    def one() -> None:
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=ours and used == "bf16"):
            loss = net.training_loss(pixels, available, labels, criterion)
        loss.backward()
        optimizer.step()

    return one


def main() -> None:
    torch.set_num_threads(1)
    used = choose_precision("auto", "cpu")
    steps = {"plain": step(ours=False, used="32"), "ours": step(ours=True, used=used["used"])}
    times: dict[str, list[float]] = {name: [] for name in steps}
    for one in steps.values():
        one()
    for _ in range(ROUNDS):
        for name, one in steps.items():
            begun = time.process_time()
            one()
            times[name].append(time.process_time() - begun)
    rate = {name: BATCH / statistics.median(values) for name, values in times.items()}
    ratio, goal = rate["ours"] / rate["plain"], 2.5 if used["used"] == "bf16" else 1.0
    detail = {f"{name}_images_per_cpu_s": round(value, 2) for name, value in rate.items()} | {"precision": used["used"], "why": used["why"]}
    print(json.dumps({"benchmark": "training_step", "ratio": round(ratio, 2), "goal": f">= {goal}", "met": ratio >= goal, "detail": detail}))


if __name__ == "__main__":
    main()
