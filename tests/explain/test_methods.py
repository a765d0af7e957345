"""Every method against networks solved by hand and grad-cam's own maps; orientation, views, channels, volumes and tokens."""

import numpy as np
import pytest
import torch
from torch import nn

from spinelab.core import TaskError
from spinelab.explain import METHODS, attention_rollout, attributions, gradcam, integrated_gradients, occlusion, scorecam
from spinelab.nn import MultiViewNet, backbone, grading_net

LOCAL = ("HiResCAM", "Grad-CAM", "Score-CAM", "integrated gradients", "occlusion")


class Linear(nn.Module):
    """One weight a pixel: its attribution is the pixel times its weight, exactly."""

    def __init__(self, side=16):
        super().__init__()
        self.read = nn.Linear(side * side, 2, bias=False)

    def forward(self, pixels, available):
        return self.read(pixels.to(torch.float32).div(255).flatten(1))


class Brightness(nn.Module):
    """A feature map that is the film itself, in one or three dimensions more; class 1 is its mean."""

    def __init__(self, dimensions=2):
        super().__init__()
        self.conv = (nn.Conv2d if dimensions == 2 else nn.Conv3d)(1, 1, 1, bias=False)
        nn.init.ones_(self.conv.weight)

    def forward(self, pixels, available):
        mean = self.conv(pixels.to(torch.float32).div(255)).flatten(1).mean(dim=1)
        return torch.stack([-mean, 40 * mean], dim=1)


def there(batch=1, views=1):
    return torch.ones(batch, views, dtype=torch.bool)


def noise(*shape, seed=0):
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


def test_attributions_of_a_linear_network_are_its_weights_times_the_film():
    torch.manual_seed(0)
    net, film = Linear(), noise(2, 1, 16, 16)
    shares, gap, _ = attributions(net, film, there(2), 1, steps=3)
    grey = film.float().mean(dim=(2, 3), keepdim=True)
    expected = torch.where(film > 2, film - grey, 0) / 255 * net.read.weight[1].reshape(1, 1, 16, 16)
    np.testing.assert_allclose(shares, expected.detach().numpy(), atol=1e-6)
    np.testing.assert_allclose(gap, 0, atol=1e-5)


@pytest.mark.parametrize("make", ["cnn", "ckan", "vit", "views"])
def test_attributions_are_complete(make):
    torch.manual_seed(0)
    if make == "views":
        net = MultiViewNet(lambda: backbone("simple-cnn"), views=2, classes=3, dropout=0.4, mode="hybrid")
    else:
        net = grading_net(make, {"severity": 3}, channels=2, side=32)
    film, available = noise(2, 2, 32, 32), torch.tensor([[True, True], [True, False]])
    shares, gap, logits = attributions(net.eval(), film, available, torch.tensor([0, 2]), steps=64, baseline=0.0)
    black = net(torch.zeros_like(film), available)[[0, 1], [0, 2]]
    np.testing.assert_allclose(shares.sum(axis=(1, 2, 3)) - (logits[[0, 1], [0, 2]] - black).detach().numpy(), gap, atol=1e-5)
    assert np.abs(gap).max() < 0.02 * np.abs(shares).sum(axis=(1, 2, 3)).min()
    assert not shares[1, 1].any()


def blob(shape, centre, half=4):
    film = torch.full((1, 1, *shape), 20, dtype=torch.uint8)
    film[(0, 0, *(slice(c - half, c + half) for c in centre))] = 240
    return film


def test_what_is_dark_can_speak_unless_the_ground_is_black():
    film = 255 - blob((32, 32), (10, 20))
    film[0, 0, :, :4] = 0  # a frame, which is no finding
    heat, _ = METHODS["integrated gradients"](Brightness(), film, there(), 0)
    row, column = np.unravel_index(heat[0, 0].argmax(), (32, 32))
    assert abs(row - 9.5) <= 2
    assert abs(column - 19.5) <= 2
    on_black, _, _ = attributions(Brightness(), film, there(), 0, baseline=0.0)
    assert on_black.max() <= 0


