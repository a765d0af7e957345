"""Limits and the certainty of the names from drawn readings of held-out films."""

import json

import numpy as np
import pytest

from spinelab.geometry.misplaced import LEAST_LIMIT, Neighbours, find_faults, fit_neighbours
from spinelab.train.misplaced_vertebrae import LEAST_RIGHT, learn_limits, most_certain

LEVELS = 17


def column(seed, noise=1.0):
    rng, level = np.random.default_rng(seed), np.arange(LEVELS)
    middle = np.stack([200 + 20 * np.sin(level / 4), 50 + 30 * level], axis=1)
    box = np.array([[-20, -11], [20, -11], [-20, 11], [20, 11]])
    return middle[:, None] + box + rng.normal(0, noise, (LEVELS, 4, 2))


MARKS = np.stack([column(seed) for seed in range(60)])
NEIGHBOURS = fit_neighbours(MARKS)


def readings(count=30, noise=0.5):
    return [(column(100 + seed, noise), 0) for seed in range(count)], np.stack([column(100 + seed, 1.0) for seed in range(count)])


def missed(corners, place=8):
    """Return a reading of one vertebra fewer, and its first level: everything above is named one level too low."""
    return np.delete(corners, place, axis=0), 1


def test_readings_that_are_more_even_than_the_marks_set_the_limits_and_wrong_ones_do_not():
    columns, truth = readings()
    plain = learn_limits(columns, truth, NEIGHBOURS)
    strict = Neighbours.from_dict(plain["neighbours"])
    assert set(strict.limit) == set(NEIGHBOURS.limit)
    assert all(LEAST_LIMIT <= strict.limit[name] <= max(NEIGHBOURS.limit[name], LEAST_LIMIT) for name in strict.limit)
    columns[3], columns[4] = missed(columns[3][0]), missed(columns[4][0])
    assert Neighbours.from_dict(learn_limits(columns, truth, NEIGHBOURS)["neighbours"]).limit == pytest.approx(strict.limit, rel=0.2)


def test_uneven_readings_that_are_right_widen_the_limits():
    columns, truth = readings(noise=3.5)
    wide = Neighbours.from_dict(learn_limits(columns, truth, NEIGHBOURS)["neighbours"])
    assert wide.limit["tilt"] > NEIGHBOURS.limit["tilt"]
    assert sum(bool({f.kind for f in find_faults(corners, wide)} & {"tilt", "aside", "height"}) for corners, _ in columns) <= 4


def test_films_with_a_miscounted_vertebra_teach_how_often_the_names_are_right_all_the_same():
    columns, truth = readings()
    columns[:3] = [missed(corners) for corners, _ in columns[:3]]
    learnt = learn_limits(columns, truth, NEIGHBOURS)
    assert json.loads(json.dumps(learnt)) == learnt
    assert learnt["miscounted"] == {"films": 3, "right": 0}
    assert most_certain(learnt) == pytest.approx(1 / 5)
    assert most_certain({}) == pytest.approx(1 / 2)


def test_a_column_named_a_level_off_is_still_a_right_reading_of_where_vertebrae_are():
    columns, truth = readings(LEAST_RIGHT)
    assert learn_limits([(corners[:-1], 1) for corners, _ in columns], truth, NEIGHBOURS)["miscounted"]["films"] == 0


def test_too_few_right_readings_teach_nothing():
    columns, truth = readings(LEAST_RIGHT)
    assert learn_limits(columns, truth, NEIGHBOURS)
    columns[0] = missed(columns[0][0])
    assert learn_limits(columns, truth, NEIGHBOURS) == {}
    columns, truth = readings(LEAST_RIGHT)
    truth[0, 3] = np.nan
    assert learn_limits(columns, truth, NEIGHBOURS) == {}
