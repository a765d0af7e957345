"""From what speaks for an answer to the probability that it is right: a logistic regression on held-out films."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray


def log_odds(chance: float) -> float:
    """Return the logarithm of the odds of a probability, finite also at 0 and 1."""
    return math.log(chance + 1e-3) - math.log(1 - chance + 1e-3)


def fit_logistic(features: NDArray[np.float64], right: NDArray[np.bool_]) -> dict[str, list[float]]:
    """Fit to features ``(n, k)`` of answers that were right or not, both of which must occur; slope and intercept, for JSON."""
    from sklearn.linear_model import LogisticRegression

    mean, spread = features.mean(axis=0), np.maximum(features.std(axis=0), 1e-3)
    fitted = LogisticRegression(C=1.0).fit((features - mean) / spread, right)
    slope = fitted.coef_[0] / spread
    return {"slope": slope.tolist(), "intercept": [float(fitted.intercept_[0] - (slope * mean).sum())]}


def logistic(features: Sequence[float], fitted: Mapping[str, Sequence[float]]) -> float:
    """Return the probability that an answer with these features is right."""
    score = float(np.dot(features, fitted["slope"])) + fitted["intercept"][0]
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, score))))
