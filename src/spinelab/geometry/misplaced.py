"""Which vertebrae of a column are misplaced: out of order, folded, crossing a neighbour, or unlike what their neighbours make of them.

Every vertebra is held against the two nearest on each side: how far it is from the next one, how high, wide and wedged it is, how it is tilted, and how far it
lies beside the course of the column. What neighbours usually are to each other is learnt from columns that somebody marked, as medians and median absolute
deviations, which a few wrong marks do not move (Rousseeuw and Croux 1993, J Am Stat Assoc 88:1273-1283). A steep curve or a small child is therefore no
fault: its vertebrae turn and shrink together. Order, outlines and crossing endplates need nothing learnt. Ribs are not looked at.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spinelab.geometry.cobb import centres, tilts, turned_deg
from spinelab.geometry.column import NARROW

Floats = NDArray[np.float64]

SIZES: Final = ("spacing", "height", "width")
"""Quantities that are compared as ratios. ``spacing`` is from a vertebra's centre to that of the next one below."""
EVEN: Final = (*SIZES, "wedge")
"""Quantities of which a vertebra has as much as its neighbours, but for what is usual at its level; ``wedge`` is the angle between its endplates."""
COURSES: Final = ("tilt", "aside")
"""Quantities that change evenly along a column: tilt in degrees, and the place across its course in widths of a vertebra."""
NEIGHBOURS: Final = ((1, 2, 3, 4), (-1, 1, 2, 3), (-2, -1, 1, 2))
"""Which four are the neighbours of the first in a column, of the second, and of one inside; mirrored at the other end."""
COURSE: Final = ((2.0, -1.0, 0.0, 0.0), (1 / 3, 1.0, -1 / 3, 0.0), (-1 / 6, 2 / 3, 2 / 3, -1 / 6))
"""How much each neighbour counts where a value is predicted by a polynomial: of the first, second and third degree."""
MISCOUNTED: Final = ("order", "missed", "twice")
"""Kinds of faults after which the names on one side may be a level off."""
LEAST: Final = 6
"""Vertebrae below which there are too few neighbours to judge by what was learnt."""
LEAST_COLUMNS: Final = 30
NORMAL: Final = 1.4826
"""Standard deviation of a normal distribution in median absolute deviations."""
LEAST_NOISE: Final[Mapping[str, float]] = {"spacing": 0.04, "height": 0.04, "width": 0.04, "wedge": 2.0, "tilt": 1.0, "aside": 0.015}
"""Standard deviation of a single value that is always allowed: drawn columns are more regular than any film. In a prediction that of four adds up."""
LEAST_LIMIT: Final = 5.0
"""Standard deviations that are never a fault."""
WITHIN: Final = 0.99
"""Share of the columns on which a quantity stays within its limit, of those that geometry alone finds nothing wrong with."""
COUNTER: Final = 0.5
"""Share of the limit from which the spacing on a vertebra's other side shows that the vertebra itself has slid."""
OVERLAP: Final = 0.25
"""Depth, in heights of a vertebra, from which two endplates count as crossing: discs are thin, tilted vertebrae are seen aslant, and marks are a little off."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing about a vertebra that is implausible.

    Parameters
    ----------
    kind
        ``order`` (not below the one before), ``outline`` (the corners form no quadrilateral), ``crossing`` (its upper endplate crosses the lower one of
        the vertebra above), ``missed`` (so far from the vertebra above that one may lie between), ``twice`` (so near to it that they may be one), ``near``
        (nearer than usual), ``slid`` (too near to one neighbour and too far from the other), ``height``, ``width``, ``wedge``, ``tilt``, ``aside``.
    place
        Which vertebra, counted from the top of those judged.
    amount
        Times what its neighbours have (``missed``, ``twice``, ``near``, ``slid``: of the spacing above; ``height``, ``width``), degrees more than they have
        (``wedge``, ``tilt``: positive where the image-right end is lower), or widths beside the course of the column, positive to the right (``aside``).
    below
        The spacing below likewise (``slid``).
    """

    kind: str
    place: int
    amount: float = 0.0
    below: float = 0.0


