"""Lateral films of the whole spine, from skull to thigh, with 26 landmarks and the sagittal parameters known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from spinelab.geometry import LATERAL_LANDMARKS, sagittal_parameters
from spinelab.phantoms import difficulty as hardness
from spinelab.phantoms.body import arms, breast_and_shoulder_bones, gas, lungs_about, outline, windpipe
from spinelab.phantoms.camera import Floats
from spinelab.phantoms.detector import Exposure, clouds, develop_stored, field_mask, grain, marker
from spinelab.phantoms.film import Framing, draw_exposure
from spinelab.phantoms.hips import hips
from spinelab.phantoms.implants import draw_implants, screws_and_rods
from spinelab.phantoms.patient import Patient, draw_patient
from spinelab.phantoms.posture import STANCES, Posture, Stance, draw_posture
from spinelab.phantoms.skull import head, head_points, neck_bones
from spinelab.phantoms.solids import Solid, Together
from spinelab.phantoms.stitched import LongFilm, long_film
from spinelab.phantoms.trunk import rib_reach, ribs
from spinelab.phantoms.vertebra import arch

_ENDS: Final = {"S": ("S1", "upper"), "L1": ("L1", "upper"), "L4": ("L4", "upper"), "T4": ("T4", "upper"), "T12": ("T12", "lower"),
                "T1": ("T1", "upper"), "C7": ("C7", "lower"), "C2": ("C2", "lower")}  # fmt: skip
_IMPLANT_SHARE: Final = 0.10
_CUT_SHARE: Final = {"easy": 0.0, "typical": 0.0, "hard": 0.2}


@dataclass(frozen=True, eq=False)
class _Anatomy:
    """Solids by the detail they need: bone; soft tissue and air; lungs; the body from skin to skin."""

    bone: list[Solid]
    soft: list[Solid]
    lungs: list[Solid]
    body: list[Solid]


@dataclass(frozen=True, eq=False)
class WholeSpineFilm:
    """A lateral film of the whole spine and what is known of it.

    Parameters
    ----------
    pixels
        ``(rows, columns)``, 12 bits in ``uint16``, larger is more attenuation (MONOCHROME2).
    spacing_mm
        Detector pixel, equal along rows and columns.
    magnification
        Detector millimetres per millimetre in the midsagittal plane: a distance in the patient is pixels x ``spacing_mm`` / ``magnification``.
    window
        Centre and width that show the patient, as DICOM's linear window.
    landmarks
        Names of `spinelab.geometry.LATERAL_LANDMARKS` to x, y in pixels; what lies outside the film or the collimated field is left out.
    drawn
        The sagittal parameters in space, in the patient's midsagittal plane (degrees, ``sva`` in mm), as they were drawn. On the film,
        perspective, the patient's rotation and the film's roll change them by what a reader also sees.
    facing
        Image side to which the patient faces: ``left`` or ``right``.
    presacral
        Vertebrae above the sacrum: 24, in ``hard`` at times 23, 25 or 26.
    deformed
        Whether the stance was drawn from the deformed ones.
    implants
        Levels with pedicle screws, from the top down; empty without.
    """

    pixels: NDArray[np.uint16]
    spacing_mm: float
    magnification: float
    window: tuple[float, float]
    landmarks: Mapping[str, tuple[float, float]]
    drawn: Mapping[str, float]
    facing: str
    presacral: int
    deformed: bool
    implants: tuple[str, ...]
    patient: Patient
    posture: Posture
    film: LongFilm

    @property
    def parameters(self) -> dict[str, float]:
        """Return the sagittal parameters measured from `landmarks`: degrees, and ``sva`` in millimetres of the patient.

        Parameters whose landmarks are not on the film are left out. This is the truth that a reader of the film is held to; names as in
        `spinelab.geometry.PARAMETERS`.
        """
        found = sagittal_parameters(dict(self.landmarks), 1 if self.facing == "right" else -1)
        millimetres = self.spacing_mm / self.magnification
        return {name: float(value) * (millimetres if name == "sva" else 1.0) for name, value in found.items()}

    @property
    def patient_orientation(self) -> tuple[str, str]:
        """Return where rows and columns of the picture run to, as DICOM's PatientOrientation."""
        return ("P" if self.facing == "left" else "A"), "F"


