"""What a network is shown of a study."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spinelab.core import InputError


@dataclass(frozen=True, eq=False)
class Prepared:
    """Square films of one study: ``pixels`` uint8 ``(views, S, S)`` and which of them exist, bool ``(views,)``."""

    pixels: NDArray[np.uint8]
    available: NDArray[np.bool_]

    def __post_init__(self) -> None:
        shape = self.pixels.shape
        if self.pixels.dtype != np.uint8 or len(shape) != 3 or shape[1] != shape[2] or self.available.shape != shape[:1] or self.available.dtype != np.bool_:
            raise InputError(
                f"Prepared films {self.pixels.dtype} {shape}, availability {self.available.dtype} {self.available.shape}",
                expected="uint8 (views, S, S) and bool (views,)",
                action="correct the task's prepare method",
            )


def letterbox(picture: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Return ``picture`` ``(rows, columns)`` fitted into ``(size, size)``, proportions kept, centred on black."""
    import cv2

    rows, columns = picture.shape
    scale = size / max(rows, columns)
    height, width = max(1, round(rows * scale)), max(1, round(columns * scale))
    shrunk = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    square = np.zeros((size, size), np.uint8)
    top, left = (size - height) // 2, (size - width) // 2
    square[top : top + height, left : left + width] = shrunk
    return square
