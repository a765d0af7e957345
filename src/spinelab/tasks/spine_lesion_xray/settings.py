"""Settings of `spine-lesion-xray`."""

from __future__ import annotations

from dataclasses import dataclass

from spinelab.core import setting
from spinelab.train.families import FAMILIES, Strengths
from spinelab.train.settings import ImageSettings

SEARCHED = "searched"
SEARCH_SETTINGS = frozenset({*FAMILIES, "search_minutes", "search_trials", "search_epochs"})
"""Settings that do not change what a prepared film looks like."""


@dataclass(frozen=True)
class SpineLesionSettings(ImageSettings):
    """ResNet-50 with searched augmentation; 80/10/10 as in the source, whose validation tenth is 1/9 of what is not held out.

    The source names neither rate, batch size nor passes; 1e-4, 16 and 20 are ours, and so are the minutes of the search.
    """

    model: str = ImageSettings.otherwise(
        "model", "resnet50", "architecture: resnet50, efficientnet-b0, simple-cnn, resnet18, mobilenetv2, densenet121, or timm:NAME"
    )
    epochs: int = ImageSettings.otherwise("epochs", 20)
    patience: int = ImageSettings.otherwise("patience", 6)
    augment: str = ImageSettings.otherwise(
        "augment",
        SEARCHED,
        "changes of training films, never a flip: none; mild; fixed: the strengths below; searched: the strengths that do best on the validation part",
        choices=("none", "mild", "fixed", SEARCHED),
    )
    noise: float = setting(0.0, "strength of noise injection with augment=fixed, 0 (off) to 1", low=0.0, high=1.0)
    pixelation: float = setting(0.0, "strength of pixelation with augment=fixed, 0 to 1", low=0.0, high=1.0)
    translation: float = setting(0.0, "strength of translation with augment=fixed, 0 to 1", low=0.0, high=1.0)
    cropping: float = setting(0.0, "strength of cropping with augment=fixed, 0 to 1", low=0.0, high=1.0)
    resizing: float = setting(0.0, "strength of resizing (rows and columns apart) with augment=fixed, 0 to 1", low=0.0, high=1.0)
    zoom: float = setting(0.0, "strength of zoom with augment=fixed, 0 to 1", low=0.0, high=1.0)
    search_minutes: float = setting(10.0, "longest search of the augmentation before training, in minutes a fit", low=0.0, high=100_000.0)
    search_trials: int = setting(0, "most trials of the search; 0: as many as fit into the minutes", low=0, high=100_000)
    search_epochs: int = setting(5, "passes of each short training of the search", low=1, high=1000)

    @property
    def strengths(self) -> Strengths:
        """The strengths of ``augment=fixed``."""
        return Strengths.of(self.to_dict())
