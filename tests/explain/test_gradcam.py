"""Grad-CAM against a network solved by hand, on every architecture, and on a planted blob."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from spinelab.explain import cam_layers, gradcam, hirescam, scorecam, weights_matter
from spinelab.nn import NAMES, MultiViewNet, backbone


class ByHand(nn.Module):
    """Two feature maps, the film and its negative in [0, 1]; mean pooling; class 0 reads the first, class 1 the second."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 1)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(2, 2)
        with torch.no_grad():
            self.conv.weight.copy_(torch.tensor([1.0, -1.0]).reshape(2, 1, 1, 1))
            self.conv.bias.copy_(torch.tensor([0.0, 1.0]))
            self.head.weight.copy_(torch.tensor([[3.0, 0.0], [0.0, 5.0]]))
            self.head.bias.zero_()

    def forward(self, pixels, available):
        return self.head(self.pool(self.conv(pixels[:, :1].float() / 255)).flatten(1))


def view(batch=1, views=1):
    return torch.ones(batch, views, dtype=torch.bool)


def test_a_network_solved_by_hand():
    film = torch.arange(0, 256, 16, dtype=torch.uint8).reshape(1, 1, 4, 4)
    first, logits = gradcam(ByHand(), film, view(), 0)
    second, _ = gradcam(ByHand(), film, view(), 1)
    x = film[0, 0].numpy() / 255
    np.testing.assert_allclose(first[0, 0], x / x.max(), atol=1e-6)
    np.testing.assert_allclose(second[0, 0], 1 - x, atol=1e-6)
    torch.testing.assert_close(logits, torch.tensor([[3 * x.mean(), 5 * (1 - x.mean())]], dtype=torch.float32))


def test_the_layer_is_found_before_pooling():
    net = ByHand()
    assert cam_layers(net, torch.zeros(1, 1, 8, 8, dtype=torch.uint8), view()) == [net.conv]


def reference(net, pixels, available):
    """Grad-CAM as in the paper: the whole graph, one film."""
    layer, kept = net.cam_layers()[0], []
    handle = layer.register_forward_hook(lambda module, inputs, output: kept.append(output))
    logits = net(pixels, available)
    handle.remove()
    (gradient,) = torch.autograd.grad(logits.max(dim=1).values.sum(), kept)
    cam = torch.relu((gradient.mean(dim=(2, 3), keepdim=True) * kept[0]).sum(dim=1, keepdim=True))
    cam = functional.interpolate(cam, size=pixels.shape[-2:], mode="bilinear", align_corners=False)[:, 0]
    return (cam / cam.amax(dim=(1, 2), keepdim=True)).detach().numpy()


@pytest.mark.usefixtures("enlarged")
@pytest.mark.parametrize("name", NAMES)
def test_every_architecture_agrees_with_the_whole_graph(name):
    torch.manual_seed(0)
    net = MultiViewNet(lambda: backbone(name), views=1, classes=3, dropout=0.4).eval()
    pixels = torch.randint(0, 256, (2, 1, 96, 96), dtype=torch.uint8)
    heat, logits = gradcam(net, pixels, view(2))
    expected = reference(net, pixels, view(2))
    np.testing.assert_allclose(heat[:, 0], np.nan_to_num(expected), atol=1e-4)
    torch.testing.assert_close(logits, net(pixels, view(2)).detach())


class TwoWays(nn.Module):
    """Maps of 8 x 8 that are read through overlapping average windows, and where asked through their maxima as well."""

    def __init__(self, *, maxima):
        super().__init__()
        self.conv, self.pool, self.maxima = nn.Conv2d(1, 4, 3, padding=1), nn.AdaptiveAvgPool2d(3), maxima
        self.head = nn.Sequential(nn.Linear(4 * 9 + (4 if maxima else 0), 5), nn.Tanh(), nn.Linear(5, 2))

    def cam_layers(self):
        return [self.conv]

    def forward(self, pixels, available):
        maps = self.conv(pixels.float() / 255)
        read = [self.pool(maps).flatten(1), *([maps.amax(dim=(2, 3))] if self.maxima else [])]
        return self.head(torch.cat(read, dim=1))


@pytest.mark.usefixtures("enlarged")
@pytest.mark.parametrize("maxima", [False, True])
def test_behind_an_average_pool_the_weights_are_those_of_the_whole_graph(maxima):
    torch.manual_seed(1)
    net = TwoWays(maxima=maxima).eval()
    pixels = torch.randint(0, 256, (3, 1, 8, 8), dtype=torch.uint8)
    heat, _ = gradcam(net, pixels, view(3))
    np.testing.assert_allclose(heat[:, 0], np.nan_to_num(reference(net, pixels, view(3))), atol=1e-5)
    assert heat.max() == 1


