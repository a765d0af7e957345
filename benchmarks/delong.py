"""DeLong's variance: spinelab against the mid-rank algorithm of Sun and Xu on scipy's ``rankdata``, n = 1,000, one thread."""

from __future__ import annotations

import os

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

import json
import statistics
import time

import numpy as np
from scipy.stats import rankdata

from spinelab.evaluation.delong import delong_variance

N, GOAL, CALLS, RUNS = 1000, 0.7, 20, 41


def by_rankdata(truth: np.ndarray, score: np.ndarray) -> float:
    """Return the variance as in Sun X, Xu W. IEEE Signal Process Lett 2014;21:1389-1393: ranks in each class and in both."""
    positive = truth.astype(bool)
    above, below = score[positive], score[~positive]
    m, n = len(above), len(below)
    pooled = rankdata(np.concatenate([above, below]))
    won = (pooled[:m] - rankdata(above)) / n
    lost = 1 - (pooled[m:] - rankdata(below)) / m
    return float(won.var(ddof=1) / m + lost.var(ddof=1) / n)


def seconds(function, truth: np.ndarray, score: np.ndarray) -> float:
    start = time.process_time()
    for _ in range(CALLS):
        function(truth, score)
    return (time.process_time() - start) / CALLS


def main() -> None:
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 2, N)
    score = np.round(rng.normal(size=N) + truth, 3)
    error = abs(by_rankdata(truth, score) / delong_variance(truth, score) - 1)
    theirs, ours = [], []
    for _ in range(RUNS):
        theirs.append(seconds(by_rankdata, truth, score))
        ours.append(seconds(delong_variance, truth, score))
    ratio = statistics.median(ours) / statistics.median(theirs)
    detail = {
        "rankdata_ms": round(1e3 * statistics.median(theirs), 4),
        "spinelab_ms": round(1e3 * statistics.median(ours), 4),
        "relative_difference_of_variances": error,
        "n": N,
    }
    print(json.dumps({"benchmark": "delong", "ratio": round(ratio, 3), "goal": GOAL, "met": ratio <= GOAL and error < 1e-9, "detail": detail}))


if __name__ == "__main__":
    main()
