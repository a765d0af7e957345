"""How a patient stands, seen from the side: the sagittal parameters that are drawn first, and the spine, hips and head that follow from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from spinelab.phantoms.camera import Floats
from spinelab.phantoms.column import Stack, bend_deg, build, draw_presacral, hang, moved, presacral_levels, shared_out
from spinelab.phantoms.vertebra import Vertebra, turned

_UPPER_THORACIC: Final = ("T1", "T2", "T3")
_MEASURED_THORACIC: Final = tuple(f"T{i}" for i in range(4, 13))
_SACRUM_BEND_DEG: Final = (-4.0, -13.0, -16.0)
_TILT_LIMITS_DEG: Final = (-6.0, 48.0)
_STIFF_FROM_DEG: Final = (36.0, 6.0)
"""Pelvic tilt that a patient's hips and hamstrings allow in standing: mean and standard deviation."""
_SVA_LIMITS_MM: Final = (-70.0, 150.0)
_LONGEST_REACH_MM: Final = 330.0
"""From the foremost to the hindmost landmark: more does not fit on a film 430 mm wide."""


@dataclass(frozen=True)
class Stance:
    """Limits from which a stance is drawn.

    Parameters
    ----------
    deformed
        Part of the patients with a sagittal deformity (adults; half as often below 40 years).
    spread
        Factor on the usual standard deviations.
    wear
        Factor on the disc height that age takes.
    bow_deg, twist_deg
        Standard deviation of the coronal tilt and axial rotation in the middle of an incidental coronal curve.
    yaw_deg, roll_deg
        Standard deviation of the patient's rotation about the long axis, and of the film in its plane.
    anomalous
        Part of the patients with a number of presacral vertebrae other than 24.
    """

    deformed: float
    spread: float
    wear: float
    bow_deg: float
    twist_deg: float
    yaw_deg: float
    roll_deg: float
    anomalous: float


STANCES: Final = {
    "easy": Stance(0.15, 0.8, 0.3, 0.0, 0.0, 0.0, 0.0, 0.0),
    "typical": Stance(0.35, 1.0, 1.0, 1.5, 2.0, 1.8, 0.4, 0.0),
    "hard": Stance(0.45, 1.2, 1.3, 4.0, 5.0, 3.5, 0.9, 0.12),
}


@dataclass(frozen=True)
class Angles:
    """The drawn clinical parameters in degrees (SVA in mm); ``bends_deg`` tells how they are shared out over the levels.

    They hold in the patient's midsagittal plane. The film shows them through perspective and the patient's rotation.
    """

    pi: float
    pt: float
    ll: float
    tk: float
    c2_c7: float
    sva_mm: float
    gaze: float
    bends_deg: Mapping[str, float]
    deformed: bool

    @property
    def ss(self) -> float:
        return self.pi - self.pt

    @property
    def t1_slope(self) -> float:
        return self.ss - self.ll - self.bends_deg["T12"] + self.tk + self.bends_deg["T1-T3"]


@dataclass(frozen=True, eq=False)
class Posture:
    """Where everything is, in LPS millimetres with the origin midway between the femoral heads.

    ``skull`` is the frame of the skull at the basion: origin and axes (left, posterior, superior in the Frankfurt plane).
    """

    angles: Angles
    spine: Mapping[str, Vertebra]
    heads_mm: Floats
    head_radius_mm: float
    dens_tip_mm: Floats
    skull: tuple[Floats, Floats]
    scale: float
    presacral: int

    @property
    def head_scale(self) -> float:
        """Size of the head against an adult's: at six years it has nearly nine tenths of it."""
        return float(self.scale**0.3)

    @property
    def reach_mm(self) -> float:
        """Distance from the foremost to the hindmost landmark."""
        y = self.depths_mm
        return float(y.max() - y.min())

    @property
    def depths_mm(self) -> Floats:
        """Depths (y) of the landmarks that lie farthest forwards and backwards."""
        ends = [v.point("upper", 0, side)[1] for v in self.spine.values() if v.level[0] != "S" or v.level == "S1" for side in (-1, 1)]
        face = [(self.skull[0] + self.skull[1] @ np.array(p) * self.head_scale)[1] for p in ((0.0, -98.0, 65.0), (0.0, -88.0, -62.0), (0.0, 36.0, 0.0))]
        return np.array([*ends, *face, *self.heads_mm[:, 1]])


