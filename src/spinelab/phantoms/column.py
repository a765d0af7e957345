"""The spinal column as a stack of vertebrae: sizes by level, sex and age, curves, slips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from spinelab.core.study import NORMAL_PRESACRAL
from spinelab.phantoms.camera import Floats
from spinelab.phantoms.vertebra import Vertebra, turned

CERVICAL: Final = tuple(f"C{i}" for i in range(2, 8))
"""Vertebrae with a body; the atlas is drawn with the skull."""
THORACIC: Final = tuple(f"T{i}" for i in range(1, 13))
LUMBAR: Final = ("L1", "L2", "L3", "L4", "L5")
SACRAL: Final = ("S1", "S2", "S3", "S4")
LEVELS: Final = (*THORACIC, *LUMBAR, *SACRAL)
PRESACRAL_SHARES: Final = {23: 0.45, 25: 0.45, 26: 0.1}
"""How patients with another number of vertebrae above the sacrum divide."""
_ORDER: Final = (*CERVICAL, *THORACIC, "T13", *LUMBAR, "L6", *SACRAL)
"""Every level that can be drawn, with the supernumerary ones of a numbering anomaly in their places."""

# Half width, half depth, anterior and posterior height, pedicle distance, width and height, disc height below (mm); adult, sexes pooled.
# Rounded from Panjabi et al., Spine 16:861-869, 16:888-901 (1991) and 17:299-306 (1992), and Zindrick et al., Spine 12:160-166 (1987).
_SIZES: Final[Mapping[str, tuple[float, ...]]] = {
    "C2": (8.5, 7.6, 19.0, 18.0, 8.0, 5.5, 7.5, 4.6),
    "C3": (8.6, 7.6, 13.6, 14.0, 9.0, 5.2, 7.0, 5.0),
    "C5": (9.2, 7.8, 13.2, 13.6, 9.5, 5.4, 7.0, 5.2),
    "C7": (11.5, 8.2, 14.6, 15.0, 10.0, 6.5, 8.0, 4.8),
    "T1": (13.5, 8.5, 15.0, 15.5, 10.5, 7.5, 9.5, 3.2),
    "T4": (13.5, 11.5, 17.0, 18.0, 9.5, 5.0, 11.5, 3.2),
    "T8": (15.5, 14.5, 19.5, 20.5, 10.0, 6.0, 12.5, 3.8),
    "T11": (18.5, 15.5, 22.0, 23.5, 11.5, 8.0, 16.0, 5.5),
    "T12": (20.5, 15.6, 23.5, 25.0, 11.5, 7.5, 16.0, 6.5),
    "L1": (21.2, 15.8, 25.0, 26.5, 11.5, 8.0, 15.5, 8.0),
    "L2": (22.0, 16.3, 26.0, 27.0, 12.0, 8.5, 15.0, 9.5),
    "L3": (23.0, 16.8, 26.8, 27.0, 12.8, 10.0, 14.5, 10.5),
    "L4": (24.2, 17.2, 27.0, 26.2, 14.5, 12.0, 14.5, 11.5),
    "L5": (25.2, 17.4, 28.0, 23.5, 18.0, 14.0, 14.0, 10.5),
    "L6": (25.0, 17.2, 28.0, 23.0, 18.5, 14.5, 14.0, 10.0),
    "S1": (23.2, 15.2, 29.0, 24.0, 20.0, 16.0, 14.0, 1.6),
    "S2": (17.5, 11.5, 23.0, 21.0, 16.0, 12.0, 12.0, 1.2),
    "S3": (14.0, 8.5, 19.0, 18.0, 13.0, 10.0, 10.0, 1.0),
    "S4": (11.0, 6.5, 16.0, 15.0, 11.0, 8.0, 8.0, 1.0),
}


@dataclass(frozen=True)
class Stack:
    """How vertebrae stand on one another.

    Parameters
    ----------
    levels
        From the top down; the last is placed first.
    base_deg
        Forward tilt of the lowest vertebra's upper endplate (for S1, the sacral slope).
    wedge_deg
        Opening of the disc below each level towards the front.
    side_deg, turn_deg
        Tilt in the coronal plane (positive lifts the left side) and axial rotation of each level.
    forward_mm, left_mm
        Displacement of each level against the one below, along that one's upper endplate.
    disc
        Factor on each disc height.
    """

    levels: tuple[str, ...]
    base_deg: float
    wedge_deg: Mapping[str, float] = field(default_factory=dict)
    side_deg: Mapping[str, float] = field(default_factory=dict)
    turn_deg: Mapping[str, float] = field(default_factory=dict)
    forward_mm: Mapping[str, float] = field(default_factory=dict)
    left_mm: Mapping[str, float] = field(default_factory=dict)
    disc: Mapping[str, float] = field(default_factory=dict)


def presacral_levels(presacral: int) -> tuple[str, ...]:
    """Return C2 ... the last mobile vertebra for 23 to 26 presacral vertebrae (26: a thirteenth thoracic and a sixth lumbar one)."""
    thoracic = [f"T{i}" for i in range(1, 14 if presacral == 26 else 13)]
    lumbar = [f"L{i}" for i in range(1, {23: 5, 24: 6, 25: 7, 26: 7}[presacral])]
    return (*CERVICAL, *thoracic, *lumbar)


def draw_presacral(rng: np.random.Generator, anomalous: float) -> int:
    """Draw the number of vertebrae above the sacrum: 24, but for a part of the patients, ``anomalous``, 23, 25 or 26."""
    if rng.random() >= anomalous:
        return NORMAL_PRESACRAL
    return int(rng.choice(list(PRESACRAL_SHARES), p=list(PRESACRAL_SHARES.values())))


def bend_deg(level: str) -> float:
    """Return the angle between a body's endplates, positive where the front is taller."""
    size = sizes(level)
    return float(np.rad2deg(np.arctan2(size[2] - size[3], 2 * size[1])))


