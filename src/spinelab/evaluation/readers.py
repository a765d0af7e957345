"""Tables of several readers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spinelab.core import InputError
from spinelab.evaluation.agreement import error_metrics, wilcoxon_test
from spinelab.evaluation.bland_altman import bland_altman
from spinelab.evaluation.cluster import check_patients
from spinelab.evaluation.icc import icc
from spinelab.evaluation.resampling import LEVEL, Floats

LEAST_IN_SUBGROUP: Final = 10
"""Patients below which a subgroup's figures are not given: an interval would span nearly everything."""

_CLUSTERED: Final = "several films a patient: the ICC takes the first film of each patient, bias and limits take all"


def readers_table(
    ratings: ArrayLike,
    readers: Sequence[str] | None = None,
    patients: Sequence[Any] | NDArray[Any] | None = None,
    *,
    least: int = LEAST_IN_SUBGROUP,
    level: float = LEVEL,
) -> dict[str, Any]:
    """Return the agreement of several readers, a model among them if wished: all together, and each pair.

    Bias and limits use every film that both of a pair rated; the overall ICC only films that all rated, and says how many were left out. With several
    films a patient, Bland-Altman follows the 2007 method and the ICC uses each patient's first completely rated film.

    Parameters
    ----------
    ratings
        (films, readers) in one unit; nan where a reader gave no number.
    readers
        Names of the columns; ``reader 1`` and so on without.
    patients
        (films,) patient of each film.
    least
        Patients below which a pair's or the overall figures are replaced by a note; two at least.

    Returns
    -------
    dict
        ``readers``: a dict a reader with ``reader``, ``n``, ``missing``; ``overall``: `icc` as a dict or a note; ``pairs``: a dict a pair with
        ``a``, ``b``, ``n``, ``patients`` and either ``bland_altman`` (a - b), ``mae``, ``sd_difference``, ``pearson``, ``ccc``, the six forms ``icc_1_1``
        to ``icc_3_k``, ``sem_agreement``, ``sem_consistency``, ``mdc95_agreement``, ``mdc95_consistency`` and ``wilcoxon``, or a ``note``. JSON-able.

    Raises
    ------
    InputError
        If there are fewer than two readers, or names that do not fit.
    """
    table = np.asarray(ratings, dtype=np.float64)
    if table.ndim != 2 or table.shape[1] < 2:
        raise InputError(f"Ratings of shape {table.shape}", expected="(films, readers) with two readers or more", action="put one reader in a column")
    names = [f"reader {number + 1}" for number in range(table.shape[1])] if readers is None else list(readers)
    if len(names) != table.shape[1]:
        raise InputError(f"{len(names)} names for {table.shape[1]} readers", expected="one name a column", action="check the table")
    owners = check_patients(patients, len(table))
    rated = np.isfinite(table)
    pairs = [
        {"a": names[a], "b": names[b]} | _pair(table[:, [a, b]][rated[:, [a, b]].all(axis=1)], owners[rated[:, [a, b]].all(axis=1)], least, level)
        for a, b in combinations(range(table.shape[1]), 2)
    ]
    return {
        "readers": [{"reader": name, "n": int(n), "missing": len(table) - int(n)} for name, n in zip(names, rated.sum(axis=0), strict=True)],
        "overall": _overall(table, owners, least, level),
        "pairs": pairs,
    }


def _pair(both: Floats, patients: NDArray[Any], least: int, level: float) -> dict[str, Any]:
    count = len(np.unique(patients))
    row: dict[str, Any] = {"n": len(both), "patients": count}
    if count < max(least, 2):
        return row | {"note": _too_few(least)}
    limits = bland_altman(both[:, 0], both[:, 1], patients, level=level)
    errors = error_metrics(both[:, 0], both[:, 1], patients, level=level)
    found = icc(both[_first_of_each(patients)], level=level)
    return row | {
        "bland_altman": limits.to_dict(),
        **{name: errors[name].to_dict() for name in ("mae", "sd_difference", "pearson", "ccc")},
        **{form_key(name): form.icc.to_dict() for name, form in found.forms.items()},
        "sem_agreement": found.sem_agreement.to_dict(),
        "sem_consistency": found.sem_consistency.to_dict(),
        "mdc95_agreement": found.mdc95_agreement.to_dict(),
        "mdc95_consistency": found.mdc95_consistency.to_dict(),
        "wilcoxon": wilcoxon_test(both[:, 0], both[:, 1], patients),
    }


def form_key(name: str) -> str:
    """Return the name of a form of the ICC as a key: ``icc_2_1`` for ``ICC(2,1)``."""
    return name.lower().replace("(", "_").replace(",", "_").removesuffix(")")


def _overall(table: Floats, patients: NDArray[Any], least: int, level: float) -> dict[str, Any]:
    complete = np.isfinite(table).all(axis=1)
    dropped = int((~complete).sum())
    owners, rated = patients[complete], table[complete]
    count = len(np.unique(owners))
    if count < max(least, 2):
        return {"n": len(rated), "patients": count, "dropped": dropped, "note": _too_few(least)}
    notes = [f"{dropped} of {len(table)} films left out: not every reader rated them"] * bool(dropped) + [_CLUSTERED] * (len(rated) > count)
    return icc(rated[_first_of_each(owners)], level=level).to_dict() | {"n": len(rated), "patients": count, "dropped": dropped, "note": "; ".join(notes)}


def _first_of_each(patients: NDArray[Any]) -> NDArray[np.int64]:
    """Return the row of each patient's first film, in the order of the rows."""
    return np.sort(np.unique(patients, return_index=True)[1])


def _too_few(least: int) -> str:
    return f"too few to say (fewer than {max(least, 2)} patients)"
