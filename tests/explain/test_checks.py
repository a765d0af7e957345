"""Checks of maps: known answers for masks and curves, a map that ignores the weights is flagged, and the pointing game on planted lesions."""

import json

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from spinelab.core import Explanation, InputError, TaskError
from spinelab.explain import (
    METHODS,
    Subject,
    attention_maps,
    curves,
    feature_maps,
    first_layer_filters,
    gallery,
    gradcam,
    inside,
    methods_for,
    on_original,
    pointing_game,
    randomisation,
)
from spinelab.explain.checks import Curves, glance, randomise, rank_correlation
from spinelab.nn import MultiViewNet, backbone, grading_net
from spinelab.train import letterbox

SIDE = 48


def there(batch=1, views=1):
    return torch.ones(batch, views, dtype=torch.bool)


def lesions(n, seed=0):
    """Return films of noise, every other one with a bright disc, labels and masks."""
    rng = np.random.default_rng(seed)
    films = rng.integers(0, 80, (n, 1, SIDE, SIDE)).astype(np.uint8)
    masks = np.zeros((n, SIDE, SIDE), bool)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    for i in range(0, n, 2):
        row, column = rng.integers(10, SIDE - 10, 2)
        masks[i] = (rows - row) ** 2 + (columns - column) ** 2 <= 36
        films[i, 0][masks[i]] = rng.integers(170, 255, masks[i].sum())
    return torch.from_numpy(films), torch.arange(n) % 2, masks


@pytest.fixture(scope="module")
def trained():
    torch.manual_seed(0)
    net = grading_net("mcnn", {"lesion": 2}, side=SIDE, dropout=0.0).train()
    films, labels, _ = lesions(48)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    for step in range(45):
        rows = torch.arange(16) + 16 * (step % 3)
        optimizer.zero_grad()
        functional.cross_entropy(net(films[rows]), labels[rows]).backward()
        optimizer.step()
    return net.eval()


@pytest.mark.parametrize("name", ["HiResCAM", "Grad-CAM", "Score-CAM", "integrated gradients", "occlusion"])
def test_the_peak_lies_in_the_drawn_lesion(trained, name):
    films, labels, masks = lesions(16, seed=1)
    heat, logits = METHODS[name](trained, films, there(16), 0)
    right = [i for i in range(0, 16, 2) if logits[i].argmax() == labels[i]]
    assert len(right) >= 7
    # half a cell of the feature maps, which are an eighth of the film
    assert pointing_game([heat[i, 0] for i in right], [masks[i] for i in right], tolerance_px=4) >= 0.85


def test_a_map_lies_where_it_lies():
    mask = np.zeros((10, 10), bool)
    mask[2:4, 2:7] = True
    heat = np.zeros((10, 10), np.float32)
    heat[2, 2], heat[9, 9] = 0.75, 0.25
    found = inside(heat, mask)
    assert (found.share, found.area, found.peak_inside) == (0.75, 0.1, True)
    heat[9, 9] = 1.0
    assert not inside(heat, mask).peak_inside
    assert inside(heat, mask, tolerance_px=7).peak_inside
    assert pointing_game([heat, heat.T[::-1, ::-1].copy()], [mask, mask]) == 0
    assert inside(np.ones((10, 10), np.float32), mask).share == pytest.approx(0.1)
    assert inside(np.zeros((10, 10), np.float32), mask).share == 0
    for wrong in (np.zeros((10, 10), bool), np.ones((9, 10), bool), np.ones((10, 10), np.uint8)):
        with pytest.raises(InputError, match="mask"):
            inside(heat, wrong)


