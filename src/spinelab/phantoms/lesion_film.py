"""Square films of the neck, the chest or the loin, from the front or the side, with one of four answers drawn in and its place known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from spinelab.core import TaskError
from spinelab.phantoms import difficulty as hardness
from spinelab.phantoms.body import Outline, breast_and_shoulder_bones, gas, lungs_about, outline, windpipe
from spinelab.phantoms.camera import Camera, Floats, camera
from spinelab.phantoms.detector import clouds, develop, grain, marker
from spinelab.phantoms.film import Framing, draw_exposure
from spinelab.phantoms.hips import hips
from spinelab.phantoms.lesion_drawing import Lesion, belongings, below, disc_mm, implants, narrowing, osteophyte, settled
from spinelab.phantoms.patient import Patient, draw_age, draw_patient
from spinelab.phantoms.posture import STANCES, Posture, draw_posture
from spinelab.phantoms.skull import head, neck_bones
from spinelab.phantoms.solids import Integrated, Solid, Together, ray_sum
from spinelab.phantoms.trunk import rib_reach, ribs
from spinelab.phantoms.vertebra import SOFT, Vertebra, arch

LESIONS: Final = ("normal", "foraminal-stenosis", "osteophyte", "surgical-implant")
REGIONS: Final = ("cervical", "thoracic", "lumbar")
VIEWS: Final = ("AP", "LATERAL")
SIDE_PX: Final = 300

_LEVELS: Final[Mapping[str, tuple[str, ...]]] = {
    "cervical": ("C3", "C4", "C5", "C6"),
    "thoracic": ("T5", "T6", "T7", "T8", "T9", "T10"),
    "lumbar": ("L1", "L2", "L3", "L4"),
}
"""Vertebrae above the discs at which a lesion is drawn, so that it lies on every film of the region."""
_AIM: Final = {"cervical": ("C3", "T1"), "thoracic": ("T2", "T12"), "lumbar": ("T12", "S1")}
_FIELD_MM: Final = {"cervical": (150.0, 195.0), "thoracic": (265.0, 320.0), "lumbar": (215.0, 280.0)}
"""Side of the square, measured at the spine."""
_YOUNGEST: Final = 25


@dataclass(frozen=True)
class _Grade:
    """How large lesions are: part of the largest spur (mm, full-size lumbar), severity of a narrowing, levels, metal on the skin."""

    spur_mm: tuple[float, float]
    severity: tuple[float, float]
    sunk: tuple[float, float]
    several: float
    belongings: float


_GRADES: Final = {
    "easy": _Grade((11, 14), (1.3, 1.6), (0.6, 0.75), 1.0, 0.0),
    "typical": _Grade((6, 11), (0.8, 1.4), (0.3, 0.65), 0.5, 0.35),
    "hard": _Grade((3, 8), (0.4, 1.0), (0.15, 0.5), 0.3, 0.5),
}


@dataclass(frozen=True, eq=False)
class LesionFilm:
    """One film and what is known of it.

    Parameters
    ----------
    pixels
        ``(300, 300)``, 8 bits, larger is more attenuation.
    label
        One of `LESIONS`.
    boxes
        Disc level or vertebrae to the lesion's place: left, upper, right, lower in pixels of the film, edges included; empty for ``normal``.
    spacing_mm
        Detector pixel, which a PNG does not state.
    facing
        Image side to which the patient faces on a lateral film.
    """

    pixels: NDArray[np.uint8]
    label: str
    region: str
    view: str
    boxes: Mapping[str, tuple[int, int, int, int]]
    spacing_mm: float
    facing: str | None
    patient: Patient


@dataclass(frozen=True, eq=False)
class _FrontalOutline:
    """The body from skin to skin seen from the front; each ray is taken where it crosses the plane of the spine."""

    skin: Outline
    depth_mm: float

    def add_to(self, film: Floats, camera: Camera) -> None:
        x, y, z = camera.rays((0, film.shape[0], 0, film.shape[1]), np.eye(3))
        part = np.float32(self.depth_mm - camera.source_mm[1]) / y
        aside, height = camera.source_mm[0] + part * x, camera.source_mm[2] + part * z
        _, half_depth, half_width = self.skin.at(height)
        half_width = np.maximum(half_width * (height < self.skin.z_mm[-1]), 0.1)
        slant = np.sqrt(x * x + y * y + z * z) / np.abs(y)
        inside = np.maximum(1 - np.abs(aside / half_width) ** 2.4, 0) ** (1 / 2.4)
        film += (2 * 0.95 * SOFT * half_depth * inside * slant).astype(np.float32)


def lesion_film(
    rng: np.random.Generator, *, label: str | None = None, region: str | None = None, view: str | None = None, difficulty: str = "typical"
) -> LesionFilm:
    """Draw a patient and take one film.

    Parameters
    ----------
    rng
        The same state gives the same patient, stance, framing, exposure and belongings whatever the label: only the lesion differs.
    label, region, view
        Drawn evenly if not given; ``easy`` films are lateral ones of the lumbar spine.

    Raises
    ------
    TaskError
        For an unknown label, region, view or difficulty.
    """
    limits, grade = hardness.of(difficulty), _GRADES[difficulty]
    streams = [np.random.default_rng(int(s)) for s in rng.integers(2**63, size=6)]
    drawn = [str(streams[0].choice(known)) for known in (LESIONS, REGIONS, VIEWS)]
    if difficulty == "easy":
        drawn[1:] = ["lumbar", "LATERAL"]
    label, region, view = (_known(given or d, known) for given, d, known in zip((label, region, view), drawn, (LESIONS, REGIONS, VIEWS), strict=True))
    patient = draw_patient(streams[1], limits, None, max(draw_age(streams[1]), _YOUNGEST))
    stance = STANCES[difficulty]
    # On a film of one region small curves and turns are what tells one patient from the next.
    stance = replace(stance, deformed=0.1, bow_deg=2.0 * stance.bow_deg, twist_deg=2.0 * stance.twist_deg)
    posture = draw_posture(streams[1], stance, patient.age_years, patient.scale, patient.hollow_mm)
    facing = str(streams[2].choice(limits.facing))
    framing = _frame(streams[2], posture, "AP" if view == "AP" else facing.upper(), region, limits)
    posture, lesions = _afflicted(streams[3], posture, patient, (label, region, view), grade)
    pixels = _take(streams[4], posture, patient, framing, lesions, (label, region, view), limits, grade)
    boxes = {lesion.site: box for lesion in lesions if (box := _box(lesion, framing.camera)) is not None}
    return LesionFilm(pixels, label, region, view, boxes, framing.camera.spacing_mm, None if view == "AP" else facing, patient)


def _known(name: str, known: tuple[str, ...]) -> str:
    if name not in known:
        raise TaskError(f"{name!r}", expected=f"one of {', '.join(known)}", action="choose one of them")
    return name


def _frame(rng: np.random.Generator, posture: Posture, tube: str, region: str, limits: hardness.Difficulty) -> Framing:
    """Aim at the region of the unharmed spine, as large as chance has it."""
    upper, lower = (posture.spine[v].centre_mm for v in _AIM[region])
    aim = (upper + lower) / 2 + rng.normal(0, 3 * limits.spread, 3)
    distance, film_mm = float(rng.uniform(1050, 1500)), float(rng.uniform(120, 220))
    side = float(rng.uniform(*_FIELD_MM[region])) * (0.55 + 0.45 * posture.scale)
    spacing = side * distance / (distance - film_mm) / SIDE_PX
    border = float(rng.uniform(0.01, 0.06)) if rng.random() < limits.borders else 0.0
    roll = float(np.clip(rng.normal(0, 1.2 * limits.spread), -6, 6)) if limits.spread >= 1 else 0.0
    roll += _lean_deg(upper - lower, tube)
    middle = (SIDE_PX - 1) / 2
    placed = camera(
        tube, aim_mm=aim, film_mm=film_mm, distance_mm=distance, spacing_mm=spacing, shape=(SIDE_PX, SIDE_PX), centre_px=(middle, middle), roll_deg=roll
    )
    wide = border * float(rng.uniform(0.0, 2.0))
    return Framing(placed, (border, 1 - border, wide, 1 - wide) if border else (-0.2, 1.2, -0.2, 1.2))


def _lean_deg(upwards: Floats, tube: str) -> float:
    """Return how far the film is turned towards the spine's own direction, as the patient is laid or the cassette tilted: by most of its lean."""
    if tube == "AP":
        return 0.0
    lean = float(np.rad2deg(np.arctan2(-upwards[1], upwards[2])))
    return (0.75 if tube == "LEFT" else -0.75) * lean


