"""True landmarks on the canvas that a network sees."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from spinelab.core import Landmark
from spinelab.train.canvas import place
from spinelab.train.landmark_settings import LandmarkSettings


def on_film(landmarks: Sequence[Landmark], names: Sequence[str]) -> NDArray[np.float64]:
    """Return landmarks ``(P, 2)`` in film pixels, nan where one is not on the film."""
    known = {p.name: (p.x, p.y) for p in landmarks}
    return np.array([known.get(name, (np.nan, np.nan)) for name in names], np.float64)


def on_canvas(film: NDArray[np.float64], shape: Sequence[int], settings: LandmarkSettings) -> NDArray[np.float32]:
    """Return landmarks ``(P, 2)`` of a film with these rows and columns in canvas pixels ``(P, 3)``, with 1 where they are on the film."""
    where = place((int(shape[0]), int(shape[1])), settings.rows, settings.columns)
    there = np.isfinite(film[:, 0])
    return np.column_stack([where.to_canvas(np.where(there[:, None], film, 0.0)), there]).astype(np.float32)
