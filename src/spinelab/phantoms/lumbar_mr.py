"""An MR examination of a drawn lumbar spine: sagittal T1, sagittal T2 or STIR, axial T2, in one frame of reference, graded by construction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from spinelab.phantoms.lumbar_mr_anatomy import MR_LEVELS, LumbarSpine, draw_spine
from spinelab.phantoms.lumbar_mr_draw import Frame, frame_of, paint_slice
from spinelab.phantoms.lumbar_mr_tissue import Sequence, signals

F32 = NDArray[np.floating[Any]]
"""float32 for speed."""

SAGITTAL_T1: Final = "Sagittal T1"
SAGITTAL_T2: Final = "Sagittal T2/STIR"
AXIAL_T2: Final = "Axial T2"

_PROFILE: Final = ((-0.27, 0.5), (0.27, 0.5))
"""Places across a slice, in parts of its thickness, and their weights: a little narrower than a box, as excited slices are."""
_NOISE: Final = {"easy": (0.006, 0.012), "typical": (0.015, 0.035), "hard": (0.03, 0.07)}
"""Standard deviation of the noise in each channel, in parts of the brightest fat."""
_OFF_CENTRE_MM: Final = {"typical": 6.0, "hard": 13.0}
"""Standard deviation of the sagittal pictures' middle along the patient: levels cannot be told by their place on the picture alone."""


@dataclass(frozen=True, eq=False)
class MrPhantomSeries:
    """One series.

    Parameters
    ----------
    description
        Its name in the RSNA 2024 layout.
    words
        What a scanner would call it.
    pixels
        (slices, rows, columns), 12 bits.
    affines
        (slices, 4, 4), pixel (column, row, 0, 1) to LPS mm.
    """

    description: str
    words: str
    sequence: Sequence
    thickness_mm: float
    pixels: NDArray[np.uint16]
    affines: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LumbarMrPhantom:
    """The drawn spine and its three series."""

    spine: LumbarSpine
    series: tuple[MrPhantomSeries, ...]
    sex: str
    age_years: int


@dataclass(frozen=True, eq=False)
class _Plan:
    """Where slices lie: acquired and displayed matrix, pixel of the acquired one, thickness."""

    affines: NDArray[np.float64]
    matrix: int
    shown: int
    pixel_mm: float
    thickness_mm: float


def lumbar_mr(rng: np.random.Generator, *, difficulty: str = "typical", scale: float = 1.0) -> LumbarMrPhantom:
    """Draw a patient and take the three series.

    Parameters
    ----------
    difficulty
        ``easy``, ``typical`` or ``hard``: gap between the grades, noise, lean of patient and slices, motion.
    scale
        Matrix of the pictures against the usual one; .5 is four times as fast.
    """
    spine = draw_spine(rng, difficulty)
    frame = frame_of(spine)
    field = 1.5 if difficulty == "easy" else float(rng.choice([1.5, 3.0]))
    t1, t2, axial = _sequences(rng, difficulty, field)
    sagittal = _sagittal_plan(rng, difficulty, scale)
    blocks = _axial_plan(rng, spine, difficulty, scale)
    both = _acquire(spine, frame, sagittal, [t1, t2])
    one = _acquire(spine, frame, blocks, [axial])
    noise = float(rng.uniform(*_NOISE[difficulty]))
    pictures = [
        _develop(picture, plan, noise, rng, ghosts=difficulty == "hard") for picture, plan in ((both[0], sagittal), (both[1], sagittal), (one[0], blocks))
    ]
    sag_words = "SAG STIR" if t2.ti_ms else "SAG T2 TSE"
    names = ((SAGITTAL_T1, "SAG T1 TSE", t1, sagittal), (SAGITTAL_T2, sag_words, t2, sagittal), (AXIAL_T2, "AX T2 TSE", axial, blocks))
    series = tuple(
        MrPhantomSeries(name, words, sequence, plan.thickness_mm, pixels, _shown_affines(plan))
        for (name, words, sequence, plan), pixels in zip(names, pictures, strict=True)
    )
    worn = float(np.mean([level.wear for level in spine.levels]))
    age = int(np.clip(round(34 + 45 * worn + rng.normal(0, 9)), 18, 92))
    return LumbarMrPhantom(spine, series, str(rng.choice(["F", "M"])), age)


