"""Draw a patient: sex, age, size, bone density, curves and slips from clinical distributions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from spinelab.core import TaskError
from spinelab.phantoms.column import LUMBAR, Stack, bend_deg, sizes
from spinelab.phantoms.difficulty import Difficulty
from spinelab.phantoms.trunk import Build

DISORDERS: Final = ("anterolisthesis", "retrolisthesis", "right-laterolisthesis", "left-laterolisthesis")
DISORDER_SHARES: Final = np.array([57, 9, 7, 3]) / 76
"""How the 76 disordered patients of BUU-LSPINE divide."""

SITES: Final = {"L1": "L1/L2", "L2": "L2/L3", "L3": "L3/L4", "L4": "L4/L5", "L5": "L5/S1"}
"""Disc level below each vertebra; a slip is named after it."""
_BELOW: Final = {"L1": "L2", "L2": "L3", "L3": "L4", "L4": "L5", "L5": "S1"}

# Where each kind of slip sits, L1 to L5: degenerative slips at L4/L5, isthmic ones at L5/S1, lateral ones in the middle of the curve.
_WHERE: Final = {
    "anterolisthesis": (0.01, 0.04, 0.13, 0.50, 0.32),
    "retrolisthesis": (0.10, 0.25, 0.28, 0.25, 0.12),
    "right-laterolisthesis": (0.08, 0.25, 0.42, 0.25, 0.0),
    "left-laterolisthesis": (0.08, 0.25, 0.42, 0.25, 0.0),
}
_SHARES: Final = {"L1": 0.10, "L2": 0.15, "L3": 0.20, "L4": 0.25, "L5": 0.30}
_SETTLED_LIMIT_PERCENT: Final = 3.2


@dataclass(frozen=True)
class Slip:
    """A vertebra displaced on the one below.

    ``percent`` is of the lower vertebra's upper endplate, positive forwards (antero-, retrolisthesis) or to the patient's left
    (laterolisthesis). ``isthmic`` slips leave the arch behind.
    """

    vertebra: str
    kind: str
    percent: float
    slip_mm: float
    isthmic: bool = False

    @property
    def site(self) -> str:
        return SITES[self.vertebra]


@dataclass(frozen=True)
class Patient:
    """Everything about a patient that does not depend on a slip."""

    sex: str
    age_years: int
    scale: float
    density: float
    hollow_mm: float
    build: Build
    stack: Stack
    """The spine as it would stand without a slip."""


def draw_age(rng: np.random.Generator) -> int:
    """Return an age from 6 to 89 years with mean 50."""
    return int(np.clip(round(rng.normal(51, 18)), 6, 89))


def draw_patient(rng: np.random.Generator, limits: Difficulty, sex: str | None = None, age_years: int | None = None) -> Patient:
    """Draw a patient; sex and age may be given (the source has 68 % women)."""
    drawn_sex, drawn_age = ("F" if rng.random() < 0.68 else "M"), draw_age(rng)
    sex, age = sex or drawn_sex, drawn_age if age_years is None else age_years
    growth = float(np.interp(age, [6, 17], [0.64, 1.0]))
    scale = growth * (0.955 if sex == "F" else 1.05) * rng.normal(1, 0.03)
    loss = max(age - 50, 0) * (0.011 if sex == "F" else 0.006)
    density = float(np.clip(rng.normal(1.0 - loss, 0.05 + 0.05 * limits.spread), 0.4, 1.15))
    weight = float(np.clip(rng.normal(1.0, 0.07 * limits.spread + 0.02), 0.8, 1.35)) * (0.35 + 0.65 * growth)
    build = Build(156 * weight, 114 * weight * (1.0 if sex == "F" else 1.04), float(rng.uniform(8, 22)) * weight**2)
    return Patient(sex, age, float(scale), density, float(rng.uniform(1.0, 2.4)), build, _stand(rng, limits, age, float(scale)))


def draw_slips(rng: np.random.Generator, limits: Difficulty, disorder: str | None, scale: float, *, alone: bool = False) -> tuple[Slip, ...]:
    """Draw the slips of a patient: none for ``None``, at times a second one where the difficulty allows several and not ``alone``."""
    if disorder is None:
        return ()
    if disorder not in _WHERE:
        raise TaskError(f"Disorder {disorder!r}", expected=f"one of {', '.join(_WHERE)} or none", action="choose one of them")
    slips = [_slip(rng, limits, disorder, str(rng.choice(LUMBAR, p=_WHERE[disorder])), scale)]
    if rng.random() < limits.several and not alone:
        kind = str(rng.choice(DISORDERS, p=DISORDER_SHARES))
        vertebra = str(rng.choice(LUMBAR, p=_WHERE[kind]))
        second = _slip(rng, limits, kind, vertebra, scale)
        # The first one names the patient, so the second is clearly smaller, as any reader of the film would measure.
        if vertebra != slips[0].vertebra and abs(second.percent) < 0.6 * abs(slips[0].percent):
            slips.append(second)
    return tuple(sorted(slips, key=lambda s: s.vertebra))


def with_slips(stack: Stack, slips: tuple[Slip, ...]) -> Stack:
    """Return the spine with these slips in place of the small displacement those levels would have."""
    forward = {**stack.forward_mm, **{s.vertebra: s.slip_mm for s in slips if not s.kind.endswith("laterolisthesis")}}
    left = {**stack.left_mm, **{s.vertebra: s.slip_mm for s in slips if s.kind.endswith("laterolisthesis")}}
    return Stack(stack.levels, stack.base_deg, stack.wedge_deg, stack.side_deg, stack.turn_deg, forward, left, stack.disc)


def endplate_mm(vertebra: str, scale: float) -> tuple[float, float]:
    """Return width and depth of the upper endplate below ``vertebra``, on which slips are measured."""
    below = _BELOW[vertebra]
    half_width, half_depth, front, rear = sizes(below)[:4] * scale
    taper = -0.14 if below == "S1" else 0.025
    depth = 2 * half_depth * (1 - taper)
    return float(2 * half_width * (1 - taper)), float(np.hypot(depth, (front - rear) / 2 * (1 - taper)))


def _slip(rng: np.random.Generator, limits: Difficulty, kind: str, vertebra: str, scale: float) -> Slip:
    low, high = limits.slip_percent
    lateral = kind.endswith("laterolisthesis")
    if lateral:
        low = max(0.7 * low, 6.0)
    if kind != "anterolisthesis":
        high = max(0.6 * high, low + 4)
    size = float(rng.uniform(low, high))
    sign = 1 if kind in ("anterolisthesis", "left-laterolisthesis") else -1
    width, depth = endplate_mm(vertebra, scale)
    chance = {"L5": 0.7, "L4": 0.15}.get(vertebra, 0.0)
    isthmic = bool(rng.random() < chance) and kind == "anterolisthesis"
    return Slip(vertebra, kind, sign * size, sign * size / 100 * (width if lateral else depth), isthmic)


def _stand(rng: np.random.Generator, limits: Difficulty, age: int, scale: float) -> Stack:
    """Draw the curves of a spine without slips, T8 to S1."""
    lordosis = float(np.clip(rng.normal(51, min(1 + 8 * limits.spread, 12)), 30, 72))
    slope = float(np.clip(0.66 * lordosis + rng.normal(4, 0.5 + 3 * min(limits.spread, 1.5)), 20, 56))
    bends = {v: bend_deg(v) for v in LUMBAR}
    wedge = {v: _SHARES[v] * (lordosis - sum(bends.values())) + float(rng.normal(0, 0.8 * limits.spread)) for v in LUMBAR}
    phase, bow = rng.uniform(0, np.pi), float(np.clip(rng.normal(0, 0.5), -1, 1)) * limits.side_deg
    levels = ("T8", "T9", "T10", "T11", "T12", *LUMBAR)
    side = {v: bow * float(np.sin(phase + 0.45 * i) - np.sin(phase + 0.45 * len(levels))) for i, v in enumerate(levels)}
    twist = float(np.clip(rng.normal(0, 0.5), -1, 1)) * limits.turn_deg
    turn = {v: twist * float(np.sin(np.pi * i / len(levels))) for i, v in enumerate(levels)}
    worn = float(np.interp(age, [20, 80], [0.02, 0.35]))
    disc = {v: float(np.clip(rng.normal(1, 0.06 * (1 + limits.spread)) - (rng.uniform(0.2, 0.5) if rng.random() < worn else 0), 0.4, 1.3)) for v in levels}
    return Stack(
        (*levels, "S1"),
        slope,
        {**wedge, "T12": 2.0, "T11": 0.0, "T10": -2.5, "T9": -3.0, "T8": -3.0},
        side,
        turn,
        _settled(rng, limits, 34 * scale),
        _settled(rng, limits, 48 * scale),
        disc,
    )


def _settled(rng: np.random.Generator, limits: Difficulty, endplate: float) -> Mapping[str, float]:
    """Draw the small displacements that every spine has, below what counts as a slip."""
    percent = np.clip(rng.normal(0, limits.settle_percent, len(LUMBAR)), -_SETTLED_LIMIT_PERCENT, _SETTLED_LIMIT_PERCENT)
    return {v: float(p) * endplate / 100 for v, p in zip(LUMBAR, percent, strict=True)}
