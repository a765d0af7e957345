"""Several looks at one film: as it is, mirrored, and moved a little; what the network makes of them is put back in place, to be averaged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from spinelab.train.landmark_head import Outputs

Network = Callable[[Tensor], "Outputs"]


def looks(net: Network, films: Tensor, shifts: Sequence[tuple[int, int]], stride: int) -> list[Outputs]:
    """Return the outputs for films ``(B, 1, H, W)`` as they are and, behind them, for the same films moved down and to the right by each of ``shifts``.

    Shifts are pixels, whole cells of ``stride``. What a moved film has lost at its edge is taken from the film as it is.
    """
    plain = net(films)
    found = [plain]
    for down, right in shifts:
        maps, logits = net(moved(films, torch.zeros_like(films), down, right))
        found.append((moved(maps, plain[0], -down // stride, -right // stride), logits))
    return found


def moved(pictures: Tensor, beyond: Tensor, down: int, right: int) -> Tensor:
    """Return pictures ``(..., H, W)`` moved by whole cells; what comes in at the edges is that of ``beyond``."""
    rows, columns = pictures.shape[-2:]
    to = (slice(max(0, down), rows + min(0, down)), slice(max(0, right), columns + min(0, right)))
    at = (slice(max(0, -down), rows - max(0, down)), slice(max(0, -right), columns - max(0, right)))
    out = beyond.clone()
    out[..., to[0], to[1]] = pictures[..., at[0], at[1]]
    return out
