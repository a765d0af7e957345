"""The other route to the same question: a network that classifies the picture and measures nothing, to compare with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from spinelab.core import Example, Examples, Finding, Model, Progress, Result, Settings, Study, TaskError, silent
from spinelab.tasks.scoliosis import data, phantom
from spinelab.tasks.scoliosis.measure import CLASSES, TARGET
from spinelab.tasks.scoliosis.settings import FILMS, ScoliosisSettings
from spinelab.train import ImageSettings, NetworkTask, Prepared, letterbox
from spinelab.train.landmark_film import film_of

if TYPE_CHECKING:
    from torch import nn


class Classifier(NetworkTask):
    """Picture to class; `settings_of` turns the task's settings into those of an image network."""

    name: ClassVar[str] = "scoliosis"
    settings_type: ClassVar[type[Settings]] = ImageSettings
    not_of_films: ClassVar[frozenset[str]] = frozenset()

    def target(self, settings: Settings) -> str:
        return TARGET

    def classes(self, examples: Examples, settings: Settings) -> tuple[str, ...]:
        return CLASSES

    def prepare(self, study: Study, settings: Settings) -> Prepared:
        from spinelab.io import to_uint8

        if not isinstance(settings, ImageSettings):
            raise TaskError(f"Settings of type {type(settings).__name__}", expected="ImageSettings", action="make them with `settings_of`")
        film = film_of(study, FILMS, "an AP radiograph of the spine")
        return Prepared(letterbox(to_uint8(film), settings.image_size)[None], np.ones(1, dtype=bool))

    def network(self, settings: Settings, classes: Sequence[str]) -> nn.Module:
        from spinelab.nn import MultiViewNet, backbone

        name = str(getattr(settings, "model", "resnet18"))
        return MultiViewNet(lambda: backbone(name), views=1, classes=len(classes), dropout=float(getattr(settings, "dropout", 0.4)))

    def loss(self, settings: Settings, counts: Sequence[int]) -> Callable[..., Any]:
        from spinelab.train import cross_entropy

        return cross_entropy(None)

    def interpret(self, probabilities: NDArray[np.float64], model: Model, study_id: str) -> Result:
        shares = {name: float(p) for name, p in zip(model.classes, probabilities, strict=True)}
        finding = Finding(TARGET, model.classes[int(np.argmax(probabilities))], shares)
        return Result(self.name, model.name, study_id, findings=(finding,), notes=("Classified from the picture: nothing was measured.",))

    def phantom(self, rng: np.random.Generator, difficulty: str = "typical") -> Example:
        return phantom.phantom(rng, difficulty)

    def write_phantoms(self, out: Path, *, n: int, seed: int, difficulty: str = "typical", progress: Progress = silent) -> None:
        phantom.write_phantoms(out, n=n, seed=seed, difficulty=difficulty, progress=progress)

    def examples(self, root: Path) -> Examples:
        return data.examples(root, ScoliosisSettings().threshold_deg)


def settings_of(settings: ScoliosisSettings) -> ImageSettings:
    """Return the settings of the classifier: the defaults of the task ``images``, with the model, size, passes, weights and seed asked for."""
    return ImageSettings(
        model=settings.model,
        weights=settings.weights,
        image_size=settings.classifier_size,
        epochs=settings.classifier_epochs,
        patience=4,
        lr=3e-4,
        augment="mild",
        precision=settings.precision,
        seed=settings.seed,
    )
