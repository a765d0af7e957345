"""Answers beside truths: measurements by name and unit, and by site and side where a film has several; landmarks by name."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spinelab.core import Measurement, Quantity, Result, at_several_places
from spinelab.core.measuring import column_of, place_of
from spinelab.report.measured import MeasuredLandmarks, MeasuredQuantity, Remarks
from spinelab.report.reading import levels

NOT_GIVEN: Final = "not given"
REFUSED: Final = "the film was refused"


@dataclass(frozen=True)
class Kind:
    """What makes two measurements the same quantity; with ``anywhere`` they may differ in site and side."""

    quantity: Quantity
    site: str | None = None
    side: str | None = None
    anywhere: bool = False

    def of(self, result: Result) -> Measurement | None:
        """Return a result's measurement of this kind."""
        same = result.measured(self.quantity.name, self.quantity.unit)
        return next((m for m in same if self.anywhere or (m.site, m.side) == (self.site, self.side)), None)

    @property
    def place(self) -> str:
        """Site and side as a part of a column's name: ``_L4_L5_left``."""
        return place_of(self.site, self.side)

    @property
    def title(self) -> str:
        """The quantity's title, with site and side."""
        return " ".join(part for part in (self.quantity.title, self.site, self.side) if part)

    @property
    def column(self) -> str:
        """Stem of its columns in a table: ``cobb_max_deg``, or ``slip_L4_L5_percent`` with a site."""
        return column_of(self.quantity.name, self.quantity.unit, self.site, self.side)


def kinds(quantities: Sequence[Quantity], truths: Sequence[Result], answers: Sequence[Result] = ()) -> tuple[Kind, ...]:
    """Return every kind of measurement that occurs, in the order of the quantities; what no film has twice is one kind, wherever it was measured."""
    several = at_several_places((*truths, *answers))
    found: dict[tuple[str, str], dict[tuple[str | None, str | None, bool], None]] = {}
    for result in (*truths, *answers):
        for m in result.measurements:
            place = (m.site, m.side, False) if (m.name, m.unit) in several else (None, None, True)
            found.setdefault((m.name, m.unit), {})[place] = None
    return tuple(Kind(q, *place) for q in quantities for place in found.get((q.name, q.unit), ()))


def metric_name(name: str, statistic: str, unit: str) -> str:
    """Return the name of a metric in ``evaluation.json``: ``cobb_max_mae_deg``."""
    unit = {"%": "percent", "1": ""}.get(unit, unit)
    return "_".join(part for part in (name, statistic, unit) if part)


def measured_quantity(kind: Kind, answers: Sequence[Result], truths: Sequence[Result]) -> MeasuredQuantity:
    """Return a quantity's answers and truths, row by row; figures are added later."""
    table = np.full((4, len(truths)), np.nan)
    reasons: Counter[str] = Counter()
    for row, (answer, truth) in enumerate(zip(answers, truths, strict=True)):
        given, true = kind.of(answer), kind.of(truth)
        known = true is not None and true.value is not None
        if true is not None and true.value is not None:
            table[3, row] = true.value
        if given is not None and given.value is not None:
            table[:3, row] = given.value, *(given.interval or (math.nan, math.nan))
        elif known:
            reasons[_why_not(answer, given)] += 1
    quantity, name = kind.quantity, f"{kind.quantity.name}{kind.place}"
    return MeasuredQuantity(name, kind.column, quantity.unit, kind.title, quantity.how, table[0], table[1], table[2], table[3], dict(reasons.most_common()))


def _why_not(answer: Result, given: Measurement | None) -> str:
    """Return why a value is missing; a film of which nothing was answered was refused."""
    if given is not None and given.withheld is not None:
        return given.withheld
    return NOT_GIVEN if answer.measurements or answer.landmarks or answer.findings else REFUSED


def remarks_of(answer: Result, asked: Sequence[Kind]) -> Remarks:
    """Return the certainty of an answer's levels, its notes, and what it withheld: columns of one reason together."""
    reasons: dict[str, list[str]] = {}
    for kind in asked:
        given = kind.of(answer)
        if given is not None and given.withheld is not None:
            reasons.setdefault(given.withheld, []).append(kind.column)
    stated = levels(answer)
    withheld = tuple(f"{', '.join(columns)}: {reason}" for reason, columns in reasons.items())
    return Remarks(None if stated is None else stated.probability, withheld, tuple(answer.notes))


def landmark_tables(answers: Sequence[Result], truths: Sequence[Result], spacings: Sequence[Any]) -> MeasuredLandmarks | None:
    """Return landmarks by name and their distances from the truth; ``None`` where no truth has any.

    Parameters
    ----------
    spacings
        Row and column spacing of each film in millimetres, or ``None``.
    """
    names = tuple(dict.fromkeys(p.name for truth in truths for p in truth.landmarks))
    if not names:
        return None
    predicted, truth = (_points(results, names) for results in (answers, truths))
    offset = predicted - truth
    pixel = np.array([[math.nan, math.nan] if s is None else [s[1], s[0]] for s in spacings], dtype=np.float64).reshape(-1, 1, 2)
    return MeasuredLandmarks(names, predicted, truth, _length(offset), _length(offset * pixel))


def _length(offset: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.hypot(offset[..., 0], offset[..., 1]), dtype=np.float64)


def _points(results: Sequence[Result], names: Sequence[str]) -> NDArray[np.float64]:
    place = {name: n for n, name in enumerate(names)}
    table = np.full((len(results), len(names), 2), np.nan)
    for row, result in zip(table, results, strict=True):
        for p in result.landmarks:
            if p.name in place:
                row[place[p.name]] = p.x, p.y
    return table
