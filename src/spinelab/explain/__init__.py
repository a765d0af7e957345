"""Where a network looked, and whether the picture of it can be believed."""

from spinelab.explain.gradcam import cam_layers, gradcam, weights_matter

__all__ = ["cam_layers", "gradcam", "weights_matter"]
