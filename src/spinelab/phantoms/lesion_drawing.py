"""Lesions of the spine as solids: marginal osteophytes, narrowed foramina, implants; and metal that lies on the skin of anybody."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from spinelab.phantoms.camera import Floats
from spinelab.phantoms.implants import TITANIUM, screws_and_rods
from spinelab.phantoms.posture import Posture
from spinelab.phantoms.solids import Cylinder, Ellipsoid, Solid, Together, Tube
from spinelab.phantoms.vertebra import CORTEX, Vertebra

_LIP_TUBES: Final = 9
_FORAMEN_BACK_MM: Final = {"C": 4.5, "T": 7.0, "L": 9.0}
_FACET: Final[Mapping[str, tuple[float, float, float]]] = {"C": (5.5, 5.0, 6.5), "T": (5.0, 5.0, 8.0), "L": (7.5, 7.0, 11.0)}
"""Half sizes in mm of an overgrown articular process of a full-size adult."""


@dataclass(frozen=True, eq=False)
class Lesion:
    """One lesion: where it sits, what is added to the film, and what a reader would point at.

    ``site`` is a disc level (``L4/L5``) or a vertebra; ``shown`` are the solids whose outline is the lesion's place, drawn or not.
    """

    site: str
    solids: tuple[Solid, ...]
    shown: tuple[Solid, ...]


def below(level: str, spine: Mapping[str, Vertebra]) -> str:
    """Return the next vertebra downwards."""
    names = list(spine)
    return names[names.index(level) + 1]


def settled(posture: Posture, level: str, by_mm: float) -> Posture:
    """Return the posture with everything from ``level`` upwards sunk by ``by_mm``: the disc below it is that much lower."""
    names = list(posture.spine)
    down = -by_mm * posture.spine[below(level, posture.spine)].axes[:, 2]
    above = set(names[: names.index(level) + 1])
    spine = {name: replace(v, centre_mm=v.centre_mm + down) if name in above else v for name, v in posture.spine.items()}
    return replace(posture, spine=spine, dens_tip_mm=posture.dens_tip_mm + down, skull=(posture.skull[0] + down, posture.skull[1]))


def disc_mm(level: str, spine: Mapping[str, Vertebra]) -> float:
    """Return the height of the disc below a vertebra at its back."""
    lower = spine[below(level, spine)]
    return float((spine[level].point("lower", 0, 0.9) - lower.point("upper", 0, 0.9)) @ lower.axes[:, 2])


def osteophyte(rng: np.random.Generator, spine: Mapping[str, Vertebra], level: str, size_mm: float, density: float, *, view: str) -> Lesion:
    """Return bony lips of both rims at a disc, claws that grow outwards and then towards each other.

    The longest part of a lip lies where this view sees it in profile: in front on a lateral film, at one side on an AP film.
    """
    side = float(rng.choice((-1.0, 1.0)))
    middle = -90.0 if view == "LATERAL" else 90.0 - 90.0 * side
    lips: list[list[Solid]] = []
    for name, plate in ((level, "lower"), (below(level, spine), "upper")):
        length = size_mm * float(rng.uniform(0.75, 1.1))
        lips.append(_lip(spine[name], plate, middle + float(rng.normal(0, 8)), float(rng.uniform(35, 60)), length, density))
    if rng.random() < 0.5:
        other = middle + float(rng.choice((-1.0, 1.0))) * 90
        other = -90.0 if np.sin(np.deg2rad(other)) > 0.5 else other
        lips.append(_lip(spine[level], "lower", other, 35.0, 0.6 * size_mm, density))
    solids = [solid for lip in lips for solid in lip]
    return Lesion(f"{level}/{below(level, spine)}", tuple(solids), tuple(solid for lip in lips[:2] for solid in lip))


def _lip(v: Vertebra, plate: str, middle_deg: float, half_arc_deg: float, length_mm: float, density: float) -> list[Solid]:
    """Return one lip: spurs side by side along an arc of the rim, longest in its middle. Angles from the patient's left over the back."""
    towards = -1.0 if plate == "lower" else 1.0
    members: list[Solid] = []
    for offset in np.linspace(-1, 1, _LIP_TUBES):
        angle = np.deg2rad(middle_deg + offset * half_arc_deg)
        left, back = float(np.cos(angle)), float(np.sin(angle))
        power = 2 / 2.5
        rim = v.local(plate, np.sign(left) * abs(left) ** power, np.sign(back) * abs(back) ** power)
        out = np.array([left, back, 0.0])
        up = np.array([0.0, 0.0, towards])
        long = length_mm * (1 - 0.8 * abs(offset) ** 1.5)
        path = [rim - 1.5 * out - 2.6 * up, rim + 0.25 * long * out - 1.4 * up, rim + 0.75 * long * out + 0.05 * long * up, rim + long * out + 0.45 * long * up]
        # Spurs of a small vertebra are thinner, so that they lie side by side as closely as those of a large one.
        thick = (0.5 + 0.5 * min(long / 8, 1.2)) * min(max(v.half_width_mm / 22, 0.5), 1.1)
        radii = np.array([2.8, 3.2, 2.6, 1.0]) * thick
        members.append(Tube(v.world(np.array(path)), radii, core=0.007 * density, cortex=0.75 * CORTEX * (0.5 + 0.5 * density), shell_mm=1.1))
    return members


