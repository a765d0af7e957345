"""What every variant of a comparison shares, and what training a variant leaves behind."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinelab.core import Examples, Explanation, Progress, Result, Run, Task
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
        if text == DECODING:
            self._decoding += now - self._last
        self._last = now
        self._told(done, total, text)

    def milliseconds(self, answers: int) -> float:
        """Return the milliseconds of one of so many answers until now."""
        return 1000 * (time.perf_counter() - self._started - self._decoding) / max(1, answers)


def within(run: Run, position: int, total: int, text: str) -> Progress:
    """Return the progress of one of ``total`` folds as progress of the whole; it never goes back, so that the time left can be told."""
    reached = 0.0

    def progress(done: float, of: float, what: str) -> None:
        nonlocal reached
        if what != DECODING:
            reached = max(reached, done / of if of else 0.0)
        run.progress(position + reached, total, text)

    return progress
