"""The training loop of landmark networks: one rise and one long fall of the learning rate, and the last weights."""

from __future__ import annotations

import math
from typing import Any, Final

from torch import Tensor

from spinelab.train.batches import Batch
from spinelab.train.landmark_settings import LandmarkSettings
from spinelab.train.loop import Loop

RISE: Final = 0.1
"""Share of the training over which the learning rate rises."""
LOWEST: Final = 0.04
"""Where it starts, as a share of the highest; it ends at a thousandth of that."""


class LandmarkLoop(Loop):
    """Trains on ``(films, landmarks)``; progress counts in passes or, where ``minutes`` are given, in time, whichever is further."""

    @property
    def landmark_settings(self) -> LandmarkSettings:
        settings = self.plan.settings
        assert isinstance(settings, LandmarkSettings)  # noqa: S101  (made by fit_landmarks alone)
        return settings

    def on_train_epoch_start(self) -> None:
        super().on_train_epoch_start()
        self.criterion.epoch = self.epoch  # type: ignore[attr-defined]

    def progress(self) -> float:
        """Return how much of the training is over, 0 to 1, by passes or by minutes, whichever is further."""
        passes, minutes = super().progress(), self.landmark_settings.minutes
        return min(1.0, passes if minutes <= 0 else max(passes, self.seconds / (60 * minutes)))

    def _judge(self, batch: Batch) -> Tensor:
        lr = self.landmark_settings.lr * learning_rate_share(self.progress())
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        pixels, _available, truth = batch
        return self.criterion(self.net(pixels), truth)

    def validation_step(self, batch: Batch, _number: int) -> None:
        """Landmark networks are not chosen by their held-out films: those only measure how wrong they are."""

    def on_train_batch_start(self, _batch: Any, _number: int) -> int | None:
        """End a pass early where the time is over; -1 is Lightning's word for it."""
        return -1 if self.progress() >= 1 else None

    def on_train_epoch_end(self) -> None:
        over = self.progress() >= 1
        super().on_train_epoch_end()
        if over:
            self.stopped = "minutes" if self.epoch < self.landmark_settings.epochs else "last-epoch"
            self.trainer.should_stop = True


def learning_rate_share(progress: float) -> float:
    """Return the learning rate at a point of the training as a share of the highest (Smith and Topin 2018, arXiv:1708.07120)."""
    if progress < RISE:
        low, high, part = LOWEST, 1.0, progress / RISE
    else:
        low, high, part = 1.0, LOWEST / 1000, (progress - RISE) / (1 - RISE)
    return high + (low - high) * (1 + math.cos(math.pi * min(1.0, part))) / 2
