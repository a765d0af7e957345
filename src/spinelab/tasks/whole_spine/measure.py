"""The fifteen parameters with their units, what is withheld in words, and the classes that follow from them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from spinelab.core import Fact, Finding, Landmark, Measurement, Quantity
from spinelab.geometry import (
    LATERAL_LANDMARKS,
    NEEDS,
    ROUSSOULY_TYPES,
    SAGITTAL_QUANTITIES,
    SCHWAB_GRADES,
    facing_side,
    in_a_row,
    landmark_words,
    roussouly,
    sagittal_parameters,
    schwab,
    shares,
)
from spinelab.tasks.whole_spine.scale import implausible

Values = Mapping[tuple[str, str], NDArray[np.float64]]

TARGET: Final = "pi_ll_modifier"
CLASSES: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "pi_ll_modifier": (("pi_ll", "deg"),),
    "sva_modifier": (("sva", "mm"),),
    "pt_modifier": (("pt", "deg"),),
    "roussouly": (("ss", "deg"), ("pt", "deg")),
}
"""The parameters, by name and unit, that each class follows from."""
TITLES: Final = {
    "pi_ll_modifier": "SRS-Schwab PI-LL modifier",
    "sva_modifier": "SRS-Schwab SVA modifier",
    "pt_modifier": "SRS-Schwab PT modifier",
    "roussouly": "Roussouly type",
}
CERVICAL: Final = ("C7", "C7_1", "C7_2", "C7_3", "T1_1", "T1_2", "C2_1", "C2_2", "ODT", "FM_1", "FM_2", "Forehead", "Jaw")
"""The thirteen landmarks that the second stage finds again, from T1's upper endplate upwards."""
REGIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "cervical": CERVICAL,
    "thoracic": ("T1", "T4_1", "T4_2", "T12_1", "T12_2"),
    "lumbosacral": ("L1_1", "L1_2", "L4_1", "L4_2", "S_1", "S_2"),
    "pelvis": ("FH_1", "FH_2"),
}
_SINGLE: Final = ("T1", "C7", "ODT", "Forehead", "Jaw", "C7_3")
_PAIRS: Final = {
    "S": "the upper endplate of S1",
    "L1": "the upper endplate of L1",
    "L4": "the upper endplate of L4",
    "T4": "the upper endplate of T4",
    "T12": "the lower endplate of T12",
    "T1": "the upper endplate of T1",
    "C7": "the lower endplate of C7",
    "C2": "the lower endplate of C2",
    "FM": "the foramen magnum",
}
_NO_SIDE: Final = "which way the patient faces cannot be told from the landmarks"


def measure(points: Mapping[str, NDArray[np.float64]], spacing_mm: tuple[float, float] | None) -> dict[tuple[str, str], NDArray[np.float64]]:
    """Return every parameter whose landmarks are given, by name and unit.

    Parameters
    ----------
    points
        Landmark to x, y in pixels (..., 2); absent landmarks are left out.
    spacing_mm
        Millimetres between rows and between columns, if known. Angles are then taken from millimetres, which matters where pixels are not
        square, and SVA is given in millimetres as well; without it pixels are taken for square.
    """
    scale = np.ones(2) if spacing_mm is None else np.array([spacing_mm[1], spacing_mm[0]], np.float64)
    found: dict[tuple[str, str], NDArray[np.float64]] = {}
    for name, value in sagittal_parameters({name: np.asarray(at, np.float64) * scale for name, at in points.items()}).items():
        if name != "sva":
            found[name, "deg"] = value
            continue
        if spacing_mm is not None:
            found["sva", "mm"] = value
        found["sva", "px"] = value / scale[0]
    return found


def measurements(landmarks: Iterable[Landmark], spacing: Fact) -> tuple[Measurement, ...]:
    """Return every quantity of one film with its value, or the reason why there is none."""
    points = {p.name: np.array([p.x, p.y]) for p in landmarks}
    doubt = implausible(points, spacing)
    values = measure(points, None if doubt else spacing.value)
    given = []
    for quantity in SAGITTAL_QUANTITIES:
        value = values.get((quantity.name, quantity.unit))
        if value is not None and np.isfinite(value):
            given.append(Measurement(quantity.name, float(value), quantity.unit))
        else:
            given.append(Measurement(quantity.name, None, quantity.unit, withheld=withheld(quantity, points, spacing, doubt)))
    return tuple(given)


