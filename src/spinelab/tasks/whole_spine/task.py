"""The task ``whole-spine``: 26 landmarks and fifteen sagittal parameters from a lateral film."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from spinelab.core import (
    Example,
    Examples,
    Fact,
    Finding,
    Measurement,
    Model,
    Progress,
    Quantity,
    Reference,
    Result,
    Settings,
    Stroke,
    Study,
    TaskError,
    silent,
)
from spinelab.geometry import LATERAL_LANDMARKS, NEEDS, SAGITTAL_QUANTITIES, SCHWAB_GRADES, landmarks_in_words, reference_range
from spinelab.geometry.shape import ShapeModel
from spinelab.tasks.whole_spine import data, drawing, levels, measure, piece, scale
from spinelab.tasks.whole_spine.film import FILMS, mirrored, misplaced
from spinelab.tasks.whole_spine.settings import WholeSpineSettings
from spinelab.train import film_scale
from spinelab.train.landmark_film import FilmKind
from spinelab.train.landmark_task import LandmarkTask

if TYPE_CHECKING:
    from spinelab.train.landmark_head import Head, Sighting
    from spinelab.train.landmark_reading import Reading, Values
    from spinelab.train.landmark_settings import LandmarkSettings
    from spinelab.train.refiner import Refiner

NORMAL_95: Final = 1.959964
"""Half the width of a 95 % interval of a normal distribution, in standard deviations."""


class WholeSpine(LandmarkTask):
    """The sagittal profile of a standing patient."""

    name: ClassVar[str] = "whole-spine"
    title: ClassVar[str] = "Sagittal profile of the whole spine"
    question: ClassVar[str] = "How does the patient stand: what are the sagittal parameters, from the pelvis to the head?"
    takes: ClassVar[str] = "a lateral radiograph of the whole spine, from skull to hips"
    gives: ClassVar[str] = "26 landmarks and 15 parameters with intervals, or the reason why one is withheld; SRS-Schwab modifiers, Roussouly type"
    source: ClassVar[str] = "METHODS section 4 (Noh et al., Bioengineering 11:481, 2024)"
    settings_type: ClassVar[type[Settings]] = WholeSpineSettings
    not_of_films: ClassVar[frozenset[str]] = frozenset({"target", "zoom_to", "zoom_side", "zoom_sigma"})
    films: ClassVar[FilmKind] = FILMS

    def examples(self, root: Path) -> Examples:
        return data.examples(root)

    def phantom(self, rng: np.random.Generator, difficulty: str = "typical") -> Example:
        from spinelab.tasks.whole_spine import phantom

        return phantom.phantom(rng, difficulty)

    def write_phantoms(self, out: Path, *, n: int, seed: int, difficulty: str = "typical", progress: Progress = silent) -> None:
        from spinelab.tasks.whole_spine import phantom

        phantom.write_phantoms(out, n=n, seed=seed, difficulty=difficulty, progress=progress)

    def target(self, settings: Settings) -> str:
        return _own(settings).target

    def classes(self, examples: Examples, settings: Settings) -> tuple[str, ...]:
        """Return the grades of a modifier, all three whatever the data hold; nothing where only numbers are asked for."""
        return SCHWAB_GRADES if self.target(settings) else ()

    def landmark_names(self, examples: Examples, settings: Settings) -> tuple[str, ...]:
        return LATERAL_LANDMARKS

    def mirror(self, names: Sequence[str], declared: Mapping[str, Any]) -> tuple[int, ...] | None:
        """Return the landmarks as they are: front stays front in a mirrored film."""
        return tuple(range(len(names)))

    def head(self, names: Sequence[str], mirror: Sequence[int] | None, settings: LandmarkSettings) -> Head:
        """Return one map a landmark, with what is learnt of the levels that are named by counting."""
        from spinelab.nn.landmark_net import STRIDES
        from spinelab.train.level_certainty import LevelHead

        return LevelHead(len(names), mirror, settings, STRIDES[settings.model], levels.positions())

    def refiner(self, names: Sequence[str], mirror: Sequence[int] | None, settings: LandmarkSettings) -> Refiner | None:
        """Return the network that sees the neck, or each endplate, from near."""
        from spinelab.train.zoom import Zoom, ZoomRefiner

        own = _own(settings)
        return ZoomRefiner(len(names), Zoom(own.groups, own.zoom_side, own.zoom_sigma), own, mirror) if own.groups and own.refine_share > 0 else None

    def quantities(self, settings: Settings) -> tuple[Quantity, ...]:
        return SAGITTAL_QUANTITIES

    def finding_titles(self, settings: Settings) -> Mapping[str, str]:
        return measure.TITLES

    def regions(self, settings: Settings) -> Mapping[str, tuple[str, ...]]:
        return measure.REGIONS

    def reference(self, quantity: Quantity, *, age_years: float | None, sex: str | None) -> Reference | None:
        return reference_range(quantity.name, unit=quantity.unit, age_years=age_years, sex=sex)

    def drawing(self, result: Result, settings: Settings | None = None) -> tuple[Stroke, ...]:
        return drawing.strokes(result)

    def on_film(self, model: Model, seen: Sighting, study: Study, shape: Sequence[int]) -> Reading:
        """Carry what was seen back to the film; landmarks beyond the part of the spine that the film shows count as absent."""
        stored = model.record.get("shape")
        if stored is not None:
            seen = piece.only_the_piece(seen, self.names_of(model), ShapeModel.from_dict(stored), float(self.own(model.settings).rows))
        return super().on_film(model, seen, study, shape)

    def measure(self, points: Mapping[str, NDArray[np.float64]], spacing_mm: tuple[float, float] | None, declared: Mapping[str, Any]) -> Values:
        return measure.measure(points, spacing_mm)

    def withheld(self, quantity: Quantity, present: Collection[str], spacing: Fact, declared: Mapping[str, Any]) -> str:
        return measure.withheld(quantity, present, spacing)

    def needs(self, quantity: Quantity, declared: Mapping[str, Any]) -> tuple[str, ...]:
        return NEEDS[quantity.name]

    def doubt(self, reading: Reading, model: Model, quantity: Quantity) -> str:
        """Return why a value is not given: a misplaced landmark, or millimetres by a spacing that cannot be right."""
        found = reading.found()
        return super().doubt(reading, model, quantity) or (scale.implausible(found, reading.spacing) if quantity.unit == "mm" else "")

    def refuse(self, reading: Reading, model: Model, study: Study) -> str:
        return misplaced(reading.found()) or piece.unlike_the_training_films(reading)

    def findings(self, reading: Reading, model: Model, samples: Values, given: Sequence[Measurement]) -> tuple[Finding, ...]:
        """Return modifiers and type, with the probability by samples as wide as the intervals, and how certain the levels' names are.

        A class whose parameter is withheld has no label; the notes say why.
        """
        named = levels.finding(reading, _learnt(model))
        sure = {(m.name, m.unit): m for m in given if m.value is not None}
        classes = measure.findings({key: _widened(values, sure[key]) for key, values in samples.items() if key in sure})
        known = {finding.name: finding for finding in classes}
        every = tuple(known.get(name, Finding(name, None)) for name in measure.CLASSES)
        return every if named is None else (*every, named)

    def unanswered(self, given: Sequence[Measurement]) -> tuple[str, ...]:
        return measure.unanswered(given)

    def notes(self, reading: Reading, model: Model, study: Study) -> tuple[str, ...]:
        """Return the film's scale, which way the patient faces, how certain the levels are, and what is not on the film."""
        side = measure.facing_of(reading.found())
        absent = [name for name in reading.names if name not in reading.found()]
        image = self.film(study, model.settings)
        said = [*film_scale.notes(image, "SVA is")]
        said += [f"The patient faces the {side} of the picture."] if side else []
        said += [sentence] if (sentence := mirrored(image, side)) else []
        said += [sentence] if (sentence := levels.words(reading, _learnt(model))) else []
        if absent:
            words = measure.not_on_film(absent)
            said.append(f"{words[0].upper()}{words[1:]}; what needs {'them' if ' are not on' in words else 'it'} is withheld.")
        if reading.facts.get("set_aside"):
            said.append(
                f"What was seen for {landmarks_in_words(reading.facts['set_aside'])} was unsure or did not fit the rest, and counts as not on the film."
            )
        return tuple(said)


def _widened(values: NDArray[np.float64], given: Measurement) -> NDArray[np.float64]:
    """Return samples of one quantity spread as held-out patients say that they must be."""
    spread = float(np.nanstd(values))
    if given.interval is None or spread == 0:
        return values
    low, high = given.interval
    return (low + high) / 2 + (values - np.nanmean(values)) * (high - low) / (2 * NORMAL_95 * spread)


def _learnt(model: Model) -> Mapping[str, Any]:
    """Return what held-out films taught about the names of the levels."""
    known: Mapping[str, Any] = model.record.get("calibration", {}).get("head", {}).get("levels", {})
    return known


def _own(settings: Settings) -> WholeSpineSettings:
    if not isinstance(settings, WholeSpineSettings):
        raise TaskError(
            f"Settings of type {type(settings).__name__}", expected="WholeSpineSettings", action="make them with spinelab.tasks.load('whole-spine')"
        )
    return settings
