"""AP films of scoliotic spines with one to three curves, framed and cropped as public collections of such films are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spinelab.core.study import NORMAL_PRESACRAL
from spinelab.geometry import challenge_cobb
from spinelab.phantoms import difficulty as hardness
from spinelab.phantoms.camera import Camera, Floats, camera
from spinelab.phantoms.column import CERVICAL, LUMBAR, Stack, bend_deg, draw_presacral, presacral_levels, shared_out
from spinelab.phantoms.film import Framing, Scene, expose, expose_stored
from spinelab.phantoms.implants import screws_and_rods
from spinelab.phantoms.patient import Patient, draw_patient
from spinelab.phantoms.posture import STANCES
from spinelab.phantoms.solids import Tube
from spinelab.phantoms.spine import LEVELS, frontal_scene, stand
from spinelab.phantoms.vertebra import CORTEX, Vertebra, turned

CURVES: Final = (1, 2, 3)
_NECK: Final = ("C4", "C5", "C6", "C7")
_IMPLANT_SHARE: Final = 0.10
_COBB_DEG: Final = {"easy": (15.0, 60.0), "typical": (2.0, 80.0), "hard": (2.0, 90.0)}
_STEEPEST_DEG: Final = 48.0

# Upper, middle and lower end vertebrae of curves, as positions from T1, with their usual spread; 1, 2 or 3 curves.
_ENDS: Final[Mapping[str, tuple[tuple[float, ...], float]]] = {
    "thoracic": ((4.5, 11.0), 0.21),
    "thoracolumbar": ((8.5, 14.0), 0.14),
    "double": ((4.0, 10.5, 15.5), 0.40),
    "triple": ((0.6, 4.5, 10.5, 15.5), 0.25),
}


@dataclass(frozen=True)
class DrawnCurve:
    """A curve as it was drawn: positions of its end vertebrae from T1 (fractions lie between two), its angle, and the side it bows to."""

    upper: float
    lower: float
    angle_deg: float
    convex: str


@dataclass(frozen=True, eq=False)
class ScoliosisFilm:
    """An AP film from the lower neck to the sacrum and what is known of it.

    Parameters
    ----------
    pixels
        ``(rows, columns)``, larger is more attenuation; 8 bits, or 12 in ``uint16`` of a film that is `stored`. The patient's right is on the image left.
    corners
        Corners of the ``levels``, ``(17, 4, 2)`` x, y in pixels, in the order of `spinelab.geometry.CORNERS`; ``(16, 4, 2)`` where there is no L5.
    levels
        T1 ... L5 as far as they exist. A thirteenth thoracic and a sixth lumbar vertebra are on the film and have no corners.
    curves
        The drawn curves from the top down.
    implants
        Levels with pedicle screws; empty without.
    spacing_mm, magnification
        Detector pixel, equal along rows and columns, and detector millimetres per millimetre at the depth of T9.
    presacral
        Vertebrae above the sacrum: 24, or 23, 25 or 26 where that was asked for.
    window
        Centre and width that show the patient, as DICOM's linear window; of a film that is `stored`.
    """

    pixels: NDArray[Any]
    corners: Floats
    curves: tuple[DrawnCurve, ...]
    implants: tuple[str, ...]
    spacing_mm: float
    magnification: float
    patient: Patient
    levels: tuple[str, ...] = LEVELS
    presacral: int = NORMAL_PRESACRAL
    window: tuple[float, float] | None = None

    @property
    def patient_orientation(self) -> tuple[str, str]:
        """Return where rows and columns of the picture run to, as DICOM's PatientOrientation."""
        return "L", "F"

    @property
    def angles_deg(self) -> tuple[float, float, float]:
        """Return the three Cobb angles by the challenge's rule: the largest, the upper and the lower one."""
        largest, upper, lower = challenge_cobb(self.corners, self.pixels.shape[0]).angles_deg
        return float(largest), float(upper), float(lower)


