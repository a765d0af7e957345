"""A column of vertebrae from loose ones: which belong to it, in what order, and which level each is.

The best column is the one whose vertebrae were seen most clearly, whose levels fit what was seen, and whose neighbours are about one
vertebra apart; it is found by dynamic programming over (vertebra, level), as pictorial structures on a chain (Felzenszwalb and Huttenlocher 2005,
"Pictorial structures for object recognition", Int J Comput Vis 61:55-79). Every other numbering has a score too, which gives a probability.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

PITCH: Final = 1.25
"""Distance between neighbouring centres in heights of their bodies, disc included."""
PITCH_SPREAD: Final = 0.2
"""Standard deviation of its logarithm."""
SKIP_COST: Final = 4.0
"""Cost of a level that was not seen between two that were."""
REWARD: Final = 3.0
"""What a vertebra is worth, before it is judged by how clearly it was seen."""
LEVEL_REWARD: Final = 2.0
NEVER: Final = -1e9


@dataclass(frozen=True, eq=False)
class Candidates:
    """Vertebrae as seen, from top to bottom.

    Parameters
    ----------
    corners
        ``(n, 4, 2)`` in the order superior left, superior right, inferior left, inferior right (image sides).
    share
        ``(n,)`` probability that there is a vertebra.
    level
        ``(n, L)`` logarithm of how well each level fits.
    """

    corners: Floats
    share: Floats
    level: Floats


@dataclass(frozen=True, eq=False)
class Column:
    """One way to number the vertebrae: those chosen, from top to bottom.

    Parameters
    ----------
    chosen, levels
        Positions among the candidates, and the level (0 is the first) of each.
    shift
        By how many levels lower its vertebrae are called than in the best column.
    score
        Logarithm of how well it fits, up to a constant; the best column's is the highest.
    """

    chosen: NDArray[np.intp]
    levels: NDArray[np.intp]
    shift: int
    score: float


LARGEST_SHIFT: Final = 2
WIDE: Final = 1.45
"""Of the pitch around it: a gap from which on a vertebra between two others was not seen."""
NARROW: Final = 0.6
"""Of the pitch: nearer than this a vertebra does not follow another."""
STRAY: Final = 0.5
"""Of the pitch: how far a vertebra that goes on at an end may lie from where the column points to."""
LEAST_SHARE: Final = 0.2
"""Probability from which a vertebra beyond an end of the best column counts as one that is there."""
AROUND: Final = 3
"""Gaps on each side that give the pitch around a gap."""


def find_columns(seen: Candidates) -> tuple[Column, ...]:
    """Return the best column and, behind it, the same vertebrae called up to two levels higher or lower; nothing where nothing was seen.

    The best path through (vertebra, level) says which vertebrae are one column. Its gaps and what goes on beyond its ends then give every vertebra
    its place in the row, and each numbering calls all of them alike: it is worth what its vertebrae are worth under their names, and one that has
    no level left is in no column.
    """
    if not len(seen.share):
        return ()
    worth = np.log(seen.share + 1e-3)[:, None] + REWARD + seen.level + LEVEL_REWARD
    down, before = _best_ending(worth, _steps(seen))
    end = np.unravel_index(int(down.argmax()), down.shape)
    path = np.array(_path(before, (int(end[0]), int(end[1]))), dtype=np.intp)
    chain = _continued(seen, path[:, 0])
    place = _places(seen.corners[chain].mean(axis=1))
    offsets = range(-int(place[-1]), worth.shape[1])
    scores = {offset: _worth(worth, chain, place + offset) for offset in offsets}
    best = max(scores, key=lambda offset: (scores[offset], -abs(offset)))
    shifts = sorted(range(-LARGEST_SHIFT, LARGEST_SHIFT + 1), key=abs)
    return tuple(_column(chain, place + best + shift, shift, scores[best + shift], worth.shape[1]) for shift in shifts if best + shift in scores)


def _worth(worth: Floats, chain: NDArray[np.intp], levels: NDArray[np.intp]) -> float:
    """Return what the vertebrae that have a level are worth under their names."""
    named = (levels >= 0) & (levels < worth.shape[1])
    return float(worth[chain[named], levels[named]].sum()) if named.any() else NEVER


def _column(chain: NDArray[np.intp], levels: NDArray[np.intp], shift: int, score: float, count: int) -> Column:
    named = (levels >= 0) & (levels < count)
    return Column(chain[named], levels[named], shift, score)


def _continued(seen: Candidates, chosen: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the vertebrae of a column with those that go on beyond its ends, one after the other."""
    middle, chain = seen.corners.mean(axis=1), chosen.tolist()
    for at_end in (False, True):
        while len(chain) > 1:
            last, before = (chain[-1], chain[-2]) if at_end else (chain[0], chain[1])
            onward = middle[last] - middle[before]
            pitch = float(np.linalg.norm(onward))
            free = [i for i in range(len(middle)) if i not in chain and seen.share[i] >= LEAST_SHARE]
            near = [i for i in free if _follows(middle[i] - middle[last], onward, pitch)]
            if not near:
                break
            following = min(near, key=lambda i: float(np.linalg.norm(middle[i] - middle[last] - onward)))
            chain = [*chain, following] if at_end else [following, *chain]
    return np.array(chain, dtype=np.intp)


