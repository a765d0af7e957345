"""Whether a map can be believed: does it depend on the weights, does it lie on the anatomy, and does the answer depend on what it shows."""

from __future__ import annotations

import copy
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from spinelab.core import InputError
from spinelab.explain.scoring import class_of, evaluating, scores
from spinelab.nn.cam import EVERY, gradcam

UNCHANGED_AT: Final = 0.8
"""Rank correlation with the map of a network of random weights from which on a map is flagged."""
STRANGERS: Final = 3
"""Networks of random weights; one alone can be alike by chance, as coarse maps have few cells."""

NOISE_SDS: Final = 2.0
"""Standard deviations of the gains of noise maps by which a map has to be better than their mean."""

Method = Callable[..., tuple[NDArray[np.float32], Tensor]]
"""``method(net, pixels, available, class_index)`` to maps and logits, as `gradcam`."""


@dataclass(frozen=True)
class Randomisation:
    """How alike a map stays while the layers are given random weights, from the answer down to the film (Adebayo et al. 2018, arXiv:1810.03292).

    ``correlation`` is the mean rank correlation with the map of the true weights after each step of ``replaced``, the share of layers replaced.
    """

    replaced: tuple[float, ...]
    correlation: tuple[float, ...]

    @property
    def depends_on_weights(self) -> bool:
        """False where the map of random weights is much the same."""
        return self.correlation[-1] < UNCHANGED_AT


@dataclass(frozen=True)
class Inside:
    """Where a map lies, against a mask: of the anatomy, or of a drawn lesion.

    ``share`` of the map's sum that lies inside; ``area`` of the mask as a share of the film, which is the share of a map that says nothing;
    ``peak_inside``: the pointing game (Zhang et al. 2018, arXiv:1608.00507) on this film; ``beside_px``: how far the peak lies from the mask, 0 inside;
    ``None`` for an empty map.
    """

    share: float
    area: float
    peak_inside: bool
    beside_px: float | None = None


@dataclass(frozen=True)
class Curves:
    """The class's probability while pixels are taken away, or put back, in the order of the map (Petsiuk et al. 2018, arXiv:1806.07421).

    ``fractions`` of the pixels; a good map has a small area under ``deletion`` and a large one under ``insertion``. ``noise`` are both areas of each of
    some maps of smooth noise.
    """

    fractions: tuple[float, ...]
    deletion: tuple[float, ...]
    insertion: tuple[float, ...]
    noise: tuple[tuple[float, float], ...]

    @property
    def chance(self) -> tuple[float, float]:
        """Both areas of the mean map of smooth noise."""
        deletion, insertion = np.mean(self.noise, axis=0)
        return float(deletion), float(insertion)

    @property
    def least(self) -> float:
        """What insertion less deletion has to exceed: the mean of the noise maps and `NOISE_SDS` of their standard deviations, more than any of three has."""
        gains = [insertion - deletion for deletion, insertion in self.noise]
        return float(np.mean(gains) + NOISE_SDS * np.std(gains, ddof=1))

    @property
    def deletion_auc(self) -> float:
        """Area under the deletion curve."""
        return float(np.trapezoid(self.deletion, self.fractions))

    @property
    def insertion_auc(self) -> float:
        """Area under the insertion curve."""
        return float(np.trapezoid(self.insertion, self.fractions))

    @property
    def better_than_chance(self) -> bool:
        """True where the map's insertion area less its deletion area is further above that of smooth noise than noise varies."""
        return self.insertion_auc - self.deletion_auc > self.least


def randomise(net: nn.Module, *, seed: int = 0, stages: int = 1) -> list[nn.Module]:
    """Return copies of a network in which ever more layers, from the answer down to the film, have random weights; all of them in the last copy.

    Layers draw their weights as at their birth; parameters that belong to no such layer (positions of patches) are shuffled.
    """
    changing = [m for m in net.modules() if callable(getattr(m, "reset_parameters", None)) or any(True for _ in m.parameters(recurse=False))]
    copies = []
    for share in np.linspace(0, 1, stages + 1)[1:]:
        with torch.random.fork_rng(devices=sorted({parameter.device.index for parameter in net.parameters() if parameter.is_cuda})):
            torch.manual_seed(seed)
            stranger = copy.deepcopy(net)
            modules = [m for m in stranger.modules() if callable(getattr(m, "reset_parameters", None)) or any(True for _ in m.parameters(recurse=False))]
            for module in modules[::-1][: round(float(share) * len(changing))]:
                _disturb(module)
        copies.append(stranger)
    return copies


