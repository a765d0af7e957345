"""How good the probabilities are: Brier score and log loss of each examination, and of all.

Brier GW. Mon Weather Rev 1950;78:1-3. With two classes the Brier score is the usual one-column form, mean (p - y)^2 in [0, 1]; with more it is
the sum over classes, in [0, 2]. scikit-learn's ``brier_score_loss`` chooses the same way.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from spinelab.core import InputError
from spinelab.evaluation.resampling import Floats, Ints

LEAST: Final = float(np.finfo(np.float64).eps)
"""Log loss sees no probability below this, as in scikit-learn: one certain error is expensive (36), not infinite."""


def check_probabilities(truth: ArrayLike, probabilities: ArrayLike) -> tuple[Ints, Floats]:
    """Return truth (n,) and probabilities (..., n, K); refuse other shapes, sums and classes.

    A row that is nan throughout stands for an examination that was not predicted.
    """
    true, shares = np.asarray(truth), np.asarray(probabilities, dtype=np.float64)
    if shares.ndim < 2 or true.shape != shares.shape[-2:-1] or shares.shape[-1] < 2:
        given, expected = f"Probabilities of shape {shares.shape} for {true.shape} truths", "(..., n, K) with at least two classes"
        raise InputError(given, expected=expected, action="give one row an examination")
    if true.size and not (np.issubdtype(true.dtype, np.integer) and true.min() >= 0 and true.max() < shares.shape[-1]):
        raise InputError(
            "A true class without a probability", expected=f"class numbers 0 to {shares.shape[-1] - 1}", action="number the classes in their order"
        )
    rows = shares[~np.isnan(shares).all(-1)]
    if not (np.isfinite(rows).all() and (rows >= -1e-6).all() and (np.abs(rows.sum(-1) - 1) < 1e-3).all()):
        given, expected = "Probabilities that are negative, missing or do not add up to 1", "rows in [0, 1] with sum 1"
        raise InputError(given, expected=expected, action="check the model's last layer")
    return true.astype(np.int64), shares


def brier_losses(truth: Ints, probabilities: Floats) -> Floats:
    """Return (..., n): the Brier score of each examination."""
    classes = probabilities.shape[-1]
    losses: Floats = ((probabilities - np.eye(classes)[truth]) ** 2).sum(-1)
    return losses / 2 if classes == 2 else losses


def log_losses(truth: Ints, probabilities: Floats) -> Floats:
    """Return (..., n): minus the natural logarithm of the probability of the true class, scaled so that the row adds up to 1."""
    at_truth = np.take_along_axis(probabilities, np.broadcast_to(truth[:, None], (*probabilities.shape[:-1], 1)), axis=-1)[..., 0]
    losses: Floats = -np.log(np.clip(at_truth / probabilities.sum(-1), LEAST, 1))
    return losses


def brier(truth: ArrayLike, probabilities: ArrayLike) -> float:
    """Return the mean Brier score of ``probabilities`` (n, K) for the classes ``truth`` (n,)."""
    true, shares = check_probabilities(truth, probabilities)
    return float(brier_losses(true, shares).mean()) if len(true) else float("nan")


def log_loss(truth: ArrayLike, probabilities: ArrayLike) -> float:
    """Return the mean log loss of ``probabilities`` (n, K) for the classes ``truth`` (n,)."""
    true, shares = check_probabilities(truth, probabilities)
    return float(log_losses(true, shares).mean()) if len(true) else float("nan")