def _afflicted(rng: np.random.Generator, posture: Posture, patient: Patient, what: tuple[str, str, str], grade: _Grade) -> tuple[Posture, tuple[Lesion, ...]]:
    """Return the posture, sunk where a disc is lost, and the lesions."""
    label, region, view = what
    levels = _LEVELS[region]
    first = int(rng.integers(len(levels)))
    count = 1 + int(rng.random() < grade.several) + int(rng.random() < 0.4 * grade.several)
    chosen = levels[max(min(first, len(levels) - count), 0) :][:count]
    if label == "normal":
        return posture, ()
    if label == "surgical-implant":
        return posture, _construct(rng, posture, patient, region, chosen)
    if label == "osteophyte":
        full = {"cervical": 0.62, "thoracic": 0.8, "lumbar": 1.0}[region] * patient.scale
        sizes = [float(rng.uniform(*grade.spur_mm)) * full for _ in chosen]
        return posture, tuple(osteophyte(rng, posture.spine, level, size, patient.density, view=view) for level, size in zip(chosen, sizes, strict=True))
    for level in chosen:
        posture = settled(posture, level, float(rng.uniform(*grade.sunk)) * max(disc_mm(level, posture.spine) - 1.0, 0.0))
    return posture, tuple(narrowing(rng, posture.spine, level, float(rng.uniform(*grade.severity)), patient.density) for level in chosen)


