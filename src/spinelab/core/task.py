"""What a clinical question is to the rest of the program: four verbs, and the examples they work on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from spinelab.core.counts import counted
from spinelab.core.doubt import Doubt
from spinelab.core.errors import InputError, TaskError
from spinelab.core.explaining import Explaining, Explanation, Sheet
from spinelab.core.measuring import Quantity, Reference, Stroke
from spinelab.core.model import Model
from spinelab.core.result import Result
from spinelab.core.settings import Settings
from spinelab.core.study import Fact, Study

DIFFICULTIES: Final = ("easy", "typical", "hard")

Progress = Callable[[float, float, str], None]
"""``progress(done, total, text)``, called now and then."""


def unheard(_sentence: str) -> None:
    """A sentence that nobody listens to."""


def silent(_done: float, _total: float, _text: str) -> None:
    """Progress that nobody watches."""


@dataclass(frozen=True, eq=False)
class Example:
    """A study that can be opened, with its truth.

    ``patient`` is ``None`` where the data do not tell patients apart. ``facts`` holds what is known without opening a file
    (``sex``, ``age_years``, ``site``; ``remark`` is a sentence on what is doubtful about it). ``files`` maps each view (or ``""``) to the file it
    is read from. ``of`` is the whole examination where this is one of several questions about it (`Task.asked`). ``counted_as`` names the patients who
    are one in splits and intervals, where a shared picture says so.
    """

    id: str
    truth: Result
    open: Callable[[], Study]
    patient: str | None = None
    files: Mapping[str, Path] = field(default_factory=dict)
    facts: Mapping[str, Fact] = field(default_factory=dict)
    of: Example | None = None
    counted_as: str | None = None

    @property
    def group(self) -> str:
        """The patient, those who are one with them included, or the example itself where patients are not known."""
        known = self.counted_as if self.counted_as is not None else self.patient
        return known if known is not None else f"image:{self.id}"


@dataclass(frozen=True, eq=False)
class Examples(Sequence[Example]):
    """A data set: its examples and what is known about it as a whole.

    ``phantom`` is true when a spinelab phantom wrote it; ``notes`` are sentences for the report (files left out and why).
    """

    items: tuple[Example, ...]
    root: Path
    phantom: bool = False
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        repeated = [name for name, count in Counter(e.id for e in self.items).items() if count > 1]
        if repeated:
            raise InputError(
                f"{self.root}: {counted(repeated, '[name stands|names stand] for two different images')}",
                expected="one name an image",
                action="rename one of each pair, or give the path from the folder's top in the manifest",
            )

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: Any) -> Any:
        return self.items[index]

    def __iter__(self) -> Iterator[Example]:
        return iter(self.items)

    @property
    def noun(self) -> str:
        """What one of them is called: an examination, or a question where an examination is asked several."""
        return "question" if any(e.of is not None for e in self.items) else "examination"

    @property
    def patients_known(self) -> bool:
        return bool(self.items) and all(e.patient is not None for e in self.items)

    def subset(self, indices: Sequence[int] | NDArray[Any]) -> Examples:
        """Return the examples at these positions, in this order."""
        return replace(self, items=tuple(self.items[int(i)] for i in indices))

    def labels(self, target: str) -> list[str]:
        """Return the true label of the finding ``target`` for every example."""
        labels = []
        for example in self.items:
            finding = example.truth.finding(target)
            if finding is None or finding.label is None:
                raise InputError(f"{example.id} has no true label {target!r}", expected="a label for every example", action="leave unlabelled examples out")
            labels.append(finding.label)
        return labels

    def groups(self) -> list[str]:
        """Return the patient of every example."""
        return [e.group for e in self.items]


@dataclass(frozen=True)
class Run:
    """The circumstances of one fit, kept apart from the settings: none of them may change the answer's meaning.

    ``progress(done, total, text)`` is called now and then; ``tell(sentence)`` when something must be known before training goes
    on; ``workdir`` is where checkpoints go (nothing is kept without one); ``cache`` is where decoded images go; ``weights`` is a
    local file of pretrained weights; ``devices``, ``nodes`` and ``strategy`` are handed to Lightning.
    """

    workdir: Path | None = None
    cache: Path | None = None
    weights: Path | None = None
    progress: Progress = silent
    tell: Callable[[str], None] = unheard
    resume: bool = False
    devices: int | str = 1
    nodes: int = 1
    strategy: str = "auto"
    accelerator: str = "auto"

    def inside(self, part: str) -> Run:
        """Return the same circumstances for one of several networks, whose checkpoints get a folder of their own."""
        return replace(self, workdir=None if self.workdir is None else self.workdir / part)

    def between(self, begins: float, ends: float, about: str = "") -> Run:
        """Return the same circumstances for a part of a longer work: its progress is told as that from one share of the whole to another."""

        def progress(done: float, total: float, text: str) -> None:
            self.progress(begins + (ends - begins) * (done / total if total else 0.0), 1.0, f"{about}{text}")

        return replace(self, progress=progress)


@dataclass(frozen=True, eq=False)
class Judgement:
    """What a task's own measure says of a model's answers, beside the metrics that every classification has.

    ``metrics`` and ``baseline`` map names to estimates (`spinelab.evaluation.Estimate`): the model's, and those of always answering the most
    frequent class. ``constants`` holds the same of other answers that need no picture, by what they are called. ``flags`` maps words of the
    reports' vocabulary to sentences.
    """

    metrics: Mapping[str, Any] = field(default_factory=dict)
    baseline: Mapping[str, Any] = field(default_factory=dict)
    flags: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


class Task(ABC):
    """One clinical question.

    Class attributes are what ``spinelab tasks`` prints. Subclasses with networks derive from `spinelab.train.NetworkTask`.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    question: ClassVar[str]
    takes: ClassVar[str]
    gives: ClassVar[str]
    source: ClassVar[str]
    settings_type: ClassVar[type[Settings]]
    groupings: ClassVar[tuple[str, ...]] = ()
    """Facts of a question, beside sex, age and site, by which an evaluation is split up."""
    draws_classes: ClassVar[frozenset[str]] = frozenset()
    """Settings that decide which class a true measurement belongs to: models that differ in them answer different questions."""

    @abstractmethod
    def phantom(self, rng: np.random.Generator, difficulty: str = "typical") -> Example:
        """Draw one example whose truth is exactly known."""

    @abstractmethod
    def write_phantoms(self, out: Path, *, n: int, seed: int, difficulty: str = "typical", progress: Progress = silent) -> None:
        """Write ``n`` phantoms in the public data set's own layout, with ``truth.json`` (a list of results) beside them."""

    def phantom_layouts(self) -> Mapping[str, Callable[..., None]]:
        """Return by layout how phantoms are written, each as `write_phantoms`, the usual one first; nothing where there is one layout alone."""
        return {}

    @abstractmethod
    def examples(self, root: Path) -> Examples:
        """Read a data set in the public layout."""

    @abstractmethod
    def target(self, settings: Settings) -> str:
        """Return the name of the finding that these settings learn; ``""`` where a task only measures."""

    @abstractmethod
    def fit(self, examples: Examples, settings: Settings, run: Run) -> Model:
        """Train one model; any validation part is split off inside, by patient."""

    @abstractmethod
    def predict(self, model: Model, study: Study) -> Result:
        """Answer for one study."""

    def predict_many(self, model: Model, examples: Examples, run: Run) -> list[Result]:
        """Answer for many; subclasses make it fast."""
        return [replace(self.predict(model, example.open()), study=example.id) for example in examples]

    def explain(self, model: Model, study: Study, how: Explaining | None = None) -> list[Explanation]:
        """Show where a model looked, one map a method and view; models without a picture return an empty list."""
        return []

    def layers(self, model: Model, study: Study, how: Explaining | None = None) -> list[Sheet]:
        """Show the inside of a network: the filters of its first layer, and what its layers show of a study; nothing of a model without one."""
        return []

    def anatomy(self, example: Example) -> Mapping[str, NDArray[np.bool_]]:
        """Return by view a mask in pixels of the original picture, where the truth tells what a model should look at: a lesion, or the spine.

        Where a task says nothing, what the truth's landmarks enclose is taken, if the examination is one picture.
        """
        return {}

    def labelled(self, examples: Examples, settings: Settings) -> Examples:
        """Return examples whose truth has the classes that these settings draw (see ``draws_classes``); as they are by default."""
        return examples

    def settled(self, examples: Examples, settings: Settings) -> Settings:
        """Return settings with what the data themselves declare to be measured; as they are by default."""
        return settings

    def asked(self, examples: Examples, settings: Settings) -> Examples:
        """Return one example a question, each with its whole examination as ``of``; the examinations themselves where each is one question."""
        return examples

    def doubts(self, example: Example, study: Study) -> Sequence[Doubt]:
        """Return what is found wrong with an examination once it is open, and which of its questions cannot be asked for it; nothing by default."""
        return ()

    def complete(self, model: Model, examples: Examples, run: Run) -> Model:
        """Return a model that was trained for use, with whatever a comparison does not need; called by `spinelab.fit` and never by a comparison."""
        return model

    def judge(self, examples: Examples, predictions: Any, *, bootstraps: int) -> Judgement:
        """Return the task's own metrics of a model's answers (`spinelab.evaluation.Predictions`), and those of constant answers."""
        return Judgement()

    def sections(self, examples: Examples, answers: Mapping[str, Any], *, bootstraps: int) -> list[dict[str, Any]]:
        """Return sections of a report about the answers, by model (`spinelab.evaluation.Predictions`); shaped as in `analysis`.

        Intervals come from as many resamples as those of `judge`, so that one figure has one interval in a report.
        """
        return []

    def training(self, records: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[dict[str, Any]]:
        """Return sections of a report about how models were trained, from the records of each one's fits; shaped as in `analysis`."""
        return []

    def constants(self, examples: Examples) -> dict[str, Any]:
        """Return what constant answers reach in the task's own measure, for ``spinelab baselines``; nothing is opened or trained."""
        return {}

    def score(self, submission: Path, truth: Path) -> dict[str, Any]:
        """Return what a file of answers in the layout of the task's competition reaches in its score, for ``spinelab score``; no model is needed.

        Raises
        ------
        TaskError
            If the task has no such layout.
        """
        raise TaskError(
            f"{self.name} has no competition's layout to score",
            expected="a task with one, such as lumbar-mri",
            action="let `spinelab evaluate` judge a model, or `spinelab agreement` readers",
        )

    def shown(self, model: Model, study: Study) -> Study:
        """Return what the page of a reading shows of a study: by default its pictures, of a stack of slices those that matter."""
        return study

    def together(self, examples: Examples, results: Sequence[Result]) -> list[Result]:
        """Return the answers to questions (see `asked`) as one result an examination; as they are where each is one question."""
        return list(results)

    def tables(self, model: Model, results: Sequence[Result]) -> dict[str, str]:
        """Return the text of further files beside the answers, by name, such as a competition's submission."""
        return {}

    def classes(self, examples: Examples, settings: Settings) -> tuple[str, ...]:
        """Return the class names, in the order of the probabilities."""
        return tuple(sorted(set(examples.labels(self.target(settings)))))

    def heads(self, settings: Settings) -> Mapping[str, tuple[str, ...]]:
        """Return the findings that a model with several heads answers at once, the target among them, with their classes; nothing of one with a single head."""
        return {}

    def finding_titles(self, settings: Settings) -> Mapping[str, str]:
        """Return what findings are called on pages and in tables, by name, where the name does not say it."""
        return {}

    def quantities(self, settings: Settings) -> tuple[Quantity, ...]:
        """Return what models with these settings measure, in the order of the report; nothing for a task that only classifies."""
        return ()

    def route(self, settings: Settings) -> str:
        """Return how models with these settings reach the target: ``classifies`` (the picture) or ``measures`` (and then decides)."""
        return "classifies"

    def regions(self, settings: Settings) -> Mapping[str, tuple[str, ...]]:
        """Return the landmarks of each part of the spine, for errors by region."""
        return {}

    def drawing(self, result: Result, settings: Settings | None = None) -> tuple[Stroke, ...]:
        """Return how a result is drawn on its film: by default every landmark as a point with its name.

        ``settings`` are those of the model that gave it, where what is measured depends on them.
        """
        points = ((p.x, p.y) for p in result.landmarks)
        return tuple(Stroke("point", (at,), "landmark", p.name, "landmarks") for p, at in zip(result.landmarks, points, strict=True))

    def reference(self, quantity: Quantity, *, age_years: float | None, sex: str | None) -> Reference | None:
        """Return what is usual for such a person; ``None`` where no published range fits, or it needs an age that is not known."""
        return None

    def analysis(self, examples: Examples, settings: Settings) -> list[dict[str, Any]]:
        """Return task-specific sections of the comparison report: ``{"title", "text", "svg" or "table"}``."""
        return []
