"""The geometry of one exposure: a point source, a flat detector, and where a point of the patient falls on the film."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Box = tuple[int, int, int, int]
"""Rows and columns of a part of the film: first row, last row + 1, first column, last column + 1."""

FORWARD: Final = {"AP": (0.0, 1.0, 0.0), "LEFT": (-1.0, 0.0, 0.0), "RIGHT": (1.0, 0.0, 0.0)}
"""Direction of the central ray in patient LPS.

``AP``: from the front, so the patient's left falls on the image's right. ``LEFT``: from the patient's left side, so anterior falls
on the image's left. ``RIGHT``: from the right side, anterior on the image's right.
"""


@dataclass(frozen=True, eq=False)
class Camera:
    """A point source and a flat detector.

    Parameters
    ----------
    source_mm
        Focal spot in patient LPS.
    right, down, forward
        Unit vectors of the detector's columns and rows and of the central ray.
    distance_mm
        Focal spot to detector.
    spacing_mm
        Detector pixel.
    shape
        Rows and columns.
    centre_px
        Column and row that the central ray meets; pixel centres are at integers.
    """

    source_mm: Floats
    right: Floats
    down: Floats
    forward: Floats
    distance_mm: float
    spacing_mm: float
    shape: tuple[int, int]
    centre_px: tuple[float, float]

    def project(self, points_mm: Floats) -> Floats:
        """Return column and row ``(..., 2)`` of points ``(..., 3)`` in patient LPS."""
        seen = (np.asarray(points_mm, dtype=np.float64) - self.source_mm) @ self._frame
        return seen[..., :2] * (self.distance_mm / self.spacing_mm / seen[..., 2:]) + self.centre_px

    @cached_property
    def _frame(self) -> Floats:
        return np.column_stack([self.right, self.down, self.forward])

    def magnification(self, point_mm: Floats) -> float:
        """Return detector millimetres per millimetre at this point of the patient."""
        return float(self.distance_mm / ((np.asarray(point_mm) - self.source_mm) @ self.forward))

    def box(self, points_mm: Floats, margin_px: int = 2) -> Box | None:
        """Return the part of the film that holds these points, or ``None`` if they fall beside it."""
        at = self.project(points_mm)
        return self.clip(at.min(0), at.max(0), margin_px)

    def clip(self, low: Floats, high: Floats, margin_px: int) -> Box | None:
        """Return the pixels between two points ``(2,)`` of the film, with a margin; ``None`` where none is on it."""
        (x0, y0), (x1, y1) = low, high
        top, bottom = max(math.floor(y0) - margin_px, 0), min(math.ceil(y1) + margin_px + 1, self.shape[0])
        left, right = max(math.floor(x0) - margin_px, 0), min(math.ceil(x1) + margin_px + 1, self.shape[1])
        return (top, bottom, left, right) if bottom > top and right > left else None

    def rays(self, box: Box, axes: Floats) -> tuple[Floats, Floats, Floats]:
        """Return the three components, along the columns of ``axes``, of the vectors from the source to the pixels of ``box``."""
        y0, y1, x0, x1 = box
        across = (np.arange(x0, x1) - self.centre_px[0]) * self.spacing_mm
        along = (np.arange(y0, y1) - self.centre_px[1]) * self.spacing_mm
        start, right, down = (vector @ axes for vector in (self.forward * self.distance_mm, self.right, self.down))
        first, second, third = ((start[k] + right[k] * across)[None, :] + (down[k] * along)[:, None] for k in range(3))
        return first.astype(np.float32), second.astype(np.float32), third.astype(np.float32)

    def coarser(self, factor: int) -> Camera:
        """Return the same exposure on pixels ``factor`` times as large, covering the same film."""
        rows, columns = (-(-n // factor) for n in self.shape)
        shift = (factor - 1) / 2
        centre = ((self.centre_px[0] - shift) / factor, (self.centre_px[1] - shift) / factor)
        return Camera(self.source_mm, self.right, self.down, self.forward, self.distance_mm, self.spacing_mm * factor, (rows, columns), centre)


def camera(
    view: str,
    *,
    aim_mm: Floats,
    film_mm: float,
    distance_mm: float,
    spacing_mm: float,
    shape: tuple[int, int],
    centre_px: tuple[float, float],
    roll_deg: float = 0.0,
) -> Camera:
    """Place the tube for a view.

    Parameters
    ----------
    view
        One of ``FORWARD``.
    aim_mm
        Point of the patient that the central ray passes through.
    film_mm
        Distance of that point from the detector.
    roll_deg
        Rotation of the film in its plane.
    """
    forward = np.array(FORWARD[view])
    up = np.array([0.0, 0.0, 1.0])
    across = np.cross(forward, up)
    angle = np.deg2rad(roll_deg)
    right = np.cos(angle) * across + np.sin(angle) * up
    down = np.cross(forward, right)
    source = np.asarray(aim_mm, dtype=np.float64) - forward * (distance_mm - film_mm)
    return Camera(source, right, down, forward, distance_mm, spacing_mm, shape, centre_px)