def scoliosis_film(  # noqa: PLR0913 - what may be chosen of a film
    rng: np.random.Generator,
    *,
    difficulty: str = "typical",
    curves: int | Sequence[DrawnCurve] | None = None,
    cobb_deg: float | None = None,
    implants: bool | None = None,
    patient: Patient | None = None,
    presacral: int = NORMAL_PRESACRAL,
    stored: bool = False,
    scale: float = 1.0,
) -> ScoliosisFilm:
    """Draw a patient with a spine of one to three curves and take an AP film.

    Parameters
    ----------
    curves
        1, 2 or 3, or the curves themselves (of an earlier film of this patient); drawn if not given.
    cobb_deg
        Angle of the largest curve; drawn up to 60 (``easy``), 80 or 90 (``hard``) degrees if not given, half of them below 35.
    implants
        Drawn at 10 % if not given (never in ``easy``).
    patient
        A patient drawn before, for a further film of the same person.
    presacral
        Vertebrae above the sacrum, 23 to 26; 23 have no L5, 25 an L6, 26 also a T13.
    stored
        Whether the film is the 12-bit picture that a digital system stores, with its window, or the 8-bit one of public collections.
    scale
        Factor on the pixels along each side; 1 is about 1600 x 600.
    """
    limits = hardness.of(difficulty)
    streams = [np.random.default_rng(int(s)) for s in rng.integers(2**63, size=4)]
    patient = patient or _grown(draw_patient(streams[0], limits), streams[0], limits)
    number = curves if isinstance(curves, int) else None
    column = presacral_levels(presacral)[len(CERVICAL) :]
    drawn = tuple(curves) if isinstance(curves, Sequence) else _draw_curves(streams[1], difficulty, number, cobb_deg, len(column))
    pose = turned(*(streams[2].normal(0, 0.5 * limits.patient_turn_deg, 3) * [0.6, 0.4, 1.0]))
    spine = stand(_stack(streams[1], patient, drawn, column), patient, pose)
    framing = _frame(streams[3], spine, limits, scale, column)
    has_metal = bool(streams[2].random() < (0.0 if difficulty == "easy" else _IMPLANT_SHARE))
    fused = _fused(streams[2], drawn, column)
    instrumented = fused if (has_metal if implants is None else implants) else ()
    scene = _with_shoulders(frontal_scene(streams[2], patient, spine, limits), spine, patient)
    if instrumented:
        scene = replace(scene, bone=[*scene.bone, *screws_and_rods(streams[2], spine, instrumented, patient.scale)])
    view, shown, named = framing.camera, replace(limits, flatten=(0.1, 0.8)), tuple(v for v in column if v in LEVELS)
    pixels, window = (
        expose_stored(streams[3], scene, framing, shown, corner="own") if stored else (expose(streams[3], scene, framing, shown, corner="own"), None)
    )
    return ScoliosisFilm(
        pixels, _corners(spine, view, named), drawn, instrumented, view.spacing_mm, view.magnification(spine["T9"].centre_mm), patient, named, presacral, window
    )  # fmt: skip


def scoliosis_visits(
    rng: np.random.Generator, visits: int, *, difficulty: str = "typical", anomalous: bool = False, stored: bool = False, scale: float = 1.0
) -> Iterator[ScoliosisFilm]:
    """Draw the films of one patient; later ones show the same curves, a few degrees more or less.

    Parameters
    ----------
    anomalous
        Whether some patients have 23, 25 or 26 vertebrae above the sacrum, as often as those of `whole_spine` (in ``hard`` alone).
    stored, scale
        As of `scoliosis_film`.
    """
    presacral = draw_presacral(rng, STANCES[difficulty].anomalous) if anomalous else NORMAL_PRESACRAL
    first = scoliosis_film(rng, difficulty=difficulty, presacral=presacral, stored=stored, scale=scale)
    yield first
    for _ in range(visits - 1):
        yield scoliosis_film(
            rng, difficulty=difficulty, curves=[_changed(c, rng) for c in first.curves], implants=bool(first.implants), patient=first.patient,
            presacral=presacral, stored=stored, scale=scale,
        )  # fmt: skip


def _changed(curve: DrawnCurve, rng: np.random.Generator) -> DrawnCurve:
    return replace(curve, angle_deg=float(np.clip(curve.angle_deg + rng.normal(1, 4), 0, 90)))


def _grown(patient: Patient, rng: np.random.Generator, limits: hardness.Difficulty) -> Patient:
    """Return a patient of the age at which scoliosis is filmed: most between 10 and 20 years."""
    age = int(np.clip(round(10 + rng.gamma(2.2, 2.6)), 9, 75))
    return draw_patient(rng, limits, patient.sex, age)


