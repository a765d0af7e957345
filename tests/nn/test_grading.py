"""Networks that grade: shapes, sizes, parameter counts, heads, missing channels, pretrained weights, and each learns a tiny separable set."""

import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional

from spinelab.core import TaskError
from spinelab.explain import gradcam
from spinelab.nn import GRADING_NETWORKS, KANLayer, OrdinalHead, grading_net, start_from

BOTH = {"condition": 5, "severity": 3}
PARAMETERS = {
    "cnn": 633_859,
    "mcnn": 634_307,
    "resnet18": 11_171_779,
    "vit": 5_364_483,
    "ckan": 243_680,
    "simple-cnn": 363_395,
    "inception": 682_435,
    "vgg16": 16_811_715,
}


def pictures(n, channels=1, side=64, seed=0):
    return torch.randint(0, 256, (n, channels, side, side), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("name", GRADING_NETWORKS)
def test_shapes_heads_and_parameters(name):
    one = grading_net(name, {"severity": 3}, side=64)
    assert sum(p.numel() for p in one.parameters()) == PARAMETERS[name]
    net = grading_net(name, BOTH, channels=3, side=64).eval()
    with torch.no_grad():
        logits = net(pictures(2, 3))
        given = net(pictures(2, 3), torch.ones(2, 3, dtype=torch.bool))
    assert logits.shape == (2, 8)
    torch.testing.assert_close(given, logits)
    apart = net.split(logits)
    assert {head: tuple(values.shape) for head, values in apart.items()} == {"condition": (2, 5), "severity": (2, 3)}
    torch.testing.assert_close(torch.cat(list(apart.values()), dim=1), logits)


@pytest.mark.parametrize("name", ["cnn", "ckan", "inception", "vgg16", "resnet18"])
def test_convolutional_networks_take_any_size(name):
    net = grading_net(name, {"severity": 3}).eval()
    with torch.no_grad():
        assert net(pictures(1)[:, :, :50, :41]).shape == (1, 3)


def test_any_backbone_of_timm():
    for name in ("timm:convnext_atto", "timm:vit_tiny_patch16_224", "timm:deit_tiny_patch16_224"):
        net = grading_net(name, BOTH, channels=2, side=48).eval()
        with torch.no_grad():
            assert net(pictures(1, 2, 48)).shape == (1, 8)


def test_a_missing_channel_says_nothing():
    torch.manual_seed(0)
    net = grading_net("cnn", {"severity": 3}, channels=3).eval()
    there = torch.tensor([[True, True, False]])
    one, other = pictures(1, 3, seed=1), pictures(1, 3, seed=1)
    other[:, 2] = 7
    with torch.no_grad():
        torch.testing.assert_close(net(one, there), net(other, there))
        assert not torch.allclose(net(one), net(other))


def test_ordinal_heads_answer_with_one_logit_less():
    net = grading_net("mcnn", BOTH, ordinal={"severity"}).eval()
    assert isinstance(net.heads["severity"], OrdinalHead)
    logits = net.split(net(pictures(2)))["severity"]
    assert logits.shape == (2, 2)
    assert (logits[:, 0] > logits[:, 1]).all()


def separable(n=24, side=32):
    """Return noise with a bright square whose size is the grade and whose side is the condition."""
    generator = torch.Generator().manual_seed(5)
    films = torch.randint(0, 60, (n, 1, side, side), dtype=torch.uint8, generator=generator)
    labels = torch.stack([torch.arange(n) % 2, torch.arange(n) % 3], dim=1)
    for i, (condition, grade) in enumerate(labels.tolist()):
        half = 2 + 2 * grade
        column = 8 if condition == 0 else side - 8
        films[i, 0, side // 2 - half : side // 2 + half, column - half : column + half] = 220
    return films, labels


def trained(name, heads, labels, films, *, rate, steps):
    torch.manual_seed(1)
    net = grading_net(name, heads, side=32, dropout=0.0).train()
    optimizer = torch.optim.Adam(net.parameters(), lr=rate)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        apart = net.split(net(films)).values()
        loss = sum(functional.cross_entropy(logits, labels[:, column]) for column, logits in enumerate(apart))
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    return net.eval(), losses


@pytest.mark.parametrize("name", ["cnn", "mcnn", "ckan", "simple-cnn", "inception"])
def test_each_learns_both_heads_of_a_tiny_separable_set(name):
    films, labels = separable()
    net, _ = trained(name, {"condition": 2, "severity": 3}, labels, films, rate=1e-3, steps=40)
    apart = net.split(net(films))
    assert (apart["condition"].argmax(dim=1) == labels[:, 0]).float().mean() >= 0.95
    assert (apart["severity"].argmax(dim=1) == labels[:, 1]).float().mean() >= 0.95


@pytest.mark.parametrize(("name", "rate", "steps"), [("resnet18", 1e-3, 5), ("vgg16", 1e-4, 14), ("vit", 5e-4, 28)])
def test_the_large_ones_learn_too(name, rate, steps):
    films, labels = separable(12)
    _, losses = trained(name, {"severity": 3}, labels[:, 1:], films, rate=rate, steps=steps)
    assert min(losses[-3:]) < 0.5 * losses[0]


def test_the_grids_of_ckan_follow_in_training():
    torch.manual_seed(0)
    net = grading_net("ckan", {"severity": 3}, side=32).train()
    layers = [m for m in net.modules() if isinstance(m, KANLayer)]
    before = [layer.knots.clone() for layer in layers]
    with torch.no_grad():
        for seed in range(22):
            net(pictures(4, side=32, seed=seed))
    assert all(not torch.equal(layer.knots, old) for layer, old in zip(layers, before, strict=True))


@pytest.mark.parametrize("name", GRADING_NETWORKS)
def test_gradcam_of_each(name):
    torch.manual_seed(0)
    net = grading_net(name, {"severity": 3}, channels=2, side=64).eval()
    heat, logits = gradcam(net, pictures(2, 2), torch.ones(2, 2, dtype=torch.bool), 1)
    assert heat.shape == (2, 2, 64, 64)
    assert (heat[:, 0] == heat[:, 1]).all()
    torch.testing.assert_close(logits, net(pictures(2, 2)).detach(), atol=1e-4, rtol=1e-4)


def test_pretrained_files_fit_one_channel_or_several(tmp_path):
    import timm

    for name, timms in (("resnet18", "resnet18"), ("vit", "vit_tiny_patch16_224"), ("vgg16", None)):
        donor = timm.create_model(timms, num_classes=0).state_dict() if timms else _vgg16_states()
        save_file({key: t.contiguous() for key, t in donor.items()}, tmp_path / f"{name}.safetensors")
        for channels in (1, 3):
            net = grading_net(name, BOTH, channels=channels)
            assert start_from(net, "imagenet", tmp_path / f"{name}.safetensors")["used"] == "file"


def _vgg16_states():
    states = {key: torch.zeros_like(t) for key, t in grading_net("vgg16", {"severity": 3}).backbone.body.state_dict().items()}
    states["features.0.weight"] = torch.ones(64, 3, 3, 3)
    return states | {"pre_logits.fc1.weight": torch.zeros(1)}


def test_the_hubs_grey_weights_are_shared_among_channels():
    film = grading_net("resnet18", {"severity": 3}).backbone.body.state_dict()
    slices = grading_net("resnet18", {"severity": 3}, channels=3).backbone.body
    slices.load_state_dict(film)
    torch.testing.assert_close(slices.conv1.weight.sum(dim=1, keepdim=True), film["conv1.weight"])


def test_the_hubs_transformer_fits_another_size_of_picture():
    import timm

    donor = timm.create_model("vit_tiny_patch16_224", in_chans=1, num_classes=0)
    body = grading_net("vit", {"severity": 3}, channels=2, side=64).backbone.body
    body.load_state_dict(donor.state_dict())
    torch.testing.assert_close(body.blocks[0].attn.qkv.weight, donor.blocks[0].attn.qkv.weight)
    assert body.pos_embed.shape == (1, 1 + 64, 192)
    same = grading_net("vit", {"severity": 3}, side=224).backbone.body
    same.load_state_dict(donor.state_dict())
    torch.testing.assert_close(same.pos_embed, donor.pos_embed)
    same.load_state_dict(same.state_dict())


def test_wrong_names_and_heads_are_refused():
    for name, heads, ordinal in (("ckann", {"severity": 3}, ()), ("cnn", {}, ()), ("cnn", {"severity": 1}, ()), ("cnn", {"severity": 3}, {"grade"})):
        with pytest.raises(TaskError):
            grading_net(name, heads, ordinal=ordinal)
    with pytest.raises(TaskError, match="did you mean timm:"):
        grading_net("timm:vit_tiny_patch16_225", {"severity": 3})
