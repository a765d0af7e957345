"""By what models are ranked: a metric that a constant cannot win, or the error of a measurement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from spinelab.core import Quantity, Task, TaskError
from spinelab.evaluation.types import Estimate
from spinelab.experiments import words
from spinelab.experiments.flags import CHANCE
from spinelab.experiments.measured_words import amount, lower_first, with_limits
from spinelab.experiments.pairing import metric_name
from spinelab.experiments.variants import Plan

LANDMARKS: Final = {"landmark_median_px": "px", "landmark_median_mm": "mm"}


@dataclass(frozen=True)
class Ranking:
    """The metric that ranks, in words; ``quantity`` is what it is the error of, with its ``unit``."""

    metric: str
    word: str
    unit: str = ""
    quantity: Quantity | None = None

    @property
    def measures(self) -> bool:
        """Whether it is an error, of which the smallest is best."""
        return self.quantity is not None or self.metric in LANDMARKS

    def say(self, value: Estimate) -> str:
        """Return a value of the metric with its interval."""
        return with_limits(value, self.unit) if self.measures and value.value is not None else words.say(value)

    def signed(self, value: float) -> str:
        """Return a difference in the metric."""
        return amount(value, self.unit, signed=True) if self.measures else f"{value:+.3f}"


def ranking_of(asked: str | None, task: Task, plans: Sequence[Plan], target: str) -> Ranking:
    """Return the ranking asked for; by default balanced accuracy or, where nothing is classified, the error of the first quantity.

    Raises
    ------
    TaskError
        For a metric that these models do not have; those that they have are listed.
    """
    quantities = list(dict.fromkeys(q for plan in plans for q in task.quantities(plan.settings)))
    errors = {metric_name(q.name, "mae", q.unit): q for q in quantities}
    known = [*(CHANCE if target else ()), *errors, *(LANDMARKS if any(task.route(plan.settings) == "measures" for plan in plans) else ())]
    metric = asked if asked is not None else next(iter(known), "")
    if metric not in known:
        raise TaskError(
            f"Ranking by {metric!r}" if metric else f"{task.name} with these settings",
            expected=f"one of {', '.join(known)}" if known else "a class to tell or landmarks to find, by which models can be ranked",
            action="choose another --rank-by" if known else "choose other settings",
        )
    if metric in errors:
        q = errors[metric]
        return Ranking(metric, f"mean absolute error of the {lower_first(q.title)}", q.unit, q)
    if metric in LANDMARKS:
        return Ranking(metric, "median landmark error", LANDMARKS[metric])
    return Ranking(metric, words.METRIC_WORDS.get(metric, metric))
