"""Skin to skin on a lateral film: outline, lungs, airway, arms, breastbone and shoulder blades, all hung on the spine that stands in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from spinelab.phantoms.camera import Camera, Floats
from spinelab.phantoms.posture import Posture
from spinelab.phantoms.solids import Ellipsoid, Integrated, Solid, Together, Tube, smooth_step
from spinelab.phantoms.trunk import FLATNESS, Build, bowel_gas
from spinelab.phantoms.vertebra import CORTEX, SOFT, turned

# Skin behind a body's centre, depth of the trunk there, half its width (mm), and how much of the patient's fat lies behind.
_OUTLINE: Final[Mapping[str, tuple[float, float, float, float]]] = {
    "S2": (74, 228, 174, 1.6), "L5": (80, 222, 166, 1.2), "L3": (76, 205, 148, 1.0), "L1": (72, 212, 144, 0.9), "T10": (62, 226, 150, 0.7),
    "T6": (55, 205, 158, 0.6), "T3": (55, 160, 128, 0.6), "T1": (57, 132, 92, 0.6), "C7": (58, 122, 70, 0.5),
    "C5": (56, 116, 58, 0.3), "C3": (58, 114, 56, 0.2),
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Outline:
    """Depths of the skin and half width of the body over the height, upwards in steps; zero width ends it.

    Sections are superellipses, flatter below ``section_z_mm[0]`` and nearly ellipses above ``section_z_mm[1]``.

    Lateral films only: each ray is taken where it crosses the midsagittal plane.
    """

    z_mm: Floats
    front_mm: Floats
    back_mm: Floats
    half_width_mm: Floats
    section_z_mm: tuple[float, float]
    fat_mm: float

    def at(self, z: Floats) -> tuple[Floats, Floats, Floats]:
        """Return the middle's depth, half depth and half width at heights."""
        front, back = (np.interp(z, self.z_mm, line) for line in (self.front_mm, self.back_mm))
        return (front + back) / 2, (back - front) / 2, np.interp(z, self.z_mm, self.half_width_mm)

    def add_to(self, film: Floats, camera: Camera) -> None:
        x, y, z = camera.rays((0, film.shape[0], 0, film.shape[1]), np.eye(3))
        part = -np.float32(camera.source_mm[0]) / x
        depth, height = camera.source_mm[1] + part * y, camera.source_mm[2] + part * z
        middle, half_depth, half_width = self.at(height)
        slant = np.sqrt(x * x + y * y + z * z) / np.abs(x)
        half_width = half_width * (height < self.z_mm[-1])
        power = np.interp(height, self.section_z_mm, (FLATNESS, 2.05))
        for inset, density in ((0.0, 0.86 * SOFT), (self.fat_mm, 0.1 * SOFT)):
            wide, deep = np.maximum(half_width - inset, 0), np.maximum(half_depth - inset, 1)
            inside = np.maximum(1 - np.abs((depth - middle) / deep) ** power, 0) ** (1 / power)
            film += (2 * density * wide * inside * slant).astype(np.float32)


def outline(rng: np.random.Generator, posture: Posture, build: Build) -> Outline:
    """Return the patient's outline from mid-thigh to the skull base."""
    scale, wide, deep = posture.scale, build.half_width_mm / 156, build.half_depth_mm / 114
    hip_back = max(float(posture.spine["S2"].centre_mm[1]) + 86 * scale + 1.6 * build.fat_mm, 125 * deep)
    hip_front = min(hip_back - 228 * deep, -92 * deep)
    rows = [
        (-280 * scale, -88 * deep, 88 * deep, 158 * wide),
        (-95 * scale, hip_front + 8, hip_back - 10, 166 * wide),
        (-10 * scale, hip_front, hip_back + 4, 170 * wide),
    ]
    rib_front = float(posture.spine["T10"].centre_mm[1]) + 62 * scale - 226 * deep
    rib_height, belly = float(posture.spine["T10"].centre_mm[2]), float(rng.uniform(-8, 30)) * deep
    for level, (behind, depth, width, fat) in _OUTLINE.items():
        v = posture.spine[level if level in posture.spine else "L4"]
        neck, height = level[0] == "C", float(v.centre_mm[2])
        back = float(v.centre_mm[1]) + behind * scale + fat * build.fat_mm
        front = back - depth * (scale if neck else deep)
        if level[0] in "LS":
            # The belly wall spans from ribs to pelvis and follows the spine's curve only in part.
            taut = float(np.interp(height, [0, rib_height], [hip_front, rib_front])) - belly * (level in ("L5", "L3"))
            front = min(0.8 * taut + 0.2 * front, back - 150 * deep)
        rows.append((height, front, back, width * (scale if neck else wide)))
    top = rows[-1]
    rows += [(top[0] + 16 * scale, top[1], top[2] - 8 * scale, top[3]), (top[0] + 48 * scale, top[1] + 12, top[2] - 34 * scale, 0.0)]
    table = np.array(sorted(rows))
    z = np.arange(table[0, 0], table[-1, 0] + 4, 4.0)
    window = np.hanning(17) / np.hanning(17).sum()
    lines = [np.convolve(np.pad(np.interp(z, table[:, 0], table[:, k]), 8, mode="edge"), window, mode="valid") for k in (1, 2, 3)]
    section = (float(posture.spine["L2"].centre_mm[2]), float(posture.spine["T10"].centre_mm[2]))
    return Outline(z, lines[0], lines[1], lines[2], section, build.fat_mm)