def _draw_curves(rng: np.random.Generator, difficulty: str, wanted: int | None, cobb_deg: float | None, vertebrae: int) -> tuple[DrawnCurve, ...]:
    low, high = _COBB_DEG[difficulty]
    kinds = [k for k, (ends, _) in _ENDS.items() if wanted is None or len(ends) == wanted + 1]
    shares = np.array([_ENDS[k][1] for k in kinds])
    kind = str(rng.choice(kinds, p=shares / shares.sum()))
    ends = np.array(_ENDS[kind][0]) + rng.normal(0, 0.7, len(_ENDS[kind][0]))
    ends = np.clip(np.sort(ends), [0.0, *([2.0] * (len(ends) - 1))], min(16.0, vertebrae - 1.0))
    largest = float(low + (high - low) * rng.beta(1.7, 2.4)) if cobb_deg is None else cobb_deg
    sizes = largest * rng.uniform(0.35, 0.95, len(ends) - 1)
    # In a triple curve the middle one is the largest, else any may be.
    sizes[1 if len(sizes) == 3 else int(rng.integers(len(sizes)))] = largest
    right = bool(rng.random() < (0.85 if kind in ("thoracic", "double") else 0.5)) != (kind == "triple")
    return tuple(
        DrawnCurve(float(a), float(b), float(size), "right" if right == (k % 2 == 0) else "left")
        for k, ((a, b), size) in enumerate(zip(pairwise(ends), sizes, strict=True))
    )


def _tilts(curves: Sequence[DrawnCurve], vertebrae: int) -> Floats:
    """Return the coronal tilt of each vertebra from T1 down (left side up is positive): from end vertebra to end vertebra it turns by each curve's angle."""
    at, tilt = [curves[0].upper], [0.0]
    for curve in curves:
        at.append(curve.lower)
        tilt.append(tilt[-1] + (curve.angle_deg if curve.convex == "right" else -curve.angle_deg))
    # Beyond the outermost end vertebrae the spine straightens again, fully at the pelvis and mostly at the neck.
    middle = (max(tilt) + min(tilt)) / 2
    at, tilt = [at[0] - 5.0, *at, max(at[-1] + 2.5, vertebrae + 0.5)], [middle + 0.45 * (tilt[0] - middle), *tilt, middle + 0.2 * (tilt[-1] - middle)]
    place = np.arange(vertebrae, dtype=np.float64)
    k = np.clip(np.searchsorted(at, place, side="right") - 1, 0, len(at) - 2)
    part = np.clip((place - np.array(at)[k]) / np.diff(at)[k], 0, 1)
    smooth = (1 - np.cos(np.pi * part)) / 2
    level: Floats = np.array(tilt)[k] + smooth * np.diff(tilt)[k]
    return level


def _stack(rng: np.random.Generator, patient: Patient, curves: Sequence[DrawnCurve], column: Sequence[str]) -> Stack:
    """Return the spine that leans so that the neck stands over the pelvis, give or take a list, its vertebrae turned with the curves."""
    tilt = _tilts(curves, len(column))
    weights = np.linspace(0.7, 1.3, len(tilt))
    tilt = tilt - (tilt @ weights) / weights.sum() + rng.normal(0, 0.8)
    tilt = np.clip(tilt, -_STEEPEST_DEG, _STEEPEST_DEG) + rng.normal(0, 0.5, len(tilt))
    place = np.arange(len(column))
    turn = np.zeros(len(column))
    for curve in curves:
        apex, half = (curve.upper + curve.lower) / 2, (curve.lower - curve.upper) / 2
        gain = float(rng.uniform(0.3, 0.5)) * curve.angle_deg * (1 if curve.convex == "right" else -1)
        turn += np.clip(gain, -32, 32) * np.exp(-(((place - apex) / half) ** 2))
    lumbar = patient.stack
    neck_tilt = np.linspace(0.4, 0.9, len(_NECK)) * tilt[0]
    side = dict(zip((*_NECK, *column), [*neck_tilt, *tilt], strict=True))
    wedge = {**dict.fromkeys(_NECK, 2.0), **dict.fromkeys(LEVELS[:12], -1.0), **_wedges(lumbar, column)}
    return Stack(
        (*_NECK, *column, "S1"), lumbar.base_deg, wedge, {k: float(v) for k, v in side.items()},
        {level: float(t) for level, t in zip(column, turn, strict=True)}, lumbar.forward_mm, lumbar.left_mm, lumbar.disc,
    )  # fmt: skip


