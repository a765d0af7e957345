"""What every variant of a comparison shares, and what training a variant leaves behind."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinelab.core import Examples, Explanation, Result, Run, Settings, Task
from spinelab.experiments.data_check import with_groups
from spinelab.experiments.design import Design
from spinelab.experiments.rank import Ranking
from spinelab.experiments.splits import Split
from spinelab.experiments.variants import Plan
from spinelab.io.cache import DECODING


@dataclass(frozen=True, eq=False)
class Bench:
    """What every variant shares: the task, the data, the folds and the circumstances."""

    task: Task
    examples: Examples
    target: str
    classes: tuple[str, ...]
    labels: tuple[str, ...]
    """Class of each examination; where nothing is classified, whether its first quantity is low, middle or high."""
    groups: tuple[str, ...]
    """Patients, those who share a picture being one; no split and no validation part separates them."""
    splits: tuple[Split, ...]
    out: Path
    run: Run
    design: Design
    ranking: Ranking
    sizes: tuple[tuple[int, int], ...] = ()
    spacings: tuple[tuple[float, float] | None, ...] = ()
    split: str = ""
    """Name of the data's own split that is used."""
    left_out: Mapping[str, str] = field(default_factory=dict)
    """What was found in the data that leaves examples without an answer, by their names."""

    def other_heads(self, settings: Settings) -> dict[str, tuple[str, ...]]:
        """Return the findings that these models answer beside the one that is judged, with their classes."""
        return {name: classes for name, classes in self.task.heads(settings).items() if name != self.target}

    def training(self, split: Split) -> Examples:
        """Return a fold's training examinations with these groups for patients."""
        return with_groups(self.examples.subset(split.train), [self.groups[int(i)] for i in split.train])


@dataclass(frozen=True, eq=False)
class CaseFile:
    """A held-out examination with its heatmaps, kept because it is the best, typical or worst of its fold, or one that every model explains (``shared``)."""

    kind: str
    position: int
    probability_of_truth: float
    explanations: tuple[Explanation, ...]


@dataclass(frozen=True, eq=False)
class FoldResult:
    """Answers of one model for the examinations of one test fold."""

    split: Split
    probabilities: NDArray[np.float64]
    """(n_test, K); NaN rows where the model declined to answer."""
    record: Mapping[str, Any]
    parameters: int
    predict_ms: float
    cases: tuple[CaseFile, ...] = ()
    results: tuple[Result, ...] = ()
    """Whole answers, of models that measure."""
    heads: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    """Of a model with several heads the probabilities of those that are not judged, each as ``probabilities``."""
    declined: Mapping[int, str] = field(default_factory=dict)
    """Why an examination of the test fold has no class, by its place in it."""


@dataclass(frozen=True, eq=False)
class Trained:
    """The folds of one variant, or why there are none."""

    plan: Plan
    folds: tuple[FoldResult, ...]
    failure: str | None = None


class AnswerClock:
    """Seconds that answers take, without the decoding of films, which is done once and kept."""

    def __init__(self, run: Run) -> None:
        self._told, self._decoding = run.progress, 0.0
        self._started = self._last = time.perf_counter()
        self.run = replace(run, progress=self._progress)

    def _progress(self, done: float, total: float, text: str) -> None:
        now = time.perf_counter()
        if text.endswith(DECODING):
            self._decoding += now - self._last
        self._last = now
        self._told(done, total, text)

    def milliseconds(self, answers: int) -> float:
        """Return the milliseconds of one of so many answers until now."""
        return 1000 * (time.perf_counter() - self._started - self._decoding) / max(1, answers)