def withheld(quantity: Quantity, present: Collection[str], spacing: Fact, doubt: str = "") -> str:
    """Return in words why a quantity has no value: what is not on the film, or what is not known of the scale."""
    absent = [name for name in NEEDS[quantity.name] if name not in present]
    if absent:
        return not_on_film(absent)
    if quantity.unit == "mm" and not spacing.known:
        return f"no pixel spacing: {spacing.source}"
    if quantity.unit == "mm" and doubt:
        return doubt
    return _NO_SIDE


def not_on_film(absent: Collection[str]) -> str:
    """Return which structures are missing, as a reader calls them.

    >>> not_on_film(["FH_1", "FH_2", "L1_1", "L1_2"])
    'the femoral heads and the upper endplate of L1 are not on the film'
    """
    parts = []
    heads = [name for name in ("FH_1", "FH_2") if name in absent]
    if heads:
        parts.append("the femoral heads" if len(heads) == 2 else "one of the femoral heads")
    for stem, words in _PAIRS.items():
        ends = [end for end in ("1", "2") if f"{stem}_{end}" in absent]
        if ends:
            parts.append(words if len(ends) == 2 else landmark_words(f"{stem}_{ends[0]}"))
    parts += [landmark_words(name) for name in _SINGLE if name in absent]
    plural = len(parts) > 1 or parts == ["the femoral heads"]
    return f"{in_a_row(parts)} {'are' if plural else 'is'} not on the film"


def findings(values: Values) -> tuple[Finding, ...]:
    """Return the SRS-Schwab modifiers and the Roussouly type of those parameters that are given.

    Parameters
    ----------
    values
        Single numbers, or samples of them (...): then the probability of each class follows from its share of the samples, and the label is
        the commonest class. The modifier of SVA needs millimetres.

    Notes
    -----
    A probability says how sure the class is given the landmarks' uncertainty, not whether the patient has a deformity.
    """
    made = []
    for name, needed in CLASSES.items():
        if not set(needed) <= values.keys():
            continue
        if name == "roussouly":
            made.append(_finding(name, roussouly(*(values[key] for key in needed)), ROUSSOULY_TYPES))
        else:
            made.append(_finding(name, schwab(needed[0][0], values[needed[0]]), SCHWAB_GRADES))
    return tuple(finding for finding in made if finding is not None)


def unanswered(given: Iterable[Measurement]) -> tuple[str, ...]:
    """Return a sentence for each reason why classes have no answer: that of the parameter that they follow from."""
    reasons = {(m.name, m.unit): m.withheld for m in given if m.withheld is not None}
    found: dict[str, list[str]] = {}
    for name, needed in CLASSES.items():
        why = next((reasons[key] for key in needed if key in reasons), None)
        if why is not None:
            found.setdefault(why, []).append(TITLES[name])
    return tuple(f"No answer for {', '.join(titles)}: {why}." for why, titles in found.items())


def _finding(name: str, classes: NDArray[np.intp], names: tuple[str, ...]) -> Finding | None:
    numbers = np.asarray(classes).reshape(-1)
    if not (numbers >= 0).any():
        return None
    if numbers.size == 1:
        return Finding(name, names[int(numbers[0])])
    parts = shares(numbers, names)
    return Finding(name, max(parts, key=lambda label: parts[label]), parts)


def facing(landmarks: Iterable[Landmark]) -> str:
    """Return the image side to which the patient faces, ``left`` or ``right``; empty where the endplates do not tell."""
    return facing_of({p.name: np.array([p.x, p.y]) for p in landmarks})


def facing_of(points: Mapping[str, NDArray[np.float64]]) -> str:
    """Return the same for named points (2)."""
    pairs = [name for name in _PAIRS if f"{name}_1" in points and f"{name}_2" in points]
    side = float(facing_side(points)) if pairs else float("nan")
    return "" if not np.isfinite(side) else "right" if side > 0 else "left"


def as_landmarks(points: Mapping[str, tuple[float, float]]) -> tuple[Landmark, ...]:
    """Return the points of a film as landmarks in the task's order, with the femoral head that lies in front as ``FH_1``.

    Which of the heads is which does not matter to any parameter, but a network can only learn names that mean something on the film.
    """
    landmarks = tuple(Landmark(name, *points[name]) for name in LATERAL_LANDMARKS if name in points)
    if "FH_1" not in points or "FH_2" not in points:
        return landmarks
    forward = -1.0 if facing(landmarks) == "left" else 1.0
    heads = sorted((points["FH_1"], points["FH_2"]), key=lambda at: (-forward * at[0], at[1]))
    return tuple(Landmark(p.name, *heads[int(p.name[-1]) - 1]) if p.name in ("FH_1", "FH_2") else p for p in landmarks)
