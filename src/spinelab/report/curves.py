"""Answers about one class, in the form that the statistics of `spinelab.evaluation` take and the charts draw."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spinelab.evaluation import calibration, curves
from spinelab.evaluation.calibration import Calibration
from spinelab.evaluation.resampling import LEVEL
from spinelab.evaluation.types import Predictions
from spinelab.report.charts import Curve

_BOOTSTRAPS: Final = (200, 1000)
"""Fewest and most resamples behind a drawn band: more would not change a line's place by its own width."""

_CELLS: Final = 10_000_000
"""Resamples times answers that are held at once; fewer resamples where there are many answers."""


@dataclass(frozen=True, eq=False)
class OneClass:
    """Answers to "is it this class?".

    Parameters
    ----------
    truth
        (n,) whether it is.
    score
        (R, n) probability of the class in each repeat.
    patients
        (n,) names.
    """

    truth: NDArray[np.bool_]
    score: NDArray[np.float64]
    patients: NDArray[np.str_]

    @staticmethod
    def of(predictions: Predictions, label: str) -> OneClass:
        """Take one class out of all answers; where a repeat leaves examinations out (nan), the answers that there are become one repeat."""
        k = predictions.classes.index(label)
        score = predictions.probabilities[..., k]
        truth = np.asarray(predictions.truth == k)
        patients = np.asarray(predictions.patients, dtype=str)
        answered = ~np.isnan(score)
        if answered.all():
            return OneClass(truth, score, patients)
        spread = np.broadcast_to(truth, score.shape), np.broadcast_to(patients, score.shape)
        return OneClass(spread[0][answered], score[answered][None], spread[1][answered])

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


def roc(answers: OneClass, design: Mapping[str, Any]) -> Curve:
    """Return the ROC curve, averaged over repeats, with its band over patients."""
    curve = _curve(answers, curves.roc_curve, curves.roc_band, design)
    return Curve(np.r_[0.0, curve.x], np.r_[0.0, curve.y], curve.band)


def pr(answers: OneClass, design: Mapping[str, Any]) -> Curve:
    """Return the precision-recall curve, averaged over repeats, with its band over patients."""
    return _curve(answers, curves.pr_curve, curves.pr_band, design)


def reliability(answers: OneClass, design: Mapping[str, Any]) -> Calibration:
    """Return what was observed against what was stated, the answers of all repeats together."""
    repeats = len(answers.score)
    truth, patients = np.tile(answers.truth, repeats), np.tile(answers.patients, repeats)
    return calibration.calibration_curve(truth, answers.score.ravel(), groups=patients, **_draws(design, answers.score.size))


def _curve(answers: OneClass, line: Callable[..., curves.Curve], band: Callable[..., curves.Band], design: Mapping[str, Any]) -> Curve:
    limits = band(answers.truth, answers.score, groups=answers.patients, **_draws(design, answers.score.size))
    drawn = (limits.x, limits.lo, limits.hi) if np.isfinite(limits.lo).any() else None
    if len(answers.score) > 1:
        return Curve(limits.x, limits.y, drawn)
    exact = line(answers.truth, answers.score[0])
    return Curve(exact.x, exact.y, drawn)


def _draws(design: Mapping[str, Any], answers: int) -> dict[str, Any]:
    """Return level, seed and number of resamples."""
    fewest, most = _BOOTSTRAPS
    wanted = min(most, int(design.get("bootstraps") or most), max(fewest, _CELLS // max(1, answers)))
    return {"level": float(design.get("level") or LEVEL), "seed": int(design.get("seed") or 0), "bootstraps": max(1, wanted)}
