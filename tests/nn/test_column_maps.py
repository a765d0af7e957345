import math

import pytest
import torch

from spinelab.nn.column_maps import OFFSET_UNIT_PX, ColumnLoss, channels, tilt
from spinelab.nn.heatmaps import centres, gaussians

LEVELS, STRIDE, SIGMA, ROWS, COLUMNS = 3, 4, 5.0, 40, 24


def corners(*, slope=0.1, x=48.0):
    box = torch.tensor([[-14.0, -10], [14, -10], [-14, 10], [14, 10]])
    turn = torch.tensor([[math.cos(slope), math.sin(slope)], [-math.sin(slope), math.cos(slope)]])
    return torch.stack([box @ turn + torch.tensor([x, 40.0 + 32 * k]) for k in range(LEVELS)])


def truth(points=None, there=(1.0, 1.0, 1.0)):
    points = corners() if points is None else points
    flags = torch.tensor(there)[:, None, None].expand(LEVELS, 4, 1)
    return torch.cat([points, flags], dim=2).reshape(1, 4 * LEVELS, 3)


def perfect(points=None):
    """Return the maps that a network should draw for these corners."""
    points = corners() if points is None else points
    middle = torch.cat([points.mean(dim=1), torch.ones(LEVELS, 1)], dim=1)[None]
    bumps = gaussians(middle, ROWS, COLUMNS, stride=STRIDE, sigma_px=SIGMA)
    cells = centres(ROWS, COLUMNS, STRIDE)
    nearest = ((cells - middle[0, :, None, None, :2]) ** 2).sum(-1).argmin(0)
    offsets = (points[nearest] - cells[:, :, None]) / OFFSET_UNIT_PX
    maps = [(bumps + 1e-6).log(), torch.logit(bumps.amax(1, keepdim=True).clamp(1e-5, 1 - 1e-5)), offsets.permute(2, 3, 0, 1).reshape(1, 8, ROWS, COLUMNS)]
    return torch.cat(maps, dim=1), torch.full((1, LEVELS), -15.0)


def loss(outputs, wanted):
    return float(ColumnLoss(LEVELS, stride=STRIDE, sigma_px=SIGMA)(outputs, wanted))


def test_channels_are_levels_centres_and_eight_offsets():
    assert channels(17) == 26
    assert perfect()[0].shape[1] == channels(LEVELS)


@pytest.mark.parametrize("degrees", [-30.0, 0.0, 12.5])
def test_tilt_is_that_of_the_drawn_box(degrees):
    found = tilt(corners(slope=math.radians(degrees)))
    assert torch.rad2deg(found) == pytest.approx([degrees] * LEVELS, abs=1e-3)


def test_tilt_of_corners_that_cross_has_a_finite_gradient():
    points = corners()[:, [1, 0, 3, 2]].clone().requires_grad_()
    tilt(points).sum().backward()
    assert torch.isfinite(points.grad).all()


def test_the_loss_is_smallest_at_the_truth():
    best = loss(perfect(), truth())
    assert loss(perfect(corners(x=52)), truth()) > best
    assert loss(perfect(corners(slope=0.2)), truth()) > best
    maps, absent = perfect()
    assert loss((maps, -absent), truth()) > best
    renamed = torch.cat([maps[:, [1, 2, 0]], maps[:, LEVELS:]], dim=1)
    assert loss((renamed, absent), truth()) > best


def test_left_and_right_corners_are_not_interchangeable():
    maps, absent = perfect()
    offsets = maps[:, LEVELS + 1 :].reshape(1, 4, 2, ROWS, COLUMNS)[:, [1, 0, 3, 2]].flatten(1, 2)
    assert loss((torch.cat([maps[:, : LEVELS + 1], offsets], dim=1), absent), truth()) > loss(perfect(), truth()) + 10


def test_an_absent_vertebra_teaches_neither_its_level_nor_its_corners():
    wanted = truth(there=(1.0, 0.0, 1.0))
    maps, absent = perfect()
    absent[0, 1] *= -1
    changed = maps.clone()
    changed[:, 1] = torch.randn(ROWS, COLUMNS)
    assert loss((changed, absent), wanted) == pytest.approx(loss((maps, absent), wanted), rel=1e-5)
    changed = maps.clone()
    changed[:, LEVELS + 1 :, 17:19] += 100
    assert loss((changed, absent), wanted) == pytest.approx(loss((maps, absent), wanted), rel=1e-4)
    assert loss((changed, absent), truth()) > loss((maps, absent), truth()) + 10


def test_a_film_without_vertebrae_has_a_finite_loss():
    assert math.isfinite(loss((torch.zeros(1, channels(LEVELS), ROWS, COLUMNS), torch.zeros(1, LEVELS)), truth(there=(0.0, 0.0, 0.0))))
