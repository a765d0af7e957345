"""AP films of the whole spine, straight or curved, with every endplate and the Cobb angle known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from spinelab.phantoms import difficulty as hardness
from spinelab.phantoms.camera import Floats
from spinelab.phantoms.column import LUMBAR, THORACIC, Stack, build, hang, moved
from spinelab.phantoms.film import Scene, expose, frame
from spinelab.phantoms.patient import Patient, draw_patient
from spinelab.phantoms.skull import cervical_arch
from spinelab.phantoms.solids import Ellipsoid, Solid
from spinelab.phantoms.trunk import Trunk, bowel_gas, lungs, organs, pelvis, rib_reach, ribs
from spinelab.phantoms.vertebra import SOFT, Vertebra, arch, turned

LEVELS: Final = (*THORACIC, *LUMBAR)
CURVED_FROM_DEG: Final = 10.0
"""The Scoliosis Research Society's limit: below this Cobb angle a spine counts as straight."""
_STRAIGHT_DEG: Final = {"easy": (0.0, 3.0), "typical": (0.0, 6.0), "hard": (1.0, 8.0)}


@dataclass(frozen=True, eq=False)
class SpineFilm:
    """An AP film of the spine from T1 to the sacrum and what is known of it.

    Parameters
    ----------
    pixels
        ``(rows, columns)``, larger is more attenuation.
    cobb_deg
        Drawn angle between the most tilted endplates in the coronal plane.
    convex
        Side of the patient to which the main curve bows.
    apex
        Vertebra at the middle of the main curve.
    endplates
        Upper and lower endplate of T1 ... L5 as ends ``(34, 2, 2)`` x, y in pixels, image left first.
    """

    pixels: NDArray[np.uint8]
    cobb_deg: float
    convex: str
    apex: str
    endplates: Floats
    spacing_mm: float
    patient: Patient

    @property
    def curved(self) -> bool:
        return self.cobb_deg >= CURVED_FROM_DEG

    @property
    def corners(self) -> Floats:
        """Return the corners of T1 ... L5, ``(17, 4, 2)`` x, y in pixels, in the order of `spinelab.geometry.CORNERS`."""
        return self.endplates.reshape(len(LEVELS), 4, 2)


