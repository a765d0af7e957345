"""How hard the phantoms are: everything that ``easy``, ``typical`` and ``hard`` change, and nothing that depends on the label."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from spinelab.core import TaskError

Range = tuple[float, float]


@dataclass(frozen=True)
class Difficulty:
    """Limits from which each patient and film is drawn.

    Parameters
    ----------
    prevalence
        Part of the patients with a slip.
    slip_percent
        Size of a slip in per cent of the endplate below.
    settle_percent
        Standard deviation of the displacement of levels without a slip.
    side_deg, turn_deg
        Largest coronal tilt and axial rotation of a vertebra.
    patient_turn_deg
        Standard deviation of the patient's rotation and tilt on the table.
    quanta
        Photons a mm2 without a patient.
    spread
        How much patients and exposures vary, 1 as usual.
    facing
        Image sides to which patients may face on a lateral film.
    borders
        Part of the films that show the collimator's edges.
    """

    prevalence: float
    slip_percent: Range
    settle_percent: float
    several: float
    missing: float
    age_matters: bool
    side_deg: float
    turn_deg: float
    patient_turn_deg: float
    quanta: Range
    scatter: Range
    blur_mm: Range
    flatten: Range
    spread: float
    facing: tuple[str, ...]
    borders: float
    field_margin_mm: Range
    gas: Range
    cobb_deg: Range


DIFFICULTY: Final = {
    "easy": Difficulty(
        prevalence=0.40, slip_percent=(40, 60), settle_percent=0.4, several=0.0, missing=0.0, age_matters=False, side_deg=0.0, turn_deg=0.0,
        patient_turn_deg=0.0, quanta=(1e6, 2e6), scatter=(0.10, 0.25), blur_mm=(0.25, 0.4), flatten=(0.75, 0.9), spread=0.1,
        facing=("left",), borders=0.0,
        field_margin_mm=(56, 64), gas=(0.3, 0.7), cobb_deg=(35, 65),
    ),
    "typical": Difficulty(
        prevalence=0.19, slip_percent=(8, 40), settle_percent=1.1, several=0.0, missing=0.03, age_matters=True, side_deg=3.0, turn_deg=3.0,
        patient_turn_deg=2.0, quanta=(1.5e5, 5e5), scatter=(0.2, 0.6), blur_mm=(0.3, 0.6), flatten=(0.55, 0.85), spread=1.0,
        facing=("left", "right"), borders=0.4,
        field_margin_mm=(30, 110), gas=(0.5, 1.0), cobb_deg=(20, 60),
    ),
    "hard": Difficulty(
        prevalence=0.19, slip_percent=(6, 25), settle_percent=1.5, several=0.25, missing=0.08, age_matters=True, side_deg=11.0, turn_deg=8.0,
        patient_turn_deg=4.5, quanta=(8e4, 4e5), scatter=(0.4, 1.2), blur_mm=(0.35, 1.0), flatten=(0.35, 0.75), spread=1.9,
        facing=("left", "right"), borders=0.4,
        field_margin_mm=(12, 110), gas=(0.6, 1.3), cobb_deg=(12, 50),
    ),
}  # fmt: skip


def of(name: str) -> Difficulty:
    """Return the limits of a difficulty; raises `TaskError` for an unknown name."""
    if name not in DIFFICULTY:
        raise TaskError(f"Difficulty {name!r}", expected=f"one of {', '.join(DIFFICULTY)}", action="choose one of them")
    return DIFFICULTY[name]
