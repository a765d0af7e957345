"""Head and neck: vault, base, face and jaw in the frame of the skull, the atlas, the dens, and the arches of the cervical vertebrae.

The frame's origin is the basion; millimetres of an adult skull, y backwards and z upwards in the Frankfurt plane. Measures after
cephalometric norms (Riolo et al., An Atlas of Craniofacial Growth, 1974), rounded.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from spinelab.phantoms.camera import Floats
from spinelab.phantoms.posture import Posture
from spinelab.phantoms.solids import Ellipsoid, ShellPatch, Solid, Tube, smooth_step
from spinelab.phantoms.vertebra import CORTEX, SOFT, Parts, Vertebra, turned

_VAULT_CENTRE: Final = np.array([0.0, -8.0, 65.0])
_VAULT_HALF: Final = np.array([74.0, 90.0, 70.0])
_OPISTHION_BACK_MM: Final = 36.0
_BASION: Final = np.array([0.0, 0.0, 0.0])


def _under_vault(y: float) -> Floats:
    """Return the midline point of the vault's outer table at a depth, on its underside."""
    rise = float(np.sqrt(1 - ((y - _VAULT_CENTRE[1]) / _VAULT_HALF[1]) ** 2)) * _VAULT_HALF[2]
    return np.array([0.0, y, _VAULT_CENTRE[2] - rise])


FOREHEAD: Final = np.array([0.0, _VAULT_CENTRE[1] - _VAULT_HALF[1], _VAULT_CENTRE[2]])
"""The foremost point of the frontal bone's outer table."""
OPISTHION: Final = _under_vault(_OPISTHION_BACK_MM)
_CHIN_CENTRE: Final = np.array([0.0, -79.0, -62.0])
_CHIN_HALF: Final = (12.0, 9.0, 15.0)
POGONION: Final = _CHIN_CENTRE - [0.0, _CHIN_HALF[1], 0.0]
"""The foremost point of the bony chin."""


def head_points(posture: Posture) -> dict[str, Floats]:
    """Return the landmarks of head and upper neck in LPS millimetres."""
    origin, axes = posture.skull
    points = {"Forehead": FOREHEAD, "Jaw": POGONION, "FM_1": _BASION, "FM_2": OPISTHION}
    return {name: origin + axes @ point * posture.head_scale for name, point in points.items()} | {"ODT": posture.dens_tip_mm}


class _Skull:
    """Collects pieces given in the skull's own millimetres."""

    def __init__(self, posture: Posture, density: float) -> None:
        self.origin, self.axes = posture.skull
        self.scale, self.density = posture.head_scale, density
        self.compact = 0.9 * CORTEX * (0.55 + 0.45 * density)
        self.made: list[Solid] = []

    def at(self, points: Floats) -> Floats:
        return self.origin + np.asarray(points, dtype=np.float64) @ self.axes.T * self.scale

    def ball(
        self, centre: Floats | tuple[float, float, float], half: tuple[float, float, float], core: float, *, lean_deg: float = 0.0, shell_mm: float = 0.0
    ) -> None:
        size = (half[0] * self.scale, half[1] * self.scale, half[2] * self.scale)
        cortex = self.compact if shell_mm else 0.0
        self.made.append(Ellipsoid(self.at(np.array(centre)), size, self.axes @ turned(lean_deg), core=core, cortex=cortex, shell_mm=shell_mm))

    def rod(self, points: list[tuple[float, float, float]], radii: list[float], *, core: float = 0.004, shell_mm: float = 1.6) -> None:
        """Add a bent rod; both ends are round and reach one radius beyond their points."""
        self.made.append(Tube(self.at(np.array(points)), np.array(radii) * self.scale, core=core, cortex=self.compact, shell_mm=shell_mm))


def head(rng: np.random.Generator, posture: Posture, density: float) -> tuple[list[Solid], list[Solid]]:
    """Return bone, and soft tissue with air, of the head."""
    bone, soft = _Skull(posture, density), _Skull(posture, density)
    _vault(bone)
    _base(bone)
    _face(bone)
    _jaw(bone, teeth=int(rng.integers(4, 9)))
    _flesh(soft)
    return bone.made, soft.made


