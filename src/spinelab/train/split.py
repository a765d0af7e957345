"""The validation part, split off inside a fit: whole patients, every class in proportion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Split:
    """Positions of the training and the validation part; ``why`` says why there is no validation part."""

    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    why: str | None = None


def some_patients(groups: Sequence[str], count: int, seed: Sequence[int]) -> set[str]:
    """Return so many of the patients, drawn by the seed."""
    patients = sorted(set(groups))
    return {patients[i] for i in np.random.default_rng(seed).permutation(len(patients))[:count]}


def validation_split(labels: NDArray[np.int64], groups: Sequence[str], fraction: float, seed: int) -> Split:
    """Return a split of whole patients, stratified by each patient's rarest class.

    A patient with films of several classes counts for the rarest of them. A class gives at least one patient to the validation part
    once it has three, and always keeps two; classes with fewer stay in the training part.
    """
    everyone = np.arange(len(labels))
    if fraction == 0:
        return Split(everyone, everyone[:0], "no validation part was asked for")
    strata = _strata(labels, groups)
    chosen = _choose(strata, fraction, np.random.default_rng([seed, 0x5A11]))
    if len({strata[patient] for patient in chosen}) < 2:
        words = "too few patients for a validation part with two classes: trained for the full number of passes, without early stopping"
        return Split(everyone, everyone[:0], words)
    held = np.array([group in chosen for group in groups])
    return Split(everyone[~held], everyone[held])


def _strata(labels: NDArray[np.int64], groups: Sequence[str]) -> dict[str, int]:
    counts = np.bincount(labels)
    strata: dict[str, int] = {}
    for label, group in zip(labels.tolist(), groups, strict=True):
        if group not in strata or counts[label] < counts[strata[group]]:
            strata[group] = label
    return strata


def _choose(strata: dict[str, int], fraction: float, rng: np.random.Generator) -> set[str]:
    chosen: set[str] = set()
    for label in sorted(set(strata.values())):
        patients = sorted(patient for patient, own in strata.items() if own == label)
        wanted = max(1, round(fraction * len(patients))) if len(patients) >= 3 else 0
        chosen.update(patients[i] for i in rng.permutation(len(patients))[: min(wanted, len(patients) - 2)])
    return chosen
