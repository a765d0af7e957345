"""The films of many examples that a model is shown: one that the task refuses costs no other its answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinelab.core import Example, Examples, NotSureError, Run
from spinelab.io.cache import Films, ImageCache, PreparedFilms


@dataclass(frozen=True, eq=False)
class Accepted:
    """Prepared films and what became of the others.

    Parameters
    ----------
    at
        ``(n,)`` positions of the examples that were prepared.
    films, available
        Their films ``(n, V, H, W)`` and which of these exist ``(n, V)``.
    refused
        Why each other example is none that the task can read, by position.
    """

    at: NDArray[np.int64]
    films: Films
    available: NDArray[np.bool_]
    refused: Mapping[int, NotSureError]


def load_accepted(examples: Examples, prepare: Callable[[Example], PreparedFilms], how: Mapping[str, Any], run: Run) -> Accepted:
    """Return the films of the examples that the task can read, from the cache; all are looked through again only where one is refused."""
    cache = ImageCache(run.cache)
    try:
        films, available = cache.load(examples, prepare, how, run.progress)
    except NotSureError:
        refused = _refused(examples, prepare)
    else:
        return Accepted(np.arange(len(examples)), films, available, {})
    at = np.array([i for i in range(len(examples)) if i not in refused], np.int64)
    if not at.size:
        return Accepted(at, Films((), at, at), np.zeros((0, 1), dtype=bool), refused)
    films, available = cache.load(examples.subset(at), prepare, how, run.progress)
    return Accepted(at, films, available, refused)


def _refused(examples: Examples, prepare: Callable[[Example], PreparedFilms]) -> dict[int, NotSureError]:
    found: dict[int, NotSureError] = {}
    for i, example in enumerate(examples):
        try:
            prepare(example)
        except NotSureError as refusal:
            found[i] = refusal
    return found
