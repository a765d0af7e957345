"""A task that finds landmarks and measures: names and measurements from the task, everything else from here."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from spinelab.core import (
    LANDMARK_MAPS,
    Example,
    Examples,
    Explaining,
    Explanation,
    Fact,
    Finding,
    Image,
    Landmark,
    Measurement,
    Model,
    NotSureError,
    Quantity,
    Result,
    Run,
    Settings,
    SpinelabError,
    Study,
    Task,
    TaskError,
)
from spinelab.geometry import landmarks_in_words
from spinelab.geometry.shape import ShapeModel
from spinelab.train.canvas import Placement, PreparedCanvas, place, pooled, put
from spinelab.train.landmark_film import FilmKind, contradiction, film_of
from spinelab.train.landmark_reading import Measured, Reading, Values, measured, on_film
from spinelab.train.landmark_settings import LandmarkSettings, prepared_by

if TYPE_CHECKING:
    from torch import nn

    from spinelab.train.landmark_head import Head, Sighting
    from spinelab.train.refiner import Refiner

READING_BATCH: Final = 8
LEAST_FOUND: Final = 3
"""Landmarks below which a film is refused."""
LEAST_DETAIL: Final = 0.6
"""Share of the canvas's rows and columns below which a film is too small to measure on."""
TURNED: Final = {
    "upside down": "turn it, and read it again",
    "inverted": "invert its grey values, and read it again",
    "upside down and inverted": "turn it, invert its grey values, and read it again",
}
"""How a film can lie, and what to do."""
CLEARLY: Final = 0.05
"""Certainty by which one way of a film has to surpass every other one to be named."""


