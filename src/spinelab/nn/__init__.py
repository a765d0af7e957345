"""Networks: backbones that take uint8 film, networks of one or several views, pretrained weights, Grad-CAM."""

from spinelab.nn.backbone import NAMES, Backbone, SimpleCNN, backbone, check_name
from spinelab.nn.gradcam import cam_layers, gradcam
from spinelab.nn.multi_view import FUSIONS, MODES, MultiViewNet
from spinelab.nn.pretrained import start_from

__all__ = [
    "FUSIONS",
    "MODES",
    "NAMES",
    "Backbone",
    "MultiViewNet",
    "SimpleCNN",
    "backbone",
    "cam_layers",
    "check_name",
    "gradcam",
    "start_from",
]