def lungs_about(rng: np.random.Generator, posture: Posture, skin: Outline) -> list[Solid]:
    """Return both lungs around heart and great vessels, down to the domes of the diaphragm."""
    spine, scale = posture.spine, posture.scale
    apex, base = float(spine["T1"].centre_mm[2]) - 6, float(spine["T12"].centre_mm[2])
    dome = float(spine["T10"].centre_mm[2]) + float(rng.uniform(-16, 14))
    levels = np.array([(v.centre_mm[2], v.centre_mm[1]) for v in reversed(list(spine.values())) if v.level[0] == "T"])
    heart_y, heart_z = float(spine["T8"].centre_mm[1]) - 88 * scale, float(spine["T8"].centre_mm[2]) - 4
    bottom, top = base - 20, apex + 14

    def air(x: Floats, y: Floats, z: Floats) -> Floats:
        height = z + (bottom + top) / 2
        middle, half_depth, half_width = skin.at(height)
        into = 1 - (np.abs(x) / (0.88 * half_width)) ** 2.2 - (np.abs(y - middle) / (0.90 * half_depth)) ** 2.2
        column = np.interp(height, levels[:, 0], levels[:, 1])
        # Between the lungs lie the spine and what is in front of it; the gutters beside the spine are lung.
        between = np.abs(x) - np.where(y > column - 14, 24, 34) * scale
        floor = height - np.where(y > middle, dome - 62 * ((y - middle) / half_depth) ** 2, dome - 26 * ((y - middle) / half_depth) ** 2)
        heart = ((x - 16) / 52) ** 2 + ((y - heart_y) / (48 * scale)) ** 2 + ((height - heart_z) / (52 * scale)) ** 2 - 1
        there = smooth_step(into * 20) * smooth_step(between / 2) * smooth_step(floor / 2.5) * smooth_step(heart * 14) * smooth_step((apex - height) / 4)
        return np.asarray(-0.70 * SOFT * there, dtype=np.float32)

    centre = np.array([0.0, 0.0, (bottom + top) / 2])
    half = (float(skin.half_width_mm.max()), float(np.abs([skin.front_mm.min(), skin.back_mm.max()]).max()), (top - bottom) / 2)
    return [Integrated(centre, half, density=air, step_mm=9.0)]


def windpipe(posture: Posture) -> Tube:
    """Return throat and trachea down to the carina at T5, an air column in front of the spine."""
    spine = posture.spine
    offsets = {"C3": 17, "C5": 21, "C7": 25, "T2": 30, "T5": 34}
    points = [spine[v].centre_mm + spine[v].axes[:, 1] * -(spine[v].half_depth_mm + offset * posture.scale * 0.62 + 2) for v, offset in offsets.items()]
    throat = posture.skull[0] + posture.skull[1] @ np.array([0.0, -20.0, -18.0]) * posture.scale
    return Tube(np.array([throat, *points]), np.array([7.0, 6.5, 7.0, 8.0, 8.5, 8.0]) * posture.scale, core=-0.8 * SOFT, cortex=0.0, shell_mm=0.0)


