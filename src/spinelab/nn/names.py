"""The architectures by name; imports nothing heavy, so that a wrong name is found before anything starts."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Final

from spinelab.core import TaskError

TIMM_NAMES: Final = {
    "resnet18": "resnet18.tv_in1k",
    "mobilenetv2": "mobilenetv2_100.ra_in1k",
    "densenet121": "densenet121.tv_in1k",
    "resnet50": "resnet50.tv_in1k",
    "efficientnet-b0": "efficientnet_b0.ra_in1k",
}
"""The source papers' pretrained networks, and the weights of each in timm (torchvision's own where timm has them)."""

NAMES: Final = ("simple-cnn", *TIMM_NAMES)
ANY_TIMM: Final = "timm:"
GRADING_NETWORKS: Final = ("cnn", "mcnn", "resnet18", "vit", "ckan", "simple-cnn", "inception", "vgg16")
"""Networks that grade pictures of several channels: five of the severity source, then three of the source with two heads."""

LANDMARK_NETWORKS: Final = ("compact", "compact-small", "unet")
LANDMARK_LOSSES: Final = ("cross-entropy", "coordinate", "heatmap")


def check_name(name: str, known: Sequence[str] = NAMES) -> None:
    """Raise `TaskError` unless ``name`` is one of the known architectures or ``timm:NAME``."""
    if name in known or (name.startswith(ANY_TIMM) and len(name) > len(ANY_TIMM)):
        return
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]!r}?" if close else "choose one of these; `timm:NAME` takes any convolutional network of the timm library"
    raise TaskError(f"model={name!r}", expected=f"one of {', '.join(known)}, or timm:NAME", action=hint)


def timm_name(name: str) -> str:
    """Return the name under which timm knows a backbone."""
    return TIMM_NAMES.get(name) or name.removeprefix(ANY_TIMM)
