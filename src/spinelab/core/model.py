"""A trained model as data: settings, classes, weights and the record of how it came to be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinelab.core.settings import Settings


@dataclass(eq=False)
class Model:
    """Everything that is written to a model folder.

    Parameters
    ----------
    task
        Name of the task that made it.
    settings
        The settings it was trained with.
    classes
        Class names in the order of its probabilities.
    tensors
        Weights by name.
    record
        What a reader of the model needs to know: training data summary and digest, patients and images a class, pretrained
        weights or scratch, device, precision, history (one row an epoch), seconds, peak memory, seed, versions, notes.
    preprocessing
        What was done to an image before the network saw it.
    network
        The live network, made from ``tensors`` on first use and never written.
    kept
        What else a task keeps between two questions to this model, by name; never written.
    """

    task: str
    settings: Settings
    classes: tuple[str, ...]
    tensors: Mapping[str, NDArray[Any]]
    record: dict[str, Any] = field(default_factory=dict)
    preprocessing: dict[str, Any] = field(default_factory=dict)
    network: Any = None
    kept: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def parameters(self) -> int:
        """Number of stored weights."""
        return int(sum(np.size(t) for t in self.tensors.values()))

    @property
    def name(self) -> str:
        """What reports call it: the architecture if the settings name one."""
        return str(getattr(self.settings, "model", self.task))
