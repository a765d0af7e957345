"""Rows of one score and class count as one row: the areas stay what they were."""

import numpy as np
import pytest

from spinelab.evaluation import Predictions, compute_metrics
from spinelab.evaluation.ranking import Ranking, resampled_auroc, resampled_average_precision


@pytest.mark.parametrize("levels", [1, 2, 7])
@pytest.mark.parametrize("area", [resampled_auroc, resampled_average_precision])
def test_merged_rows_give_the_same_area(levels: int, area: object) -> None:
    rng = np.random.default_rng(levels)
    positive, score = rng.random(400) < 0.3, rng.integers(0, levels, 400) / 7.0
    ranking = Ranking.of(positive, score)
    counts = rng.integers(0, 4, (400, 50)).astype(np.uint8)
    merged = np.add.reduceat(counts, ranking.runs, axis=0, dtype=np.uint32)
    assert len(ranking.runs) <= 2 * levels
    assert np.allclose(area(ranking.merged(), merged), area(ranking, counts), equal_nan=True)  # type: ignore[operator]


def test_a_repeat_in_which_nobody_was_answered_is_left_out_of_every_metric():
    rng = np.random.default_rng(3)
    first = rng.dirichlet([1, 1], 8)
    both = np.stack([first, np.full_like(first, np.nan)])
    truth, names = np.arange(8) % 2, tuple(map(str, range(8)))

    def predictions(probabilities):
        return Predictions(("a", "b"), names, names, truth, probabilities, np.zeros(probabilities.shape[:2], np.int64))

    found, wanted = (compute_metrics(predictions(table), bootstraps=30) for table in (both, both[:1]))
    for name, one in wanted.items():
        assert found[name].to_dict() == pytest.approx(one.to_dict()), name
