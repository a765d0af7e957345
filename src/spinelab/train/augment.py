"""Small changes of a film that a second exposure of the same patient could have made; never a flip, which would swap the sides."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

Augmenter = Callable[[NDArray[np.uint8], np.random.Generator], NDArray[np.uint8]]
"""Films ``(B, V, S, S)`` to films of the same shape, each changed a little."""

TURN_DEG: Final = 7.0
SHIFT: Final = 0.05
SCALE: Final = 0.08
CONTRAST: Final = 0.10
BRIGHTNESS: Final = 25.5
"""Largest change either way: angle; share of the side; share of the size; share of the contrast; grey levels of 255."""


def mild(pixels: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return films ``(B, V, S, S)``, each turned, shifted, scaled, brightened and contrasted at random within the limits above."""
    out = np.empty(pixels.shape, np.uint8)
    for study, films in enumerate(pixels):
        for view, film in enumerate(films):
            out[study, view] = _change(film, rng.uniform(-1, 1, size=6))
    return out


def _change(film: NDArray[np.uint8], u: NDArray[np.float64]) -> NDArray[np.uint8]:
    import cv2

    side = film.shape[0]
    matrix = cv2.getRotationMatrix2D(((side - 1) / 2, (side - 1) / 2), float(u[0]) * TURN_DEG, 1 + float(u[1]) * SCALE)
    matrix[:, 2] += u[2:4] * SHIFT * side
    moved = cv2.warpAffine(film, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
    levels = (np.arange(256) - 127.5) * (1 + u[4] * CONTRAST) + 127.5 + u[5] * BRIGHTNESS
    table = np.clip(np.rint(levels), 0, 255).astype(np.uint8)
    # Black margins stay black: a network must not learn from them how bright a film is.
    table[0] = 0
    return np.asarray(cv2.LUT(moved, table), np.uint8)