def draw_posture(rng: np.random.Generator, limits: Stance, age_years: int, scale: float, hollow_mm: float) -> Posture:
    """Draw a stance that a person can keep and a film can hold; the pelvis tilts until the head stands where it should.

    Retroversion is the answer of the pelvis to a spine that leans forwards, so pelvic tilt is solved for from the drawn sagittal vertical axis
    and not drawn. Stances beyond the limits of the hips, or wider than any film, are drawn again; the width of the film has no part in it.
    """
    presacral = draw_presacral(rng, limits.anomalous)
    for _ in range(200):
        posture = _stand(rng, limits, age_years, scale, hollow_mm, presacral)
        low, high = _SVA_LIMITS_MM
        if posture.reach_mm <= _LONGEST_REACH_MM and low <= posture.angles.sva_mm <= high and -5 <= posture.angles.t1_slope <= 65:
            break
    return posture


def _stand(rng: np.random.Generator, limits: Stance, age_years: int, scale: float, hollow_mm: float, presacral: int) -> Posture:
    wanted = _angles(rng, limits, age_years)
    levels = presacral_levels(presacral)
    upright = _build(rng, limits, wanted, levels, age_years, scale, hollow_mm)
    radius = float(rng.normal(113, 6)) * scale
    half_span, head_radius = float(rng.normal(88, 4)) * scale, float(rng.normal(24.3, 1.0)) * scale
    middle = upright["S1"].point("upper", 0, 0)
    towards = np.deg2rad(wanted.pt)
    hips = middle + radius * np.array([0.0, -np.sin(towards), -np.cos(towards)])
    stiff = float(np.clip(rng.normal(*_STIFF_FROM_DEG), 20.0, _TILT_LIMITS_DEG[1]))
    lean = _lean_deg(upright, wanted, stiff)
    spine = moved(upright, -hips, turned(-lean))
    angles = Angles(
        wanted.pi, wanted.pt + lean, wanted.ll, wanted.tk, wanted.c2_c7, _sva_mm(spine), wanted.gaze, wanted.bends_deg, wanted.deformed
    )  # fmt: skip
    heads = np.array([[half_span, 0, 0], [-half_span, 0, 0]])
    tip = spine["C2"].point("upper", 0, 0.1) + spine["C2"].axes[:, 2] * 16.5 * scale
    basion = tip + np.array([0.0, float(rng.uniform(-3, 2)), float(rng.uniform(4.5, 8.0))]) * scale
    return Posture(angles, spine, heads, head_radius, tip, (basion, turned(wanted.gaze)), scale, presacral)


def _angles(rng: np.random.Generator, limits: Stance, age_years: int) -> Angles:
    """Draw the shape of a spine; the means follow Schwab 2006, Le Huec 2011 and Iyer 2016 roughly, with their change by age."""
    wide = limits.spread
    deformed = bool(rng.random() < limits.deformed * (1.0 if age_years >= 40 else 0.5))
    young = np.interp(age_years, [6, 17], [8.0, 0.0])
    pi = float(np.clip(rng.normal(52 - young, 10.5 * wide), 28, 85))
    ll = 0.52 * pi + 35.0 - 0.20 * max(age_years - 45, 0) + rng.normal(0, 6 * wide)
    tk = 34 + 0.22 * max(age_years - 35, 0) + rng.normal(0, 8 * wide)
    sva = float(np.interp(age_years, [6, 25, 80], [-10, -8, 35]) + rng.normal(0, 20 * wide))
    if deformed:
        ll -= rng.normal(24, 11)
        tk += rng.choice([-14.0, 4.0, 18.0]) + rng.normal(0, 6)
        sva += rng.normal(45, 35)
    bends = {"T12": rng.normal(-1, 2 * wide), "T1-T3": rng.normal(7, 2.5 * wide), "C7": rng.normal(1.0, 1.2 * wide)}
    ll, tk = float(np.clip(ll, -8, 85)), float(np.clip(tk, 6, 85))
    pt = 0.0
    slope = pi - 0.30 * pi + 2 - ll - bends["T12"] + tk + bends["T1-T3"]
    lordosis = float(np.clip(slope - bends["C7"] - rng.normal(16, 6 * wide), -18, 42))
    gaze = float(np.clip(rng.normal(1 + 2 * deformed, 4.5 * wide), -14, 20))
    return Angles(pi, pt, ll, tk, lordosis, sva, gaze, {k: float(v) for k, v in bends.items()}, deformed)


