"""What the templates need beside the content itself: order, columns, scales and tables."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from spinelab.evaluation.types import Estimate
from spinelab.report.content import Comparison, HeadFigures, Variant
from spinelab.report.words import MAIN_METRICS, estimate

MAX_ROWS: Final = 40
"""Rows of a table of duplicates or conflicts in the page; the JSON file has them all."""

_MAX_COLUMNS: Final = 7
_STEPS: Final = (0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.5, 1.0)


@dataclass(frozen=True, slots=True)
class Scale:
    """A horizontal axis, in percent of its width, shared by the rows of a table."""

    low: float
    high: float
    ticks: tuple[float, ...]

    def percent(self, value: float) -> float:
        return round(100 * (min(max(value, self.low), self.high) - self.low) / (self.high - self.low), 2)


@dataclass(frozen=True, slots=True)
class Table:
    """Column names and rows of anything that `words.sentence` can say."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    total: int


def scale(values: Iterable[Any], *references: float | None) -> Scale:
    """Return an axis with round limits that holds every value, limit and reference."""
    known: list[float] = [part for value in map(estimate, values) for part in (value.value, value.lo, value.hi) if part is not None]
    known += [value for value in references if value is not None]
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    if high - low < 0.02:
        low, high = low - 0.01, high + 0.01
    step = next((s for s in _STEPS if (high - low) / s <= 3.6), 10.0 ** math.ceil(math.log10(high - low)) / 4)
    first, last = math.floor(round(low / step, 6)), math.ceil(round(high / step, 6))
    return Scale(first * step, last * step, tuple(round(n * step, 6) for n in range(first, last + 1)))


def ranked(variants: Sequence[Variant]) -> list[Variant]:
    """Return the models best first; those that cannot be ranked last, in the order given."""
    return sorted(variants, key=lambda variant: (variant.rank is None, variant.rank or 0))


def best(variants: Sequence[Variant]) -> Variant | None:
    """Return the best model that has answers."""
    return next((variant for variant in ranked(variants) if variant.answered), None)


def columns(variants: Sequence[Variant | HeadFigures], first: str) -> list[str]:
    """Return the metrics of the ranked table, the ranking metric first."""
    present = {name for variant in variants for name in variant.figures}
    names = [*([first] if first in present else []), *(name for name in MAIN_METRICS if name in present and name != first)]
    if "f1" in names and "f1_macro" in names:
        names.remove("f1_macro")
    return names[:_MAX_COLUMNS]


def every_metric(variants: Sequence[Variant]) -> list[str]:
    """Return the names of all metrics that any model has, the main ones first."""
    present = list(dict.fromkeys(name for variant in variants for name in variant.metrics))
    return sorted(present, key=lambda name: MAIN_METRICS.index(name) if name in MAIN_METRICS else len(MAIN_METRICS))


def baseline_metrics(baseline: Mapping[str, Any]) -> dict[str, Estimate]:
    """Return what a constant answer reaches."""
    return {name: estimate(value) for name, value in dict(baseline.get("metrics") or {}).items()}


def other_constants(baseline: Mapping[str, Any]) -> dict[str, dict[str, Estimate]]:
    """Return what a task's own constant answers reach, by what they are called."""
    return {name: baseline_metrics({"metrics": metrics}) for name, metrics in dict(baseline.get("constants") or {}).items()}


def settings_tables(variants: Sequence[Variant]) -> tuple[Table, Table]:
    """Return the settings that vary, a row a model, and all settings, a row a setting (one value where all models agree)."""
    varied = list(dict.fromkeys(key for variant in variants for key in variant.settings))
    rows = tuple((variant.name, *(variant.settings.get(key, "") for key in varied)) for variant in variants)
    keys = sorted({key for variant in variants for key in variant.all_settings})
    common: list[tuple[Any, ...]] = []
    for key in keys:
        values = [variant.all_settings.get(key) for variant in variants]
        same = all(value == values[0] for value in values)
        common.append((key, values[0] if same else {variant.name: value for variant, value in zip(variants, values, strict=True)}))
    return Table(("model", *varied), rows, len(rows)), Table(("setting", "value"), tuple(common), len(common))


def table(rows: Any) -> Table | None:
    """Return a table from a list of mappings, a list of rows (the first one the header), or ``{"columns", "rows"}``."""
    if isinstance(rows, Mapping):
        body = [tuple(row) for row in rows.get("rows", ())]
        return Table(tuple(map(str, rows.get("columns", ()))), tuple(body), len(body)) if body else None
    rows = list(rows or ())
    if not rows:
        return None
    if isinstance(rows[0], Mapping):
        names = tuple(dict.fromkeys(str(key) for row in rows for key in row))
        return Table(names, tuple(tuple(row.get(name, "") for name in names) for row in rows[:MAX_ROWS]), len(rows))
    return Table(tuple(map(str, rows[0])), tuple(tuple(row) for row in rows[1:]), len(rows) - 1)


def rarest(classes: Mapping[str, Mapping[str, int | None]], counted: str = "images") -> tuple[str, int, str] | None:
    """Return the class with the fewest patients (images where patients are not known), the number, and what was counted."""
    for key, unit in (("patients", "patients"), ("images", counted)):
        known = [(count, name) for name, counts in classes.items() if (count := counts.get(key)) is not None]
        if known and len(known) == len(classes):
            fewest, name = min(known)
            return name, fewest, unit
    return None


def split_pairs(comparison: Comparison) -> tuple[list[Any], list[Any]]:
    """Return the pairs with the best model, and all others."""
    top = best(comparison.variants)
    first = [pair for pair in comparison.pairs if top is None or top.name in {pair.a, pair.b}]
    others = [pair for pair in comparison.pairs if pair not in first]
    return (first, others) if len(comparison.pairs) > 6 else (list(comparison.pairs), [])
