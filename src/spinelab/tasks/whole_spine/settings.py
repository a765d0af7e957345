"""Settings of the task ``whole-spine``."""

from __future__ import annotations

from dataclasses import dataclass

from spinelab.core import setting
from spinelab.train.landmark_settings import LandmarkSettings


@dataclass(frozen=True)
class WholeSpineSettings(LandmarkSettings):
    """How a network learns the 26 landmarks of a lateral film; canvas, width of the Gaussians, shift and rotation are the source's.

    The source's network and training: ``model=unet loss=heatmap epochs=300 batch_size=10 lr=1e-3``.
    """

    rows: int = setting(1024, "height of the canvas that a film is fitted into, in pixels; a multiple of 16", low=64, high=4096)
    columns: int = setting(448, "width of the canvas, in pixels; a multiple of 16", low=64, high=4096)
    sigma: float = setting(10.0, "width of the Gaussian drawn at a landmark, in pixels of the canvas", low=0.5, high=100.0)
    batch_size: int = setting(4, "films a step", low=2, high=4096)
    turn_deg: float = setting(10.0, "training films are turned by up to this angle", low=0.0, high=180.0)
    shift: float = setting(0.1, "and moved by up to this share of the canvas", low=0.0, high=0.5)
    zoom: float = setting(0.1, "and enlarged or shrunk by up to about this share", low=0.0, high=1.0)
    target: str = setting(
        "",
        "SRS-Schwab modifier asked for besides, as a class: pi_ll_modifier, sva_modifier, pt_modifier; every film then needs its landmarks",
        choices=("", "pi_ll_modifier", "sva_modifier", "pt_modifier"),
    )