def _sequences(rng: np.random.Generator, difficulty: str, field: float) -> tuple[Sequence, Sequence, Sequence]:
    t1 = Sequence(float(rng.uniform(8, 14)), float(rng.uniform(430, 680)), None, 3, field)
    stir = difficulty != "easy" and rng.random() < 0.2
    if stir:
        t2 = Sequence(float(rng.uniform(45, 65)), float(rng.uniform(3500, 5000)), 160.0 if field < 2 else 210.0, 12, field)
    else:
        t2 = Sequence(float(rng.uniform(90, 120)), float(rng.uniform(3000, 4800)), None, 19, field)
    return t1, t2, Sequence(float(rng.uniform(95, 120)), float(rng.uniform(3200, 5200)), None, 17, field)


def _lean(rng: np.random.Generator, difficulty: str) -> NDArray[np.float64]:
    """Return the rotation of patient against scanner."""
    spread = {"easy": 0.0, "typical": 1.5, "hard": 5.0}[difficulty]
    x, y, z = np.radians(rng.normal(0, spread, 3) * [0.6, 1.0, 1.0])
    turn_x = np.array([[1, 0, 0], [0, np.cos(x), -np.sin(x)], [0, np.sin(x), np.cos(x)]])
    turn_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    turn_z = np.array([[np.cos(z), -np.sin(z), 0], [np.sin(z), np.cos(z), 0], [0, 0, 1]])
    found: NDArray[np.float64] = turn_x @ turn_y @ turn_z
    return found