def _wedges(stack: Stack, column: Sequence[str]) -> dict[str, float]:
    """Return the openings of the discs, the lordosis of five lumbar vertebrae shared out over four or six where there are so many."""
    lumbar = [v for v in column if v[0] == "L"]
    if len(lumbar) == len(LUMBAR):
        return dict(stack.wedge_deg)
    lordosis = sum(stack.wedge_deg[v] + bend_deg(v) for v in LUMBAR)
    return {**stack.wedge_deg, **shared_out(lumbar, lordosis, np.linspace(0.10, 0.30, len(lumbar)))}


def _fused(rng: np.random.Generator, curves: Sequence[DrawnCurve], column: Sequence[str]) -> tuple[str, ...]:
    """Return the levels that a fusion of the largest curve instruments."""
    largest = max(curves, key=lambda c: c.angle_deg)
    first, last = max(round(largest.upper) - int(rng.integers(0, 2)), 0), min(round(largest.lower) + int(rng.integers(0, 2)), len(column) - 1)
    return tuple(column[k] for k in range(first, last + 1) if k in (first, last) or rng.random() < 0.75)


def _corners(spine: Mapping[str, Vertebra], view: Camera, levels: Sequence[str]) -> Floats:
    ends = [spine[v].ends(plate, view, (1.0, 0.0)) for v in levels for plate in ("upper", "lower")]
    return np.array(ends).reshape(len(levels), 4, 2)


def _frame(rng: np.random.Generator, spine: Mapping[str, Vertebra], limits: hardness.Difficulty, scale: float, column: Sequence[str]) -> Framing:
    """Crop from the lower neck to the sacrum, about 2.7 times as tall as wide."""
    ends = np.array([spine[v].point(plate, a, b) for v in column for plate in ("upper", "lower") for a, b in ((1, 0), (-1, 0), (0, 1), (0, -1))])
    distance = float(rng.uniform(1500, 1900))
    roll = float(np.clip(rng.normal(0, 0.8 * limits.spread), -4, 4)) if limits.spread >= 1 else 0.0
    placing = {"aim_mm": (ends.max(0) + ends.min(0)) / 2, "film_mm": 130.0, "distance_mm": distance, "roll_deg": roll}
    at = camera("AP", spacing_mm=1.0, shape=(1, 1), centre_px=(0.0, 0.0), **placing).project(ends)
    top, bottom = at[:, 1].min(), at[:, 1].max()
    tall = (bottom - top) / (1 - float(rng.uniform(0.018, 0.055)) - (below := float(rng.uniform(0.04, 0.11))))
    first_row = bottom + below * tall - tall
    spread = at[:, 0].max() - at[:, 0].min()
    # A film too narrow for the curve would have been taken again.
    ratio = float(rng.uniform(2.15, 3.4))
    while tall / ratio < spread + 24:
        ratio *= 0.96
    wide = tall / ratio
    room = (wide - spread) / 2 - 6
    left = (at[:, 0].max() + at[:, 0].min()) / 2 - wide / 2 + float(np.clip(rng.normal(0, 0.06 * wide), -room, room))
    spacing = float(rng.uniform(0.30, 0.42)) / scale
    shape = (round(tall / spacing), round(wide / spacing))
    placed = camera("AP", spacing_mm=spacing, shape=shape, centre_px=(-left / spacing, -first_row / spacing), **placing)
    return Framing(placed, (-0.2, 1.2, -0.2, 1.2))


def _with_shoulders(scene: Scene, spine: Mapping[str, Vertebra], patient: Patient) -> Scene:
    """Add collar bones."""
    root, scale = spine["T3"].centre_mm, patient.scale
    compact = CORTEX * (0.5 + 0.5 * patient.density)
    collars = []
    for side in (1, -1):
        line = root + np.array([[side * 16, -85, 14], [side * 70, -70, 34], [side * 150, -30, 50]]) * scale
        collars.append(Tube(line, np.array([7.0, 5.5, 6.0]) * scale, core=0.003, cortex=compact, shell_mm=1.6))
    return replace(scene, bone=[*scene.bone, *collars])
