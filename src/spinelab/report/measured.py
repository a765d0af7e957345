"""What a model measured, film by film, beside the truth: the content of the measuring half of a report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinelab.core import Stroke
from spinelab.evaluation.types import Estimate

Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class MeasuredQuantity:
    """One quantity on every row of a `Measured`; what is not there is nan.

    Parameters
    ----------
    name
        Stem of its metrics: ``cobb_max``, with site and side where it has them.
    column
        Stem of its columns in a table: ``cobb_max_deg``.
    value, lo, hi, truth
        (n,) the answer, the limits of its interval, and what is true, in ``unit``.
    withheld
        Reason -> number of films on which the truth is known and the answer was withheld.
    figures
        Agreement with the truth: `Estimate` of ``mae``, ``median_ae``, ``bias``, ``loa_low``, ``loa_high``, ``icc``, ``ccc``, ``pearson``,
        ``coverage``, ``mean_width`` (those that exist), and ``n``.
    constant
        What always giving one number reaches: ``answer``, ``source`` and the `Estimate` ``mae``.
    """

    name: str
    column: str
    unit: str
    title: str
    how: str
    value: Values
    lo: Values
    hi: Values
    truth: Values
    withheld: Mapping[str, int] = field(default_factory=dict)
    figures: Mapping[str, Any] = field(default_factory=dict)
    constant: Mapping[str, Any] = field(default_factory=dict)

    @property
    def paired(self) -> NDArray[np.bool_]:
        """(n,) whether both the answer and the truth are known."""
        return np.isfinite(self.value) & np.isfinite(self.truth)


@dataclass(frozen=True, eq=False)
class MeasuredLandmarks:
    """Every landmark on every row of a `Measured`; nan where it is absent.

    Parameters
    ----------
    names
        L names.
    predicted, truth
        (n, L, 2) x and y in pixels of the original film.
    error_px, error_mm
        (n, L) distance; in millimetres nan where the film's pixel size is not known.
    rows
        One a landmark, one a region, then one for all: ``{"kind", "name", "n", "missed", "median_px", ...}``.
    """

    names: tuple[str, ...]
    predicted: Values
    truth: Values
    error_px: Values
    error_mm: Values
    rows: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, eq=False)
class ShownFilm:
    """A film with truth and answer drawn over it, in pixels of the original film."""

    image: str
    picture: NDArray[np.uint8]
    truth: tuple[Stroke, ...]
    answer: tuple[Stroke, ...]
    facts: tuple[str, ...] = ()
    """What is said below it: errors, intervals."""


@dataclass(frozen=True, eq=False)
class Measured:
    """Everything that one model measured; a row is a film (in a comparison, a film in one repeat)."""

    images: tuple[str, ...]
    patients: tuple[str, ...]
    """Empty where patients are not known."""
    groups: tuple[str, ...]
    """What is drawn again as one in a bootstrap."""
    quantities: tuple[MeasuredQuantity, ...]
    metrics: Mapping[str, Estimate]
    """By the names of ``evaluation.json``: ``cobb_max_mae_deg``."""
    folds: tuple[int, ...] = ()
    repeats: tuple[int, ...] = ()
    landmarks: MeasuredLandmarks | None = None
    levels: Mapping[str, Any] | None = None
    """``right`` (`Estimate`), ``films``, ``offsets`` and, where answers carry a certainty, its calibration."""
    shown: tuple[ShownFilm, ...] = ()
    worst_by: str = ""
    """By what the films shown are the worst."""
