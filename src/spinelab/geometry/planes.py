"""Points and picture planes in the patient: from a pixel to millimetres, and into another series of the same frame of reference.

Patient millimetres are LPS; a plane's 4x4 affine takes (column, row, 0, 1) to them (PS3.3 C.7.6.2.1.1), its third column is the unit normal or
the step to the next slice.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spinelab.core import InputError

Floats = NDArray[np.float64]

AXES_NAMES: Final = ("SAGITTAL", "CORONAL", "AXIAL")
"""Planes whose normal is the patient's x, y and z axis."""
OBLIQUE_BEYOND_DEG: Final = 45.0
"""Axial slices follow the discs: at L5/S1 they may lean by more than 40 degrees and are still called axial."""


@dataclass(frozen=True, slots=True)
class Projection:
    """Where a point falls in a stack of slices.

    ``index`` is the nearest slice, ``x`` and ``y`` the pixel (centres at whole numbers), ``distance_mm`` how far the point lies from that slice along its
    normal, ``inside`` whether it falls on the picture.
    """

    index: int
    x: float
    y: float
    distance_mm: float
    inside: bool


def to_patient(affine: ArrayLike, x: float, y: float) -> Floats:
    """Return the patient millimetres of a pixel of a plane."""
    found: Floats = (np.asarray(affine, dtype=np.float64) @ [x, y, 0.0, 1.0])[:3]
    return found


def unit_normal(affine: ArrayLike) -> Floats:
    """Return the row direction x column direction, of length 1."""
    matrix = np.asarray(affine, dtype=np.float64)
    normal = cross(matrix[:3, 0], matrix[:3, 1])
    found: Floats = normal / np.linalg.norm(normal)
    return found


def cross(one: Floats, other: Floats) -> Floats:
    """Return the cross product of two vectors in space: numpy's takes ten times as long for a single one."""
    (a, b, c), (d, e, f) = one.tolist(), other.tolist()
    return np.array([b * f - c * e, c * d - a * f, a * e - b * d])


def to_plane(affine: ArrayLike, point_mm: ArrayLike) -> tuple[float, float, float]:
    """Return the pixel (x, y) under a point and the point's signed distance from the plane along its normal in mm."""
    matrix = np.array(affine, dtype=np.float64)
    matrix[:3, 2] = unit_normal(matrix)
    x, y, distance = np.linalg.solve(matrix[:3, :3], np.asarray(point_mm, dtype=np.float64) - matrix[:3, 3])
    return float(x), float(y), float(distance)


def project(point_mm: ArrayLike, affines: ArrayLike, shape_yx: tuple[int, int]) -> Projection:
    """Return where a point falls in a stack of planes (n, 4, 4), which may lean in different ways.

    Among the slices on whose picture it falls, the nearest one counts; if it falls on none, the nearest one of all.
    """
    rows, columns = shape_yx
    found = []
    for index, affine in enumerate(np.asarray(affines, dtype=np.float64)):
        x, y, distance = to_plane(affine, point_mm)
        inside = -0.5 <= x <= columns - 0.5 and -0.5 <= y <= rows - 0.5
        found.append(Projection(index, x, y, distance, inside))
    if not found:
        raise InputError("No slice to project a point into", expected="one or more slices", action="check the series")
    return min(found, key=lambda p: (not p.inside, abs(p.distance_mm)))


def check_same_frame(one: str | None, other: str | None) -> None:
    """Refuse to carry a point between series that do not state the same frame of reference: the patient may have moved between them."""
    if one is None or other is None or one != other:
        raise InputError(
            f"Series with frames of reference {one or 'not stated'} and {other or 'not stated'}",
            expected="one FrameOfReferenceUID (0020,0052) in both",
            action="mark the point in the other series itself",
        )


