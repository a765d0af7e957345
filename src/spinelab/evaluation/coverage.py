"""Whether the stated intervals hold the truth as often as they say, and how wide they are.

Gneiting T, Raftery AE. Strictly proper scoring rules, prediction, and estimation. J Am Stat Assoc 2007;102:359-378: the interval score (eq. 43) is the width
plus 2 / alpha times the distance by which the truth lies outside; lower is better, and neither wide nor overconfident intervals can win it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spinelab.core import InputError
from spinelab.evaluation.cluster import Resamples, check_patients, check_rows, estimate_of
from spinelab.evaluation.resampling import BOOTSTRAPS, LEVEL, Floats, check_level


def interval_score(lo: ArrayLike, hi: ArrayLike, truth: ArrayLike, *, level: float = LEVEL) -> Floats:
    """Return (n,) Gneiting and Raftery's score of central intervals, in the unit of the measurement; 0 would be perfect."""
    check_level(level)
    low, high, true = check_rows(lo=lo, hi=hi, truth=truth)
    score: Floats = high - low + 2 / (1 - level) * (np.maximum(low - true, 0) + np.maximum(true - high, 0))
    return score


def interval_agreement(
    lo: ArrayLike,
    hi: ArrayLike,
    truth: ArrayLike,
    patients: Sequence[Any] | NDArray[Any] | None = None,
    *,
    stated: float = LEVEL,
    bootstraps: int = BOOTSTRAPS,
    seed: int = 0,
) -> dict[str, Any]:
    """Return coverage, width and score of stated intervals, overall and by tercile of width; JSON-able.

    Films without an interval or a truth are left out. Overall coverage may hide that narrow intervals are too sure and wide ones make up for it: the
    terciles tell. Their borders are the 1/3 and 2/3 quantiles of the widths; where most intervals are equally wide, a tercile may be empty.

    Parameters
    ----------
    lo, hi, truth
        (n,) limits and truth in one unit; nan where there is none.
    patients
        (n,) patient of each film.
    stated
        What the intervals claim to hold.
    bootstraps, seed
        Resamples of patients for the limits of the mean width and score.

    Returns
    -------
    dict
        ``n``, ``patients``, ``stated``, ``coverage`` (Wilson, n reduced for films of one patient), ``mean_width``, ``median_width``, ``interval_score``,
        ``below`` and ``above`` (shares of truths under and over the interval), ``by_width``: one dict a tercile.
    """
    low, high, true = check_rows(lo=lo, hi=hi, truth=truth)
    names = check_patients(patients, len(true))
    kept = ~(np.isnan(low) | np.isnan(high)) & np.isfinite(true)
    low, high, true, names = low[kept], high[kept], true[kept], names[kept]
    if (low > high).any() or np.isinf(low).any() or np.isinf(high).any():
        raise InputError("Intervals that are infinite or have the lower limit above the upper one", expected="finite, lo <= hi", action="correct them")
    if not kept.any():
        return {"n": 0, "patients": 0, "stated": stated}
    draws = Resamples.of(names, bootstraps=bootstraps, seed=seed)
    width, score = high - low, interval_score(low, high, true, level=stated)
    held = (low <= true) & (true <= high)
    return {
        "n": len(true),
        "patients": draws.patients,
        "stated": stated,
        "coverage": draws.share(held).to_dict(),
        "below": float((true < low).mean()),
        "above": float((true > high).mean()),
        "mean_width": estimate_of(draws.mean(width)).to_dict(),
        "median_width": estimate_of(draws.quantile(width, 0.5)).to_dict(),
        "interval_score": estimate_of(draws.mean(score)).to_dict(),
        "by_width": _by_width(draws, width, held),
    }


def _by_width(draws: Resamples, width: Floats, held: NDArray[np.bool_]) -> list[dict[str, Any]]:
    borders = np.quantile(width, [1 / 3, 2 / 3], method="inverted_cdf")
    number = np.searchsorted(borders, width, side="left")
    rows = []
    for place, name in enumerate(("narrow", "middle", "wide")):
        inside = number == place
        if inside.any():
            limits = {"narrowest": float(width[inside].min()), "widest": float(width[inside].max())}
            rows.append({"tercile": name, "n": int(inside.sum()), **limits, "coverage": draws.share(held, inside).to_dict()})
    return rows
