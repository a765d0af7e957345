"""The five lumbar disc levels of an examination that comes without coordinates, and from them the places of all 25 questions.

A network of the landmark engine sees slices around the middle of the sagittal T2 series and marks the canal at each disc. What the training
coordinates say about where foramina and recesses lie, seen from the canal, gives their places; `spinelab.geometry.planes` carries
them into the series on which each question is asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinelab.core import Examples, Run, Study
from spinelab.tasks.lumbar_mri.levels_settings import LevelSettings
from spinelab.tasks.lumbar_mri.places import Place

__all__ = ["LevelFinder", "LevelSettings", "Located", "fit_levels"]


@dataclass(frozen=True, eq=False)
class Located:
    """Where the questions of an examination are to be asked.

    Parameters
    ----------
    places
        Every question that could be placed, in the order of `QUESTIONS`; ``target.mark`` names series, slice number and pixel, ``target.grade`` is ``None``.
    withheld
        For every other question (its place among the 25) the reason.
    certainty
        Probability that the names of the levels are right, by the network's own maps and, where there were enough studies, by how often they were right
        on some that were not trained on; one level off is the usual error.
    confidence
        For each level that was found, the probability that its canal lies near the point.
    notes
        Sentences that a reader of the answers has to know.
    """

    places: tuple[Place, ...]
    withheld: Mapping[int, str]
    certainty: float
    confidence: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def fit_levels(examples: Examples, settings: LevelSettings, run: Run) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Learn to find the levels from examples whose studies have ``places`` (`spinelab.tasks.lumbar_mri.data.examples`).

    Returns
    -------
    tensors
        The network's weights.
    record
        Everything else that `LevelFinder` needs, and how the training went; JSON-able.

    Raises
    ------
    InputError
        If fewer than three studies have all five canal levels marked on a sagittal T2 series.
    """
    from spinelab.tasks.lumbar_mri.levels_fit import fit

    return fit(examples, settings, run)


class LevelFinder:
    """A trained level finder, made from what `fit_levels` returned."""

    def __init__(self, tensors: Mapping[str, NDArray[Any]], record: Mapping[str, Any]) -> None:
        self.tensors, self.record = tensors, record
        self.settings = LevelSettings().with_overrides(record["settings"])
        self._network: Any = None

    @property
    def stride(self) -> int:
        """Canvas pixels a cell of the maps."""
        from spinelab.nn.landmark_net import STRIDES

        return STRIDES[self.settings.model]

    def maps(self, canvases: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Return what the network sees on canvases ``(slices, rows, columns)``: the probability of each cell ``(slices, 5, h, w)``."""
        from spinelab.core import Model
        from spinelab.tasks.lumbar_mri.levels_find import network_maps
        from spinelab.tasks.lumbar_mri.levels_task import LevelTask
        from spinelab.train.landmark_weights import networks

        if self._network is None:
            task = LevelTask()
            self._network = networks(task, Model(task.name, self.settings, (), dict(self.tensors), dict(self.record["network"])))[0]
        return network_maps(self._network, canvases, self.settings)

    def find(self, study: Study) -> Located:
        """Find the levels of a study read by `read_bare` or `open_study`.

        Raises
        ------
        NotSureError
            No sagittal T2 series, or no level that the network is sure of.
        """
        from spinelab.tasks.lumbar_mri.levels_find import find

        return find(self, study)
