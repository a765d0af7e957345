"""DeLong beyond the reference values: ties, clusters, degenerate samples."""

import numpy as np
import pytest

from spinelab.evaluation import Estimate, auroc, auroc_distribution, delong_interval, delong_test, delong_variance, mcnemar, wilson
from spinelab.evaluation.tests_paired import corrected_resampled_t


def clustered(seed=0, patients=400, images=3):
    rng = np.random.default_rng(seed)
    owner = np.repeat(np.arange(patients), images)
    truth = rng.integers(0, 2, patients)[owner]
    truth[rng.random(len(truth)) < 0.1] ^= 1
    return truth, np.round(rng.normal(size=patients)[owner] + 0.5 * rng.normal(size=len(owner)) + truth, 1), owner


def test_each_row_its_own_patient_gives_delong():
    truth, score, _ = clustered()
    assert delong_variance(truth, score, groups=np.arange(len(truth))) == pytest.approx(delong_variance(truth, score), rel=1e-12)


def test_ties_by_the_definition():
    truth, score, _ = clustered(patients=15)
    above, below = score[truth == 1], score[truth == 0]
    kernel = (above[:, None] > below) + 0.5 * (above[:, None] == below)
    expected = kernel.mean(1).var(ddof=1) / len(above) + kernel.mean(0).var(ddof=1) / len(below)
    assert delong_variance(truth, score) == pytest.approx(expected, rel=1e-12)
    assert auroc(truth, score) == pytest.approx(kernel.mean(), abs=1e-14)


def test_clustered_variance_agrees_with_the_patient_bootstrap():
    truth, score, owner = clustered()
    spread = float(np.std(auroc_distribution(truth, score, groups=owner, bootstraps=2000).samples))
    assert np.sqrt(delong_variance(truth, score, groups=owner)) == pytest.approx(spread, rel=0.06)
    assert np.sqrt(delong_variance(truth, score)) < 0.75 * spread


def test_copies_of_images_do_not_make_the_test_surer():
    truth, score, owner = clustered(patients=60)
    other = np.random.default_rng(3).normal(size=len(score)) + truth
    twice = np.repeat(np.arange(len(truth)), 2)
    _, once = delong_test(truth, score, other, groups=owner)
    _, copied = delong_test(truth[twice], score[twice], other[twice], groups=owner[twice])
    assert copied == pytest.approx(once, rel=1e-9)


def test_swapping_the_scores_negates():
    truth, score, _ = clustered(patients=40)
    other = np.roll(score, 1)
    forward, p = delong_test(truth, score, other)
    backward, q = delong_test(truth, other, score)
    assert (forward.value, forward.lo, forward.hi, p) == pytest.approx((-backward.value, -backward.hi, -backward.lo, q))


def test_degenerate_samples_have_no_limits():
    assert delong_interval([0, 0, 1, 1], [1, 2, 3, 4]).lo is None
    assert delong_interval([0, 0, 0], [1, 2, 3]).value is None
    assert delong_interval([0, 0, 1], [1, 3, 2]).value == 0.5
    assert delong_test([0, 0, 1, 1], [1, 2, 3, 4], [2, 3, 4, 5])[1] == 1.0
    assert delong_test([0, 1], [1, 2], [2, 1])[1] is None
    assert np.isnan(delong_variance([0, 1], [1, 2]))


def test_logit_interval_stays_inside():
    truth = np.array([0] * 10 + [1] * 10)
    score = np.arange(20.0)
    score[9], score[10] = 10.5, 8.5
    plain, logit = delong_interval(truth, score), delong_interval(truth, score, logit=True)
    assert plain.hi == 1 and logit.lo < logit.value < logit.hi < 1


def test_small_tests_say_nothing_rather_than_something():
    assert corrected_resampled_t([0.1], test_fraction_ratio=0.25) == (Estimate(0.1), None)
    assert corrected_resampled_t([0.0, 0.0], test_fraction_ratio=0.25)[1] == 1.0
    assert corrected_resampled_t([0.1, np.nan, 0.1], test_fraction_ratio=0.25)[1] is None
    assert mcnemar([True], [False]) == 1.0
    assert wilson(0, 0).value is None


def test_a_variance_that_is_but_rounding_gives_no_limits():
    """Two patients whose images cancel out: rounding left a variance of -3e-18, and limits of 0 and 1, or nan on the logit scale."""
    truth, score, owner = [1, 1, 0, 1, 0, 0], [0, 0, 0, 1 / 3, 1 / 3, 0], [1, 2, 2, 1, 1, 1]
    assert delong_variance(truth, score, groups=owner) >= 0
    for logit in (False, True):
        assert delong_interval(truth, score, groups=owner, logit=logit) == Estimate(0.5)
