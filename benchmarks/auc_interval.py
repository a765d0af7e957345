"""AUC confidence interval: spinelab against a loop over scikit-learn, same resamples, n = 1,000, 2,000 bootstraps, one thread."""

from __future__ import annotations

import os

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

import json
import statistics
import time

import numpy as np
from sklearn.metrics import roc_auc_score

from spinelab.evaluation.intervals import auroc_interval
from spinelab.evaluation.resampling import draw_indices

N, BOOTSTRAPS, SEED, GOAL = 1000, 2000, 7, 300.0


def sample() -> tuple[np.ndarray, np.ndarray]:
    """Return truth and a score with ties."""
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 2, N)
    return truth, np.round(rng.normal(size=N) + truth, 3)


def loop(truth: np.ndarray, score: np.ndarray, resamples: np.ndarray) -> np.ndarray:
    """Return what a user would write: ``roc_auc_score`` of every resample."""
    return np.array([roc_auc_score(truth[rows], score[rows]) for rows in resamples])


def main() -> None:
    truth, score = sample()
    # without groups, patients are numbered in ascending order of score (negatives first in a tie)
    resamples = np.lexsort((truth, score))[draw_indices(N, BOOTSTRAPS, SEED)]
    auroc_interval(truth, score, seed=SEED)
    theirs, ours, samples = [], [], []
    for part in np.array_split(resamples, 5):
        start = time.process_time()
        samples.append(loop(truth, score, part))
        theirs.append((time.process_time() - start) * BOOTSTRAPS / len(part))
        for _ in range(3):
            start = time.process_time()
            estimate = auroc_interval(truth, score, bootstraps=BOOTSTRAPS, seed=SEED)
            ours.append(time.process_time() - start)
    limits = np.quantile(np.concatenate(samples), [0.025, 0.975])
    error = float(np.abs(limits - [estimate.lo, estimate.hi]).max())
    ratio = statistics.median(theirs) / statistics.median(ours)
    detail = {
        "loop_s": round(statistics.median(theirs), 3),
        "spinelab_ms": round(1e3 * statistics.median(ours), 2),
        "limits": [estimate.lo, estimate.hi],
        "largest_difference_of_limits": error,
        "n": N,
        "bootstraps": BOOTSTRAPS,
    }
    print(json.dumps({"benchmark": "auc_interval", "ratio": round(ratio, 1), "goal": GOAL, "met": ratio >= GOAL and error < 1e-12, "detail": detail}))


if __name__ == "__main__":
    main()
