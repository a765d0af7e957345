"""What the level finder learns from: slices with the marked canal points, steps between discs, and offsets to foramina and recesses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spinelab.core import Example, Examples, Image, InputError, NotSureError, Run
from spinelab.tasks.lumbar_mri.bare import read_bare
from spinelab.tasks.lumbar_mri.levels import LevelFinder
from spinelab.tasks.lumbar_mri.levels_decode import learn_steps
from spinelab.tasks.lumbar_mri.levels_find import Sighted, sight
from spinelab.tasks.lumbar_mri.levels_offsets import learn_offsets
from spinelab.tasks.lumbar_mri.levels_series import affines_of, canvas_of, leftward, middle_slices, series_of_kind
from spinelab.tasks.lumbar_mri.levels_settings import LevelSettings
from spinelab.tasks.lumbar_mri.levels_task import LevelTask, slice_example
from spinelab.tasks.lumbar_mri.places import Place
from spinelab.tasks.lumbar_mri.targets import LEVEL_NAMES, SAGITTAL_T2
from spinelab.train.certainty import LEAST_FILMS, learn_certainty
from spinelab.train.split import some_patients

SEEN_MM: Final = 6.0
"""A level counts as seen on slices whose plane passes this close to its canal point; the canal is about 15 mm wide."""
BESIDE: Final = 3
"""Slices a study that miss the canal, shown to the network as pictures without levels."""
LEAST_STUDIES: Final = 3
CHECKED: Final = 0.15
"""Share of the patients whose studies are not trained on but tell how often the names are right."""
MOST_CHECKED: Final = 0.25

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Lesson:
    """What one study teaches: its slices, and its marked points in mm."""

    example: Example
    slices: tuple[Example, ...]
    canal: Mapping[str, Floats]
    left: Floats
    marked: Mapping[int, Floats]
    canvas_mm: Floats


def fit(examples: Examples, settings: LevelSettings, run: Run) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Train the network and learn steps and offsets; see `spinelab.tasks.lumbar_mri.levels.fit_levels`."""
    rng = np.random.default_rng([settings.seed, 0x1E7E1])
    chosen = examples.subset(np.sort(rng.permutation(len(examples))[: settings.studies]))
    lessons, unusable = [], 0
    for done, example in enumerate(chosen):
        run.progress(done, len(chosen), "levels: reading studies")
        lesson = _lesson(example, settings, rng)
        lessons += [lesson] if lesson is not None else []
        unusable += lesson is None
    if len(lessons) < LEAST_STUDIES:
        raise InputError(
            f"{examples.root}: the canal is marked in {len(lessons)} of its studies at all five levels of a {SAGITTAL_T2} series",
            expected=f"at least {LEAST_STUDIES}: without them no bare examination can be read",
            action="give the coordinates and the pictures, or settings that do without the level finder",
        )
    aside = _aside([lesson.example.group for lesson in lessons], settings.seed)
    slices = Examples(tuple(item for lesson in lessons if lesson.example.group not in aside for item in lesson.slices), examples.root, phantom=examples.phantom)
    model = LevelTask().fit(slices, settings, run.inside("levels"))
    record: dict[str, Any] = {
        "settings": settings.to_dict(),
        "network": {key: value for key, value in model.record.items() if key != "history"},
        "history": model.record["history"],
        "steps": learn_steps(np.array([lesson.canvas_mm for lesson in lessons])),
        "offsets": learn_offsets([(lesson.canal, lesson.left, lesson.marked) for lesson in lessons]),
        "studies": len(lessons),
        "studies_without_levels": unusable,
    }
    tensors = dict(model.tensors)
    record["names"] = _checked(LevelFinder(tensors, record), [lesson for lesson in lessons if lesson.example.group in aside])
    return tensors, record


def _aside(groups: Sequence[str], seed: int) -> set[str]:
    """Return the patients on whom the names of the levels are checked: a share of them, none where it would take more than a quarter of all."""
    patients = len(set(groups))
    count = max(LEAST_FILMS, round(CHECKED * patients))
    return some_patients(groups, count, [seed, 0xC4EC]) if count <= MOST_CHECKED * patients else set()


def _checked(finder: LevelFinder, lessons: Sequence[Lesson]) -> dict[str, Any]:
    """Return what studies that were not trained on teach about the certainty of the names."""
    found = [(seen.certainty, _is_right(seen.canal, lesson.canal)) for lesson in lessons for seen in _seen(finder, lesson)]
    return learn_certainty([certainty for certainty, _ in found], [right for _, right in found])


def _seen(finder: LevelFinder, lesson: Lesson) -> list[Sighted]:
    """Return what the finder sees in a study, nothing where it finds no levels."""
    try:
        return [sight(finder, read_bare(lesson.example.open()))]
    except NotSureError:
        return []


def _is_right(found: Mapping[str, Floats], true: Mapping[str, Floats]) -> bool:
    """Return whether every level that was found lies nearer to its own canal point than to any other."""
    names, points = list(true), np.array(list(true.values()))
    return all(names[int(np.argmin(np.linalg.norm(points - point, axis=1)))] == level for level, point in found.items())


def _lesson(example: Example, settings: LevelSettings, rng: np.random.Generator) -> Lesson | None:
    """Return what a study teaches, ``None`` where the canal is not marked at all five levels of one sagittal T2 series."""
    study = example.open()
    stated = study.facts.get("places")
    places: tuple[Place, ...] = stated.value if stated is not None and stated.known else ()
    for image in series_of_kind(study if not study.images else read_bare(study), SAGITTAL_T2):
        series = str(image.facts["series_id"].value)
        canal = {p.target.question.level: np.array(p.point_mm) for p in places if _is_canal(p, series)}
        if len(canal) == len(LEVEL_NAMES):
            canal = {level: canal[level] for level in LEVEL_NAMES}
            marked = {p.target.question.place: np.array(p.point_mm) for p in places}
            slices, canvas_mm = _slices(example, image, canal, settings, rng)
            return Lesson(example, slices, canal, leftward(affines_of(image)), marked, canvas_mm)
    return None


def _is_canal(place: Place, series: str) -> bool:
    mark = place.target.mark
    return place.target.question.side is None and mark is not None and mark.series == series


def _slices(
    example: Example, image: Image, canal: Mapping[str, Floats], settings: LevelSettings, rng: np.random.Generator
) -> tuple[tuple[Example, ...], Floats]:
    """Return the slices through the canal, a few beside it, and the five points in mm of the canvas."""
    shown: list[Example] = []
    beside: list[Example] = []
    found, nearest = np.zeros((len(LEVEL_NAMES), 2)), np.full(len(LEVEL_NAMES), np.inf)
    for index in middle_slices(image):
        canvas = canvas_of(image, index, settings)
        at = np.array([canvas.place(point) for point in canal.values()])
        closer = np.abs(at[:, 2]) < nearest
        found[closer], nearest[closer] = at[closer, :2] * settings.pixel_mm, np.abs(at[closer, 2])
        seen = {level: xyd[:2] for level, xyd in zip(canal, at, strict=True) if abs(xyd[2]) <= SEEN_MM and _inside(xyd, canvas.pixels.shape)}
        (shown if seen else beside).append(slice_example(f"{example.id} slice {index}", example.group, canvas, seen))
    kept = [beside[i] for i in rng.permutation(len(beside))[:BESIDE]]
    return (*shown, *kept), found


def _inside(at: Floats, shape: tuple[int, ...]) -> bool:
    return bool(0 <= at[0] <= shape[1] - 1 and 0 <= at[1] <= shape[0] - 1)