def _vault(skull: _Skull) -> None:
    scale = skull.scale

    def part(_x: Floats, y: Floats, z: Floats) -> Floats:
        """Cut out the base between face and foramen magnum; thicken forehead and occiput."""
        below, ahead = z / scale + _VAULT_CENTRE[2] - 24, y / scale + _VAULT_CENTRE[1] - _OPISTHION_BACK_MM
        there: Floats = np.maximum(smooth_step(below / 1.2), smooth_step(ahead / 0.35))
        return there * (1 + 0.5 * smooth_step((ahead - 20) / 8) + 0.25 * smooth_step((-40 - y / scale) / 8))

    half = (_VAULT_HALF[0] * scale, _VAULT_HALF[1] * scale, _VAULT_HALF[2] * scale)
    skull.made.append(ShellPatch(skull.at(_VAULT_CENTRE), half, skull.axes, thickness_mm=5.5 * scale, density=0.8 * skull.compact, part=part))


def _base(skull: _Skull) -> None:
    # The clivus ends at the basion: the last point lies one radius short of it.
    slope = np.array([0.0, 22.0, -38.0]) / np.hypot(22, 38)
    tip = _BASION - 1.6 * slope
    skull.rod([(0, -24, 40), (0, -14, 24), tuple(tip)], [7.0, 5.5, 1.6], core=0.03, shell_mm=3.0)
    skull.rod([(0, -24, 42), (0, -30, 46), (0, -52, 42), (0, -78, 46), (0, -93, 45)], [2.0, 2.2, 2.0, 2.2, 3.0])
    # Thickened rim of the foramen at its back edge, just inside the cut of the vault.
    behind = OPISTHION + np.array([0.0, 2.6, 2.2])
    skull.rod([tuple(behind), (0, 52, float(_under_vault(52)[2]) + 4), (0, 70, 33)], [2.0, 3.2, 4.5], core=0.006)
    for side in (1, -1):
        skull.ball((side * 40, -4, 20), (20, 15, 9), 0.007, lean_deg=14)
        skull.ball((side * 54, 14, 6), (9, 11, 17), 0.002, shell_mm=1.4)
        skull.ball((side * 17, 8, 1), (6, 11, 6.5), 0.006, shell_mm=1.2)
        skull.rod([(side * 30, -28, 38), (side * 48, -45, 44)], [2.5, 2.0])


def _face(skull: _Skull) -> None:
    skull.ball((0, -70, -4), (28, 26, 26), 0.0030)
    skull.rod([(0, -98, -24), (0, -70, -22), (0, -46, -22)], [2.8, 2.0, 1.8])
    skull.rod([(0, -94, 38), (0, -100, 28), (0, -105, 17)], [3.2, 2.2, 1.4])
    skull.rod([(0, -94, -8), (0, -93, -22), (0, -91, -32)], [1.8, 4.0, 4.5])
    circle = np.linspace(0, 2 * np.pi, 17)
    for side in (1, -1):
        rim = [(side * (34 + 15 * np.cos(t)), -84 + 8 * abs(np.cos(t)) * (side * np.cos(t) > -2), 26 + 17 * np.sin(t)) for t in circle]
        skull.rod(rim, [2.4] * len(rim))
        skull.rod([(side * 48, -70, 8), (side * 60, -45, 10), (side * 62, -18, 18)], [4.5, 2.5, 2.5])
        skull.rod([(side * 46, -72, 40), (side * 48, -66, 24), (side * 46, -64, 4)], [2.6, 2.2, 3.0])


def _jaw(skull: _Skull, teeth: int) -> None:
    skull.ball(_CHIN_CENTRE, _CHIN_HALF, 0.009, shell_mm=3.0)
    for side in (1, -1):
        skull.rod([(side * 50, -13, 18), (side * 49, -18, 0), (side * 46, -24, -38), (side * 38, -46, -52), (side * 14, -76, -63)], [4.0, 7.0, 8.0, 9.0, 9.0])
        skull.rod([(side * 49, -22, 12), (side * 48, -36, 14), (side * 46, -40, -10), (side * 36, -54, -42), (side * 8, -82, -48)], [2.5, 2.0, 6.0, 6.5, 6.0])
        for k in range(teeth):
            along = k / 8
            x, y = side * (4 + 24 * along), -88 + 42 * along
            skull.ball((x, y, -30.5), (3.2, 3.2, 6.0), 0.035, lean_deg=4)
            skull.ball((x * 0.95, y + 3, -41.5), (3.0, 3.0, 5.5), 0.032, lean_deg=-4)


