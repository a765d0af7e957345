"""Settings of `lumbar-mri`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

from spinelab.core import Study, TaskError, setting
from spinelab.nn.names import GRADING_NETWORKS
from spinelab.train.settings import ImageSettings

SEVERITY: Final = "severity"
CONDITION: Final = "condition"
TRANSFORMER_SHARE: Final = 0.25
"""Of the learning rate: at 1e-3 the transformer answered the most frequent grade for every question."""


@dataclass(frozen=True)
class LumbarMriSettings(ImageSettings):
    """A small convolutional network a plane, on crops around each coordinate; log loss weighted 1, 2, 4 like the competition's score.

    The sources train on whole collections; picture size, passes and rates here are ours, for a few hundred examinations.
    """

    architectures: ClassVar[tuple[str, ...]] = GRADING_NETWORKS

    model: str = ImageSettings.otherwise("model", "mcnn", "architecture: cnn, mcnn, resnet18, vit, ckan, simple-cnn, inception, vgg16, or timm:NAME")
    image_size: int = ImageSettings.otherwise("image_size", 64)
    weights: str = ImageSettings.otherwise("weights", "scratch")
    epochs: int = ImageSettings.otherwise("epochs", 12, "most passes over the training crops")
    batch_size: int = ImageSettings.otherwise("batch_size", 32, "crops a step")
    lr: float = ImageSettings.otherwise(
        "lr", 1e-3, "learning rate at the start; vit starts with a quarter of it, at which a transformer without pretraining learns"
    )
    optimizer: str = ImageSettings.otherwise("optimizer", "adamw")
    weight_decay: float = ImageSettings.otherwise("weight_decay", 0.01)
    dropout: float = ImageSettings.otherwise("dropout", 0.3)
    scheduler: str = ImageSettings.otherwise("scheduler", "cosine")
    augment: str = ImageSettings.otherwise(
        "augment",
        "mild",
        "none; mild: up to 7 degrees, 5 % shift, 8 % size, 10 % brightness and contrast; paper: up to 15 degrees, 5 % shift and size, half of the time, "
        "brightness and contrast, and blur, a fifth of the time each; neither mirrors",
        choices=("none", "mild", "paper"),
    )
    validation_fraction: float = ImageSettings.otherwise("validation_fraction", 0.15, "share of the training examinations that decides when to stop")
    shown: str = setting(
        "crop", "crop: crop_mm around the coordinate; marker: the whole slice, the coordinate marked in a channel of its own", choices=("crop", "marker")
    )
    crop_mm: float = setting(40.0, "side of the crop in millimetres", low=10.0, high=300.0)
    slices: int = setting(3, "neighbouring slices shown as channels: 1, 3, 5 or 7", choices=(1, 3, 5, 7))
    one_side: bool = setting(
        default=True, help="axial crops of the patient's right are mirrored, so that the network learns one side; not with a condition head"
    )
    planes: str = setting(
        "separate", "separate: a network for each of sagittal T1, sagittal T2 and axial T2; shared: one for all", choices=("separate", "shared")
    )
    loss: str = setting(
        "weighted",
        "weighted: log loss weighted 1, 2, 4 by true grade; plain: unweighted; ordinal: weighted, of a score and thresholds; "
        "coral: weighted, yes or no at each threshold",
        choices=("weighted", "plain", "ordinal", "coral"),
    )
    heads: str = setting("severity", "severity: the grade; both: the condition as well, in a head of its own", choices=("severity", "both"))
    target: str = setting("severity", "which head is judged: severity, or condition (with heads=both)", choices=(SEVERITY, CONDITION))

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.target == CONDITION and self.heads != "both":
            raise TaskError("target=condition with heads=severity", expected="heads=both", action="add --set heads=both")

    def read_study(self, source: Path | str | Sequence[Path]) -> Study:
        """Return an examination whose series are told by their headers, or by a table of series above it."""
        from spinelab.tasks.lumbar_mri.bare import read_bare

        return read_bare(source)

    def study_name(self, folder: Path) -> str:
        """Return what the only examination in a folder is called: as its own folder, where a table of series names it."""
        from spinelab.tasks.lumbar_mri.described import study_folder

        return study_folder(folder).resolve().name

    @property
    def first_lr(self) -> float:
        """The learning rate that training starts with."""
        return self.lr * (TRANSFORMER_SHARE if self.model == "vit" else 1)

    @property
    def ordinal(self) -> bool:
        """Whether the severity head answers with an order."""
        return self.loss in ("ordinal", "coral")

    @property
    def mirrors_right(self) -> bool:
        """Whether axial crops of the right are shown mirrored; a condition head has to tell left from right, so there they are not."""
        return self.one_side and self.heads == "severity" and self.shown == "crop"

    @property
    def channels(self) -> int:
        """Channels of the network's input."""
        return self.slices + (self.shown == "marker")