def arms(rng: np.random.Generator, posture: Posture, build: Build, density: float) -> tuple[list[Solid], list[Solid]]:
    """Return bone and flesh of shoulders and arms: fists on the collar bones, or hands forwards on a bar."""
    scale, wide = posture.scale, build.half_width_mm / 156
    root = posture.spine["T2"].centre_mm
    fists = bool(rng.random() < 0.65)
    compact = CORTEX * (0.5 + 0.5 * density)
    bone: list[Solid] = []
    flesh: list[Solid] = []
    for side in (1, -1):
        raised = np.deg2rad(rng.normal(48 if fists else 62, 7))
        shoulder = root + np.array([side * 158 * wide, rng.normal(-16, 8) * scale, rng.normal(-14, 9) * scale])
        elbow = shoulder + np.array([side * 10, -np.sin(raised), -np.cos(raised)]) * [1, 285 * scale, 285 * scale]
        hand = root + np.array([side * 75, -105 * scale, -5 * scale]) if fists else elbow + np.array([-side * 20, -215 * scale, 60 * scale])
        bone.append(Ellipsoid(shoulder, (23 * scale,) * 3, core=0.004 * density, cortex=0.7 * compact, shell_mm=1.2))
        bone.append(Tube(np.array([shoulder, elbow]), np.array([11.0, 11.0]) * scale, core=-0.002, cortex=compact, shell_mm=3.5))
        forearm = np.array([elbow, hand])
        bone += [Tube(forearm + np.array([apart, 0, apart]), np.array([7.0, 5.5]) * scale, core=-0.001, cortex=compact, shell_mm=2.2) for apart in (7, -7)]
        upper = Tube(np.array([shoulder, elbow]), np.array([40.0, 33.0]) * scale * wide, core=0.6 * SOFT, cortex=0.0, shell_mm=0.0)
        lower = Tube(np.array([elbow, hand]), np.array([33.0, 24.0]) * scale * wide, core=0.6 * SOFT, cortex=0.0, shell_mm=0.0)
        flesh.append(Together([upper, lower]))
    return bone, flesh


def breast_and_shoulder_bones(posture: Posture, skin: Outline, build: Build, density: float) -> list[Solid]:
    """Return breastbone, collar bones and shoulder blades."""
    spine, scale = posture.spine, posture.scale
    compact = CORTEX * (0.45 + 0.55 * density)
    heights = np.array([float(spine[v].centre_mm[2]) for v in ("T3", "T5", "T7", "T9")])
    front = np.interp(heights, skin.z_mm, skin.front_mm) + build.fat_mm + 14
    made: list[Solid] = []
    sternum = np.array([6.5, 5.5, 5.5, 4.0])
    for x in (-11, 0, 11):
        line = np.stack([np.full(4, x), front, heights], axis=1)
        made += [Tube(line, sternum, core=0.002 * density, cortex=0.4 * compact, shell_mm=0.9)]
    for side in (1, -1):
        shoulder = spine["T2"].centre_mm + np.array([side * 140 * build.half_width_mm / 156, 6, -2])
        collar = np.array([[side * 14, front[0], heights[0] + 14], shoulder])
        made.append(Tube(collar, np.array([6.0, 6.0]) * scale, core=0.002, cortex=0.7 * compact, shell_mm=1.3))
        blade = spine["T5"].centre_mm + np.array([side * 92 * scale, 12 * scale, 0.0])
        made.append(Ellipsoid(blade, (3.5, 48 * scale, 72 * scale), turned(8, side * -6, side * 35), core=0.010 * density))
        margin = blade + np.array([[side * 16, -32, 60], [side * 22, -26, 0], [0, 6, -72]]) * scale
        made.append(Tube(margin, np.array([5.0, 3.4, 2.6]), core=0.003, cortex=compact, shell_mm=1.0))
    return made


def gas(rng: np.random.Generator, posture: Posture, skin: Outline, build: Build, amount: float) -> list[Solid]:
    """Return bowel gas between this patient's lumbar spine and belly wall."""
    middle = np.array([0.0, posture.spine["L4"].centre_mm[1], posture.spine["L4"].centre_mm[2]])
    near = {v: replace(posture.spine[v], centre_mm=posture.spine[v].centre_mm - middle) for v in ("L1", "S1")}
    pockets = [piece for piece in bowel_gas(rng, near, build, amount) if isinstance(piece, Ellipsoid)]
    placed = [replace(piece, centre_mm=piece.centre_mm + middle) for piece in pockets]
    return [piece for piece in placed if piece.centre_mm[1] > np.interp(piece.centre_mm[2], skin.z_mm, skin.front_mm) + 30]
