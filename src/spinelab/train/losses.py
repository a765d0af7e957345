"""Losses that tasks share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional


def cross_entropy(counts: Sequence[int] | None = None) -> nn.CrossEntropyLoss:
    """Return cross-entropy; with ``counts`` (examples a class) each class weighs by the inverse of its frequency, 1 on average over examples."""
    if counts is None:
        return nn.CrossEntropyLoss()
    held = [max(1, int(count)) for count in counts]
    return nn.CrossEntropyLoss(weight=torch.tensor([sum(held) / (len(held) * count) for count in held]))


MISSING: Final = -100
"""Label of what was not graded; losses of grades leave it out."""
RSNA_WEIGHTS: Final = (1.0, 2.0, 4.0)
"""Weights of normal or mild, moderate and severe in the RSNA 2024 lumbar spine score."""

Loss = Callable[[Tensor, Tensor], Tensor]
"""Loss of logits against labels ``(B,)``."""


def weighted_cross_entropy(weights: Sequence[float] = RSNA_WEIGHTS) -> nn.CrossEntropyLoss:
    """Return the RSNA 2024 score's own loss: log loss with one weight a true grade, divided by the sum of the weights."""
    return nn.CrossEntropyLoss(weight=torch.tensor(list(weights), dtype=torch.float32), ignore_index=MISSING)


def cumulative_link(weights: Sequence[float] | None = None) -> Loss:
    """Return the log loss of the grade for logits ``(B, K - 1)`` of lying above each grade but the last (McCullagh 1980), weighted by true grade."""

    def loss(logits: Tensor, labels: Tensor) -> Tensor:
        return functional.nll_loss(log_grades(logits), labels, _on(weights, logits), ignore_index=MISSING)

    return loss


def coral(weights: Sequence[float] | None = None) -> Loss:
    """Return the CORAL loss (Cao et al. 2020, arXiv:1901.07884, equation 4): a yes-or-no log loss a threshold, weighted by true grade."""

    def loss(logits: Tensor, labels: Tensor) -> Tensor:
        graded = labels != MISSING
        above = (labels[:, None] > torch.arange(logits.shape[1], device=logits.device)).to(logits.dtype)
        each = functional.binary_cross_entropy_with_logits(logits, above, reduction="none").sum(dim=1)
        given = _on(weights, logits)
        weight = graded.to(logits.dtype) if given is None else torch.where(graded, given[labels.clamp_min(0)], 0)
        return (weight * each).sum() / weight.sum()

    return loss


def log_grades(logits: Tensor) -> Tensor:
    """Return the logarithm of every grade's probability ``(B, K)`` from the logits ``(B, K - 1)`` of lying above each grade but the last.

    ``log(sigmoid(a) - sigmoid(b)) = logsigmoid(a) + logsigmoid(-b) + log(1 - exp(b - a))`` for ``a > b``, so nothing is lost far from the thresholds.
    Thresholds out of order, which `spinelab.nn.OrdinalHead` cannot have, give the grade between them next to nothing.
    """
    logits = logits.float()
    low, high = logits[:, :-1], logits[:, 1:]
    gap = torch.log(-torch.expm1((high - low).clamp_max(-1e-6)))
    between = functional.logsigmoid(low) + functional.logsigmoid(-high) + gap
    grades = torch.cat([functional.logsigmoid(-logits[:, :1]), between, functional.logsigmoid(logits[:, -1:])], dim=1)
    return grades.log_softmax(dim=1)


def by_head(losses: Sequence[tuple[slice, Loss]]) -> Loss:
    """Return the sum of the heads' losses: logits of all heads side by side, labels ``(B, heads)`` in the same order.

    Each loss goes with the columns of its head, from `spinelab.nn.GradingNet.columns`.
    """

    def loss(logits: Tensor, labels: Tensor) -> Tensor:
        return torch.stack([one(logits[:, where], labels[:, head]) for head, (where, one) in enumerate(losses)]).sum()

    return loss


def _on(weights: Sequence[float] | None, logits: Tensor) -> Tensor | None:
    return None if weights is None else torch.tensor(list(weights), device=logits.device, dtype=torch.float32)
