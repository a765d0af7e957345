"""The same model in parts of the data: by sex, age band and site; small parts are counted, not measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinelab.core import Examples
from spinelab.evaluation import LEAST_IN_SUBGROUP
from spinelab.evaluation.types import Estimate


def subgroups(
    examples: Examples, judged: NDArray[np.bool_], part: Callable[[NDArray[np.bool_]], Mapping[str, Estimate]], more: Sequence[str] = ()
) -> tuple[dict[str, Any], ...]:
    """Return a row for every value of every fact; ``part`` gives the metrics of the examinations that are marked. ``more`` names further facts.

    Only examinations marked in ``judged`` are counted; a fact that none of them states gives no rows.
    """
    rows = []
    for fact in ("sex", "age band", "site", *more):
        values = np.array([_value(e.facts, fact) for e in examples])
        known = sorted(set(values[judged].tolist()))
        if known and known != ["unknown"]:
            rows += [_subgroup(examples, fact, value, judged & (values == value), part) for value in known]
    return tuple(rows)


def _value(facts: Mapping[str, Any], name: str) -> str:
    fact = facts.get("age_years" if name == "age band" else name)
    if fact is None or fact.value is None:
        return "unknown"
    if name != "age band":
        return str(fact.value)
    low = 20 * int(float(fact.value) // 20)
    return f"{low}-{low + 19} years"


def _subgroup(
    examples: Examples, fact: str, value: str, rows: NDArray[np.bool_], part: Callable[[NDArray[np.bool_]], Mapping[str, Estimate]]
) -> dict[str, Any]:
    patients = len({examples[int(i)].group for i in np.flatnonzero(rows)})
    row: dict[str, Any] = {"fact": fact, "value": value, "patients": patients, "examinations": int(rows.sum()), "metrics": {}, "note": ""}
    if patients < LEAST_IN_SUBGROUP:
        return row | {"note": f"too few to say (fewer than {LEAST_IN_SUBGROUP} patients)"}
    return row | {"metrics": dict(part(rows))}