class Corner(nn.Module):
    """Sees only the upper left eighth of the film."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(8.0))

    def forward(self, pixels, available):
        bright = pixels[:, 0, :16, :8].to(torch.float32).div(255).mean(dim=(1, 2))
        return torch.stack([self.weight * (bright - 0.5), torch.zeros_like(bright)], dim=1)


def test_curves_of_the_right_map_and_of_its_opposite():
    film = torch.zeros(1, 1, 32, 32, dtype=torch.uint8)
    film[0, 0, :16, :8] = 255
    right = np.zeros((1, 32, 32), np.float32)
    right[0, :16, :8] = 1
    good, bad = (curves(Corner(), film, there(), heat, 0, steps=8) for heat in (right, 1 - right))
    whole = 1 / (1 + np.exp(-4.0))
    assert good.deletion[0] == pytest.approx(whole, abs=1e-4)
    assert good.insertion[-1] == pytest.approx(whole, abs=1e-4)
    assert good.deletion[1] == pytest.approx(1 / (1 + np.exp(3.0)), abs=0.01)  # one eighth taken: the film's mean is left
    assert good.insertion[1] == pytest.approx(whole, abs=1e-4)
    assert bad.deletion[7] == pytest.approx(whole, abs=1e-4)
    assert good.deletion_auc < good.chance[0] < bad.deletion_auc
    assert bad.insertion_auc < good.chance[1] < good.insertion_auc
    assert good.better_than_chance
    assert not bad.better_than_chance


@pytest.mark.parametrize(("insertion", "better"), [(0.951, False), (0.97, False), (0.99, True)])
def test_a_hair_above_noise_is_chance(insertion, better):
    noise = ((0.5, 0.93), (0.5, 0.94), (0.5, 0.96))
    found = Curves((0.0, 1.0), (0.5, 0.5), (insertion, insertion), noise)
    assert found.chance == pytest.approx((0.5, 0.9433), abs=1e-4)
    assert found.least == pytest.approx(0.4433 + 2 * 0.01528, abs=1e-4)
    assert found.better_than_chance is better


def edges(net, pixels, available, class_index=None):
    """A map that never looks at the network: the film's edges."""
    film = pixels[:, :, 1:, 1:].float() - pixels[:, :, :-1, :-1].float()
    return np.pad(np.abs(film.numpy()), ((0, 0), (0, 0), (1, 0), (1, 0))).astype(np.float32), net(pixels, available).detach()


def test_maps_that_ignore_the_weights_are_flagged_and_those_of_a_trained_network_are_not(trained):
    films, _, _ = lesions(4, seed=2)
    film = films[::2]
    ignored = randomisation(edges, trained, film, there(2), stages=2)
    assert ignored.correlation == (1.0, 1.0)
    assert not ignored.depends_on_weights
    for name in ("Grad-CAM", "integrated gradients", "occlusion"):
        assert randomisation(METHODS[name], trained, film, there(2), stages=2).depends_on_weights, name


def test_layers_are_replaced_from_the_answer_down_to_the_film():
    torch.manual_seed(0)
    net = grading_net("ckan", {"severity": 3}, side=32)
    half, whole = randomise(net, stages=2)
    same = [torch.equal(a, b) for a, b in zip(net.parameters(), half.parameters(), strict=True)]
    assert same[0]
    assert not same[-1]
    assert not any(torch.equal(a, b) for a, b in zip(net.parameters(), whole.parameters(), strict=True) if a.std() > 0)
    positions = grading_net("vit", {"severity": 3}, side=32)
    (shuffled,) = randomise(positions)
    a, b = (n.backbone.body.pos_embed.detach() for n in (positions, shuffled))
    assert not torch.equal(a, b)
    torch.testing.assert_close(a.flatten().sort().values, b.flatten().sort().values)


def test_rank_correlation():
    a = np.arange(12, dtype=np.float32).reshape(3, 4)
    assert rank_correlation(a, a**3) == pytest.approx(1)
    assert rank_correlation(a, -a) == pytest.approx(-1)
    assert rank_correlation(a * 0, a) == 0
    assert rank_correlation(a * 0, a * 0) == 1


def subject(net, film, **how):
    return Subject(net, film[0].numpy(), np.ones(film.shape[1], bool), ("lesion", "none"), **how)


