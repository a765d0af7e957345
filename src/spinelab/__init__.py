"""spinelab: spine examinations into measurements, diagnoses and evidence.

The verbs of the command line, for notebooks and scripts::

    import spinelab

    comparison = spinelab.compare("images", "films/", "out/", vary={"model": ["simple-cnn", "resnet18"]})
    print(comparison.headline)

``spinelab.tasks`` is the package of clinical questions: ``spinelab.tasks.names()`` lists them.
Nothing heavy is imported before it is used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spinelab import tasks
    from spinelab.serve.agreement import agreement
    from spinelab.serve.api import baselines, compare, evaluate, fit, phantom, read, score

__version__ = "0.1.0"

__all__ = ["agreement", "baselines", "compare", "evaluate", "fit", "phantom", "read", "score", "tasks"]


def __getattr__(name: str) -> Any:
    if name == "tasks":
        return importlib.import_module("spinelab.tasks")
    if name == "agreement":
        return importlib.import_module("spinelab.serve.agreement").agreement
    if name in __all__:
        return getattr(importlib.import_module("spinelab.serve.api"), name)
    raise AttributeError(f"module 'spinelab' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
