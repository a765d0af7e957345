"""What a report says, before it has a shape: the content of ``comparison.json``, ``evaluation.json`` and ``report.html``.

Schema ``spinelab.comparison/1`` and ``spinelab.evaluation/1``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Final

from spinelab.core import Explanation
from spinelab.evaluation.types import Estimate, Predictions
from spinelab.report.measured import Measured

COMPARISON_SCHEMA: Final = "spinelab.comparison/1"
EVALUATION_SCHEMA: Final = "spinelab.evaluation/1"

FLAGS: Final[Mapping[str, str]] = {
    "collapsed": "The model gives one answer to (nearly) everyone; it cannot be ranked first.",
    "class-never-answered": "At least one class is never the model's answer.",
    "not-better-than-majority": "Not shown to be better than always answering the most frequent class.",
    "not-better-than-prior": "Its weighted log loss is not shown to be lower than that of the best constant answer.",
    "not-better-than-chance": "The interval of its ranking metric does not lie above what guessing reaches.",
    "not-distinguishable": "Its difference from the best-ranked model includes zero.",
    "too-few-patients": "There are too few patients, of the rarest class where there are classes, to tell close figures apart.",
    "patients-unknown": "Patients are not named, so examinations of one patient could not be kept together: figures may be too good, and intervals too narrow.",
    "duplicates": "The same picture occurs more than once.",
    "duplicates-across-patients": "The same picture, or nearly, occurs under two patients.",
    "conflicting-labels": "One picture or one patient carries two labels.",
    "marked-twice": "Copies of a picture carry marks of their own: how far these are apart tells how near to such marks any model can come.",
    "left-out": "Some of what was to be learnt from or judged cannot be, and is left out; the sentence says why.",
    "doubtful": "Two things that the data say of one examination contradict each other; it is kept as it is.",
    "shortcut": "The label can be guessed from facts that are not anatomy (size, borders, brightness).",
    "phantom-data": "Made from digital phantoms: evidence about the program, not about patients.",
    "weights-scratch": "Pretrained weights were asked for and were not available; trained from scratch.",
    "mixed-precision": "Trained in reduced precision.",
    "not-trained-to-the-end": "Training stopped at the last epoch allowed while still improving.",
    "not-better-than-constant": "Not shown to measure better than always giving the training median.",
    "under-covered": "Its intervals hold the truth less often than the 95 % that they state.",
    "biased": "Its measurements are shifted to one side, by at least half of their mean error.",
    "wide-intervals": "Its intervals are wider than half of the range in which 95 % of the truths lie: they say little.",
    "levels-uncertain": "It names the levels right on fewer than nine films in ten.",
    "often-withheld": "It withholds a measurement on more than one film in twenty.",
    "ignores-the-picture": "It answers without looking at the picture; it is a reference, not a reader.",
    "training-data": "The data are those that the model was trained on.",
    "failed": "Training failed; the reason is in the statements.",
}
"""The documented vocabulary of flags (``docs/reference/flags.md``)."""


@dataclass(frozen=True)
class Flag:
    """A word of the vocabulary, and the sentence with the figures behind it."""

    code: str
    text: str


@dataclass(frozen=True, eq=False)
class Case:
    """One examination shown in the report: what the model saw, said, and looked at."""

    kind: str
    """``best``, ``typical`` or ``worst``."""
    image: str
    truth: str
    answer: str
    probability_of_truth: float
    explanations: tuple[Explanation, ...]


@dataclass(frozen=True, eq=False)
class Variant:
    """One model of a comparison."""

    name: str
    settings: Mapping[str, Any]
    """The settings that vary."""
    all_settings: Mapping[str, Any]
    metrics: Mapping[str, Estimate]
    flags: tuple[Flag, ...]
    predictions: Predictions | None
    rank: int | None
    """1 is best; ``None`` where it cannot be ranked."""
    histories: tuple[tuple[Mapping[str, float], ...], ...] = ()
    """One a fold: rows with ``epoch``, ``train_loss``, ``validation_loss``, ``lr``."""
    parameters: int = 0
    fit_seconds: float = 0.0
    """All folds together."""
    predict_ms: float | None = None
    """Milliseconds an examination."""
    peak_memory_mb: float | None = None
    device: str = ""
    precision: str = ""
    weights: str = ""
    cases: tuple[Case, ...] = ()
    notes: tuple[str, ...] = ()
    route: str = "classifies"
    """``classifies`` the picture, or ``measures`` and then decides."""
    measured: Measured | None = None
    other_heads: Mapping[str, Predictions] = field(default_factory=dict)
    """Of a network with several heads the answers of those that are not judged, by name."""

    @property
    def epoch_seconds(self) -> float | None:
        """Median seconds of one pass over a fold's training films; ``None`` for what is not trained in passes."""
        seconds = [float(row["seconds"]) for history in self.histories for row in history if "seconds" in row]
        return median(seconds) if seconds else None

    @property
    def answered(self) -> bool:
        """Whether it gave any answers that can be judged; a model that failed gave none."""
        return self.predictions is not None or self.measured is not None

    @property
    def figures(self) -> Mapping[str, Estimate]:
        """Every metric of measurements and classes; an error that ranks models is in ``metrics`` over the films that all of them measured."""
        return {**(self.measured.metrics if self.measured is not None else {}), **self.metrics}


