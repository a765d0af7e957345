"""Where a network looked, and whether the picture of it can be believed."""

from spinelab.core.explaining import CHECKS
from spinelab.explain.altering import occlusion, scorecam
from spinelab.explain.attention import attention_rollout
from spinelab.explain.checks import Curves, Inside, Randomisation, curves, glance, inside, pointing_game, randomisation, weights_matter
from spinelab.explain.gradcam import cam_layers, gradcam
from spinelab.explain.gradients import attributions, integrated_gradients
from spinelab.explain.hirescam import fine_layers, hirescam
from spinelab.explain.layers import LayerPictures, feature_maps, first_layer_filters
from spinelab.explain.maps import METHODS, AttentionMap, Subject, attention_maps, gallery, methods_for, on_original, usual_method, wanted_maps

__all__ = [
    "CHECKS",
    "METHODS",
    "AttentionMap",
    "Curves",
    "Inside",
    "LayerPictures",
    "Randomisation",
    "Subject",
    "attention_maps",
    "attention_rollout",
    "attributions",
    "cam_layers",
    "curves",
    "feature_maps",
    "fine_layers",
    "first_layer_filters",
    "gallery",
    "glance",
    "gradcam",
    "hirescam",
    "inside",
    "integrated_gradients",
    "methods_for",
    "occlusion",
    "on_original",
    "pointing_game",
    "randomisation",
    "scorecam",
    "usual_method",
    "wanted_maps",
    "weights_matter",
]
