"""The task ``scoliosis``: 17 vertebrae and the Cobb angles of an AP film."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
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
    Run,
    Settings,
    Stroke,
    Study,
    TaskError,
    counted,
    silent,
)
from spinelab.geometry import CORNER_LANDMARKS, THORACOLUMBAR, reference_range
from spinelab.tasks.scoliosis import data, drawing, measure, position, scale, uncertainty, words
from spinelab.tasks.scoliosis.settings import CLASSIFIERS, FILMS, ScoliosisSettings
from spinelab.train.certainty import PART
from spinelab.train.landmark_film import FilmKind
from spinelab.train.landmark_settings import LandmarkSettings
from spinelab.train.landmark_task import LandmarkTask

if TYPE_CHECKING:
    from spinelab.core import Explaining, Explanation
    from spinelab.tasks.scoliosis.classifier import Classifier
    from spinelab.train.landmark_head import Head, Sighting
    from spinelab.train.landmark_reading import Reading, Values
    from spinelab.train.refiner import Refiner

NORMAL_95: Final = 1.959964
LEAST_VERTEBRAE: Final = 5
LARGEST: Final = ("cobb_max", "deg")
"""The angle that the surgical range is about."""
MUCH_BETTER: Final = 8.0
"""Difference of two columns' scores, logarithms of how well they fit, from which the better one is believed."""
REGIONS: Final[Mapping[str, tuple[str, ...]]] = {
    name: tuple(landmark for landmark in CORNER_LANDMARKS if landmark.split("_")[0] in levels)
    for name, levels in (("T1-T4", THORACOLUMBAR[:4]), ("T5-T8", THORACOLUMBAR[4:8]), ("T9-T12", THORACOLUMBAR[8:12]), ("L1-L5", THORACOLUMBAR[12:]))
} | {level: tuple(landmark for landmark in CORNER_LANDMARKS if landmark.startswith(f"{level}_")) for level in THORACOLUMBAR}


