"""A lumbar spine to be imaged: its curve, its discs, and the widths in mm of canal, foramina and lateral recesses, each graded by a stated rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.special import ndtr

from spinelab.core import TaskError

Floats = NDArray[np.float64]

MR_LEVELS: Final = ("L1/L2", "L2/L3", "L3/L4", "L4/L5", "L5/S1")
MR_GRADES: Final = ("Normal/Mild", "Moderate", "Severe")
SIDES: Final = ("left", "right")

CANAL_MM2: Final = (100.0, 75.0)
"""Cross-section of the dural sac at the disc: at most 100 mm2 is moderate, at most 75 mm2 severe (Schoenstroem N, Hansson T. Spine 1988;13:385-388)."""
RECESS_MM: Final = (3.0, 2.0)
"""Depth of the lateral recess: at most 3 mm is moderate, at most 2 mm severe (Ciric I et al. J Neurosurg 1980;53:433-443: suggestive, diagnostic)."""
FORAMEN_RATIO: Final = (1.25, 0.8)
"""Free width of the foramen at the nerve root, in diameters of the root: at most 1.25 (no fat before and behind it) is moderate, at most 0.8 (the root is
flattened) severe: the order of Lee S et al., AJR 2010;194:1095-1098, put into mm."""
ROOT_MM: Final = 5.4
"""Diameter of the ganglion in the foramen."""
FORAMEN_AT_MM: Final = 16.5
"""Distance of the foramen's middle from the midline, and of the recess's."""
RECESS_AT_MM: Final = 10.0

SACRALISED: Final = "sacralised L5"
"""The last lumbar vertebra belongs to the sacrum, its disc is a remnant: four lumbar levels move."""
LUMBARISED: Final = "lumbarised S1"
"""The first sacral vertebra is free, with a disc below it: six lumbar levels move."""
_TRANSITIONAL: Final = {SACRALISED: 0.07, LUMBARISED: 0.05}
"""Part of the `hard` patients; 4 to 30 % of people are reported to have a transitional vertebra (Konin GP, Walz DM. AJNR 2010;31:1778-1786)."""
_OPERATED: Final = 0.10
"""Part of the `hard` patients with pedicle screws."""

# Grades a column in large public collections: Normal/Mild, Moderate, Severe from L1/L2 to L5/S1.
_SHARES: Final = {
    "canal": ((0.955, 0.034, 0.011), (0.897, 0.076, 0.027), (0.822, 0.116, 0.062), (0.751, 0.120, 0.129), (0.964, 0.026, 0.010)),
    "foramen": ((0.965, 0.032, 0.003), (0.909, 0.086, 0.005), (0.770, 0.209, 0.021), (0.612, 0.319, 0.069), (0.641, 0.258, 0.101)),
    "recess": ((0.930, 0.056, 0.014), (0.827, 0.132, 0.041), (0.671, 0.230, 0.099), (0.451, 0.316, 0.233), (0.714, 0.205, 0.081)),
}
# Limits from which the sizes of each grade are drawn. `hard` leaves no gap between grades.
_SIZES: Final = {
    "easy": {"canal": ((165, 230), (82, 92), (25, 45)), "recess": ((4.6, 6.0), (2.4, 2.7), (0.5, 1.1)), "foramen": ((1.6, 2.0), (0.95, 1.1), (0.3, 0.5))},
    "typical": {"canal": ((115, 230), (79, 96), (28, 70)), "recess": ((3.5, 6.0), (2.2, 2.8), (0.4, 1.7)), "foramen": ((1.4, 2.0), (0.88, 1.18), (0.3, 0.7))},
    "hard": {"canal": ((101, 230), (76, 100), (28, 75)), "recess": ((3.05, 6.0), (2.02, 3.0), (0.4, 2.0)), "foramen": ((1.27, 2.0), (0.81, 1.25), (0.3, 0.8))},
}  # fmt: skip


def mr_grade(structure: str, size: float) -> str:
    """Grade a drawn size: dural sac in mm2 (``canal``), recess in mm (``recess``), foramen in root diameters (``foramen``)."""
    moderate, severe = {"canal": CANAL_MM2, "recess": RECESS_MM, "foramen": FORAMEN_RATIO}[structure]
    return MR_GRADES[int(size <= moderate) + int(size <= severe)]


@dataclass(frozen=True)
class DrawnLevel:
    """One disc level as drawn.

    Parameters
    ----------
    canal_mm2
        Cross-section of the dural sac at the disc.
    recess_mm, foramen_mm
        Depth of the lateral recess and free width of the foramen at the root, by the patient's side.
    wear
        0 for a fresh disc, 1 for a dark, flat one.
    """

    name: str
    canal_mm2: float
    recess_mm: Mapping[str, float]
    foramen_mm: Mapping[str, float]
    wear: float
    bulge_mm: float
    sac_width_mm: float

    @property
    def sac_depth_mm(self) -> float:
        """Depth of the dural sac, an ellipse, from front to back."""
        return self.canal_mm2 / (np.pi / 4 * self.sac_width_mm)

    def grades(self) -> dict[tuple[str, str | None], str]:
        """Return the grade of each structure and side."""
        sides: dict[tuple[str, str | None], str] = {("recess", side): mr_grade("recess", self.recess_mm[side]) for side in SIDES}
        sides |= {("foramen", side): mr_grade("foramen", self.foramen_mm[side] / ROOT_MM) for side in SIDES}
        return {("canal", None): mr_grade("canal", self.canal_mm2), **sides}


@dataclass(frozen=True, eq=False)
class LumbarSpine:
    """The drawn spine in its own coordinates: ``s`` mm along the back wall of the bodies, upwards from the upper endplate of S1; ``a`` mm behind it.

    ``path`` holds rows of s, y, z (LPS mm) and the lean (degrees from vertical, forward positive) along the curve. ``discs`` holds the middle and the
    height of the discs L5/S1 upwards to T11/T12; ``bodies`` middle and height of L5 .. T11. ``transition`` is the kind of a transitional vertebra,
    ``screws`` the places in ``bodies`` of those with pedicle screws, around which the signal is lost for ``bloom_mm`` more than they are wide.
    """

    levels: tuple[DrawnLevel, ...]
    path: Floats
    discs: Floats
    bodies: Floats
    depth_mm: float
    half_width_mm: float
    conus_mm: float
    sideways: tuple[float, float]
    fatty: float
    seed: int
    transition: str | None = None
    screws: tuple[int, ...] = ()
    bloom_mm: float = 0.0

    def disc_of(self, level: str) -> tuple[float, float]:
        """Return the middle and the height of a level's disc."""
        middle, height = self.discs[len(MR_LEVELS) - 1 - MR_LEVELS.index(level)]
        return float(middle), float(height)

    def sideways_at(self, s: Floats | float) -> Floats:
        """Return the spine's x in mm: a shallow curve."""
        bow, phase = self.sideways
        found: Floats = bow * np.sin(np.asarray(s) / 95.0 + phase)
        return found

    def to_patient(self, r: float, a: float, s: float) -> Floats:
        """Return LPS mm of a point ``r`` mm to the patient's left of the midline, ``a`` behind the back wall, ``s`` along the spine."""
        y, z, lean = (float(np.interp(s, self.path[0], row)) for row in self.path[1:])
        radians = np.radians(lean)
        return np.array([r + float(self.sideways_at(s)), y + a * np.cos(radians), z + a * np.sin(radians)])

    def lean_deg(self, s: float) -> float:
        """Return by how much the disc at ``s`` leans forward."""
        return float(np.interp(s, self.path[0], self.path[3]))

    def target(self, structure: str, level: str, side: str | None) -> Floats:
        """Return the LPS mm of the middle of a structure."""
        middle, height = self.disc_of(level)
        drawn = self.levels[MR_LEVELS.index(level)]
        sign = -1.0 if side == "right" else 1.0
        if structure == "canal":
            return self.to_patient(0.0, drawn.bulge_mm + 0.6 + drawn.sac_depth_mm / 2, middle)
        if structure == "recess":
            return self.to_patient(sign * RECESS_AT_MM, drawn.bulge_mm + drawn.recess_mm[side or "left"] / 2, middle)
        return self.to_patient(sign * FORAMEN_AT_MM, foramen_front(drawn, side or "left") + drawn.foramen_mm[side or "left"] / 2, root_at(middle, height))