@torch.no_grad()
def _disturb(module: nn.Module) -> None:
    renew = getattr(module, "reset_parameters", None)
    if callable(renew):
        renew()
        return
    for parameter in module.parameters(recurse=False):
        parameter.copy_(parameter.flatten()[torch.randperm(parameter.numel())].reshape(parameter.shape))


def randomisation(
    method: Method, net: nn.Module, pixels: Tensor, available: Tensor, class_index: Tensor | int | None = None, *, stages: int = 4, seed: int = 0
) -> Randomisation:
    """Return how alike the maps of a method stay while layers lose what they learnt; the class explained stays the same."""
    heat, logits = method(net, pixels, available, class_index)
    index = logits.argmax(dim=1) if class_index is None else class_index
    shown = available.cpu().numpy()
    rows = []
    for n in range(STRANGERS):
        others = (method(other, pixels, available, index)[0] for other in randomise(net, seed=seed + n, stages=stages))
        rows.append([np.mean([rank_correlation(a, b) for a, b in zip(heat[shown], other[shown], strict=True)]) for other in others])
    return Randomisation(tuple(np.linspace(0, 1, stages + 1)[1:].tolist()), tuple(np.mean(rows, axis=0).tolist()))


_STRANGERS: weakref.WeakKeyDictionary[nn.Module, tuple[int, torch.device, nn.Module]] = weakref.WeakKeyDictionary()
"""By network: the seed and the device of the network of random weights that it was last compared with, and that network."""


def glance(method: Method, net: nn.Module, pixels: Tensor, available: Tensor, class_index: int, heat: NDArray[np.float32], *, seed: int = 0) -> Randomisation:
    """Return how alike a map ``heat`` ``(B, V, ...)`` and that of one network of random weights are, at the cost of one more map.

    That network is kept for the next film, as long as the one it is a stranger to. Where the two maps are so alike that the map would be flagged, chance
    is ruled out first: with as many strangers as `randomisation` asks.
    """
    stranger = _stranger_to(net, seed, pixels.device)
    shown = available.cpu().numpy()
    other = method(stranger, pixels, available, class_index)[0]
    found = Randomisation((1.0,), (float(np.mean([rank_correlation(a, b) for a, b in zip(heat[shown], other[shown], strict=True)])),))
    return found if found.depends_on_weights else randomisation(method, net, pixels, available, class_index, stages=1, seed=seed)


def _stranger_to(net: nn.Module, seed: int, device: torch.device) -> nn.Module:
    kept = _STRANGERS.get(net)
    if kept is None or kept[:2] != (seed, device):
        kept = seed, device, randomise(net, seed=seed)[0]
        _STRANGERS[net] = kept
    return kept[2]


def weights_matter(net: nn.Module, pixels: Tensor, available: Tensor, *, seed: int = 0) -> float:
    """Return how alike the Grad-CAM maps of a network and of the same network with random weights are: near 1 they tell nothing of what was learnt."""
    return randomisation(gradcam, net, pixels, available, stages=1, seed=seed).correlation[-1]