@dataclass(frozen=True, eq=False)
class Neighbours:
    """What neighbours usually are to each other, by quantity.

    Parameters
    ----------
    usual
        ``(L,)`` what each level has in most columns: logarithms of `SIZES`, else 0, so that left and right are alike.
    spread
        ``(3, L)`` standard deviation of each level from what its neighbours predict: as the first or last in a column, the second, inside.
    limit
        Standard deviations beyond which a value is implausible.
    """

    usual: Mapping[str, Floats]
    spread: Mapping[str, Floats]
    limit: Mapping[str, float]

    def worst(self, corners: Floats, first: int = 0) -> dict[str, float]:
        """Return the largest departure of each quantity in a column ``(n, 4, 2)`` from level ``first`` on, in standard deviations."""
        return {name: float(np.abs(one.standard).max()) for name, one in _departures(corners, self, first).items()}

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            name: {"usual": np.round(self.usual[name], 4).tolist(), "spread": np.round(self.spread[name], 4).tolist(), "limit": round(self.limit[name], 3)}
            for name in self.usual
        }

    @staticmethod
    def from_dict(body: Mapping[str, Any]) -> Neighbours:
        """Rebuild from `to_dict`."""
        return Neighbours(
            {name: np.array(one["usual"], np.float64) for name, one in body.items()},
            {name: np.array(one["spread"], np.float64) for name, one in body.items()},
            {name: float(one["limit"]) for name, one in body.items()},
        )


def fit_neighbours(corners: Floats) -> Neighbours | None:
    """Learn from columns ``(N, L, 4, 2)``, nan where a corner is not marked; ``None`` for fewer than thirty complete ones, or fewer than six levels."""
    whole = corners[np.isfinite(corners).all(axis=(1, 2, 3))]
    if len(whole) < LEAST_COLUMNS or whole.shape[1] < LEAST:
        return None
    told = _told(whole)
    usual = {name: np.median(one.values[..., 0], axis=0) if name in SIZES else np.zeros(one.values.shape[1]) for name, one in told.items()}
    spread = {name: np.maximum(_spread(name, one, usual[name]), LEAST_NOISE[name] * _noise(name)[:, None]) for name, one in told.items()}
    unlimited = Neighbours(usual, spread, dict.fromkeys(usual, np.inf))
    worst = [unlimited.worst(one) for one in whole if not find_faults(one)] or [unlimited.worst(one) for one in whole]
    return Neighbours(usual, spread, {name: max(LEAST_LIMIT, float(np.quantile([one[name] for one in worst], WITHIN))) for name in usual})


def find_faults(corners: Floats, learnt: Neighbours | None = None, first: int = 0) -> tuple[Fault, ...]:
    """Return what is implausible about a column ``(n, 4, 2)``, from top to bottom; by geometry alone where nothing is learnt.

    Parameters
    ----------
    first
        Level of the first vertebra: levels differ a little in what is usual.
    """
    found: list[Fault] = []
    unlike = _unlike(corners, learnt, first) if learnt is not None and len(corners) >= LEAST else ()
    for faults in (_folded(corners), _out_of_order(corners), unlike, _crossing(corners)):
        told = {fault.place for fault in found}
        found += [fault for fault in faults if fault.place not in told]
    return tuple(sorted(found, key=lambda fault: fault.place))


def _folded(corners: Floats) -> Iterator[Fault]:
    around = corners[:, [0, 1, 3, 2]]
    sides = np.roll(around, -1, axis=1) - around
    turns = _cross(sides, np.roll(sides, -1, axis=1))
    return (Fault("outline", int(place)) for place in np.flatnonzero((turns <= 0).any(axis=1)))


def _out_of_order(corners: Floats) -> Iterator[Fault]:
    return (Fault("order", int(above) + 1) for above in np.flatnonzero(np.diff(centres(corners)[:, 1]) <= 0))


