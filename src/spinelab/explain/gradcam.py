"""Grad-CAM; its code stands beside the networks, where training can reach it too."""

from spinelab.nn.cam import cam_layers, gradcam

__all__ = ["cam_layers", "gradcam"]
