"""Networks: backbones that take uint8 film, networks of one or several views, pretrained weights, Grad-CAM. torch is imported on first use."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from spinelab.nn.names import GRADING_NETWORKS, NAMES, check_name

if TYPE_CHECKING:
    from spinelab.nn.backbones import Backbone, SimpleCNN, backbone
    from spinelab.nn.cam import cam_layers, gradcam
    from spinelab.nn.grading import GradingNet, grading_net
    from spinelab.nn.kan import KAN, KANLayer
    from spinelab.nn.multi_view import FUSIONS, MODES, MultiViewNet
    from spinelab.nn.ordinal import OrdinalHead
    from spinelab.nn.pretrained import start_from

_WHERE: Final = {
    "Backbone": "backbones",
    "SimpleCNN": "backbones",
    "backbone": "backbones",
    "cam_layers": "cam",
    "gradcam": "cam",
    "GradingNet": "grading",
    "grading_net": "grading",
    "KAN": "kan",
    "KANLayer": "kan",
    "OrdinalHead": "ordinal",
    "FUSIONS": "multi_view",
    "MODES": "multi_view",
    "MultiViewNet": "multi_view",
    "start_from": "pretrained",
}

__all__ = [
    "FUSIONS",
    "GRADING_NETWORKS",
    "KAN",
    "MODES",
    "NAMES",
    "Backbone",
    "GradingNet",
    "KANLayer",
    "MultiViewNet",
    "OrdinalHead",
    "SimpleCNN",
    "backbone",
    "cam_layers",
    "check_name",
    "gradcam",
    "grading_net",
    "start_from",
]


def __getattr__(name: str) -> Any:
    """Import what needs torch when it is first asked for."""
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"spinelab.nn.{_WHERE[name]}"), name)
    globals()[name] = value
    return value
