"""`lumbar-xray`: normal or disordered from paired lumbar films, by networks or by measured slip."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from spinelab.core import (
    Example,
    Examples,
    Explaining,
    Explanation,
    Finding,
    InputError,
    Model,
    NotSureError,
    Progress,
    Result,
    Run,
    Settings,
    Sheet,
    Study,
    counted,
    silent,
)
from spinelab.tasks.lumbar_xray import data
from spinelab.tasks.lumbar_xray.annotations import SUBTYPES
from spinelab.tasks.lumbar_xray.films import films_of, measured_example, measured_study, missing_view_note, require_views, views_of
from spinelab.tasks.lumbar_xray.settings import SLIP_MODEL, LumbarXraySettings
from spinelab.tasks.lumbar_xray.truth import DISORDER, TASK_NAME
from spinelab.train import NetworkTask, Prepared, letterbox


class LumbarXray(NetworkTask):
    """Networks on one or both films, and a logistic regression on measured slip beside them."""

    name: ClassVar[str] = TASK_NAME
    title: ClassVar[str] = "Lumbar slip from AP and lateral radiographs"
    question: ClassVar[str] = "Is a lumbar vertebra slipped (anterolisthesis, retrolisthesis, left or right laterolisthesis) or is the spine normal?"
    takes: ClassVar[str] = "an AP and a lateral lumbar radiograph, or one of them"
    gives: ClassVar[str] = "probability of a disorder or of each kind of slip; with endplate lines, slip in per cent and Meyerding grade of every level"
    source: ClassVar[str] = "Gopal and Whitaker, spinal X-ray protocols for data-constrained environments; BUU-LSPINE, Appl. Sci. 13:8646 (2023)"
    settings_type: ClassVar[type[Settings]] = LumbarXraySettings

    def phantom(self, rng: np.random.Generator, difficulty: str = "typical") -> Example:
        from spinelab.tasks.lumbar_xray.phantom import phantom

        return phantom(rng, difficulty)

    def write_phantoms(self, out: Path, *, n: int, seed: int, difficulty: str = "typical", progress: Progress = silent) -> None:
        from spinelab.tasks.lumbar_xray.phantom import write_phantoms

        write_phantoms(out, n=n, seed=seed, difficulty=difficulty, progress=progress)

    def examples(self, root: Path) -> Examples:
        return data.examples(root)

    def target(self, settings: Settings) -> str:
        return _own(settings).finding

    def classes(self, examples: Examples, settings: Settings) -> tuple[str, ...]:
        """Return the classes that occur, normal first."""
        present = set(examples.labels(self.target(settings)))
        return tuple(name for name in (DISORDER if _own(settings).target == "binary" else SUBTYPES) if name in present)

    def prepare(self, study: Study, settings: Settings) -> Prepared:
        """Return the films that the settings use as squares, whole and undistorted, with black margins."""
        from spinelab.io import to_uint8

        own = _own(settings)
        films = films_of(study)
        require_views(set(films), own.views, study.id, every=own.needs_every_view)
        size = own.image_size
        pixels = np.zeros((len(own.views), size, size), np.uint8)
        for picture, view in zip(pixels, own.views, strict=True):
            if view in films:
                picture[:] = letterbox(to_uint8(films[view]), size)
        return Prepared(pixels=pixels, available=np.array([view in films for view in own.views]))

    def preparation(self, settings: Settings) -> dict[str, Any]:
        """Return what decides a prepared film: which films, not how a network joins them, so that they are decoded once for all view settings."""
        body = super().preparation(settings)
        chosen = {key: value for key, value in body["settings"].items() if key != "view"}
        return {**body, "settings": {**chosen, "views": list(_own(settings).views)}}

    def network(self, settings: Settings, classes: Sequence[str]) -> Any:
        from spinelab.tasks.lumbar_xray.network import make_network

        return make_network(_own(settings), len(classes))

    def loss(self, settings: Settings, counts: Sequence[int]) -> Callable[[Any, Any], Any]:
        """Return cross-entropy; with ``sampling=weighted`` each class counts by the inverse of its frequency."""
        from spinelab.train import cross_entropy

        return cross_entropy(counts if _own(settings).sampling == "weighted" else None)

    def interpret(self, probabilities: NDArray[np.floating[Any]], model: Model, study_id: str) -> Result:
        shares = np.asarray(probabilities, float) / float(np.sum(probabilities))
        finding = Finding(self.target(model.settings), model.classes[int(shares.argmax())], dict(zip(model.classes, map(float, shares), strict=True)))
        return Result(task=self.name, model=model.name, study=study_id, findings=(finding,))

    def fit(self, examples: Examples, settings: Settings, run: Run) -> Model:
        """Train on the patients that have every film these settings need; the others are counted in the record's notes."""
        own = _own(settings)
        complete = examples.subset([i for i, e in enumerate(examples) if self._refusal(e, own) is None])
        left_out = len(examples) - len(complete)
        if not len(complete):
            raise InputError(
                f"None of {len(examples)} patients has the {' and the '.join(own.views)} film",
                expected="patients with every film that this view setting needs",
                action="choose view=standard or view=hybrid",
            )
        if own.model == SLIP_MODEL:
            from spinelab.tasks.lumbar_xray.slip_model import fit_slip_model

            model = fit_slip_model(complete, own, self.classes(complete, own), self.target(own))
        else:
            model = super().fit(complete, own, run)
        if left_out:
            words = counted(left_out, f"[patient|patients] without the {' and '.join(own.views)} film [was|were] not trained on (view={own.view}).")
            model.record["notes"] = [*model.record.get("notes", ()), words]
        return model

    def predict(self, model: Model, study: Study) -> Result:
        own = _own(model.settings)
        available = set(films_of(study))
        require_views(available, own.views, study.id, every=own.needs_every_view)
        if own.model == SLIP_MODEL:
            from spinelab.tasks.lumbar_xray.slip_model import answer

            result = answer(model, measured_study(study), study.id)
        else:
            result = super().predict(model, study)
        return replace(result, notes=(*result.notes, *missing_view_note(available, own.views)))

    def predict_many(self, model: Model, examples: Examples, run: Run) -> list[Result]:
        """Answer for many; a patient without a film that the model needs gets a result without an answer and with the reason."""
        own = _own(model.settings)
        refusals = [self._refusal(e, own) for e in examples]
        complete = [i for i, refusal in enumerate(refusals) if refusal is None]
        answers: dict[int, Result] = {}
        if own.model == SLIP_MODEL:
            answers = {i: self._measured_answer(model, examples[i]) for i in complete}
        elif complete:
            answers = dict(zip(complete, super().predict_many(model, examples.subset(complete), run), strict=True))
        results = []
        for i, example in enumerate(examples):
            refusal = refusals[i]
            result = answers[i] if refusal is None else self._declined(model, example.id, refusal)
            notes = missing_view_note(views_of(example), own.views) if refusal is None else ()
            results.append(replace(result, study=example.id, notes=(*result.notes, *notes)))
        return results

    def explain(self, model: Model, study: Study, how: Explaining | None = None) -> list[Explanation]:
        """Show where a network looked; measured slip has no heatmap."""
        return [] if _own(model.settings).model == SLIP_MODEL else super().explain(model, study, how)

    def layers(self, model: Model, study: Study, how: Explaining | None = None) -> list[Sheet]:
        """Show the inside of a network; measured slip has none."""
        return [] if _own(model.settings).model == SLIP_MODEL else super().layers(model, study, how)

    def analysis(self, examples: Examples, settings: Settings) -> list[dict[str, Any]]:
        """Return slip by subtype, Meyerding grades, and the map of slip features; nothing where no endplate lines are known."""
        from spinelab.tasks.lumbar_xray.analysis import sections

        return sections(examples, _own(settings))

    def _measured_answer(self, model: Model, example: Example) -> Result:
        from spinelab.tasks.lumbar_xray.slip_model import answer

        try:
            return answer(model, measured_example(example), example.id)
        except NotSureError as refusal:
            return self._declined(model, example.id, refusal)

    def _declined(self, model: Model, study: str, refusal: NotSureError) -> Result:
        return Result(task=self.name, model=model.name, study=study, findings=(Finding(self.target(model.settings), None),), notes=(str(refusal),))

    @staticmethod
    def _refusal(example: Example, settings: LumbarXraySettings) -> NotSureError | None:
        """Return why these settings cannot answer for this patient, without decoding a film that stands in a file."""
        try:
            require_views(views_of(example), settings.views, example.id, every=settings.needs_every_view)
        except NotSureError as refusal:
            return refusal
        return None


def _own(settings: Settings) -> LumbarXraySettings:
    if not isinstance(settings, LumbarXraySettings):
        raise TypeError(f"{type(settings).__name__} are not the settings of {TASK_NAME}")
    return settings
