"""Paired AP and lateral lumbar radiographs of one drawn patient, with every endplate and slip known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from spinelab.geometry import LINES
from spinelab.phantoms import difficulty as hardness
from spinelab.phantoms.camera import Camera, Floats
from spinelab.phantoms.column import LUMBAR, build, hang, moved
from spinelab.phantoms.film import Framing, Scene, expose, frame
from spinelab.phantoms.patient import DISORDER_SHARES, DISORDERS, SITES, Patient, Slip, draw_patient, draw_slips, endplate_mm, with_slips
from spinelab.phantoms.solids import Solid
from spinelab.phantoms.trunk import Trunk, bowel_gas, lungs, organs, pelvis, ribs
from spinelab.phantoms.vertebra import Vertebra, arch, turned

VIEWS: Final = ("AP", "LATERAL")
_SACRUM_BEND_DEG: Final = (-4.0, -13.0, -16.0)


@dataclass(frozen=True, eq=False)
class DrawnFilm:
    """One film and what is known of it.

    Parameters
    ----------
    pixels
        ``(rows, columns)``, larger is more attenuation.
    endplates
        Ends of the endplate lines ``(10 or 11, 2, 2)`` as x, y in pixels, image left first, in the order of `spinelab.geometry.LINES`.
    spacing_mm
        Detector pixel, which a JPG does not state.
    magnification
        Detector millimetres per millimetre in the middle of the spine.
    anterior
        Image side to which the patient faces, on a lateral film.
    """

    view: str
    pixels: NDArray[np.uint8]
    endplates: Floats
    spacing_mm: float
    magnification: float
    anterior: str | None
    camera: Camera


@dataclass(frozen=True, eq=False)
class LumbarPhantom:
    """A drawn patient with the films that exist.

    ``forward_percent`` and ``left_percent`` are the displacement of every level in per cent of the endplate below (``forward_mm``,
    ``left_mm`` in millimetres), slips and the small unevenness of every spine alike.
    """

    patient: Patient
    slips: tuple[Slip, ...]
    spine: Mapping[str, Vertebra]
    films: Mapping[str, DrawnFilm]
    forward_mm: Mapping[str, float]
    left_mm: Mapping[str, float]
    forward_percent: Mapping[str, float]
    left_percent: Mapping[str, float]

    @property
    def subtype(self) -> str:
        """Return the greatest slip's name, or ``normal``."""
        return max(self.slips, key=lambda s: abs(s.percent)).kind if self.slips else "normal"


def lumbar_radiographs(
    rng: np.random.Generator,
    *,
    difficulty: str = "typical",
    disorder: str | None = None,
    missing_view: str | None = None,
    sex: str | None = None,
    age_years: int | None = None,
    scale: float = 1.0,
) -> LumbarPhantom:
    """Draw a patient and take both films.

    Parameters
    ----------
    rng
        The same state gives the same patient, film for film; only the slip differs between disorders.
    disorder
        One of `DISORDERS`, ``"normal"``, or ``None`` to draw it at the difficulty's prevalence.
    missing_view
        ``AP`` or ``LATERAL``: a film that was not taken.
    scale
        Factor on the pixels along each side; below 1 for quick tests.
    """
    limits = hardness.of(difficulty)
    streams = [np.random.default_rng(int(s)) for s in rng.integers(2**63, size=6)]
    patient = draw_patient(streams[0], limits, sex, age_years)
    slips = draw_slips(streams[1], limits, _disorder(rng, limits, disorder), patient.scale, alone=missing_view is not None)
    pose = turned(*(streams[2].normal(0, limits.patient_turn_deg, 3) * [0.6, 0.5, 1.0]))
    twin, spine = _stand(patient, (), pose), _stand(patient, slips, pose)
    scene = _scene(streams[3], patient, spine, twin, slips, limits)
    facing = str(streams[5].choice(limits.facing))
    films = {
        view: _film(stream, view if view == "AP" else facing, scene, (spine, twin), patient, limits, scale)
        for view, stream in zip(VIEWS, streams[4:], strict=True)
        if view != missing_view
    }
    stack = with_slips(patient.stack, slips)
    ends = {v: endplate_mm(v, patient.scale) for v in LUMBAR}
    return LumbarPhantom(
        patient, slips, spine, films,
        {SITES[v]: stack.forward_mm[v] for v in LUMBAR},
        {SITES[v]: stack.left_mm[v] for v in LUMBAR},
        {SITES[v]: 100 * stack.forward_mm[v] / ends[v][1] for v in LUMBAR},
        {SITES[v]: 100 * stack.left_mm[v] / ends[v][0] for v in LUMBAR},
    )  # fmt: skip


