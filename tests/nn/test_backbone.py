"""Backbones: shapes, normalisation inside, names, and pretrained weights with their outcome in words."""

import socket

import pytest
import torch
from safetensors.torch import save_file

from spinelab.core import InputError, TaskError
from spinelab.nn import NAMES, MultiViewNet, backbone, pretrained, start_from


@pytest.fixture(autouse=True)
def _forget_the_hub():
    caches = (pretrained._hub_trouble, pretrained._network_trouble, pretrained._hub_states)
    for cache in caches:
        cache.cache_clear()
    yield
    for cache in caches:
        cache.cache_clear()


@pytest.mark.parametrize("side", [64, 97])
@pytest.mark.parametrize("name", NAMES)
def test_every_backbone_gives_one_vector_a_film(name, side):
    body = backbone(name).eval()
    with torch.no_grad():
        assert body(torch.zeros(2, side, side, dtype=torch.uint8)).shape == (2, body.width)


def test_any_convolutional_network_of_timm_will_do():
    assert backbone("timm:resnet10t").width == 512


def test_normalisation_is_part_of_the_network():
    body = backbone("simple-cnn")
    grey = body.normalise(torch.tensor([[[0, 255], [127, 128]]], dtype=torch.uint8))
    expected = (torch.tensor([0.0, 1.0, 127 / 255, 128 / 255]) - 0.449) / 0.226
    torch.testing.assert_close(grey.flatten(), expected)
    assert {"mean", "std"} <= set(body.state_dict())


@pytest.mark.parametrize(("name", "hint"), [("resnet-18", "did you mean 'resnet18'"), ("timm:resnet81", "did you mean timm:"), ("", "timm:NAME")])
def test_unknown_names_get_a_hint(name, hint):
    with pytest.raises(TaskError, match=hint):
        backbone(name)


def test_networks_of_tokens_are_refused():
    with pytest.raises(TaskError, match="convolutional"):
        backbone("timm:vit_tiny_patch16_224")


def test_no_hub_means_scratch_within_seconds_and_in_words(monkeypatch):
    def unreachable(*_args, **_kwargs):
        raise OSError("no network")

    monkeypatch.setattr(socket, "create_connection", unreachable)
    monkeypatch.setattr(pretrained, "_in_local_store", lambda configuration: False)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    outcome = start_from(backbone("resnet18"), "imagenet")
    assert (outcome["asked"], outcome["used"]) == ("imagenet", "scratch")
    assert "cannot be reached" in outcome["why"]
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    pretrained._network_trouble.cache_clear()
    pretrained._hub_trouble.cache_clear()
    assert "HF_HUB_OFFLINE" in start_from(backbone("resnet18"), "imagenet")["why"]


def test_the_hub_gives_every_view_the_same_weights(monkeypatch):
    donor = backbone("resnet18").body.state_dict()
    monkeypatch.setattr(pretrained, "_in_local_store", lambda configuration: True)
    monkeypatch.setattr(pretrained, "_hub_states", lambda name: donor)
    net = MultiViewNet(lambda: backbone("resnet18"), views=2, classes=2, dropout=0.0)
    outcome = start_from(net, "imagenet")
    assert outcome == {"asked": "imagenet", "used": "imagenet", "why": "from the timm hub", "source": "resnet18.tv_in1k"}
    for view in net.backbones:
        torch.testing.assert_close(view.body.state_dict()["conv1.weight"], donor["conv1.weight"])


def test_simple_cnn_has_no_pretrained_weights_by_design():
    assert "by design" in start_from(backbone("simple-cnn"), "imagenet")["why"]
    assert start_from(backbone("resnet18"), "scratch") == {"asked": "scratch", "used": "scratch", "why": "asked for", "source": None}


def test_a_local_file_of_three_colours_is_summed_for_grey_film(tmp_path):
    import timm

    donor = timm.create_model("resnet18", num_classes=1000)
    file = tmp_path / "resnet18.safetensors"
    save_file({name: t.contiguous() for name, t in donor.state_dict().items()}, file)
    net = backbone("resnet18")
    outcome = start_from(net, "imagenet", file)
    assert (outcome["used"], outcome["source"]) == ("file", "resnet18.safetensors")
    torch.testing.assert_close(net.body.conv1.weight, donor.conv1.weight.sum(dim=1, keepdim=True))
    torch.testing.assert_close(net.body.layer4[1].conv2.weight, donor.layer4[1].conv2.weight)


def test_a_folder_holds_a_file_an_architecture(tmp_path):
    import timm

    donor = timm.create_model("resnet18", num_classes=1000)
    save_file({name: t.contiguous() for name, t in donor.state_dict().items()}, tmp_path / "resnet18.safetensors")
    assert start_from(backbone("resnet18"), "imagenet", tmp_path)["source"] == "resnet18.safetensors"
    assert start_from(backbone("simple-cnn"), "imagenet", tmp_path)["used"] == "scratch"
    with pytest.raises(InputError, match="no weights of mobilenetv2"):
        start_from(backbone("mobilenetv2"), "imagenet", tmp_path)


def test_unusable_files_are_refused(tmp_path):
    pickle, wrong, cut = tmp_path / "weights.pth", tmp_path / "wrong.safetensors", tmp_path / "cut.safetensors"
    pickle.write_bytes(b"anything")
    save_file({"a": torch.zeros(2)}, wrong)
    cut.write_bytes(wrong.read_bytes()[:20])
    with pytest.raises(InputError, match="pickle"):
        start_from(backbone("resnet18"), "file", pickle)
    with pytest.raises(InputError, match="does not exist"):
        start_from(backbone("resnet18"), "file", tmp_path / "no.safetensors")
    for file, words in ((wrong, "does not fit resnet18"), (cut, "cannot be read")):
        with pytest.raises(InputError, match=words):
            start_from(backbone("resnet18"), "file", file)
    with pytest.raises(TaskError, match="--weights"):
        start_from(backbone("resnet18"), "file")