def _build(
    rng: np.random.Generator, limits: Stance, angles: Angles, levels: tuple[str, ...], age_years: int, scale: float, hollow_mm: float
) -> dict[str, Vertebra]:
    """Stack the vertebrae on a sacrum of slope PI (PT = 0); the pelvis turns afterwards."""
    lumbar = [v for v in levels if v[0] == "L"]
    shares = np.linspace(0.06, 0.34, len(lumbar)) * rng.uniform(0.85, 1.15, len(lumbar))
    wedge = shared_out(lumbar, angles.ll, shares)
    even = np.ones(len(_MEASURED_THORACIC) - 1) * rng.uniform(0.7, 1.3, len(_MEASURED_THORACIC) - 1)
    wedge |= shared_out(_MEASURED_THORACIC, -angles.tk, [*even, 0.0])
    wedge |= shared_out(_UPPER_THORACIC, -angles.bends_deg["T1-T3"], [1.0, 1.0, 1.0])
    neck = [v for v in levels if v[0] == "C" and v != "C2"]
    wedge |= shared_out(["C2", *neck], angles.c2_c7 + bend_deg("C2"), [*rng.uniform(0.8, 1.2, len(neck)), 0.0])
    wedge["C7"] = angles.bends_deg["C7"]
    below = "T13" if "T13" in levels else "T12"
    wedge[below] = angles.bends_deg["T12"]
    if below == "T13":
        wedge["T12"] = -bend_deg("T13")
    worn = np.interp(age_years, [25, 85], [0.0, 0.35]) * limits.wear
    disc = {v: float(np.clip(rng.normal(1 - worn * (0.4 + 0.6 * (v[0] != "T")), 0.07 + 0.12 * worn), 0.35, 1.2)) for v in levels}
    bow, phase = rng.normal(0, limits.bow_deg), rng.uniform(0, np.pi)
    along = np.arange(len(levels))[::-1]
    side = {v: float(bow * (np.sin(phase + 0.35 * k) - np.sin(phase)) * np.exp(-k / 18)) for v, k in zip(levels, along, strict=True)}
    twist = rng.normal(0, limits.twist_deg)
    turn = {v: float(twist * np.sin(np.pi * k / len(levels))) for v, k in zip(levels, along, strict=True)}
    stack = Stack((*levels, "S1"), angles.pi, wedge, side, turn, disc=disc)
    spine = build(stack, dict.fromkeys(stack.levels, scale), hollow_mm)
    return spine | hang(spine["S1"], ("S2", "S3", "S4"), scale, _SACRUM_BEND_DEG)


def _lean_deg(spine: Mapping[str, Vertebra], angles: Angles, stiff_from_deg: float) -> float:
    """Return how far the pelvis tilts back so that C7 stands at the wanted distance in front of the sacrum, or as far as the hips let it."""
    way = spine["C7"].centre_mm - spine["S1"].point("upper", 0, 1)
    forward, up = -way[1], way[2]
    length = np.hypot(forward, up)
    lean = np.arctan2(forward, up) - np.arcsin(np.clip(angles.sva_mm / length, -0.9, 0.9))
    return float(np.clip(np.rad2deg(lean), _TILT_LIMITS_DEG[0], stiff_from_deg)) - angles.pt


def _sva_mm(spine: Mapping[str, Vertebra]) -> float:
    return float(spine["S1"].point("upper", 0, 1)[1] - spine["C7"].centre_mm[1])
