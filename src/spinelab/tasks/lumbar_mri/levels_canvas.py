"""A sagittal slice on the canvas that the level network sees: hung as usual, in millimetres, and every pixel's way back to the patient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from spinelab.geometry.planes import hang, to_patient, to_plane
from spinelab.io.display import percentiles
from spinelab.tasks.lumbar_mri.levels_settings import LevelSettings
from spinelab.tasks.lumbar_mri.targets import PLANES
from spinelab.train.canvas import even

DARKEST, BRIGHTEST = 0.5, 99.5
"""Percentiles of a slice that become black and white before its contrast is evened out."""

Floats = NDArray[np.float64]
_WHITE: Final = 255.0


@dataclass(frozen=True, eq=False)
class Canvas:
    """One slice: ``pixels`` uint8 (rows, columns) of ``pixel_mm``, and the ``affine`` from a canvas pixel (x, y, 0, 1) to LPS mm."""

    pixels: NDArray[np.uint8]
    affine: Floats

    def to_patient(self, points: Floats) -> Floats:
        """Return LPS mm (..., 3) of canvas points (..., 2)."""
        return np.asarray(points, np.float64) @ self.affine[:3, :2].T + self.affine[:3, 3]

    def place(self, point_mm: Floats) -> tuple[float, float, float]:
        """Return the canvas point under a point of the patient, and its signed distance in mm."""
        return to_plane(self.affine, point_mm)


def on_canvas(picture: NDArray[Any], affine: Floats, settings: LevelSettings) -> Canvas:
    """Put a slice into the middle of the canvas: front to the left, head up, ``pixel_mm`` a pixel; what does not fit is cut off."""
    hung, matrix = hang(picture, affine, PLANES)
    column_mm, row_mm = (float(np.linalg.norm(matrix[:3, axis])) for axis in (0, 1))
    height, width = hung.shape
    size = max(1, round(width * column_mm / settings.pixel_mm)), max(1, round(height * row_mm / settings.pixel_mm))
    grey = _grey(np.asarray(hung))
    shrunk = even(np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA if size[0] < width else cv2.INTER_LINEAR), np.uint8))
    left, top = (settings.columns - size[0]) // 2, (settings.rows - size[1]) // 2
    canvas = np.zeros((settings.rows, settings.columns), np.uint8)
    rows, columns = slice(max(0, top), min(settings.rows, top + size[1])), slice(max(0, left), min(settings.columns, left + size[0]))
    canvas[rows, columns] = shrunk[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
    scale = width / size[0], height / size[1]
    found = matrix.copy()
    found[:3, 3] = to_patient(matrix, (0.5 - left) * scale[0] - 0.5, (0.5 - top) * scale[1] - 0.5)
    found[:3, 0] *= scale[0]
    found[:3, 1] *= scale[1]
    return Canvas(canvas, found)


def _grey(picture: NDArray[Any]) -> NDArray[np.uint8]:
    low, high = percentiles(picture, [DARKEST, BRIGHTEST])
    stretched = (picture.astype(np.float32) - low) * (_WHITE / max(1e-6, float(high - low)))
    return np.asarray(np.clip(stretched, 0, _WHITE), np.uint8)
