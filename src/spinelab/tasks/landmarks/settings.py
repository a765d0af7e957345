"""Settings of the task ``landmarks``."""

from __future__ import annotations

from dataclasses import dataclass

from spinelab.core import setting
from spinelab.train.landmark_settings import LandmarkSettings


@dataclass(frozen=True)
class LandmarksSettings(LandmarkSettings):
    """How a network learns points of one's own. No paper prescribes these."""

    rows: int = setting(320, "height of the canvas that a picture is fitted into, in pixels; a multiple of 32", low=64, high=4096)
    columns: int = setting(320, "width of the canvas, in pixels; a multiple of 32", low=64, high=4096)
    declared: str = setting("", "points, angles and distances as JSON; taken from the data and its measurements.toml when training, not typed")
