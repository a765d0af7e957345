"""Splits, comparisons and honesty checks. Knows a task as four verbs, and no task by name."""

from spinelab.experiments.compare import compare
from spinelab.experiments.constant import baselines
from spinelab.experiments.design import Design
from spinelab.experiments.evaluate import evaluate
from spinelab.experiments.fit import fit

__all__ = ["Design", "baselines", "compare", "evaluate", "fit"]
