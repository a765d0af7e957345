"""Intervals that hold as often as they say: a model's own spread, scaled by its errors on patients that it has not seen.

Split conformal prediction with a normalised score: Papadopoulos H et al. ECML 2002; Lei J et al. J Am Stat Assoc 2018;113:1094-1111. Several films a
patient: Dunn R, Wasserman L, Ramdas A. J Am Stat Assoc 2023;118:2491-2502; Lee Y, Barber RF, Willett R. arXiv 2306.06342: each
patient weighs the same, and the guarantee is for a film of a new patient. Out-of-fold errors pooled over folds: Vovk V. Ann Math Artif Intell
2015;74:9-28 and, for the bound of 2 x the level's miss, Barber RF et al. Ann Stat 2021;49:486-507.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaincinv

from spinelab.core import InputError
from spinelab.evaluation.cluster import check_patients, check_rows
from spinelab.evaluation.resampling import LEVEL, Floats, check_level, patient_codes
from spinelab.evaluation.types import Estimate

_FLOORS: Final = np.r_[0.01, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 30, 100]
"""Floors that are tried, in median spreads; with the largest the width is as good as constant."""


@dataclass(frozen=True, slots=True)
class Conformal:
    """How wide an interval has to be: value +- ``scale`` x (spread + ``floor``).

    Parameters
    ----------
    scale
        Half-widths per unit of spread + floor; finite-sample quantile of the scores.
    floor
        In the unit of the measurement: keeps an overconfident small spread from giving an interval of no width.
    level
        What the interval is to hold.
    films, patients
        What it was fitted on.
    enough
        Whether the level was reached without resting on the single largest score.
    lowest, highest
        Limits of what the quantity can be (0 for an angle without sign); intervals are cut there.
    note
        In words: what it rests on, and whether that is enough.
    """

    scale: float
    floor: float
    level: float
    films: int
    patients: int
    enough: bool
    lowest: float | None = None
    highest: float | None = None
    note: str = ""

    def half_width(self, spread: ArrayLike) -> Floats:
        """Return half the width for spreads of any shape, before cutting; nan for a spread of nan."""
        values = _checked_spread(spread)
        return np.asarray(self.scale * (values + self.floor), dtype=np.float64)

    def interval(self, value: ArrayLike, spread: ArrayLike) -> tuple[Floats, Floats]:
        """Return lower and upper limits for values and spreads of one shape (or one number each), cut at ``lowest`` and ``highest``.

        A value beyond ``lowest`` or ``highest`` counts as that limit. nan gives nan.
        """
        centre, half = np.asarray(value, dtype=np.float64), self.half_width(spread)
        low, high = (-math.inf if self.lowest is None else self.lowest), (math.inf if self.highest is None else self.highest)
        return np.clip(centre - half, low, high), np.clip(centre + half, low, high)

    def expected_coverage(self, within: float = 0.9) -> Estimate:
        """Return the coverage to expect on many new patients, with the range in which it lies in ``within`` of all calibrations of this size.

        Beta distribution of split conformal coverage (Vovk V. ACML 2012), one film a patient.
        """
        check_level(within)
        rank = min(self.patients, math.ceil(self.level * (self.patients + 1) - 1e-9))
        beta = (rank, self.patients + 1 - rank)
        low, high = (float(betaincinv(*beta, q)) for q in ((1 - within) / 2, (1 + within) / 2))
        return Estimate(rank / (self.patients + 1), low, high)

    def to_dict(self) -> dict[str, Any]:
        """Return the state, for JSON."""
        return asdict(self)

    @staticmethod
    def from_dict(body: Mapping[str, Any]) -> Conformal:
        """Rebuild from `to_dict`; raises `InputError` for fields that are missing, unknown or out of range."""
        try:
            conformal = Conformal(**body)
            sound = conformal.scale >= 0 and conformal.floor >= 0 and math.isfinite(conformal.scale + conformal.floor) and 0 < conformal.level < 1
        except TypeError as error:
            raise InputError(f"A calibration with other fields: {error}", expected="what to_dict writes", action="fit the calibration again") from error
        if not sound:
            raise InputError(
                f"Scale {conformal.scale}, floor {conformal.floor}, level {conformal.level}",
                expected="finite, not negative",
                action="fit the calibration again",
            )
        return conformal


def fit_conformal(
    errors: ArrayLike,
    spreads: ArrayLike,
    patients: Sequence[Any] | NDArray[Any] | None = None,
    *,
    level: float = LEVEL,
    floor: float | None = None,
    bounds: tuple[float | None, float | None] = (None, None),
    out_of_fold: bool = False,
) -> Conformal:
    """Fit the width of intervals to errors on held-out patients.

    The score of a film is its error over (spread + floor). Each patient has weight 1 / (P + 1), shared by its films, and the last 1 / (P + 1)
    stands for the new patient, who may be worse than all (the finite-sample correction); the scale is the smallest score that holds ``level``
    of that weight. With one film a patient it is the ceil((P + 1) level)-th smallest score. Where the weight is out of reach the scale is the
    largest score, and ``note`` says that nothing is promised (95 %: fewer than 19 patients). Below 39 it rests on the largest error alone, and
    ``enough`` is false.

    The floor is chosen by likelihood (errors of a Laplace distribution with width proportional to spread + floor), not by the
    resulting width, which would favour floors that happen to fit the largest errors.

    Parameters
    ----------
    errors
        (n,) value - truth, signed or not, on films that neither the network nor its selection has seen. nan (withheld) is left out.
    spreads
        (n,) the model's own spread for each, in the unit of the measurement, 0 or more; all equal gives a constant width.
    patients
        (n,) patient of each film; each film its own without.
    level
        What an interval is to hold.
    floor
        Given instead of chosen.
    bounds
        Lowest and highest value that the quantity can take; ``(0, None)`` for an angle without sign. Cutting there loses no truth.
    out_of_fold
        The errors are those of cross-validation, pooled over folds, and the intervals are for a model trained on all. The promise is then
        weaker (2 x level - 1 at worst; in practice about ``level``, or a little more, as the final model has seen more films), and ``note`` says so.

    Raises
    ------
    InputError
        No usable film, or spreads that are negative or infinite.
    """
    check_level(level)
    error, spread = check_rows(errors=errors, spreads=spreads)
    names = check_patients(patients, len(error))
    kept = np.isfinite(error) & ~np.isnan(spread)
    size, width = np.abs(error[kept]), _checked_spread(spread[kept])
    if len(size) == 0:
        raise InputError("No errors to fit on", expected="at least one film with a truth and a spread", action="hold films out")
    if floor is not None and not (math.isfinite(floor) and floor >= 0):
        raise InputError(f"Floor {floor}", expected="a finite number, 0 or more", action="leave it out")
    codes, count = patient_codes(names[kept])
    weight = 1 / np.bincount(codes)[codes]
    chosen = _choose_floor(size, width, weight) if floor is None else float(floor)
    scale, reached = _scale(size, width + chosen, weight, count, level)
    enough = count >= least_patients(level, beyond_largest=True)
    note = _words(count, level, reached=reached, enough=enough, out_of_fold=out_of_fold)
    return Conformal(scale, chosen, level, len(size), count, enough, *bounds, note=note)


def _checked_spread(spread: ArrayLike) -> Floats:
    values = np.asarray(spread, dtype=np.float64)
    if (values < 0).any() or np.isinf(values).any():
        raise InputError("A negative or infinite spread", expected="0 or more, or nan where unknown", action="check how the spread is made")
    return values


def _choose_floor(size: Floats, spread: Floats, weight: Floats) -> float:
    """Return the floor under which the errors are most likely, widths being proportional to spread + floor."""
    typical = float(np.median(spread)) or float(spread.mean())
    if typical == 0:
        return 1.0
    share = weight / weight.sum()
    wide = spread[None, :] + (_FLOORS * typical)[:, None]
    ratio = (share * size / wide).sum(axis=1)
    loss = np.log(np.maximum(ratio, 1e-300)) + (share * np.log(wide)).sum(axis=1)
    return float(_FLOORS[int(loss.argmin())] * typical)


def _scale(size: Floats, wide: Floats, weight: Floats, patients: int, level: float) -> tuple[float, bool]:
    """Return the weighted quantile of the scores, and whether the level is within reach; the largest score where it is not."""
    if (wide == 0).any():
        raise InputError("Spreads of 0 with a floor of 0", expected="a positive floor", action="leave the floor out, or give a positive one")
    scores = size / wide
    order = np.argsort(scores, kind="stable")
    held = np.cumsum(weight[order]) / (patients + 1)
    place = int(np.searchsorted(held, level - 1e-12))
    return float(scores[order][min(place, len(scores) - 1)]), place < len(scores)


def least_patients(level: float = LEVEL, *, beyond_largest: bool = False) -> int:
    """Return the fewest patients with which the level can be promised: 19 for 95 %; 39 so that it does not rest on the largest error alone."""
    check_level(level)
    return math.ceil((2 if beyond_largest else 1) / (1 - level) - 1e-9) - 1


def _words(patients: int, level: float, *, reached: bool, enough: bool, out_of_fold: bool) -> str:
    people = f"{patients} held-out patient{'s' * (patients != 1)}"
    percent = f"{100 * level:g} %"
    if not reached:
        text = f"{people}: too few for {percent} (at least {least_patients(level)}); the interval is the widest seen and promises nothing"
    elif not enough:
        text = f"{people}: {percent} rests on the largest error seen; {least_patients(level, beyond_largest=True)} patients or more would be steadier"
    else:
        text = f"{people}: holds {percent} of the truths of new patients like these"
    return text + ("; errors out of fold, pooled: in practice about the level, at worst twice the misses" if out_of_fold else "")
