"""A statistic with its interval, and the answers that statistics are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its confidence limits; ``lo`` and ``hi`` are ``None`` where none can be given."""

    value: float | None
    lo: float | None = None
    hi: float | None = None

    def to_dict(self) -> dict[str, float | None]:
        return {"value": self.value, "lo": self.lo, "hi": self.hi}


@dataclass(frozen=True, eq=False)
class Predictions:
    """Out-of-sample answers of one model for n examinations, over R repeats of the experiment.

    Parameters
    ----------
    classes
        K class names.
    images, patients
        n names; where patients are not known, ``patients`` repeats the image names. Those who share a picture stand under one name.
    truth
        (n,) index of the true class.
    probabilities
        (R, n, K); each examination is predicted once a repeat, by a model that has not seen its patient.
    folds
        (R, n) number of the fold in which it was held out.
    named
        n patients as the data name them, empty where they do not; without it they are named as ``patients``.
    """

    classes: tuple[str, ...]
    images: tuple[str, ...]
    patients: tuple[str, ...]
    truth: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    folds: NDArray[np.int64]
    named: tuple[str, ...] = ()

    def subset(self, index: NDArray[np.integer[Any]]) -> Predictions:
        """Return the answers for the examinations at these positions."""
        images, patients, named = (tuple(names[int(i)] for i in index) if names else () for names in (self.images, self.patients, self.named))
        return Predictions(self.classes, images, patients, self.truth[index], self.probabilities[:, index], self.folds[:, index], named)

    def patient(self, place: int) -> str:
        """Return the patient of one examination as the data name it."""
        return (self.named or self.patients)[place]

    @property
    def answers(self) -> NDArray[np.int64]:
        """(R, n) index of the most probable class."""
        answers: NDArray[np.int64] = self.probabilities.argmax(axis=2).astype(np.int64)
        return answers

    @property
    def mean_probabilities(self) -> NDArray[Any]:
        """(n, K) averaged over repeats."""
        mean: NDArray[Any] = self.probabilities.mean(axis=0)
        return mean
