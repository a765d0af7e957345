"""Losses that tasks share."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn


def cross_entropy(counts: Sequence[int] | None = None) -> nn.CrossEntropyLoss:
    """Return cross-entropy; with ``counts`` (examples a class) each class weighs by the inverse of its frequency, 1 on average over examples."""
    if counts is None:
        return nn.CrossEntropyLoss()
    held = [max(1, int(count)) for count in counts]
    return nn.CrossEntropyLoss(weight=torch.tensor([sum(held) / (len(held) * count) for count in held]))
