"""One network for one or several views of a patient: standard, dual and hybrid, with an availability mask."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final, cast

import torch
from torch import Tensor, nn

from spinelab.core import TaskError
from spinelab.nn.backbones import Backbone

MODES: Final = ("standard", "dual", "hybrid")
FUSIONS: Final = ("concat", "attention", "mean")

Criterion = Callable[[Tensor, Tensor], Tensor]
"""Loss of logits ``(B, K)`` against labels ``(B,)``."""


class MultiViewNet(nn.Module):
    """A feature extractor a view, and a way of making one answer of them.

    ``standard``
        one classifier a view, each trained as if alone; the probabilities of the available views are averaged.
    ``dual``
        features of all views are fused, then classified; every view is required.
    ``hybrid``
        like dual, with an availability mask: a missing view has no influence on the answer.

    Fusion (dual and hybrid): ``concat`` joins the feature vectors (hybrid: zeros for a missing view, and the mask itself as
    further inputs), ``attention`` weighs them by learned weights (hybrid: among the available views), ``mean`` averages the
    probabilities of a classifier a view, trained together.

    Parameters
    ----------
    make_backbone
        Makes one feature extractor; called once a view.
    views
        Number of views, 1 or more.
    classes
        Number of classes.
    dropout
        Share of the features dropped before the last layer.
    """

    def __init__(
        self, make_backbone: Callable[[], Backbone], *, views: int, classes: int, dropout: float, mode: str = "standard", fusion: str = "concat"
    ) -> None:
        super().__init__()
        if mode not in MODES or fusion not in FUSIONS:
            expected = f"a mode of {', '.join(MODES)} and a fusion of {', '.join(FUSIONS)}"
            raise TaskError(f"mode={mode!r}, fusion={fusion!r}", expected=expected, action="choose another")
        self.views, self.classes, self.mode = views, classes, mode
        self.fusion = "mean" if mode == "standard" else fusion
        made = [make_backbone() for _ in range(views)]
        self.backbones = nn.ModuleList(made)
        width = made[0].width
        extra = views if mode == "hybrid" and fusion == "concat" else 0
        inputs = {"mean": [width] * views, "concat": [width * views + extra], "attention": [width]}[self.fusion]
        self.heads = nn.ModuleList(nn.Sequential(nn.Dropout(dropout), nn.Linear(n, classes)) for n in inputs)
        self.score = nn.Sequential(nn.Linear(width, 128), nn.Tanh(), nn.Linear(128, 1)) if self.fusion == "attention" else None

    @property
    def requires_all_views(self) -> bool:
        """True when no answer can be given with a view missing."""
        return self.mode == "dual"

    @property
    def added_losses(self) -> int:
        """How many losses `training_loss` adds up, so that curves can show their mean beside the validation loss."""
        return self.views if self.mode == "standard" else 1

    def cam_layers(self) -> list[nn.Module]:
        """Return the layer of each view whose feature maps Grad-CAM weighs."""
        return [self._backbone(v).body for v in range(self.views)]

    def forward(self, pixels: Tensor, available: Tensor) -> Tensor:
        """Return logits ``(B, K)`` for uint8 ``pixels`` ``(B, V, S, S)`` and their bool mask ``available`` ``(B, V)``."""
        if self.fusion == "mean":
            return _log_mean_probability(self.view_logits(pixels, available), available)
        features = self._features(pixels, available)
        if self.fusion == "attention":
            return self._head(self._attend(features, available))
        joined = features.flatten(1)
        if self.mode == "hybrid":
            joined = torch.cat([joined, available.to(joined.dtype)], dim=1)
        return self._head(joined)

    def _backbone(self, view: int) -> Backbone:
        return cast("Backbone", self.backbones[view])

    def _head(self, features: Tensor) -> Tensor:
        return cast("Tensor", self.heads[0](features))

    def view_logits(self, pixels: Tensor, available: Tensor) -> Tensor:
        """Return each view's own logits ``(B, V, K)``; zeros where a view is missing."""
        features = self._features(pixels, available)
        logits = torch.stack([head(features[:, v]) for v, head in enumerate(self.heads)], dim=1)
        return logits.masked_fill(~available.unsqueeze(2), 0.0)

    def training_loss(self, pixels: Tensor, available: Tensor, labels: Tensor, criterion: Criterion) -> Tensor:
        """Return the loss of a batch; ``standard`` adds up the views' own losses, so that it equals separate training."""
        if self.mode != "standard":
            return criterion(self(pixels, available), labels)
        logits = self.view_logits(pixels, available)
        present = available.unbind(dim=1)
        return torch.stack([criterion(logits[rows, v], labels[rows]) for v, rows in enumerate(present) if bool(rows.any())]).sum()

    def _features(self, pixels: Tensor, available: Tensor) -> Tensor:
        """Return ``(B, V, width)`` features; a missing view is never shown to its network, which would disturb its statistics."""
        if self.requires_all_views and not bool(available.all()):
            raise TaskError("A view is missing", expected="every view, for a dual network", action="use the hybrid mode, which does without")
        return torch.stack([self._view(v, pixels[:, v], available[:, v]) for v in range(self.views)], dim=1)

    def _view(self, view: int, film: Tensor, rows: Tensor) -> Tensor:
        backbone = self._backbone(view)
        if bool(rows.all()):
            return cast("Tensor", backbone(film))
        if not bool(rows.any()):
            return torch.zeros(len(film), backbone.width, device=film.device)
        seen: Tensor = backbone(film[rows])
        return seen.new_zeros(len(film), backbone.width).index_copy(0, rows.nonzero().squeeze(1), seen)

    def _attend(self, features: Tensor, available: Tensor) -> Tensor:
        """Return the weighted sum ``(B, width)`` of the views' features."""
        scores = self.score(features).squeeze(2) if self.score is not None else features.new_zeros(available.shape)
        weights = scores.masked_fill(~available, -math.inf).softmax(dim=1)
        return (weights.unsqueeze(2) * features).sum(dim=1)


def _log_mean_probability(logits: Tensor, available: Tensor) -> Tensor:
    """Return the logarithm of the mean over available views of their probabilities, ``(B, K)``."""
    logs = logits.float().log_softmax(dim=2).masked_fill(~available.unsqueeze(2), -math.inf)
    return logs.logsumexp(dim=1) - available.sum(dim=1, keepdim=True).log()