def _follows(step: Floats, onward: Floats, pitch: float) -> bool:
    apart = float(np.linalg.norm(step))
    return NARROW * pitch <= apart <= WIDE * pitch and float(np.linalg.norm(step - onward)) <= STRAY * pitch


def _places(middle: Floats) -> NDArray[np.intp]:
    """Return the place of each vertebra in the row, 0 for the first: one on, or two where a gap is wide for the pitch on both sides of it.

    The first and the last gap are never taken for two: beside the sacrum they are wide in many people.
    """
    gaps = np.linalg.norm(np.diff(middle, axis=0), axis=1)
    steps = np.ones(len(gaps), dtype=np.intp)
    for i in np.argsort(gaps)[::-1]:
        if i in (0, len(gaps) - 1):
            continue
        around = [k for k in range(max(0, i - AROUND), min(len(gaps), i + AROUND + 1)) if k != i]
        if around and gaps[i] > WIDE * float(np.median(gaps[around] / steps[around])):
            steps[i] = 2
    return np.concatenate([[0], np.cumsum(steps)]).astype(np.intp)


def _steps(seen: Candidates) -> Floats:
    """Return the score ``(n, n, 2)`` of the lower vertebra following the upper one directly, or with one level between them unseen."""
    middle = seen.corners.mean(axis=1)
    height = np.linalg.norm(seen.corners[:, 2:].mean(axis=1) - seen.corners[:, :2].mean(axis=1), axis=1)
    apart = np.linalg.norm(middle[:, None] - middle[None], axis=2)
    pitch = PITCH * (height[:, None] + height[None]) / 2
    step = np.full((*apart.shape, 2), NEVER)
    for skipped in (0, 1):
        off = np.log(np.maximum(apart, 1) / np.maximum(pitch * (1 + skipped), 1)) / PITCH_SPREAD
        step[..., skipped] = -0.5 * off**2 - SKIP_COST * skipped
    above = middle[:, None, 1] < middle[None, :, 1]
    return np.where(above[..., None], step, NEVER)


def _best_ending(worth: Floats, step: Floats) -> tuple[Floats, NDArray[np.intp]]:
    """Return the best score of a column that ends at each (vertebra, level), and the (vertebra, level) before it (-1 for none)."""
    count, levels = worth.shape
    best, before = worth.copy(), np.full((count, levels, 2), -1, dtype=np.intp)
    for lower in range(1, count):
        for skipped in (0, 1):
            jump = 1 + skipped
            if levels <= jump:
                continue
            reach = best[:lower, : levels - jump] + step[:lower, lower, skipped][:, None]
            upper = reach.argmax(axis=0)
            score = worth[lower, jump:] + reach[upper, np.arange(levels - jump)]
            better = score > best[lower, jump:]
            best[lower, jump:] = np.where(better, score, best[lower, jump:])
            pairs = np.stack([upper, np.arange(levels - jump)], axis=1)
            before[lower, jump:] = np.where(better[:, None], pairs, before[lower, jump:])
    return best, before


def _path(before: NDArray[np.intp], last: tuple[int, int]) -> list[tuple[int, int]]:
    """Return the (vertebra, level) pairs of the best column that ends at ``last``, first to last."""
    steps = [last]
    while before[steps[-1]][0] >= 0:
        upper, level = before[steps[-1]]
        steps.append((int(upper), int(level)))
    return steps[::-1]
