"""Grades by level and side in one table, for results with the same question at many sites."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from spinelab.core import Finding, Result

LEAST: Final = 6
"""Findings with a site from which on a table says more than a card each."""
GRADES_TEXT: Final = "Sides are the patient's own; the right stands on the left, as a slice hangs. The number is the probability of the grade."
_SIDES: Final = ("right", None, "left")
"""As a slice hangs: the patient's right on the picture's left."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One grade: the answer, its probability, and how high it is among its grades, 0 to 1; no ``label`` where it is withheld."""

    label: str | None
    probability: float | None
    height: float
    others: str


@dataclass(frozen=True, slots=True)
class Grid:
    """``columns`` (name, side) and a row a site, a cell or ``None`` for each column."""

    columns: tuple[tuple[str, str | None], ...]
    rows: tuple[tuple[str, tuple[Cell | None, ...]], ...]


def grid_of(result: Result) -> Grid | None:
    """Return the table of a result; ``None`` where its findings have no sites or are few."""
    sited = [finding for finding in result.findings if finding.site is not None]
    if len(sited) < LEAST or len(sited) < len(result.findings):
        return None
    names = list(dict.fromkeys(finding.name for finding in sited))
    there = {(finding.name, finding.side) for finding in sited}
    columns = tuple((name, side) for name in names for side in _SIDES if (name, side) in there)
    sites = list(dict.fromkeys(str(finding.site) for finding in sited))
    by_place = {(str(f.site), f.name, f.side): f for f in sited}
    rows = tuple((site, tuple(_cell(by_place.get((site, *column))) for column in columns)) for site in sites)
    return Grid(columns, rows)


def _cell(finding: Finding | None) -> Cell | None:
    if finding is None:
        return None
    grades = list(finding.probabilities)
    if finding.label is None or not grades:
        return Cell(finding.label, None, 0.0, "")
    height = grades.index(finding.label) / max(1, len(grades) - 1)
    others = ", ".join(f"{name} {share:.2f}" for name, share in finding.probabilities.items())
    return Cell(finding.label, finding.probabilities[finding.label], height, others)
