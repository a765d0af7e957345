"""Whether the vertebrae carry the right names, by how many levels they are off, and whether the stated certainty comes true."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

from spinelab.core import InputError
from spinelab.evaluation.calibration import calibration_curve
from spinelab.evaluation.cluster import Resamples, check_patients, clustered_wilson, estimate_of
from spinelab.evaluation.resampling import BOOTSTRAPS, Floats, check_binary
from spinelab.evaluation.types import Estimate


@dataclass(frozen=True, slots=True)
class Certainty:
    """Whether a stated certainty comes true.

    Parameters
    ----------
    brier
        Mean squared distance of certainty and outcome; 0 is best.
    stated, came_true
        Mean certainty and share of right films: apart, the certainty is too high or too low overall.
    ece, ece_debiased
        Expected calibration error over equally wide bins, as it is and with the part taken off that chance alone would give (Kumar 2019).
    bins
        One dict a bin that holds anybody: ``lo``, ``hi`` of the bin, mean ``stated``, ``came_true`` with Wilson's limits, ``films``, ``patients``.
    """

    films: int
    patients: int
    brier: Estimate
    stated: Estimate
    came_true: Estimate
    ece: Estimate
    ece_debiased: float
    bins: tuple[dict[str, Any], ...]

    def to_dict(self) -> dict[str, Any]:
        names = ("brier", "stated", "came_true", "ece")
        estimates = {name: getattr(self, name).to_dict() for name in names}
        return {"films": self.films, "patients": self.patients, **estimates, "ece_debiased": self.ece_debiased, "bins": list(self.bins)}


@dataclass(frozen=True, slots=True)
class LevelNaming:
    """How well levels are named.

    Parameters
    ----------
    films, patients
        Films with at least one vertebra in the truth.
    all_right
        Share of films on which every vertebra of the truth was found under its own name and none was added.
    none_wrong
        Share of films on which no vertebra carries a wrong name; vertebrae may be missing.
    numbered_right
        Share of films whose column is not shifted: most of their vertebrae carry the right name. A vertebra that was missed or counted twice, by the
        program or in the truth, makes the names wrong on one side of it and leaves this as it is.
    vertebrae_right
        Share of the found vertebrae that carry the right name.
    off_by
        Levels off to vertebrae: +1 is a vertebra that lies on the next level down the list of names.
    film_off_by
        The same for films, by the commonest shift of their vertebrae.
    missed, invented
        Vertebrae in the truth that were not found, and found under a name that the truth does not have.
    right
        (films,) whether all is right on it, in the order given; films without truth are left out.
    unmistaken
        (films,) whether no vertebra carries a wrong name, which is what a certainty of the names speaks of; some may be missing. False where none was found.
    shift
        (films,) the commonest shift of its vertebrae; 0 where none was found.
    known
        (n,) which of the films given have a truth.
    certainty
        Whether the stated certainty comes true; ``None`` where none was stated.
    """

    films: int
    patients: int
    all_right: Estimate
    none_wrong: Estimate
    numbered_right: Estimate
    vertebrae_right: Estimate
    off_by: dict[int, int]
    film_off_by: dict[int, int]
    missed: int
    invented: int
    right: NDArray[np.bool_]
    unmistaken: NDArray[np.bool_]
    shift: NDArray[np.int64]
    known: NDArray[np.bool_]
    certainty: Certainty | None

    def to_dict(self) -> dict[str, Any]:
        """Return the figures for JSON; ``off_by`` with signed text keys such as ``+1``."""
        shares = {name: getattr(self, name).to_dict() for name in ("all_right", "none_wrong", "numbered_right", "vertebrae_right")}
        offs = {name: {f"{shift:+d}" if shift else "0": count for shift, count in getattr(self, name).items()} for name in ("off_by", "film_off_by")}
        counts = {"films": self.films, "patients": self.patients, "missed": self.missed, "invented": self.invented}
        return {**counts, **shares, **offs, "certainty": None if self.certainty is None else self.certainty.to_dict()}


def level_naming(
    centres: ArrayLike,
    truth: ArrayLike,
    patients: Sequence[Any] | NDArray[Any] | None = None,
    certainty: ArrayLike | None = None,
    *,
    bootstraps: int = BOOTSTRAPS,
) -> LevelNaming:
    """Return how well levels are named; a vertebra is right when it lies nearer to the true one of its name than to any other true one.

    Parameters
    ----------
    centres, truth
        (n, V, 2) x, y in pixels, one column a name, in the order of the column from top to bottom; nan where absent.
    patients
        (n,) patient of each film; intervals are Wilson's with n reduced for films of one patient.
    certainty
        (n,) stated probability that all names of the film are right; compared with ``none_wrong``, which is what it speaks of. A film on which nothing was
        found counts as wrong.

    Raises
    ------
    InputError
        Shapes that do not fit, or no film with a truth.
    """
    found, true = np.asarray(centres, dtype=np.float64), np.asarray(truth, dtype=np.float64)
    if found.shape != true.shape or found.ndim != 3 or found.shape[2] != 2:
        raise InputError(f"Centres {found.shape} and {true.shape}", expected="(films, vertebrae, 2) twice", action="pair the films")
    owners = check_patients(patients, len(found))
    known = np.asarray(np.isfinite(true).all(axis=2).any(axis=-1))
    if not known.any():
        raise InputError("No film with a true vertebra", expected="at least one", action="leave level naming out")
    found, true, owners = found[known], true[known], owners[known]
    seen, present = (np.asarray(np.isfinite(points).all(axis=2)) for points in (found, true))
    shift = _shifts(found, true, present)
    some = np.asarray(seen.any(axis=1))
    named_right = seen & present & (shift == 0)
    none_wrong = (named_right | ~seen).all(axis=1) & some
    right = none_wrong & (seen | ~present).all(axis=1)
    usual = np.array([_commonest(shift[film, seen[film]]) if some[film] else 0 for film in range(len(found))], dtype=np.int64)
    each = np.repeat(owners[:, None], found.shape[1], axis=1)
    return LevelNaming(
        films=len(found),
        patients=len(np.unique(owners)),
        all_right=clustered_wilson(right, owners),
        none_wrong=clustered_wilson(none_wrong, owners),
        numbered_right=clustered_wilson(some & (usual == 0), owners),
        vertebrae_right=clustered_wilson(named_right[seen], each[seen]),
        off_by=_histogram(shift[seen]),
        film_off_by=_histogram(usual[some]),
        missed=int((present & ~seen).sum()),
        invented=int((seen & ~present).sum()),
        right=right,
        unmistaken=none_wrong,
        shift=usual,
        known=known,
        certainty=None if certainty is None else certainty_calibration(none_wrong, np.asarray(certainty)[known], owners, bootstraps=bootstraps),
    )


def _shifts(found: Floats, true: Floats, present: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return (n, V) number of the nearest true vertebra minus the own number; absent ones are no matter."""
    apart = np.linalg.norm(found[:, :, None] - true[:, None, :], axis=-1)
    nearest = np.where(present[:, None, :] & np.isfinite(apart), apart, np.inf).argmin(axis=2)
    return np.asarray(nearest - np.arange(found.shape[1]), dtype=np.int64)