def _crossing(corners: Floats) -> Iterator[Fault]:
    height = np.linalg.norm(corners[:, 2:].mean(axis=1) - corners[:, :2].mean(axis=1), axis=1)
    apart = np.maximum(_beyond(corners[:-1, 2:], corners[1:, :2]), _beyond(corners[1:, 1::-1], corners[:-1, 2:])) / np.maximum(height[:-1], 1e-9)
    unfolded = ~np.isin(np.arange(len(corners)), [fault.place for fault in _folded(corners)])
    crossed = (apart < -OVERLAP) & (np.diff(centres(corners)[:, 1]) > 0) & unfolded[:-1] & unfolded[1:]
    return (Fault("crossing", int(above) + 1) for above in np.flatnonzero(crossed))


def _beyond(plates: Floats, points: Floats) -> Floats:
    """Return how far the nearer of two points ``(n, 2, 2)`` is from a line ``(n, 2, 2)``, negative on its wrong side."""
    along = plates[:, 1] - plates[:, 0]
    apart = _cross(along[:, None], points - plates[:, :1]) / np.maximum(np.linalg.norm(along, axis=1), 1e-9)[:, None]
    return np.asarray(apart.min(axis=1), np.float64)


def _cross(a: Floats, b: Floats) -> Floats:
    """Return the cross product of vectors in the picture's plane, positive where ``b`` lies clockwise of ``a`` as displayed."""
    turned: Floats = a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
    return turned


def _unlike(corners: Floats, learnt: Neighbours, first: int) -> Iterator[Fault]:
    for name, one in _departures(corners, learnt, first).items():
        amount = np.exp(one.off) if name in SIZES else one.off
        if name == "spacing":
            yield from _spacing_faults(amount, one.standard / learnt.limit[name])
        else:
            yield from (Fault(name, int(place), float(amount[place])) for place in np.flatnonzero(np.abs(one.standard) > learnt.limit[name]))


def _spacing_faults(times: Floats, share: Floats) -> Iterator[Fault]:
    """Return the faults of spacings, of which ``share`` is beyond 1: the vertebra between two that are wrong in opposite ways, else the lower vertebra."""
    told = set()
    for gap in np.flatnonzero(np.abs(share) > 1):
        above, below = (-share[k] * np.sign(share[gap]) if 0 <= k < len(share) else 0.0 for k in (gap - 1, gap + 1))
        place = int(gap) + int(below >= above)
        if max(above, below) < COUNTER:
            yield Fault("missed" if times[gap] > 1 else "twice" if times[gap] < NARROW else "near", int(gap) + 1, float(times[gap]))
        elif place not in told:
            told.add(place)
            yield Fault("slid", place, float(times[place - 1]), float(times[place]))


@dataclass(frozen=True, eq=False)
class _Told:
    """What one quantity says of columns: ``values`` ``(..., n, d)``, and along which direction ``(..., n, d)`` a departure from a prediction counts."""

    values: Floats
    counts: Floats


@dataclass(frozen=True, eq=False)
class _Departure:
    """How far each value of a column is from what its neighbours predict ``(n,)``, as it is and in standard deviations."""

    off: Floats
    standard: Floats


def _told(corners: Floats) -> dict[str, _Told]:
    """Return every quantity of columns ``(..., n, 4, 2)``; of spacings there is one fewer."""
    middle, slope = centres(corners), tilts(corners)
    wide = corners[..., [1, 3], :].mean(axis=-2) - corners[..., [0, 2], :].mean(axis=-2)
    high = corners[..., 2:, :].mean(axis=-2) - corners[..., :2, :].mean(axis=-2)
    vectors = zip(SIZES, (np.diff(middle, axis=-2), high, wide), strict=True)
    numbers = {name: np.log(np.maximum(np.linalg.norm(one, axis=-1), 1e-9)) for name, one in vectors}
    numbers |= {"wedge": turned_deg(slope.lower_deg - slope.upper_deg), "tilt": slope.middle_deg}
    found = {name: _Told(one[..., None], np.ones((*one.shape, 1))) for name, one in numbers.items()}
    down = np.gradient(middle, axis=-2)
    right = np.stack([down[..., 1], -down[..., 0]], axis=-1) / np.maximum(np.linalg.norm(down, axis=-1, keepdims=True), 1e-9)
    return found | {"aside": _Told(middle, right / np.exp(_predicted("width", found["width"].values)))}


