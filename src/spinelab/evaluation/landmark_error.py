"""How far the found landmarks lie from the true ones, by landmark and by region, and which were missed or invented."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spinelab.core import InputError
from spinelab.evaluation.cluster import Resamples, check_patients, estimate_of
from spinelab.evaluation.resampling import BOOTSTRAPS, Floats
from spinelab.evaluation.types import Estimate

ALL: Final = "all"
"""Name of the row that holds every landmark."""


@dataclass(frozen=True, slots=True)
class ErrorSummary:
    """Distances of found landmarks from the true ones, in one unit; the median with limits over resampled patients."""

    n: int
    median: Estimate
    q1: float | None
    q3: float | None
    p90: float | None
    mean: float | None

    def to_dict(self) -> dict[str, Any]:
        return {"n": self.n, "median": self.median.to_dict(), "q1": self.q1, "q3": self.q3, "p90": self.p90, "mean": self.mean}


@dataclass(frozen=True, slots=True)
class LandmarkErrors:
    """One landmark's or region's errors.

    Parameters
    ----------
    name
        Landmark, region, or ``all``.
    px, mm, heights
        Errors in pixels of the original film, millimetres, and heights of a vertebra; ``n`` differs where spacing or height is not known.
    present, missed, invented
        Landmarks in the truth; of those, not found; found although the truth says absent. Missed ones have no error and count in no median.
    """

    name: str
    px: ErrorSummary
    mm: ErrorSummary
    heights: ErrorSummary
    present: int
    missed: int
    invented: int

    def to_dict(self) -> dict[str, Any]:
        counts = {"present": self.present, "missed": self.missed, "invented": self.invented}
        return {"name": self.name, **counts, "px": self.px.to_dict(), "mm": self.mm.to_dict(), "heights": self.heights.to_dict()}


def landmark_errors(
    found: ArrayLike,
    truth: ArrayLike,
    names: Sequence[str],
    *,
    patients: Sequence[Any] | NDArray[Any] | None = None,
    regions: Mapping[str, Sequence[str]] | None = None,
    spacing_mm: ArrayLike | None = None,
    height_px: ArrayLike | None = None,
    bootstraps: int = BOOTSTRAPS,
) -> dict[str, LandmarkErrors]:
    """Return the errors of every landmark, of every region, and of all, by name.

    Parameters
    ----------
    found, truth
        (n, L, 2) x, y in pixels of the original film; nan where absent.
    names
        L landmark names.
    patients
        (n,) patient of each film; the limits of a median resample whole patients.
    regions
        Region name to the landmarks in it; a region's median is over all its landmarks together. Its name must not be a landmark's.
    spacing_mm
        (n, 2) height and width of a pixel (row spacing first, as in `Image.spacing_mm`), or (n,) where pixels are square; nan where not known.
    height_px
        (n,) or (n, L) height of a vertebra of that film in pixels, against which heights are counted; nan where not known.
    bootstraps
        Resamples of patients.

    Raises
    ------
    InputError
        Shapes that do not fit, or a region with an unknown landmark.
    """
    points, true = np.asarray(found, dtype=np.float64), np.asarray(truth, dtype=np.float64)
    if points.shape != true.shape or points.ndim != 3 or points.shape[1:] != (len(names), 2):
        raise InputError(f"Landmarks {points.shape} and {true.shape} for {len(names)} names", expected="(films, landmarks, 2) twice", action="pair the films")
    groups = _groups(names, regions or {})
    owners = check_patients(patients, len(points))
    units = _distances(points - true, spacing_mm, height_px)
    seen, present = (np.asarray(np.isfinite(p).all(axis=2)) for p in (points, true))
    owner_of_each = np.repeat(owners[:, None], len(names), axis=1)
    draws_of: dict[int, Resamples] = {}
    report = {}
    for name, columns in groups.items():
        draws = draws_of.setdefault(len(columns), Resamples.of(owner_of_each[:, columns].ravel(), bootstraps=bootstraps))
        px, mm, heights = (_summary(unit[:, columns].ravel(), draws) for unit in units)
        here, there = seen[:, columns], present[:, columns]
        report[name] = LandmarkErrors(name, px, mm, heights, int(there.sum()), int((there & ~here).sum()), int((here & ~there).sum()))
    return report


def _groups(names: Sequence[str], regions: Mapping[str, Sequence[str]]) -> dict[str, list[int]]:
    """Return the columns of every landmark, region, and of all."""
    number = {name: column for column, name in enumerate(names)}
    unknown = sorted({name for members in regions.values() for name in members} - set(number))
    if unknown or set(regions) & {*number, ALL} or len(number) < len(names):
        raise InputError(
            f"Regions {', '.join(regions)} with {', '.join(unknown) or 'names used twice'}",
            expected="known landmarks, names used once",
            action="check the names",
        )
    singles = {name: [column] for name, column in number.items()}
    return singles | {name: [number[member] for member in members] for name, members in regions.items()} | {ALL: list(number.values())}


def _distances(apart: Floats, spacing_mm: ArrayLike | None, height_px: ArrayLike | None) -> tuple[Floats, Floats, Floats]:
    """Return (n, L) distances in pixels, millimetres and heights; nan where a point, the spacing or the height is unknown."""
    films, landmarks = apart.shape[:2]
    pixels = np.hypot(apart[..., 0], apart[..., 1])
    spacing = np.full((films, 2), np.nan) if spacing_mm is None else np.asarray(spacing_mm, dtype=np.float64)
    spacing = np.stack([spacing, spacing], axis=-1) if spacing.ndim == 1 else spacing
    height = np.full((films, 1), np.nan) if height_px is None else np.asarray(height_px, dtype=np.float64)
    height = height[:, None] if height.ndim == 1 else height
    if spacing.shape != (films, 2) or height.shape not in {(films, 1), (films, landmarks)} or (spacing <= 0).any() or (height <= 0).any():
        raise InputError(
            f"Spacing {spacing.shape} and height {height.shape} for {films} films of {landmarks} landmarks",
            expected="positive numbers, one or two a film; nan where unknown",
            action="check the spacing and the heights",
        )
    return pixels, np.hypot(apart[..., 0] * spacing[:, 1:], apart[..., 1] * spacing[:, :1]), pixels / height


def _summary(distances: Floats, draws: Resamples) -> ErrorSummary:
    known = distances[~np.isnan(distances)]
    if len(known) == 0:
        return ErrorSummary(0, Estimate(None), None, None, None, None)
    q1, q3, p90 = (float(q) for q in np.quantile(known, [0.25, 0.75, 0.9]))
    return ErrorSummary(len(known), estimate_of(draws.quantile(distances, 0.5)), q1, q3, p90, float(known.mean()))
