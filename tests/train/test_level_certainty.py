"""The certainty of level names: what held-out films allow it to say, and that the first network's word is what counts."""

import json

import numpy as np
import pytest

from spinelab.train.certainty import LEAST_FILMS, certainty_of
from spinelab.train.landmark_head import Sighting
from spinelab.train.landmark_settings import LandmarkSettings
from spinelab.train.level_certainty import LevelHead

HEAD = LevelHead(4, None, LandmarkSettings(rows=128, columns=64), 4, {"T4": (0, 1), "L1": (2, 3)})
TRUE = np.array([[20.0, 30, 1], [40, 30, 1], [20, 80, 1], [40, 80, 1]], np.float32)


def film(share, *, off=0.0, absent=False):
    """Return a film whose L1 lies ``off`` depths of its endplate too low; the second network is always sure."""
    points = TRUE[:, :2].astype(np.float64)
    points[2:, 1] += 20 * off
    there = np.ones(4) - absent
    return Sighting(points, there, np.ones(4), points[None], {"first_share": np.array([0.99, 0.99, share, 1.0])})


def learnt(films):
    return HEAD.calibrate(films, np.repeat(TRUE[None], len(films), axis=0), {})


def test_where_all_held_out_films_were_right_no_more_is_said_than_their_number_allows():
    found = learnt([film(0.9)] * 22)["levels"]
    assert found == {"films": 22, "right": 22}
    assert certainty_of(0.999, found) == pytest.approx(23 / 24)
    assert certainty_of(0.6, found) == 0.6


def test_films_that_were_named_wrong_teach_how_much_the_confidence_is_worth():
    rng = np.random.default_rng(0)
    films = [film(s, off=float(rng.random() > s)) for s in rng.uniform(0.5, 1.0, 200)]
    found = learnt(films)["levels"]
    assert json.loads(json.dumps(found)) == found
    assert certainty_of(0.6, found) == pytest.approx(0.6, abs=0.12)
    assert certainty_of(0.97, found) == pytest.approx(0.95, abs=0.06)


def test_a_neighbouring_vertebra_is_wrong_and_a_small_error_is_not():
    films = [film(0.9)] * 20 + [film(0.9, off=0.3)] * 5 + [film(0.9, off=0.8)] * 5
    assert learnt(films)["levels"]["right"] == 25


def test_few_films_and_films_without_levels_teach_nothing():
    assert learnt([film(0.9)] * (LEAST_FILMS - 1)) == {}
    assert learnt([film(0.9, absent=True)] * 40) == {}
    assert certainty_of(0.7, {}) == 0.7
    assert certainty_of(1.0, {}) < 1


def test_one_wrong_name_among_many_right_ones_does_not_allow_more_than_a_faultless_record():
    steep = {"films": 82, "right": 81, "logistic": {"slope": [3.0], "intercept": [-4.0]}}
    assert certainty_of(0.999, steep) == pytest.approx(83 / 84)
    assert certainty_of(0.5, steep) < 0.1