def narrowing(rng: np.random.Generator, spine: Mapping[str, Vertebra], level: str, severity: float, density: float) -> Lesion:
    """Return what fills a foramen whose disc has already sunk: overgrown articular processes and lips of the back rims.

    A reader points at the foramen and at what fills it. ``severity`` is 1 for processes that reach the vertebral body.
    """
    lower, upper = spine[below(level, spine)], spine[level]
    region = level[0]
    scale = lower.half_width_mm / {"C": 10.0, "T": 16.0, "L": 24.0}[region]
    half = np.array(_FACET[region]) * scale * (0.55 + 0.5 * severity)
    out = lower.pedicle_mm[0] + (8.0 if region == "C" else 1.0) * scale
    compact = CORTEX * (0.5 + 0.5 * density)
    made: list[Solid] = []
    holes: list[Solid] = []
    for side in (1.0, -1.0):
        rise = float(lower.half_height(lower.half_depth_mm)) + 0.35 * half[2] + float(rng.uniform(-1, 1))
        at = lower.world(np.array([side * out, lower.half_depth_mm + _FORAMEN_BACK_MM[region] * scale + 0.5 * half[1], rise]))
        made.append(Ellipsoid(at, (float(half[0]), float(half[1]), float(half[2])), lower.axes, core=0.011 * density, cortex=compact, shell_mm=1.4))
        for v, plate in ((upper, "lower"), (lower, "upper")):
            made += _lip(v, plate, 90.0 - side * 38, 30.0, 4.2 * scale * severity, density)
        hole = (upper.world(np.array([side * out, upper.half_depth_mm + 5 * scale, -0.3 * upper.height_mm[1]])) + at) / 2
        tall = 0.5 * (upper.height_mm[1] * 0.6 + disc_mm(level, spine)) + 3
        holes.append(Ellipsoid(hole, (float(half[0]) + 2, float(half[1]) + 4, tall), lower.axes, core=0.02))
    return Lesion(f"{level}/{below(level, spine)}", tuple(made), (*holes, *made))


def implants(rng: np.random.Generator, spine: Mapping[str, Vertebra], levels: tuple[str, ...], scale: float, *, kind: str) -> tuple[Lesion, ...]:
    """Return a construct over neighbouring vertebrae: ``screws`` with rods, ``plate`` in front of the bodies, or ``cage`` in the disc spaces."""
    metal: list[Solid] = []
    if kind == "screws":
        metal += screws_and_rods(rng, spine, levels, scale)
    if kind == "plate":
        metal += _plate(rng, spine, levels)
    if kind != "screws" or rng.random() < 0.4:
        metal += [_cage(rng, spine, level) for level in levels[:-1]]
    site = levels[0] if len(levels) == 1 else f"{levels[0]}-{levels[-1]}"
    return (Lesion(site, tuple(metal), tuple(metal)),)


