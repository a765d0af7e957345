"""Settings of the task ``scoliosis``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from spinelab.core import setting
from spinelab.nn.names import LANDMARK_NETWORKS, NAMES
from spinelab.train.landmark_film import RADIOGRAPHS, FilmKind
from spinelab.train.landmark_settings import LandmarkSettings

CLASSIFIERS: Final = NAMES
FILMS: Final = FilmKind(views=("AP", "PA"), modalities=RADIOGRAPHS)


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
    weights: str = LandmarkSettings.otherwise(
        "weights",
        "scratch",
        "where training starts: scratch; for a classifier also file (given with --weights) or imagenet",
        choices=("scratch", "file", "imagenet"),
    )
    loss: str = LandmarkSettings.otherwise(
        "loss", "column", "what the first network learns from: levels, centres, corners and tilts of the whole column together", choices=("column",)
    )
    rows: int = LandmarkSettings.otherwise("rows", 416)
    columns: int = LandmarkSettings.otherwise("columns", 176)
    detail: int = LandmarkSettings.otherwise("detail", 2, "how many times finer than the canvas the second network sees each vertebra")
    sigma: float = LandmarkSettings.otherwise("sigma", 5.0, "width of the Gaussian drawn at a vertebra's centre, in pixels of the canvas")
    epochs: int = LandmarkSettings.otherwise("epochs", 70, "most passes of each network over the training films")
    minutes: float = LandmarkSettings.otherwise("minutes", 54.0)
    turn_deg: float = LandmarkSettings.otherwise("turn_deg", 7.0)
    shift: float = LandmarkSettings.otherwise("shift", 0.03)
    zoom: float = LandmarkSettings.otherwise("zoom", 0.10)
    crop: float = LandmarkSettings.otherwise("crop", 0.08, "share of the training films whose top or bottom is cut off, so that absent vertebrae are learnt")
    calibration_fraction: float = LandmarkSettings.otherwise("calibration_fraction", 0.18)
    threshold_deg: float = setting(40.0, "largest Cobb angle from which the finding says surgical-range", low=1.0, high=120.0)
    classifier_size: int = setting(112, "side of the square that a classifier sees, in pixels", low=32, high=1024)
    classifier_epochs: int = setting(12, "most passes of a classifier over the training films", low=1, high=10_000)
