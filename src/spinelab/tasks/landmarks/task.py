"""The task ``landmarks``: named points of one's own, and what is declared to be measured between them."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from spinelab.core import Example, Examples, Fact, Model, Progress, Quantity, Result, Run, Settings, Stroke, TaskError, silent
from spinelab.tasks.landmarks import data, drawing
from spinelab.tasks.landmarks.declaration import Declaration
from spinelab.tasks.landmarks.measure import measure, withheld
from spinelab.tasks.landmarks.settings import LandmarksSettings
from spinelab.train.landmark_task import LandmarkTask

if TYPE_CHECKING:
    from spinelab.train.landmark_reading import Values


class Landmarks(LandmarkTask):
    """Points of one's own: found, and measured as declared."""

    name: ClassVar[str] = "landmarks"
    title: ClassVar[str] = "Points of your own"
    question: ClassVar[str] = "Where are the named points of a picture, and which angles and distances lie between them?"
    takes: ClassVar[str] = "pictures with a CSV of points, COCO keypoints or labelme files; measurements.toml declares what is measured"
    gives: ClassVar[str] = "the points, and the declared angles and distances with intervals"
    source: ClassVar[str] = "METHODS section 4, on points of your own"
    settings_type: ClassVar[type[Settings]] = LandmarksSettings
    not_of_films: ClassVar[frozenset[str]] = frozenset({"declared"})

    def examples(self, root: Path) -> Examples:
        return data.examples(root)

    def phantom(self, rng: np.random.Generator, difficulty: str = "typical") -> Example:
        from spinelab.tasks.landmarks import phantom

        return phantom.phantom(rng, difficulty)

    def write_phantoms(self, out: Path, *, n: int, seed: int, difficulty: str = "typical", progress: Progress = silent) -> None:
        from spinelab.tasks.landmarks import phantom

        phantom.write_phantoms(out, n=n, seed=seed, difficulty=difficulty, progress=progress)

    def fit(self, examples: Examples, settings: Settings, run: Run) -> Model:
        """Train one network; what the data declare is written into the settings, so that a model needs no data to say what it measures."""
        return super().fit(examples, self.settled(examples, settings), run)

    def settled(self, examples: Examples, settings: Settings) -> LandmarksSettings:
        """Return the settings with what these data declare."""
        return replace(_own(settings), declared=json.dumps(self.declared(examples, settings), ensure_ascii=False))

    def declared(self, examples: Examples, settings: Settings) -> dict[str, Any]:
        """Return points, measures, pairs and regions; raises `TaskError` for examples that were not read by this task."""
        if not isinstance(examples, data.DeclaredExamples):
            raise TaskError(f"{examples.root}: examples that declare no points", expected="examples read by this task", action="read them with its `examples`")
        return examples.declaration.to_dict()

    def landmark_names(self, examples: Examples, settings: Settings) -> tuple[str, ...]:
        return Declaration.from_dict(self.declared(examples, settings)).landmarks

    def mirror(self, names: Sequence[str], declared: Mapping[str, Any]) -> tuple[int, ...] | None:
        declaration = Declaration.from_dict(declared)
        swapped = declaration.swapped()
        return tuple(list(names).index(swapped[name]) for name in names) if declaration.flips else None

    def quantities(self, settings: Settings) -> tuple[Quantity, ...]:
        return _declaration(settings).quantities

    def regions(self, settings: Settings) -> Mapping[str, tuple[str, ...]]:
        return _declaration(settings).regions

    def measure(self, points: Mapping[str, NDArray[np.float64]], spacing_mm: tuple[float, float] | None, declared: Mapping[str, Any]) -> Values:
        return measure(points, spacing_mm, Declaration.from_dict(declared))

    def withheld(self, quantity: Quantity, present: Collection[str], spacing: Fact, declared: Mapping[str, Any]) -> str:
        item = next(m for m in Declaration.from_dict(declared).measures if m.name == quantity.name)
        return withheld(item, quantity.unit, dict.fromkeys(present), spacing)

    def needs(self, quantity: Quantity, declared: Mapping[str, Any]) -> tuple[str, ...]:
        return next((m.points for m in Declaration.from_dict(declared).measures if m.name == quantity.name), ())

    def drawing(self, result: Result, settings: Settings | None = None) -> tuple[Stroke, ...]:
        """Return the points and, where ``settings`` tell what is measured between them, the lines and values."""
        return drawing.strokes(result, Declaration() if settings is None else _declaration(settings))


def _declaration(settings: Settings) -> Declaration:
    """Return what the settings of a trained model declare; nothing for settings that no data have filled in."""
    text = _own(settings).declared
    return Declaration.from_dict(json.loads(text)) if text else Declaration()


def _own(settings: Settings) -> LandmarksSettings:
    if not isinstance(settings, LandmarksSettings):
        raise TaskError(f"Settings of type {type(settings).__name__}", expected="LandmarksSettings", action="make them with spinelab.tasks.load('landmarks')")
    return settings
