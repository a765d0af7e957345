"""How well a score separates two classes: area under the ROC curve, average precision, for one sample or thousands of resamples at once.

AUROC is the chance that a random positive scores higher than a random negative, a tie counting one half (Hanley JA, McNeil BJ.
Radiology 1982;143:29-36). Average precision is the mean of the precision at each positive, without interpolation, as in scikit-learn.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spinelab.evaluation.resampling import Floats, Ints, check_binary, ratio


@dataclass(frozen=True, eq=False)
class Ranking:
    """The rows in ascending order of score, in a tie the negatives first.

    Parameters
    ----------
    order
        (n,) row numbers in that order.
    positive
        (n,) class of the rows in that order.
    tied
        (n,) whether this positive shares its score with a negative.
    opens
        (n,) whether this row is the first of a score that both classes share.
    closes
        (n,) whether this row is the last of its score.
    """

    order: Ints
    positive: NDArray[np.bool_]
    tied: NDArray[np.bool_]
    opens: NDArray[np.bool_]
    closes: NDArray[np.bool_]

    @staticmethod
    def of(positive: NDArray[np.bool_], score: Floats) -> Ranking:
        """Sort once; everything after it only adds up counts."""
        order = np.lexsort((positive, score)).astype(np.int64)
        ordered, classes = score[order], positive[order]
        first = np.ones(len(order), np.bool_)
        first[1:] = ordered[1:] != ordered[:-1]
        level = np.cumsum(first) - 1
        size = np.bincount(level)
        positives = np.bincount(level, weights=classes)
        mixed = ((positives > 0) & (positives < size))[level]
        return Ranking(order, classes, mixed & classes, mixed & first, np.append(first[1:], True)[: len(order)])

    @property
    def runs(self) -> Ints:
        """First place of each run of rows with one score and one class: they count as one row, added up."""
        starts = np.ones(len(self.order), np.bool_)
        starts[1:] = self.closes[:-1] | (self.positive[1:] != self.positive[:-1])
        return np.flatnonzero(starts).astype(np.int64)

    def merged(self) -> Ranking:
        """Return the order of the runs."""
        starts = self.runs
        last = np.append(starts[1:], len(self.order))[: len(starts)] - 1
        return Ranking(self.order[starts], self.positive[starts], self.tied[starts], self.opens[starts], self.closes[last])


def resampled_auroc(ranking: Ranking, counts: NDArray[Any]) -> Floats:
    """Return the AUROC of every resample, nan where a class is missing.

    Parameters
    ----------
    ranking
        The order of the rows.
    counts
        (n, B) how often each row, in ascending order of score, occurs in each resample.

    Notes
    -----
    The pairs won and tied are added up in whole numbers, row by row over all resamples together, so nothing is rounded.
    """
    most = len(counts) * int(counts.max(initial=0))
    small, large = (np.uint16, np.uint32) if most < 1 << 16 else (np.uint32, np.uint64)
    negatives, positives, floor = (np.zeros(counts.shape[1], small) for _ in range(3))
    won, drawn = (np.zeros(counts.shape[1], large) for _ in range(2))
    product, between = np.empty_like(won), np.empty_like(floor)
    for row, positive, tied, opens in zip(counts, ranking.positive.tolist(), ranking.tied.tolist(), ranking.opens.tolist(), strict=True):
        if opens:
            floor[:] = negatives
        if not positive:
            np.add(negatives, row, out=negatives, casting="unsafe")
            continue
        np.add(positives, row, out=positives, casting="unsafe")
        np.multiply(floor if tied else negatives, row, out=product, casting="unsafe", dtype=large)
        np.add(won, product, out=won)
        if tied:
            np.subtract(negatives, floor, out=between)
            np.multiply(between, row, out=product, casting="unsafe", dtype=large)
            np.add(drawn, product, out=drawn)
    return ratio(won.astype(np.float64) + 0.5 * drawn.astype(np.float64), positives.astype(np.float64) * negatives.astype(np.float64))


def resampled_average_precision(ranking: Ranking, counts: NDArray[Any]) -> Floats:
    """Return the average precision of every resample, nan where there is no positive; arguments as in `resampled_auroc`."""
    rows = np.arange(len(counts))[::-1]
    last_of_score = np.append(ranking.closes[:-1], True)[: len(rows)]
    width = counts.shape[1]
    answered, found, waiting, total, precision = (np.zeros(width) for _ in range(5))
    pending = False
    for row in rows.tolist():
        if pending and last_of_score[row]:
            _add_precision(found, answered, waiting, precision, total)
            pending = False
        answered += counts[row]
        if ranking.positive[row]:
            found += counts[row]
            waiting += counts[row]
            pending = True
    if pending:
        _add_precision(found, answered, waiting, precision, total)
    return ratio(total, found)


def _add_precision(found: Floats, answered: Floats, waiting: Floats, precision: Floats, total: Floats) -> None:
    """Credit the positives of one score with the precision at that score, in place."""
    np.divide(found, answered, out=precision, where=answered > 0)
    precision *= waiting
    total += precision
    waiting[:] = 0


def auroc(truth: ArrayLike, score: ArrayLike) -> float:
    """Return the area under the ROC curve; nan where a class is missing.

    Parameters
    ----------
    truth
        (n,) 1 = positive.
    score
        (n,) larger = more likely positive.
    """
    positive, (values,) = check_binary(truth, score)
    above, below = np.sort(values[positive]), np.sort(values[~positive])
    if len(above) == 0 or len(below) == 0:
        return float("nan")
    won = int(np.searchsorted(below, above, "left").sum()) + int(np.searchsorted(below, above, "right").sum())
    return won / (2 * len(above) * len(below))


def average_precision(truth: ArrayLike, score: ArrayLike) -> float:
    """Return the average precision; nan where nobody is positive. Arguments as in `auroc`."""
    positive, (values,) = check_binary(truth, score)
    ranking = Ranking.of(positive, values)
    return float(resampled_average_precision(ranking, np.ones((len(values), 1), np.uint8))[0])
