"""Rows of one score and class count as one row: the areas stay what they were."""

import numpy as np
import pytest

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
