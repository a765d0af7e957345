"""Films as they are shown: windowed once, encoded once, used by page, PDF and thumbnail."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spinelab.core import Image, InputError, Stroke, Study
from spinelab.report.film_drawing import COLOURS, DASHES, Drawing, Mark, draw, holds

PAGE_PX: Final = 2400
"""Longest side of a film in a page: an endplate of a whole spine is still sharp at threefold zoom."""

THUMBNAIL_PX: Final = 240
_QUALITY: Final = {"page": 86, "thumbnail": 72}


@dataclass(frozen=True, eq=False)
class Film:
    """A film of a study: ``jpeg`` as shown, ``grey`` (rows, columns) uint8, and what is drawn over it in the pixels of the original."""

    view: str
    jpeg: bytes
    grey: NDArray[np.uint8]
    drawing: Drawing
    facts: tuple[tuple[str, str, str], ...] = ()

    @property
    def uri(self) -> str:
        return data_uri(self.jpeg)


def measured_film(study: Study, strokes: Sequence[Stroke]) -> tuple[Film | None, list[str]]:
    """Return the film that the strokes belong to, and a sentence for each film that cannot be shown.

    Of several films it is the first that holds most of the strokes' points; they are in the pixels of one film.
    """
    from spinelab.io import to_uint8

    notes: list[str] = []
    fitting = [image for image in study.images if holds(strokes, image.shape_yx)]
    for image in [*fitting, *(image for image in study.images if image not in fitting)]:
        try:
            grey = to_uint8(image)
        except InputError as error:
            notes.append(f"{image.view.value or 'A film'} is not shown: {error.given}")
            continue
        rows, columns = grey.shape
        drawing = draw(strokes if image in fitting else (), width=columns, height=rows)
        return Film(str(image.view.value or ""), _jpeg(_reduced(grey, PAGE_PX), _QUALITY["page"]), grey, drawing, _facts(image)), notes
    return None, notes


def thumbnail(film: Film) -> str:
    """Return a small picture of the film with its lines, as a data URI."""
    import cv2

    small = _reduced(film.grey, THUMBNAIL_PX)
    colour = np.repeat(small[..., None], 3, axis=2)
    scale = small.shape[1] / film.drawing.width
    for mark in film.drawing.printed:
        shade = tuple(int(COLOURS[mark.role][n : n + 2], 16) for n in (5, 3, 1))
        # OpenCV takes coordinates with four binary places; those far outside the film overflow it.
        points = np.rint(np.clip((np.asarray(mark.points) + 0.5) * scale - 0.5, -4096, 4096) * 16).astype(np.int32)
        if mark.shape == "path":
            cv2.polylines(colour, [points], mark.closed, shade, 1, cv2.LINE_AA, 4)
        elif mark.shape in ("dot", "ring"):
            cv2.circle(colour, points[0].tolist(), 16 if mark.shape == "dot" else 32, shade, -1 if mark.shape == "dot" else 1, cv2.LINE_AA, 4)
    return data_uri(_jpeg(colour, _QUALITY["thumbnail"]))


def data_uri(jpeg: bytes) -> str:
    """Return a JPEG as text that a page can hold."""
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode("ascii")


def svg_mark(mark: Mark, drawing: Drawing) -> dict[str, Any]:
    """Return what the template needs to draw one mark: its path with a tenth of a pixel, and its dashes."""
    joined = "L".join(f"{x:.1f} {y:.1f}" for x, y in mark.points)
    path = f"M{joined}{'z' if mark.closed else ''}" + ("h0" if mark.shape == "dot" else "")
    return {"mark": mark, "d": path, "dash": " ".join(map(str, DASHES.get(mark.role, ()))), "layer": drawing.layers.index(mark.layer)}


def _facts(image: Image) -> tuple[tuple[str, str, str], ...]:
    """Return how large the film is and how that is known: what every millimetre rests on."""
    rows, columns = image.shape_yx
    spacing = image.spacing_mm
    size = "not known" if spacing.value is None else f"{' × '.join(dict.fromkeys(f'{s:.4g}' for s in spacing.value))} mm"
    return (("film", f"{columns} × {rows} pixels", ""), ("pixel size", size, spacing.source))


def _reduced(grey: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    import cv2

    rows, columns = grey.shape
    scale = side / max(rows, columns)
    if scale >= 1:
        return grey
    return np.asarray(cv2.resize(grey, (max(1, round(columns * scale)), max(1, round(rows * scale))), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _jpeg(pixels: NDArray[np.uint8], quality: int) -> bytes:
    """Return the picture as a JPEG; OpenCV's encoder takes a fifth of Pillow's time with optimised tables."""
    import cv2

    _, encoded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return encoded.tobytes()