def _flesh(skull: _Skull) -> None:
    """Brain and scalp, the profile of the face, and the air of sinuses and throat."""
    skull.ball(_VAULT_CENTRE, (81.0, 96.5, 76.5), SOFT)
    skull.ball((0, -66, -6), (58, 45, 66), 0.8 * SOFT, lean_deg=5)
    skull.ball((0, -108, 10), (13, 14, 17), 0.9 * SOFT, lean_deg=-28)
    skull.ball((0, -98, -30), (26, 14, 14), 0.9 * SOFT)
    skull.ball((0, -82, -60), (34, 18, 20), 0.8 * SOFT)
    skull.ball((0, -26, -25), (56, 46, 46), 0.8 * SOFT)
    skull.ball((0, 8, -22), (48, 30, 40), 0.8 * SOFT)
    for centre, half in (((0, -38, 26), (14, 13, 8)), ((0, -86, 58), (16, 5, 12)), ((28, -66, -2), (13, 16, 15)), ((-28, -66, -2), (13, 16, 15))):
        skull.ball(centre, half, -0.75 * SOFT)
    skull.rod([(0, -62, 0), (0, -36, 2), (0, -24, -12)], [11, 8, 7], core=-0.75 * SOFT, shell_mm=0)


def neck_bones(posture: Posture, density: float) -> list[Solid]:
    """Return the atlas, the dens and the arches of C2 to C7."""
    spine: Mapping[str, Vertebra] = posture.spine
    axis = spine["C2"]
    parts = Parts(axis, density, size=posture.scale)
    base = axis.point("upper", 0, 0.1)
    tip = posture.dens_tip_mm
    middle = (base + tip) / 2
    half = float(np.linalg.norm(tip - base)) / 2
    # Longer than its visible part, so that it grows out of the body; the upper end is the tip.
    parts.made.append(
        Ellipsoid(tip - axis.axes[:, 2] * (half + 3), (5.2, 5.4, half + 3), axis.axes, core=1.6 * parts.core, cortex=2.0 * parts.cortex, shell_mm=1.6)
    )
    up = axis.axes.T @ (middle - axis.centre_mm)
    parts.knob((0, up[1] - 9.5, up[2] + 2), (11, 3.2, 5.5), (4, 0, 0))
    parts.knob((0, up[1] + 35, up[2] + 1), (9, 4.0, 4.6), (0, 0, 0))
    for side in (1, -1):
        parts.knob((side * 19, up[1] + 2, up[2] + 1), (7.5, 8.5, 8.5), (0, side * 12, 0))
        parts.knob((side * 20, up[1] + 20, up[2] + 2), (5.0, 15.0, 3.0), (0, 0, side * 30))
    return parts.made + [piece for level, v in spine.items() if level[0] == "C" for piece in cervical_arch(v, density, posture.scale)]


def cervical_arch(v: Vertebra, density: float, scale: float) -> list[Solid]:
    """Return pedicles, articular pillars, transverse tubercles, laminae and the spinous process."""
    number = int(v.level[1:])
    parts = Parts(v, density, size=scale)
    back = v.half_depth_mm
    for side in (1, -1):
        out = side * (v.half_width_mm + 9)
        parts.knob((side * (v.half_width_mm + 2), back + 1, 1), (5.0, 5.5, 3.2), (0, 0, side * -30))
        parts.knob((out, back + 7, 0), (6.0, 5.5, 8.5), (32, 0, 0))
        parts.knob((out, back - 7, -2), (5.0, 6.0, 2.6), (0, side * 8, 0))
        parts.knob((side * 8, back + 18, -3), (8.0, 2.6, 6.5), (18, 0, side * -35))
    reach = {2: 11.0, 6: 12.0, 7: 15.0}.get(number, 8.5)
    parts.knob((0, back + 19 + reach, -6 - 0.3 * reach), (3.6, reach, 4.8 if number in (2, 7) else 3.6), (18, 0, 0))
    return parts.made
