"""What a grading network is shown of a question: a crop in millimetres around its place, or the whole slice with the place marked."""

from __future__ import annotations

import math
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from spinelab.core import Image, Study
from spinelab.geometry.planes import hang, to_patient, to_plane, unit_normal
from spinelab.io.display import percentiles
from spinelab.tasks.lumbar_mri.laterality import mirror
from spinelab.tasks.lumbar_mri.parts import is_mirrored
from spinelab.tasks.lumbar_mri.places import Place
from spinelab.tasks.lumbar_mri.settings import LumbarMriSettings
from spinelab.tasks.lumbar_mri.targets import PLANES
from spinelab.train import Prepared

PERCENTILES: Final = (0.5, 99.5)
"""Grey levels of the marked slice that become black and white: MR signal has no unit, and every series its own range."""
NEIGHBOUR_DEG: Final = 5.0
NEIGHBOUR_MM: Final = 12.0
"""A slice further away or more tilted than this is no neighbour: axial series are often one stack a disc."""
_AROUND_PX: Final = 3
MARKER_SHARE: Final = 0.02
"""Standard deviation of the marker, as a share of the picture's side."""


def prepare_place(study: Study, settings: LumbarMriSettings) -> Prepared:
    """Return the network's input for the one place of a study; no channel is available where there is none.

    Channels are the marked slice in the middle and its neighbours on both sides, from one end of the patient to the other whatever way the scanner
    stored the slices; one that is not there is told so.
    """
    side = settings.image_size
    places = study.facts["places"].value if "places" in study.facts else ()
    if not places:
        return Prepared(np.zeros((settings.channels, side, side), np.uint8), np.zeros(settings.channels, dtype=bool))
    return _prepared(series_of(study, places[0]), places[0], settings)


def series_of(study: Study, place: Place) -> Image:
    """Return the series in which a place lies."""
    mark = place.target.mark
    return next(image for image in study.images if mark is not None and image.facts["series_id"].value == mark.series)


def slice_number(series: Image, index: int) -> int:
    """Return the number by which files and tables name a slice."""
    return int(series.facts["instance_numbers"].value[index])


def _prepared(image: Image, place: Place, settings: LumbarMriSettings) -> Prepared:
    affines, marked = image.facts["slice_affines"].value, image.plane(place.index)
    chosen = neighbours(affines, place.index, settings.slices)
    low, high = percentiles(marked, PERCENTILES)
    channels = np.zeros((settings.channels, settings.image_size, settings.image_size), np.uint8)
    for channel, index in enumerate(chosen):
        if index is not None:
            channels[channel] = _channel(image.plane(index), affines[index], place, settings, float(low), float(high))
    available = np.array([index is not None for index in chosen])
    if settings.shown == "marker":
        channels[-1] = _marker(marked, affines[place.index], place, settings.image_size)
        available = np.append(available, True)
    if is_mirrored(place, settings):
        channels = mirror(channels, _hung(marked, affines[place.index])[1], (place.target.question,), "x")[0]
    return Prepared(np.ascontiguousarray(channels), available)


