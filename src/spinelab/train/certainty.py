"""From what speaks for an answer to the probability that it is right: a logistic regression on held-out films."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

LEAST_FILMS: Final = 20
"""Held-out films below which nothing is learnt about how often the names are right."""
PART: Final = 3
"""Missing levels from which a film counts as one of a part of the column."""


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


def learn_certainty(shares: Sequence[float], right: Sequence[bool]) -> dict[str, Any]:
    """Return what held-out films teach about a confidence: how many there were, how many were named right, and from both kinds how that goes with it.

    Empty below `LEAST_FILMS`.
    """
    if len(shares) < LEAST_FILMS:
        return {}
    learnt: dict[str, Any] = {"films": len(shares), "right": int(sum(right))}
    if 0 < learnt["right"] < len(shares):
        learnt["logistic"] = fit_logistic(np.array([[log_odds(share)] for share in shares]), np.asarray(right, bool))
    return learnt


def certainty_of(share: float, learnt: Mapping[str, Any]) -> float:
    """Return the probability that the levels are named right, from the confidence in them and what `learn_certainty` returned.

    Where held-out films were named right and wrong, by a logistic regression; where they were all right, or without any, the confidence itself. Never
    more than as many films, all right, would allow: (films + 1) / (films + 2), Laplace's rule of succession.
    """
    stated = logistic([log_odds(share)], learnt["logistic"]) if "logistic" in learnt else max(0.0, share)
    return min(stated, ceiling(learnt["films"]) if learnt else math.nextafter(1.0, 0.0))


def ceiling(films: int) -> float:
    """Return the certainty that films which were all right allow for the next one: (films + 1) / (films + 2), Laplace's rule of succession."""
    return (films + 1) / (films + 2)
