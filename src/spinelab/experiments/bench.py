"""What every variant of a comparison shares, and what training a variant leaves behind."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from spinelab.core import Examples, Run, Task
from spinelab.experiments.design import Design
from spinelab.experiments.folds import FoldResult
from spinelab.experiments.splits import Split
from spinelab.experiments.variants import Plan


@dataclass(frozen=True, eq=False)
class Bench:
    """What every variant shares: the task, the data, the folds and the circumstances."""

    task: Task
    examples: Examples
    target: str
    classes: tuple[str, ...]
    labels: tuple[str, ...]
    splits: tuple[Split, ...]
    out: Path
    run: Run
    design: Design


@dataclass(frozen=True, eq=False)
class Trained:
    """The folds of one variant, or why there are none."""

    plan: Plan
    folds: tuple[FoldResult, ...]
    failure: str | None = None