def test_maps_come_with_their_checks_and_travel_to_the_report(trained):
    films, _, masks = lesions(2, seed=3)
    found = attention_maps(subject(trained, films, model="MCNN"), ["Grad-CAM", "integrated gradients"], checks=("weights", "curves"), anatomy=masks[:1])
    cam, gradients = found
    assert (cam.label, cam.view, cam.flags) == ("lesion", "", ())
    assert cam.inside.share > 3 * cam.inside.area
    assert cam.curves.better_than_chance
    assert abs(gradients.unaccounted) < 0.05
    facts = json.loads(json.dumps(cam.facts(), allow_nan=False))
    assert facts["model"] == "MCNN"
    assert facts["curves"]["deletion_auc"] < facts["curves"]["insertion_auc"]
    assert facts["curves"]["chance"] == pytest.approx(np.mean(facts["curves"]["noise"], axis=0))
    drawn = cam.explanation()
    assert isinstance(drawn, Explanation)
    assert drawn.method == "Grad-CAM of MCNN"
    assert drawn.facts == cam.facts()
    np.testing.assert_array_equal(drawn.picture, films[0, 0].numpy())


def test_an_empty_map_is_flagged(trained):
    films, _, masks = lesions(2, seed=3)
    (cam,) = attention_maps(subject(trained, films), anatomy=masks[:1])
    assert cam.flags == ()
    empty = type(cam)(cam.method, cam.label, cam.view, cam.picture, cam.heat * 0, cam.probability)
    assert "empty" in empty.flags[0]


def test_a_gallery_shows_every_architecture_on_the_same_film():
    torch.manual_seed(0)
    films, _, _ = lesions(2)
    nets = {name: grading_net(name, {"lesion": 2}, side=SIDE).eval() for name in ("cnn", "ckan", "vit")}
    shown = gallery({name: subject(net, films) for name, net in nets.items()}, ["Grad-CAM", "attention rollout"], class_index=0)
    assert [e.method for e in shown] == ["Grad-CAM of cnn", "Grad-CAM of ckan", "Grad-CAM of vit", "attention rollout of vit"]
    assert {e.label for e in shown} == {"lesion"}
    assert all(e.heat.shape == e.picture.shape == (SIDE, SIDE) for e in shown)
    assert methods_for(nets["cnn"]) == ("HiResCAM", "Grad-CAM", "Score-CAM", "integrated gradients", "occlusion")


def test_two_heads_and_views_that_are_missing():
    torch.manual_seed(0)
    net = grading_net("simple-cnn", {"condition": 5, "severity": 3}, channels=2, side=SIDE)
    pixels = np.random.default_rng(0).integers(0, 256, (2, SIDE, SIDE)).astype(np.uint8)
    names = [*"abcde", "mild", "moderate", "severe"]
    (one,) = attention_maps(Subject(net, pixels, np.array([False, True]), names, ("slice", "marker"), net.columns["severity"]))
    assert one.label in names[5:]
    assert one.view == "marker"
    assert 1 / 3 <= one.probability <= 1
    assert one.heat.shape == (SIDE, SIDE)
    assert np.shares_memory(one.picture, pixels) or (one.picture == pixels[1]).all()


def test_a_volume_is_shown_by_the_slice_of_its_peak():
    from spinelab.explain import AttentionMap

    heat = np.zeros((5, 8, 8), np.float32)
    heat[3, 2, 2] = 1
    picture = np.arange(320, dtype=np.uint8).reshape(5, 8, 8)
    drawn = AttentionMap("occlusion", "low", "", picture, heat, 0.7).explanation()
    assert drawn.facts["slice"] == 3
    np.testing.assert_array_equal(drawn.picture, picture[3])


