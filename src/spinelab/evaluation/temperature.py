"""Making a posterior over namings as sure as it is right, with one number.

Guo C, Pleiss G, Sun Y, Weinberger KQ. On calibration of modern neural networks. ICML 2017: log posteriors are divided by a temperature, which does not change
which naming is the most probable one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import logsumexp

from spinelab.core import InputError
from spinelab.evaluation.cluster import check_patients
from spinelab.evaluation.resampling import Floats, patient_codes

COLDEST: Final = 0.02
HOTTEST: Final = 50.0
"""Temperatures beyond these are not given: where all films are right the likelihood rises without end as the temperature falls."""


def fit_temperature(log_posteriors: ArrayLike, truth_index: ArrayLike, patients: Sequence[Any] | NDArray[Any] | None = None) -> float:
    """Return the temperature with the highest likelihood on held-out films, between `COLDEST` and `HOTTEST`.

    Above 1 the posterior was too sure, below 1 not sure enough. Fit it on films that neither the network nor its selection has seen. Each patient weighs the
    same, whatever number of films it has. The likelihood is concave in 1 / temperature, so there is one maximum.

    Parameters
    ----------
    log_posteriors
        (n, K) natural logarithms up to a constant a film; -inf for a naming that is impossible on that film.
    truth_index
        (n,) column of the true naming; it must not be -inf there.
    patients
        (n,) patient of each film; each film its own without.

    Raises
    ------
    InputError
        No films, a truth out of range or declared impossible, or nan.
    """
    from scipy.optimize import minimize_scalar  # slow to import, and the command line imports this file

    logs, truth = _checked(log_posteriors), np.asarray(truth_index)
    if truth.shape != (len(logs),) or len(truth) == 0 or not np.issubdtype(truth.dtype, np.integer) or (truth < 0).any() or (truth >= logs.shape[1]).any():
        raise InputError(f"True columns {truth.shape} for posteriors {logs.shape}", expected="one column number a film", action="leave out films without one")
    own = logs[np.arange(len(logs)), truth]
    if not np.isfinite(own).all():
        raise InputError(f"{int((~np.isfinite(own)).sum())} films whose true naming is impossible", expected="a finite log posterior", action="add a floor")
    codes, _ = patient_codes(check_patients(patients, len(logs)))
    weight = 1 / np.bincount(codes)[codes]
    steps = logs - own[:, None]

    def loss(log_inverse: float) -> float:
        """Return the mean negative log likelihood at 1 / temperature."""
        return float((weight * logsumexp(_times(np.exp(log_inverse), steps), axis=1)).sum() / weight.sum())

    found = minimize_scalar(loss, bounds=(-np.log(HOTTEST), -np.log(COLDEST)), method="bounded", options={"xatol": 1e-8})
    return float(np.clip(np.exp(-found.x), COLDEST, HOTTEST))


def at_temperature(log_posteriors: ArrayLike, temperature: float) -> Floats:
    """Return (n, K) probabilities at a temperature; each row adds up to 1."""
    if not (np.isfinite(temperature) and temperature > 0):
        raise InputError(f"Temperature {temperature}", expected="a positive number", action="fit it with fit_temperature")
    logs = _times(1 / temperature, _checked(log_posteriors))
    return np.asarray(np.exp(logs - logsumexp(logs, axis=1, keepdims=True)), dtype=np.float64)


def _checked(log_posteriors: ArrayLike) -> Floats:
    logs = np.asarray(log_posteriors, dtype=np.float64)
    if logs.ndim != 2 or np.isnan(logs).any() or (logs == np.inf).any() or (logs == -np.inf).all(axis=1).any():
        raise InputError(f"Log posteriors {logs.shape}", expected="(films, namings), each film with a possible naming, no nan", action="check the posterior")
    return logs


def _times(factor: float, logs: Floats) -> Floats:
    """Multiply, leaving -inf as it is also where the factor is 0."""
    return np.where(np.isinf(logs), logs, factor * np.where(np.isinf(logs), 0, logs))
