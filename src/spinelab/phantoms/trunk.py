"""What surrounds the spine: skin to skin soft tissue, muscles, gas, lungs, ribs, sacral wings and iliac bones."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from spinelab.phantoms.camera import Camera, Floats
from spinelab.phantoms.column import THORACIC
from spinelab.phantoms.solids import Ellipsoid, ShellPatch, Solid, Tube, smooth_step
from spinelab.phantoms.vertebra import CORTEX, SOFT, Vertebra, turned

FLATNESS: Final = 2.7
"""Exponent of the superellipse that the trunk's section is."""


@dataclass(frozen=True)
class Build:
    """A patient's build in mm: half width and half depth of the trunk, thickness of the fat under the skin."""

    half_width_mm: float
    half_depth_mm: float
    fat_mm: float


@dataclass(frozen=True, eq=False)
class Trunk:
    """Everything between skin and skin except bone: an elliptic trunk whose size changes with height.

    ``back_mm`` is where the skin of the back lies (y in patient LPS), ``waist_z_mm`` the height of the waist.
    """

    build: Build
    back_mm: float
    waist_z_mm: float

    def add_to(self, film: Floats, camera: Camera) -> None:
        """Add soft tissue, treating each ray as level where it crosses the trunk."""
        x, y, z = camera.rays((0, film.shape[0], 0, film.shape[1]), np.eye(3))
        centre = np.array([0.0, self.back_mm - self.build.half_depth_mm, 0.0])
        origin = camera.source_mm - centre
        ahead = float(-(origin @ camera.forward)) / camera.distance_mm
        height = (camera.source_mm[2] + ahead * z - self.waist_z_mm) / 100
        height = np.clip(height, -1.5, 1.5)
        grow = 1 + 0.10 * height**2 + np.where(height < 0, -0.05 * height, 0)
        length = np.sqrt(x * x + y * y + z * z)
        for inset, density in ((0.0, 0.9 * SOFT), (self.build.fat_mm, 0.1 * SOFT)):
            a, b = self.build.half_width_mm * grow - inset, self.build.half_depth_mm * (1 + 0.4 * (grow - 1)) - inset
            square = (x / a) ** 2 + (y / b) ** 2
            middle = -(origin[0] * x / a**2 + origin[1] * y / b**2) / square
            nearest = ((origin[0] + middle * x) / a) ** 2 + ((origin[1] + middle * y) / b) ** 2
            film += density * 2 * np.maximum(1 - nearest ** (FLATNESS / 2), 0) ** (1 / FLATNESS) / np.sqrt(square) * length


def organs(rng: np.random.Generator, spine: Mapping[str, Vertebra], build: Build) -> list[Solid]:
    """Return psoas and back muscles, kidneys and the liver's edge, faint against fat."""
    upper, lower = spine["L1"].centre_mm, spine[[level for level in spine if level[0] == "L"][-1]].centre_mm
    middle, length = (upper + lower) / 2, float(np.linalg.norm(upper - lower))
    lean = float(np.rad2deg(np.arctan2(lower[1] - upper[1], upper[2] - lower[2])))
    made: list[Solid] = []
    for side in (1, -1):
        flare = turned(-lean, side * -13)
        thick = rng.uniform(0.9, 1.15)
        made.append(Ellipsoid(middle + np.array([side * 40, -2, -12]), (19 * thick, 21, 0.72 * length), flare, core=0.0017))
        made.append(Ellipsoid(middle + np.array([side * 32, 52, -5]), (26, 22, 1.0 * length), core=0.0012))
        made.append(Ellipsoid(upper + np.array([side * 62, 6, rng.uniform(-35, -5)]), (27, 22, 54), turned(0, side * -12), core=0.0014))
    made.append(Ellipsoid(upper + np.array([-95, -50, 25]), (80, 75, 70), turned(0, 20), core=0.0012))
    made.append(Ellipsoid(lower + np.array([0, -0.55 * build.half_depth_mm, -60]), (70, 45, 60), core=0.001))
    return made


