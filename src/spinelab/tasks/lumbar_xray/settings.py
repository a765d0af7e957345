"""Settings of `lumbar-xray`; the defaults are the source paper's preset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from spinelab.core import setting
from spinelab.train.settings import ImageSettings

SLIP_MODEL: Final = "slip-logistic"
VIEWS_USED: Final = {"ap": ("AP",), "lateral": ("LATERAL",)}


@dataclass(frozen=True)
class LumbarXraySettings(ImageSettings):
    """ResNet-18 a view, averaged; Adam at 1e-4, dropout 0.4.

    The paper names neither batch size, epochs, patience nor picture size, and no schedule: 16, 30, 6 and 224 are ours, and the rate stays as it is.
    """

    architectures: ClassVar[tuple[str, ...]] = (*ImageSettings.architectures, SLIP_MODEL)

    model: str = ImageSettings.otherwise(
        "model",
        "resnet18",
        "architecture: simple-cnn, resnet18, mobilenetv2, densenet121, timm:NAME, or slip-logistic (measured slip, no pixels; needs endplate lines)",
    )
    patience: int = ImageSettings.otherwise("patience", 6)
    scheduler: str = ImageSettings.otherwise("scheduler", "none")
    view: str = setting(
        "standard",
        "standard: a network a film, probabilities averaged; dual: features fused, both films required; hybrid: fused, one film is enough; "
        "ap, lateral: that film alone",
        choices=("standard", "dual", "hybrid", "ap", "lateral"),
    )
    fusion: str = setting("mean", "how dual and hybrid join the films (standard always averages)", choices=("mean", "concat", "attention"))
    target: str = setting("binary", "binary: normal or disordered; subtype: which of the four slips", choices=("binary", "subtype"))

    @property
    def views(self) -> tuple[str, ...]:
        """The films that are looked at, in the order of the network's inputs."""
        return VIEWS_USED.get(self.view, ("AP", "LATERAL"))

    @property
    def finding(self) -> str:
        """Name of the finding that is learnt."""
        return "disorder" if self.target == "binary" else "subtype"

    @property
    def needs_every_view(self) -> bool:
        return self.view not in ("standard", "hybrid")
