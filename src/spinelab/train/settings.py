"""Settings that every task with a network on films has."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import ClassVar

from spinelab.core import Settings, setting
from spinelab.nn.names import NAMES, check_name

SAMPLINGS = ("none", "under", "over", "combined", "weighted")


@dataclass(frozen=True)
class TrainingSettings(Settings):
    """How any network is trained."""

    weights: str = setting(
        "imagenet", "where training starts: imagenet (hub, or the file given with --weights), file, or scratch", choices=("imagenet", "file", "scratch")
    )
    epochs: int = setting(30, "most passes over the training films", low=1, high=10_000)
    batch_size: int = setting(16, "films (or examinations) a step", low=2, high=4096)
    lr: float = setting(1e-4, "learning rate at the start", low=1e-8, high=1.0)
    optimizer: str = setting("adam", "adam, adamw (decay apart from the gradient), or sgd with momentum 0.9", choices=("adam", "adamw", "sgd"))
    weight_decay: float = setting(0.0, "weight decay", low=0.0, high=1.0)
    gradient_clip: float = setting(0.0, "largest norm of the gradient; 0 leaves it alone", low=0.0, high=1e6)
    precision: str = setting("auto", "auto chooses by the hardware and says so; 32; bf16; 16 (GPU only)", choices=("auto", "32", "bf16", "16"))
    seed: int = setting(0, "start of every random number", low=0, high=2**31 - 1)

    @property
    def first_lr(self) -> float:
        """The learning rate that training starts with; a task may take less of ``lr`` for some networks."""
        return self.lr


@dataclass(frozen=True)
class ImageSettings(TrainingSettings):
    """How a network is made and trained; a task's own settings derive from this class and may know more ``architectures``."""

    architectures: ClassVar[tuple[str, ...]] = NAMES

    model: str = setting("resnet18", "architecture: simple-cnn, resnet18, mobilenetv2, densenet121, or timm:NAME for any convolutional network of timm")
    image_size: int = setting(224, "side of the square that the network sees, in pixels", low=32, high=2048)
    patience: int = setting(8, "passes without a better validation loss before training stops", low=1, high=10_000)
    dropout: float = setting(0.4, "share of the features dropped before the last layer", low=0.0, high=0.95)
    scheduler: str = setting(
        "plateau",
        "learning rate: none; plateau: divided by 10 after patience/2 passes without a better validation loss; cosine: to zero over all passes",
        choices=("none", "plateau", "cosine"),
    )
    sampling: str = setting(
        "none",
        "class imbalance, training part only: none; under: all classes as small as the rarest; over: as large as the largest; "
        "combined: all at the average size; weighted: the loss weighs rare classes more",
        choices=SAMPLINGS,
    )
    augment: str = setting(
        "none", "mild: up to 7 degrees, 5 % shift, 8 % size, 10 % brightness and contrast while training; never a flip", choices=("none", "mild")
    )
    validation_fraction: float = setting(1 / 9, "share of the training patients that decides when to stop (1/9 of 90 % is the paper's 10 %)", low=0.0, high=0.5)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_name(self.model, self.architectures)


TRAINING_ONLY = frozenset(spec.name for spec in fields(ImageSettings)) - {"image_size"}
"""Settings that do not change what a prepared film looks like."""
