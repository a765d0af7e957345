"""Six families of changes for training films, each with a strength from 0 (off) to 1: what a search can choose from.

Noise injection, pixelation, translation, cropping, resizing and zoom are the families that the source of ``spine-lesion-xray`` varied
(after Garcea et al., Comput Biol Med 2023;152:106391). No family flips or turns a film: left stays left.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Final

import numpy as np
from numpy.typing import NDArray

from spinelab.core import TaskError
from spinelab.train.augment import Augmenter

NOISE_LEVELS: Final = 25.0
"""At strength 1, standard deviations up to this many grey levels of 255."""
PIXEL_SHARE: Final = 0.035
"""At strength 1, blocks up to this share of the side."""
SHIFT_SHARE: Final = 0.15
"""At strength 1, shifts up to this share of the side, either way."""
CROP_SHARE: Final = 0.35
"""At strength 1, up to this share of the side is cut off, at a random place; what is left fills the film."""
STRETCH: Final = 0.20
"""At strength 1, rows and columns each stretched or squeezed by up to this share, apart from one another."""
ZOOM: Final = 0.30
"""At strength 1, enlarged or shrunk about the middle by up to this share, proportions kept."""


@dataclass(frozen=True)
class Strengths:
    """How strong each family is, 0 to 1; 0 leaves it out."""

    noise: float = 0.0
    pixelation: float = 0.0
    translation: float = 0.0
    cropping: float = 0.0
    resizing: float = 0.0
    zoom: float = 0.0

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if not 0 <= value <= 1:
                raise TaskError(f"{name}={value!r}", expected="a strength from 0 (off) to 1", action=f"choose another {name}")

    @property
    def none(self) -> bool:
        """Whether every family is off."""
        return not any(asdict(self).values())

    def to_dict(self) -> dict[str, float]:
        return asdict(self)

    @staticmethod
    def of(values: Mapping[str, float]) -> Strengths:
        """Take the families out of anything that names them; those that it does not name are off."""
        return Strengths(**{name: float(values[name]) for name in FAMILIES if name in values})

    def __str__(self) -> str:
        return ", ".join(f"{name} {value:g}" for name, value in asdict(self).items() if value) or "no augmentation"


FAMILIES: Final = tuple(spec.name for spec in fields(Strengths))


def augmenter(strengths: Strengths) -> Augmenter | None:
    """Return the change of training films ``(B, V, S, S)``, ``None`` where every family is off.

    For every film each family draws anew how much it does, up to its strength, so that unchanged films stay among them. Black margins stay black.
    """
    if strengths.none:
        return None

    def change(pixels: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
        out = np.empty(pixels.shape, np.uint8)
        for study, films in enumerate(pixels):
            for view, film in enumerate(films):
                out[study, view] = _changed(film, strengths, rng)
        return out

    return change


def _changed(film: NDArray[np.uint8], strengths: Strengths, rng: np.random.Generator) -> NDArray[np.uint8]:
    # Every family draws whether it is on or not, so that a search compares like with like.
    u, block, spread = rng.uniform(-1, 1, size=7), float(rng.uniform()), float(rng.uniform())
    grain = rng.standard_normal(film.shape, dtype=np.float32) if strengths.noise else None
    moved = _moved(film, strengths, u)
    coarse = _pixelated(moved, 1 + block * strengths.pixelation * PIXEL_SHARE * film.shape[0]) if strengths.pixelation else moved
    if grain is None:
        return coarse
    noisy = np.clip(np.rint(coarse + spread * strengths.noise * NOISE_LEVELS * grain), 0, 255).astype(np.uint8)
    noisy[moved == 0] = 0
    return noisy


def _moved(film: NDArray[np.uint8], s: Strengths, u: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Shift, crop, stretch and zoom in one step, so that the film is interpolated once."""
    import cv2

    if not (s.translation or s.cropping or s.resizing or s.zoom):
        return film
    side = film.shape[0]
    middle = (side - 1) / 2
    kept = 1 - abs(u[2]) * s.cropping * CROP_SHARE
    scale = (1 + u[5:7] * s.resizing * STRETCH) * (1 + u[4] * s.zoom * ZOOM) / kept
    # The window that cropping keeps lies anywhere: its middle becomes the film's.
    off = np.array([u[3], u[0] if s.cropping else 0.0]) * (1 - kept) / 2 * side
    shift = u[:2] * s.translation * SHIFT_SHARE * side
    matrix = np.array([[scale[0], 0, 0], [0, scale[1], 0]], dtype=np.float64)
    matrix[:, 2] = middle - scale * (middle + off) + shift
    return np.asarray(cv2.warpAffine(film, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=0), np.uint8)


def _pixelated(film: NDArray[np.uint8], block_px: float) -> NDArray[np.uint8]:
    """Show a film in blocks of about ``block_px``."""
    import cv2

    side = film.shape[0]
    cells = max(round(side / block_px), 1)
    if cells >= side:
        return film
    small = cv2.resize(film, (cells, cells), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (side, side), interpolation=cv2.INTER_NEAREST), np.uint8)