@lru_cache(maxsize=32)
def _near(count: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return which of `NEIGHBOURS` each place among ``count`` has ``(n,)``, and where they stand ``(n, 4)``."""
    places = np.arange(count, dtype=np.intp)
    ranks: NDArray[np.intp] = np.minimum(np.minimum(places, places[::-1]), len(NEIGHBOURS) - 1)
    side: NDArray[np.intp] = np.where(2 * places < count, 1, -1)
    return ranks, places[:, None] + side[:, None] * np.array(NEIGHBOURS, dtype=np.intp)[ranks]


def _prediction(name: str, near: Floats, rank: NDArray[np.intp] | int) -> Floats:
    """Return what four neighbours ``(..., 4, d)`` predict; ``rank`` is one of `NEIGHBOURS`, or one for each place of the axis before the last two."""
    predicted = np.median(near, axis=-2) if name in EVEN else (np.array(COURSE)[rank][..., None, :] @ near)[..., 0, :]
    return np.asarray(predicted, np.float64)


def _noise(name: str) -> Floats:
    """Return the standard deviation ``(3,)`` of a departure, for each of `NEIGHBOURS`, where that of a single value is 1."""
    return np.ones(len(COURSE)) if name in EVEN else np.hypot(1.0, np.linalg.norm(np.array(COURSE), axis=1))


def _predicted(name: str, values: Floats) -> Floats:
    """Return what each value ``(..., n, d)`` should be by its neighbours."""
    ranks, near = _near(values.shape[-2])
    return _prediction(name, values[..., near, :], ranks)


def _spread(name: str, told: _Told, usual: Floats) -> Floats:
    """Return the standard deviation ``(3, L)`` of every level, wherever in a column it may stand; of the side that tells less about it."""
    values, levels = told.values - usual[:, None], range(len(usual))
    found = np.full((len(NEIGHBOURS), len(usual)), np.nan)
    for rank, offsets in enumerate(NEIGHBOURS):
        for level, side in itertools.product(levels, (1, -1)):
            near = level + side * np.array(offsets)
            if near.min() >= 0 and near.max() < len(usual):
                off = ((values[:, level] - _prediction(name, values[:, near], rank)) * told.counts[:, level]).sum(axis=-1)
                found[rank, level] = np.fmax(found[rank, level], NORMAL * np.median(np.abs(off)))
    return np.where(np.isfinite(found), found, np.nanmax(found, axis=1, keepdims=True))


def _departures(corners: Floats, learnt: Neighbours, first: int) -> dict[str, _Departure]:
    return {name: _departure(name, told, learnt, first) for name, told in _told(corners).items()}


def _departure(name: str, told: _Told, learnt: Neighbours, first: int) -> _Departure:
    """Judge one quantity of a column. What is beyond the limit is replaced by its prediction, the worst first, before the others are judged by it."""
    count = len(told.values)
    levels, ranks = np.arange(first, first + count), _near(count)[0]
    values, spread = told.values - learnt.usual[name][levels, None], learnt.spread[name][ranks, levels]
    off, open_ = np.zeros(count), np.ones(count, dtype=bool)
    while open_.any():
        apart = values - _predicted(name, values)
        off = np.where(open_, (apart * told.counts).sum(axis=-1), off)
        worst = int(np.where(open_, np.abs(off) / spread, -1.0).argmax())
        if abs(off[worst]) <= learnt.limit[name] * spread[worst]:
            break
        open_[worst] = False
        values[worst] -= apart[worst]
    return _Departure(off, off / spread)
