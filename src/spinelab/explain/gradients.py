"""Integrated gradients: every pixel's share in the score, and proof that nothing of the score is left over."""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from spinelab.explain.scoring import BATCH, BLACK, answer, class_of, evaluating
from spinelab.nn.cam import EVERY, frozen, to_one

SMOOTH: Final = 0.02
"""Width of the Gaussian over the pixels' shares, as a share of the film's longest side."""


def attributions(
    net: nn.Module,
    pixels: Tensor,
    available: Tensor,
    class_index: Tensor | int | None = None,
    *,
    baseline: float | Tensor | None = None,
    steps: int = 32,
    columns: slice = EVERY,
) -> tuple[NDArray[np.float32], NDArray[np.float64], Tensor]:
    """Return each pixel's part in the logit of the class (Sundararajan et al. 2017, arXiv:1703.01365), what does not add up, and the logits.

    Parameters
    ----------
    baseline
        The film that says nothing, in grey levels: by default each view's mean grey, with black (frame, air) left black. On black ground what is dark could
        not speak.
    steps
        Points of the Gauss-Legendre rule on the way from the baseline to the film.

    Returns
    -------
    shares
        Shaped as ``pixels``; above zero speaks for the class, below against it.
    gap
        The shares' sum less the difference of the logits of film and baseline, ``(B,)``: the completeness axiom says 0.
    logits
        ``(B, K)``.
    """
    film = pixels.float()
    start = _levelled(film) if baseline is None else torch.as_tensor(baseline, dtype=film.dtype, device=film.device).expand_as(film)
    places, weights = np.polynomial.legendre.leggauss(steps)
    with evaluating(net), frozen(net):
        logits, index = class_of(net, pixels, available, class_index, columns)
        ends = [answer(net, end, available).gather(1, index)[:, 0] for end in (film, start)]
        total = torch.zeros_like(film)
        for part in np.array_split(np.arange(steps), max(1, steps * len(film) // BATCH)):
            total += sum(
                (w / 2 * g for w, g in zip(weights[part], _slopes(net, film, start, (places[part] + 1) / 2, available, index), strict=True)), total * 0
            )
    shares = total * (film - start)
    shares[~available] = 0
    gap = shares.flatten(1).double().sum(dim=1) - (ends[0] - ends[1]).double()
    return shares.cpu().numpy(), gap.cpu().numpy(), logits


def _levelled(film: Tensor) -> Tensor:
    """Return films ``(B, V, ...)`` with one grey, each view's mean, wherever they are not black."""
    return torch.where(film > BLACK, film.mean(dim=tuple(range(2, film.ndim)), keepdim=True), film)


def _slopes(net: nn.Module, film: Tensor, start: Tensor, places: NDArray[np.float64], available: Tensor, index: Tensor) -> Tensor:
    """Return the gradients ``(places, B, V, ...)`` at some places on the way."""
    way = torch.as_tensor(places, dtype=film.dtype, device=film.device).reshape(-1, *[1] * film.ndim)
    points = (start + way * (film - start)).flatten(0, 1).requires_grad_()
    with torch.enable_grad():
        logits = answer(net, points, available.repeat(len(places), 1))
        (slope,) = torch.autograd.grad(logits.gather(1, index.repeat(len(places), 1)).sum(), points)
    return slope.reshape(len(places), *film.shape)


def integrated_gradients(
    net: nn.Module,
    pixels: Tensor,
    available: Tensor,
    class_index: Tensor | int | None = None,
    *,
    baseline: float | Tensor | None = None,
    steps: int = 32,
    smooth_px: float | None = None,
    columns: slice = EVERY,
) -> tuple[NDArray[np.float32], Tensor]:
    """Return what speaks for the class as maps in [0, 1], and logits; `attributions` gives the shares themselves.

    Single pixels flicker: the shares are smoothed by a Gaussian of ``smooth_px`` (by default `SMOOTH` of the film's longest side) before what speaks against
    the class is cut off.
    """
    from scipy.ndimage import gaussian_filter

    shares, _, logits = attributions(net, pixels, available, class_index, baseline=baseline, steps=steps, columns=columns)
    width = SMOOTH * max(pixels.shape[2:]) if smooth_px is None else smooth_px
    if width > 0:
        shares = gaussian_filter(shares, (0, 0, *[width] * (shares.ndim - 2)))
    heat = to_one(torch.from_numpy(shares).flatten(0, 1)).reshape(shares.shape).numpy()
    heat[~available.cpu().numpy()] = 0
    return heat, logits