def plane_of(affine: ArrayLike) -> tuple[str, float]:
    """Name the anatomical plane nearest to a slice, and its angle to it in degrees: OBLIQUE beyond `OBLIQUE_BEYOND_DEG`."""
    name = nearest_plane(affine)
    degrees = degrees_from(affine, name)
    return (name if degrees <= OBLIQUE_BEYOND_DEG else "OBLIQUE"), degrees


def nearest_plane(affine: ArrayLike, among: Collection[str] = AXES_NAMES) -> str:
    """Name the anatomical plane nearest to a slice, of these."""
    return min(among, key=lambda name: degrees_from(affine, name))


def degrees_from(affine: ArrayLike, plane: str) -> float:
    """Return the angle in degrees between a slice and an anatomical plane."""
    along = abs(float(unit_normal(affine)[AXES_NAMES.index(plane)]))
    return float(np.degrees(np.arccos(min(1.0, along))))


def picture_directions(affine: ArrayLike) -> tuple[str, str]:
    """Return where the picture's right and bottom edges point to, as letters out of L, R, P, A, H, F (nearest axis)."""
    matrix = np.asarray(affine, dtype=np.float64)
    return _letter(matrix[:3, 0]), _letter(matrix[:3, 1])


def opposite(letter: str) -> str:
    """Return the letter of the direction against it: R of L, A of P, F of H."""
    return _OPPOSITE[letter]


def _letter(direction: Floats) -> str:
    axis = int(np.argmax(np.abs(direction)))
    return ("LR", "PA", "HF")[axis][0 if direction[axis] > 0 else 1]


def flip_affine(affine: ArrayLike, axis: str, length: int) -> Floats:
    """Return the affine of a picture whose columns (``x``), rows (``y``) or slices (``z``) were reversed, so that every voxel stays where it was.

    ``length`` is the number of columns, rows or slices.
    """
    if axis not in ("x", "y", "z"):
        raise InputError(f"Axis {axis!r}", expected="x, y or z", action="name the axis")
    place = "xyz".index(axis)
    matrix = np.array(affine, dtype=np.float64)
    matrix[:3, 3] += matrix[:3, place] * (length - 1)
    matrix[:3, place] *= -1
    return matrix


STANDARD: Final = {"SAGITTAL": ("P", "F"), "AXIAL": ("L", "P"), "CORONAL": ("L", "F")}
"""How slices are hung: where right and bottom edges point to. The patient's left is on the picture's right."""


def hang(pixels: NDArray[np.generic], affine: ArrayLike, among: Collection[str] = ()) -> tuple[NDArray[np.generic], Floats]:
    """Turn one plane (rows, columns) as it is usually hung; the affine goes with it, so no side is exchanged.

    ``among`` are the planes that it can be, where that is known: the nearest of them then counts, however much the slice leans. An axial slice along the disc
    L5/S1 is often nearer to the coronal plane, and would hang upside down as a coronal one. Without it an oblique plane is returned as it is.
    """
    matrix = np.array(affine, dtype=np.float64)
    right, bottom = STANDARD.get(nearest_plane(matrix, among) if among else plane_of(matrix)[0], ("", ""))
    if not right:
        return pixels, matrix
    across, down = (_DIRECTIONS[letter] for letter in (right, bottom))
    if abs(across @ matrix[:3, 1]) > abs(across @ matrix[:3, 0]):
        pixels, matrix = np.swapaxes(pixels, 0, 1), matrix[:, [1, 0, 2, 3]]
    for place, (axis, wanted) in enumerate((("x", across), ("y", down))):
        if float(wanted @ matrix[:3, place]) < 0:
            matrix = flip_affine(matrix, axis, pixels.shape[1 - place])
            pixels = np.flip(pixels, 1 - place)
    return pixels, matrix


_DIRECTIONS: Final = {"L": np.array([1.0, 0, 0]), "P": np.array([0, 1.0, 0]), "F": np.array([0, 0, -1.0])}
"""Where the letters of `STANDARD` point to in LPS."""
_OPPOSITE: Final = {"L": "R", "R": "L", "P": "A", "A": "P", "H": "F", "F": "H"}
