"""What one table of answers adds up to in every resample of its patients: the raw material of all metrics."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spinelab.evaluation.probability import brier_losses, log_losses
from spinelab.evaluation.ranking import Ranking, resampled_auroc, resampled_average_precision
from spinelab.evaluation.resampling import Floats, Ints, ratio

_ROWS: Final = 4_000_000
"""Rows times resamples that are held at a time."""
_RUNS: Final = 0.25
"""Share of different scores up to which rows of one score and class are added up before they are gone through."""


class Tally:
    """Counts and sums of a table of predictions under B weightings of its patients.

    Parameters
    ----------
    truth
        (n,) number of the true class.
    probabilities
        (R, n, K) over R repeats; a row of nan was not predicted in that repeat.
    codes
        (n,) number of each row's patient, 0 to P - 1.
    weights
        (P, B) how often each patient occurs in each resample.
    positive
        The positive class where there are two.
    """

    def __init__(self, truth: Ints, probabilities: Floats, codes: Ints, weights: NDArray[Any], positive: int = 1) -> None:
        self.truth, self.probabilities, self.codes, self.weights = truth, probabilities, codes, weights
        self.repeats, self.classes = int(probabilities.shape[0]), int(probabilities.shape[2])
        self.predicted: NDArray[np.bool_] = np.asarray(~np.isnan(probabilities).all(-1))
        self.positive = positive
        self._rankings: dict[tuple[int, int], tuple[NDArray[np.int64], Ranking]] = {}
        self._areas: dict[tuple[str, int], Floats] = {}

    @property
    def binary(self) -> bool:
        return self.classes == 2

    @cached_property
    def answers(self) -> Ints:
        """(R, n) the most probable class, -1 where not predicted."""
        filled = np.where(self.predicted[..., None], self.probabilities, 0)
        return np.where(self.predicted, filled.argmax(-1), -1).astype(np.int64)

    @cached_property
    def _weights_float(self) -> Floats:
        return np.ascontiguousarray(self.weights.T, dtype=np.float64)

    @cached_property
    def confusion(self) -> Floats:
        """(B, R, K, K) row = truth, column = answer."""
        patients, cells = len(self.weights), self.classes**2
        table = np.empty((patients, self.repeats, cells))
        for repeat, rows in enumerate(self.predicted):
            cell = self.truth[rows] * self.classes + self.answers[repeat, rows]
            table[:, repeat] = np.bincount(self.codes[rows] * cells + cell, minlength=patients * cells).reshape(patients, cells)
        summed = self._weights_float @ table.reshape(patients, -1)
        return summed.reshape(-1, self.repeats, self.classes, self.classes)

    def _mean_loss(self, losses: Floats) -> Floats:
        """Average (R, n) losses over the rows of every resample, to (B, R)."""
        sums, sizes = (np.empty((len(self.weights), self.repeats)) for _ in range(2))
        for repeat, rows in enumerate(self.predicted):
            sums[:, repeat] = np.bincount(self.codes[rows], weights=losses[repeat, rows], minlength=len(self.weights))
            sizes[:, repeat] = np.bincount(self.codes[rows], minlength=len(self.weights))
        return ratio(self._weights_float @ sums, self._weights_float @ sizes)

    @cached_property
    def brier(self) -> Floats:
        """(B, R) mean Brier score."""
        return self._mean_loss(brier_losses(self.truth, self.probabilities))

    @cached_property
    def log_loss(self) -> Floats:
        """(B, R) mean log loss."""
        return self._mean_loss(log_losses(self.truth, self.probabilities))

    def auroc(self, label: int) -> Floats:
        """(B, R) area under the ROC curve of one class against the rest."""
        return self._area("auroc", label)

    def average_precision(self, label: int) -> Floats:
        """(B, R) average precision of one class against the rest."""
        return self._area("average_precision", label)

    def _area(self, name: str, label: int) -> Floats:
        if (name, label) not in self._areas:
            self._areas[name, label] = np.stack([self._area_of_repeat(name, label, repeat) for repeat in range(self.repeats)], axis=1)
        return self._areas[name, label]

    def _area_of_repeat(self, name: str, label: int, repeat: int) -> Floats:
        area = resampled_auroc if name == "auroc" else resampled_average_precision
        patients, ranking = self._ranking(label, repeat)
        width = self.weights.shape[1]
        step = max(1, _ROWS // max(1, len(patients)))
        runs = ranking.runs
        if len(runs) > _RUNS * len(patients):
            return np.concatenate([area(ranking, self.weights[:, at : at + step][patients]) for at in range(0, width, step)])
        merged = ranking.merged()
        return np.concatenate(
            [area(merged, np.add.reduceat(self.weights[:, at : at + step][patients], runs, axis=0, dtype=np.uint32)) for at in range(0, width, step)]
        )

    def _ranking(self, label: int, repeat: int) -> tuple[NDArray[np.int64], Ranking]:
        """Return the patients of the predicted rows in ascending order of score, and that order."""
        if (label, repeat) not in self._rankings:
            rows = np.flatnonzero(self.predicted[repeat])
            ranking = Ranking.of(self.truth[rows] == label, self.probabilities[repeat, rows, label])
            self._rankings[label, repeat] = self.codes[rows][ranking.order], ranking
        return self._rankings[label, repeat]

    def patients_with(self, rows: NDArray[np.bool_]) -> int:
        """Return how many patients have at least one of these rows, (n,) or (R, n)."""
        return len(np.unique(np.broadcast_to(self.codes, rows.shape)[rows]))
