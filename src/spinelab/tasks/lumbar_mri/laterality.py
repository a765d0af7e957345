"""Mirroring pictures without exchanging sides by accident: a flip swaps left and right targets, or is refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spinelab.core import InputError
from spinelab.geometry.planes import plane_of
from spinelab.tasks.lumbar_mri.targets import Question

_LEFT_RIGHT: Final = 0
_AXES: Final = {"x": "columns", "y": "rows", "z": "slices"}


def mirrors_sides(affine: ArrayLike, axis: str) -> bool:
    """Return whether reversing columns (``x``), rows (``y``) or slices (``z``) mirrors the patient from left to right.

    True where that axis runs mainly from one of the patient's sides to the other. Any other reversal makes a picture of a patient upside down or back to front.
    """
    if axis not in _AXES:
        raise InputError(f"Axis {axis!r}", expected="x, y or z", action="name the axis")
    direction = np.asarray(affine, dtype=np.float64)[:3, "xyz".index(axis)]
    return int(np.argmax(np.abs(direction))) == _LEFT_RIGHT


def mirror(
    pixels: NDArray[Any], affine: ArrayLike, questions: Sequence[Question], axis: str, points_xy: ArrayLike | None = None
) -> tuple[NDArray[Any], tuple[Question, ...], NDArray[np.float64] | None]:
    """Mirror a picture or a stack of slices as augmentation does: the patient becomes their own mirror image.

    Parameters
    ----------
    pixels
        (rows, columns) or (slices, rows, columns).
    affine
        4x4 of the picture, which tells where its axes point to.
    questions
        What the picture is asked; left becomes right and right becomes left.
    axis
        ``x`` reverses columns, ``y`` rows, ``z`` slices.
    points_xy
        (n, 2) pixels that go with the picture.

    Raises
    ------
    InputError
        The axis does not run from side to side: the picture would show no possible patient (an axial slice upside down, a sagittal one that
        faces the other way while its slices keep their sides).
    """
    if axis == "z" and pixels.ndim < 3:
        raise InputError(
            "A single slice cannot be mirrored across slices", expected="a stack (slices, rows, columns)", action="give the neighbouring slices too"
        )
    if not mirrors_sides(affine, axis):
        plane = plane_of(affine)[0].lower()
        raise InputError(
            f"Reversing the {_AXES[axis]} of {'an' if plane[0] in 'ao' else 'a'} {plane} picture",
            expected="an axis that runs from the patient's left to the right: x of axial and coronal, z of sagittal pictures",
            action="turn the picture by a few degrees instead, or leave this augmentation out",
        )
    place = pixels.ndim - 1 - "xyz".index(axis)
    points = None
    if points_xy is not None:
        points = np.array(points_xy, dtype=np.float64)
        if axis in "xy":
            column = "xy".index(axis)
            points[:, column] = pixels.shape[place] - 1 - points[:, column]
    return np.flip(pixels, place), tuple(question.mirrored for question in questions), points
