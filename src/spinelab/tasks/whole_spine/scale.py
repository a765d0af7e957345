"""How far the pixel spacing of a film can be trusted, by what is seen on it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from spinelab.core import Fact

ENDPLATES: Final = {"S": "upper endplate of S1", "L4": "upper endplate of L4", "L1": "upper endplate of L1", "T12": "lower endplate of T12"}
DEPTH_LIMITS_MM: Final = (14.0, 70.0)
"""Depth of an endplate from a small child's T12 to a large man's S1 with a third of magnification."""


def implausible(points: Mapping[str, NDArray[np.float64]], spacing: Fact) -> str:
    """Return why the spacing cannot be right, judged by the depth of the endplates; empty if it can, or nothing can be said."""
    if not spacing.known:
        return ""
    scale = np.array([spacing.value[1], spacing.value[0]])
    low, high = DEPTH_LIMITS_MM
    depths = {words: _length(points, stem, scale) for stem, words in ENDPLATES.items() if f"{stem}_1" in points and f"{stem}_2" in points}
    wrong = {words: depth for words, depth in depths.items() if not low <= depth <= high}
    if not depths or 2 * len(wrong) <= len(depths):
        return ""
    words, depth = next(iter(wrong.items()))
    return f"the pixel spacing of {spacing.value[0]:.3g} mm is not plausible: by it the {words} would be {depth:.0f} mm deep ({spacing.source})"


def _length(points: Mapping[str, NDArray[np.float64]], stem: str, scale: NDArray[np.float64]) -> float:
    return float(np.hypot(*((points[f"{stem}_1"] - points[f"{stem}_2"]) * scale)))
