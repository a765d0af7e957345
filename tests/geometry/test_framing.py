import json

import numpy as np
import pytest

from spinelab.geometry.framing import LEAST_FILMS, Framing, fit_framing

LEVELS = 17
HEIGHTS = np.linspace(0.15, 0.85, LEVELS)
PITCH = float(HEIGHTS[1] - HEIGHTS[0])


def films(count=200, seed=0):
    """Return films framed much alike: each moved and enlarged a little as a whole."""
    rng = np.random.default_rng(seed)
    return HEIGHTS * rng.normal(1, 0.008, (count, 1)) + rng.normal(0, 0.005, (count, 1)) + rng.normal(0, 0.002, (count, LEVELS))


@pytest.fixture(scope="module")
def framing():
    return fit_framing(films())


def test_the_fit_is_the_mean_and_covariance_of_the_films(framing):
    assert framing.mean == pytest.approx(films().mean(axis=0))
    assert framing.covariance == pytest.approx(np.cov(films().T))


def test_the_true_numbering_is_preferred(framing):
    for heights in films(20, seed=1):
        seen = heights[3:14]
        evidence = {shift: framing.log_evidence(seen, np.arange(3, 14) + shift) for shift in (-2, -1, 0, 1, 2)}
        assert max(evidence, key=evidence.__getitem__) == 0
        assert evidence[0] > evidence[1] + 2


def test_an_unusually_framed_film_says_nothing_about_its_levels(framing):
    seen = 0.1 + 0.3 * HEIGHTS[3:14]
    said = [framing.log_evidence(seen, np.arange(3, 14) + shift) for shift in (-2, -1, 0, 1, 2)]
    assert said == pytest.approx([said[0]] * 5, abs=1e-3)
    assert said[0] == pytest.approx(np.log(0.1), abs=1e-3)


def test_the_evidence_of_one_vertebra_is_a_gaussian_and_a_floor():
    single = Framing(np.array([0.5]), np.array([[0.03**2 - 0.004**2]]))
    usual = 0.9 * np.exp(-0.5 * (0.02 / 0.03) ** 2) / 0.03 * 0.25
    assert single.log_evidence(np.array([0.52]), np.array([0])) == pytest.approx(np.log(usual + 0.1))


def test_nothing_is_learnt_from_few_or_incomplete_films():
    assert fit_framing(films(LEAST_FILMS - 1)) is None
    cut = films(60)
    cut[: 60 - LEAST_FILMS + 1, 0] = np.nan
    assert fit_framing(cut) is None
    assert fit_framing(films(60)[:, ::-1]) is None


def test_json_keeps_it(framing):
    again = Framing.from_dict(json.loads(json.dumps(framing.to_dict())))
    seen, levels = HEIGHTS[2:9] + 0.005, np.arange(2, 9)
    assert again.log_evidence(seen, levels) == pytest.approx(framing.log_evidence(seen, levels), rel=1e-3)
