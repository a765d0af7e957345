"""Films and heatmaps as small pictures that live inside the page."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spinelab.core import Explanation

SIDE_PX: Final = 224
"""Longest side of a picture in a comparison; about what the networks see."""

HEAT_STOPS: Final = np.array(
    [[0, 0, 4], [31, 12, 72], [85, 15, 109], [136, 34, 106], [186, 54, 85], [227, 89, 51], [249, 140, 10], [249, 201, 50], [252, 255, 164]], dtype=np.float64
)
"""Nine stops of the colour map *inferno* (van der Walt and Smith, CC0): grows evenly in brightness, so it survives colour blindness and grey print."""

_STRENGTH: Final = 0.65
"""Opacity of the heatmap where it is hottest."""


def film(picture: NDArray[np.uint8], *, side: int = SIDE_PX) -> str:
    """Return a greyscale (rows, columns) or colour picture as a data URI; ``side`` bounds the longest side in pixels."""
    return _uri(film_jpeg(picture, side=side))


def film_jpeg(picture: NDArray[np.uint8], *, side: int) -> bytes:
    """Return a greyscale or colour picture as a JPEG file; ``side`` bounds the longest side in pixels."""
    return jpeg(_shrunk(picture, side))


def overlay(explanation: Explanation, *, side: int = SIDE_PX) -> str:
    """Return the picture with its heatmap drawn over it, as a data URI; where the heat is zero the picture stays as it is."""
    return _uri(jpeg(_drawn(explanation, _shrunk(explanation.picture, side))))


def overlay_png(explanation: Explanation, *, least: int, edges: tuple[str, str] | None = None) -> bytes:
    """Return the picture with its heatmap as a PNG file, enlarged by the whole number that brings its longest side to ``least`` pixels.

    ``edges`` are letters that are written at the left and the right edge.
    """
    rows, columns = explanation.picture.shape[:2]
    times = max(1, -(-least // max(rows, columns)))
    picture = _resized(np.asarray(explanation.picture, dtype=np.uint8), (rows * times, columns * times))
    return png(_lettered(_drawn(explanation, picture), edges or ()))


def _lettered(pixels: NDArray[np.uint8], edges: Sequence[str]) -> NDArray[np.uint8]:
    """Write white letters with a dark rim at the left and the right edge."""
    import cv2

    rows, columns = pixels.shape[:2]
    for letter, x in zip(edges, (8, columns - 32), strict=False):
        for colour, width in (((0, 0, 0), 6), ((255, 255, 255), 2)):
            cv2.putText(pixels, letter, (x, rows // 2), cv2.FONT_HERSHEY_SIMPLEX, 0.9, colour, width, cv2.LINE_AA)
    return pixels


def print_overlay(explanation: Explanation, *, side: int) -> NDArray[np.uint8]:
    """Return the picture with its heatmap, shrunk or enlarged to ``side`` pixels at its longest side."""
    return _drawn(explanation, for_print(explanation.picture, side=side))


def for_print(picture: NDArray[Any], *, side: int) -> NDArray[np.uint8]:
    """Return a picture shrunk or enlarged until its longest side has ``side`` pixels: viewers of PDFs draw few pixels as squares."""
    rows, columns = picture.shape[:2]
    scale = side / max(rows, columns)
    return _resized(np.asarray(picture, dtype=np.uint8), (max(1, round(rows * scale)), max(1, round(columns * scale))))


def png(pixels: NDArray[np.uint8]) -> bytes:
    """Return a greyscale or colour picture as a PNG file."""
    from PIL import Image as Pillow

    out = io.BytesIO()
    Pillow.fromarray(pixels).save(out, format="PNG")
    return out.getvalue()


def png_uri(pixels: NDArray[np.uint8]) -> str:
    """Return a picture as a data URI without loss, for what is made of sharp cells."""
    return "data:image/png;base64," + base64.b64encode(png(pixels)).decode("ascii")


def _drawn(explanation: Explanation, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    grey = np.repeat(picture[..., None], 3, axis=2) if picture.ndim == 2 else picture[..., :3]
    heat = _resized(np.clip(np.nan_to_num(explanation.heat), 0.0, 1.0).astype(np.float32), picture.shape[:2]).astype(np.float64)
    colour = np.stack([np.interp(heat, np.linspace(0, 1, len(HEAT_STOPS)), HEAT_STOPS[:, channel]) for channel in range(3)], axis=2)
    alpha = (_STRENGTH * heat)[..., None]
    return np.round(grey * (1 - alpha) + colour * alpha).astype(np.uint8)


def size(picture: NDArray[Any], *, side: int = SIDE_PX) -> dict[str, int]:
    """Return the width and height in pixels at which `film` and `overlay` come out."""
    rows, columns = picture.shape[:2]
    scale = min(1.0, side / max(rows, columns))
    return {"width": max(1, round(columns * scale)), "height": max(1, round(rows * scale))}


def _shrunk(picture: NDArray[Any], side: int) -> NDArray[np.uint8]:
    small = size(picture, side=side)
    return _resized(np.asarray(picture, dtype=np.uint8), (small["height"], small["width"]))


def _resized(values: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    from PIL import Image as Pillow

    if values.shape[:2] == tuple(shape[:2]):
        return values
    return np.asarray(Pillow.fromarray(values).resize((shape[1], shape[0]), Pillow.Resampling.BILINEAR))


def jpeg(pixels: NDArray[np.uint8]) -> bytes:
    """Return a greyscale or colour picture as a JPEG file."""
    from PIL import Image as Pillow

    out = io.BytesIO()
    Pillow.fromarray(pixels).save(out, format="JPEG", quality=80, optimize=True)
    return out.getvalue()


def _uri(content: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(content).decode("ascii")