def _plate(rng: np.random.Generator, spine: Mapping[str, Vertebra], levels: tuple[str, ...]) -> list[Solid]:
    wide = float(rng.uniform(4.5, 6.5))
    points: list[list[float]] = []
    for level in levels:
        v = spine[level]
        front = -(v.half_depth_mm + 1.4)
        ends = [(v.height_mm[0] / 2) * k for k in ((0.25, -0.5) if level != levels[-1] else (0.5, -0.25))]
        points += [v.world(np.array([0.0, front, z])).tolist() for z in ends]
    line = np.array(points)
    left = spine[levels[0]].axes[:, 0]
    made: list[Solid] = []
    rails = [Tube(line + side * wide * left, np.full(len(line), 1.7), core=TITANIUM, cortex=TITANIUM, shell_mm=0.0) for side in (1, -1)]
    for level in levels:
        v = spine[level]
        middle = v.world(np.array([0.0, -(v.half_depth_mm + 1.4), 0.0]))
        across = np.array([middle - wide * left, middle + wide * left])
        rails.append(Tube(across, np.array([2.4, 2.4]), core=TITANIUM, cortex=TITANIUM, shell_mm=0.0))
        for side in (1, -1):
            reach = 1.55 * v.half_depth_mm
            screw = np.array([across[0 if side < 0 else 1], middle + side * 0.7 * wide * left + reach * v.axes[:, 1]])
            made.append(Tube(screw, np.array([2.0, 1.6]), core=TITANIUM, cortex=TITANIUM, shell_mm=0.0))
    return [Together(rails), *made]


def _cage(rng: np.random.Generator, spine: Mapping[str, Vertebra], level: str) -> Solid:
    v, lower = spine[level], spine[below(level, spine)]
    middle = (v.point("lower", 0, 0) + lower.point("upper", 0, 0)) / 2
    half = (0.55 * v.half_width_mm * float(rng.uniform(0.9, 1.15)), 0.6 * v.half_depth_mm, max(disc_mm(level, spine) / 2, 2.0) + 0.8)
    return Cylinder(middle, half, lower.axes, core=0.006, cortex=0.75 * TITANIUM, shell_mm=2.2)


def belongings(rng: np.random.Generator, centre_mm: Floats, half_field_mm: float, depth_mm: tuple[float, float], *, view: str) -> list[Solid]:
    """Return electrodes with their wires, snaps of a gown or a chain: metal on the skin that anybody may wear, and that says nothing.

    ``depth_mm`` are the depths of the skin in front and behind; for a lateral film the things lie beside the spine's plane.
    """
    made: list[Solid] = []

    def place(across: float, along: float) -> Floats:
        across, along = across * half_field_mm, along * half_field_mm
        if view == "AP":
            return np.array([centre_mm[0] + across, depth_mm[0], centre_mm[2] + along])
        return np.array([centre_mm[0] + 120.0, centre_mm[1] + across, centre_mm[2] + along])

    kind = str(rng.choice(("electrodes", "snaps", "chain")))
    if kind == "chain":
        x = np.linspace(-1, 1, 24)
        dip, low = float(rng.uniform(0.3, 0.9)), float(rng.uniform(-0.9, 0.5))
        points = np.array([place(0.75 * float(t), low + dip * float(t * t)) for t in x])
        return [Tube(points, np.full(len(points), float(rng.uniform(0.9, 1.6))), core=0.5 * TITANIUM, cortex=0.5 * TITANIUM, shell_mm=0.0)]
    for _ in range(int(rng.integers(1, 4))):
        across, along = (float(rng.uniform(0.3, 0.95) * rng.choice((-1, 1))) for _ in range(2))
        at = place(across, along)
        radius = float(rng.uniform(3.0, 5.5))
        flat = (radius, 1.4, radius) if view == "AP" else (1.4, radius, radius)
        made.append(Ellipsoid(at, flat, core=TITANIUM))
        if kind == "electrodes":
            end = place(float(rng.uniform(-1.3, 1.3)), 1.4 * float(rng.choice((-1, 1))))
            bend = (at + end) / 2 + rng.normal(0, 0.12 * half_field_mm, 3) * (np.array([1, 0, 1]) if view == "AP" else np.array([0, 1, 1]))
            t = np.linspace(0, 1, 14)[:, None]
            points = (1 - t) ** 2 * at + 2 * t * (1 - t) * bend + t**2 * end
            made.append(Tube(points, np.full(len(points), 0.8), core=0.6 * TITANIUM, cortex=0.6 * TITANIUM, shell_mm=0.0))
    return made
