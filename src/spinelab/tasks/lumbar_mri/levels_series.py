"""The series of a study as the level finder uses them: which are there, where their slices lie, and what lies near their middle."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from spinelab.core import Image, Study
from spinelab.geometry.planes import to_patient, unit_normal
from spinelab.tasks.lumbar_mri.levels_canvas import Canvas, on_canvas
from spinelab.tasks.lumbar_mri.levels_settings import LevelSettings

REACH_MM: Final = 30.0
"""The canal is looked for this far to either side of the stack's middle: further than any patient lies off it."""
LEAST_STEP_MM: Final = 2.5
"""Slices that lie closer than this are thinned out: they show the same."""

Floats = NDArray[np.float64]


def series_of_kind(study: Study, description: str) -> list[Image]:
    """Return the study's series of one kind."""
    return [image for image in study.images if (stated := image.facts.get("description")) is not None and stated.value == description]


def affines_of(image: Image) -> Floats:
    """Return the affine of every slice (n, 4, 4)."""
    return np.asarray(image.facts["slice_affines"].value, np.float64)


def frame_of(image: Image) -> str | None:
    """Return FrameOfReferenceUID, ``None`` where it is not stated."""
    stated = image.facts.get("FrameOfReferenceUID")
    return str(stated.value) if stated is not None and stated.known else None


def leftward(affines: Floats) -> Floats:
    """Return the unit normal of a sagittal stack that points to the patient's left (LPS x grows to the left)."""
    normal = np.mean([unit_normal(affine) * (1.0 if unit_normal(affine)[0] >= 0 else -1.0) for affine in affines], axis=0)
    found: Floats = normal / np.linalg.norm(normal)
    return found


def along(image: Image, direction: Floats) -> Floats:
    """Return where the middle of every slice lies along a direction, in mm."""
    rows, columns = image.shape_yx
    return np.array([to_patient(affine, (columns - 1) / 2, (rows - 1) / 2) @ direction for affine in affines_of(image)])


def middle_slices(image: Image) -> list[int]:
    """Return the slices around the stack's middle, thinned out where they are dense, from right to left."""
    places = along(image, leftward(affines_of(image)))
    middle = (places.min() + places.max()) / 2
    chosen: list[int] = []
    for index in np.argsort(places, kind="stable"):
        near = abs(places[index] - middle) <= REACH_MM
        if near and (not chosen or places[index] - places[chosen[-1]] >= LEAST_STEP_MM - 1e-6):
            chosen.append(int(index))
    return chosen


def canvas_of(image: Image, index: int, settings: LevelSettings) -> Canvas:
    """Return one slice on the network's canvas."""
    return on_canvas(image.plane(index), affines_of(image)[index], settings)