class Scoliosis(LandmarkTask):
    """The curves of a spine seen from the front."""

    name: ClassVar[str] = "scoliosis"
    title: ClassVar[str] = "Cobb angles of an AP film"
    question: ClassVar[str] = "How large are the curves of the spine, and is the largest in the surgical range?"
    takes: ClassVar[str] = (
        "an AP radiograph of the spine from T1 to L5; to learn from, the AASCE layout (data/<split>, labels/<split>), or films with landmarks.csv"
    )
    gives: ClassVar[str] = "four corners of each vertebra and its level with a certainty; Cobb angles by two rules, with intervals or the reason why withheld"
    source: ClassVar[str] = "METHODS section 4; SpineWeb data set 16 and the AASCE challenge (MICCAI 2019)"
    settings_type: ClassVar[type[Settings]] = ScoliosisSettings
    draws_classes: ClassVar[frozenset[str]] = frozenset({"threshold_deg"})
    not_of_films: ClassVar[frozenset[str]] = frozenset({"threshold_deg", "classifier_size", "classifier_epochs"})
    films: ClassVar[FilmKind] = FILMS

    def examples(self, root: Path) -> Examples:
        return data.examples(root, ScoliosisSettings().threshold_deg)

    def phantom(self, rng: np.random.Generator, difficulty: str = "typical") -> Example:
        from spinelab.tasks.scoliosis import phantom

        return phantom.phantom(rng, difficulty)

    def write_phantoms(self, out: Path, *, n: int, seed: int, difficulty: str = "typical", progress: Progress = silent) -> None:
        from spinelab.tasks.scoliosis import phantom

        phantom.write_phantoms(out, n=n, seed=seed, difficulty=difficulty, progress=progress)

    def phantom_layouts(self) -> Mapping[str, Callable[..., None]]:
        from spinelab.tasks.scoliosis import phantom

        return {"aasce": phantom.write_phantoms, "dicom": phantom.write_dicom}

    def target(self, settings: Settings) -> str:
        return measure.TARGET

    def classes(self, examples: Examples, settings: Settings) -> tuple[str, ...]:
        return measure.CLASSES

    def labelled(self, examples: Examples, settings: Settings) -> Examples:
        """Return the examples with their classes drawn at the threshold of these settings."""
        threshold = _own(settings).threshold_deg
        if threshold == ScoliosisSettings().threshold_deg:
            return examples
        return replace(examples, items=tuple(data.with_class(example, threshold) for example in examples))

    def route(self, settings: Settings) -> str:
        return "classifies" if _own(settings).model in CLASSIFIERS else "measures"

    def quantities(self, settings: Settings) -> tuple[Quantity, ...]:
        return () if self.route(settings) == "classifies" else measure.QUANTITIES

    def regions(self, settings: Settings) -> Mapping[str, tuple[str, ...]]:
        return REGIONS

    def finding_titles(self, settings: Settings) -> Mapping[str, str]:
        if self.route(settings) == "classifies":
            return {}
        return {measure.TARGET: "Surgical range, by the largest angle of the AASCE rule", position.FINDING: "Position of the vertebra"}

    def landmark_names(self, examples: Examples, settings: Settings) -> tuple[str, ...]:
        return CORNER_LANDMARKS

    def mirror(self, names: Sequence[str], declared: Mapping[str, Any]) -> tuple[int, ...] | None:
        return measure.mirrored()

    def head(self, names: Sequence[str], mirror: Sequence[int] | None, settings: LandmarkSettings) -> Head:
        from spinelab.nn.landmark_net import STRIDES
        from spinelab.train.column_head import ColumnHead

        return ColumnHead(len(THORACOLUMBAR), settings, STRIDES[settings.model])

    def refiner(self, names: Sequence[str], mirror: Sequence[int] | None, settings: LandmarkSettings) -> Refiner | None:
        from spinelab.train.vertebra_crops import VertebraRefiner

        return VertebraRefiner(len(THORACOLUMBAR), settings.detail) if settings.refine_share > 0 else None

    def bounds(self, quantity: Quantity) -> tuple[float | None, float | None]:
        return (0.0, None) if quantity.name.startswith("cobb") else (None, None)

    def measure(self, points: Mapping[str, NDArray[np.float64]], spacing_mm: tuple[float, float] | None, declared: Mapping[str, Any]) -> Values:
        return measure.measure(points, spacing_mm, declared.get("film_rows"))

    def on_film(self, model: Model, seen: Sighting, study: Study, shape: Sequence[int]) -> Reading:
        """Carry what was seen back to the film, judge every vertebra by its neighbours, and allow for what held-out vertebrae were off by."""
        learnt = model.record.get("calibration", {}).get("head", {})
        return position.judged(uncertainty.meant(super().on_film(model, seen, study, shape), learnt), learnt)

    def doubt(self, reading: Reading, model: Model, quantity: Quantity) -> str:
        found = reading.found()
        size = scale.implausible(found, reading.spacing) if quantity.unit == "mm" else ""
        shape = scale.distorted(found, reading.spacing) if quantity.unit != "px" else ""
        return position.withheld(reading, quantity.name) or _unknown_region(reading, quantity) or size or shape

    def places(self, reading: Reading, model: Model, study: Study) -> dict[str, tuple[str | None, str | None]]:
        """Return the end vertebrae and the convexity of every Cobb angle; the side is unknown where the file does not state whose left it is."""
        image = self.film(study, model.settings)
        found = measure.places(reading.found(), reading.spacing.value, reading.shape[0])
        return {name: (one.site, words.patient_side(image, "right" if one.to_the_right else "left")) for name, one in found.items()}

    def withheld(self, quantity: Quantity, present: Collection[str], spacing: Fact, declared: Mapping[str, Any]) -> str:
        doubt = str(declared["distorted"]) if quantity.unit != "px" else ""
        return doubt or measure.withheld(quantity, present, spacing, certain=declared["names_certain"])

    def known(self, model: Model, reading: Reading) -> dict[str, Any]:
        """Return the same as every task, ``names_certain``: whether the levels are named with certainty, and ``distorted``: why no angle can be measured."""
        about = {"names_certain": position.names_certain(reading), "distorted": scale.distorted(reading.found(), reading.spacing)}
        return {**super().known(model, reading), **about}

    def refuse(self, reading: Reading, model: Model, study: Study) -> str:
        found = len(measure.found_levels(reading.found()))
        said = counted(found, "[vertebra was|vertebrae were]")
        return "" if found >= LEAST_VERTEBRAE else f"only {said} found: this is no AP film of the spine that can be read"

    def odd(self, reading: Reading) -> bool:
        return not position.names_certain(reading)

    def better(self, turned: Reading, reading: Reading) -> bool:
        """Return whether the column fits much better upside down, by the scores of the two best columns."""
        scores = [evidence[0][0] if evidence else -np.inf for evidence in (r.facts.get("evidence", ()) for r in (turned, reading))]
        return bool(scores[0] > scores[1] + MUCH_BETTER)

    def reference(self, quantity: Quantity, *, age_years: float | None, sex: str | None) -> Reference | None:
        return reference_range(quantity.name, unit=quantity.unit, age_years=age_years, sex=sex)

    def drawing(self, result: Result, settings: Settings | None = None) -> tuple[Stroke, ...]:
        return drawing.strokes(result)

    def findings(self, reading: Reading, model: Model, samples: Values, given: Sequence[Measurement]) -> tuple[Finding, ...]:
        """Return whether the largest angle is in the surgical range, how certain the names of the levels are, and which vertebrae may be misplaced."""
        found = []
        largest = next((m for m in given if (m.name, m.unit) == LARGEST), None)
        if largest is not None and largest.value is not None:
            threshold = _own(model.settings).threshold_deg
            share = None if largest.interval is None else _above(largest.value, largest.interval, threshold)
            chances = {} if share is None else dict(zip(measure.CLASSES, (1 - share, share), strict=True))
            found.append(Finding(measure.TARGET, measure.class_of(largest.value, threshold), chances))
        certainty = position.certainty(reading)
        label = "certain" if position.names_certain(reading) else "uncertain"
        return (*found, Finding("levels", label, {"certain": certainty, "uncertain": 1 - certainty}), *position.findings(reading))

    def unanswered(self, given: Sequence[Measurement]) -> tuple[str, ...]:
        """Return why nothing is said about the surgical range, where the largest angle is withheld."""
        return tuple(
            f"No answer whether the largest angle is in the surgical range, for that angle is withheld: {m.withheld}."
            for m in given
            if (m.name, m.unit) == LARGEST and m.withheld is not None
        )

    def notes(self, reading: Reading, model: Model, study: Study) -> tuple[str, ...]:
        return words.notes(reading, self.film(study, model.settings))

    def fit(self, examples: Examples, settings: Settings, run: Run) -> Model:
        if self.route(settings) == "measures":
            return super().fit(examples, settings, run)
        from spinelab.tasks.scoliosis.classifier import settings_of

        model = _classifier().fit(examples, settings_of(_own(settings)), run)
        return replace(model, settings=settings, kept={})

    def predict(self, model: Model, study: Study) -> Result:
        return super().predict(model, study) if self.route(model.settings) == "measures" else _classifier().predict(_as_classifier(model), study)

    def predict_many(self, model: Model, examples: Examples, run: Run) -> list[Result]:
        if self.route(model.settings) == "measures":
            return super().predict_many(model, examples, run)
        return _classifier().predict_many(_as_classifier(model), examples, run)

    def explain(self, model: Model, study: Study, how: Explaining | None = None) -> list[Explanation]:
        if self.route(model.settings) == "measures":
            return super().explain(model, study, how)
        return _classifier().explain(_as_classifier(model), study, how)