@pytest.mark.parametrize(("mode", "fusion"), [("standard", "mean"), ("hybrid", "attention"), ("hybrid", "concat")])
def test_a_map_a_view_and_none_for_a_missing_one(mode, fusion):
    torch.manual_seed(0)
    net = MultiViewNet(lambda: backbone("simple-cnn"), views=2, classes=2, dropout=0.4, mode=mode, fusion=fusion)
    pixels = torch.randint(0, 256, (3, 2, 40, 40), dtype=torch.uint8)
    available = torch.tensor([[True, True], [True, False], [False, True]])
    heat, _ = gradcam(net, pixels, available, torch.tensor([0, 1, 0]))
    assert heat.shape == (3, 2, 40, 40)
    assert heat.min() >= 0
    assert heat.max() <= 1 + 1e-6
    assert not heat[~available.numpy()].any()
    both = np.stack([gradcam(net, pixels[[i]], available[[i]], c)[0][0] for i, c in enumerate((0, 1, 0))])
    np.testing.assert_allclose(both, heat, atol=1e-5)


def test_leaves_the_network_as_it_was():
    net = MultiViewNet(lambda: backbone("simple-cnn"), views=1, classes=2, dropout=0.4).train()
    before = {name: t.clone() for name, t in net.state_dict().items()}
    gradcam(net, torch.zeros(1, 1, 32, 32, dtype=torch.uint8), view())
    assert net.training
    assert all(p.requires_grad and p.grad is None for p in net.parameters())
    assert not any(m._forward_hooks for m in net.modules())
    assert all(torch.equal(t, before[name]) for name, t in net.state_dict().items())


@pytest.mark.parametrize("method", [gradcam, hirescam, scorecam])
def test_looking_for_the_layer_leaves_the_network_as_it_was(method):
    """The pass that finds the last feature maps was one in training mode: it moved the running means, and other maps came out the next time."""

    class Normed(ByHand):
        def __init__(self):
            super().__init__()
            self.conv = nn.Sequential(self.conv, nn.BatchNorm2d(2))

    net = Normed().train()
    before = {name: t.clone() for name, t in net.state_dict().items()}
    method(net, torch.randint(0, 256, (2, 1, 32, 32), dtype=torch.uint8), view(2))
    assert net.training
    assert all(torch.equal(t, before[name]) for name, t in net.state_dict().items())


CELL = 16
"""Pixels a cell of SimpleCNN's last feature maps: what a heatmap can resolve."""


def planted(n, rng, side=64):
    """Return films of noise, half with a bright blob, and where its middle is."""
    pixels = rng.integers(0, 60, size=(n, 1, side, side)).astype(np.uint8)
    middles = rng.integers(10, side - 10, size=(n, 2))
    for i in range(0, n, 2):
        y, x = middles[i]
        pixels[i, 0, y - 8 : y + 8, x - 8 : x + 8] = 230
    return torch.from_numpy(pixels), torch.tensor([i % 2 for i in range(n)]), middles


@pytest.fixture(scope="module")
def trained():
    torch.manual_seed(0)
    net = MultiViewNet(lambda: backbone("simple-cnn"), views=1, classes=2, dropout=0.0).train()
    pixels, labels, _ = planted(64, np.random.default_rng(0))
    optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
    for step in range(60):
        rows = torch.arange(16) + 16 * (step % 4)
        optimizer.zero_grad()
        functional.cross_entropy(net(pixels[rows], view(16)), labels[rows]).backward()
        optimizer.step()
    return net.eval()


def test_the_peak_lies_on_the_planted_blob(trained):
    pixels, _, middles = planted(20, np.random.default_rng(1))
    heat, logits = gradcam(trained, pixels, view(20), 0)
    assert (logits.argmax(dim=1)[::2] == 0).all()
    for i in range(0, 20, 2):
        peak = np.unravel_index(heat[i, 0].argmax(), heat[i, 0].shape)
        assert np.abs(np.array(peak) - middles[i]).max() <= CELL


def test_random_weights_give_another_map(trained):
    pixels, _, _ = planted(8, np.random.default_rng(2))
    assert abs(weights_matter(trained, pixels[::2], view(4))) < 0.7
    heat, _ = gradcam(trained, pixels, view(8), 0)
    torch.manual_seed(5)
    other, _ = gradcam(MultiViewNet(lambda: backbone("simple-cnn"), views=1, classes=2, dropout=0.0), pixels, view(8), 0)
    assert np.abs(heat - other).max() > 0.2
