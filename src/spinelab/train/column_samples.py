"""Columns that could be meant as well: samples of a film's vertebrae that err as held-out vertebrae did, and that are named as they could be.

What the looks at one vertebra disagree about is less than what they are wrong by. An angle jumps where another vertebra becomes its end, and a curve belongs
to another region where the names are a level off: only samples that err as much as the networks do show how near such a jump is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spinelab.geometry.cobb import centres, tilts, turned_deg

Floats = NDArray[np.float64]

SAME: Final = 0.5
"""Of the usual distance between true neighbours: how far a vertebra's centre may lie from that of the true one that it is held against."""
LEAST_VERTEBRAE: Final = 200
"""Held-out vertebrae below which nothing is learnt about their errors."""


@dataclass(frozen=True, slots=True)
class VertebraError:
    """By how much vertebrae are off beyond the spread of their samples; standard deviations.

    ``turn_deg`` of the vertebra, ``endplate_deg`` of each endplate besides, ``place`` of the centre in each direction, as a share of the width.
    """

    turn_deg: float
    endplate_deg: float
    place: float

    def to_dict(self) -> dict[str, float]:
        """Return the state, for JSON."""
        return asdict(self)

    @staticmethod
    def from_dict(body: Mapping[str, Any]) -> VertebraError:
        """Rebuild from `to_dict`."""
        return VertebraError(**{name: float(value) for name, value in body.items()})


def learn_error(films: Sequence[tuple[Floats, Floats]], truth: Floats) -> VertebraError | None:
    """Return the errors of held-out vertebrae; none where there are fewer than `LEAST_VERTEBRAE`.

    Parameters
    ----------
    films
        What was read of each film: corners ``(n, 4, 2)`` of the vertebrae that were found, of three or more, and their samples ``(S, n, 4, 2)``.
    truth
        ``(N, L, 4, 2)``, nan where a corner is not on the film. Every vertebra found is held against the true one that it lies on, whatever it is called.
    """
    known = [_errors(*film, true) for film, true in zip(films, truth, strict=True) if len(film[0]) >= 3 and np.isfinite(true).all()]
    if sum(len(one) for one, _ in known) < LEAST_VERTEBRAE:
        return None
    error, spread = (np.concatenate(part) for part in zip(*known, strict=True))
    # Columns: superior and inferior endplate in degrees, centre across and along in widths.
    beyond = np.mean(error**2, axis=0) - np.mean(spread**2, axis=0)
    turn = min(max(float(np.mean(error[:, 0] * error[:, 1])), 0.0), max(float(beyond[:2].mean()), 0.0))
    endplate, place = max(float(beyond[:2].mean()) - turn, 0.0), max(float(beyond[2:].mean()), 0.0)
    return VertebraError(turn**0.5, endplate**0.5, place**0.5)


def _errors(corners: Floats, samples: Floats, truth: Floats) -> tuple[Floats, Floats]:
    """Return errors ``(m, 4)`` of the vertebrae that lie on true ones, and the spread that their samples have."""
    middle, true_middle = centres(corners), centres(truth)
    apart = np.linalg.norm(middle[:, None] - true_middle[None], axis=2)
    pitch = float(np.median(np.linalg.norm(np.diff(true_middle, axis=0), axis=1)))
    found = np.flatnonzero(apart.min(axis=1) < SAME * pitch)
    on = apart.argmin(axis=1)[found]
    seen, true, drawn = tilts(corners), tilts(truth), tilts(samples)
    width = _width(truth)
    error = [turned_deg(getattr(seen, plate)[found] - getattr(true, plate)[on]) for plate in ("upper_deg", "lower_deg")]
    spread = [turned_deg(getattr(drawn, plate)[:, found] - getattr(seen, plate)[found]) for plate in ("upper_deg", "lower_deg")]
    shift, shifts = (middle[found] - true_middle[on]) / width, (centres(samples)[:, found] - middle[found]) / width
    return np.column_stack([*error, shift]), np.column_stack([*(np.sqrt(np.mean(one**2, axis=0)) for one in spread), np.sqrt(np.mean(shifts**2, axis=0))])


def erring(samples: Floats, error: VertebraError) -> Floats:
    """Return samples ``(S, n, 4, 2)`` of a column with as much error more as held-out vertebrae had; the same for the same samples."""
    rng = np.random.default_rng(0xE440)
    lead = samples.shape[:2]
    turn = rng.normal(0, error.turn_deg, lead)
    moved = rng.normal(0, error.place * _width(samples), (*lead, 1, 2))
    plates = samples.reshape(*lead, 2, 2, 2)
    middle = plates.mean(axis=3, keepdims=True)
    angle = np.deg2rad(turn[..., None] + rng.normal(0, error.endplate_deg, (*lead, 2)))
    cos, sin = np.cos(angle), np.sin(angle)
    about = np.stack([np.stack([cos, -sin], -1), np.stack([sin, cos], -1)], -2)
    return np.asarray((np.einsum("snpij,snpkj->snpki", about, plates - middle) + middle).reshape(samples.shape) + moved, np.float64)


def renamed(samples: Floats, chances: Mapping[int, float]) -> Floats:
    """Return samples ``(S, n, 4, 2)`` of a column, a share of which are named otherwise; the same for the same samples.

    ``chances`` are the probabilities of numberings: by how many levels further down the column the names of all vertebrae go. The column is continued where
    a name then has no vertebra.
    """
    shifts = list(chances)
    share = np.array([chances[shift] for shift in shifts], np.float64)
    drawn = np.random.default_rng(0x4A3E).choice(len(shifts), len(samples), p=share / share.sum())
    named = samples.copy()
    for place, shift in enumerate(shifts):
        if shift:
            named[drawn == place] = _moved(samples[drawn == place], shift)
    return named


def _moved(samples: Floats, shift: int) -> Floats:
    """Return columns whose vertebrae have names ``shift`` levels further down, continued straight on at the end where vertebrae are missing."""
    column = samples if shift > 0 else samples[:, ::-1]
    for _ in range(abs(shift)):
        column = np.concatenate([(2 * column[:, 0] - column[:, 1])[:, None], column[:, :-1]], axis=1)
    return column if shift > 0 else column[:, ::-1]


def _width(corners: Floats) -> float:
    """Return the usual width of a vertebra."""
    return float(np.median(np.linalg.norm(corners[..., 1::2, :] - corners[..., ::2, :], axis=-1)))
