"""What a reader has to know about the scale of a film: pixel spacing, in which plane it holds, magnification."""

from __future__ import annotations

from typing import Final

from spinelab.core import Fact, Image

ODD_ASPECT: Final = 1.02
"""Sides of a pixel of a radiograph differ by less: 2 % change an angle by half a degree at most."""


def is_square(spacing: Fact) -> bool:
    """Return whether the pixels are square, by a spacing that is known, or taken for square, where it is not."""
    return not spacing.known or 1 / ODD_ASPECT < spacing.value[0] / spacing.value[1] < ODD_ASPECT


def notes(image: Image, lengths: str, *, angles: bool = True) -> tuple[str, ...]:
    """Return the sentences.

    ``lengths`` says in words what is given in pixels only, where the spacing is not known: ``SVA is``. ``angles`` is whether angles are given by the spacing.
    """
    spacing = image.spacing_mm
    if not spacing.known:
        return (f"Pixel spacing: not known ({spacing.source}). {lengths} given in pixels only.",)
    rows, columns = spacing.value
    size = f"{rows:.4g} mm" if abs(rows - columns) < 1e-3 * rows else f"{rows:.4g} mm (rows) x {columns:.4g} mm (columns)"
    said = [f"Pixel spacing: {size} ({spacing.source})."]
    if angles and not is_square(spacing):
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
