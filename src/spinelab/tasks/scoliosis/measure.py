"""The Cobb angles of a spine by two rules, balance as far as T1 to L5 tell it, and what is withheld in words."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from spinelab.core import Fact, Quantity
from spinelab.geometry import (
    CORNER_LANDMARKS,
    CORNERS,
    REGION_MEASUREMENTS,
    THORACOLUMBAR,
    challenge_cobb,
    regional_cobb,
    t1_l5_offset,
    tilts,
    trunk_tilt_deg,
)
from spinelab.geometry.cobb import turned_deg

Values = dict[tuple[str, str], NDArray[np.float64]]

TARGET: Final = "surgical_range"
CLASSES: Final = ("below", "surgical-range")
CHALLENGE: Final = ("cobb_max", "cobb_upper", "cobb_lower")
BALANCE: Final = ("trunk_tilt", "t1_l5_offset")
"""What is measured between the centres of T1 and L5."""
REGIONAL_NAMES: Final = tuple(dict.fromkeys(REGION_MEASUREMENTS.values()))
QUANTITIES: Final = (
    Quantity("cobb_max", "deg", "Largest Cobb angle by the AASCE rule", "largest angle between the mid-lines of two vertebrae", comparison=True),
    Quantity("cobb_upper", "deg", "Second Cobb angle by the AASCE rule", "from the upper of these two vertebrae upwards", comparison=True),
    Quantity("cobb_lower", "deg", "Third Cobb angle by the AASCE rule", "from the lower of them down; in a low S shape the topmost curve", comparison=True),
    Quantity("cobb_proximal_thoracic", "deg", "Proximal thoracic Cobb angle", "endplates of the end vertebrae of the curve with its apex at T3 to T5"),
    Quantity("cobb_main_thoracic", "deg", "Main thoracic Cobb angle", "endplates of the end vertebrae of the curve with its apex at T6 to T11/T12"),
    Quantity("cobb_thoracolumbar_lumbar", "deg", "Thoracolumbar / lumbar Cobb angle", "endplates of the end vertebrae of the curve with its apex at T12 to L4"),
    Quantity("trunk_tilt", "deg", "Trunk tilt", "line from the centre of L5 to that of T1 against the vertical; positive to the picture's right"),
    Quantity("t1_l5_offset", "mm", "T1 to L5 offset", "horizontal distance of the centre of T1 from that of L5; positive to the picture's right"),
    Quantity("t1_l5_offset", "px", "T1 to L5 offset", "the same in pixels"),
)
NEEDED: Final[Mapping[str, tuple[str, ...]]] = {
    "cobb_proximal_thoracic": THORACOLUMBAR[:7],
    "cobb_main_thoracic": THORACOLUMBAR[2:14],
    "cobb_thoracolumbar_lumbar": THORACOLUMBAR[8:],
}
"""Levels that have to be on the film for a regional curve: those that its apex and its end vertebrae can be."""
LEAST_LEVELS: Final = 5


@dataclass(frozen=True, slots=True)
class Place:
    """Where a Cobb angle was measured: its end vertebrae (``T5-T12``), and whether the curve is convex to the picture's right."""

    site: str
    to_the_right: bool


def class_of(cobb_max_deg: float, threshold_deg: float) -> str:
    """Return the class of a largest Cobb angle."""
    return CLASSES[int(cobb_max_deg >= threshold_deg)]


def of_corners(corners: NDArray[np.float64], spacing_mm: tuple[float, float] | None, rows: int | None, levels: Sequence[str] = THORACOLUMBAR) -> Values:
    """Measure complete columns ``(..., levels, 4, 2)`` in pixels of a film with ``rows`` rows; angles are nan where there is no such curve.

    ``levels`` of a patient without an L5 end with L4, and nothing is said of a line from L5 to T1.
    """
    factors = scale(spacing_mm)
    true = corners * factors
    height = None if rows is None else rows * factors[1]
    values: Values = {(name, "deg"): angle for name, angle in zip(CHALLENGE, np.moveaxis(challenge_cobb(true, height).angles_deg, -1, 0), strict=True)}
    values |= _regional(true, levels)
    if levels[-1] != THORACOLUMBAR[-1]:
        return values
    # A line has no direction here: a column that was written upside down in a table is still upright.
    values["trunk_tilt", "deg"] = turned_deg(trunk_tilt_deg(true))
    if spacing_mm is not None:
        values["t1_l5_offset", "mm"] = t1_l5_offset(true)
    values["t1_l5_offset", "px"] = t1_l5_offset(corners)
    return values


def _regional(corners: NDArray[np.float64], names: Sequence[str]) -> Values:
    """Return the regional angles, nan for a sample without a curve there."""
    flat = corners.reshape(-1, *corners.shape[-3:])
    found = regional_cobb(flat, names)
    lead = corners.shape[:-3]
    return {(name, "deg"): found.angles_deg[:, k].reshape(lead) for k, name in enumerate(REGIONAL_NAMES)}


