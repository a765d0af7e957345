"""From what a network saw on the canvas to points, angles and distances on the film, each with its spread."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from spinelab.core import Fact
from spinelab.geometry.shape import ShapeModel

if TYPE_CHECKING:
    from spinelab.train.canvas import Placement
    from spinelab.train.landmark_head import Sighting

Points = Mapping[str, NDArray[np.float64]]
Values = dict[tuple[str, str], NDArray[np.float64]]
"""Quantities by name and unit."""
Measure = Callable[[Points, tuple[float, float] | None], Values]

FIRST, SECOND = "first.", "second."
"""Prefixes of the two networks' weights in a model."""
ON_FILM = 0.5
"""Probability from which a landmark counts as being on the film."""
MIDDLE = 0.9
"""Share of the samples that count where they tell no more than what the maps mean: the farthest are peaks of their own."""


@dataclass(frozen=True, eq=False)
class Reading:
    """A film's landmarks in its own pixels.

    Parameters
    ----------
    names
        Landmarks, in the order of the arrays.
    points, samples
        ``(P, 2)`` and ``(S, P, 2)``.
    present
        ``(P,)`` whether each is on the film.
    share
        ``(P,)`` probability that each is on the film and near its point.
    misfit
        ``(P,)`` standard deviations from where the other landmarks predict it; nan where that cannot be told.
    spacing
        Millimetres a pixel (row, column), if known.
    shape
        Rows and columns of the film.
    facts
        What the head knows besides.
    counted
        Share of the samples, those nearest to a value, that count for its spread.
    """

    names: tuple[str, ...]
    points: NDArray[np.float64]
    samples: NDArray[np.float64]
    present: NDArray[np.bool_]
    share: NDArray[np.float64]
    misfit: NDArray[np.float64]
    spacing: Fact
    shape: tuple[int, int]
    facts: dict[str, Any] = field(default_factory=dict)
    counted: float = MIDDLE

    def found(self) -> dict[str, NDArray[np.float64]]:
        """Return the landmarks that are on the film: name to x, y."""
        return {name: point for name, point, on in zip(self.names, self.points, self.present, strict=True) if on}

    def drawn(self) -> dict[str, NDArray[np.float64]]:
        """Return the samples ``(S, 2)`` of the same landmarks."""
        return {name: self.samples[:, i] for i, (name, on) in enumerate(zip(self.names, self.present, strict=True)) if on}


def on_film(
    seen: Sighting, names: tuple[str, ...], where: Placement, spacing: Fact, shape: tuple[int, int], prior: ShapeModel | None, height: float
) -> Reading:
    """Carry a sighting back to the film, and judge each landmark by the others."""
    present = np.asarray(seen.there >= ON_FILM)
    misfit = prior.misfit(seen.points, present, height) if prior is not None else np.full(len(names), np.nan)
    return Reading(names, where.to_film(seen.points), where.to_film(seen.samples), present, seen.share, misfit, spacing, shape, dict(seen.facts))


@dataclass(frozen=True, slots=True)
class Measured:
    """A value and the standard deviation that the landmarks' spread gives it."""

    value: float
    spread: float


def measured(reading: Reading, measure: Measure, samples: Values | None = None) -> dict[tuple[str, str], Measured]:
    """Measure the points and, unless they are, every sample of them; quantities without a finite value are left out."""
    values = measure(reading.found(), reading.spacing.value)
    samples = measure(reading.drawn(), reading.spacing.value) if samples is None else samples
    finite = {key: float(value) for key, value in values.items() if np.ndim(value) == 0 and np.isfinite(value)}
    return {key: Measured(value, spread_of(samples[key], value, reading.counted)) for key, value in finite.items()}


def spread_of(samples: NDArray[np.float64], value: float, counted: float = MIDDLE) -> float:
    """Return the root mean square distance of the samples from the value, by this share of them, the nearest; 0 where no sample has a value."""
    apart = np.sort(np.abs(samples[np.isfinite(samples)] - value))
    kept = apart[: max(1, round(counted * len(apart)))]
    return float(np.sqrt(np.mean(kept**2))) if len(kept) else 0.0
