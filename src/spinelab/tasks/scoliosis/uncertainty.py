"""How wrong a film's vertebrae and their names could be, as films of held-out patients tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from spinelab.geometry import CORNERS
from spinelab.tasks.scoliosis import measure
from spinelab.train.column_samples import VertebraError, erring, renamed

if TYPE_CHECKING:
    from spinelab.train.landmark_reading import Reading


def meant(reading: Reading, learnt: Mapping[str, Any]) -> Reading:
    """Return the reading with samples that err and are named as vertebrae of held-out patients were; ``learnt`` is what the calibration holds of the head.

    A model that learnt nothing about its errors keeps its samples.
    """
    levels = measure.found_levels(reading.found())
    if "error" not in learnt or len(levels) < 2 or not measure.joined(levels):
        return reading
    factors = measure.scale(reading.spacing.value)
    where = [reading.names.index(f"{level}_{corner}") for level in levels for corner in CORNERS]
    column = reading.samples[:, where].reshape(-1, len(levels), len(CORNERS), 2) * factors
    column = renamed(erring(column, VertebraError.from_dict(learnt["error"])), reading.facts.get("alternatives", {0: 1.0}))
    samples = reading.samples.copy()
    samples[:, where] = np.reshape(column / factors, (len(samples), -1, 2))
    return replace(reading, samples=samples, counted=1.0)
