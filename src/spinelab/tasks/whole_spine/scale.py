"""How far the pixel spacing of a film can be trusted, and what is said about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from spinelab.core import Fact, Image

ENDPLATES: Final = {"S": "upper endplate of S1", "L4": "upper endplate of L4", "L1": "upper endplate of L1", "T12": "lower endplate of T12"}
DEPTH_LIMITS_MM: Final = (14.0, 70.0)
"""Depth of an endplate from a small child's T12 to a large man's S1 with a third of magnification."""


ODD_ASPECT: Final = 1.02
"""Sides of a pixel of a radiograph differ by less: 2 % change an angle by half a degree at most."""


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


def notes(image: Image) -> tuple[str, ...]:
    """Return what a reader has to know about the film's scale: spacing, where it holds, magnification."""
    spacing = image.spacing_mm
    if not spacing.known:
        return (f"Pixel spacing: not known ({spacing.source}). SVA is given in pixels only.",)
    rows, columns = spacing.value
    size = f"{rows:.4g} mm" if abs(rows - columns) < 1e-3 * rows else f"{rows:.4g} mm (rows) x {columns:.4g} mm (columns)"
    said = [f"Pixel spacing: {size} ({spacing.source})."]
    if rows != columns and not 1 / ODD_ASPECT < rows / columns < ODD_ASPECT:
        said.append(
            f"By the spacing a pixel is {max(rows, columns) / min(rows, columns):.2f} times as {'high' if rows > columns else 'wide'} as it is "
            f"{'wide' if rows > columns else 'high'}, and every angle is taken so. Radiographs have square pixels: if the picture does not look "
            f"{'flattened' if rows > columns else 'drawn out'}, the spacing is wrong, and the angles with it."
        )
    pixel, imager = _stated(image, "PixelSpacing"), _stated(image, "ImagerPixelSpacing")
    if pixel and imager and abs(imager / pixel - 1) > 1e-3 and spacing.source.startswith("DICOM"):
        said.append(
            f"PixelSpacing {pixel:.4g} mm and ImagerPixelSpacing {imager:.4g} mm differ: taken for a correction of a magnification of {imager / pixel:.2f}."
        )
    magnification = image.facts.get("magnification")
    if magnification is not None and magnification.known:
        said.append(f"Magnification: {magnification.value:.3g} ({magnification.source}).")
    elif magnification is not None:
        said.append(f"Magnification: not known ({magnification.source}).")
    return tuple(said)


def _stated(image: Image, keyword: str) -> float | None:
    """Return the first number of a spacing as the header states it."""
    fact = image.facts.get(keyword)
    try:
        value = float(str(fact.value).split("\\")[0]) if fact is not None and fact.known else 0.0
    except ValueError:
        value = 0.0
    return value if value > 0 else None