def _histogram(shifts: NDArray[np.int64]) -> dict[int, int]:
    values, counts = np.unique(shifts, return_counts=True)
    return {int(value): int(count) for value, count in zip(values, counts, strict=True)}


def _commonest(shifts: NDArray[np.int64]) -> int:
    """Return the most frequent shift; in a tie the smaller one."""
    values, counts = np.unique(shifts, return_counts=True)
    best = values[counts == counts.max()]
    return int(best[np.abs(best).argmin()])


def certainty_calibration(
    right: ArrayLike,
    certainty: ArrayLike,
    patients: Sequence[Any] | NDArray[Any] | None = None,
    *,
    bins: int = 10,
    bootstraps: int = BOOTSTRAPS,
    seed: int = 0,
) -> Certainty:
    """Return whether films named with a certainty of 80 % are named right in 80 of 100.

    Parameters
    ----------
    right
        (n,) whether the film was named right, such as `LevelNaming.unmistaken`.
    certainty
        (n,) stated probability of that, 0 to 1.
    patients
        (n,) patient of each film.
    bins
        Equally wide bins over [0, 1]; a value on an edge belongs to the bin above it.
    """
    outcome, (stated,) = check_binary(right, certainty)
    owners = check_patients(patients, len(outcome))
    curve = calibration_curve(outcome, stated, bins=bins, groups=owners, bootstraps=max(bootstraps, 1), seed=seed)
    draws = Resamples.of(owners, bootstraps=bootstraps, seed=seed)
    used = np.unique(np.minimum((stated * bins).astype(np.int64), bins - 1))
    table = tuple(
        {
            "lo": float(curve.edges[number]),
            "hi": float(curve.edges[number + 1]),
            "stated": float(curve.predicted[row]),
            "came_true": {"value": float(curve.observed[row]), "lo": float(curve.lo[row]), "hi": float(curve.hi[row])},
            "films": int(curve.examinations[row]),
            "patients": int(curve.patients[row]),
        }
        for row, number in enumerate(used)
    )
    return Certainty(
        films=len(outcome),
        patients=draws.patients,
        brier=estimate_of(draws.mean((stated - outcome) ** 2)),
        stated=estimate_of(draws.mean(stated)),
        came_true=draws.share(outcome),
        ece=curve.error,
        ece_debiased=debiased_error(curve.predicted, curve.observed, curve.examinations),
        bins=table,
    )


def debiased_error(predicted: Floats, observed: Floats, films: NDArray[np.int64]) -> float:
    """Return the expected calibration error less what chance adds to it, never below 0.

    Kumar A, Liang P, Ma T. Verified uncertainty calibration. NeurIPS 2019, section 5 and appendix: the observed shares of the bins are drawn
    again from their normal distribution; the rise of the error over its plain value is its bias, and is taken off. Here the mean over the draws is written
    out (mean of a folded normal distribution). For few films the plain error is far above 0 even of a perfect certainty.
    """
    weight = films / films.sum()
    gap = np.abs(predicted - observed)
    plain = float((weight * gap).sum())
    spread = np.sqrt(observed * (1 - observed) / films)
    steps = np.divide(gap, spread, out=np.zeros_like(gap), where=spread > 0)
    folded = np.where(spread > 0, spread * np.sqrt(2 / np.pi) * np.exp(-(steps**2) / 2) + gap * (1 - 2 * ndtr(-steps)), gap)
    return max(0.0, 2 * plain - float((weight * folded).sum()))
