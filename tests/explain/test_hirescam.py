"""HiResCAM against hand calculation, the layer that it finds, and the drawn lesion."""

import numpy as np
import pytest
import torch
from torch import nn

from spinelab.explain import Subject, attention_maps, cam_layers, fine_layers, gradcam, hirescam, usual_method
from spinelab.nn import MultiViewNet, backbone, grading_net

SIDE = 32


def there(batch=1, views=1):
    return torch.ones(batch, views, dtype=torch.bool)


class TwoLayers(nn.Module):
    """The film in [0, 1], then a window of 2 x 2 moved by 2 that reads its upper left pixel with 3 and its lower right one with -1; class 0 is the sum."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 1, 1, bias=False), nn.Conv2d(1, 1, 2, stride=2, bias=False)
        with torch.no_grad():
            self.first.weight.fill_(1 / 255)
            self.second.weight.copy_(torch.tensor([[3.0, 0.0], [0.0, -1.0]]))

    def forward(self, pixels, available):
        total = self.second(self.first(pixels.float())).sum(dim=(1, 2, 3))
        return torch.stack([total, -total], dim=1)


def film_of(**spots):
    film = torch.zeros(1, 1, SIDE, SIDE, dtype=torch.uint8)
    for (row, column), value in spots["at"].items():
        film[0, 0, row, column] = value
    return film


def test_a_network_of_two_layers_solved_by_hand():
    net = TwoLayers()
    # two pixels with slope 3, one as bright as the other is half, one with slope -1, and one that the window does not read
    film = film_of(at={(6, 6): 250, (20, 8): 125, (9, 25): 250, (13, 14): 250})
    heat, logits = hirescam(net, film, there(), 0)
    # by hand: 3 x 250, 3 x 125, -1 x 250 and 0, each spread as exp(-d^2 / 2), the Gaussian of one cell
    assert heat[0, 0, 6, 6] == pytest.approx(1)
    assert heat[0, 0, 20, 8] == pytest.approx(0.5, abs=1e-3)
    assert heat[0, 0, 6, 7] == pytest.approx(np.exp(-0.5), abs=1e-3)
    assert heat[0, 0, 20, 10] == pytest.approx(0.5 * np.exp(-2), abs=1e-3)
    assert heat[0, 0, 9, 25] == heat[0, 0, 13, 14] == 0
    torch.testing.assert_close(logits[0, 0], torch.tensor((3 * 375 - 250) / 255))
    other, _ = hirescam(net, film, there(), 1)
    assert np.unravel_index(other[0, 0].argmax(), (SIDE, SIDE)) == (9, 25)


def test_the_chequered_pattern_of_strides_is_levelled():
    heat, _ = hirescam(TwoLayers(), torch.full((1, 1, SIDE, SIDE), 255, dtype=torch.uint8), there(), 0)
    # every fourth pixel has slope 3 and every fourth -1: on an even film the map is even but for a tenth, up to its edges
    assert heat.min() > 0.85


class Shortcut(nn.Module):
    """A stem, and a block whose own maps are as fine as the stem's but do not tell of what the shortcut leads around them."""

    def __init__(self):
        super().__init__()
        self.stem, self.inner, self.down, self.around = (nn.Conv2d(1, 1, 3, s, 1) for s in (1, 1, 2, 2))
        self.sum = nn.Identity()

    def cam_layers(self):
        return [self.sum]

    def forward(self, pixels, available):
        x = self.stem(pixels.float())
        return self.sum(self.down(self.inner(x)) + self.around(x)).flatten(1)[:, :2]


def test_the_layer_is_the_last_fine_one_that_everything_passes():
    net = Shortcut()
    assert fine_layers(net, film_of(at={}), there()) == [net.stem]
    body = grading_net("resnet18", {"a": 2}, side=160).eval()
    assert fine_layers(body, torch.zeros(1, 1, 160, 160, dtype=torch.uint8), there()) == [body.backbone.body.layer1]
    assert fine_layers(body, torch.zeros(1, 1, 96, 96, dtype=torch.uint8), there()) == [body.backbone.body.act1]
    small = torch.zeros(1, 1, 16, 16, dtype=torch.uint8)
    assert fine_layers(net, small, there()) == [net.stem]  # none has 32 cells: the finest
    vit = grading_net("vit", {"a": 2}, side=32).eval()
    assert fine_layers(vit, film_of(at={}), there()) == cam_layers(vit, film_of(at={}), there())


def test_a_layer_a_view_even_where_one_is_missing_at_first():
    net = MultiViewNet(lambda: backbone("simple-cnn"), views=2, classes=2, dropout=0.0, mode="hybrid").eval()
    films = torch.zeros(1, 2, 64, 64, dtype=torch.uint8)
    found = fine_layers(net, films, torch.tensor([[True, False]]))
    assert [name.split(".")[1] for layer in found for name, module in net.named_modules() if module is layer] == ["0", "1"]
    assert not any(m._forward_hooks for m in net.modules())
    assert all(p.requires_grad for p in net.parameters())


class Bright(nn.Module):
    """Finds bright discs: strides of 2 as a ResNet takes them, then the mean of what is bright; its last maps have cells of 16 pixels."""

    def __init__(self):
        super().__init__()
        steps = [nn.Sequential(nn.Conv2d(1, 1, 3, 2, 1), nn.ReLU()) for _ in range(4)]
        for step in steps:
            nn.init.constant_(step[0].weight, 1 / 9)
            nn.init.zeros_(step[0].bias)
        nn.init.constant_(steps[0][0].bias, -100.0)
        self.body = nn.Sequential(*steps)

    def cam_layers(self):
        return [self.body]

    def forward(self, pixels, available):
        mean = self.body(pixels.float()).flatten(1).mean(dim=1)
        return torch.stack([mean, -mean], dim=1)


def test_the_peak_lies_in_a_drawn_lesion_smaller_than_a_cell():
    rng, net = np.random.default_rng(0), Bright()
    rows, columns = np.mgrid[:96, :96]
    inside = {hirescam: 0, gradcam: 0}
    for _ in range(20):
        row, column = rng.integers(12, 84, 2)
        mask = (rows - row) ** 2 + (columns - column) ** 2 <= 25
        film = torch.from_numpy(np.where(mask, 230, rng.integers(0, 60, mask.shape)).astype(np.uint8))[None, None]
        for method in inside:
            heat, _ = method(net, film, there(), 0)
            inside[method] += bool(mask[np.unravel_index(heat[0, 0].argmax(), mask.shape)])
    assert inside[hirescam] == 20
    assert inside[gradcam] < 12


def test_the_quick_map_tells_its_cells():
    net = grading_net("simple-cnn", {"a": 2}, side=64).eval()
    subject = Subject(net, np.random.default_rng(0).integers(0, 256, (1, 64, 64)).astype(np.uint8), np.ones(1, bool), ("a", "b"))
    assert usual_method(net) == "HiResCAM"
    maps = attention_maps(subject, ["HiResCAM", "Grad-CAM", "Score-CAM", "occlusion"])
    assert [one.facts().get("cell_px") for one in maps] == [2, 8, 8, None]
    assert maps[0].explanation().summary("x.png").cell_px == 2
    vit = grading_net("vit", {"a": 2}, side=64).eval()
    assert usual_method(vit) == "attention rollout"
    (rolled,) = attention_maps(Subject(vit, subject.pixels, subject.available, ("a", "b")), ["attention rollout"])
    assert rolled.cell_px == 8
