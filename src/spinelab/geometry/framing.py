"""Where on the film each level of a column usually lies: evidence for its name, as long as films are framed as they were in training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

USUAL: Final = 0.9
"""Probability that a film is framed like the training films; otherwise its framing says nothing about the levels."""
NOISE: Final = 0.004
"""Standard deviation that is always allowed, as a share of the film's height."""
UNUSUAL_SPREAD: Final = 0.25
"""Width of what an unusually framed film may show, as a share of its height."""
LEAST_FILMS: Final = 30


@dataclass(frozen=True, eq=False)
class Framing:
    """Mean ``(L,)`` and covariance ``(L, L)`` of the centres' heights on the film, as shares of its height."""

    mean: Floats
    covariance: Floats

    def log_evidence(self, heights: Floats, levels: NDArray[np.intp]) -> float:
        """Return the logarithm of how likely vertebrae of these levels are at these heights."""
        apart = heights - self.mean[levels]
        covariance = self.covariance[np.ix_(levels, levels)] + np.eye(len(levels)) * NOISE**2
        _, volume = np.linalg.slogdet(covariance)
        usual = -0.5 * (float(apart @ np.linalg.solve(covariance, apart)) + float(volume))
        unusual = -len(levels) * np.log(UNUSUAL_SPREAD)
        either = np.logaddexp(np.log(USUAL) + usual, np.log(1 - USUAL) + unusual)
        return float(either + len(levels) * np.log(UNUSUAL_SPREAD))

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {"mean": np.round(self.mean, 6).tolist(), "covariance": np.round(self.covariance, 9).tolist()}

    @staticmethod
    def from_dict(body: Mapping[str, Any]) -> Framing:
        """Rebuild from `to_dict`."""
        return Framing(np.array(body["mean"], np.float64), np.array(body["covariance"], np.float64))


def fit_framing(heights: Floats) -> Framing | None:
    """Fit to films ``(N, L)`` on which all levels are seen; ``None`` for fewer than thirty, or films whose order of levels is wrong."""
    ordered = heights[np.isfinite(heights).all(axis=1)]
    ordered = ordered[(np.diff(ordered, axis=1) > 0).all(axis=1)]
    if len(ordered) < LEAST_FILMS:
        return None
    return Framing(ordered.mean(axis=0), np.cov(ordered.T))
