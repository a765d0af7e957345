"""What the page of an examination shows: the slice through the canal with its levels named, and an axial slice a level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from spinelab.core import Fact, Image, Study
from spinelab.geometry.planes import hang, to_plane
from spinelab.tasks.lumbar_mri.inputs import PERCENTILES, series_of
from spinelab.tasks.lumbar_mri.places import Place
from spinelab.tasks.lumbar_mri.targets import AXIAL_T2, LEVEL_NAMES, SAGITTAL_T2

SIDE_PX: Final = 640
"""Shorter side of a picture: small matrices are enlarged, so that names can be read beside the discs."""


def shown(study: Study, places: Sequence[Place]) -> Study:
    """Return an examination of flat pictures: sagittal T2 with the levels, then an axial slice for each level that has one."""
    pictures = [_sagittal(study, places)] + [_axial(study, places, level) for level in LEVEL_NAMES]
    found = tuple(picture for picture in pictures if picture is not None)
    return replace(study, images=found) if found else study


def _sagittal(study: Study, places: Sequence[Place]) -> Image | None:
    own = [p for p in places if p.target.question.side is None and p.target.description == SAGITTAL_T2]
    if not own:
        return None
    middle = sorted(own, key=lambda p: p.index)[len(own) // 2]
    return _picture(series_of(study, middle), middle.index, [(p, p.target.question.level) for p in own], "sagittal T2, levels")


def _axial(study: Study, places: Sequence[Place], level: str) -> Image | None:
    own = [p for p in places if p.target.question.level == level and p.target.description == AXIAL_T2]
    if not own:
        return None
    marked = [(p, (p.target.question.side or "")[:1].upper()) for p in own if p.index == own[0].index]
    return _picture(series_of(study, own[0]), own[0].index, marked, f"axial T2, {level}")


def _picture(series: Image, index: int, marks: Sequence[tuple[Place, str]], title: str) -> Image:
    stack, affine = series.pixels, series.facts["slice_affines"].value[index]
    low, high = np.percentile(stack[index], PERCENTILES)
    turned, matrix = hang(stack[index], affine)
    grey = np.clip((turned.astype(np.float32) - low) * (255 / max(high - low, 1e-6)), 0, 255).astype(np.uint8)
    scale = max(1.0, SIDE_PX / min(grey.shape))
    large = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    for place, text in marks:
        x, y = ((value + 0.5) * scale - 0.5 for value in to_plane(matrix, place.point_mm)[:2])
        _mark(large, round(x), round(y), text)
    enlarged = _enlarged(matrix, scale)
    spacing = Fact(tuple(float(np.linalg.norm(enlarged[:3, axis])) for axis in (1, 0)), "of the series, enlarged")
    return Image(
        large, spacing_mm=spacing, affine=Fact(enlarged, "of the slice, enlarged"), modality=series.modality, view=Fact(title, "drawn"), source=series.source
    )


def _enlarged(affine: NDArray[np.float64], scale: float) -> NDArray[np.float64]:
    """Return the affine of a slice that was enlarged; pixel centres lie at whole numbers in both."""
    matrix = affine.copy()
    matrix[:3, 3] += (affine[:3, 0] + affine[:3, 1]) * (1 / scale - 1) / 2
    matrix[:3, :2] /= scale
    return matrix


def _mark(picture: NDArray[np.uint8], x: int, y: int, text: str) -> None:
    """Draw a ring and a name, white on a dark rim so that they are seen on any tissue."""
    for colour, width in ((0, 4), (255, 2)):
        cv2.circle(picture, (x, y), 7, colour, width, cv2.LINE_AA)
        cv2.putText(picture, text, (x + 14, y + 6), cv2.FONT_HERSHEY_SIMPLEX, 0.6, colour, width, cv2.LINE_AA)