def foramen_front(level: DrawnLevel, side: str) -> float:
    """Return where the foramen's front wall lies: the narrower the foramen, the further disc and osteophytes reach back."""
    return -1.5 + 0.45 * max(0.0, 9.5 - level.foramen_mm[side])


def root_at(disc_middle: float, disc_height: float) -> float:
    """Return ``s`` of the root in the foramen: under the pedicle of the vertebra above."""
    return disc_middle + disc_height / 2 + 6.5


def draw_spine(rng: np.random.Generator, difficulty: str) -> LumbarSpine:
    """Draw a patient's lumbar spine; sizes within a grade do not depend on anything but the difficulty."""
    if difficulty not in _SIZES:
        raise TaskError(f"Difficulty {difficulty!r}", expected=", ".join(_SIZES), action="choose one of them")
    levels = _draw_levels(rng, difficulty)
    transition = _draw_transition(rng) if difficulty == "hard" else None
    if transition == SACRALISED:
        levels = (*levels[:-1], replace(levels[-1], wear=0.8, bulge_mm=0.0))
    heights = np.array([rng.normal(mean, 0.7) * (1 - 0.5 * level.wear) for mean, level in zip((8.5, 9.5, 10.5, 11.5, 11.0), levels, strict=True)])
    heights = np.clip(heights, 3.5, 13)
    if transition == SACRALISED:
        heights[-1] = 2.2
    discs, bodies = _ladder(np.concatenate([heights[::-1], [7.5, 6.5]]), rng.normal(27.0, 1.5))
    lordosis = np.clip(rng.normal(1.0, 0.0 if difficulty == "easy" else 0.18), 0.6, 1.4)
    return LumbarSpine(
        levels=levels,
        path=_path(discs, bodies, lordosis, rng.normal(0, 2)),
        discs=discs,
        bodies=bodies,
        depth_mm=float(rng.normal(33, 2)),
        half_width_mm=float(rng.normal(23.5, 1.5)),
        conus_mm=float(discs[4, 0] + rng.normal(3, 9)),
        sideways=(float(rng.normal(0, {"easy": 0.0, "typical": 1.2, "hard": 3.5}[difficulty])), float(rng.uniform(0, 2 * np.pi))),
        fatty=float(rng.uniform(0.05, 0.6)),
        seed=int(rng.integers(2**31)),
        transition=transition,
        **(_draw_screws(rng) if difficulty == "hard" else {}),
    )


