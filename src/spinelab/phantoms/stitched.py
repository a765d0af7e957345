"""A long film put together from several exposures: the tube moves along the patient, and each part of the film has its own source.

The parts are joined where the patient's midsagittal plane is continuous, as stitching software does; whatever lies nearer the tube or the
detector jumps a little at a seam. Many narrow parts are a slot scanner, one part is a single exposure from far away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from spinelab.phantoms.camera import FORWARD, Camera, Floats
from spinelab.phantoms.solids import Solid, ray_sum
from spinelab.phantoms.vertebra import Vertebra, turned


@dataclass(frozen=True, eq=False)
class LongFilm:
    """Exposures of one stitched film, from the top down.

    Parameters
    ----------
    parts
        First row of each part, and the camera that took it; its rows count from there.
    shape
        Rows and columns of the whole film.
    magnification
        Detector millimetres per millimetre in the midsagittal plane.
    """

    parts: Sequence[tuple[int, Camera]]
    shape: tuple[int, int]
    spacing_mm: float
    magnification: float

    def project(self, point_mm: Floats) -> Floats:
        """Return column and row of one point ``(3,)``, as the part shows it in which it falls."""
        first, camera = self.parts[self._part(point_mm)]
        at: Floats = camera.project(point_mm) + np.array([0.0, first])
        return at

    def ends(self, v: Vertebra, plate: str) -> Floats:
        """Return front and back end ``(2, 2)`` of an endplate, where its outline ends on the film."""
        first, camera = self.parts[self._part(v.point(plate, 0, 0))]
        ends = v.ends(plate, camera, (0.0, 1.0))
        front = camera.project(v.point(plate, 0, -1))
        nearest = np.linalg.norm(ends - front, axis=1).argmin()
        ordered: Floats = (ends if nearest == 0 else ends[::-1]) + np.array([0.0, first])
        return ordered

    def ray_sum(self, solids: Sequence[Solid], *, coarse: int = 1) -> NDArray[np.float32]:
        """Return the attenuation along every ray of the whole film."""
        return np.concatenate([ray_sum(list(solids), camera, coarse=coarse) for _, camera in self.parts])

    def _part(self, point_mm: Floats) -> int:
        """Return the part that shows a point, or whose edge it misses by least."""
        beyond = []
        for _, camera in self.parts:
            row = float(camera.project(point_mm)[1])
            beyond.append(max(-0.5 - row, row - (camera.shape[0] - 0.5), 0.0))
        return int(np.argmin(beyond))


def long_film(
    facing: str,
    *,
    aim_mm: Floats,
    film_mm: float,
    distance_mm: float,
    spacing_mm: float,
    shape: tuple[int, int],
    seams: Sequence[int],
    turn_deg: tuple[float, float] = (0.0, 0.0),
) -> LongFilm:
    """Place the tube for every part of a lateral film.

    Parameters
    ----------
    facing
        Image side to which the patient faces, ``left`` or ``right``.
    aim_mm
        Point of the midsagittal plane that falls on the middle of the film.
    film_mm
        Distance of that point from the detector.
    seams
        Rows at which a new part begins.
    turn_deg
        Rotation of the patient about the long axis, drawn as the opposite rotation of tube and film; and of the film in its plane.
    """
    yaw_deg, roll_deg = turn_deg
    forward = turned(0, 0, yaw_deg) @ np.array(FORWARD[facing.upper()])
    up = np.array([0.0, 0.0, 1.0])
    across, angle = np.cross(forward, up), np.deg2rad(roll_deg)
    right = np.cos(angle) * across + np.sin(angle) * up
    down = np.cross(forward, right)
    factor = distance_mm / (distance_mm - film_mm)
    middle_row, centre_column = (shape[0] - 1) / 2, (shape[1] - 1) / 2
    edges = [0, *seams, shape[0]]
    parts = []
    for first, last in pairwise(edges):
        # The source stands opposite the middle of its part, measured in the midsagittal plane.
        along = ((first + last - 1) / 2 - middle_row) * spacing_mm / factor
        source = np.asarray(aim_mm) + down * along - forward * (distance_mm - film_mm)
        centre = (centre_column, middle_row + along * factor / spacing_mm - first)
        parts.append((first, Camera(source, right, down, forward, distance_mm, spacing_mm, (last - first, shape[1]), centre)))
    return LongFilm(parts, shape, spacing_mm, factor)
