"""Pictures that are no film of the whole spine, for tests of refusal: a chest, a pelvis, a hand, a photograph."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from spinelab.core import TaskError
from spinelab.phantoms import difficulty as hardness
from spinelab.phantoms.camera import Floats, camera
from spinelab.phantoms.film import Framing, Scene, expose
from spinelab.phantoms.hips import hips
from spinelab.phantoms.patient import draw_patient
from spinelab.phantoms.posture import STANCES, draw_posture
from spinelab.phantoms.solids import Ellipsoid, Solid, Together, Tube
from spinelab.phantoms.spine import LEVELS, frontal_scene, stand
from spinelab.phantoms.trunk import Trunk, bowel_gas
from spinelab.phantoms.vertebra import CORTEX, SOFT, arch

_LIMITS: Final = hardness.of("typical")
_PIXEL_MM: Final = 0.5


@dataclass(frozen=True, eq=False)
class WrongFilm:
    """A picture and what it shows; ``pixels`` is ``(rows, columns)``, for a photograph ``(rows, columns, 3)`` RGB, 8 bits."""

    kind: str
    pixels: NDArray[np.uint8]


def not_a_spine(rng: np.random.Generator, kind: str, *, scale: float = 1.0) -> WrongFilm:
    """Draw a picture of ``kind``: one of `WRONG_KINDS`.

    Raises
    ------
    TaskError
        The kind is unknown.
    """
    if kind not in _DRAWN:
        raise TaskError(f"Kind {kind!r}", expected=f"one of {', '.join(_DRAWN)}", action="choose one of them")
    return WrongFilm(kind, _DRAWN[kind](rng, scale))


def _chest(rng: np.random.Generator, scale: float) -> NDArray[np.uint8]:
    patient = draw_patient(rng, _LIMITS)
    stack = patient.stack
    spine = stand(type(stack)((*LEVELS, "S1"), stack.base_deg, {**dict.fromkeys(LEVELS[:12], -2.0), **stack.wedge_deg}, disc=stack.disc), patient, np.eye(3))
    scene = frontal_scene(rng, patient, spine, _LIMITS)
    middle = (spine["T1"].centre_mm + spine["T12"].centre_mm) / 2
    return _take(rng, scene, middle, (float(rng.uniform(380, 420)) * patient.scale, float(rng.uniform(340, 400)) * patient.scale), scale)


def _pelvis(rng: np.random.Generator, scale: float) -> NDArray[np.uint8]:
    patient = draw_patient(rng, _LIMITS)
    posture = draw_posture(rng, STANCES["easy"], patient.age_years, patient.scale, patient.hollow_mm)
    bone: list[Solid] = hips(rng, posture, patient.density)
    for level in ("L4", "L5", "S1", "S2", "S3", "S4"):
        bone.append(posture.spine[level].body(patient.density))
        if level[0] == "L":
            bone += arch(posture.spine[level], patient.density)
    back = float(posture.spine["S1"].centre_mm[1]) + 80 * patient.scale + patient.build.fat_mm
    soft = bowel_gas(rng, posture.spine, patient.build, 0.8)
    scene = Scene(bone, soft, [Trunk(patient.build, back, float(posture.spine["L4"].centre_mm[2]))])
    size = (float(rng.uniform(300, 350)) * patient.scale, float(rng.uniform(380, 430)) * patient.scale)
    return _take(rng, scene, np.array([0.0, 0.0, 35.0 * patient.scale]), size, scale)


def _hand(rng: np.random.Generator, scale: float) -> NDArray[np.uint8]:
    """Draw a hand on the detector, palm down: metacarpals and phalanges as rods, the carpus as pebbles."""
    bone: list[Solid] = []
    flesh: list[Solid] = []
    size, compact = float(rng.uniform(0.85, 1.1)), 1.2 * CORTEX
    rays = ((-46, -38, 0.75, 3), (-18, -10, 1.0, 4), (0, 0, 1.08, 4), (17, 9, 1.0, 4), (33, 19, 0.82, 4))
    for k, (knuckle_x, lean, grow, parts) in enumerate(rays):
        at = np.array([0.35 * knuckle_x, 0.0, 12.0 if k else -6.0]) * size
        way = np.array([np.sin(np.deg2rad(lean)), 0.0, np.cos(np.deg2rad(lean))])
        for length, radius in zip((62, 42, 26, 18)[:parts], (4.6, 4.2, 3.6, 3.0), strict=False):
            end = at + way * length * grow * size
            bone.append(Tube(np.array([at, end]), np.array([radius, radius]) * size, core=0.002, cortex=compact, shell_mm=1.3))
            bone += [Ellipsoid(p, (1.5 * radius * size, radius * size, 1.3 * radius * size), core=0.004, cortex=0.6 * compact, shell_mm=0.8) for p in (at, end)]
            flesh.append(Tube(np.array([at, end + way * 4]), np.array([10.5, 9.0]) * size, core=SOFT, cortex=0.0, shell_mm=0.0))
            at = end + way * 3 * size
    for row, z in enumerate((4.0, -9.0)):
        bone += [
            Ellipsoid(np.array([x * size, 0.0, (z + rng.normal(0, 1.5)) * size]), (7.5, 6.0, 6.5), core=0.006, cortex=0.7 * compact, shell_mm=1.0)
            for x in np.linspace(-18, 18, 4) + 2 * row
        ]
    for x, radius in ((-9, 10.0), (14, 6.5)):
        bone.append(Tube(np.array([[x, 0, -22], [x, 0, -120]]) * size, np.array([radius, 0.6 * radius]) * size, core=0.002, cortex=compact, shell_mm=1.8))
    flesh.append(Ellipsoid(np.array([0.0, 0.0, 28.0]) * size, (44 * size, 14 * size, 56 * size), core=SOFT))
    flesh.append(Tube(np.array([[0, 0, 0.0], [0, 0, -130]]) * size, np.array([27, 25.0]) * size, core=0.8 * SOFT, cortex=0.0, shell_mm=0.0))
    scene = Scene(bone, [], [Together(flesh)])
    return _take(rng, scene, np.array([0.0, 0.0, 40.0]), (float(rng.uniform(280, 300)), float(rng.uniform(200, 230))), scale, film_mm=20.0)


def _take(rng: np.random.Generator, scene: Scene, aim_mm: Floats, size_mm: tuple[float, float], scale: float, *, film_mm: float = 130.0) -> NDArray[np.uint8]:
    """Take an AP film of a height and width in millimetres around a point."""
    spacing = _PIXEL_MM / scale
    shape = (round(size_mm[0] * 1.1 / spacing), round(size_mm[1] * 1.1 / spacing))
    centre = ((shape[1] - 1) / 2, (shape[0] - 1) / 2)
    view = camera("AP", aim_mm=aim_mm, film_mm=film_mm, distance_mm=1500.0, spacing_mm=spacing, shape=shape, centre_px=centre, roll_deg=float(rng.normal(0, 1)))
    return expose(rng, scene, Framing(view, (-0.2, 1.2, -0.2, 1.2)), _LIMITS, corner="own")


def _photograph(rng: np.random.Generator, scale: float) -> NDArray[np.uint8]:
    """Paint a landscape: a sky that brightens downwards, hills, and clouds, in colour."""
    rows, columns = round(480 * scale), round(640 * scale)
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float32) / rows
    sky = np.array([70, 130, 210]) + (1 - y[..., None]) * rng.uniform(-40, 20, 3) + y[..., None] * np.array([120, 80, 20])
    picture = sky.astype(np.float32)
    mist = cv2.GaussianBlur(rng.standard_normal((rows, columns)).astype(np.float32), (0, 0), 24 * scale + 1)
    picture += (np.clip(mist / mist.std(), 0, 2) * 40)[..., None]
    for depth in range(4):
        crest = 0.5 + 0.12 * depth + sum(0.06 / k * np.sin(x * k * rng.uniform(2, 6) + rng.uniform(0, 6)) for k in (1, 2, 4))
        colour = np.array([90, 120, 70]) * (1 - 0.18 * depth) + rng.normal(0, 12, 3)
        picture = np.where((y > crest)[..., None], colour + 60 * (y - crest)[..., None], picture)
    picture += rng.normal(0, 5, picture.shape)
    painted: NDArray[np.uint8] = np.clip(picture, 0, 255).astype(np.uint8)
    return painted


_DRAWN: Final[Mapping[str, Callable[[np.random.Generator, float], NDArray[np.uint8]]]] = {
    "chest": _chest, "pelvis": _pelvis, "hand": _hand, "photograph": _photograph,
}  # fmt: skip
WRONG_KINDS: Final = tuple(_DRAWN)
