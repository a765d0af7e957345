"""Resampling of an imbalanced training part, by index: films are repeated or left out, never blended."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from spinelab.core import TaskError
from spinelab.train.settings import SAMPLINGS


def resample(labels: Sequence[int] | NDArray[np.int64], sampling: str, *, seed: int) -> NDArray[np.int64]:
    """Return the positions to train on.

    ``under`` and ``over`` are imbalanced-learn's RandomUnderSampler and RandomOverSampler. ``combined`` oversamples the classes below the
    average class size up to it, then undersamples those above it down to it, so the number of examples stays (nearly) the same.
    SMOTE and its combinations make new examples between two patients' pixels; no patient looks like that, so they are not offered.
    ``none`` and ``weighted`` keep every position once.
    """
    codes = np.asarray(labels, dtype=np.int64)
    if sampling not in SAMPLINGS:
        raise TaskError(f"sampling={sampling!r}", expected=f"one of {', '.join(SAMPLINGS)}", action="choose another sampling")
    classes, counts = np.unique(codes, return_counts=True)
    positions = np.arange(len(codes))
    if sampling in ("none", "weighted") or len(classes) < 2 or counts.min() == counts.max():
        return positions
    size = {"under": int(counts.min()), "over": int(counts.max()), "combined": max(1, round(len(codes) / len(classes)))}[sampling]
    up = {int(c): max(int(n), size) for c, n in zip(classes, counts, strict=True)}
    down = {int(c): size for c in classes}
    chosen = _draw(positions, codes, up, seed, over=True) if sampling != "under" else positions
    return np.sort(_draw(chosen, codes[chosen], down, seed, over=False))


def _draw(positions: NDArray[np.int64], codes: NDArray[np.int64], sizes: dict[int, int], seed: int, *, over: bool) -> NDArray[np.int64]:
    from imblearn.over_sampling import RandomOverSampler
    from imblearn.under_sampling import RandomUnderSampler

    sampler = (RandomOverSampler if over else RandomUnderSampler)(sampling_strategy=sizes, random_state=seed)
    drawn, _ = sampler.fit_resample(positions[:, None], codes)
    return np.asarray(drawn, dtype=np.int64)[:, 0]
