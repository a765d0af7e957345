"""What the page of an examination shows: the slices on which the questions were graded, with a ring at every place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from spinelab.core import Fact, Image, Study
from spinelab.geometry.planes import hang, opposite, picture_directions, to_plane
from spinelab.io.display import percentiles
from spinelab.tasks.lumbar_mri.inputs import PERCENTILES, series_of, slice_number
from spinelab.tasks.lumbar_mri.places import Place
from spinelab.tasks.lumbar_mri.targets import AXIAL_T2, LEVEL_NAMES, PLANES, SAGITTAL_T1, SAGITTAL_T2

SIDE_PX: Final = 640
"""Shorter side of a picture: small matrices are enlarged, so that names can be read beside the discs."""
STRUCTURES: Final = {"spinal_canal_stenosis": "canal", "neural_foraminal_narrowing": "foramina", "subarticular_stenosis": "recesses"}
"""Where a condition is seen, as a caption names it."""

_SIDES: Final = (None, "right", "left")
_RING_PX: Final = 8
_BESIDE_PX: Final = 14
_RIM_PX: Final = 2
"""A thicker stroke would do for the rim, but not every version of OpenCV draws letters thicker."""
_ASIDE_PX: Final = (46, -40)
"""From an axial mark to its letter, outwards and forwards: beside the bright sac, before the facet joint."""
_WHITE: Final = 255
_FAINT: Final = 185
_DASHES_DEG: Final = (45, 25)
"""A dash and its gap, and the dash alone."""


def shown(study: Study, places: Sequence[Place]) -> Study:
    """Return an examination of flat pictures: the canal and the foramina of either side on sagittal slices, then the axial slices of each level."""
    found = (*_sagittal(study, places), *_axial(study, places))
    return replace(study, images=found) if found else study


def _sagittal(study: Study, places: Sequence[Place]) -> Iterator[Image]:
    """Give a slice a structure and side: the one that holds most of its levels; the others are drawn dashed, with their own slice."""
    for description in (SAGITTAL_T2, SAGITTAL_T1):
        for finding, structure in STRUCTURES.items():
            for side in _SIDES:
                own = [p for p in places if (p.target.description, p.target.question.finding, p.target.question.side) == (description, finding, side)]
                for series, marks in _by_series(study, own):
                    whose = f"the patient's {side} " if side else ""
                    yield _picture(series, _usual(marks), marks, f"{description}, {whose}{structure}")


def _axial(study: Study, places: Sequence[Place]) -> Iterator[Image]:
    """Give every slice of a level on which a place lies: left and right may lie on two."""
    for level in LEVEL_NAMES:
        own = [p for p in places if p.target.question.level == level and p.target.description == AXIAL_T2]
        for series, marks in _by_series(study, own):
            for index in sorted({place.index for place in marks}):
                yield _picture(series, index, [p for p in marks if p.index == index], f"{AXIAL_T2}, {level}")


def _by_series(study: Study, places: Sequence[Place]) -> list[tuple[Image, list[Place]]]:
    """Return the series in which places lie, each with its own."""
    found: dict[int, tuple[Image, list[Place]]] = {}
    for place in places:
        series = series_of(study, place)
        found.setdefault(id(series), (series, []))[1].append(place)
    return list(found.values())


def _usual(places: Sequence[Place]) -> int:
    """Return the slice with most places; of several, the one nearest to the middle of all."""
    counts, middle = Counter(p.index for p in places), float(np.median([p.index for p in places]))
    return min(counts, key=lambda index: (-counts[index], abs(index - middle)))


def _picture(series: Image, index: int, places: Sequence[Place], title: str) -> Image:
    pixels, affine = series.plane(index), series.facts["slice_affines"].value[index]
    low, high = percentiles(pixels, PERCENTILES)
    turned, matrix = hang(pixels, affine, PLANES)
    grey = np.clip((turned.astype(np.float32) - low) * (255 / max(high - low, 1e-6)), 0, 255).astype(np.uint8)
    scale = max(1.0, SIDE_PX / min(grey.shape))
    large = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    for place in places:
        x, y = ((value + 0.5) * scale - 0.5 for value in to_plane(matrix, place.point_mm)[:2])
        away = None if place.index == index else slice_number(series, place.index)
        _mark(large, (round(x), round(y)), place, away)
    _edges(large, matrix)
    enlarged = _enlarged(matrix, scale)
    spacing = Fact(tuple(float(np.linalg.norm(enlarged[:3, axis])) for axis in (1, 0)), "of the series, enlarged")
    return Image(
        large,
        spacing_mm=spacing,
        affine=Fact(enlarged, "of the slice, enlarged"),
        modality=series.modality,
        view=Fact(f"{title}, slice {slice_number(series, index)}", "drawn"),
        facts={"shown_as": Fact(_told(scale, dashed=any(p.index != index for p in places)), "drawn")},
        source=series.source,
    )


def _told(scale: float, *, dashed: bool) -> str:
    """Return what was done to a slice before it was shown."""
    size = f", enlarged {scale:.1f} times" if scale > 1 else ""
    other = "; a dashed ring lies on the slice named beside it" if dashed else ""
    return f"hung as usual{size}, grey levels stretched; rings show where it was graded{other}"


def _enlarged(affine: NDArray[np.float64], scale: float) -> NDArray[np.float64]:
    """Return the affine of a slice that was enlarged; pixel centres lie at whole numbers in both."""
    matrix = affine.copy()
    matrix[:3, 3] += (affine[:3, 0] + affine[:3, 1]) * (1 / scale - 1) / 2
    matrix[:3, :2] /= scale
    return matrix


def _mark(picture: NDArray[np.uint8], at: tuple[int, int], place: Place, away: int | None) -> None:
    """Draw a ring and a name: the level on a sagittal slice, the side on an axial one, outwards of the sac; ``away`` is the slice of a place on another."""
    x, y = at
    question, shade = place.target.question, _WHITE if away is None else _FAINT
    arcs = [(0, 360)] if away is None else [(start, start + _DASHES_DEG[1]) for start in range(0, 360, _DASHES_DEG[0])]
    for colour, width in ((0, 5), (shade, 2)):
        for start, end in arcs:
            cv2.ellipse(picture, at, (_RING_PX, _RING_PX), 0, start, end, colour, width, cv2.LINE_AA)
    if place.target.description != AXIAL_T2:
        _write(picture, question.level if away is None else f"{question.level}, slice {away}", (x + _BESIDE_PX, y + 8))
    elif question.side is not None:
        outwards = -1 if question.side == "right" else 1
        tip = (x + outwards * _ASIDE_PX[0], y + _ASIDE_PX[1])
        foot = (x + outwards * _RING_PX, y - _RING_PX)
        for colour, width in ((0, 4), (shade, 1)):
            cv2.line(picture, foot, tip, colour, width, cv2.LINE_AA)
        _write(picture, question.side[0].upper(), (tip[0] - (22 if outwards < 0 else -4), tip[1]))


def _edges(picture: NDArray[np.uint8], affine: NDArray[np.float64]) -> None:
    """Write at the left and the right edge where they point to in the patient: R and L of an axial slice, A and P of a sagittal one."""
    right, _ = picture_directions(affine)
    rows, columns = picture.shape
    for letter, x in ((opposite(right), 10), (right, columns - 32)):
        _write(picture, letter, (x, rows // 2))


def _write(picture: NDArray[np.uint8], text: str, at: tuple[int, int]) -> None:
    """Write white with a dark rim, so that it is read on bright fat as well as on a dark disc."""
    around = [(right, down) for right in (-_RIM_PX, 0, _RIM_PX) for down in (-_RIM_PX, 0, _RIM_PX) if (right, down) != (0, 0)]
    for colour, places in ((0, around), (_WHITE, [(0, 0)])):
        for right, down in places:
            cv2.putText(picture, text, (at[0] + right, at[1] + down), cv2.FONT_HERSHEY_SIMPLEX, 0.85, colour, 2, cv2.LINE_AA)