@pytest.mark.parametrize("name", LOCAL)
def test_maps_keep_the_orientation_of_the_film(name):
    film = blob((48, 64), (12, 50))  # not square, up and to the right
    heat, logits = METHODS[name](Brightness(), film, there(), 1)
    assert heat.shape == (1, 1, 48, 64)
    assert heat.max() == pytest.approx(1)
    row, column = np.unravel_index(heat[0, 0].argmax(), heat.shape[2:])
    assert abs(row - 12) <= 5
    assert abs(column - 50) <= 5
    mirrored, _ = METHODS[name](Brightness(), film.flip(3), there(), 1)
    assert np.unravel_index(mirrored[0, 0].argmax(), heat.shape[2:])[1] < 32
    if name != "occlusion":  # whose windows begin at one side
        np.testing.assert_allclose(mirrored[..., ::-1], heat, atol=1e-5)
    torch.testing.assert_close(logits, Brightness()(film, there()))


@pytest.mark.parametrize("name", LOCAL)
def test_volumes(name):
    film = blob((12, 24, 32), (8, 6, 26), half=2)
    heat, _ = METHODS[name](Brightness(3), film, there(), 1)
    peak = np.unravel_index(heat[0, 0].argmax(), heat.shape[2:])
    assert np.abs(np.array(peak) - (8, 6, 26)).max() <= 3


@pytest.mark.parametrize("name", LOCAL)
def test_a_map_a_view_and_none_for_a_missing_one(name):
    torch.manual_seed(0)
    net = MultiViewNet(lambda: backbone("simple-cnn"), views=2, classes=2, dropout=0.4, mode="hybrid", fusion="attention").train()
    film, available = noise(2, 2, 40, 40), torch.tensor([[True, True], [False, True]])
    heat, logits = METHODS[name](net, film, available)
    assert net.training
    assert heat.shape == (2, 2, 40, 40)
    assert heat.dtype == np.float32
    assert heat.min() >= 0
    assert heat.max() <= 1 + 1e-6
    assert not heat[1, 0].any()
    torch.testing.assert_close(logits, net.eval()(film, available).detach())


@pytest.mark.parametrize("name", METHODS)
def test_every_method_on_a_transformer_of_two_channels_and_two_heads(name):
    torch.manual_seed(0)
    net = grading_net("vit", {"condition": 5, "severity": 3}, channels=2, side=32).eval()
    film = noise(1, 2, 32, 32)
    heat, logits = METHODS[name](net, film, there(1, 2), columns=net.columns["severity"])
    assert heat.shape == (1, 2, 32, 32)
    torch.testing.assert_close(logits, net(film).detach(), atol=1e-4, rtol=1e-4)
    if name in {"HiResCAM", "Grad-CAM", "Score-CAM", "attention rollout", "occlusion"}:
        np.testing.assert_array_equal(heat[0, 0], heat[0, 1])
    explained = METHODS[name](net, film, there(1, 2), 5 + int(logits[0, 5:].argmax()))[0]
    np.testing.assert_allclose(heat, explained, atol=1e-6)


