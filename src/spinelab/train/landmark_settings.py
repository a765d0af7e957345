"""Settings of every task that finds landmarks."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from spinelab.core import TaskError, setting
from spinelab.nn.names import LANDMARK_LOSSES, LANDMARK_NETWORKS
from spinelab.train.settings import TrainingSettings


@dataclass(frozen=True)
class LandmarkSettings(TrainingSettings):
    """How a network learns to find landmarks; a task's own settings derive from this class."""

    model: str = setting(
        "compact",
        "network: compact (quarter resolution, attention over the whole film), compact-small (half the weights), unet (the classic one, full resolution)",
        choices=LANDMARK_NETWORKS,
    )
    weights: str = TrainingSettings.otherwise(
        "weights", "scratch", "where training starts: landmark networks have no pretrained weights and start from scratch", choices=("scratch",)
    )
    rows: int = setting(512, "height of the canvas that a film is fitted into, in pixels; a multiple of 16", low=64, high=4096)
    columns: int = setting(256, "width of the canvas, in pixels; a multiple of 16", low=64, high=4096)
    detail: int = setting(1, "how many times finer than the canvas the second network sees the film, where a task has a second one", low=1, high=8)
    loss: str = setting(
        "cross-entropy",
        "cross-entropy over all places; coordinate: mean place (soft-argmax) against the truth; heatmap: the source's weighted L1 and rising Dice",
        choices=LANDMARK_LOSSES,
    )
    sigma: float = setting(6.0, "width of the Gaussian drawn at a landmark, in pixels of the canvas", low=0.5, high=100.0)
    epochs: int = TrainingSettings.otherwise("epochs", 60, "passes over the training films")
    minutes: float = setting(0.0, "most minutes of training: passes are cut so that the learning rate still falls to zero; 0 for no limit", low=0.0, high=1e5)
    refine_share: float = setting(0.4, "share of the minutes that go to the second network, where a task has one", low=0.0, high=0.9)
    refine_epochs: int = setting(0, "passes of the second network; 0 for as many as of the first", low=0, high=10_000)
    batch_size: int = TrainingSettings.otherwise("batch_size", 8, "films a step")
    lr: float = TrainingSettings.otherwise("lr", 2e-3, "highest learning rate; it rises over the first tenth of the training and falls to zero")
    optimizer: str = TrainingSettings.otherwise("optimizer", "adamw")
    weight_decay: float = TrainingSettings.otherwise("weight_decay", 1e-2)
    gradient_clip: float = TrainingSettings.otherwise("gradient_clip", 5.0)
    turn_deg: float = setting(8.0, "training films are turned by up to this angle", low=0.0, high=180.0)
    shift: float = setting(0.04, "and moved by up to this share of the canvas", low=0.0, high=0.5)
    zoom: float = setting(0.13, "and enlarged or shrunk by up to about this share", low=0.0, high=1.0)
    crop: float = setting(0.12, "share of the training films whose top or bottom is cut off, so that absent landmarks are learnt", low=0.0, high=1.0)
    flip: bool = setting(default=True, help="mirror half of the training films, and every film once when it is read; names of left and right are swapped")
    calibration_fraction: float = setting(
        0.15, "share of the patients held out from training to learn how wide an interval has to be; 0 for no intervals", low=0.0, high=0.5
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("rows", "columns"):
            if getattr(self, name) % 16:
                raise TaskError(
                    f"{name}={getattr(self, name)}", expected="a multiple of 16", action=f"try {name}={max(64, round(getattr(self, name) / 16) * 16)}"
                )


LANDMARK_TRAINING_ONLY = frozenset(spec.name for spec in fields(LandmarkSettings)) - {"rows", "columns", "detail"}
"""Settings that do not change what a prepared film looks like."""


def prepared_by(settings: LandmarkSettings, aside: frozenset[str] = frozenset()) -> dict[str, Any]:
    """Return the settings that decide what a prepared film looks like."""
    return {key: value for key, value in settings.to_dict().items() if key not in LANDMARK_TRAINING_ONLY | aside}