def bowel_gas(rng: np.random.Generator, spine: Mapping[str, Vertebra], build: Build, amount: float) -> list[Solid]:
    """Return pockets of gas in stomach, colon and small bowel, all in front of the spine."""
    top, bottom = spine["L1"].centre_mm, spine["S1"].centre_mm
    wide = build.half_width_mm
    front = -1.05 * build.half_depth_mm
    made: list[Solid] = []
    paths = [
        ((-0.62 * wide, front * 0.45, bottom[2] - 15), (-0.64 * wide, front * 0.45, top[2] - 20)),
        ((-0.55 * wide, front * 0.75, top[2] - 30), (0.58 * wide, front * 0.75, top[2] - 5)),
        ((0.66 * wide, front * 0.35, top[2]), (0.62 * wide, front * 0.35, bottom[2] - 10)),
        ((-0.3 * wide, front * 0.7, bottom[2] + 40), (0.35 * wide, front * 0.7, bottom[2] + 15)),
        ((0.3 * wide, front * 0.4, bottom[2] - 35), (-0.05 * wide, front * 0.2, bottom[2] - 75)),
    ]
    for start, end in paths:
        if rng.random() < 0.75:
            made += _loop(rng, np.array(start), np.array(end), amount)
    if rng.random() < 0.6:
        at = top + np.array([0.38 * wide, front * 0.55, 35])
        for _ in range(4):
            half = (rng.uniform(15, 32), 12 * amount, rng.uniform(9, 19))
            made.append(Ellipsoid(at + rng.normal(0, 9, 3), half, turned(0, rng.uniform(5, 45)), core=-0.4 * SOFT))
    return made


def _loop(rng: np.random.Generator, start: Floats, end: Floats, amount: float) -> list[Solid]:
    """Return haustra: blobs in a row, each a few smaller ones so that the outline is lobed."""
    made: list[Solid] = []
    begin, stop = np.sort(rng.uniform(0, 1, 2))
    lean = turned(*rng.uniform(-30, 30, 3))
    for part in np.arange(begin, stop + 1e-6, 0.075):
        centre = start + part * (end - start) + rng.normal(0, 3, 3)
        for _ in range(3):
            radius = rng.uniform(5, 12) * (0.6 + 0.4 * amount)
            half = (radius * rng.uniform(0.9, 1.7), radius * rng.uniform(0.6, 1.0), radius * rng.uniform(0.7, 1.2))
            made.append(Ellipsoid(centre + rng.normal(0, 0.7 * radius, 3), half, lean, core=-0.42 * SOFT * amount))
    return made


def lungs(top_mm: Floats, back_mm: float) -> list[Solid]:
    """Return the lung bases above the domes of the diaphragm; ``top_mm`` is the centre of T11."""
    made: list[Solid] = []
    for side in (1, -1):
        centre = np.array([side * 84 + top_mm[0], back_mm - 78, top_mm[2] + 122 + (4 if side > 0 else 12)])
        made.append(Ellipsoid(centre, (70, 62, 124), turned(14, side * 3), core=-0.62 * SOFT))
    return made


def rib_reach(rng: np.random.Generator, levels: Collection[str], upper: tuple[float, float]) -> dict[str, float]:
    """Draw how far around the chest each pair of ribs goes, in degrees: ``upper`` those of T1 to T10, T11 and T12 less, and a thirteenth pair least."""
    reach = {level: float(rng.uniform(*upper)) for level in THORACIC[:10]}
    reach |= {"T11": float(rng.uniform(75, 105)), "T12": float(rng.uniform(35, 70))}
    return reach | ({"T13": float(rng.uniform(18, 40))} if "T13" in levels else {})


def ribs(spine: Mapping[str, Vertebra], build: Build, density: float, reach: Mapping[str, float]) -> list[Solid]:
    """Return pairs of ribs; ``reach`` is how far around the chest each goes in degrees from the spine."""
    return [_rib(spine[level], side, degrees, build, density) for level, degrees in reach.items() for side in (1, -1)]


