"""From a study to the places of its questions: slices, maps, points, and their way into the other series."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from spinelab.core import Image, InputError, NotSureError, Study
from spinelab.geometry.planes import Projection, check_same_frame, project, to_patient
from spinelab.tasks.lumbar_mri.bare import read_bare
from spinelab.tasks.lumbar_mri.levels_canvas import Canvas
from spinelab.tasks.lumbar_mri.levels_decode import NEAR_MM, Decoded, decode
from spinelab.tasks.lumbar_mri.levels_offsets import place_all
from spinelab.tasks.lumbar_mri.levels_series import affines_of, along, canvas_of, frame_of, leftward, middle_slices, series_of_kind
from spinelab.tasks.lumbar_mri.levels_settings import LevelSettings
from spinelab.tasks.lumbar_mri.places import Place, Target
from spinelab.tasks.lumbar_mri.tables import Mark
from spinelab.tasks.lumbar_mri.targets import LEVEL_NAMES, QUESTIONS, SAGITTAL_T2, Question
from spinelab.train.certainty import certainty_of

if TYPE_CHECKING:
    from spinelab.tasks.lumbar_mri.levels import LevelFinder, Located

Floats = NDArray[np.float64]

LEAST_CONFIDENCE: Final = 0.3
"""Share of a map near its point below which a level counts as not found."""
LEAST_LEVELS: Final = 2
BEYOND_MM: Final = 8.0
"""A question whose point lies further than this from the nearest slice is not asked: two slices of the usual distance."""
COUNTED: Final = (
    "Levels are counted upwards from the sacrum as if there were five lumbar vertebrae: with four, six or a transitional one their names are one off."
)

_SHOWN: Final = 3


@dataclass(frozen=True, eq=False)
class Sighted:
    """The canal on one sagittal T2 series: points in LPS mm and their confidence by level, how sure the names are, and the direction to the left."""

    image: Image
    canal: Mapping[str, Floats]
    confidence: Mapping[str, float]
    certainty: float
    left: Floats


def find(finder: LevelFinder, study: Study) -> Located:
    """Return the places of a study's questions; see `LevelFinder.find`."""
    from spinelab.tasks.lumbar_mri.levels import Located

    arranged = read_bare(study)
    seen = sight(finder, arranged)
    points = place_all(seen.canal, seen.left, finder.record["offsets"])
    places, withheld = [], {}
    for question in QUESTIONS:
        if question.level not in seen.canal:
            withheld[question.place] = f"{question.level} was not found on the sagittal T2 series"
        elif question.place not in points:
            withheld[question.place] = "where it lies was not marked in the training data"
        else:
            placed = _in_series(arranged, seen.image, question, points[question.place])
            if isinstance(placed, Place):
                places.append(placed)
            else:
                withheld[question.place] = placed
    return Located(tuple(places), withheld, certainty_of(seen.certainty, finder.record.get("names", {})), dict(seen.confidence), tuple(_notes(seen)))


def sight(finder: LevelFinder, study: Study) -> Sighted:
    """Look at every sagittal T2 series and keep the one that shows the canal most surely."""
    series = series_of_kind(study, SAGITTAL_T2)
    if not series:
        there = ", ".join(str(image.facts["description"].value) for image in study.images)
        raise NotSureError(
            f"{study.id} has no {SAGITTAL_T2} series ({there}): the levels cannot be told{_because(study)}",
            expected=f"a {SAGITTAL_T2} series, or coordinates",
            action="give the whole examination",
        )
    seen = [_sight_series(finder, image) for image in series]
    best = max(seen, key=lambda one: sum(one.confidence.values()))
    if len(best.canal) < LEAST_LEVELS:
        raise NotSureError(
            f"{study.id}: {len(best.canal)} of 5 levels were found on its {SAGITTAL_T2} series; it may not show the lumbar canal",
            expected="a sagittal series of a lumbar spine that shows the canal and the sacrum",
            action="check that it is the right examination; the model may have learnt from pictures that look different",
        )
    return best


def _sight_series(finder: LevelFinder, image: Image) -> Sighted:
    settings = finder.settings
    indices = middle_slices(image)
    canvases = [canvas_of(image, index, settings) for index in indices]
    maps = finder.maps(np.stack([canvas.pixels for canvas in canvases]))
    left = leftward(affines_of(image))
    across = along(image, left)[indices]
    decoded = decode(_joined(maps), finder.record["steps"], finder.stride, settings.pixel_mm)
    return _points(image, canvases, maps, across, decoded, (finder.stride, settings.pixel_mm), left)