def whole_spine(
    rng: np.random.Generator,
    *,
    difficulty: str = "typical",
    facing: str | None = None,
    implants: bool | None = None,
    taken: np.random.Generator | None = None,
    scale: float = 1.0,
) -> WholeSpineFilm:
    """Draw a standing patient and take a lateral film of the whole spine.

    Parameters
    ----------
    rng
        The same state gives the same film; facing and implants may be chosen without changing anything else.
    difficulty
        ``easy``: upright, clear, always everything on the film. ``typical``: as usual. ``hard``: rotated patients, poor exposure, incidental
        scoliosis, numbering anomalies, femoral heads or skull cut off.
    facing
        ``left`` or ``right`` of the image; drawn if not given.
    implants
        Drawn at 10 % if not given (never in ``easy``).
    taken
        Chance of placing and exposing the film, if not also from ``rng``: a further film of the patient that ``rng`` draws, in the same stance.
    scale
        Factor on the pixels along each side; 1 is about 2100 x 900.
    """
    limits, stance = hardness.of(difficulty), STANCES[difficulty]
    streams = [np.random.default_rng(int(s)) for s in rng.integers(2**63, size=6)]
    if taken is not None:
        streams[3], streams[5] = (np.random.default_rng(int(s)) for s in taken.integers(2**63, size=2))
    patient = draw_patient(streams[0], limits)
    posture = draw_posture(streams[1], stance, patient.age_years, patient.scale, patient.hollow_mm)
    drawn_facing = str(streams[2].choice(("left", "right")))
    film, field = _frame(streams[3], posture, patient, stance, facing or drawn_facing, scale, cut=_CUT_SHARE[difficulty])
    has_metal = streams[2].random() < (0.0 if difficulty == "easy" else _IMPLANT_SHARE)
    levels = draw_implants(streams[2], [v for v in posture.spine if v[0] != "S"])
    instrumented = levels if (has_metal if implants is None else implants) else ()
    anatomy = _anatomy(streams[4], posture, patient, limits)
    metal = screws_and_rods(streams[2], posture.spine, instrumented, patient.scale) if instrumented else []
    pixels, window, exposure = _expose(streams[5], film, anatomy, metal, field, limits)
    visible = field_mask(film.shape, exposure, film.spacing_mm) > 0.5 if field[0] > 0 else None
    angles = posture.angles
    return WholeSpineFilm(
        pixels=pixels, spacing_mm=film.spacing_mm, magnification=film.magnification, window=window, landmarks=_landmarks(posture, film, visible),
        drawn={"pi": angles.pi, "pt": angles.pt, "ss": angles.ss, "ll": angles.ll, "tk": angles.tk, "c2_c7": angles.c2_c7,
               "t1_slope": angles.t1_slope, "pi_ll": angles.pi - angles.ll, "sva": angles.sva_mm},
        facing=facing or drawn_facing, presacral=posture.presacral, deformed=angles.deformed, implants=instrumented, patient=patient,
        posture=posture, film=film,
    )  # fmt: skip


def _landmarks(posture: Posture, film: LongFilm, visible: NDArray[np.bool_] | None) -> dict[str, tuple[float, float]]:
    """Project the 26 points and keep those in the exposed field."""
    spine = posture.spine
    found = {f"FH_{k + 1}": film.project(centre) for k, centre in enumerate(posture.heads_mm)}
    for name, (level, plate) in _ENDS.items():
        found[f"{name}_1"], found[f"{name}_2"] = film.ends(spine[level], plate)
    found["C7_3"] = film.ends(spine["C7"], "upper")[1]
    found |= {level: film.project(spine[level].centre_mm) for level in ("T1", "C7")}
    found |= {name: film.project(point) for name, point in head_points(posture).items()}
    rows, columns = film.shape
    kept = {}
    for name in LATERAL_LANDMARKS:
        x, y = float(found[name][0]), float(found[name][1])
        if 0 <= x <= columns - 1 and 0 <= y <= rows - 1 and (visible is None or visible[round(y), round(x)]):
            kept[name] = (x, y)
    return kept


def _frame(
    rng: np.random.Generator, posture: Posture, patient: Patient, stance: Stance, facing: str, scale: float, *, cut: float
) -> tuple[LongFilm, tuple[float, float, float, float]]:
    """Place the film: its size comes from the patient's stature and chance, never from the stance."""
    distance, film_mm = float(rng.uniform(1850, 2700)), float(rng.uniform(210, 320))
    factor = distance / (distance - film_mm)
    spacing = float(rng.uniform(0.46, 0.54)) / scale
    below, above = float(rng.uniform(55, 130)), float(rng.uniform(20, 90))
    # From hips to the top of the head of an upright person of this size.
    stature = 710.0 * patient.scale + 135.0 * posture.head_scale
    cuts = rng.random(3)
    if cuts[0] < cut:
        below, above = (float(rng.uniform(-60, -5)), above) if cuts[1] < 0.5 else (below, float(rng.uniform(-170, -90)) * patient.scale)
    tall, wide = (stature + below + above) * factor, float(rng.uniform(430, 510))
    border = float(rng.uniform(5, 25)) if cuts[2] < 0.4 else 0.0
    shape = (round((tall + 2 * border) / spacing), round((wide + 2 * border) / spacing))
    depth = posture.depths_mm
    aim = np.array([0.0, (depth.min() + depth.max()) / 2 + np.clip(rng.normal(0, 4), -8, 8), (stature + above - below) / 2])
    parts = int(rng.choice([1, 2, 3, 6], p=[0.15, 0.3, 0.35, 0.2]))
    seams = [round(shape[0] * (k + float(rng.uniform(-0.05, 0.05))) / parts) for k in range(1, parts)]
    film = long_film(
        facing, aim_mm=aim, film_mm=film_mm, distance_mm=distance, spacing_mm=spacing, shape=shape, seams=seams,
        turn_deg=(float(rng.normal(0, 1) * stance.yaw_deg), float(np.clip(rng.normal(0, 1), -2, 2) * stance.roll_deg)),
    )  # fmt: skip
    high, broad = border * 1.0 / (tall + 2 * border), border / (wide + 2 * border)
    return film, ((high, 1 - high, broad, 1 - broad) if border else (-0.2, 1.2, -0.2, 1.2))