def _affine(columns: NDArray[np.float64], rows: NDArray[np.float64], pixel: float, matrix: int, centre: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the affine of a square slice around a point."""
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1], affine[:3, 2] = columns * pixel, rows * pixel, np.cross(columns, rows)
    affine[:3, 3] = centre - (columns + rows) * pixel * (matrix - 1) / 2
    return affine


def _sagittal_plan(rng: np.random.Generator, difficulty: str, scale: float) -> _Plan:
    turn = _lean(rng, difficulty)
    field = 240.0 if difficulty == "easy" else float(rng.uniform(220, 270))
    matrix, shown = round(256 * scale), round(320 * scale)
    count = 15 if difficulty == "easy" else int(rng.integers(15, 18))
    apart = 66.0 / count
    off = 0.0 if difficulty == "easy" else float(np.clip(rng.normal(0, _OFF_CENTRE_MM[difficulty]), -24, 24))
    centre = np.array([rng.normal(0, 1.0), -20.0, -8.0 + off])
    places = [turn @ np.array([1.0, 0, 0]) * apart * (i - (count - 1) / 2) for i in range(count)]
    affines = [_affine(turn[:, 1], -turn[:, 2], field / matrix, matrix, centre + offset) for offset in places[::-1]]
    return _Plan(np.array(affines), matrix, shown, field / matrix, 0.9 * apart)


def _axial_plan(rng: np.random.Generator, spine: LumbarSpine, difficulty: str, scale: float) -> _Plan:
    """Lay five slices along each disc, or one even stack over all of them."""
    turn = _lean(rng, difficulty)
    field = 170.0 if difficulty == "easy" else float(rng.uniform(155, 190))
    matrix, shown = round(240 * scale), round(320 * scale)
    affines = []
    along_discs = difficulty == "easy" or rng.random() < 0.65
    apart = 4.0 if along_discs else 4.6
    if along_discs:
        for level in MR_LEVELS:
            middle, _ = spine.disc_of(level)
            lean = np.radians(spine.lean_deg(middle) + (0 if difficulty == "easy" else rng.normal(0, 3)))
            rows, up = turn @ np.array([0, np.cos(lean), np.sin(lean)]), turn @ np.array([0, -np.sin(lean), np.cos(lean)])
            centre = spine.to_patient(0.0, 4.0, middle)
            affines += [_affine(turn[:, 0], rows, field / matrix, matrix, centre + up * apart * step) for step in (2, 1, 0, -1, -2)]
    else:
        high, low = spine.target("canal", MR_LEVELS[0], None), spine.target("canal", MR_LEVELS[-1], None)
        count = int(np.ceil((high[2] - low[2] + 16) / apart))
        centre = (high + low) / 2 + [0, 2.0, 0]
        affines = [_affine(turn[:, 0], turn[:, 1], field / matrix, matrix, centre + turn[:, 2] * apart * ((count - 1) / 2 - i)) for i in range(count)]
    return _Plan(np.array(affines), matrix, shown, field / matrix, 0.9 * apart)


def _shown_affines(plan: _Plan) -> NDArray[np.float64]:
    """Return the affines of the pictures after they were brought to the displayed matrix."""
    affines = plan.affines.copy()
    ratio = plan.matrix / plan.shown
    # The first displayed pixel's centre lies (ratio - 1) / 2 acquired pixels from the first acquired one's.
    affines[:, :3, 3] += (affines[:, :3, 0] + affines[:, :3, 1]) * (ratio - 1) / 2
    affines[:, :3, :2] *= ratio
    return affines


def _acquire(spine: LumbarSpine, frame: Frame, plan: _Plan, sequences: list[Sequence]) -> F32:
    """Return the noise-free pictures (sequences, slices, rows, columns): slices averaged over their profile."""
    table = np.stack([signals(sequence) for sequence in sequences])
    table /= table[:, 1:2] if all(sequence.ti_ms is None for sequence in sequences) else np.maximum(table[:, 1:2], table.max(axis=1, keepdims=True))
    rows, columns = np.meshgrid(np.arange(plan.matrix), np.arange(plan.matrix), indexing="ij")
    index = np.stack([columns.ravel(), rows.ravel()]).astype(np.float32)
    found = np.zeros((len(sequences), len(plan.affines), plan.matrix * plan.matrix), np.float32)
    for place, affine in enumerate(plan.affines.astype(np.float32)):
        flat = (affine[:3, :2] @ index).T + affine[:3, 3]
        across = tuple((affine[:3, 2] * np.float32(offset * plan.thickness_mm), weight) for offset, weight in _PROFILE)
        found[:, place] = paint_slice(spine, frame, flat, across, table, plan.pixel_mm)
    return found.reshape(len(sequences), len(plan.affines), plan.matrix, plan.matrix)


def _develop(pictures: F32, plan: _Plan, noise: float, rng: np.random.Generator, *, ghosts: bool) -> NDArray[np.uint16]:
    """Shade by the coil, add grain, ghosts and Rician noise, and bring to the displayed matrix and 12 bits."""
    reach, gain = float(rng.uniform(150, 300)), float(rng.uniform(900, 1500))
    ghost = float(rng.uniform(0.0, 0.06)) if ghosts else 0.0
    shift = int(rng.integers(plan.matrix // 8, plan.matrix // 3))
    out = np.empty((len(pictures), plan.shown, plan.shown), np.uint16)
    for place, (picture, affine) in enumerate(zip(pictures, plan.affines, strict=True)):
        grain = cv2.GaussianBlur(rng.standard_normal(picture.shape, dtype=np.float32), (0, 0), 1.6 / plan.pixel_mm)
        shaded = picture * (1 + np.float32(0.05) * grain / grain.std()) * _coil(affine, plan.matrix, reach)
        if ghost:
            shaded = shaded + ghost * (np.roll(shaded, shift, axis=0) - 0.5 * np.roll(shaded, -shift, axis=0))
        real, other = rng.standard_normal((2, *picture.shape), dtype=np.float32) * np.float32(noise)
        magnitude = np.hypot(shaded + real, other)
        large = cv2.resize(magnitude, (plan.shown, plan.shown), interpolation=cv2.INTER_CUBIC)
        out[place] = np.clip(np.rint(large * gain), 0, 4095)
    return out


def _coil(affine: NDArray[np.float64], matrix: int, reach_mm: float) -> F32:
    """Return the brightness of a coil array under the back: falling towards the front, and beyond its ends."""
    steps = np.arange(matrix, dtype=np.float32)
    (y, across_y, down_y), (z, across_z, down_z) = ((affine[axis, 3], affine[axis, 0], affine[axis, 1]) for axis in (1, 2))
    towards_back = np.exp((y - 20 + down_y * steps) / reach_mm)[:, None] * np.exp(across_y * steps / reach_mm)
    off_middle = np.square((z + across_z * steps + (down_z * steps)[:, None]) / 150)
    found = towards_back / (1 + off_middle * np.square(off_middle))
    shade: F32 = np.clip(found, 0, 1.8).astype(np.float32)
    return shade
