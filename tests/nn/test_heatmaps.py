import math

import numpy as np
import pytest
import torch

from spinelab.nn.heatmaps import HeatmapLoss, centres, gaussians, locate, probabilities

STRIDE, SIGMA = 4, 4.0
ROWS, COLUMNS = 24, 16
TRUTH = torch.tensor([[[30.3, 41.9, 1.0], [17.0, 60.4, 1.0], [0.0, 0.0, 0.0]]])


def drawn(truth=TRUTH, sigma=SIGMA, stride=STRIDE):
    return gaussians(truth, ROWS, COLUMNS, stride=stride, sigma_px=sigma)


def outputs(kind, truth, *, absent=12.0):
    """Return the outputs of a network that draws each landmark where ``truth`` says, and is sure which are absent."""
    bumps = drawn(truth).clamp(1e-4, 1 - 1e-4)
    maps = torch.logit(bumps) if kind == "heatmap" else bumps.log()
    return maps, torch.where(truth[..., 2] > 0, -absent, absent)


def test_cells_lie_at_the_middle_of_the_pixels_that_they_cover():
    assert centres(3, 2, 4)[2, 1].tolist() == [5.5, 9.5]
    assert centres(3, 2, 1)[2, 1].tolist() == [1, 2]


def test_a_gaussian_has_height_one_at_its_landmark_and_is_nothing_for_an_absent_one():
    maps = gaussians(torch.tensor([[[5.5, 9.5, 1.0], [5.5, 9.5, 0.0]]]), 6, 5, stride=4, sigma_px=4.0)
    assert maps.shape == (1, 2, 6, 5)
    assert float(maps[0, 0, 2, 1]) == 1
    assert float(maps[0, 0, 2, 2]) == pytest.approx(math.exp(-0.5))
    assert float(maps[0, 0, 3, 2]) == pytest.approx(math.exp(-1))
    assert not maps[0, 1].any()


@pytest.mark.parametrize("sigma", [3.0, 4.0, 5.0, 6.0, 8.0])
def test_a_drawn_gaussian_is_found_to_a_tenth_of_a_cell(sigma):
    rng = np.random.default_rng(0)
    points = np.column_stack([rng.uniform(24, 40, 60), rng.uniform(24, 72, 60), np.ones(60)])
    maps = drawn(torch.tensor(points[None], dtype=torch.float32), sigma=sigma)
    seen = locate(maps / maps.sum(dim=(-2, -1), keepdim=True), torch.ones(1, 60), STRIDE, sigma)
    error = (seen.points[0].numpy() - points[:, :2]) / STRIDE
    assert np.abs(error).max() < 0.1
    assert np.abs(error.mean(axis=0)).max() < 0.02


def test_the_spread_of_a_gaussian_is_its_own_and_that_of_a_cell():
    maps = drawn(torch.tensor([[[33.5, 49.5, 1.0]]]))
    spread = locate(maps / maps.sum(), torch.ones(1, 1), STRIDE, SIGMA).spread[0, 0]
    assert torch.allclose(spread, (SIGMA**2 + STRIDE**2 / 12) * torch.eye(2), rtol=0.02, atol=0.05)


def test_two_equal_peaks_share_the_probability_and_widen_the_spread():
    maps = drawn(torch.tensor([[[17.5, 49.5, 1.0], [45.5, 49.5, 1.0]]])).sum(dim=1, keepdim=True)
    seen = locate(maps / maps.sum(), torch.ones(1, 1), STRIDE, SIGMA)
    assert float(seen.share[0, 0]) == pytest.approx(0.5, abs=0.02)
    assert float(seen.spread[0, 0, 0, 0]) > 10 * float(seen.spread[0, 0, 1, 1])


def test_a_point_at_the_edge_of_the_film_stays_on_it():
    maps = drawn(torch.tensor([[[0.0, 95.0, 1.0]]]), sigma=1.5)
    x, y = locate(maps / maps.sum(), torch.ones(1, 1), STRIDE, 1.5).points[0, 0].tolist()
    assert 0 <= x < 4
    assert 91 < y <= 95


@pytest.mark.parametrize("kind", ["heatmap", "cross-entropy", "coordinate"])
def test_present_and_absent_landmarks_are_told_apart(kind):
    shares, there = probabilities(outputs(kind, TRUTH), kind)
    assert torch.allclose(shares.sum(dim=(-2, -1)), torch.ones(1, 3), atol=1e-4)
    assert (there[0, :2] > 0.85).all()
    assert float(there[0, 2]) < 1e-3


