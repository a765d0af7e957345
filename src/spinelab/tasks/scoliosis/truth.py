"""What is true of an AP film whose corners are known, in whichever layout they came."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spinelab.core import Finding, Landmark, Measurement, Result
from spinelab.core.study import NORMAL_PRESACRAL
from spinelab.geometry import CORNER_LANDMARKS, THORACOLUMBAR
from spinelab.tasks.scoliosis.measure import CHALLENGE, TARGET, Values, class_of, corners_of, found_levels, measure, of_corners, places

_ANOMALIES: Final = {
    23: "there is no L5, and the angles are those of T1 to L4",
    25: "the sixth lumbar vertebra has no landmarks, and the angles are those of T1 to L5",
    26: "the thirteenth thoracic and the sixth lumbar vertebra have no landmarks, and the angles are those of T1 to L5",
}
"""What another number of vertebrae above the sacrum means for a film on which T1 to L5 are named."""


def truth(
    points: Mapping[str, tuple[float, float]],
    study: str,
    rows: int | None,
    threshold_deg: float,
    *,
    angles: ArrayLike | None = None,
    spacing_mm: tuple[float, float] | None = None,
    presacral: int | None = None,
    author: str = "data set",
) -> Result:
    """Return the landmarks of a film, what is measured on them, and the class that follows from the largest angle, where it can be measured.

    Parameters
    ----------
    points
        Corners by name, x, y in pixels; vertebrae that are not on the film are left out.
    rows
        Of the film, if known.
    angles
        The challenge's three angles as distributed, in place of those measured.
    presacral
        Vertebrae above the sacrum, if that is known: of 23, T1 to L4 are the whole column.
    """
    named = {name: np.array(points[name], np.float64) for name in CORNER_LANDMARKS if name in points}
    values = {key: float(value) for key, value in _measured(named, rows, spacing_mm, presacral).items() if np.isfinite(value)}
    if angles is not None:
        values |= {(name, "deg"): float(angle) for name, angle in zip(CHALLENGE, np.asarray(angles, np.float64), strict=True)}
    where = places(named, spacing_mm, rows, column_of(presacral or NORMAL_PRESACRAL))
    largest = values.get(("cobb_max", "deg"))
    return Result(
        task="scoliosis",
        model=author,
        study=study,
        findings=() if largest is None else (Finding(TARGET, class_of(largest, threshold_deg)),),
        measurements=tuple(Measurement(name, value, unit, site=where[name].site if name in where else None) for (name, unit), value in values.items()),
        landmarks=tuple(Landmark(name, float(x), float(y)) for name, (x, y) in named.items()),
        notes=anomaly(presacral),
    )


def _measured(named: Mapping[str, NDArray[np.float64]], rows: int | None, spacing_mm: tuple[float, float] | None, presacral: int | None) -> Values:
    levels = found_levels(named)
    if len(levels) < len(THORACOLUMBAR) and presacral is not None and levels == column_of(presacral):
        return of_corners(corners_of(named, levels), spacing_mm, rows, levels)
    return measure(named, spacing_mm, rows)


def column_of(presacral: int) -> tuple[str, ...]:
    """Return those of T1 to L5 that a patient with so many vertebrae above the sacrum has."""
    return THORACOLUMBAR[: len(THORACOLUMBAR) - max(0, NORMAL_PRESACRAL - presacral)]


def anomaly(presacral: int | None) -> tuple[str, ...]:
    """Return a sentence on a number of vertebrae above the sacrum other than 24; nothing where it is 24 or not known."""
    what = _ANOMALIES.get(presacral or NORMAL_PRESACRAL)
    return () if what is None else (f"{presacral} vertebrae above the sacrum, counted from T1 down: {what}.",)
