"""Compose one film: aim, collimate, sum the attenuation, expose, and project the points that are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spinelab.phantoms.camera import Camera, Floats, camera
from spinelab.phantoms.detector import Exposure, clouds, develop, develop_stored, grain, marker
from spinelab.phantoms.difficulty import Difficulty
from spinelab.phantoms.solids import Solid, ray_sum


@dataclass(frozen=True, eq=False)
class Scene:
    """Solids by the detail they need: bone at full resolution, gas and muscles coarser, the trunk coarsest."""

    bone: Sequence[Solid]
    soft: Sequence[Solid]
    trunk: Sequence[Solid]


@dataclass(frozen=True, eq=False)
class Framing:
    """Where the camera stands and what was collimated."""

    camera: Camera
    field: tuple[float, float, float, float]


def frame(
    rng: np.random.Generator, view: str, points_mm: Floats, limits: Difficulty, *, film_mm: float, scale: float, wide: tuple[float, float] = (1.0, 1.0)
) -> Framing:
    """Aim at points that must be on the film and collimate around them.

    Parameters
    ----------
    points_mm
        Points ``(n, 3)`` of the undisplaced spine, so that framing knows nothing of a slip.
    film_mm
        Distance from the points' middle to the detector.
    scale
        Factor on the number of pixels along each side.
    wide
        Factors on the margins beside and above the points.
    """
    distance, spacing = float(rng.uniform(1050, 1180)), float(rng.uniform(0.62, 0.74)) / scale
    aim = (points_mm.max(0) + points_mm.min(0)) / 2 + rng.normal(0, 4 * limits.spread, 3)
    roll = float(np.clip(rng.normal(0, 0.9 * limits.spread), -5, 5)) if limits.spread >= 1 else 0.0
    rough = camera(view, aim_mm=aim, film_mm=film_mm, distance_mm=distance, spacing_mm=1.0, shape=(1, 1), centre_px=(0.0, 0.0), roll_deg=roll)
    at = rough.project(points_mm)
    low, high = limits.field_margin_mm
    margins = rng.uniform(low, high, 4) * [wide[1], wide[1] * 1.15, wide[0], wide[0]]
    border = float(rng.uniform(4, 28)) if rng.random() < limits.borders else 0.0
    top, bottom = at[:, 1].min() - margins[0], at[:, 1].max() + margins[1]
    left, right = at[:, 0].min() - margins[2], at[:, 0].max() + margins[3]
    rows, columns = (round(float(span + 2 * border) / spacing) for span in (bottom - top, right - left))
    centre = ((border - left) / spacing, (border - top) / spacing)
    placed = camera(view, aim_mm=aim, film_mm=film_mm, distance_mm=distance, spacing_mm=spacing, shape=(rows, columns), centre_px=centre, roll_deg=roll)
    tall, broad = border / (bottom - top + 2 * border), border / (right - left + 2 * border)
    field = (tall, 1 - tall, broad, 1 - broad) if border else (-0.2, 1.2, -0.2, 1.2)
    return Framing(placed, field)


def expose(rng: np.random.Generator, scene: Scene, framing: Framing, limits: Difficulty, *, corner: str | None = None) -> NDArray[np.uint8]:
    """Take the film; ``corner`` says on which side of the image the lead letter lies (left or right, or either)."""
    attenuation = _attenuation(rng, scene, framing, limits, corner)
    return develop(attenuation, draw_exposure(rng, limits, framing), framing.camera.spacing_mm, rng)


def expose_stored(
    rng: np.random.Generator, scene: Scene, framing: Framing, limits: Difficulty, *, corner: str | None = None
) -> tuple[NDArray[np.uint16], tuple[float, float]]:
    """Take the film as `expose`, and return its 12 bits as a digital system stores them, and its window (centre, width)."""
    attenuation = _attenuation(rng, scene, framing, limits, corner)
    return develop_stored(attenuation, draw_exposure(rng, limits, framing), framing.camera.spacing_mm, rng)


def _attenuation(rng: np.random.Generator, scene: Scene, framing: Framing, limits: Difficulty, corner: str | None) -> Floats:
    """Return what the beam loses on its way to each pixel."""
    view = framing.camera
    bone = ray_sum(list(scene.bone), view)
    soft = ray_sum(list(scene.soft), view, coarse=2)
    trunk = ray_sum(list(scene.trunk), view, coarse=4)
    mottle = float(rng.uniform(0.02, 0.05)) * (0.5 + 0.5 * limits.spread)
    bone *= 1 + 0.08 * grain(rng, view.shape, view.spacing_mm, 0.8, stretch=1.6)
    total = np.maximum(trunk + np.maximum(soft, -0.85 * trunk), 0) + bone
    total += mottle * clouds(rng, view.shape, view.spacing_mm) * np.clip(trunk, 0, 1)
    total += _letter(rng, framing, corner)
    lost: Floats = np.maximum(total, 0).astype(np.float32)
    return lost


def draw_exposure(rng: np.random.Generator, limits: Difficulty, framing: Framing) -> Exposure:
    """Draw how a film was taken and shown."""
    wild = limits.spread
    return Exposure(
        quanta=float(np.exp(rng.uniform(*np.log(limits.quanta)))),
        scatter=float(rng.uniform(*limits.scatter)),
        blur_mm=float(rng.uniform(*limits.blur_mm)),
        window=(float(rng.uniform(1.0, 3 + 3 * wild)), float(rng.uniform(99.4 - 0.6 * wild, 99.8))),
        gamma=float(np.exp(rng.normal(0.05, 0.10 * wild))),
        edge=float(rng.uniform(0.3, 0.9)),
        flatten=float(rng.uniform(*limits.flatten)),
        field=framing.field,
        field_turn_deg=float(rng.normal(0, 0.6 * wild)) if framing.field[0] > 0 else 0.0,
        black=int(rng.integers(0, 12)),
    )


def _letter(rng: np.random.Generator, framing: Framing, corner: str | None) -> Floats:
    rows, columns = framing.camera.shape
    letter = "LR"[int(rng.integers(2))]
    # On an AP film the letter lies on the patient's own side, and the patient's right is on the image left.
    side = {"own": {"R": "left", "L": "right"}[letter], None: ("left", "right")[int(rng.integers(2))]}.get(corner, corner)
    size = float(rng.uniform(9, 13)) / framing.camera.spacing_mm
    inset = rng.uniform(0.03, 0.08) * columns + max(framing.field[2], 0) * columns
    x = inset if side == "left" else columns - inset - 0.8 * size
    y = rows * float(rng.uniform(0.08, 0.22) if rng.random() < 0.7 else rng.uniform(0.78, 0.92))
    return marker((rows, columns), letter, (x, y), size)