def _rib(v: Vertebra, side: int, degrees: float, build: Build, density: float) -> Tube:
    around = np.deg2rad(np.linspace(0, degrees, 19))
    head = v.world(np.array([side * 0.95 * v.half_width_mm, v.half_depth_mm, 0.15 * v.height_mm[1]]))
    narrow = float(np.interp(int(v.level[1:]) - 1, [0, 2, 5, 8], [0.35, 0.62, 0.9, 1.0]))
    wide, deep = narrow * (0.80 * build.half_width_mm - 22), 0.62 * build.half_depth_mm
    x = side * wide * np.sin(around) * (1 - 0.12 * (around / np.pi) ** 2)
    y = deep * (np.cos(around) - 1) + 26 * np.sin(np.minimum(around * 2.6, np.pi)) * np.exp(-around)
    z = -(30 * around + 14 * around**2)
    points = head + np.stack([x, y, z], axis=1)
    taper = np.linspace(1.05, 0.75, len(around))
    return Tube(points, 4.6 * taper, core=0.004 * density, cortex=CORTEX * (0.5 + 0.5 * density), shell_mm=1.0)


def pelvis(sacrum: Mapping[str, Vertebra], density: float, scale: float, *, wings: bool = True) -> list[Solid]:
    """Return the sacral wings with their foramina, the median crest, and both iliac bones unless ``wings`` is false."""
    core, cortex = 0.0062 * density, 0.22 * CORTEX * (0.45 + 0.55 * density)
    made: list[Solid] = []

    def piece(level: str, at: tuple[float, float, float], radii: tuple[float, float, float], turn: Floats) -> None:
        v = sacrum[level]
        half = (radii[0] * scale, radii[1] * scale, radii[2] * scale)
        made.append(Ellipsoid(v.world(np.array(at) * scale), half, v.axes @ turn, core=core, cortex=cortex, shell_mm=1.0))

    for side in (1, -1):
        piece("S1", (side * 35, 7, -1), (25, 13, 16), turned(0, side * -14, side * 16))
        piece("S1", (side * 27, 22, 2), (6, 6, 11), turned(0, 0, side * 25))
        piece("S2", (side * 28, 6, 1), (20, 10, 16), turned(0, side * 14))
        piece("S3", (side * 20, 4, 2), (14, 7, 14), turned(0, side * 16))
        for level, out in (("S1", 22), ("S2", 18), ("S3", 14)):
            v = sacrum[level]
            hole = v.world(np.array([side * out * scale, 6, -v.height_mm[1] / 2]))
            made.append(Ellipsoid(hole, (5.0 * scale, 11, 4.0 * scale), v.axes, core=-0.009))
        if wings:
            made.append(_ilium(sacrum["S1"], side, density, scale))
    for level in ("S1", "S2", "S3"):
        piece(level, (0, 24 if level == "S1" else 15, -2), (3.5, 7, 10), turned(10))
    return made


def _ilium(base: Vertebra, side: int, density: float, scale: float) -> ShellPatch:
    """Return an iliac wing: a flared blade, thick along the arched crest, thin below it and towards the sacrum."""
    centre = base.centre_mm + np.array([side * 9, -12, -104]) * scale
    half = (46 * scale, 72 * scale, 190 * scale)

    def part(x: Floats, y: Floats, z: Floats) -> Floats:
        crest = (152 - 0.0085 * (y / scale - 8) ** 2) * scale - z
        there = smooth_step(crest / 1.5) * smooth_step((side * x - 6) / 4) * smooth_step((z - 62) / 16)
        rim = 2.4 * smooth_step((6 - crest) / 2)
        return there * (0.30 + 0.45 * smooth_step((z - 105) / 14) + rim) * (1 - 0.75 * smooth_step((y - 34 * scale) / 9))

    turn = turned(10, side * -24) @ turned(0, 0, side * 34)
    return ShellPatch(centre, half, turn, thickness_mm=5.0 * scale, density=0.7 * CORTEX * (0.5 + 0.5 * density), part=part)
