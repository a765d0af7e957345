"""Splits, comparisons and honesty checks. Knows a task as four verbs, and no task by name. What is heavy is imported on first use."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from spinelab.experiments.design import Design

if TYPE_CHECKING:
    from spinelab.experiments.comparison import compare
    from spinelab.experiments.constant import baselines
    from spinelab.experiments.evaluation import evaluate
    from spinelab.experiments.fitting import fit
    from spinelab.experiments.readers import reader_agreement, reader_rows

_WHERE: Final = {
    "baselines": "constant",
    "compare": "comparison",
    "evaluate": "evaluation",
    "fit": "fitting",
    "reader_agreement": "readers",
    "reader_rows": "readers",
}

__all__ = ["Design", "baselines", "compare", "evaluate", "fit", "reader_agreement", "reader_rows"]


def __getattr__(name: str) -> Any:
    """Import a verb when it is first asked for, so that a refusal comes at once."""
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"spinelab.experiments.{_WHERE[name]}"), name)
    globals()[name] = value
    return value
