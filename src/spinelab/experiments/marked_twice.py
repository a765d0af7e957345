"""How well the truth repeats itself: pictures that stand twice in a collection, with marks of their own each time.

Where one picture was marked twice, the two truths differ by the errors of both marks. A model that knew the quantity exactly would still be off one of them by
its error alone: by the difference of two divided by the square root of two, where both err alike and independently (as in Dahlberg 1940).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from spinelab.core import Example, Examples, Quantity
from spinelab.experiments.duplicates import Duplicate
from spinelab.experiments.measured_words import amount, lower_first
from spinelab.experiments.pairing import Kind, kinds

LEAST_PAIRS: Final = 3
"""Pairs below which nothing is said: one pair tells little about marking."""
_COMPARABLE: Final = ("deg", "mm", "%", "1")
"""Units that do not depend on how a copy was cropped or made smaller."""


def marked_twice(examples: Examples, copies: Sequence[Duplicate], quantities: Sequence[Quantity]) -> tuple[Mapping[str, Any], ...]:
    """Return how far two truths of one picture are apart, for each quantity that three pairs of copies or more have a truth of.

    What is measured at several places is compared place by place. Copies that carry one and the same truth were copied with it and do not count, nor do
    mirrored ones, whose sides may not be the same.

    Returns
    -------
    rows
        ``quantity``, ``unit``, ``pairs``, and of the absolute differences ``mean``, ``median`` and ``largest``; ``of_one`` is the mean error of one mark.
    """
    pairs = [(examples[d.a], examples[d.b]) for d in copies if d.a != d.b and d.kind != "mirrored"]
    pairs = [(a, b) for a, b in pairs if _marks(a) != _marks(b)]
    comparable = [quantity for quantity in quantities if quantity.unit in _COMPARABLE]
    rows = (_row(kind, pairs) for kind in kinds(comparable, [one.truth for pair in pairs for one in pair]))
    return tuple(row for row in rows if row is not None)


def repeatability_words(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return a sentence on the first quantity; empty without one."""
    if not rows:
        return ""
    row = rows[0]
    mean, median, largest, of_one = (amount(row[name], row["unit"]) for name in ("mean", "median", "largest", "of_one"))
    return (
        f"{row['pairs']} pictures stand twice with marks of their own: by these, the {lower_first(row['quantity'])} differs by {mean} in the mean "
        f"(median {median}, at most {largest}). Even a model that knew it exactly would be off such marks by about {of_one}."
    )


def _marks(example: Example) -> tuple[Any, ...]:
    return tuple((m.name, m.unit, m.value) for m in example.truth.measurements)


def _row(kind: Kind, pairs: Sequence[tuple[Example, Example]]) -> Mapping[str, Any] | None:
    both = [(_value(a, kind), _value(b, kind)) for a, b in pairs]
    apart = np.array([abs(one - other) for one, other in both if one is not None and other is not None])
    if len(apart) < LEAST_PAIRS:
        return None
    figures = {"mean": float(apart.mean()), "median": float(np.median(apart)), "largest": float(apart.max()), "of_one": float(apart.mean() / np.sqrt(2))}
    return {"quantity": kind.title, "unit": kind.quantity.unit, "pairs": len(apart), **figures}


def _value(example: Example, kind: Kind) -> float | None:
    measured = kind.of(example.truth)
    return None if measured is None else measured.value
