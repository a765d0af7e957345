"""What every method needs of a network: its score for a class, for films that are no longer whole numbers."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn

from spinelab.nn.cam import chosen_class, evaluating

BATCH: Final = 32
"""Altered films in one pass."""
BLACK: Final = 2
"""Highest grey level of where there is no film: air, or the frame that a film is fitted into."""

__all__ = ["BATCH", "BLACK", "answer", "class_of", "evaluating", "scores", "seen_together"]


def answer(net: nn.Module, films: Tensor, available: Tensor) -> Tensor:
    """Return logits ``(N, K)`` for films of whole or broken grey levels; the networks normalise in place, so they are given a copy."""
    logits: Tensor = net(films.clone(), available)
    return logits


def class_of(net: nn.Module, pixels: Tensor, available: Tensor, class_index: Tensor | int | None, columns: slice) -> tuple[Tensor, Tensor]:
    """Return logits and the column ``(B, 1)`` that is explained."""
    with torch.no_grad():
        logits = answer(net, pixels, available)
    return logits, chosen_class(logits, class_index, columns)


@torch.no_grad()
def scores(net: nn.Module, films: Tensor, available: Tensor, column: int, *, probability_among: slice | None = None) -> Tensor:
    """Return one score a film: the logit of ``column``, or its probability among some columns.

    ``available`` ``(1, V)`` holds for all films.
    """
    found = []
    for part in torch.split(films, BATCH):
        logits = answer(net, part, available.expand(len(part), -1)).float()
        if probability_among is None:
            found.append(logits[:, column])
        else:
            found.append(logits[:, probability_among].softmax(dim=1)[:, column - (probability_among.start or 0)])
    return torch.cat(found)


def seen_together(net: nn.Module, views: int) -> bool:
    """Return whether one map stands for all inputs: they are channels of one picture and not views with a network each."""
    own = getattr(net, "cam_layers", None)
    return views > 1 and (not callable(own) or len(own()) == 1)
