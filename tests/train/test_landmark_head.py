import numpy as np
import pytest
import torch

from spinelab.nn.heatmaps import gaussians
from spinelab.train.landmark_head import SAMPLES, HeatmapHead, drawn
from spinelab.train.landmark_settings import LandmarkSettings

ROWS, COLUMNS, STRIDE = 128, 64, 4
MIRROR = (1, 0, 2)
TRUTH = torch.tensor([[[14.0, 40, 1], [45.5, 44, 1], [30, 90, 1]]])


def head(mirror=MIRROR, **settings):
    return HeatmapHead(3, mirror, LandmarkSettings(rows=ROWS, columns=COLUMNS, **settings), STRIDE)


def outputs(truth=TRUTH, absent=(-9.0, -9.0, -9.0)):
    bumps = gaussians(truth, ROWS // STRIDE, COLUMNS // STRIDE, stride=STRIDE, sigma_px=4.0)
    return (bumps + 1e-5).log(), torch.tensor([absent])


def mirrored(truth=TRUTH):
    """Return the landmarks of the mirrored film: each name stays with its side of the picture."""
    turned = truth.clone()
    turned[..., 0] = COLUMNS - 1 - truth[..., 0]
    return turned[:, list(MIRROR)]


def test_the_maps_of_a_mirrored_film_become_those_of_the_film():
    maps, absent = head().unmirrored(outputs(mirrored(), (-9.0, 3.0, -9.0)))
    assert torch.allclose(maps, outputs()[0], atol=1e-4)
    assert absent[0].tolist() == [3, -9, -9]
    twice = head().unmirrored(head().unmirrored(outputs()))
    assert torch.equal(twice[0], outputs()[0])


def test_without_a_mirror_names_stay():
    maps, _ = head(mirror=None).unmirrored(outputs())
    assert torch.equal(maps, outputs()[0].flip(3))


def test_points_are_read_with_their_samples():
    (seen,) = head().read([outputs(), head().unmirrored(outputs(mirrored()))], {}, [(ROWS, COLUMNS)])
    assert seen.points == pytest.approx(TRUTH[0, :, :2].numpy(), abs=0.4)
    assert (seen.there > 0.99).all()
    assert (seen.share > 0.9).all()
    assert seen.samples.shape == (SAMPLES, 3, 2)
    assert seen.samples.mean(axis=0) == pytest.approx(seen.points, abs=0.8)
    assert seen.samples.std(axis=0) == pytest.approx(4.2, abs=0.7)


def test_views_that_disagree_widen_the_samples():
    other = TRUTH.clone()
    other[0, 0, 1] += 24
    (sure,) = head().read([outputs(), outputs()], {}, [(ROWS, COLUMNS)])
    (torn,) = head().read([outputs(), outputs(other)], {}, [(ROWS, COLUMNS)])
    assert torn.samples[:, 0, 1].std() > 2 * sure.samples[:, 0, 1].std()
    assert torn.share[0] < 0.7 * sure.share[0]
    assert torn.share[1] == pytest.approx(sure.share[1], rel=1e-3)


def test_an_absent_landmark_is_read_as_absent():
    (seen,) = head().read([outputs(absent=(-9.0, 9.0, -9.0))], {}, [(ROWS, COLUMNS)])
    assert (seen.there > 0.5).tolist() == [True, False, True]


def test_samples_have_the_covariance_that_is_asked_for_and_are_the_same_again():
    spread = np.array([[[9.0, 4.0], [4.0, 5.0]], [[1.0, 0.0], [0.0, 0.25]]])
    points = np.array([[10.0, 20.0], [30.0, 5.0]])
    samples = drawn(points, spread, 20_000)
    assert np.array_equal(samples, drawn(points, spread, 20_000))
    for k in range(2):
        assert np.cov(samples[:, k].T) == pytest.approx(spread[k], abs=0.25)
    assert np.isfinite(drawn(points, np.zeros((2, 2, 2)), 5)).all()


def test_nothing_is_learnt_from_training_or_held_out_films():
    assert head().learn(np.zeros((1, 3, 3), np.float32), [(1, 1)]) == {}
    assert head().calibrate([], np.zeros((0, 3, 3), np.float32), {}) == {}
