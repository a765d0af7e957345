"""Settings of the level finder."""

from __future__ import annotations

from dataclasses import dataclass

from spinelab.core import setting
from spinelab.nn.names import LANDMARK_LOSSES, LANDMARK_NETWORKS
from spinelab.train.landmark_settings import LandmarkSettings


@dataclass(frozen=True)
class LevelSettings(LandmarkSettings):
    """How the network that finds the levels is trained; those of the landmark engine, with a canvas in millimetres."""

    model: str = setting("compact-small", "network of the level finder", choices=LANDMARK_NETWORKS)
    rows: int = setting(256, "height of the canvas, in pixels of pixel_mm; a multiple of 16", low=64, high=1024)
    columns: int = setting(192, "width of the canvas, likewise", low=64, high=1024)
    pixel_mm: float = setting(1.25, "millimetres a pixel of the canvas", low=0.25, high=4.0)
    loss: str = setting("cross-entropy", "loss of the maps, as in the landmark task", choices=LANDMARK_LOSSES)
    sigma: float = setting(4.0, "width of the Gaussian drawn at a level, in pixels of the canvas", low=0.5, high=100.0)
    epochs: int = setting(20, "passes over the training slices", low=1, high=10_000)
    minutes: float = setting(8.0, "most minutes of training; 0 for no limit", low=0.0, high=1e5)
    studies: int = setting(400, "most studies to learn from; more are drawn at random", low=3, high=100_000)
    flip: bool = setting(default=False, help="mirror half of the training slices; the patient always faces the same way")
    calibration_fraction: float = setting(0.0, "share of the patients held out from training to learn what a usual slice looks like", low=0.0, high=0.5)