def ap_spine(
    rng: np.random.Generator, *, curved: bool | None = None, cobb_deg: float | None = None, difficulty: str = "typical", scale: float = 1.0
) -> SpineFilm:
    """Draw a patient with a straight or scoliotic spine and take an AP film.

    Parameters
    ----------
    curved
        Whether the Cobb angle is drawn from the difficulty's range of curves or from below 10 degrees; drawn at even odds if not given.
    cobb_deg
        The angle itself, in place of ``curved``.
    scale
        Factor on the pixels along each side.
    """
    limits = hardness.of(difficulty)
    streams = [np.random.default_rng(int(s)) for s in rng.integers(2**63, size=4)]
    if cobb_deg is None:
        bowed = bool(rng.random() < 0.5) if curved is None else curved
        cobb_deg = float(rng.uniform(*(limits.cobb_deg if bowed else _STRAIGHT_DEG[difficulty])))
    patient = draw_patient(streams[0], limits)
    convex, apex, stack = _curve(streams[1], patient, cobb_deg)
    pose = turned(*(streams[2].normal(0, 0.5 * limits.patient_turn_deg, 3) * [0.6, 0.4, 1.0]))
    spine = stand(stack, patient, pose)
    scene = frontal_scene(streams[2], patient, spine, limits)
    points = np.array([spine[v].point("upper", a, b) for v in (*LEVELS, "S1") for a, b in ((1, 0), (-1, 0), (0, 1))])
    # Framed by the middle line, as the film is: how far a curve bows must not show in the film's width.
    points[:, 0] = np.tile([24.0, -24.0, 0.0], len(points) // 3) + np.median(points[:, 0])
    framing = frame(streams[3], "AP", points, limits, film_mm=130, scale=0.72 * scale, wide=(1.25, 0.55))
    pixels = expose(streams[3], scene, framing, limits, corner="own")
    ends = np.array([spine[v].ends(plate, framing.camera, (1.0, 0.0)) for v in LEVELS for plate in ("upper", "lower")])
    return SpineFilm(pixels, cobb_deg, convex, apex, ends, framing.camera.spacing_mm, patient)


def _curve(rng: np.random.Generator, patient: Patient, cobb_deg: float) -> tuple[str, str, Stack]:
    """Return convex side, apex, and the spine with one main curve and its compensation; ends are tilted as in a real curve."""
    apex = int(rng.choice([7, 8, 9, 11, 12, 13], p=[0.2, 0.25, 0.2, 0.1, 0.15, 0.1]))
    half = float(rng.uniform(3.2, 4.2))
    offset = (np.arange(len(LEVELS)) - apex) / half
    profile = np.where(np.abs(offset) <= 1, np.sin(offset * np.pi / 2), np.sign(offset) * np.exp(-((np.abs(offset) - 1) ** 2) * 1.6))
    # Leaning back by most of the mean tilt keeps the head over the pelvis and changes no angle between vertebrae.
    profile = cobb_deg * (profile - 0.8 * profile.mean()) / (profile.max() - profile.min())
    # Seen from the front, a curve convex to the patient's right has its upper end tilted with the left side up.
    right = bool(rng.random() < 0.75)
    side = profile if right else -profile
    turn = 0.45 * cobb_deg * np.exp(-(offset**2)) * (1 if right else -1)
    lumbar = patient.stack
    wedge = {**dict.fromkeys(THORACIC, -1.0), **lumbar.wedge_deg}
    stack = Stack(
        (*LEVELS, "S1"), lumbar.base_deg, wedge, dict(zip(LEVELS, side, strict=True)), dict(zip(LEVELS, turn, strict=True)),
        lumbar.forward_mm, lumbar.left_mm, lumbar.disc,
    )  # fmt: skip
    return ("right" if right else "left"), LEVELS[apex], stack


def stand(stack: Stack, patient: Patient, pose: Floats) -> dict[str, Vertebra]:
    """Build a spine down to S4, centred on its middle and turned as the patient stands."""
    spine = build(stack, dict.fromkeys(stack.levels, patient.scale), patient.hollow_mm)
    spine |= hang(spine["S1"], ("S2", "S3", "S4"), patient.scale, (-4.0, -13.0, -16.0))
    middle = np.mean([v.centre_mm for v in spine.values()], axis=0)
    return moved(spine, -middle, pose)


def frontal_scene(rng: np.random.Generator, patient: Patient, spine: Mapping[str, Vertebra], limits: hardness.Difficulty) -> Scene:
    """Return bones, organs and trunk around a spine for an AP film."""
    bone: list[Solid] = []
    for level, v in spine.items():
        bone.append(v.body(patient.density * (0.8 if level[0] == "S" else 1.0)))
        if level[0] in "TL":
            bone += arch(v, patient.density, lumbar=level[0] == "L")
        elif level[0] == "C":
            bone += cervical_arch(v, patient.density, patient.scale)
    bone += ribs(spine, patient.build, patient.density, rib_reach(rng, spine, (100, 122)))
    bone += pelvis({k: spine[k] for k in ("S1", "S2", "S3")}, patient.density, patient.scale)
    back = max(spine[v].centre_mm[1] for v in ("T6", "L1", "L4")) + 58 * patient.scale + patient.build.fat_mm
    soft = [*organs(rng, spine, patient.build), *bowel_gas(rng, spine, patient.build, float(rng.uniform(*limits.gas)))]
    chest = spine["T11"].centre_mm * [0.0, 1.0, 1.0] + [0, 0, rng.uniform(-15, 15)]
    soft += lungs(chest, back)
    soft.append(Ellipsoid(chest + np.array([24, -85, 62]), (50, 40, 46), turned(0, -25), core=0.28 * SOFT))
    return Scene(bone, soft, [Trunk(patient.build, back, float(spine["L2"].centre_mm[2]))])