class OneInput(nn.Module):
    """The same network for a library that knows one input."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        return self.net(x.clone(), torch.ones(len(x), x.shape[1], dtype=torch.bool))


def theirs(kind, net, layer, film, index, **how):
    grad_cam = pytest.importorskip("pytorch_grad_cam")
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    with getattr(grad_cam, kind)(OneInput(net), [layer], **how) as method:
        return method(film.float(), [ClassifierOutputTarget(index)])[0]


@pytest.mark.usefixtures("enlarged")
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("kind", "ours", "name"), [("GradCAM", gradcam, "resnet18"), ("GradCAM", gradcam, "ckan"), ("ScoreCAM", scorecam, "ckan")])
def test_maps_are_those_of_grad_cam(kind, ours, name):
    torch.manual_seed(0)
    net = grading_net(name, {"severity": 3}, side=48).eval()
    film = noise(1, 1, 48, 48)
    heat, _ = ours(net, film, there(), 1)
    other = theirs(kind, net, net.cam_layers()[0], film, 1)
    assert np.corrcoef(heat[0, 0].ravel(), other.ravel())[0, 1] > 0.98


@pytest.mark.filterwarnings("ignore")
def test_maps_of_a_transformer_are_those_of_grad_cam():
    torch.manual_seed(0)
    net = grading_net("vit", {"severity": 3}, side=64).eval()
    film = noise(1, 1, 64, 64)

    def squared(tokens):
        return tokens[:, 1:].reshape(1, 8, 8, -1).permute(0, 3, 1, 2)

    heat, _ = gradcam(net, film, there(), 1)
    other = theirs("GradCAM", net, net.cam_layers()[0], film, 1, reshape_transform=squared)
    assert np.corrcoef(heat[0, 0].ravel(), other.ravel())[0, 1] > 0.98


def test_rollout_of_even_attention_is_even_and_of_one_patch_is_that_patch():
    torch.manual_seed(0)
    net = grading_net("vit", {"severity": 3}, side=32).eval()
    film, transformer = noise(1, 1, 32, 32), net.backbone.body
    with torch.no_grad():
        for block in transformer.blocks:
            block.attn.qkv.weight.zero_()
            block.attn.qkv.bias.zero_()
    even, _ = attention_rollout(net, film, there())
    np.testing.assert_allclose(even, 0, atol=1e-5)
    fused = [block.attn.fused_attn for block in transformer.blocks]
    hooks = [attend_to(block.attn.attn_drop, 6) for block in transformer.blocks]
    for block in transformer.blocks:
        block.attn.fused_attn = False
    heat, _ = attention_rollout(net, film, there())
    assert heat.min() == 0
    assert heat.max() > 0.9
    for hook, block, before in zip(hooks, transformer.blocks, fused, strict=True):
        hook.remove()
        block.attn.fused_attn = before
    assert np.unravel_index(heat[0, 0].argmax(), (32, 32))[0] // 8 == 1  # patch 6 is the second of the second row
    assert np.unravel_index(heat[0, 0].argmax(), (32, 32))[1] // 8 == 1


def attend_to(dropout, token):
    def only(_module, inputs):
        one = torch.zeros_like(inputs[0])
        one[..., token] = 1
        return (one,)

    return dropout.register_forward_pre_hook(only)


def test_rollout_needs_attention():
    with pytest.raises(TaskError, match="without attention"):
        attention_rollout(grading_net("cnn", {"severity": 3}), noise(1, 1, 32, 32), there())


def test_occlusion_finds_the_window_that_matters_and_refuses_senseless_ones():
    heat, _ = occlusion(Brightness(), blob((32, 32), (8, 24)), there(), 1, window=8, stride=4, fill=0)
    assert heat[0, 0, 8, 24] == pytest.approx(1, abs=0.05)
    assert heat[0, 0, 24, 8] < 0.2
    for window, stride in ((0, 1), (64, 8), (8, 9)):
        with pytest.raises(TaskError, match="window"):
            occlusion(Brightness(), blob((32, 32), (8, 24)), there(), 1, window=window, stride=stride)


def test_methods_leave_the_network_as_it_was():
    net = grading_net("vit", {"severity": 3}, side=32).train()
    before = {name: t.clone() for name, t in net.state_dict().items()}
    fused = [m.fused_attn for m in net.modules() if hasattr(m, "fused_attn")]
    for method in (scorecam, integrated_gradients, attention_rollout):
        method(net, noise(1, 1, 32, 32), there())
    assert net.training
    assert fused == [m.fused_attn for m in net.modules() if hasattr(m, "fused_attn")]
    assert all(p.requires_grad and p.grad is None for p in net.parameters())
    assert not any(m._forward_hooks for m in net.modules())
    assert all(torch.equal(t, before[name]) for name, t in net.state_dict().items())
