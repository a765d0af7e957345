"""Single sagittal slices as a task of the landmark engine: one map a level, slices that miss the canal as pictures without landmarks."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from spinelab.core import Example, Examples, Fact, Image, Landmark, Progress, Quantity, Result, Settings, Study, TaskError, silent
from spinelab.tasks.lumbar_mri.levels_canvas import Canvas
from spinelab.tasks.lumbar_mri.levels_settings import LevelSettings
from spinelab.tasks.lumbar_mri.targets import LEVEL_NAMES
from spinelab.train.canvas import PreparedCanvas
from spinelab.train.landmark_task import LandmarkTask

Floats = NDArray[np.float64]

NAME = "lumbar-mri-levels"


class LevelTask(LandmarkTask):
    """Finds the canal at five discs on one slice; part of ``lumbar-mri`` and no task of its own, so it has no data set and measures nothing."""

    name: ClassVar[str] = NAME
    title: ClassVar[str] = "Levels of a lumbar MRI"
    question: ClassVar[str] = "Where is the canal at each lumbar disc?"
    takes: ClassVar[str] = "slices around the middle of a sagittal T2 series"
    gives: ClassVar[str] = "a point a level"
    source: ClassVar[str] = "METHODS section 2"
    settings_type: ClassVar[type[Settings]] = LevelSettings

    def examples(self, root: Path) -> Examples:
        raise _no_data()

    def phantom(self, rng: np.random.Generator, difficulty: str = "typical") -> Example:
        raise _no_data()

    def write_phantoms(self, out: Path, *, n: int, seed: int, difficulty: str = "typical", progress: Progress = silent) -> None:
        raise _no_data()

    def landmark_names(self, examples: Examples, settings: Settings) -> tuple[str, ...]:
        return LEVEL_NAMES

    def mirror(self, names: Sequence[str], declared: Mapping[str, Any]) -> tuple[int, ...] | None:
        """Return the levels as they are: a patient who faces the other way has the same ones."""
        return tuple(range(len(names)))

    def measure(self, points: Mapping[str, Floats], spacing_mm: tuple[float, float] | None, declared: Mapping[str, Any]) -> dict[tuple[str, str], Floats]:
        return {}

    def withheld(self, quantity: Quantity, present: Collection[str], spacing: Fact, declared: Mapping[str, Any]) -> str:
        return "nothing is measured"

    def prepare(self, study: Study, settings: Settings) -> PreparedCanvas:
        """Return the slice as it is: it comes on its canvas."""
        pixels = self.film(study, settings).pixels
        return PreparedCanvas(np.ascontiguousarray(pixels)[None], facts={"shape": list(pixels.shape)})


def slice_example(name: str, patient: str, canvas: Canvas, points: Mapping[str, Floats]) -> Example:
    """Return one slice with the canal points that are seen on it, in pixels of the canvas."""
    marks = tuple(Landmark(level, float(x), float(y)) for level, (x, y) in points.items())
    study = Study(name, images=(Image(canvas.pixels, source=name),))
    return Example(name, Result(NAME, "coordinates", name, landmarks=marks), lambda: study, patient)


def _no_data() -> TaskError:
    return TaskError(f"{NAME} has no data of its own", expected="the task lumbar-mri", action="use `spinelab.tasks.load('lumbar-mri')`")
