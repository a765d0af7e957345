"""Where the cells of feature maps look."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from spinelab.nn import MultiViewNet, backbone, grading_net
from spinelab.nn.places import centred, placing, spread


def looked(net, shape, channels=3):
    with torch.no_grad(), placing(net, shape) as places:
        net(torch.zeros(1, channels, *shape))
    return places


@pytest.mark.parametrize(("name", "first"), [("resnet18", 0.0), ("mobilenetv2", 0.0), ("efficientnet-b0", 0.0), ("simple-cnn", None), ("densenet121", 14.0)])
def test_cells_of_known_networks(name, first):
    """Odd windows begin at pixel 0; the three 2 x 2 poolings of a DenseNet move its cells by half a step each, 2 + 4 + 8 pixels."""
    net = MultiViewNet(lambda: backbone(name), views=1, classes=2, dropout=0.0).eval()
    with torch.no_grad(), placing(net, (224, 224)) as places:
        net(torch.zeros(1, 1, 224, 224, dtype=torch.uint8), torch.ones(1, 1, dtype=torch.bool))
    size = min(places)
    expected = centred(size, (224, 224))[0] if first is None else (first, 32.0)
    assert places[size] == (expected, expected)


def test_patches_and_pooling_by_two_lie_as_in_the_smaller_film():
    net = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.MaxPool2d(2), nn.Conv2d(4, 4, 5, padding="same"), nn.AvgPool2d(2), nn.Conv2d(4, 4, 8, stride=8))
    places = looked(net, (64, 96))
    assert places[(16, 24)] == centred((16, 24), (64, 96))
    assert places[(2, 3)] == centred((2, 3), (64, 96))


def test_what_cannot_be_followed_is_left_out():
    class Resized(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3, stride=2, padding=1)

        def forward(self, films):
            return self.conv(functional.interpolate(films, size=(50, 50)))

    assert list(looked(Resized(), (64, 64))) == [(64, 64)]


def test_enlarging_is_linear_as_everybody_does_it_where_cells_are_centred():
    maps = torch.rand(2, 3, 5, 7)
    assert torch.allclose(spread(maps, (40, 63)), functional.interpolate(maps, size=(40, 63), mode="bilinear", align_corners=False), atol=1e-5)
    volume = torch.rand(1, 2, 3, 4, 5)
    expected = functional.interpolate(volume, size=(9, 16, 20), mode="trilinear", align_corners=False)
    assert torch.allclose(spread(volume, (9, 16, 20)), expected, atol=1e-5)


def test_a_spot_is_shown_where_it_is():
    """Four blurs with stride 2: enlarged as it is, the map shows the spot 7.5 pixels too far right and below; put in place, where it lies."""
    blur = nn.Conv2d(1, 1, 3, stride=2, padding=1, bias=False)
    nn.init.constant_(blur.weight, 1 / 9)
    net = nn.Sequential(blur, blur, blur, blur)
    film = torch.zeros(1, 1, 128, 128)
    film[0, 0, 62:67, 78:83] = 1
    with torch.no_grad(), placing(net, (128, 128)) as places:
        maps = net(film)
    rows, columns = torch.meshgrid(torch.arange(128.0), torch.arange(128.0), indexing="ij")

    def middle(heat):
        return [float((heat * axis).sum() / heat.sum()) for axis in (rows, columns)]

    assert middle(spread(maps, (128, 128), places)[0, 0]) == pytest.approx([64, 80], abs=1)
    assert middle(spread(maps, (128, 128))[0, 0]) == pytest.approx([71.5, 87.5], abs=1)


def test_it_is_learnt_once_for_each_size_of_film():
    net = nn.Sequential(nn.Conv2d(1, 2, 3, stride=2, padding=1))
    first = looked(net, (32, 32), channels=1)
    with placing(net, (32, 32)) as again:
        assert again is first
        assert not net[0]._forward_hooks
    assert (8, 8) not in first
    assert (8, 8) in looked(net, (16, 16), channels=1)


def test_grading_networks_are_followed_to_their_last_maps():
    for name in ("cnn", "resnet18", "inception"):
        net = grading_net(name, {"severity": 3}, side=96).eval()
        with torch.no_grad(), placing(net, (96, 96)) as places:
            net(torch.zeros(1, 1, 96, 96, dtype=torch.uint8), torch.ones(1, 1, dtype=torch.bool))
        assert min(places) < (13, 13)
