"""The score of the RSNA 2024 lumbar spine competition, its submission file, and what constants reach.

Definition: the competition's metric notebook (kaggle.com/code/metric/rsna-lumbar-metric-71549). Log loss with the weight of the true grade (1, 2, 4),
pooled over all scored rows of a condition, for the spinal canal, the foramina and the lateral recesses; and a binary log loss a study, *any severe
spinal canal stenosis*, whose label is whether any scored canal row is severe, whose weight is the largest of their weights, and whose
prediction is the largest of their severe probabilities. The score is the mean of the four. Rows without a grade are not scored. As in scikit-learn
1.2, which the notebook ran on, probabilities are clipped at the float's epsilon and rows of three are divided by their sum. Checked against
scikit-learn and a plain computation in ``tests/evaluation/test_rsna.py``; ``docs/reference/lumbar-mri.md`` tells more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spinelab.core import InputError, plural
from spinelab.evaluation.resampling import BOOTSTRAPS, Distribution, Floats, draw_counts, patient_codes, ratio

GRADES: Final = ("normal_mild", "moderate", "severe")
GRADE_WEIGHTS: Final = (1.0, 2.0, 4.0)
CONDITIONS: Final = (
    "spinal_canal_stenosis",
    "left_neural_foraminal_narrowing",
    "right_neural_foraminal_narrowing",
    "left_subarticular_stenosis",
    "right_subarticular_stenosis",
)
LEVELS: Final = ("l1_l2", "l2_l3", "l3_l4", "l4_l5", "l5_s1")
COLUMNS: Final = tuple(f"{condition}_{level}" for condition in CONDITIONS for level in LEVELS)
"""The 25 targets of a study, as the columns of ``train.csv`` are named."""
CONDITION_GROUPS: Final = {"spinal": (0,), "foraminal": (1, 2), "subarticular": (3, 4)}
"""What the metric calls a condition, as places in `CONDITIONS`."""
PARTS: Final = (*CONDITION_GROUPS, "any_severe_spinal")
SCORES: Final = ("score", *PARTS)
SUM_TOLERANCE: Final = 0.01
"""How far a row's probabilities may be from adding up to 1; the competition's own sample says 0.333 three times."""

_MISSING: Final = -1
_EPSILON: Final = float(np.finfo(np.float64).eps)
_SEVERE: Final = GRADES.index("severe")
_WEIGHTS: Final = np.array(GRADE_WEIGHTS)


@dataclass(frozen=True, eq=False)
class RsnaLabels:
    """True grades: ``studies`` (n names) and ``grades`` (n, 25) in the order of `COLUMNS`, 0, 1, 2 or -1 where no grade was given."""

    studies: tuple[str, ...]
    grades: NDArray[np.int8]

    def __post_init__(self) -> None:
        if self.grades.shape != (len(self.studies), len(COLUMNS)) or not self.studies:
            raise InputError(f"Grades of shape {self.grades.shape} for {len(self.studies)} studies", expected="(studies, 25)", action="give a row a study")
        if len(set(self.studies)) < len(self.studies):
            raise InputError("A study stands in two rows of the grades", expected="one row a study", action="remove one of them")
        if not np.isin(self.grades, (_MISSING, 0, 1, 2)).all():
            raise InputError("A grade other than 0, 1, 2 or -1", expected="Normal/Mild, Moderate, Severe, or none", action="correct the grade")


@dataclass(frozen=True, eq=False)
class _Sums:
    """Per study: weighted loss and weight (n, 4), in the order of `PARTS`."""

    loss: Floats
    weight: Floats


def rsna_score(labels: RsnaLabels, probabilities: NDArray[Any]) -> dict[str, float]:
    """Return the score and its four parts, nan where a part has no scored row.

    Parameters
    ----------
    probabilities
        (n, 25, 3) for the studies of ``labels`` in their order; rows without a grade are not looked at.

    Raises
    ------
    InputError
        A scored row is negative, not finite, or does not add up to 1 within `SUM_TOLERANCE`.
    """
    sums = _sums(labels, probabilities)
    return _scores(ratio(sums.loss.sum(axis=0), sums.weight.sum(axis=0)))


def rsna_distributions(
    labels: RsnaLabels, probabilities: NDArray[Any], *, patients: Sequence[str] | None = None, bootstraps: int = BOOTSTRAPS, seed: int = 0
) -> dict[str, Distribution]:
    """Return the score and its parts with their values in resamples of whole studies (of whole ``patients`` where given).

    Same ``labels``, ``bootstraps`` and ``seed`` draw the same resamples, so that two models are compared by the difference of their samples.
    """
    sums = _sums(labels, probabilities)
    codes, count = patient_codes(patients if patients is not None else labels.studies)
    drawn = draw_counts(count, bootstraps, seed).astype(np.float64)
    loss, weight = (_by_patient(table, codes, count) for table in (sums.loss, sums.weight))
    parts = ratio(drawn @ loss, drawn @ weight)
    samples = np.column_stack([parts.mean(axis=1), parts])
    values = _scores(ratio(loss.sum(axis=0), weight.sum(axis=0)))
    return {name: Distribution(values[name], samples[:, place], count) for place, name in enumerate(SCORES)}


def check_probabilities(probabilities: NDArray[Any], names: Sequence[str]) -> Floats:
    """Return rows of three probabilities as floats; refuse values below 0, not finite, or with a wrong sum, by the row's name."""
    rows = np.asarray(probabilities, dtype=np.float64)
    if rows.ndim != 2 or rows.shape != (len(names), len(GRADES)):
        raise InputError(f"Probabilities of shape {rows.shape}", expected=f"({len(names)}, 3): {', '.join(GRADES)}", action="give three a row")
    finite = np.isfinite(rows).all(axis=1)
    wrong = ~finite | (rows < 0).any(axis=1) | (np.abs(np.where(finite, rows.sum(axis=1), 1.0) - 1) > SUM_TOLERANCE)
    if wrong.any():
        first = int(np.flatnonzero(wrong)[0])
        shown = ", ".join(f"{value:.4g}" for value in rows[first])
        raise InputError(
            f"{names[first]}: probabilities {shown} ({plural(int(wrong.sum()), 'such row')})",
            expected=f"three finite values of at least 0 that add up to 1 within {SUM_TOLERANCE}",
            action="correct the predictions, or divide every row by its sum, as the competition's metric does; here they are not scaled silently",
        )
    return rows


