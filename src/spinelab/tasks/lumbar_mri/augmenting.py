"""The severity study's augmentation, without its trap: an axial crop may be mirrored, and then left is right; a sagittal one may not."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

TURN_DEG: Final = 15.0
SHIFT: Final = 0.05
SCALE: Final = 0.05
LEVELS: Final = 0.2
"""Largest change of contrast, and of brightness as a share of white."""
OFTEN: Final = 0.5
SELDOM: Final = 0.2
BLUR_PX: Final = 1.2


def paper(pixels: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return crops ``(B, C, S, S)``: shifted, scaled and turned half of the time, grey levels changed and blurred a fifth of the time each.

    The channels of a crop are neighbouring slices and are changed alike. Mirroring is not among it: in a crop of one question it would exchange the
    patient's sides; `LumbarMriSettings.one_side` shows both sides alike instead.
    """
    return np.stack([_changed(crop, rng.uniform(-1, 1, 6), rng.random(3)) for crop in pixels])


def _changed(crop: NDArray[np.uint8], u: NDArray[np.float64], when: NDArray[np.float64]) -> NDArray[np.uint8]:
    side = crop.shape[-1]
    changed = crop
    if when[0] < OFTEN:
        matrix = cv2.getRotationMatrix2D(((side - 1) / 2, (side - 1) / 2), float(u[0]) * TURN_DEG, 1 + float(u[1]) * SCALE)
        matrix[:, 2] += u[2:4] * SHIFT * side
        changed = np.stack([cv2.warpAffine(c, matrix, (side, side), flags=cv2.INTER_LINEAR, borderValue=0) for c in changed])
    if when[1] < SELDOM:
        levels = (np.arange(256) - 127.5) * (1 + u[4] * LEVELS) + 127.5 + u[5] * LEVELS * 255
        changed = np.stack([cv2.LUT(c, np.clip(np.rint(levels), 0, 255).astype(np.uint8)) for c in changed])
    if when[2] < SELDOM:
        changed = np.stack([cv2.GaussianBlur(c, (0, 0), BLUR_PX) for c in changed])
    return np.asarray(changed, np.uint8)
