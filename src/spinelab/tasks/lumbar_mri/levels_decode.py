"""From the five maps of a network to five points that make one spine, and how sure their names are.

Every map offers the places where it is high, and "not on the picture". All combinations are weighed: by the maps, and by how far apart
neighbouring discs lie in the training studies. The best one is the answer; the share of those that agree with it is how sure its names are. Where the
network hesitates between two discs, as with a transitional vertebra or a stack that ends too early, the combination that is one disc off weighs
nearly as much, and the certainty falls.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

CANDIDATES: Final = 4
"""Highest places of a map that are weighed."""
POINT_MM: Final = 13.0
"""A place is the mean of its map within this distance of the highest cell: as far as the Gaussian of a level reaches; less draws it to the centre of a cell."""
NEAR_MM: Final = 15.0
"""A map's share within this distance belongs to a place: nearly half of the distance between two discs."""
OTHER_MM: Final = 18.0
"""Beyond this distance a level lies on another disc."""
LEAST_SHARE: Final = 0.01
WIDER: Final = 1.5
"""Patients differ from the training studies by this many times their standard deviations."""
LEAST_SD_MM: Final = 2.0
WORST_STEP: Final = 4.0
"""Standard deviations beyond which a step counts no worse: a wrong one, whatever its length."""
TEMPERATURE: Final = 2.0
"""The five maps of one network err together: their evidence counts as that of five halves."""
_FLOOR: Final = 1e-3


@dataclass(frozen=True, eq=False)
class Decoded:
    """Canvas points ``(5, 2)`` (nan where a level is not there), the share of each map near its point, and the certainty of the names."""

    points: Floats
    shares: Floats
    certainty: float


def learn_steps(points: Floats) -> list[dict[str, Any]]:
    """Return mean and standard deviations of the steps between neighbouring discs, from points ``(n, 5, 2)`` in mm, for JSON."""
    steps = np.diff(points, axis=1)
    deviation = np.maximum(LEAST_SD_MM, steps.std(axis=0, ddof=1) if len(steps) > 1 else np.full(steps.shape[1:], LEAST_SD_MM))
    return [{"mean_mm": mean.tolist(), "sd_mm": sd.tolist()} for mean, sd in zip(steps.mean(axis=0), deviation, strict=True)]


def decode(maps: Floats, steps: Sequence[Mapping[str, Any]], stride_px: int, pixel_mm: float) -> Decoded:
    """Weigh all combinations of the maps' places.

    Parameters
    ----------
    maps
        ``(5, rows, columns)``: the probability that a level is there and in this cell; what a map lacks to 1 is that it is not on the picture.
    steps
        What `learn_steps` returned.
    stride_px
        Canvas pixels a cell.
    """
    cell_mm = stride_px * pixel_mm
    offers = [_offers(one, cell_mm) for one in maps]
    combinations = list(itertools.product(*(range(len(offer)) for offer in offers)))
    scores = np.array([_score([offer[i] for offer, i in zip(offers, chosen, strict=True)], steps) for chosen in combinations])
    best = [offer[i] for offer, i in zip(offers, combinations[int(scores.argmax())], strict=True)]
    weights = np.exp((scores - scores.max()) / TEMPERATURE)
    agree = np.array([_agrees([offer[i] for offer, i in zip(offers, chosen, strict=True)], best) for chosen in combinations], dtype=bool)
    points = np.array([(np.nan, np.nan) if point is None else point for point, _ in best])
    in_pixels = points / pixel_mm + (stride_px - 1) / 2
    shares = np.array([0.0 if point is None else share for point, share in best])
    return Decoded(in_pixels, shares, float(weights[agree].sum() / weights.sum()))


_Offer = tuple[Floats | None, float]


def _offers(one: Floats, cell_mm: float) -> list[_Offer]:
    """Return the highest places of a map in mm (x, y), each with the share near it, and "not there" with what remains."""
    rows, columns = np.meshgrid(np.arange(one.shape[0], dtype=np.float64), np.arange(one.shape[1], dtype=np.float64), indexing="ij")
    left = one.copy()
    found: list[_Offer] = []
    for _ in range(CANDIDATES):
        row, column = divmod(int(left.argmax()), left.shape[1])
        apart = ((rows - row) ** 2 + (columns - column) ** 2) * cell_mm**2
        close, share = apart <= POINT_MM**2, float(left[apart <= NEAR_MM**2].sum())
        if share < LEAST_SHARE:
            break
        weights = left[close] / left[close].sum()
        found.append((np.array([columns[close] @ weights, rows[close] @ weights]) * cell_mm, min(1.0, share)))
        left[apart <= NEAR_MM**2] = 0
    return [*found, (None, max(0.0, 1 - float(one.sum())))]


def _score(chosen: Sequence[_Offer], steps: Sequence[Mapping[str, Any]]) -> float:
    total = sum(float(np.log(share + _FLOOR)) for _, share in chosen)
    there = [(place, point) for place, (point, _) in enumerate(chosen) if point is not None]
    for (one, start), (other, end) in itertools.pairwise(there):
        mean = np.sum([steps[i]["mean_mm"] for i in range(one, other)], axis=0)
        sd = WIDER * np.sqrt(np.sum(np.square([steps[i]["sd_mm"] for i in range(one, other)]), axis=0))
        apart = float(np.linalg.norm((end - start - mean) / sd))
        total -= 0.5 * min(apart, WORST_STEP) ** 2
    return total


def _agrees(chosen: Sequence[_Offer], best: Sequence[_Offer]) -> bool:
    """Return whether no level lies elsewhere than in the best combination, and none where that one has another; one that is left out agrees with any."""
    taken = [point for point, _ in best if point is not None]
    for (one, _), (other, _) in zip(chosen, best, strict=True):
        if one is not None and (not _near(one, [other]) if other is not None else _near(one, taken)):
            return False
    return any(one is not None for one, _ in chosen)


def _near(point: Floats, others: Sequence[Floats]) -> bool:
    return any(float(np.linalg.norm(point - other)) <= OTHER_MM for other in others)
