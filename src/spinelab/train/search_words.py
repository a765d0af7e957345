"""What a search of the augmentation found, in figures and in words: above all whether it found anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spinelab.train.families import Strengths

RESAMPLES: Final = 2000
CHANCE: Final = 0.05


@dataclass(frozen=True)
class Trial:
    """One short training.

    ``state`` is ``complete``, ``pruned`` (worse than the median of the others at the same pass) or ``cut`` (the minutes were over, or it was interrupted).
    ``curve`` is the mean validation log loss after each pass, ``losses`` that of every validation film at the best of them.
    """

    number: int
    strengths: Mapping[str, float]
    state: str
    curve: tuple[float, ...]
    losses: tuple[float, ...]
    seconds: float

    @property
    def value(self) -> float | None:
        return min(self.curve) if self.curve else None

    def row(self) -> dict[str, Any]:
        """Return what the record keeps: everything but the losses of single films."""
        return {
            "number": self.number,
            "strengths": {name: value for name, value in self.strengths.items() if value},
            "state": self.state,
            "value": self.value,
            "curve": list(self.curve),
            "seconds": round(self.seconds, 2),
        }


def record_of(
    trials: Sequence[Trial],
    seconds: float,
    minutes: float,
    groups: Sequence[str] | None,
    *,
    why: str = "",
    seed: int = 0,
    importance: Mapping[str, float] | None = None,
) -> dict[str, Any]:
    """Return the history for the model's record, JSON-able, with ``words``.

    Parameters
    ----------
    groups
        Patient of every validation film, in the order of the losses.
    why
        Reason for which nothing could be searched.
    """
    complete = [t for t in trials if t.state == "complete"]
    reference = next((t for t in complete if not any(t.strengths.values())), None)
    body: dict[str, Any] = {
        "minutes": minutes,
        "seconds": round(seconds, 1),
        "trials": [t.row() for t in trials],
        "pruned": sum(t.state == "pruned" for t in trials),
        "validation_films": len(groups or ()),
        "importance": dict(importance or {}),
    }
    if reference is None or groups is None:
        reason = why or f"no short training came to its end within {minutes:g} minute{'s' * (minutes != 1)}"
        return body | {"best": Strengths().to_dict(), "found": False, "words": f"No augmentation was searched: {reason}. Trained without augmentation."}
    tried = [t for t in complete if any(t.strengths.values())]
    # The second training without augmentation is no candidate: it only tells what another order of the films does.
    best = min([reference, *tried], key=lambda t: float(t.value or 0.0))
    again = next((t for t in complete if not any(t.strengths.values()) and t is not reference), None)
    gain = reality_check([reference.losses], [t.losses for t in tried], groups, seed=seed) if tried else None
    body |= {"best": dict(best.strengths), "best_value": best.value, "without": reference.value, "without_again": again.value if again else None, "gain": gain}
    found = gain is not None and best is not reference and gain["p"] < CHANCE and gain["value"] > _spread(reference, again)
    return body | {"found": found, "words": _words(body, Strengths.of(best.strengths), len(tried), found=found)}


def _spread(reference: Trial, again: Trial | None) -> float:
    """Return how far two trainings without augmentation lie apart, by the order of the films alone."""
    return abs(float(reference.value or 0) - float(again.value or 0)) if again is not None else 0.0


def reality_check(
    reference: Sequence[Sequence[float]], tried: Sequence[Sequence[float]], groups: Sequence[str], *, seed: int = 0, resamples: int = RESAMPLES
) -> dict[str, float]:
    """Return how much smaller the best trial's loss is than the reference's, with its interval, and how often the best of as many worthless ones does as well.

    White's reality check: patients are drawn anew, and in every draw the largest gain over all trials is taken after each trial's own gain was subtracted.

    Parameters
    ----------
    reference
        One row: losses (n,) without augmentation.
    tried
        Losses (n,) of every complete trial with augmentation.
    groups
        Patient of each film.
    """
    gains = np.asarray(reference, dtype=np.float64) - np.asarray(tried, dtype=np.float64)
    _, codes = np.unique(np.asarray(groups), return_inverse=True)
    patients = int(codes.max()) + 1
    sums = np.stack([np.bincount(codes, weights=row, minlength=patients) for row in gains])
    sizes = np.bincount(codes, minlength=patients).astype(np.float64)
    drawn = np.random.default_rng([seed, 0xC4A]).multinomial(patients, np.full(patients, 1 / patients), size=resamples).astype(np.float64)
    means: NDArray[np.float64] = (drawn @ sums.T) / (drawn @ sizes)[:, None]
    point = gains.mean(axis=1)
    best = int(point.argmax())
    chance = (means - point).max(axis=1)
    lo, hi = np.quantile(means[:, best], [0.025, 0.975])
    return {"value": float(point[best]), "lo": float(lo), "hi": float(hi), "p": float((1 + (chance >= point[best]).sum()) / (1 + resamples))}


def _words(body: Mapping[str, Any], best: Strengths, tried: int, *, found: bool) -> str:
    start = f"{tried} combinations of augmentation were tried in {body['seconds'] / 60:.1f} minutes ({body['pruned']} more stopped early) "
    start += f"on {body['validation_films']} validation films. "
    gain = body["gain"]
    if gain is None:
        return start + "None came to its end: trained without augmentation."
    told = f"The best ({best}) has a validation log loss of {body['best_value']:.3f}, no augmentation {body['without']:.3f}"
    if best.none:
        return start + f"None is better than no augmentation ({body['without']:.3f}): trained without."
    told += f" (gain {gain['value']:.3f}, 95 % {gain['lo']:.3f} to {gain['hi']:.3f}; the best of {tried} by chance: p = {gain['p']:.3g})"
    if body["without_again"] is not None:
        told += f"; without augmentation and in another order of the films it is {body['without_again']:.3f}"
    verdict = (
        "It is better than no augmentation beyond what choosing among so many gives by chance."
        if found
        else "It is not shown to be better than no augmentation: the difference lies within the noise of the validation part."
    )
    return f"{start}{told}. {verdict}"