def _anatomy(rng: np.random.Generator, posture: Posture, patient: Patient, limits: hardness.Difficulty) -> _Anatomy:
    """Return everything but metal."""
    density, build = patient.density, patient.build
    skin = outline(rng, posture, build)
    bone: list[Solid] = []
    for level, v in posture.spine.items():
        bone.append(v.body(density * (0.8 if level[0] == "S" else 1.0)))
        if level[0] in "TL":
            bone += arch(v, density, lumbar=level[0] == "L")
    bone += neck_bones(posture, density)
    bone += ribs(posture.spine, build, density, rib_reach(rng, posture.spine, (118, 150)))
    bone += hips(rng, posture, density) + breast_and_shoulder_bones(posture, skin, build, density)
    skull, flesh = head(rng, posture, density)
    limbs, arm_flesh = arms(rng, posture, build, density)
    bone += skull + limbs
    body = Together([skin, *(piece for piece in flesh if getattr(piece, "core", 0.0) > 0)])
    air = [piece for piece in flesh if getattr(piece, "core", 0.0) <= 0]
    lungs = lungs_about(rng, posture, skin)
    soft = [*air, *arm_flesh, windpipe(posture), *gas(rng, posture, skin, build, float(rng.uniform(*limits.gas)))]
    return _Anatomy(bone, soft, lungs, [body])


def _expose(
    rng: np.random.Generator,
    film: LongFilm,
    anatomy: _Anatomy,
    metal: list[Solid],
    field: tuple[float, float, float, float],
    limits: hardness.Difficulty,
) -> tuple[NDArray[np.uint16], tuple[float, float], Exposure]:
    """Sum the attenuation, and take and store the film."""
    spacing = film.spacing_mm
    hard = film.ray_sum(anatomy.bone)
    hard *= 1 + 0.08 * grain(rng, film.shape, spacing, 0.8, stretch=1.6)
    whole = film.ray_sum(anatomy.body, coarse=_pixels(2.0, spacing))
    soft = film.ray_sum(anatomy.soft, coarse=_pixels(2.0, spacing)) + film.ray_sum(anatomy.lungs, coarse=_pixels(4.0, spacing))
    mottle = float(rng.uniform(0.02, 0.05)) * (0.5 + 0.5 * limits.spread)
    total = np.maximum(whole + np.maximum(soft, -0.85 * whole), 0) + hard
    total += mottle * clouds(rng, film.shape, spacing) * np.clip(whole, 0, 1)
    total += film.ray_sum(metal) + _letter(rng, film)
    exposure = draw_exposure(rng, limits, Framing(film.parts[0][1], field))
    # Thick pelvis, thin neck: a wedge filter or the automatic exposure of each part evens the dose.
    wedge = np.interp(np.linspace(0, 1, film.shape[0]), [0.1, 0.75], [float(rng.uniform(0.08, 0.3)), 1.0])[:, None]
    exposure = replace(
        exposure,
        quanta=8 * exposure.quanta,
        flatten=0.5 + 0.5 * float(np.clip(exposure.flatten + 0.08, 0.5, 0.95)),
        black=int(rng.integers(0, 200)),
    )
    pixels, window = develop_stored(np.maximum(total, 0).astype(np.float32), exposure, spacing, rng, wedge=wedge)
    return pixels, window, exposure


def _pixels(size_mm: float, spacing_mm: float) -> int:
    return max(int(size_mm / spacing_mm), 1)


def _letter(rng: np.random.Generator, film: LongFilm) -> Floats:
    rows, columns = film.shape
    size = float(rng.uniform(10, 16)) / film.spacing_mm
    at = (columns * float(rng.choice([0.05, 0.88])), rows * float(rng.uniform(0.1, 0.9)))
    return marker(film.shape, "LR"[int(rng.integers(2))], at, size)
