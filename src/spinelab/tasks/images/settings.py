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

    image_size: int = ImageSettings.otherwise("image_size", 112, "side of the square that a picture is fitted into, in pixels, keeping its proportions")
    epochs: int = ImageSettings.otherwise("epochs", 12, "most passes over the training pictures")
    patience: int = ImageSettings.otherwise("patience", 4)
    lr: float = ImageSettings.otherwise("lr", 3e-4)
    augment: str = ImageSettings.otherwise("augment", "mild")
    positive: str | None = setting(
        None, "of two labels, the one that sensitivity and average precision are about; unless given, the one that does not sound healthy, else the rarer"
    )
