"""The task ``images``: one picture, one label."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from spinelab.core import Example, Examples, Finding, InputError, Model, Progress, Result, Settings, Study, TaskError, silent
from spinelab.tasks.images.settings import ImagesSettings
from spinelab.train import NetworkTask, Prepared, letterbox
from spinelab.train import labelled as data

if TYPE_CHECKING:
    from torch import nn


class Images(NetworkTask):
    """Classification of single pictures into one's own classes."""

    name: ClassVar[str] = "images"
    title: ClassVar[str] = "Your own images"
    question: ClassVar[str] = "Which of your classes does a picture belong to?"
    takes: ClassVar[str] = "a folder per class, or a manifest CSV (path, patient, label and optionally view, sex, age, site)"
    gives: ClassVar[str] = "the label, with a probability for every class"
    source: ClassVar[str] = "METHODS section 1, on data of your own"
    settings_type: ClassVar[type[Settings]] = ImagesSettings

    def target(self, settings: Settings) -> str:
        return data.TARGET

    def examples(self, root: Path) -> Examples:
        return data.examples(root)

    def classes(self, examples: Examples, settings: Settings) -> tuple[str, ...]:
        """Return the labels in alphabetical order; of two, the positive one last (sensitivity is about it)."""
        labels = examples.labels(data.TARGET)
        names = tuple(sorted(set(labels)))
        wanted = _images(settings).positive
        if wanted is not None and wanted not in names:
            raise TaskError(f"positive={wanted!r}", expected=f"one of the labels: {', '.join(names)}", action="choose one of these")
        if len(names) != 2:
            return names
        positive = wanted or data.positive_of(names, Counter(labels))
        return (names[1 - names.index(positive)], positive)

    def phantom(self, rng: np.random.Generator, difficulty: str = "typical") -> Example:
        from spinelab.tasks.images import phantom

        return phantom.phantom(rng, difficulty)

    def write_phantoms(self, out: Path, *, n: int, seed: int, difficulty: str = "typical", progress: Progress = silent) -> None:
        from spinelab.tasks.images import phantom

        phantom.write_phantoms(out, n=n, seed=seed, difficulty=difficulty, progress=progress)

    def prepare(self, study: Study, settings: Settings) -> Prepared:
        """Return the study's one picture, fitted into a square; raises `InputError` for a volume, a cine loop or several pictures."""
        from spinelab.io import to_uint8

        if len(study.images) != 1:
            raise InputError(f"{study.id}: {len(study.images)} images", expected="one picture", action="give the files one at a time")
        picture = to_uint8(study.images[0])
        return Prepared(letterbox(picture, _images(settings).image_size)[None], np.ones(1, dtype=bool))

    def network(self, settings: Settings, classes: Sequence[str]) -> nn.Module:
        from spinelab.nn import MultiViewNet, backbone

        chosen = _images(settings)
        return MultiViewNet(lambda: backbone(chosen.model), views=1, classes=len(classes), dropout=chosen.dropout)

    def loss(self, settings: Settings, counts: Sequence[int]) -> Callable[..., Any]:
        from spinelab.train import cross_entropy

        return cross_entropy(counts if _images(settings).sampling == "weighted" else None)

    def interpret(self, probabilities: NDArray[np.float64], model: Model, study_id: str) -> Result:
        """Return the most probable class as the finding ``label``."""
        shares = {name: float(p) for name, p in zip(model.classes, probabilities, strict=True)}
        finding = Finding(data.TARGET, model.classes[int(np.argmax(probabilities))], shares)
        return Result(self.name, model.name, study_id, findings=(finding,))


def _images(settings: Settings) -> ImagesSettings:
    if not isinstance(settings, ImagesSettings):
        raise InputError(f"Settings of type {type(settings).__name__}", expected="ImagesSettings", action="make them with spinelab.tasks.load('images')")
    return settings