def rank_correlation(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Return Spearman's correlation of two maps; two maps that are the same everywhere, even flat ones, have 1, and a flat one with any other 0."""
    from scipy.stats import rankdata

    if np.array_equal(a, b):
        return 1.0
    x, y = rankdata(a).astype(float), rankdata(b).astype(float)
    x, y = x - x.mean(), y - y.mean()
    scale = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / scale if scale > 0 else 0.0


def inside(heat: NDArray[np.float32], mask: NDArray[np.bool_], *, tolerance_px: float = 0.0) -> Inside:
    """Return where a map lies against a mask of the same shape; its peak may lie ``tolerance_px`` beside the mask.

    A map without anything in it has no peak, and a share of 0.

    Raises
    ------
    InputError
        If shapes differ or the mask is empty.
    """
    from scipy.ndimage import distance_transform_edt

    if heat.shape != mask.shape or mask.dtype != np.bool_ or not mask.any():
        raise InputError(
            f"A map {heat.shape}, a mask {mask.dtype} {mask.shape}", expected="a mask of the map's shape with something in it", action="correct it"
        )
    total = float(heat.sum(dtype=np.float64))
    if total <= 0:
        return Inside(0.0, float(mask.mean()), peak_inside=False)
    peak = np.unravel_index(int(heat.argmax()), heat.shape)
    away = float(distance_transform_edt(~mask)[peak])
    return Inside(float(heat[mask].sum(dtype=np.float64)) / total, float(mask.mean()), peak_inside=away <= tolerance_px, beside_px=away)


def pointing_game(heats: Sequence[NDArray[np.float32]], masks: Sequence[NDArray[np.bool_]], *, tolerance_px: float = 0.0) -> float:
    """Return the share of maps whose peak lies in their mask."""
    return float(np.mean([inside(heat, mask, tolerance_px=tolerance_px).peak_inside for heat, mask in zip(heats, masks, strict=True)]))


def curves(
    net: nn.Module,
    pixels: Tensor,
    available: Tensor,
    heat: NDArray[np.float32],
    class_index: int | None = None,
    *,
    steps: int = 16,
    seed: int = 0,
    columns: slice = EVERY,
) -> Curves:
    """Return the deletion and insertion curves of the map ``(V, ...)`` of one film ``(1, V, ...)``.

    Deleted pixels become the film's mean; insertion begins with the film blurred. Where the map says nothing the order is drawn.
    """
    rng = np.random.default_rng(seed)
    with evaluating(net):
        _, index = class_of(net, pixels, available, class_index, columns)
        ways = _Ways(net, pixels, available, int(index[0]), columns, steps)
        deletion, insertion = ways.walk(heat, rng)
        noise = [ways.walk(_smooth_noise(heat.shape, rng), rng) for _ in range(STRANGERS)]
    areas = tuple((float(np.trapezoid(away, ways.fractions)), float(np.trapezoid(back, ways.fractions))) for away, back in noise)
    return Curves(tuple(ways.fractions.tolist()), tuple(deletion.tolist()), tuple(insertion.tolist()), areas)


class _Ways:
    """A film from whole to mean grey, and from blurred to whole."""

    def __init__(self, net: nn.Module, pixels: Tensor, available: Tensor, column: int, columns: slice, steps: int) -> None:
        from scipy.ndimage import gaussian_filter

        self.net, self.available, self.column, self.columns = net, available, column, columns
        self.film, self.device = pixels[0].cpu().numpy().astype(np.float32), pixels.device
        self.there = np.flatnonzero(available[0].cpu().numpy())
        axes = tuple(range(1, self.film.ndim))
        self.grey = np.broadcast_to(self.film.mean(axis=axes, keepdims=True), self.film.shape)
        self.blurred = gaussian_filter(self.film, (0, *[max(self.film.shape[1:]) / 20] * len(axes)))
        self.fractions = np.linspace(0, 1, steps + 1)

    def walk(self, heat: NDArray[np.float32], rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the probability at each fraction: pixels deleted, pixels inserted."""
        values = heat[self.there]
        order = np.empty(values.size)
        # ties in a drawn order, so that what a map leaves empty is not taken row by row
        order[np.lexsort((rng.random(values.size), -values.ravel()))] = (np.arange(values.size) + 0.5) / values.size
        rank = np.ones(heat.shape)
        rank[self.there] = order.reshape(values.shape)
        return self._scores(rank, self.grey, self.film), self._scores(rank, self.film, self.blurred)

    def _scores(self, rank: NDArray[np.float64], taken: NDArray[np.float32], left: NDArray[np.float32]) -> NDArray[np.float64]:
        films = np.stack([np.where(rank < fraction, taken, left) for fraction in self.fractions]).astype(np.float32)
        found = scores(self.net, torch.from_numpy(films).to(self.device), self.available, self.column, probability_among=self.columns)
        values: NDArray[np.float64] = found.double().cpu().numpy()
        return values


def _smooth_noise(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float32]:
    """Return noise as coarse as most maps: seven cells across, the same for all views."""
    from scipy.ndimage import zoom

    coarse = rng.random((7,) * (len(shape) - 1))
    fine = zoom(coarse, [n / 7 for n in shape[1:]], order=1, grid_mode=True, mode="nearest")
    return np.broadcast_to(fine, shape).astype(np.float32)
