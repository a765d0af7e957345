"""Losses of grades: against the definition written out, scikit-learn's weighted log loss, and far from the thresholds."""

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss
from torch.nn import functional

from spinelab.nn import OrdinalHead
from spinelab.train.losses import MISSING, RSNA_WEIGHTS, by_head, coral, cumulative_link, log_grades, weighted_cross_entropy


def logits_and_labels(columns, n=50):
    generator = torch.Generator().manual_seed(3)
    logits = torch.randn(n, columns, generator=generator).sort(dim=1, descending=True).values
    return logits, torch.randint(0, 3, (n,), generator=generator)


def test_the_weighted_log_loss_is_scikit_learns():
    logits, labels = logits_and_labels(3)
    expected = log_loss(labels, logits.double().softmax(dim=1).numpy(), sample_weight=np.array(RSNA_WEIGHTS)[labels])
    assert float(weighted_cross_entropy()(logits, labels)) == pytest.approx(expected, rel=1e-5)


def test_the_cumulative_link_is_the_log_loss_of_its_grades():
    logits, labels = logits_and_labels(2)
    above = logits.double().sigmoid()
    grades = torch.stack([1 - above[:, 0], above[:, 0] - above[:, 1], above[:, 1]], dim=1)
    torch.testing.assert_close(log_grades(logits).exp().double(), grades, atol=1e-6, rtol=1e-5)
    expected = log_loss(labels, grades.numpy(), sample_weight=np.array([1, 2, 4])[labels])
    assert float(cumulative_link((1, 2, 4))(logits, labels)) == pytest.approx(expected, rel=1e-5)


def test_coral_written_out():
    logits, labels = torch.tensor([[2.0, -1.0], [0.5, 0.1]]), torch.tensor([1, 2])
    s = functional.logsigmoid
    first, second = -(s(logits[0, 0]) + s(-logits[0, 1])), -(s(logits[1, 0]) + s(logits[1, 1]))
    torch.testing.assert_close(coral()(logits, labels), (first + second) / 2)
    torch.testing.assert_close(coral((1, 2, 4))(logits, labels), (2 * first + 4 * second) / 6)


@pytest.mark.parametrize(("loss", "columns"), [(weighted_cross_entropy(), 3), (cumulative_link(), 2), (coral((1, 2, 4)), 2)])
def test_what_was_not_graded_counts_for_nothing(loss, columns):
    logits, labels = logits_and_labels(columns)
    graded = torch.arange(50) % 3 > 0
    torch.testing.assert_close(loss(logits, labels.masked_fill(~graded, MISSING)), loss(logits[graded], labels[graded]))


def test_nothing_overflows_far_from_the_thresholds():
    logits = torch.tensor([[80.0, 79.0], [-79.0, -80.0], [1.0, 1.0]], requires_grad=True)
    loss = cumulative_link()(logits, torch.tensor([0, 2, 1]))
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(logits.grad).all()


def test_heads_add_up():
    logits, labels = torch.randn(6, 5), torch.tensor([[0, 1], [1, 2], [0, 0], [1, MISSING], [0, 2], [1, 1]])
    both = by_head([(slice(0, 2), functional.cross_entropy), (slice(2, 5), weighted_cross_entropy())])(logits, labels)
    alone = functional.cross_entropy(logits[:, :2], labels[:, 0]) + weighted_cross_entropy()(logits[:, 2:], labels[:, 1])
    torch.testing.assert_close(both, alone)


def test_an_ordinal_head_learns_ordered_grades_and_keeps_its_thresholds_in_order():
    torch.manual_seed(0)
    x = torch.rand(200, 1) * 4 - 2
    labels = (x[:, 0] > -0.5).long() + (x[:, 0] > 1).long()
    head = OrdinalHead(1, 3)
    assert head(torch.zeros(1, 1)).shape == (1, 2)
    optimizer = torch.optim.Adam(head.parameters(), lr=0.1)
    for _ in range(200):
        optimizer.zero_grad()
        cumulative_link()(head(x), labels).backward()
        optimizer.step()
        assert head.thresholds[0] < head.thresholds[1]
    assert (log_grades(head(x)).argmax(dim=1) == labels).float().mean() > 0.97
    places = (head.thresholds / head.score.weight.flatten()).tolist()
    assert places == pytest.approx([-0.5, 1.0], abs=0.1)