class LandmarkTask(Task):
    """Base of tasks that measure on landmarks; a subclass gives ``landmark_names``, ``mirror``, ``measure`` and ``withheld``.

    ``prepare_version`` belongs to the code that puts a film on the canvas: raise it with every change of what a prepared film looks like.
    ``not_of_films`` names the task's own settings that do not change a prepared film. ``films`` says which films the task takes by their header.
    """

    prepare_version: ClassVar[int] = 2
    not_of_films: ClassVar[frozenset[str]] = frozenset()
    films: ClassVar[FilmKind] = FilmKind()

    @abstractmethod
    def landmark_names(self, examples: Examples, settings: Settings) -> tuple[str, ...]:
        """Return the names of the landmarks, in the order in which a network learns them."""

    @abstractmethod
    def mirror(self, names: Sequence[str], declared: Mapping[str, Any]) -> tuple[int, ...] | None:
        """Return which landmark each one becomes in a mirrored film; ``None`` where that is not known, and no film is mirrored."""

    @abstractmethod
    def measure(self, points: Mapping[str, NDArray[np.float64]], spacing_mm: tuple[float, float] | None, declared: Mapping[str, Any]) -> Values:
        """Return every quantity whose landmarks are given, by name and unit, with the points' leading shape.

        Points are film pixels ``(..., 2)``; ``declared`` is what the data declared, and ``film_rows``.
        """

    @abstractmethod
    def withheld(self, quantity: Quantity, present: Collection[str], spacing: Fact, declared: Mapping[str, Any]) -> str:
        """Return in words why a quantity has no value; ``declared`` as `known` has it."""

    def declared(self, examples: Examples, settings: Settings) -> dict[str, Any]:
        """Return what the data declare and a model has to know later (angles, regions, pairs), for JSON."""
        return {}

    def bounds(self, quantity: Quantity) -> tuple[float | None, float | None]:
        """Return the lowest and highest value that a quantity can have."""
        return (None, None)

    @property
    def taken_to_read(self) -> str:
        """Return what is read, without the layouts that are only learnt from."""
        return self.takes.partition("; to learn from")[0]

    def film(self, study: Study, settings: Settings) -> Image:
        """Return the film to measure on, as `film_of`."""
        return film_of(study, self.films, self.taken_to_read)

    def shown(self, model: Model, study: Study) -> Study:
        """Return the study with the film that is measured on alone: the lines on the page belong to no other."""
        return replace(study, images=(self.film(study, model.settings),))

    def places(self, reading: Reading, model: Model, study: Study) -> Mapping[str, tuple[str | None, str | None]]:
        """Return site and side (the patient's own) of the measurements that have them, by name."""
        return {}

    def findings(self, reading: Reading, model: Model, samples: Values, given: Sequence[Measurement]) -> tuple[Finding, ...]:
        """Return what follows from the measurements that are ``given``; ``samples`` hold every quantity for each set of sampled landmarks."""
        return ()

    def notes(self, reading: Reading, model: Model, study: Study) -> tuple[str, ...]:
        """Return sentences that a reader of this film has to know."""
        return ()

    def unanswered(self, given: Sequence[Measurement]) -> tuple[str, ...]:
        """Return in words which findings have no answer, and for which measurement's sake."""
        return ()

    def refuse(self, reading: Reading, model: Model, study: Study) -> str:
        """Return why a film is not one that the task can read; empty if it is."""
        return ""

    def head(self, names: Sequence[str], mirror: Sequence[int] | None, settings: LandmarkSettings) -> Head:
        """Return the meaning of the network's maps: one map a landmark unless a task knows better."""
        from spinelab.nn.landmark_net import STRIDES
        from spinelab.train.landmark_head import HeatmapHead

        return HeatmapHead(len(names), mirror, settings, STRIDES[settings.model])

    def refiner(self, names: Sequence[str], mirror: Sequence[int] | None, settings: LandmarkSettings) -> Refiner | None:
        """Return the second network that looks from near, where a task has one."""
        return None

    def target(self, settings: Settings) -> str:
        return ""

    def classes(self, examples: Examples, settings: Settings) -> tuple[str, ...]:
        target = self.target(settings)
        return tuple(sorted(set(examples.labels(target)))) if target else ()

    def route(self, settings: Settings) -> str:
        return "measures"

    def own(self, settings: Settings) -> LandmarkSettings:
        """Return the settings as what they are; raises `TaskError` for others."""
        if not isinstance(settings, LandmarkSettings):
            raise TaskError(
                f"Settings of type {type(settings).__name__}", expected="settings that derive from LandmarkSettings", action="use the task's settings_type"
            )
        return settings

    def prepare(self, study: Study, settings: Settings) -> PreparedCanvas:
        """Return the film on its canvas; the same code in training and in use."""
        from spinelab.io import to_uint8

        chosen = self.own(settings)
        return put(to_uint8(self.film(study, settings)), chosen.rows, chosen.columns, chosen.detail)

    def preparation(self, settings: Settings) -> dict[str, Any]:
        """Return everything that decides what a prepared film looks like; decoded films are kept under it."""
        chosen = self.own(settings)
        canvas = {"rows": chosen.rows, "columns": chosen.columns, "detail": chosen.detail}
        return {"task": self.name, "version": self.prepare_version, "settings": canvas | prepared_by(chosen, self.not_of_films)}

    def fit(self, examples: Examples, settings: Settings, run: Run) -> Model:
        """Train one network and learn from held-out patients how wide its intervals have to be."""
        from spinelab.train.landmark_fitting import fit_landmarks

        if self.own(settings).weights != "scratch" or run.weights is not None:
            raise TaskError("Pretrained weights for a landmark network", expected="weights=scratch", action="leave --weights out: there are none for it")
        return fit_landmarks(self, examples, self.own(settings), run)

    def predict(self, model: Model, study: Study) -> Result:
        """Measure one film; raises `NotSureError` for a film that is not one of the kind that the model knows."""
        canvas = self.prepare(study, model.settings)
        reading = self._read(model, canvas, study)
        self._require_usual(reading, model, study, canvas)
        return self._result(reading, model, study)

    def predict_many(self, model: Model, examples: Examples, run: Run) -> list[Result]:
        """Measure many, in batches, from the films in the cache; a film that is refused gets a result that says why."""
        from spinelab.train.accepted import load_accepted

        settings = model.settings
        shown = load_accepted(examples, lambda e: self.prepare(e.open(), settings), self.preparation(settings), run)
        results = {i: self._refused(model, examples[i], why) for i, why in shown.refused.items()}
        films, at = shown.films, shown.at.tolist()
        for start in range(0, len(at), READING_BATCH):
            rows = range(start, min(start + READING_BATCH, len(at)))
            seen = self.sightings(model, films[np.array(rows)], [films.facts[i]["shape"] for i in rows], run)
            results |= {at[i]: self._answer(model, examples[at[i]], one, films[i], films.facts[i]["shape"]) for i, one in zip(rows, seen, strict=True)}
            run.progress(len(results), len(examples), "measuring")
        return [results[i] for i in range(len(examples))]

    def _refused(self, model: Model, example: Example, why: SpinelabError) -> Result:
        return Result(self.name, model.name, example.id, notes=(f"No answer: {why}",))

    def _answer(self, model: Model, example: Example, seen: Sighting, pixels: NDArray[np.uint8], shape: Sequence[int]) -> Result:
        study = replace(example.open(), id=example.id)
        try:
            reading = self.on_film(model, seen, study, shape)
            self._require_usual(reading, model, study, PreparedCanvas(pixels, facts={"shape": list(shape)}))
            return self._result(reading, model, study)
        except SpinelabError as refusal:
            return self._refused(model, example, refusal)

    def sightings(
        self, model: Model, pixels: NDArray[np.uint8], shapes: Sequence[Sequence[int]], run: Run | None = None, *, near: bool = True
    ) -> list[Sighting]:
        """Return what the networks see on canvases ``(N, 1, H, W)`` of films with these rows and columns.

        Each film is shown as it is and moved by the head's shifts and, where the names of its sides are known, mirrored as well. Without ``near`` the second
        network is left out.
        """
        import torch

        from spinelab.train.precision import choose_device
        from spinelab.train.views import looks

        settings, head, calibration = self.own(model.settings), self.head_of(model), model.record.get("calibration", {}).get("head", {})
        device = choose_device(run) if run is not None else "cpu"
        first, second = self._live(model)
        net, second = first.to(device), None if second is None else second.to(device)
        refiner = self.refiner(self.names_of(model), model.record.get("mirror"), settings)
        found: list[Sighting] = []
        with torch.inference_mode():
            for start in range(0, len(pixels), READING_BATCH):
                fine = np.asarray(pixels[start : start + READING_BATCH])
                films = torch.from_numpy(np.stack([pooled(film[0], settings.detail)[None] for film in fine])).to(device)
                views = looks(net, films, head.shifts, head.stride)
                if model.record.get("mirror") is not None and settings.flip:
                    views += map(head.unmirrored, looks(net, films.flip(3), head.shifts, head.stride))
                seen = head.read(views, calibration, shapes[start : start + READING_BATCH])
                found += seen if second is None or refiner is None or not near else refiner.refine(second, fine, seen)
        return found

    def names_of(self, model: Model) -> tuple[str, ...]:
        """Return the landmarks that a model knows."""
        return tuple(model.record["landmarks"])

    def head_of(self, model: Model) -> Head:
        """Return the meaning of a model's maps."""
        return self.head(self.names_of(model), model.record.get("mirror"), self.own(model.settings))

    def on_film(self, model: Model, seen: Sighting, study: Study, shape: Sequence[int]) -> Reading:
        """Carry what was seen on the canvas back to the film."""
        settings, stored = self.own(model.settings), model.record.get("shape")
        prior = None if stored is None else ShapeModel.from_dict(stored)
        size = (int(shape[0]), int(shape[1]))
        where: Placement = place(size, settings.rows, settings.columns)
        return on_film(
            seen, self.names_of(model), where, self.film(study, settings).spacing_mm, size, prior, float(settings.rows) * float(seen.facts.get("size", 1.0))
        )

    def measured(self, model: Model, reading: Reading, samples: Values | None = None) -> dict[tuple[str, str], Measured]:
        """Return every quantity of a film that has a value, with the spread that its landmarks give it; ``samples`` where they are measured already."""
        known = self.known(model, reading)
        return measured(reading, lambda points, spacing: self.measure(points, spacing, known), samples)

    def known(self, model: Model, reading: Reading) -> dict[str, Any]:
        """Return what `measure` has to know besides the points: what the data declared, and ``film_rows``, the film's own height."""
        return {**model.record.get("declared", {}), "film_rows": reading.shape[0]}

    def explain(self, model: Model, study: Study, how: Explaining | None = None) -> list[Explanation]:
        """Return where the network saw landmarks: the highest of all its maps at each place, whatever method is asked for."""
        from spinelab.train.landmark_heat import seen_where

        (how or Explaining()).of_one_question(self.name)
        film = pooled(self.prepare(study, model.settings).pixels[0], self.own(model.settings).detail)
        return [Explanation(LANDMARK_MAPS, "landmarks", film, seen_where(self._live(model)[0], film[None]), "")]

    def _read(self, model: Model, canvas: PreparedCanvas, study: Study, *, near: bool = True) -> Reading:
        shape = canvas.facts["shape"]
        return self.on_film(model, self.sightings(model, canvas.pixels[None], [shape], near=near)[0], study, shape)

    def _require_usual(self, reading: Reading, model: Model, study: Study, canvas: PreparedCanvas) -> None:
        from spinelab.train.landmark_calibration import certainty

        self._require_detail(reading, model, study)
        least = float(model.record.get("calibration", {}).get("least_certainty", 0.0))
        why = self.refuse(reading, model, study)
        if not why and reading.present.sum() >= LEAST_FOUND and certainty(reading) >= least:
            self._require_upright(reading, model, study, canvas)
            return
        self._refuse_turned(reading, model, study, canvas, why)

    def _refuse_turned(self, reading: Reading, model: Model, study: Study, canvas: PreparedCanvas, why: str) -> None:
        """Refuse a film with what to do where it lies otherwise than films do, and else for the reason that was found, if any."""
        from spinelab.train.landmark_calibration import certainty

        how = self._way_of(reading, model, study, canvas)
        if how:
            raise NotSureError(f"{study.id}: the film seems to be {how}", expected=self.taken_to_read, action=TURNED[how])
        found = f"{int(reading.present.sum())} of {len(reading.names)} landmarks were found, with a certainty of {certainty(reading):.2f}"
        raise NotSureError(
            f"{study.id}: {why or f'this does not look like the films that the model has learnt from ({found})'}",
            expected=self.taken_to_read,
            action="check that it is the right film; a model for other films has to learn from such films",
        )

    def _way_of(self, reading: Reading, model: Model, study: Study, canvas: PreparedCanvas) -> str:
        """Return how a film lies that is seen as surely as a usual one another way, and clearly less surely every other way; empty where none is."""
        from spinelab.train.landmark_calibration import DOUBTFUL_SHARE, certainty

        down = canvas.pixels[:, ::-1, ::-1]
        turned = dict(zip(TURNED, (down, 255 - canvas.pixels, 255 - down), strict=True))
        ways = {how: self._read(model, PreparedCanvas(np.ascontiguousarray(pixels), facts=canvas.facts), study) for how, pixels in turned.items()}
        sure = {how: certainty(one) for how, one in ways.items()}
        best = max(sure, key=sure.__getitem__)
        others = max(certainty(reading), *(share for how, share in sure.items() if how != best))
        usual = float(model.record.get("calibration", {}).get("least_certainty", 0.0)) / DOUBTFUL_SHARE
        clear = sure[best] >= max(usual, others + CLEARLY) and ways[best].present.sum() > LEAST_FOUND
        return best if clear and not self.refuse(ways[best], model, study) else ""

    def _require_upright(self, reading: Reading, model: Model, study: Study, canvas: PreparedCanvas) -> None:
        """Refuse a film that reads much better the other way up; looked at only where the task finds the reading odd."""
        if not self.odd(reading):
            return
        turned = PreparedCanvas(np.ascontiguousarray(canvas.pixels[:, ::-1, ::-1]), facts=canvas.facts)
        if self.better(self._read(model, turned, study, near=False), reading):
            self._refuse_turned(reading, model, study, canvas, "")

    def odd(self, reading: Reading) -> bool:
        """Return whether a reading is unsure enough to look at the film the other way up."""
        return False

    def better(self, turned: Reading, reading: Reading) -> bool:
        """Return whether the film turned upside down, by the first network alone, is read much better than as it is."""
        return False

    def _require_detail(self, reading: Reading, model: Model, study: Study) -> None:
        settings = self.own(model.settings)
        rows, columns = reading.shape
        if rows < LEAST_DETAIL * settings.rows and columns < LEAST_DETAIL * settings.columns:
            raise NotSureError(
                f"{study.id}: a picture of {rows} x {columns} pixels is too small to measure on",
                expected=f"about {settings.rows} x {settings.columns} pixels or more",
                action="give the film as it was taken, not a thumbnail",
            )

    def _result(self, reading: Reading, model: Model, study: Study) -> Result:
        samples = self.measure(reading.drawn(), reading.spacing.value, self.known(model, reading))
        given = self._placed(self._measurements(reading, model, samples), reading, model, study)
        return Result(
            self.name,
            model.name,
            study.id,
            findings=self.findings(reading, model, samples, given),
            measurements=given,
            landmarks=tuple(
                Landmark(name, float(x), float(y), float(np.clip(share, 0, 1)))
                for name, (x, y), share, on in zip(reading.names, reading.points, reading.share, reading.present, strict=True)
                if on
            ),
            notes=(*contradiction(self.film(study, model.settings), self.films), *self.notes(reading, model, study), *self.unanswered(given)),
        )

    def _measurements(self, reading: Reading, model: Model, samples: Values | None = None) -> tuple[Measurement, ...]:
        from spinelab.train.landmark_answer import measurements

        return measurements(self, reading, model, samples)

    def _placed(self, given: Sequence[Measurement], reading: Reading, model: Model, study: Study) -> tuple[Measurement, ...]:
        """Return the measurements with site and side, those without a value as they are."""
        places = self.places(reading, model, study)
        sited = (places.get(one.name, (one.site, one.side)) for one in given)
        return tuple(one if one.value is None else replace(one, site=site, side=side) for one, (site, side) in zip(given, sited, strict=True))

    def quantities_of(self, model: Model) -> tuple[Quantity, ...]:
        """Return what a model measures."""
        return self.quantities(model.settings)

    def needs(self, quantity: Quantity, declared: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the landmarks that a quantity is made from, where the task can tell."""
        return ()

    def doubt(self, reading: Reading, model: Model, quantity: Quantity) -> str:
        """Return why a value is not given although it could be computed: a landmark that lies where such a one does not belong."""
        limit = float(model.record.get("calibration", {}).get("misfit_limit", np.inf))
        needed = set(self.needs(quantity, model.record.get("declared", {})))
        odd = [name for name, misfit in zip(reading.names, reading.misfit, strict=True) if name in needed and misfit > limit]
        if not odd:
            return ""
        return f"{landmarks_in_words(odd)} {'was' if len(odd) == 1 else 'were'} found where the other landmarks make it implausible"

    def _live(self, model: Model) -> tuple[nn.Module, nn.Module | None]:
        from spinelab.train.landmark_weights import networks

        if model.network is None:
            model.network = networks(self, model)
        return model.network  # type: ignore[no-any-return]
