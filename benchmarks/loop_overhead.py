"""CPU milliseconds a training step beyond the step itself: the whole loop against a bare one with the same network. Goal: at most 0.6 ms."""

from __future__ import annotations

import json
import statistics
import time
import warnings
from dataclasses import dataclass

import numpy as np
import torch
from lightning.pytorch import Trainer

from spinelab.core import setting, silent
from spinelab.nn import MultiViewNet
from spinelab.nn.backbones import Backbone
from spinelab.train import ImageSettings, cross_entropy
from spinelab.train.batches import Films, TrainingBatches
from spinelab.train.loop import Loop, Plan
from spinelab.train.quiet import quiet

STEPS, ROUNDS, BATCH, SIDE = 300, 5, 8, 32


@dataclass(frozen=True)
class Settings(ImageSettings):
    epochs: int = setting(1, "passes")


def network() -> MultiViewNet:
    body = torch.nn.Conv2d(1, 4, 3, stride=4)
    return MultiViewNet(lambda: Backbone("bench", body, 4), views=1, classes=2, dropout=0.0)


def batches() -> TrainingBatches:
    n = STEPS * BATCH
    pixels = np.zeros((n, 1, SIDE, SIDE), np.uint8)
    return TrainingBatches(Films(pixels, np.ones((n, 1), bool), np.zeros(n, np.int64)), np.arange(n), batch_size=BATCH, seed=0, augment=False)


def bare() -> float:
    """Return CPU seconds of STEPS steps without any frame."""
    net, criterion, feed = network(), cross_entropy(), batches()
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-4)
    begun = time.process_time()
    for pixels, available, labels in feed:
        optimizer.zero_grad()
        net.training_loss(pixels, available, labels, criterion).backward()
        optimizer.step()
    return time.process_time() - begun


class Timed(Loop):
    def on_train_epoch_start(self) -> None:
        super().on_train_epoch_start()
        self.begun = time.process_time()

    def on_train_epoch_end(self) -> None:
        self.took = time.process_time() - self.begun
        super().on_train_epoch_end()


def framed() -> float:
    """Return CPU seconds of the same steps in our loop."""
    loop = Timed(network(), cross_entropy(), batches(), Plan(Settings(), "bench", None, silent, validates=False))
    options = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False, "num_sanity_val_steps": 0}
    with quiet():
        Trainer(accelerator="cpu", devices=1, max_epochs=1, **options).fit(loop, loop.feed)
    return loop.took


def main() -> None:
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    bare(), framed()
    times = [(bare(), framed()) for _ in range(ROUNDS)]
    plain, ours = (statistics.median(t[i] for t in times) * 1e3 / STEPS for i in (0, 1))
    extra = statistics.median((b - a) * 1e3 / STEPS for a, b in times)
    detail = {"bare_ms": round(plain, 3), "loop_ms": round(ours, 3), "overhead_ms": round(extra, 3)}
    print(json.dumps({"benchmark": "loop_overhead", "ratio": round(extra / 0.6, 2), "goal": "<= 0.6 ms a step", "met": extra <= 0.6, "detail": detail}))


if __name__ == "__main__":
    main()