def _joined(maps: Floats) -> Floats:
    """Join the maps ``(slices, 5, rows, columns)`` of all slices: each level as it is seen on the slice that shows it most surely.

    Neighbouring slices share a canal, so each counts by its own probability that the level is there.
    """
    there = maps.sum(axis=(2, 3))
    weights = there / np.maximum(there.sum(axis=0), 1e-9)
    summed: Floats = (maps * weights[..., None, None]).sum(axis=0)
    return np.asarray(summed / np.maximum(summed.sum(axis=(1, 2), keepdims=True), 1e-9) * there.max(axis=0)[:, None, None], np.float64)


def _points(image: Image, canvases: Sequence[Canvas], maps: Floats, across: Floats, decoded: Decoded, scale: tuple[int, float], left: Floats) -> Sighted:
    """Return each level's point in the patient: on the canvas as decoded, from side to side in the middle of the slices that show it."""
    stride, pixel_mm = scale
    rows, columns = np.indices(maps.shape[2:])
    canal, confidence = {}, {}
    for place, level in enumerate(LEVEL_NAMES):
        point = decoded.points[place]
        if not np.isfinite(point).all() or decoded.shares[place] < LEAST_CONFIDENCE:
            continue
        cell = (point - (stride - 1) / 2) / stride
        near = (columns - cell[0]) ** 2 + (rows - cell[1]) ** 2 <= (NEAR_MM / (stride * pixel_mm)) ** 2
        weights = maps[:, place][:, near].sum(axis=1)
        # Only the slices around the surest one: a faint echo far to the side must not pull the point there.
        weights = np.where(np.abs(across - across[int(weights.argmax())]) <= 2 * NEAR_MM, weights, 0)
        canal[level] = sum(weight * canvas.to_patient(point) for weight, canvas in zip(weights / weights.sum(), canvases, strict=True))
        confidence[level] = float(min(1.0, decoded.shares[place]))
    return Sighted(image, canal, confidence, decoded.certainty, left)


def _in_series(study: Study, sagittal: Image, question: Question, point: Floats) -> Place | str:
    """Return a question's place in the series that it is asked on, or why it has none."""
    series = [sagittal] if question.series == SAGITTAL_T2 else series_of_kind(study, question.series)
    if not series:
        return f"the examination has no {question.series} series{_because(study)}"
    reasons: list[str] = []
    found: list[tuple[float, int, Image, Projection]] = []
    for image in series:
        if image is not sagittal:
            try:
                check_same_frame(frame_of(sagittal), frame_of(image))
            except InputError:
                reasons.append(f"the {question.series} series does not state the frame of reference of the {SAGITTAL_T2} series")
                continue
        at = project(point, affines_of(image), image.shape_yx)
        if not at.inside:
            reasons.append(f"it lies outside the pictures of the {question.series} series")
        elif abs(at.distance_mm) > BEYOND_MM:
            reasons.append(f"it lies {abs(at.distance_mm):.0f} mm beyond the slices of the {question.series} series")
        else:
            found.append((abs(at.distance_mm), len(found), image, at))
    if not found:
        return reasons[0]
    _, _, image, at = min(found, key=lambda item: item[:2])
    return _place(study, image, question, at)


def _because(study: Study) -> str:
    """Return which series were left out or not used and why, in brackets; nothing where none was."""
    stated = study.facts.get("series_left_out")
    told = stated.value if stated is not None else ()
    return f" ({'; '.join(told[:_SHOWN])}{', ...' if len(told) > _SHOWN else ''})" if told else ""


def _place(study: Study, image: Image, question: Question, at: Projection) -> Place:
    number = int(image.facts["instance_numbers"].value[at.index])
    description = str(image.facts["description"].value)
    mark = Mark(study.id, str(image.facts["series_id"].value), number, question, at.x, at.y, 0)
    x, y, z = map(float, to_patient(affines_of(image)[at.index], at.x, at.y))
    return Place(Target(study.id, question, None, mark, description), at.index, at.x, at.y, (x, y, z))


def _notes(seen: Sighted) -> list[str]:
    absent = [level for level in LEVEL_NAMES if level not in seen.canal]
    said = [COUNTED]
    if absent:
        said.append(f"{', '.join(absent)} {'was' if len(absent) == 1 else 'were'} not found: the stack may end before, or the patient may have fewer levels.")
    return said


def network_maps(net: Any, canvases: NDArray[np.uint8], settings: LevelSettings) -> Floats:
    """Return the probability of each cell ``(slices, 5, rows, columns)``; what a map lacks to 1 is that the level is not on the slice."""
    import torch

    from spinelab.nn.heatmaps import probabilities

    found = []
    with torch.inference_mode():
        for start in range(0, len(canvases), 8):
            shares, there = probabilities(net(torch.from_numpy(canvases[start : start + 8])[:, None]), settings.loss)
            found.append((shares * there[..., None, None]).double().numpy())
    return np.concatenate(found)
