"""Laws of the networks: what a missing view may not do, what order may not do, what training alone would do."""

import pytest
import torch
from torch import nn

from spinelab.core import TaskError
from spinelab.nn import FUSIONS, MultiViewNet, backbone

VARIANTS = [("standard", "mean"), *(("hybrid", fusion) for fusion in FUSIONS)]


def network(mode="standard", fusion="concat", views=2, classes=3, name="simple-cnn"):
    torch.manual_seed(0)
    return MultiViewNet(lambda: backbone(name), views=views, classes=classes, dropout=0.4, mode=mode, fusion=fusion)


def films(batch=4, views=2, side=40, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (batch, views, side, side), dtype=torch.uint8, generator=generator)


def everything(batch=4, views=2):
    return torch.ones(batch, views, dtype=torch.bool)


@pytest.mark.parametrize("views", [1, 2, 3])
@pytest.mark.parametrize(("mode", "fusion"), [*VARIANTS, *(("dual", fusion) for fusion in FUSIONS)])
def test_logits_have_one_row_an_examination_and_train_every_weight(mode, fusion, views):
    net = network(mode, fusion, views).train()
    logits = net(films(views=views, side=33), everything(views=views))
    assert logits.shape == (4, 3)
    net.training_loss(films(views=views), everything(views=views), torch.tensor([0, 1, 2, 0]), nn.CrossEntropyLoss()).backward()
    without = [name for name, p in net.named_parameters() if p.grad is None or not torch.isfinite(p.grad).all()]
    assert not without


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize(("mode", "fusion"), VARIANTS)
def test_the_pixels_of_a_missing_view_never_change_the_answer(mode, fusion, training):
    available = torch.tensor([[True, False], [True, True], [False, True], [True, False]])
    one, other = films(), films()
    other[~available] = films(seed=9)[~available]
    answers = []
    for pixels in (one, other):
        net = network(mode, fusion).train(training)
        torch.manual_seed(1)
        answers.append((net(pixels, available), [b.clone() for b in net.buffers()]))
    assert torch.equal(answers[0][0], answers[1][0])
    assert all(map(torch.equal, answers[0][1], answers[1][1]))


@pytest.mark.parametrize(("mode", "fusion"), [*VARIANTS, ("dual", "concat")])
def test_the_order_of_examinations_changes_nothing(mode, fusion):
    net, pixels, available = network(mode, fusion).eval(), films(), everything()
    order = torch.tensor([2, 0, 3, 1])
    torch.testing.assert_close(net(pixels, available)[order], net(pixels[order], available[order]), atol=1e-5, rtol=1e-5)


def test_standard_averages_probabilities_of_the_views_that_exist():
    net, pixels = network().eval(), films()
    views = net.view_logits(pixels, everything()).softmax(dim=2)
    torch.testing.assert_close(net(pixels, everything()).exp(), views.mean(dim=1))
    only_second = torch.tensor([[False, True]] * 4)
    torch.testing.assert_close(net(pixels, only_second).exp(), views[:, 1])


def test_standard_trains_each_view_as_if_alone():
    labels, criterion = torch.tensor([0, 1, 2, 0]), nn.CrossEntropyLoss()
    available = torch.tensor([[True, True], [True, False], [True, True], [True, True]])
    together = network()
    for module in together.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    together.training_loss(films(), available, labels, criterion).backward()
    alone = network()
    for view in range(2):
        rows = available[:, view]
        criterion(alone.heads[view][1](alone.backbones[view](films()[rows, view])), labels[rows]).backward()
    for (name, a), (_, b) in zip(together.named_parameters(), alone.named_parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad, msg=name)


def test_attention_weighs_views_between_none_and_all():
    net = network("hybrid", "attention").eval()
    features = torch.randn(5, 2, 128)
    only_first = torch.tensor([[True, False]] * 5)
    torch.testing.assert_close(net._attend(features, only_first), features[:, 0])
    both = net._attend(features, torch.ones(5, 2, dtype=torch.bool))
    assert torch.all((both >= features.min(dim=1).values - 1e-6) & (both <= features.max(dim=1).values + 1e-6))


def test_dual_refuses_a_missing_view():
    with pytest.raises(TaskError, match="hybrid"):
        network("dual")(films(), torch.tensor([[True, False]] * 4))


def test_unknown_mode_lists_the_known_ones():
    with pytest.raises(TaskError, match="standard, dual, hybrid"):
        network("triple")
