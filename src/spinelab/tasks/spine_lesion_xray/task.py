"""`spine-lesion-xray`: foraminal stenosis, osteophyte, surgical implant or normal, with searched augmentation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from spinelab.core import Example, Examples, Finding, InputError, Judgement, Model, Progress, Result, Run, Settings, Study, silent
from spinelab.tasks.spine_lesion_xray import data
from spinelab.tasks.spine_lesion_xray.settings import SEARCH_SETTINGS, SEARCHED, SpineLesionSettings
from spinelab.train import NetworkTask, Prepared, letterbox
from spinelab.train.augment import Augmenter
from spinelab.train.families import augmenter

if TYPE_CHECKING:
    from torch import nn

SEARCH: Final = 0.5
"""Share of a fit's progress that is the search of the augmentation; how long the training after it takes is not known before."""


class SpineLesionXray(NetworkTask):
    """One picture, one of four answers."""

    name: ClassVar[str] = data.TASK_NAME
    title: ClassVar[str] = "Lesions on spine radiographs"
    question: ClassVar[str] = "Does this radiograph of the spine show a foraminal stenosis, an osteophyte, a surgical implant, or none of them?"
    takes: ClassVar[str] = "a radiograph of the cervical, thoracic or lumbar spine in any projection; to learn from, a folder per class or a manifest CSV"
    gives: ClassVar[str] = "one of four classes with a probability for each, and where the network looked"
    source: ClassVar[str] = "Detection of common spinal disorders on radiographs, a proof of concept on 967 public images (METHODS section 2)"
    settings_type: ClassVar[type[Settings]] = SpineLesionSettings
    not_of_films: ClassVar[frozenset[str]] = NetworkTask.not_of_films | SEARCH_SETTINGS
    groupings: ClassVar[tuple[str, ...]] = ("region", "view")

    def phantom(self, rng: np.random.Generator, difficulty: str = "typical") -> Example:
        from spinelab.tasks.spine_lesion_xray import phantom

        return phantom.phantom(rng, difficulty)

    def write_phantoms(self, out: Path, *, n: int, seed: int, difficulty: str = "typical", progress: Progress = silent) -> None:
        from spinelab.tasks.spine_lesion_xray import phantom

        phantom.write_phantoms(out, n=n, seed=seed, difficulty=difficulty, progress=progress)

    def examples(self, root: Path) -> Examples:
        return data.examples(root)

    def target(self, settings: Settings) -> str:
        return data.TARGET

    def classes(self, examples: Examples, settings: Settings) -> tuple[str, ...]:
        """Return the classes that occur, normal first."""
        present = set(examples.labels(data.TARGET))
        return tuple(name for name in data.CLASSES if name in present)

    def prepare(self, study: Study, settings: Settings) -> Prepared:
        """Return the study's one picture, fitted into a square; raises `InputError` for a volume, a cine loop or several pictures."""
        from spinelab.io import to_uint8

        if len(study.images) != 1:
            raise InputError(f"{study.id}: {len(study.images)} images", expected="one picture", action="give the files one at a time")
        return Prepared(letterbox(to_uint8(study.images[0]), _own(settings).image_size)[None], np.ones(1, dtype=bool))

    def network(self, settings: Settings, classes: Sequence[str]) -> nn.Module:
        from spinelab.nn import MultiViewNet, backbone

        own = _own(settings)
        return MultiViewNet(lambda: backbone(own.model), views=1, classes=len(classes), dropout=own.dropout)

    def loss(self, settings: Settings, counts: Sequence[int]) -> Callable[..., Any]:
        """Return cross-entropy; with ``sampling=weighted`` each class counts by the inverse of its frequency."""
        from spinelab.train import cross_entropy

        return cross_entropy(counts if _own(settings).sampling == "weighted" else None)

    def augmenter(self, settings: Settings) -> Augmenter | None:
        """Return mild changes, those of the fixed strengths, or none; what is searched is fixed when training begins."""
        own = _own(settings)
        return augmenter(own.strengths) if own.augment == "fixed" else super().augmenter(settings)

    def fit(self, examples: Examples, settings: Settings, run: Run) -> Model:
        """Search the augmentation where that is asked for, and train with what was found; the history stands in ``record["search"]``."""
        own = _own(settings)
        if own.augment != SEARCHED:
            return super().fit(examples, own, run)
        from spinelab.train.search import Budget, forget, search

        found = search(self, examples, own, run.between(0, SEARCH), Budget(own.search_minutes, own.search_trials, own.search_epochs))
        model = super().fit(examples, own.with_overrides({"augment": "fixed", **found.best.to_dict()}), run.between(SEARCH, 1))
        forget(run)
        model.settings = own
        model.record["search"] = found.record
        model.record["notes"] = [found.record["words"], *model.record.get("notes", ())]
        return model

    def interpret(self, probabilities: NDArray[np.float64], model: Model, study_id: str) -> Result:
        """Return the most probable class as the finding ``lesion``."""
        shares = {name: float(p) for name, p in zip(model.classes, probabilities, strict=True)}
        finding = Finding(data.TARGET, model.classes[int(np.argmax(probabilities))], shares)
        return Result(self.name, model.name, study_id, findings=(finding,))

    def anatomy(self, example: Example) -> Mapping[str, NDArray[np.bool_]]:
        """Return where a phantom's lesions were drawn; nothing for normal films and for patients."""
        if not example.truth.landmarks:
            return {}
        mask = data.lesion_mask(example.truth, example.open().images[0].pixels.shape[:2])
        return {} if mask is None else {"": mask}

    def judge(self, examples: Examples, predictions: Any, *, bootstraps: int) -> Judgement:
        """Return sensitivity, specificity, AUROC and average precision of diseased (any of the three) against normal."""
        from spinelab.tasks.spine_lesion_xray.scores import always_the_most_frequent, diseased_or_normal

        constant = always_the_most_frequent(predictions, bootstraps=bootstraps)
        return Judgement(metrics=diseased_or_normal(predictions, bootstraps=bootstraps), baseline=constant)

    def training(self, records: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[dict[str, Any]]:
        """Return the history of the searches, where there were any."""
        from spinelab.tasks.spine_lesion_xray.sections import searches

        return searches(records)


def _own(settings: Settings) -> SpineLesionSettings:
    if not isinstance(settings, SpineLesionSettings):
        raise InputError(
            f"Settings of type {type(settings).__name__}", expected="SpineLesionSettings", action="make them with spinelab.tasks.load('spine-lesion-xray')"
        )
    return settings
