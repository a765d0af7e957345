"""What a model measured, film by film, beside the truth: the content of the measuring half of a report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinelab.core import Stroke
from spinelab.evaluation.types import Estimate
from spinelab.report.words import estimate

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
        What `spinelab.evaluation.measurement_agreement` says of it: counts, ``metrics``, ``bland_altman``, ``interval``.
    constant
        What always giving one number reaches: ``answer``, ``source``, and as `Estimate` ``mae`` and ``gain`` (its absolute error
        minus the model's, on the same films).
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

    def figure(self, name: str) -> Estimate:
        """Return one of the ``metrics``; without a value where there is none."""
        return estimate(dict(self.figures.get("metrics") or {}).get(name))

    def limit(self, name: str) -> Estimate:
        """Return a figure of the Bland-Altman analysis: ``bias``, ``lower``, ``upper``, ``slope``."""
        return estimate(dict(self.figures.get("bland_altman") or {}).get(name))

    def of_interval(self, name: str) -> Estimate:
        """Return a figure of the stated intervals: ``coverage``, ``mean_width``."""
        return estimate(dict(self.figures.get("interval") or {}).get(name))

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
        ``LandmarkErrors.to_dict()`` with ``kind``: first ``all``, then ``constant`` (a mean shape over every film), ``region``, ``level``,
        ``landmark``.
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


@dataclass(frozen=True)
class Remarks:
    """What an answer says of one film besides its values.

    Parameters
    ----------
    certainty
        The stated probability that the vertebrae are named rightly; ``None`` where none is stated.
    withheld
        What has no value and why, in words: ``pi_deg, pt_deg: no femoral heads``.
    notes
        The notes of the answer, a sentence each.
    """

    certainty: float | None = None
    withheld: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


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
    remarks: tuple[Remarks, ...] = ()
    """One a row; empty where none were kept."""
    levels: Mapping[str, Any] | None = None
    """``LevelNaming.to_dict()`` and, where answers state a certainty, ``certainty``: ``Certainty.to_dict()`` and ``disputed``: `disputed_names`."""
    shown: tuple[ShownFilm, ...] = ()
    worst_by: str = ""
    """By what the films shown are the worst."""
    disputed: tuple[ShownFilm, ...] = ()
    """Films whose levels are named surely and otherwise than in the truth."""