def neighbours(affines: NDArray[np.float64], index: int, count: int) -> list[int | None]:
    """Return ``count`` slices, the one at ``index`` in the middle; ``None`` where the stack has no parallel slice near enough.

    They follow each other along the normal of the slice as it is hung: a stack that was stored mirrored is ordered the other way round.
    """
    normal = unit_normal(affines[index])
    hung = unit_normal(hang(np.zeros((1, 1)), affines[index], PLANES)[1])
    onward = 1 if float(hung @ normal) > 0 else -1
    found: list[int | None] = []
    for step in range(-(count // 2), count // 2 + 1):
        other = index + onward * step
        near = 0 <= other < len(affines)
        if near:
            apart = abs(float((affines[other][:3, 3] - affines[index][:3, 3]) @ normal))
            tilt = float(np.degrees(np.arccos(np.clip(abs(unit_normal(affines[other]) @ normal), 0, 1))))
            near = tilt <= NEIGHBOUR_DEG and apart <= NEIGHBOUR_MM * max(1, abs(step))
        found.append(other if near else None)
    return found


def in_patient(study: Study, place: Place, settings: LumbarMriSettings, x: float, y: float) -> tuple[float, float, float]:
    """Return the patient millimetres (LPS) of a pixel of the network's picture of a place, as it hangs, not mirrored."""
    image = series_of(study, place)
    picture, matrix = _hung(image.plane(place.index), image.facts["slice_affines"].value[place.index])
    column, row = _window(matrix, picture.shape, place, settings) @ [x, y, 1.0]
    left, back, up = map(float, to_patient(matrix, float(column), float(row)))
    return left, back, up


def _hung(pixels: NDArray[np.generic], affine: NDArray[np.float64]) -> tuple[NDArray[np.generic], NDArray[np.float64]]:
    """Return one slice as it is usually hung, whatever way the scanner stored it."""
    turned, matrix = hang(pixels, affine, PLANES)
    return np.ascontiguousarray(turned), matrix


def _channel(pixels: NDArray[np.generic], affine: NDArray[np.float64], place: Place, settings: LumbarMriSettings, low: float, high: float) -> NDArray[np.uint8]:
    picture, matrix = hang(pixels, affine, PLANES)
    window, size = _window(matrix, picture.shape, place, settings), (settings.image_size,) * 2
    grey = np.zeros(picture.shape, np.float32)
    seen = _seen(window, settings.image_size)
    grey[seen] = np.clip((picture[seen].astype(np.float32) - low) * (255 / max(high - low, 1e-6)), 0, 255)
    moved = cv2.warpAffine(grey, window, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderValue=0)
    return np.asarray(np.rint(moved), np.uint8)


def _seen(window: NDArray[np.float64], side: int) -> tuple[slice, slice]:
    """Return the rows and columns of a slice that its picture for the network is made of, and a few around them."""
    first, last = window[:, 2], window[:, 2] + np.diag(window[:, :2]) * (side - 1)
    columns, rows = (slice(max(0, math.floor(start) - _AROUND_PX), max(0, math.ceil(stop) + _AROUND_PX)) for start, stop in zip(first, last, strict=True))
    return rows, columns


def _window(affine: NDArray[np.float64], shape: tuple[int, ...], place: Place, settings: LumbarMriSettings) -> NDArray[np.float64]:
    """Return the map from the network's pixels to the slice's: ``crop_mm`` around the place, or the whole slice, centred, its proportions kept in mm."""
    spacing = np.linalg.norm(affine[:3, :2], axis=0)
    middle = (settings.image_size - 1) / 2
    if settings.shown == "crop":
        centre, width_mm = np.array(to_plane(affine, place.point_mm)[:2]), settings.crop_mm
    else:
        size = np.array(shape[1::-1])
        centre, width_mm = (size - 1) / 2, float((size * spacing).max())
    step = width_mm / settings.image_size / spacing
    return np.array([[step[0], 0.0, centre[0] - step[0] * middle], [0.0, step[1], centre[1] - step[1] * middle]])


def _marker(pixels: NDArray[np.generic], affine: NDArray[np.float64], place: Place, side: int) -> NDArray[np.uint8]:
    """Return a round spot at the place, in the network's picture of the whole slice."""
    picture, matrix = _hung(pixels, affine)
    window = _window(matrix, picture.shape, place, LumbarMriSettings(image_size=side, shown="marker"))
    x, y = (np.array(to_plane(matrix, place.point_mm)[:2]) - window[:, 2]) / np.diag(window[:, :2])
    columns, rows = np.meshgrid(np.arange(side), np.arange(side))
    spot = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * (MARKER_SHARE * side) ** 2))
    return np.asarray(np.rint(255 * spot), np.uint8)