def _construct(rng: np.random.Generator, posture: Posture, patient: Patient, region: str, chosen: tuple[str, ...]) -> tuple[Lesion, ...]:
    levels = (*chosen, below(chosen[-1], posture.spine))
    if region == "thoracic" and len(levels) < 3:
        levels = (*levels, below(levels[-1], posture.spine))
    kinds = {"cervical": ("plate", "screws"), "thoracic": ("screws",), "lumbar": ("screws", "screws", "cage")}[region]
    return implants(rng, posture.spine, levels, patient.scale, kind=str(rng.choice(kinds)))


def _take(
    rng: np.random.Generator,
    posture: Posture,
    patient: Patient,
    framing: Framing,
    lesions: tuple[Lesion, ...],
    what: tuple[str, str, str],
    limits: hardness.Difficulty,
    grade: _Grade,
) -> NDArray[np.uint8]:
    """Sum the attenuation, and take the film. Everything that chance decides here is drawn alike for every label."""
    label, region, view = what
    eye = framing.camera
    skin = outline(rng, posture, patient.build)
    bone, soft, lungs, body = _anatomy(rng, posture, patient, skin, what, limits)
    spine = posture.spine[_AIM[region][0]].centre_mm
    depths = (float(np.interp(spine[2], skin.z_mm, skin.front_mm)), float(np.interp(spine[2], skin.z_mm, skin.back_mm)))
    middle = np.mean([posture.spine[v].centre_mm for v in _AIM[region]], axis=0)
    things = belongings(rng, middle, eye.spacing_mm * SIDE_PX / 2.3, depths, view=view)
    worn = things if rng.random() < grade.belongings else []
    drawn = [solid for lesion in lesions for solid in lesion.solids]
    metal = label == "surgical-implant"
    hard = ray_sum([*bone, *([] if metal else drawn)], eye)
    hard *= 1 + 0.08 * grain(rng, eye.shape, eye.spacing_mm, 0.8, stretch=1.6)
    whole = ray_sum(body, eye, coarse=2)
    air = ray_sum(soft, eye, coarse=2) + ray_sum(lungs, eye, coarse=4)
    total = np.maximum(whole + np.maximum(air, -0.85 * whole), 0) + hard
    mottle = float(rng.uniform(0.02, 0.05)) * (0.5 + 0.5 * limits.spread)
    total += mottle * clouds(rng, eye.shape, eye.spacing_mm) * np.clip(whole, 0, 1)
    total += _opaque(ray_sum([*worn, *(drawn if metal else [])], eye) + _letter(rng, eye), total)
    # Neck on shoulders and chest on belly: every department evens these out for display.
    flatten = limits.flatten if region == "lumbar" else (0.5 + 0.5 * limits.flatten[0], 0.5 + 0.5 * limits.flatten[1])
    exposure = draw_exposure(rng, replace(limits, flatten=flatten), framing)
    return develop(np.maximum(total, 0).astype(np.float32), exposure, eye.spacing_mm, rng)


