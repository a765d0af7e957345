"""Which part of the spine a film shows: the run of structures whose landmarks fit each other; what was "found" beyond it is not on the film.

A network that has learnt whole spines finds something for every landmark, also on a film that ends at T6. What it finds there is unsure
and lies where such a landmark cannot lie. Every run of neighbouring structures is therefore judged: each landmark in it is worth something,
more the surer it was seen, and the run costs as much as its landmarks contradict each other under the shape that the training films taught
(the outlier rule of maximum likelihood: a landmark is either part of one Gaussian shape or lies anywhere on the film).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from spinelab.geometry.shape import ShapeModel

Floats = NDArray[np.float64]

if TYPE_CHECKING:
    from spinelab.train.landmark_head import Sighting
    from spinelab.train.landmark_reading import Reading

FROM_THE_TOP: Final[Mapping[str, tuple[str, ...]]] = {
    "the skull": ("FM_1", "FM_2", "Forehead", "Jaw"),
    "C2": ("C2_1", "C2_2", "ODT"),
    "C7": ("C7", "C7_1", "C7_2", "C7_3"),
    "T1": ("T1", "T1_1", "T1_2"),
    "T4": ("T4_1", "T4_2"),
    "T12": ("T12_1", "T12_2"),
    "L1": ("L1_1", "L1_2"),
    "L4": ("L4_1", "L4_2"),
    "the sacrum": ("S_1", "S_2"),
    "the hips": ("FH_1", "FH_2"),
}
WORTH: Final = 6.0
"""What a landmark is worth: the logarithm of how much denser it lies in a shape that fits than anywhere on the film."""
SURENESS_LIMITS: Final = (-2.0, 3.0)
"""Limits of the logarithm of the odds that a landmark was seen, which is added to that."""
LEAST_PARTS: Final = 4
LEAST_LANDMARKS: Final = 8
"""Structures in a row, and landmarks, below which a piece of the spine is none that the model has learnt: training films lose half at most."""
LEAST_SHARE: Final = 0.82
"""Mean confidence of the first network below which a piece is not believed: it is above .85 on pieces of a lateral film, below .8 on other films."""
EDGE_SHARE: Final = 0.7
"""Confidence below which a landmark of the outermost structure is taken to lie beyond the film's edge."""
ON_FILM: Final = 0.5

_PARTS: Final = tuple(FROM_THE_TOP)


def only_the_piece(seen: Sighting, names: Sequence[str], prior: ShapeModel, height: float) -> Sighting:
    """Return a sighting in which landmarks beyond the best run of structures are absent.

    Facts tell ``set_aside``, their names.
    """
    present = np.asarray(seen.there >= ON_FILM)
    share = first_share(seen.facts, seen.share)
    best = _best_run(seen.points, present, WORTH + np.clip(_log_odds(share), *SURENESS_LIMITS), names, prior, height)
    kept = present & np.isin(names, [name for part in best for name in FROM_THE_TOP[part]])
    for ordered, end in ((best, _PARTS[0]), (best[::-1], _PARTS[-1])):
        if ordered[0] != end:
            kept &= _inside(ordered, kept, share, names)
    aside = [name for name, on, stays in zip(names, present, kept, strict=True) if on and not stays]
    there = np.where(kept | ~present, seen.there, 0.0)
    return replace(seen, there=there, facts=seen.facts | {"set_aside": aside})


def _inside(parts: Sequence[str], kept: NDArray[np.bool_], share: Floats, names: Sequence[str]) -> NDArray[np.bool_]:
    """Return which landmarks are not beyond the film's edge: from it inwards, structures lose their unsure landmarks until one keeps some."""
    inside = np.ones(len(names), dtype=bool)
    for part in parts:
        own = kept & np.isin(names, FROM_THE_TOP[part])
        inside &= ~own | (share >= EDGE_SHARE)
        if (own & inside).any():
            break
    return inside


def _best_run(points: Floats, present: NDArray[np.bool_], worth: Floats, names: Sequence[str], prior: ShapeModel, height: float) -> tuple[str, ...]:
    """Return the neighbouring structures, from the first to the last that was seen, that are most likely on the film; all where too little was seen."""
    best, found = -np.inf, _PARTS
    seen = {part: present & np.isin(names, FROM_THE_TOP[part]) for part in _PARTS}
    for first, last in combinations(range(len(_PARTS) + 1), 2):
        parts = _PARTS[first:last]
        run = np.any([seen[part] for part in parts], axis=0)
        if not seen[parts[0]].any() or not seen[parts[-1]].any() or run.sum() < LEAST_LANDMARKS:
            continue
        score = float(worth[run].sum()) - 0.5 * prior.disagreement(points, run, height)
        if score > best:
            best, found = score, parts
    return found


def first_share(facts: Mapping[str, object], share: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how sure the first network was of each landmark: it saw the whole film, the second one only what surrounds the landmark."""
    known = facts.get("first_share")
    return share if known is None else np.asarray(known, np.float64)


def unlike_the_training_films(reading: Reading) -> str:
    """Return why what was found is no piece of the spine that a model can read; empty for one that it can, and for a whole spine."""
    found = reading.found()
    parts = [part for part, names in FROM_THE_TOP.items() if 2 * sum(name in found for name in names) >= len(names)]
    if len(parts) == len(FROM_THE_TOP):
        return ""
    if len(parts) < LEAST_PARTS or len(found) < LEAST_LANDMARKS:
        verb = "lies" if len(parts) == 1 and parts != ["the hips"] else "lie"
        what = f"only {', '.join(parts)} {verb} as in a spine" if parts else "nothing lies as in a spine"
        return f"of what was found {what}: too little to be sure that this is one, seen from the side"
    sure = float(first_share(reading.facts, reading.share)[reading.present].mean())
    if sure < LEAST_SHARE:
        return f"what looks like a part of a spine from the side ({', '.join(parts)}) was not seen clearly enough (confidence {sure:.2f})"
    return ""


def _log_odds(share: NDArray[np.float64]) -> NDArray[np.float64]:
    clipped = np.clip(share, 1e-3, 1 - 1e-3)
    return np.asarray(np.log(clipped / (1 - clipped)), np.float64)
