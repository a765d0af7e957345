"""Kolmogorov-Arnold layers: the basis against scipy, a known function to a stated error, grids that change without changing the function."""

import numpy as np
import pytest
import torch
from scipy.interpolate import BSpline
from torch import nn

from spinelab.core import TaskError
from spinelab.nn import KAN, KANLayer
from spinelab.nn.kan import bspline_basis


@pytest.mark.parametrize("degree", [1, 2, 3, 5])
def test_the_basis_is_scipys(degree):
    rng = np.random.default_rng(degree)
    knots = np.sort(rng.uniform(-2, 2, size=(3, 8 + 2 * degree)), axis=1)
    x = rng.uniform(-3, 3, size=(200, 3))
    ours = bspline_basis(torch.from_numpy(x), torch.from_numpy(knots), degree).numpy()
    for i in range(3):
        for k in range(knots.shape[1] - degree - 1):
            theirs = BSpline.basis_element(knots[i, k : k + degree + 2], extrapolate=False)(x[:, i])
            np.testing.assert_allclose(ours[:, i, k], np.nan_to_num(theirs), atol=1e-12)


def test_the_basis_adds_up_to_one_on_the_grid():
    layer = KANLayer(2, 1, intervals=7)
    x = torch.linspace(-1, 1 - 1e-6, 50)[:, None].expand(-1, 2)
    torch.testing.assert_close(bspline_basis(x, layer.knots, 3).sum(dim=2), torch.ones(50, 2))


def test_a_layer_is_the_sum_of_its_curves():
    torch.manual_seed(0)
    layer, x = KANLayer(4, 3), torch.rand(10, 4) * 2 - 1
    expected = layer.curves(x).sum(dim=1) + nn.functional.silu(x) @ layer.base.T
    torch.testing.assert_close(layer(x), expected)
    assert sum(p.numel() for p in layer.parameters()) == 4 * 3 * (1 + 5 + 3)


def known(x):
    """The paper's example, which a [2, 5, 1] network can express."""
    return torch.exp(torch.sin(torch.pi * x[:, :1]) + x[:, 1:] ** 2)


def fitted(net, x, y, steps):
    optimizer = torch.optim.LBFGS(net.parameters(), max_iter=steps, line_search_fn="strong_wolfe", history_size=10, tolerance_grad=1e-9, tolerance_change=1e-12)

    def closure():
        optimizer.zero_grad()
        loss = (net(x) - y).square().mean()
        loss.backward()
        return loss

    optimizer.step(closure)
    return net


def rmse(net, x):
    with torch.no_grad():
        return float((net(x) - known(x)).square().mean().sqrt())


def test_a_known_function_is_learnt_and_better_on_a_finer_grid():
    torch.manual_seed(1)
    x, unseen = torch.rand(500, 2) * 2 - 1, torch.rand(500, 2) * 2 - 1
    net = KAN([2, 5, 1], intervals=5)
    for steps in (20, 20, 20):
        net.update_grid(x)
        fitted(net, x, known(x), steps)
    coarse = rmse(net, unseen)
    net.update_grid(x)
    net.extend_grid(2)
    fitted(net, x, known(x), 60)
    assert coarse < 0.08  # of values from 0.4 to 7.4
    assert rmse(net, unseen) < 0.02


def test_a_finer_grid_is_the_same_function():
    torch.manual_seed(1)
    layer, x = KANLayer(3, 4, intervals=4), torch.rand(100, 3) * 2 - 1
    nn.init.normal_(layer.coefficients)
    layer.update_grid(torch.randn(200, 3).clamp(-1.2, 1.2))
    before = layer(x).detach()
    layer.extend_grid(3)
    assert layer.intervals == 12
    torch.testing.assert_close(layer(x), before, atol=2e-5, rtol=1e-5)


def test_a_grid_follows_its_inputs_and_hardly_changes_the_function():
    torch.manual_seed(2)
    layer = KANLayer(1, 1, intervals=20)
    with torch.no_grad():
        layer.coefficients.copy_(torch.linspace(0, 6, 23).sin())
    x = torch.cat([torch.linspace(-0.9, -0.3, 50), torch.linspace(0.2, 0.8, 150)])[:, None]
    before, parameter = layer(x).detach(), layer.coefficients
    layer.update_grid(x)
    assert layer.coefficients is parameter  # an optimiser keeps it
    assert layer.grid[0, 0] < -0.9
    assert layer.grid[0, -1] > 0.8
    inside = torch.histogram(x.flatten(), layer.grid[0].contiguous()).hist
    assert inside.max() <= 20
    assert (layer(x) - before).abs().max() < 0.01 * before.std()


def test_a_grid_follows_at_the_steps_it_is_told_and_only_in_training():
    layer, x = KANLayer(2, 2, follow_at=(1,)), torch.randn(64, 2) * 5
    start = layer.knots.clone()
    layer.eval()(x)
    layer.train()(x)
    torch.testing.assert_close(layer.knots, start)
    layer(x)
    assert layer.grid.max() > 3
    assert int(layer.step) == 2


def test_alike_inputs_and_wide_ones_stay_finite():
    layer = KANLayer(2, 2)
    layer.update_grid(torch.zeros(10, 2))
    assert (layer.knots.diff(dim=1) > 0).all()
    assert torch.isfinite(layer(torch.tensor([[1e6, -1e6], [0.0, float(layer.grid[0, -1])]]))).all()


def test_grids_that_make_no_sense_are_refused():
    with pytest.raises(TaskError, match="degree 0"):
        KANLayer(1, 1, degree=0)
    with pytest.raises(TaskError, match="whole number"):
        KANLayer(1, 1).extend_grid(0)