@dataclass(frozen=True, eq=False)
class HeadFigures:
    """What one head of one model answered, and what that is worth."""

    predictions: Predictions
    figures: Mapping[str, Estimate]
    flags: tuple[Flag, ...]


@dataclass(frozen=True, eq=False)
class ComparedHead:
    """One head of networks with several: the one that ranks, or one beside it."""

    name: str
    classes: tuple[str, ...]
    baseline: Mapping[str, Any]
    """As that of a comparison, on the answers of this head."""
    models: Mapping[str, HeadFigures]

    @property
    def answers(self) -> int:
        """How many questions every model answered."""
        return max((len(found.predictions.images) for found in self.models.values()), default=0)

    @property
    def constants(self) -> dict[str, Mapping[str, Estimate]]:
        """What answers that look at nothing reach, by what they are called; always the most frequent class first."""
        return {f"always {self.baseline['majority_class']!r}": self.baseline["metrics"], **self.baseline.get("constants", {})}


@dataclass(frozen=True)
class MeasuredPair:
    """Absolute errors of two models on the same films; ``difference`` is a minus b, below zero where a is nearer to the truth."""

    a: str
    b: str
    column: str
    title: str
    unit: str
    films: int
    difference: Estimate
    p: float | None
    p_holm: float | None
    text: str


@dataclass(frozen=True)
class Pair:
    """Two models on the same examinations; ``difference`` is a minus b in the ranking metric."""

    a: str
    b: str
    metric: str
    difference: Estimate
    p_bootstrap: float | None
    p_bootstrap_holm: float | None
    p_resampled_t: float | None
    p_resampled_t_holm: float | None
    p_mcnemar: float | None
    p_mcnemar_holm: float | None
    p_delong: float | None
    p_delong_holm: float | None
    distinguishable: bool
    text: str


@dataclass(frozen=True)
class LearningCurve:
    """Accuracy and ranking metric against the number of training patients, for one model."""

    variant: str
    patients: tuple[int, ...]
    accuracy: tuple[Estimate, ...]
    metric: str
    scores: tuple[Estimate, ...]