def test_what_does_not_exist_is_refused(trained):
    films, _, _ = lesions(2)
    with pytest.raises(TaskError, match="Grad-CAM"):
        attention_maps(subject(trained, films), ["gradcam"])
    with pytest.raises(TaskError, match="weights, curves"):
        attention_maps(subject(trained, films), checks=["everything"])
    with pytest.raises(TaskError, match="without attention"):
        attention_maps(subject(trained, films), ["attention rollout"])
    for pixels, available in ((films[0].numpy().astype(float), np.ones(1, bool)), (films[0].numpy(), np.zeros(1, bool)), (films[0].numpy(), np.ones(2, bool))):
        with pytest.raises(InputError):
            Subject(trained, pixels, available, ("a", "b"))


@pytest.mark.parametrize(("rows", "columns"), [(90, 40), (33, 77), (50, 50)])
def test_maps_go_back_onto_the_original_film(rows, columns):
    film = np.zeros((rows, columns), np.uint8)
    film[rows // 8 : rows // 4, columns // 2 : columns // 2 + columns // 5] = 255
    back = on_original(letterbox(film, 64).astype(np.float32) / 255, rows, columns)
    assert back.shape == film.shape
    assert np.corrcoef(back.ravel(), film.ravel())[0, 1] > 0.9


def test_filters_and_feature_maps_of_every_kind(trained):
    films, _, _ = lesions(2)
    (filters,) = first_layer_filters(trained)
    assert (filters.layer, filters.values.shape, filters.of) == ("backbone.body.0.0", (32, 3, 3), 32)
    np.testing.assert_array_equal(filters.values[5], trained.backbone.body[0][0].weight[5, 0].detach().numpy())
    picture = filters.mosaic(enlarge=4, signed=True)
    assert (picture.shape, picture.dtype) == ((4 * 14, 8 * 14), np.uint8)
    shown = feature_maps(trained, films[:1], there(), most=6)
    assert [layer.values.shape[1:] for layer in shown] == [(48, 48), (24, 24), (12, 12), (6, 6), (4, 4)]
    assert shown[0].of == 32
    assert len(shown[0].channels) == 6
    assert shown[0].mosaic(across=3).shape == (100, 150)
    vit = grading_net("vit", {"severity": 3}, side=32)
    assert [layer.values.shape for layer in feature_maps(vit, films[:1, :, :32, :32], there())] == [(16, 4, 4)] * 4
    assert first_layer_filters(vit)[0].values.shape == (192, 8, 8)
    two = MultiViewNet(lambda: backbone("simple-cnn"), views=2, classes=2, dropout=0.0)
    assert [f.layer.split(".")[1] for f in first_layer_filters(two)] == ["0", "1"]
    (named,) = feature_maps(trained, films[:1], there(), layers=["backbone.body.1"])
    assert named.of == 64
    with pytest.raises(TaskError, match="correct the names"):
        feature_maps(trained, films[:1], there(), layers=["nowhere"])


def test_gradcam_of_a_head_explains_that_head():
    torch.manual_seed(0)
    net = grading_net("cnn", {"condition": 2, "severity": 3}, side=32).eval()
    film = torch.randint(0, 256, (1, 1, 32, 32), dtype=torch.uint8)
    best = 2 + int(net(film)[0, 2:].argmax())
    np.testing.assert_array_equal(gradcam(net, film, there(), columns=net.columns["severity"])[0], gradcam(net, film, there(), best)[0])


def test_a_glance_does_not_depend_on_the_glances_before_it():
    """The network of random weights was kept whatever the seed: the second of two glances was at the stranger of the first."""
    torch.manual_seed(0)
    net = MultiViewNet(lambda: backbone("simple-cnn"), views=1, classes=2, dropout=0.0).eval()
    film = torch.randint(0, 256, (1, 1, SIDE, SIDE), dtype=torch.uint8)
    heat = np.random.default_rng(0).random((1, 1, SIDE, SIDE), dtype=np.float32)

    def seen(seed):
        return glance(gradcam, net, film, there(), 0, heat, seed=seed)

    first, second, again = seen(1), seen(2), seen(1)
    assert first == again
    assert second != first
