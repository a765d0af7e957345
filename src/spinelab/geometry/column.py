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


def find_columns(seen: Candidates) -> tuple[Column, ...]:
    """Return the best column and, behind it, the best ones in which its middle vertebra is called otherwise; nothing where nothing was seen."""
    if not len(seen.share):
        return ()
    worth = np.log(seen.share + 1e-3)[:, None] + REWARD + seen.level + LEVEL_REWARD
    step = _steps(seen)
    down, before = _best_ending(worth, step)
    up, after = _best_ending(worth[::-1, ::-1], step[::-1, ::-1].transpose(1, 0, 2))
    through = down + up[::-1, ::-1] - worth
    end = np.unravel_index(int(down.argmax()), down.shape)
    path = _path(before, (int(end[0]), int(end[1])))
    anchor, level = path[len(path) // 2]
    columns = []
    for shift in sorted(range(-LARGEST_SHIFT, LARGEST_SHIFT + 1), key=abs):
        if 0 <= level + shift < worth.shape[1]:
            whole = np.array(_through(before, after, worth.shape, (anchor, level + shift)), dtype=np.intp)
            columns.append(Column(whole[:, 0], whole[:, 1], shift, float(through[anchor, level + shift])))
    return tuple(columns)


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


def _through(before: NDArray[np.intp], after: NDArray[np.intp], shape: tuple[int, ...], at: tuple[int, int]) -> list[tuple[int, int]]:
    """Return the best column through a (vertebra, level); ``after`` was made from the candidates and levels in reverse order."""
    count, levels = shape
    below = _path(after, (count - 1 - at[0], levels - 1 - at[1]))
    return [*_path(before, at), *((count - 1 - vertebra, levels - 1 - level) for vertebra, level in reversed(below[:-1]))]