def _draw_transition(rng: np.random.Generator) -> str | None:
    kinds = (*_TRANSITIONAL, None)
    shares = (*_TRANSITIONAL.values(), 1 - sum(_TRANSITIONAL.values()))
    return kinds[int(rng.choice(len(kinds), p=shares))]


def _draw_screws(rng: np.random.Generator) -> dict[str, Any]:
    """Return two or three neighbouring vertebrae with screws, in a few patients."""
    lowest, count, bloom = int(rng.integers(0, 3)), int(rng.integers(2, 4)), float(rng.uniform(2.5, 5.0))
    return {"screws": tuple(range(lowest, lowest + count)), "bloom_mm": bloom} if rng.random() < _OPERATED else {}


def _draw_levels(rng: np.random.Generator, difficulty: str) -> tuple[DrawnLevel, ...]:
    """Draw the grades, tied to each other by how worn patient and level are, and a size for each."""
    person = rng.normal()
    return tuple(_draw_level(rng, difficulty, place, 0.5 * person + 0.5 * rng.normal()) for place in range(len(MR_LEVELS)))


def _draw_level(rng: np.random.Generator, difficulty: str, place: int, worn: float) -> DrawnLevel:
    def size(structure: str) -> float:
        rank = float(ndtr(worn + np.sqrt(0.5) * rng.normal()))
        shares = (0.5, 0.25, 0.25) if difficulty == "easy" else _SHARES[structure][place]
        grade = int(np.searchsorted(np.cumsum(shares)[:2], rank))
        low, high = _SIZES[difficulty][structure][grade]
        return float(rng.uniform(low, high))

    area = size("canal")
    wear = float(np.clip(ndtr(worn * 1.2 + 0.35 * rng.normal()) * (0.55 + 0.12 * place), 0, 1))
    return DrawnLevel(
        name=MR_LEVELS[place],
        canal_mm2=area,
        recess_mm={side: size("recess") for side in SIDES},
        foramen_mm={side: size("foramen") * ROOT_MM for side in SIDES},
        wear=wear,
        bulge_mm=float(np.clip(rng.normal(0.6 + 1.8 * wear, 0.6), 0.0, 4.0)),
        sac_width_mm=float(np.clip(12.6 + 0.02 * area + rng.normal(0, 0.4), 11.5, 17.0)),
    )


def _ladder(disc_heights: Floats, body_height: float) -> tuple[Floats, Floats]:
    """Return middle and height of discs and bodies from S1 upwards."""
    discs, bodies, at = [], [], 0.0
    for step, height in enumerate(disc_heights):
        discs.append((at + height / 2, height))
        tall = body_height * (1.0 - 0.025 * max(0, step - 3))
        bodies.append((at + height + tall / 2, tall))
        at += height + tall
    return np.array(discs), np.array(bodies)


def _path(discs: Floats, bodies: Floats, lordosis: float, tilt_deg: float) -> Floats:
    """Return rows s, y, z, lean: the back wall of the bodies from the sacrum to T11, bent at the discs."""
    knots = np.concatenate([[-75, -45, -14], bodies[:, 0]])
    leans = np.array([5, 30, 46, 22, 6, -4, -10, -13, -12, -9]) * np.array([1, 1, *[lordosis] * 8]) + tilt_deg
    s = np.arange(-95.0, 290.0, 0.5)
    # Bent mostly at the discs: the lean is nearly constant in a body and changes between two.
    lean = gaussian_filter1d(np.interp(s, knots, leans), 12)
    radians = np.radians(lean)
    y, z = np.cumsum(-np.sin(radians)) * 0.5, np.cumsum(np.cos(radians)) * 0.5
    middle = int(np.argmin(np.abs(s - discs[2, 0])))
    return np.stack([s, y - y[middle], z - z[middle], lean])
