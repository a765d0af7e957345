"""Where pixels lie in the patient (LPS, mm), from the header only: single planes and stacks of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spinelab.core import Fact, InputError, counted, unknown
from spinelab.geometry.planes import cross
from spinelab.io.dicom_header import Header, tag

Vectors = NDArray[np.float64]

SAME_DIRECTION: Final = 1e-3
"""Largest difference of a direction cosine between slices of one stack."""

SAME_POSITION_MM: Final = 1e-3
_TILT_WORTH_TELLING_DEG: Final = 0.1
_UNIT_TOLERANCE: Final = 1e-3


@dataclass(frozen=True, eq=False)
class Stack:
    """Slices in order along their normal: ``order`` indexes the input; spacing is (slice, row, column)."""

    order: tuple[int, ...]
    spacing_mm: Fact
    affine: Fact
    facts: dict[str, Fact] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def orientation(header: Header) -> Vectors | None:
    """Return the directions of rows and of columns as a (2, 3) array, or ``None`` where they are not stated.

    ``[0]`` points along increasing column index, ``[1]`` along increasing row index (PS3.3 C.7.6.2).
    """
    return header.once("orientation", ("ImageOrientationPatient",), lambda: _orientation(header))


def _orientation(header: Header) -> Vectors | None:
    values = header.numbers("ImageOrientationPatient", 6)
    if values is None:
        return None
    directions = np.array(values).reshape(2, 3)
    lengths = np.linalg.norm(directions, axis=1)
    sound = np.all(np.isfinite(directions)) and np.all(np.abs(lengths - 1) <= _UNIT_TOLERANCE) and abs(directions[0] @ directions[1]) <= _UNIT_TOLERANCE
    if not sound:
        raise header.refusal("ImageOrientationPatient", "two unit vectors at right angles")
    directions.setflags(write=False)
    return directions


def position(header: Header) -> Vectors | None:
    """Return the centre of the first pixel in mm, or ``None`` where it is not stated."""
    values = header.numbers("ImagePositionPatient", 3)
    if values is None:
        return None
    if not all(map(math.isfinite, values)):
        raise header.refusal("ImagePositionPatient", "three finite numbers")
    return np.array(values)


def plane_affine(header: Header, spacing: Fact) -> Fact:
    """Return the affine of one plane; its third column is the unit normal."""
    directions, origin = orientation(header), position(header)
    if directions is None or origin is None:
        absent = "ImageOrientationPatient" if directions is None else "ImagePositionPatient"
        return unknown(f"DICOM {tag(absent)} absent")
    if not spacing.known:
        return unknown(f"spacing not known: {spacing.source}")
    doubt = ""
    if not origin.any() and np.array_equal(directions, np.eye(3)[:2]):
        doubt = "; identity at the origin: probably a placeholder"
    source = f"DICOM {tag('ImageOrientationPatient')} and {tag('ImagePositionPatient')}{doubt}"
    return Fact(_affine(directions, spacing.value, cross(*directions), origin), source)


def _affine(directions: Vectors, spacing: Sequence[float], step: Vectors, origin: Vectors) -> Vectors:
    """Return PS3.3 equation C.7.6.2.1-1 with a third column: voxel index (column, row, slice, 1) to LPS mm."""
    matrix = np.eye(4)
    matrix[:3, 0] = directions[0] * spacing[1]
    matrix[:3, 1] = directions[1] * spacing[0]
    matrix[:3, 2] = step
    matrix[:3, 3] = origin
    matrix.setflags(write=False)
    return matrix


def repeated(directions: Vectors, positions: Vectors) -> list[tuple[int, int]]:
    """Return pairs of slices that lie at the same place along the normal."""
    along = positions @ np.cross(*directions)
    order = np.argsort(along, kind="stable")
    close = np.flatnonzero(np.diff(along[order]) < SAME_POSITION_MM)
    return [(int(order[i]), int(order[i + 1])) for i in close]


def stack(name: str, directions: Vectors, positions: Vectors, spacing: Fact) -> Stack:
    """Order slices along their normal and say how far apart they are.

    ``spacing`` is the in-plane one. Uneven gaps leave the spacing and the affine unknown; a stack that leans (gantry tilt) keeps
    its sheared affine and says so. Raises `InputError` for two slices at one place.
    """
    normal = np.cross(*directions)
    pairs = repeated(directions, positions)
    if pairs:
        raise InputError(
            f"{name}: {len(pairs) + 1} or more slices lie at one position", expected="one slice a position", action="read the parts of the series apart"
        )
    along = positions @ normal
    order = np.argsort(along)
    ordered, along = positions[order], along[order]
    gaps = np.diff(along)
    facts: dict[str, Fact] = {"slice_positions_mm": Fact(tuple(round(float(a), 4) for a in along), f"DICOM {tag('ImagePositionPatient')} along the normal")}
    reason = _uneven(gaps, ordered)
    if reason or not spacing.known:
        facts["in_plane_spacing_mm"] = spacing
        why = unknown(reason or f"spacing in the plane not known: {spacing.source}")
        return Stack(tuple(map(int, order)), why, why, facts, (f"{name}: {reason}",) if reason else ())
    step = (ordered[-1] - ordered[0]) / (len(ordered) - 1)
    tilt_facts, notes = _tilt(name, step, normal)
    between = float(np.linalg.norm(step))
    source = f"{spacing.source}; slices: even gaps of {tag('ImagePositionPatient')} along the normal"
    matrix = Fact(_affine(directions, spacing.value, step, ordered[0]), f"DICOM {tag('ImageOrientationPatient')} and {tag('ImagePositionPatient')}")
    return Stack(tuple(map(int, order)), Fact((between, *spacing.value), source), matrix, {**facts, **tilt_facts}, notes)


def _uneven(gaps: Vectors, ordered: Vectors) -> str:
    """Say why the slices are not evenly spaced on a straight line; empty if they are.

    A slice may be off by 2 % of the median gap, or by what rounding makes where all positions are written in tenths of a millimetre.
    """
    median = float(np.median(gaps))
    in_tenths = np.allclose(ordered, np.round(ordered, 1), atol=1e-6)
    tolerance = max(0.02 * median, min(0.1 if in_tenths else 0.01, 0.2 * median))
    line = np.linspace(ordered[0], ordered[-1], len(ordered))
    if float(np.linalg.norm(ordered - line, axis=1).max()) <= tolerance:
        return ""
    missing = int(np.sum(np.round(gaps[gaps > 1.5 * median] / median) - 1))
    shown = f"gaps between slices from {gaps.min():.3g} to {gaps.max():.3g} mm, median {median:.3g} mm"
    if missing:
        return f"{shown}: {counted(missing, '[slice seems|slices seem] to be missing')}"
    return f"{shown}: slices are not evenly spaced on a straight line"


def _tilt(name: str, step: Vectors, normal: Vectors) -> tuple[dict[str, Fact], tuple[str, ...]]:
    """Return the angle between the stacking direction and the slices' normal where it is worth telling."""
    cosine = float(np.clip(step @ normal / np.linalg.norm(step), -1, 1))
    degrees = float(np.degrees(np.arccos(cosine)))
    if degrees < _TILT_WORTH_TELLING_DEG:
        return {}, ()
    fact = Fact(degrees, f"angle between the slices' normal and DICOM {tag('ImagePositionPatient')} from slice to slice")
    note = f"{name}: the stack leans by {degrees:.1f} degrees (gantry tilt); its axes are not at right angles, the affine says how"
    return {"gantry_tilt_deg": fact}, (note,)


def anatomical_plane(directions: Any) -> Fact:
    """Name the plane nearest to a slice: AXIAL, SAGITTAL or CORONAL, OBLIQUE beyond 35 degrees."""
    normal = np.abs(np.cross(*directions))
    axis = int(np.argmax(normal))
    degrees = float(np.degrees(np.arccos(min(1.0, float(normal[axis] / np.linalg.norm(normal))))))
    plane = ("SAGITTAL", "CORONAL", "AXIAL")[axis]
    source = f"DICOM {tag('ImageOrientationPatient')}: {degrees:.0f} degrees from {plane.lower()}"
    return Fact(plane if degrees <= 35 else "OBLIQUE", source)
