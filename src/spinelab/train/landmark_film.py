"""From a study to the one film that is measured on, and what is refused unread."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spinelab.core import Image, InputError, NotSureError, Study
from spinelab.io.dicom_spacing import PROJECTIONS

RADIOGRAPHS: Final = (*PROJECTIONS, "OT", "SC")
"""Modalities of a film; OT and SC are what exports call themselves."""
COLOUR: Final = 0.08
"""Mean difference between a picture's colour channels, as a share of full brightness, above which it is a photograph or a heatmap.

Measured: photographs .11 and .20, heatmaps over AP films .095 to .23; a film scanned with a tint has .06 or less.
"""


FRONT: Final = ("AP", "PA")
SIDE: Final = ("LATERAL",)
ORIENTED: Final = {"L": FRONT, "R": FRONT, "A": SIDE, "P": SIDE}
"""Views on which the rows of the picture run to that side of the patient, as PatientOrientation begins."""


@dataclass(frozen=True)
class FilmKind:
    """Which films a task takes, by their header: views and modalities, any where none is named; ``least_side`` is in pixels."""

    views: tuple[str, ...] = ()
    modalities: tuple[str, ...] = ()
    least_side: int = 0


def film_of(study: Study, kind: FilmKind, takes: str) -> Image:
    """Return the study's film as one picture: the one of a view that the task takes, or the only picture.

    Raises
    ------
    InputError
        If there is no picture or several that could be meant, or it is a volume or a cine loop.
    NotSureError
        If it cannot be a film of that kind: another view or modality by its header, a photograph in place of a radiograph, a thumbnail.
    """
    images = [image for image in study.images if image.view.value in kind.views] or list(study.images)
    if len(images) != 1:
        raise InputError(f"{study.id}: {len(images)} pictures", expected=f"one film: {takes}", action="give the films one at a time")
    image = images[0]
    if image.axes not in ("YX", "YXC") and image.pixels.shape[0] != 1:
        raise InputError(f"{study.id} is no single picture ({image.axes})", expected=f"one film: {takes}", action="give the film")
    reason = _refusal(image, kind)
    if reason:
        raise NotSureError(f"{study.id}: {reason}", expected=takes, action="check which film this is")
    return image if image.axes in ("YX", "YXC") else _alone(image)


def _alone(image: Image) -> Image:
    """Return the only picture of a stack or loop of one, whose spacing is that of rows and columns."""
    spacing = image.spacing_mm
    in_plane = replace(spacing, value=spacing.value[-2:]) if spacing.known else spacing
    return replace(image, pixels=image.pixels[0], axes=image.axes[1:], spacing_mm=in_plane)


def _refusal(image: Image, kind: FilmKind) -> str:
    """Return why a picture cannot be such a film; empty if nothing speaks against it."""
    if kind.views and image.view.known and image.view.value not in kind.views:
        return f"the header says that the view is {image.view.value} ({image.view.source})"
    other = _other_orientation(image, kind)
    if other and not image.view.known:
        return f"the header states no view, and {other}"
    if kind.modalities and image.modality.known and image.modality.value not in kind.modalities:
        return f"the header says that it is no radiograph (modality {image.modality.value})"
    rows, columns = image.shape_yx
    if max(rows, columns) < kind.least_side:
        return f"the picture has only {columns} x {rows} pixels: no angle can be read from it"
    if kind.modalities and image.axes.endswith("C") and _colourfulness(image.pixels) > COLOUR:
        return "the picture is in colour: a photograph or a heatmap, no radiograph"
    return ""


def contradiction(image: Image, kind: FilmKind) -> tuple[str, ...]:
    """Return a sentence each where the orientation by the header contradicts the view by the header, or a film that was read and is therefore upright."""
    other, fact, said = _other_orientation(image, kind), image.facts.get("PatientOrientation"), []
    if other:
        said.append(f"The header contradicts itself: the view is {image.view.value} ({image.view.source}), but {other}. Check which film this is.")
    if fact is not None and kind.views and head_below(image):
        said.append(
            f"By the header the head lies at the bottom of the picture ({fact.source} = {fact.value}), and the film is upright: it was turned or flipped, "
            "or the header is wrong, so that the header does not tell left from right. Check which side is which."
        )
    return tuple(said)


def runs_to(image: Image) -> tuple[str, str]:
    """Return where the rows and the columns of a picture run to by its header (PatientOrientation), in capitals; empty texts where it is not stated."""
    fact = image.facts.get("PatientOrientation")
    if fact is None or not fact.known:
        return "", ""
    parts = re.split(r"[\\,]", re.sub(r"[\[\]' ]", "", str(fact.value).upper()))
    return parts[0], parts[1] if len(parts) > 1 else ""


def head_below(image: Image) -> bool:
    """Return whether a picture is upside down by its header."""
    return runs_to(image)[1].startswith("H")


def _other_orientation(image: Image, kind: FilmKind) -> str:
    """Return in words that PatientOrientation is that of another view than the task takes; empty where it is not, or is not stated."""
    fact = image.facts.get("PatientOrientation")
    shown = ORIENTED.get(runs_to(image)[0][:1], ())
    if fact is None or not kind.views or not shown or set(shown) & set(kind.views):
        return ""
    return f"the patient's orientation ({fact.source} = {fact.value}) is that of a film of the {'side' if shown == SIDE else 'front or back'}"


def _colourfulness(pixels: NDArray[Any]) -> float:
    """Return the mean distance between the largest and the smallest of red, green and blue, as a share of full brightness."""
    step = max(1, pixels.shape[0] // 256)
    sample = pixels.reshape(-1, *pixels.shape[-3:])[0][::step, ::step, :3].astype(np.float64)
    full = float(np.iinfo(pixels.dtype).max) if pixels.dtype.kind in "ui" else max(float(sample.max()), 1e-9)
    return float(np.mean(sample.max(axis=-1) - sample.min(axis=-1)) / full)
