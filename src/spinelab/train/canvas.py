"""A film on the canvas that a network sees, and back: proportions kept, contrast evened out, every coordinate known."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

CLIP: Final = 2.0
TILE_PX: Final = 32
"""Contrast-limited adaptive histogram equalisation: limit, and about how large a tile is on the canvas of the first network."""
DARKEST, BRIGHTEST = 1.0, 99.0
"""Percentiles of the film that become black and white before that."""

Points = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a film lies on its canvas: ``canvas = (film + 1/2) * scale + offset - 1/2`` for x and y, pixel centres at integers."""

    scale: tuple[float, float]
    offset: tuple[float, float]

    def to_canvas(self, points: Points) -> Points:
        """Return film coordinates ``(..., 2)`` on the canvas."""
        return (np.asarray(points, np.float64) + 0.5) * self.scale + self.offset - 0.5

    def to_film(self, points: Points) -> Points:
        """Return canvas coordinates ``(..., 2)`` on the film."""
        return (np.asarray(points, np.float64) + 0.5 - self.offset) / self.scale - 0.5


@dataclass(frozen=True, eq=False)
class PreparedCanvas:
    """What a network is shown of a study: ``pixels`` uint8 ``(1, H, W)``; ``facts`` keep the film's own rows and columns."""

    pixels: NDArray[np.uint8]
    available: NDArray[np.bool_] = field(default_factory=lambda: np.ones(1, dtype=bool))
    facts: dict[str, Any] = field(default_factory=dict)


def place(shape: tuple[int, int], rows: int, columns: int) -> Placement:
    """Return where a film of ``shape`` lies when it is fitted into ``(rows, columns)``, in the middle."""
    scale = min(rows / shape[0], columns / shape[1])
    size = _size(shape, scale)
    offset = ((columns - size[1]) // 2, (rows - size[0]) // 2)
    return Placement((size[1] / shape[1], size[0] / shape[0]), (float(offset[0]), float(offset[1])))


def put(picture: NDArray[np.uint8], rows: int, columns: int, detail: int = 1) -> PreparedCanvas:
    """Fit a film ``(r, c)`` into a canvas ``detail`` times finer than ``(rows, columns)``, even out its contrast, and remember its size."""
    import cv2

    rows, columns = rows * detail, columns * detail
    shape = (int(picture.shape[0]), int(picture.shape[1]))
    where = place(shape, rows, columns)
    height, width = _size(shape, min(rows / shape[0], columns / shape[1]))
    shrunk = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA if height < shape[0] else cv2.INTER_LINEAR)
    left, top = (int(v) for v in where.offset)
    canvas = np.zeros((1, rows, columns), np.uint8)
    canvas[0, top : top + height, left : left + width] = even(shrunk, TILE_PX * detail)
    return PreparedCanvas(canvas, facts={"shape": list(shape)})


