"""Settings of the task ``scoliosis``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from spinelab.core import setting
from spinelab.nn.names import LANDMARK_NETWORKS, NAMES
from spinelab.train.landmark_settings import LandmarkSettings

CLASSIFIERS: Final = NAMES


@dataclass(frozen=True)
class ScoliosisSettings(LandmarkSettings):
    """How the angles of an AP film are learnt: ``compact`` finds every vertebra and measures; a classifier's name answers from the picture alone.

    No paper prescribes these; they are chosen so that some 500 films are learnt in under an hour on two processor cores.
    """

    model: str = setting(
        "compact",
        "compact, compact-small or unet find the vertebrae and measure them; simple-cnn, resnet18, mobilenetv2 or densenet121 classify the picture, "
        "to compare with",
        choices=(*LANDMARK_NETWORKS, *CLASSIFIERS),
    )
    weights: str = setting(
        "scratch", "where training starts: scratch; for a classifier also file (given with --weights) or imagenet", choices=("scratch", "file", "imagenet")
    )
    loss: str = setting("column", "what the first network learns from: levels, centres, corners and tilts of the whole column together", choices=("column",))
    rows: int = setting(416, "height of the canvas that a film is fitted into, in pixels; a multiple of 16", low=64, high=4096)
    columns: int = setting(176, "width of the canvas, in pixels; a multiple of 16", low=64, high=4096)
    detail: int = setting(2, "how many times finer than the canvas the second network sees each vertebra", low=1, high=8)
    sigma: float = setting(5.0, "width of the Gaussian drawn at a vertebra's centre, in pixels of the canvas", low=0.5, high=100.0)
    epochs: int = setting(70, "most passes of each network over the training films", low=1, high=10_000)
    minutes: float = setting(54.0, "most minutes of training: passes are cut so that the learning rate still falls to zero; 0 for no limit", low=0.0, high=1e5)
    turn_deg: float = setting(7.0, "training films are turned by up to this angle", low=0.0, high=180.0)
    shift: float = setting(0.03, "and moved by up to this share of the canvas", low=0.0, high=0.5)
    zoom: float = setting(0.10, "and enlarged or shrunk by up to about this share", low=0.0, high=1.0)
    crop: float = setting(0.08, "share of the training films whose top or bottom is cut off, so that absent vertebrae are learnt", low=0.0, high=1.0)
    calibration_fraction: float = setting(
        0.17, "share of the patients held out from training to learn how wide an interval has to be; 0 for no intervals", low=0.0, high=0.5
    )
    threshold_deg: float = setting(40.0, "largest Cobb angle from which the finding says surgical-range", low=1.0, high=120.0)
    classifier_size: int = setting(112, "side of the square that a classifier sees, in pixels", low=32, high=1024)
    classifier_epochs: int = setting(12, "most passes of a classifier over the training films", low=1, high=10_000)