def _opaque(metal: Floats, total: Floats) -> Floats:
    """Return how much whiter metal makes the film: it ends a little above the densest bone, as a film's shoulder does, and keeps some of its own relief."""
    ceiling = float(np.percentile(total, 99.5)) + 0.25
    room = np.maximum(ceiling - total, 0.6)
    return np.asarray(room * (1 - np.exp(-metal / room)), np.float32)


def _anatomy(
    rng: np.random.Generator, posture: Posture, patient: Patient, skin: Outline, what: tuple[str, str, str], limits: hardness.Difficulty
) -> tuple[list[Solid], list[Solid], list[Solid], list[Solid]]:
    """Return bone, soft tissue and air, lungs, and the body from skin to skin; what lies far from the region is left out."""
    _, region, view = what
    density, build = patient.density, patient.build
    bone: list[Solid] = []
    near = _near(posture, region)
    for level, v in near.items():
        bone.append(v.body(density * (0.8 if level[0] == "S" else 1.0)))
        if level[0] in "TL":
            bone += arch(v, density, lumbar=level[0] == "L")
    reach = rib_reach(rng, posture.spine, (118, 150))
    bone += ribs(posture.spine, build, density, {level: degrees for level, degrees in reach.items() if level in near})
    bone += neck_bones(posture, density) if region != "lumbar" else []
    shell: Solid = skin if view == "LATERAL" else _FrontalOutline(skin, float(posture.spine["T6"].centre_mm[1]))
    soft: list[Solid] = [windpipe(posture)]
    body: list[Solid] = [shell]
    if region == "lumbar":
        bone += hips(rng, posture, density)
        soft += gas(rng, posture, skin, build, float(rng.uniform(*limits.gas)))
    else:
        bone += breast_and_shoulder_bones(posture, skin, build, density)
    if region == "cervical":
        skull, flesh = head(rng, posture, density)
        bone += skull
        body = [Together([shell, *(piece for piece in flesh if getattr(piece, "core", 0.0) > 0)])]
        soft += [piece for piece in flesh if getattr(piece, "core", 0.0) <= 0]
    # A patient turned a little, breathing more or less deeply, has heart and lungs elsewhere against the spine.
    off = rng.normal(0, 1, 3) * np.array([9.0, 4.0, 12.0]) * min(limits.spread, 1.0)
    pair = [replace(lung, step_mm=5.0, centre_mm=lung.centre_mm + off) for lung in lungs_about(rng, posture, skin) if isinstance(lung, Integrated)]
    return bone, soft, [*pair], body


_REACH: Final = {"cervical": ("C2", "T4"), "thoracic": ("C5", "L3"), "lumbar": ("T7", "S4")}
"""First and last vertebra that may show on a film of the region, with their ribs."""


def _near(posture: Posture, region: str) -> dict[str, Vertebra]:
    names = list(posture.spine)
    first, last = (names.index(level) for level in _REACH[region])
    return {name: posture.spine[name] for name in names[first : last + 1]}


def _box(lesion: Lesion, eye: Camera) -> tuple[int, int, int, int] | None:
    """Return the smallest box around a lesion on the film, with a pixel to spare; ``None`` where it lies beside the film."""
    there = ray_sum(list(lesion.shown), eye) > 0.02
    rows, columns = (np.flatnonzero(there.any(axis=axis)) for axis in (1, 0))
    if rows.size == 0:
        return None
    low, high = np.array([columns[0], rows[0]]) - 1, np.array([columns[-1], rows[-1]]) + 1
    (x0, y0), (x1, y1) = np.clip(low, 0, SIDE_PX - 1), np.clip(high, 0, SIDE_PX - 1)
    return int(x0), int(y0), int(x1), int(y1)


def _letter(rng: np.random.Generator, eye: Camera) -> Floats:
    rows, columns = eye.shape
    size = float(rng.uniform(0.035, 0.06)) * rows
    x = columns * float(rng.choice((0.06, 0.9)))
    y = rows * float(rng.uniform(0.08, 0.22) if rng.random() < 0.7 else rng.uniform(0.78, 0.92))
    return marker(eye.shape, "LR"[int(rng.integers(2))], (x, y), size)