def weighted_losses(labels: RsnaLabels, probabilities: NDArray[Any]) -> tuple[Floats, Floats]:
    """Return each target's log loss times the weight of its true grade, and that weight: (n, 25) each, 0 where no grade was given.

    Raises
    ------
    InputError
        As for `rsna_score`.
    """
    return _weighted_losses(labels.grades, _checked(labels, probabilities))


def _checked(labels: RsnaLabels, probabilities: NDArray[Any]) -> Floats:
    """Return the probabilities of the scored rows, checked, and one third everywhere else."""
    table = np.asarray(probabilities, dtype=np.float64)
    if table.shape != (*labels.grades.shape, len(GRADES)):
        raise InputError(f"Probabilities of shape {table.shape}", expected=f"{(*labels.grades.shape, 3)}", action="predict all 25 targets of every study")
    scored = labels.grades != _MISSING
    names = [f"{labels.studies[i]}_{COLUMNS[j]}" for i, j in zip(*np.nonzero(scored), strict=True)]
    checked = np.full(table.shape, 1 / len(GRADES))
    checked[scored] = check_probabilities(table[scored], names)
    return checked


def _weighted_losses(grades: NDArray[np.int8], checked: Floats) -> tuple[Floats, Floats]:
    scored = grades != _MISSING
    weights = np.where(scored, _WEIGHTS[grades], 0.0)
    clipped = np.clip(checked, _EPSILON, 1 - _EPSILON)
    truth = np.where(scored, grades, 0).astype(np.intp)[..., None]
    return -np.log(np.take_along_axis(clipped, truth, axis=2)[..., 0] / clipped.sum(axis=2)) * weights, weights


def _sums(labels: RsnaLabels, probabilities: NDArray[Any]) -> _Sums:
    checked = _checked(labels, probabilities)
    losses, weights = _weighted_losses(labels.grades, checked)
    by_condition = [np.add.reduce(_grouped(array), axis=2) for array in (losses, weights)]
    loss, weight = (np.column_stack([part[:, list(places)].sum(axis=1) for places in CONDITION_GROUPS.values()]) for part in by_condition)
    any_loss, any_weight = _any_severe(labels.grades[:, : len(LEVELS)], checked[:, : len(LEVELS), _SEVERE])
    return _Sums(np.column_stack([loss, any_loss]), np.column_stack([weight, any_weight]))


def _grouped(table: Floats) -> Floats:
    """Return (n, conditions, levels)."""
    return table.reshape(len(table), len(CONDITIONS), len(LEVELS))


def _any_severe(grades: NDArray[np.int8], severe: Floats) -> tuple[Floats, Floats]:
    """Return weighted loss and weight of *any severe* for each study, from its canal rows: grades and severe probabilities (n, 5)."""
    scored = grades != _MISSING
    highest = grades.max(axis=1)
    weight = np.where(scored.any(axis=1), _WEIGHTS[np.maximum(highest, 0)], 0.0)
    chance = np.clip(np.where(scored, severe, 0.0).max(axis=1), _EPSILON, 1 - _EPSILON)
    return -np.log(np.where(highest == _SEVERE, chance, 1 - chance)) * weight, weight


def _by_patient(table: Floats, codes: NDArray[np.int64], count: int) -> Floats:
    return np.column_stack([np.bincount(codes, column, count) for column in table.T])


def _scores(parts: Floats) -> dict[str, float]:
    return {"score": float(parts.mean()), **{name: float(value) for name, value in zip(PARTS, parts, strict=True)}}