@dataclass(frozen=True)
class DataSummary:
    """Where the figures come from."""

    root: str
    digest: str
    patients: int | None
    images: int
    examinations: int
    classes: Mapping[str, Mapping[str, int | None]]
    """Class -> ``{"images", "patients"}``; of examinations that are asked several questions, "images" counts questions."""
    duplicates: tuple[Mapping[str, Any], ...] = ()
    """``{"a", "b", "kind": "exact" | "near", "same_patient", "same_label", "similarity"}``."""
    leaks: tuple[Mapping[str, Any], ...] = ()
    """The duplicates across patients, and whatever else would let a test film be known in advance."""
    conflicts: tuple[Mapping[str, Any], ...] = ()
    shortcuts: tuple[Mapping[str, Any], ...] = ()
    marked_twice: tuple[Mapping[str, Any], ...] = ()
    """How far two truths of one picture are apart: ``{"quantity", "unit", "pairs", "mean", "median", "largest", "of_one"}``."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """Sex, age, site, image sizes: counts and ranges, with how many are unknown."""
    flags: tuple[Flag, ...] = ()
    notes: tuple[str, ...] = ()
    remarks: Mapping[str, str] = field(default_factory=dict)
    """What is doubtful about single examinations, by name; the notes count them."""
    phantom: bool = False
    questions: int | None = None
    """How many are asked, where an examination is asked several; ``None``: one each."""

    @property
    def noun(self) -> str:
        """What one item is called that a model answers."""
        return "examination" if self.questions is None else "question"

    @property
    def counted(self) -> str:
        """What is counted in the classes where patients are not."""
        return "images" if self.questions is None else "questions"


@dataclass(frozen=True, eq=False)
class GalleryCell:
    """What one model said about one examination, and where it looked; ``answer`` is ``None`` where it declined."""

    model: str
    answer: str | None
    probability: float | None
    """Of its answer."""
    probability_of_truth: float | None
    explanations: tuple[Explanation, ...] = ()


@dataclass(frozen=True, eq=False)
class GalleryRow:
    """One examination, chosen before training, and what every model said about it."""

    image: str
    truth: str
    cells: tuple[GalleryCell, ...]


@dataclass(frozen=True, eq=False)
class Comparison:
    """Several models on the same folds of the same data."""

    task: str
    title: str
    question: str
    target: str
    headline: str
    statements: tuple[str, ...]
    rank_by: str
    variants: tuple[Variant, ...]
    baseline: Mapping[str, Any]
    """``{"majority_class", "metrics": {name: Estimate}, ...}``: what a constant reaches."""
    pairs: tuple[Pair, ...]
    data: DataSummary
    design: Mapping[str, Any]
    """folds, repeats or holdout, seed, level of the intervals, bootstraps, seconds, command."""
    versions: Mapping[str, str]
    learning_curve: LearningCurve | None = None
    analysis: tuple[Mapping[str, Any], ...] = ()
    """Task-specific sections: ``{"title", "text", "svg" | "table"}``."""
    measured_pairs: tuple[MeasuredPair, ...] = ()
    """Differences of the absolute errors, where models measure."""
    routes: str = ""
    """In words which models measure and then decide, and which classify the picture, where there are both."""
    gallery: tuple[GalleryRow, ...] = ()
    """The same held-out examinations seen by every model."""
    heads: tuple[ComparedHead, ...] = ()
    """Of networks with several heads every one, the one that ranks among them."""


@dataclass(frozen=True, eq=False)
class Evaluation:
    """One model on another folder."""

    task: str
    title: str
    question: str
    target: str
    model: str
    headline: str
    statements: tuple[str, ...]
    variant: Variant
    baseline: Mapping[str, Any]
    data: DataSummary
    subgroups: tuple[Mapping[str, Any], ...]
    """``{"fact", "value", "patients", "examinations", "metrics": {name: Estimate}, "note"}``."""
    trained_on: Mapping[str, Any]
    versions: Mapping[str, str]
    design: Mapping[str, Any] = field(default_factory=dict)
    analysis: tuple[Mapping[str, Any], ...] = ()
    """Task-specific sections, as in a comparison."""
    heads: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Of a model with several heads each one's ``classes``, ``answers``, ``metrics`` and ``subgroups``."""
