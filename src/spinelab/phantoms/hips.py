"""Hips and pelvis of a standing patient: femoral heads, necks and shafts, acetabula, ischium and pubis, iliac wings that tilt with the pelvis."""

from __future__ import annotations

from typing import Final

import numpy as np

from spinelab.phantoms.camera import Floats
from spinelab.phantoms.posture import Posture
from spinelab.phantoms.solids import Ellipsoid, ShellPatch, Solid, Tube, smooth_step
from spinelab.phantoms.trunk import pelvis
from spinelab.phantoms.vertebra import CORTEX, turned

_UPRIGHT_TILT_DEG: Final = 12.0
"""Pelvic tilt at which the iliac bones are drawn; another tilt turns them about the hips."""


def hips(rng: np.random.Generator, posture: Posture, density: float) -> list[Solid]:
    """Return femora and pelvis as bone."""
    tilt = turned(_UPRIGHT_TILT_DEG - posture.angles.pt)
    made: list[Solid] = []
    for side, head in zip((1, -1), posture.heads_mm, strict=True):
        made += _femur(head, side, posture, density, float(rng.normal(-4, 4)))
        made += _hip_bone(head, side, posture, density, tilt)
    sacrum = {level: posture.spine[level] for level in ("S1", "S2", "S3")}
    return made + pelvis(sacrum, density, posture.scale, wings=False) + _wings(posture, density, tilt)


def _femur(head: Floats, side: int, posture: Posture, density: float, swing_deg: float) -> list[Solid]:
    """Return head, neck, trochanters and shaft; the head is the outermost round edge."""
    scale, radius = posture.scale, posture.head_radius_mm
    compact = CORTEX * (0.55 + 0.45 * density)
    leg = turned(swing_deg)

    def at(*points: tuple[float, float, float]) -> Floats:
        return head + np.array(points) * [side * scale, scale, scale] @ leg.T

    neck = at((27, 2, -24))[0]
    shaft = at((46, 7, -52), (36, -4, -270))
    tilted = leg @ turned(0, side * 40)
    return [
        Ellipsoid(head, (radius, radius, radius), core=0.0075 * density, cortex=compact, shell_mm=1.7),
        Ellipsoid(neck, (30 * scale, 14 * scale, 16 * scale), tilted, core=0.003 * density, cortex=0.5 * compact, shell_mm=1.5),
        Tube(shaft, np.array([16.5, 14.0]) * scale, core=-0.002, cortex=0.9 * compact, shell_mm=5.0),
        Ellipsoid(at((58, 8, -20))[0], (10 * scale, 17 * scale, 24 * scale), leg, core=0.003 * density, cortex=0.5 * compact, shell_mm=1.2),
        Ellipsoid(at((28, 16, -60))[0], (8 * scale, 8 * scale, 11 * scale), leg, core=0.003 * density, cortex=0.5 * compact, shell_mm=1.2),
    ]


def _wings(posture: Posture, density: float, tilt: Floats) -> list[Solid]:
    """Return the iliac wings: thin oval blades with a thick crest, a veil over the lowest lumbar vertebrae."""
    scale, base = posture.scale, posture.spine["S1"].centre_mm
    compact = CORTEX * (0.5 + 0.5 * density)
    made: list[Solid] = []
    for side in (1, -1):
        centre = base + tilt @ np.array([side * 72, -26, 0]) * scale
        axes = tilt @ turned(12, side * -16, side * 28)
        made.append(Ellipsoid(centre, (4.0 * scale, 72 * scale, 56 * scale), axes, core=0.006 * density, cortex=0.35 * compact, shell_mm=1.3))
        arc = np.deg2rad(np.linspace(-10, 190, 25))
        crest = centre + np.stack([np.zeros(25), -68 * np.cos(arc), 52 * np.sin(arc)], axis=1) * scale @ axes.T
        made.append(Tube(crest, np.full(25, 4.5 * scale), core=0.002 * density, cortex=0.35 * compact, shell_mm=1.3))
    return made


def _hip_bone(head: Floats, side: int, posture: Posture, density: float, tilt: Floats) -> list[Solid]:
    """Return the roof and walls of the acetabulum, ischium and pubis."""
    scale, radius = posture.scale, posture.head_radius_mm
    compact = CORTEX * (0.5 + 0.5 * density)

    def at(*points: tuple[float, float, float]) -> Floats:
        return head + np.array(points) * [side * scale, scale, scale] @ tilt.T

    def socket(x: Floats, _y: Floats, z: Floats) -> Floats:
        """Keep the roof and the walls, not the lower opening; denser in the roof."""
        return smooth_step((z + 0.25 * radius) / 2.5) * (0.35 + 0.65 * smooth_step((z - 0.35 * radius) / 3)) * smooth_step((10 - side * x) / 3)

    half = (radius + 7.5 * scale,) * 3
    rods = [
        ([(-8, 12, 10), (-6, 26, -8), (-8, 38, -32), (-14, 34, -56)], [10.0, 11.0, 11.0, 12.0]),
        ([(-14, 30, -58), (-34, -8, -60), (-66, -34, -46)], [8.0, 6.0, 7.0]),
        ([(-10, -16, 8), (-36, -34, -6), (-70, -46, -24), (-74, -42, -42)], [10.0, 8.0, 8.5, 8.0]),
    ]
    made: list[Solid] = [ShellPatch(head, half, tilt, thickness_mm=4.5 * scale, density=1.3 * compact, part=socket)]
    for points, radii in rods:
        made.append(Tube(at(*points), np.array(radii) * scale, core=0.003 * density, cortex=0.5 * compact, shell_mm=1.3))
    # The thick column of the iliac bone from the roof of the socket to the sacroiliac joint.
    joint = posture.spine["S2"].centre_mm + np.array([side * 46.0, 0.0, 8.0]) * scale
    roof = at((-8, 2, 24))[0]
    length = float(np.linalg.norm(joint - roof))
    along = (joint - roof) / length
    across = np.cross(along, [1.0, 0, 0]) / np.linalg.norm(np.cross(along, [1.0, 0, 0]))
    axes = np.column_stack([np.cross(across, along), across, along])
    made.append(Ellipsoid((roof + joint) / 2, (9 * scale, 21 * scale, 0.62 * length), axes, core=0.0045 * density, cortex=0.3 * compact, shell_mm=1.2))
    return made
