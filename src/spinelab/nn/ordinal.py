"""A last layer for grades in an order: one score, and a threshold between each grade and the next."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class OrdinalHead(nn.Module):
    """Logits ``(B, K - 1)`` of lying above each of the first ``K - 1`` grades: ``score - threshold_k``, thresholds always rising.

    The cumulative link model (McCullagh 1980, "Regression Models for Ordinal Data"); with the losses of `spinelab.train.losses`. CORAL (Cao et al. 2020,
    arXiv:1901.07884) has the same form and proves the thresholds' order for its optimum only; here it holds at every step.
    """

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.score = nn.Linear(width, 1, bias=False)
        self.first = nn.Parameter(torch.zeros(1))
        self.steps = nn.Parameter(torch.zeros(classes - 2))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the score's weights, and space the thresholds evenly about zero."""
        self.score.reset_parameters()
        nn.init.zeros_(self.steps)
        nn.init.constant_(self.first, -0.5 * float(functional.softplus(self.steps.detach()).sum()))

    @property
    def thresholds(self) -> Tensor:
        """The score at which each grade gives way to the next, ``(K - 1,)``."""
        return torch.cat([self.first, self.first + functional.softplus(self.steps).cumsum(0)])

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits of lying above each grade but the last."""
        logits: Tensor = self.score(x) - self.thresholds
        return logits
