"""Settings of the task ``images``."""

from __future__ import annotations

from dataclasses import dataclass

from spinelab.core import setting
from spinelab.train.settings import ImageSettings


@dataclass(frozen=True)
class ImagesSettings(ImageSettings):
    """How a network is trained on one's own images.

    No paper prescribes these. They are chosen so that five folds of four architectures on about 500 films finish within an hour
    on two processor cores without a GPU.
    """

    image_size: int = setting(112, "side of the square that a picture is fitted into, in pixels, keeping its proportions", low=32, high=1024)
    epochs: int = setting(12, "most passes over the training pictures", low=1, high=10_000)
    patience: int = setting(4, "passes without a better validation loss before training stops", low=1, high=10_000)
    lr: float = setting(3e-4, "learning rate at the start", low=1e-8, high=1.0)
    augment: str = setting("mild", "changes of brightness, contrast, position and size while training; never a flip", choices=("none", "mild"))
    positive: str | None = setting(
        None, "of two labels, the one that sensitivity and average precision are about; unless given, the one that does not sound healthy, else the rarer"
    )