def by_hand(shown, target, rising):
    """The source's loss of one map in plain numbers: L1 by the areas of foreground and background, and Dice on the foreground."""
    edge = math.exp(-2)
    pairs = [(float(s), float(t)) for s, t in zip(shown.ravel(), target.ravel(), strict=True)]
    inside, outside = [p for p in pairs if p[1] >= edge], [p for p in pairs if p[1] < edge]
    weighted = sum(abs(s - t) for s, t in inside) / len(inside) + sum(abs(s - t) for s, t in outside) / len(outside)
    drawn_sum, seen_sum = sum(t for _, t in inside), sum(s for s, _ in pairs if s >= edge)
    both = sum(s + t for s, t in inside if s >= edge)
    return (1 - rising) * weighted + rising * (1 - both / (drawn_sum + seen_sum))


@pytest.mark.parametrize(("epoch", "rising"), [(0, 0.0), (100, 0.2), (450, 0.9), (5000, 0.9)])
def test_the_sources_loss_equals_one_computed_by_hand(epoch, rising):
    truth = torch.tensor([[[2.0, 1.0, 1.0]]])
    target = gaussians(truth, 4, 6, stride=1, sigma_px=0.8)
    maps = torch.randn(1, 1, 4, 6, generator=torch.Generator().manual_seed(3))
    criterion = HeatmapLoss("heatmap", stride=1, sigma_px=0.8)
    criterion.epoch = epoch
    expected = by_hand(maps.sigmoid()[0, 0].numpy(), target[0, 0].numpy(), rising) + math.log1p(math.exp(-7))
    assert float(criterion((maps, torch.tensor([[-7.0]])), truth)) == pytest.approx(expected, rel=1e-5)


def test_the_foreground_of_the_sources_loss_is_two_standard_deviations():
    truth = torch.tensor([[[10.0, 10.0, 1.0]]])
    criterion = HeatmapLoss("heatmap", stride=1, sigma_px=2.0)
    perfect = torch.logit(gaussians(truth, 21, 21, stride=1, sigma_px=2.0).clamp(1e-6, 1 - 1e-6))
    sure = torch.tensor([[-30.0]])
    base = float(criterion((perfect, sure), truth))
    inside, outside = perfect.clone(), perfect.clone()
    inside[0, 0, 10, 14], outside[0, 0, 10, 15] = 30, 30
    cells = sum((x - 10) ** 2 + (y - 10) ** 2 <= 16 for x in range(21) for y in range(21))
    assert float(criterion((inside, sure), truth)) - base == pytest.approx((1 - math.exp(-2)) / cells, rel=1e-3)
    assert float(criterion((outside, sure), truth)) - base == pytest.approx((1 - math.exp(-25 / 8)) / (441 - cells), rel=1e-3)


@pytest.mark.parametrize("epoch", [0, 300])
@pytest.mark.parametrize("kind", ["heatmap", "cross-entropy", "coordinate"])
def test_each_loss_is_smallest_at_the_truth(kind, epoch):
    criterion = HeatmapLoss(kind, stride=STRIDE, sigma_px=SIGMA)
    criterion.epoch = epoch
    best = float(criterion(outputs(kind, TRUTH), TRUTH))
    for off in ((4, 0), (-4, 0), (0, 4), (0, -4), (9, -13)):
        elsewhere = TRUTH.clone()
        elsewhere[0, :2, :2] += torch.tensor(off)
        assert float(criterion(outputs(kind, elsewhere), TRUTH)) > best
    wrongly_there, wrongly_absent = TRUTH.clone(), TRUTH.clone()
    wrongly_there[0, 2], wrongly_absent[0, 1] = torch.tensor([30.0, 30.0, 1.0]), 0
    assert float(criterion(outputs(kind, wrongly_there), TRUTH)) > best
    assert float(criterion(outputs(kind, wrongly_absent), TRUTH)) > best


@pytest.mark.parametrize("kind", ["heatmap", "cross-entropy", "coordinate"])
def test_descending_each_loss_brings_a_map_to_its_landmark(kind):
    maps, absent = torch.zeros(1, 3, ROWS, COLUMNS, requires_grad=True), torch.zeros(1, 3, requires_grad=True)
    criterion, optimizer = HeatmapLoss(kind, stride=STRIDE, sigma_px=SIGMA), torch.optim.Adam([maps, absent], lr=0.3)
    for _ in range(60):
        optimizer.zero_grad()
        loss = criterion((maps, absent), TRUTH)
        loss.backward()
        optimizer.step()
    shares, there = probabilities((maps.detach(), absent.detach()), kind)
    seen = locate(shares, there, STRIDE, SIGMA)
    assert (seen.points - TRUTH[..., :2])[0, :2].abs().max() < STRIDE / 2
    assert (there[0, :2] > 0.5).all()
    assert float(there[0, 2]) < 0.5


def test_a_film_without_any_landmark_has_a_finite_loss():
    nothing = torch.zeros(1, 3, 3)
    for kind in ("heatmap", "cross-entropy", "coordinate"):
        criterion = HeatmapLoss(kind, stride=STRIDE, sigma_px=SIGMA)
        criterion.epoch = 300
        assert math.isfinite(float(criterion((torch.zeros(1, 3, ROWS, COLUMNS), torch.zeros(1, 3)), nothing)))
