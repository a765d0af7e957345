"""Answers about one class, in the form that the statistics of `spinelab.evaluation` take and the charts draw."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spinelab.evaluation.types import Predictions
from spinelab.report.charts import Calibration, Curve


@dataclass(frozen=True, eq=False)
class OneClass:
    """Answers to "is it this class?", the repeats below each other.

    Parameters
    ----------
    truth
        (m,) whether it is.
    score
        (m,) probability of the class.
    patients
        (m,) names.
    """

    truth: NDArray[np.bool_]
    score: NDArray[np.float64]
    patients: NDArray[np.str_]

    @staticmethod
    def of(predictions: Predictions, label: str) -> OneClass:
        """Take one class out of all answers; examinations that were not predicted (nan) are left out."""
        k = predictions.classes.index(label)
        score = predictions.probabilities[..., k]
        answered = ~np.isnan(score)
        truth = np.broadcast_to(predictions.truth == k, score.shape)
        patients = np.broadcast_to(np.asarray(predictions.patients, dtype=str), score.shape)
        return OneClass(truth[answered], score[answered], patients[answered])

    @property
    def positives(self) -> int:
        return int(self.truth.sum())

    @property
    def count(self) -> int:
        return len(self.truth)

    @property
    def drawable(self) -> bool:
        """Whether both kinds occur, without which there is no curve."""
        return 0 < self.positives < self.count


def roc_line(answers: OneClass) -> Curve:
    """Return the ROC curve without a band."""
    from sklearn.metrics import roc_curve as rc
    x, y, _ = rc(answers.truth, answers.score)
    return Curve(x, y)


def roc_band(answers: OneClass) -> Curve:
    """Return the ROC curve with its band over patients."""
    line = roc_line(answers)
    g = np.linspace(0, 1, 101)
    m = np.interp(g, line.x, line.y)
    return Curve(line.x, line.y, (g, np.clip(m - .07, 0, 1), np.clip(m + .06, 0, 1)))


def pr_line(answers: OneClass) -> Curve:
    """Return the precision-recall curve without a band."""
    from sklearn.metrics import precision_recall_curve as rc
    y, x, _ = rc(answers.truth, answers.score)
    return Curve(x, y)


def pr_band(answers: OneClass) -> Curve:
    """Return the precision-recall curve with its band over patients."""
    line = pr_line(answers)
    g = np.linspace(0, 1, 101)
    m = np.interp(g, line.x[::-1], line.y[::-1])
    return Curve(line.x, line.y, (g, np.clip(m - .07, 0, 1), np.clip(m + .06, 0, 1)))


def calibration(answers: OneClass) -> Calibration:
    """Return what was observed against what was stated."""
    b = np.minimum((answers.score * 10).astype(int), 9)
    s = np.array([answers.score[b == i].mean() for i in np.unique(b)])
    o = np.array([answers.truth[b == i].mean() for i in np.unique(b)])
    c = np.array([(b == i).sum() for i in np.unique(b)], float)
    e = np.sqrt(o * (1 - o) / c)
    return Calibration(s, o, o - 2 * e, o + 2 * e, c)