def shared_out(levels: Sequence[str], total_deg: float, shares: Sequence[float] | Floats) -> dict[str, float]:
    """Return the disc angles that, with the bodies' own, add up to ``total_deg``; levels without a share are left out."""
    weights = np.asarray(shares, dtype=np.float64) / np.sum(shares)
    rest = total_deg - sum(bend_deg(v) for v in levels)
    return {v: float(rest * w) for v, w in zip(levels, weights, strict=True) if w > 0}


def sizes(level: str) -> Floats:
    """Return half width, half depth, front and back height, pedicle distance, width, height and disc height (mm)."""
    known = [name for name in _ORDER if name in _SIZES]
    at = [_ORDER.index(name) for name in known]
    return np.array([np.interp(_ORDER.index(level), at, [_SIZES[name][k] for name in known]) for k in range(8)])


def build(stack: Stack, scale: Mapping[str, float], hollow_mm: float) -> dict[str, Vertebra]:
    """Return the vertebrae by level in patient LPS; the origin is the centre of the lowest one."""
    made: dict[str, Vertebra] = {}
    below: Vertebra | None = None
    tilt = stack.base_deg
    for level in reversed(stack.levels):
        size = sizes(level) * scale[level]
        bend = float(np.rad2deg(np.arctan2(size[2] - size[3], 2 * size[1])))
        wedge = stack.wedge_deg.get(level, 0.0) if below is not None else 0.0
        middle = tilt + bend / 2 if below is None else tilt - wedge - bend / 2
        axes = turned(middle, stack.side_deg.get(level, 0.0), stack.turn_deg.get(level, 0.0))
        v = _vertebra(level, np.zeros(3), axes, size, hollow_mm)
        if below is not None:
            v = _vertebra(level, _resting(v, below, stack, size[7], wedge), axes, size, hollow_mm)
        made[level], below, tilt = v, v, middle - bend / 2
    return {level: made[level] for level in stack.levels}


def hang(top: Vertebra, levels: Sequence[str], scale: float, bend_deg: Sequence[float]) -> dict[str, Vertebra]:
    """Return the sacral vertebrae below S1, each turned by ``bend_deg`` against the one above."""
    made: dict[str, Vertebra] = {}
    above = top
    for level, bend in zip(levels, bend_deg, strict=True):
        size = sizes(level) * scale
        axes = above.axes @ turned(bend)
        joint = above.point("lower", 0, 0) - above.axes[:, 2] * size[7]
        made[level] = above = _vertebra(level, joint - axes[:, 2] * (size[2] + size[3]) / 4, axes, size, 0.3)
    return made


def moved(vertebrae: Mapping[str, Vertebra], by_mm: Floats, turn: Floats | None = None) -> dict[str, Vertebra]:
    """Return the vertebrae shifted and then turned about the origin."""
    turn = np.eye(3) if turn is None else turn
    return {name: _replaced(v, turn @ (v.centre_mm + by_mm), turn @ v.axes) for name, v in vertebrae.items()}


def _replaced(v: Vertebra, centre_mm: Floats, axes: Floats) -> Vertebra:
    return Vertebra(v.level, centre_mm, axes, v.half_width_mm, v.half_depth_mm, v.height_mm, v.pedicle_mm, v.taper, v.hollow_mm, v.waist)


def _vertebra(level: str, centre_mm: Floats, axes: Floats, size: Floats, hollow_mm: float) -> Vertebra:
    pedicle = (float(size[4]), float(size[5]), float(size[6]))
    taper = {"S": 0.0, "L": 0.025, "T": 0.035, "C": 0.03}[level[0]]
    if level in SACRAL:
        taper = -0.14
    return Vertebra(level, centre_mm, axes, float(size[0]), float(size[1]), (float(size[2]), float(size[3])), pedicle, taper, hollow_mm)


def _resting(v: Vertebra, below: Vertebra, stack: Stack, disc_mm: float, wedge_deg: float) -> Floats:
    """Return the centre at which ``v``, drawn at the origin, stands displaced by the wanted amounts on ``below``.

    The back corner lies ``forward_mm`` in front of the lower back corner (Meyerding's slip), the endplate's middle ``left_mm`` to the
    left of the lower middle, both measured along the lower vertebra's upper endplate.
    """
    back = below.direction("upper")
    left = below.axes[:, 0]
    normal = np.cross(left, back)
    height = disc_mm * stack.disc.get(v.level, 1.0)
    rear = max(height - v.half_depth_mm * float(np.sin(np.deg2rad(wedge_deg))), 0.22 * disc_mm, 1.2)
    corner, middle = v.point("lower", 0, 1), v.point("lower", 0, 0)
    target = below.point("upper", 0, 1)
    along = (target - corner) @ back - stack.forward_mm.get(v.level, 0.0)
    aside = (below.point("upper", 0, 0) - middle) @ left + stack.left_mm.get(v.level, 0.0)
    up = (target - corner) @ normal + rear
    return along * back + aside * left + up * normal