def _classifier() -> Classifier:
    from spinelab.tasks.scoliosis.classifier import Classifier

    return Classifier()


def _as_classifier(model: Model) -> Model:
    """Return the model as the classifier knows it, which is kept: with it live its network and what was made for its heatmaps."""
    from spinelab.tasks.scoliosis.classifier import settings_of

    known: Model | None = model.kept.get("classifier")
    settings = settings_of(_own(model.settings))
    if known is None or known.tensors is not model.tensors or known.settings != settings:
        known = model.kept["classifier"] = replace(model, settings=settings, kept={})
    return known


def _unknown_region(reading: Reading, quantity: Quantity) -> str:
    """Return why a regional angle has no value on a film of a part of the column, where a curve has no region without names; empty if it may have one."""
    missing = len(THORACOLUMBAR) - len(measure.found_levels(reading.found()))
    if quantity.name not in measure.NEEDED or missing < PART or position.names_certain(reading):
        return ""
    return "the film shows a part of the column, and which of its vertebrae are seen is not certain"


def _above(value: float, interval: tuple[float, float], threshold: float) -> float | None:
    """Return the probability that the true angle reaches the threshold, its error being normal and as wide as the interval; none for one without width."""
    half = max(interval[1] - value, value - interval[0])
    if half == 0:
        return None
    return 0.5 * (1 + math.erf((value - threshold) / (half / NORMAL_95) / math.sqrt(2)))


def _own(settings: Settings) -> ScoliosisSettings:
    if not isinstance(settings, ScoliosisSettings):
        raise TaskError(f"Settings of type {type(settings).__name__}", expected="ScoliosisSettings", action="make them with spinelab.tasks.load('scoliosis')")
    return settings
