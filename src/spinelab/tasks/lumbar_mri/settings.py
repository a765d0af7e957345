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


@dataclass(frozen=True)
class LumbarMriSettings(ImageSettings):
    """A small convolutional network a plane, on crops around each coordinate; log loss weighted 1, 2, 4 like the competition's score.

    The sources train on whole collections; picture size, passes and rates here are ours, for a few hundred examinations.
    """

    architectures: ClassVar[tuple[str, ...]] = GRADING_NETWORKS

    model: str = setting("mcnn", "architecture: cnn, mcnn, resnet18, vit, ckan, simple-cnn, inception, vgg16, or timm:NAME")
    image_size: int = setting(64, "side of the square that the network sees, in pixels", low=32, high=2048)
    weights: str = setting(
        "scratch", "where training starts: imagenet (hub, or the file given with --weights), file, or scratch", choices=("imagenet", "file", "scratch")
    )
    epochs: int = setting(12, "most passes over the training crops", low=1, high=10_000)
    batch_size: int = setting(32, "crops a step", low=2, high=4096)
    lr: float = setting(1e-3, "learning rate at the start", low=1e-8, high=1.0)
    optimizer: str = setting("adamw", "adam, adamw (decay apart from the gradient), or sgd with momentum 0.9", choices=("adam", "adamw", "sgd"))
    weight_decay: float = setting(0.01, "weight decay", low=0.0, high=1.0)
    dropout: float = setting(0.3, "share of the features dropped before the last layer", low=0.0, high=0.95)
    scheduler: str = setting(
        "cosine",
        "learning rate: none; plateau: divided by 10 after patience/2 passes without a better validation loss; cosine: to zero over all passes",
        choices=("none", "plateau", "cosine"),
    )
    augment: str = setting(
        "mild",
        "none; mild: up to 7 degrees, 5 % shift, 8 % size, 10 % brightness and contrast; paper: up to 15 degrees, 5 % shift and size, half of the time, "
        "brightness and contrast, and blur, a fifth of the time each; neither mirrors",
        choices=("none", "mild", "paper"),
    )
    validation_fraction: float = setting(0.15, "share of the training examinations that decides when to stop", low=0.0, high=0.5)
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
        """Return an examination whose series are told by their headers."""
        from spinelab.tasks.lumbar_mri.bare import read_bare

        return read_bare(source)

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