def measure(points: Mapping[str, NDArray[np.float64]], spacing_mm: tuple[float, float] | None, rows: int | None) -> Values:
    """Measure what the levels on the film allow: all where all 17 are there, else the regional curves that are wholly on it."""
    levels = found_levels(points)
    if len(levels) == len(THORACOLUMBAR):
        return of_corners(corners_of(points, levels), spacing_mm, rows)
    if len(levels) < LEAST_LEVELS or not joined(levels):
        return {}
    values = _regional(corners_of(points, levels) * scale(spacing_mm), levels)
    return {(name, unit): value for (name, unit), value in values.items() if set(NEEDED[name]) <= set(levels)}


def places(
    points: Mapping[str, NDArray[np.float64]], spacing_mm: tuple[float, float] | None, rows: int | None, column: Sequence[str] = THORACOLUMBAR
) -> dict[str, Place]:
    """Return where the Cobb angles of one film are measured, by name: those of `measure` that lie between two vertebrae.

    ``column`` are the levels that the patient has; the challenge's angles are those of all of them.
    """
    levels = found_levels(points)
    if len(levels) < LEAST_LEVELS or not joined(levels):
        return {}
    factors = scale(spacing_mm)
    true = corners_of(points, levels) * factors
    regional = regional_cobb(true, levels)
    found = {
        name: Place(site_of(levels, *ends), bool(side > 0))
        for name, ends, side in zip(REGIONAL_NAMES, regional.ends.tolist(), regional.convexity, strict=True)
        if side
    }
    if not set(column) <= set(levels):
        return found
    tilt = tilts(true).middle_deg
    ends = challenge_cobb(true, None if rows is None else rows * factors[1]).ends.tolist()
    between = {name: (upper, lower) for name, (upper, lower) in zip(CHALLENGE, ends, strict=True) if upper != lower}
    return found | {name: Place(site_of(levels, *ends), bool(turned_deg(tilt[ends[1]] - tilt[ends[0]]) > 0)) for name, ends in between.items()}


def site_of(levels: Sequence[str], upper: int, lower: int) -> str:
    """Return the end vertebrae of a curve as a site."""
    return f"{levels[upper]}-{levels[lower]}"


def scale(spacing_mm: tuple[float, float] | None) -> NDArray[np.float64]:
    """Return what x and y in pixels are multiplied by; pixels are square where their size is not known."""
    return np.ones(2) if spacing_mm is None else np.array([spacing_mm[1], spacing_mm[0]], np.float64)


def found_levels(points: Collection[str]) -> tuple[str, ...]:
    """Return the levels with all four corners, from top to bottom."""
    return tuple(level for level in THORACOLUMBAR if all(f"{level}_{corner}" in points for corner in CORNERS))


def corners_of(points: Mapping[str, NDArray[np.float64]], levels: Sequence[str]) -> NDArray[np.float64]:
    """Return the corners ``(..., levels, 4, 2)``."""
    return np.stack([np.stack([np.asarray(points[f"{level}_{corner}"], np.float64) for corner in CORNERS], axis=-2) for level in levels], axis=-3)


def joined(levels: Sequence[str]) -> bool:
    """Return whether no level is missing between the first and the last."""
    first = THORACOLUMBAR.index(levels[0])
    return tuple(levels) == THORACOLUMBAR[first : first + len(levels)]


def absent(name: str, levels: Collection[str]) -> list[str]:
    """Return the levels that a quantity needs and that were not found, from top to bottom."""
    return [level for level in NEEDED.get(name, THORACOLUMBAR) if level not in levels]


def withheld(quantity: Quantity, present: Collection[str], spacing: Fact, *, certain: bool) -> str:
    """Return in words why a quantity has no value; a level that was not found may be there under another name where the names are not ``certain``."""
    missing = absent(quantity.name, found_levels(present))
    if missing and not certain:
        return f"no vertebra was named {spans(missing)}; the names may be wrong"
    if missing:
        return f"{spans(missing)} {'was' if len(missing) == 1 else 'were'} not found on the film"
    if quantity.unit == "mm" and not spacing.known:
        return f"no pixel spacing: {spacing.source}"
    if quantity.name in NEEDED:
        return "no curve has its apex in this region"
    return "it cannot be measured on these points"


def spans(levels: Sequence[str]) -> str:
    """Return levels, from top to bottom, as a reader names them: ``T1, T4 to T9``; two in a row are named one by one."""
    runs: list[list[str]] = []
    for level in levels:
        if runs and joined((runs[-1][-1], level)):
            runs[-1].append(level)
        else:
            runs.append([level])
    return ", ".join(f"{run[0]} to {run[-1]}" if len(run) > 2 else ", ".join(run) for run in runs)


def mirrored() -> tuple[int, ...]:
    """Return which corner each of the 68 becomes in a mirrored film."""
    order = np.arange(len(CORNER_LANDMARKS)).reshape(-1, 4)[:, [1, 0, 3, 2]]
    return tuple(int(i) for i in order.ravel())