def pooled(canvas: NDArray[np.uint8], detail: int) -> NDArray[np.uint8]:
    """Return a canvas ``(H, W)`` made ``detail`` times smaller, each pixel the mean of those that it replaces."""
    import cv2

    if detail == 1:
        return canvas
    return np.asarray(cv2.resize(canvas, (canvas.shape[1] // detail, canvas.shape[0] // detail), interpolation=cv2.INTER_AREA), np.uint8)


def finer(points: Points, detail: float) -> Points:
    """Return canvas coordinates as those of the same canvas made ``detail`` times larger; of a smaller one for less than 1."""
    return (np.asarray(points, np.float64) + 0.5) * detail - 0.5


def even(picture: NDArray[np.uint8], tile_px: int = TILE_PX) -> NDArray[np.uint8]:
    """Stretch the grey levels between two percentiles and equalise them in tiles of about this size; a uniform picture stays uniform."""
    import cv2

    low, high = np.percentile(picture, [DARKEST, BRIGHTEST])
    ramp = np.clip((np.arange(256) - low) * 255 / max(1.0, high - low), 0, 255).astype(np.uint8)
    tiles = (max(1, round(picture.shape[1] / tile_px)), max(1, round(picture.shape[0] / tile_px)))
    return np.asarray(cv2.createCLAHE(CLIP, tiles).apply(cv2.LUT(picture, ramp)), np.uint8)


def _size(shape: tuple[int, int], scale: float) -> tuple[int, int]:
    return max(1, round(shape[0] * scale)), max(1, round(shape[1] * scale))


@dataclass(frozen=True)
class Changes:
    """How far a film may be changed while training; shares of the canvas, of the size or of the grey levels.

    ``crop`` is the share of films whose top or bottom is cut off and the rest enlarged, so that the network learns landmarks that
    are not on the film. ``flip`` mirrors half of the films; the landmarks' names are swapped by the caller.
    """

    turn_deg: float = 8.0
    shift: float = 0.04
    zoom: float = 0.13
    stretch: float = 0.05
    crop: float = 0.12
    flip: bool = True
    gamma: float = 0.35
    contrast: float = 0.2
    brightness: float = 0.1
    noise: float = 0.3
    blur: float = 0.15


LARGEST_CROP: Final = 0.5
LARGEST_ENLARGEMENT: Final = 1.9


@dataclass(frozen=True, eq=False)
class Changed:
    """A changed film, the matrix ``(2, 3)`` from old to new coordinates, whether it was mirrored, and the rows that were kept."""

    film: NDArray[np.uint8]
    matrix: NDArray[np.float64]
    mirrored: bool
    kept: tuple[float, float]

    def moved(self, points: Points) -> tuple[Points, NDArray[np.bool_]]:
        """Return points ``(..., 2)`` on the changed film, and which are still on it."""
        new = points @ self.matrix[:, :2].T + self.matrix[:, 2]
        rows, columns = self.film.shape
        old = points[..., 1]
        on = (new[..., 0] > 0) & (new[..., 0] < columns - 1) & (new[..., 1] > 0) & (new[..., 1] < rows - 1)
        return new, on & (old >= self.kept[0]) & (old <= self.kept[1])


def change(film: NDArray[np.uint8], rng: np.random.Generator, limits: Changes) -> Changed:
    """Turn, move, enlarge, crop, mirror, brighten and blur a film ``(H, W)`` at random within limits."""
    import cv2

    rows, columns = film.shape
    kept, zoom = _crop(rows, rng, limits)
    mirrored = bool(limits.flip and rng.random() < 0.5)
    matrix = _matrix((rows, columns), rng, limits, middle=(max(kept[0], 0.0) + min(kept[1], rows)) / 2, zoom=zoom, mirrored=mirrored)
    shown = film.copy()
    shown[: max(0, int(kept[0]))] = 0
    shown[min(rows, int(kept[1])) :] = 0
    warped = cv2.warpAffine(shown, matrix, (columns, rows), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
    return Changed(_greys(np.asarray(warped, np.uint8), rng, limits), matrix, mirrored, kept)


def _crop(rows: int, rng: np.random.Generator, limits: Changes) -> tuple[tuple[float, float], float]:
    if rng.random() >= limits.crop:
        return (-float(rows), 2.0 * rows), 1.0
    first = rng.uniform(0, LARGEST_CROP)
    second = rng.uniform(0, (LARGEST_CROP - first / 2))
    above, below = (first, second) if rng.random() < 0.5 else (second, first)
    top, bottom = rows * above, rows * (1 - below)
    return (top, bottom), min(rows / (bottom - top), LARGEST_ENLARGEMENT)


def _matrix(shape: tuple[int, int], rng: np.random.Generator, limits: Changes, *, middle: float, zoom: float, mirrored: bool) -> NDArray[np.float64]:
    rows, columns = shape
    angle = math.radians(rng.uniform(-limits.turn_deg, limits.turn_deg))
    size, stretch = zoom * math.exp(rng.uniform(-limits.zoom, limits.zoom)), math.exp(rng.uniform(-limits.stretch, limits.stretch))
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    linear = turn @ np.diag([size * stretch * (-1 if mirrored else 1), size / stretch])
    aim = np.array([(columns - 1) / 2, (rows - 1) / 2]) + rng.uniform(-limits.shift, limits.shift, 2) * [columns, rows]
    return np.column_stack([linear, aim - linear @ [(columns - 1) / 2, middle]])


def grey_table(rng: np.random.Generator, limits: Changes) -> NDArray[np.uint8]:
    """Return what each of the 256 grey levels becomes under a random gamma, contrast and brightness."""
    levels = (np.arange(256) / 255) ** math.exp(rng.uniform(-limits.gamma, limits.gamma))
    levels = levels * (1 + rng.uniform(-limits.contrast, limits.contrast)) + rng.uniform(-limits.brightness, limits.brightness)
    return (np.clip(levels, 0, 1) * 255).astype(np.uint8)


def _greys(film: NDArray[np.uint8], rng: np.random.Generator, limits: Changes) -> NDArray[np.uint8]:
    import cv2

    table = grey_table(rng, limits)
    # Black margins stay black: a network must not learn from them how bright a film is.
    table[0] = 0
    film = np.asarray(cv2.LUT(film, table), np.uint8)
    if rng.random() < limits.noise:
        grain = rng.normal(0, rng.uniform(2, 10), film.shape) * (film > 0)
        film = np.clip(film + grain, 0, 255).astype(np.uint8)
    if rng.random() < limits.blur:
        film = np.asarray(cv2.GaussianBlur(film, (0, 0), rng.uniform(0.5, 1.2)), np.uint8)
    return film