def draw_disorder(rng: np.random.Generator) -> str:
    """Draw one kind of slip as often as the source has it."""
    return str(rng.choice(DISORDERS, p=DISORDER_SHARES))


def _disorder(rng: np.random.Generator, limits: hardness.Difficulty, wanted: str | None) -> str | None:
    if wanted is None:
        return draw_disorder(rng) if rng.random() < limits.prevalence else None
    return None if wanted == "normal" else wanted


def _stand(patient: Patient, slips: tuple[Slip, ...], pose: Floats) -> dict[str, Vertebra]:
    """Build T8 to S4, centred on the lumbar spine and turned as the patient lies."""
    stack = with_slips(patient.stack, slips)
    spine = build(stack, dict.fromkeys(stack.levels, patient.scale), patient.hollow_mm)
    spine |= hang(spine["S1"], ("S2", "S3", "S4"), patient.scale, _SACRUM_BEND_DEG)
    middle = np.mean([spine[v].centre_mm for v in (*LUMBAR, "S1")], axis=0)
    return moved(spine, -middle, pose)


def _scene(
    rng: np.random.Generator,
    patient: Patient,
    spine: Mapping[str, Vertebra],
    twin: Mapping[str, Vertebra],
    slips: tuple[Slip, ...],
    limits: hardness.Difficulty,
) -> Scene:
    """Return all solids; whatever is not spine is placed by the undisplaced ``twin``."""
    behind = {s.vertebra: max(s.slip_mm, 0.0) for s in slips if s.isthmic}
    bone: list[Solid] = []
    for level, v in spine.items():
        bone.append(v.body(patient.density * (0.8 if level[0] == "S" else 1.0)))
        if level[0] != "S":
            bone += arch(v, patient.density, left_behind_mm=behind.get(level, 0.0), lumbar=level[0] == "L")
    reach = {"T9": 150.0, "T10": 140.0, "T11": float(rng.uniform(75, 105)), "T12": float(rng.uniform(35, 70))}
    bone += ribs(spine, patient.build, patient.density, reach)
    bone += pelvis({k: spine[k] for k in ("S1", "S2", "S3")}, patient.density, patient.scale)
    back = max(v.centre_mm[1] for v in twin.values() if v.level in (*LUMBAR, "T12")) + 58 * patient.scale + patient.build.fat_mm
    soft = [*organs(rng, twin, patient.build), *bowel_gas(rng, twin, patient.build, float(rng.uniform(*limits.gas)))]
    soft += lungs(twin["T11"].centre_mm + np.array([0, 0, rng.uniform(-10, 40)]), back)
    return Scene(bone, soft, [Trunk(patient.build, back, float(twin["L4"].centre_mm[2]))])


def _film(
    rng: np.random.Generator,
    tube: str,
    scene: Scene,
    spines: tuple[Mapping[str, Vertebra], Mapping[str, Vertebra]],
    patient: Patient,
    limits: hardness.Difficulty,
    scale: float,
) -> DrawnFilm:
    """Take one film; ``tube`` is ``AP`` or the image side to which the patient faces, ``spines`` the drawn and the undisplaced one."""
    spine, twin = spines
    levels = (*LUMBAR, "S1")
    points = np.array([twin[v].point(p, a, b) for v in levels for p in ("upper", "lower") for a, b in ((1, 0), (-1, 0), (0, 1), (0, -1))])
    frontal = tube == "AP"
    # The tube on the patient's left sees the front on the image left.
    depth_mm, wide = (75 + 45, (1.1, 0.95)) if frontal else (patient.build.half_width_mm + 60, (0.85, 0.95))
    framing = frame(rng, tube if frontal else tube.upper(), points, limits, film_mm=depth_mm, scale=scale, wide=wide)
    view = "AP" if frontal else "LATERAL"
    return DrawnFilm(
        view=view,
        pixels=expose(rng, scene, framing, limits, corner="own" if frontal else None),
        endplates=_endplates(spine, framing, view),
        spacing_mm=framing.camera.spacing_mm,
        magnification=framing.camera.magnification(spine["L3"].centre_mm),
        anterior=None if frontal else tube,
        camera=framing.camera,
    )


def _endplates(spine: Mapping[str, Vertebra], framing: Framing, view: str) -> Floats:
    across = (1.0, 0.0) if view == "AP" else (0.0, 1.0)
    names = [name.split() for name in (LINES[:10] if view == "AP" else LINES)]
    return np.array([spine[level].ends(plate, framing.camera, across) for level, plate in names])
