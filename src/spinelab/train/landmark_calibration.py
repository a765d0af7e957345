"""What the held-out patients teach: how wide an interval has to be, what landmarks add to a difference, and what a usual film looks like to the network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from spinelab.core import Examples, Model, Quantity, Run
from spinelab.evaluation import DETECTABLE, fit_conformal
from spinelab.train.film_parts import seen_in_parts
from spinelab.train.landmark_reading import Measured, Reading
from spinelab.train.landmark_truth import on_canvas, on_film

if TYPE_CHECKING:
    from spinelab.train.landmark_task import LandmarkTask

LEAST_MISFIT: Final = 5.0
MISFIT_MARGIN: Final = 1.25
"""A landmark is misplaced where it fits the others worse than this limit and than nearly all held-out landmarks, by this margin."""
MISFIT_SHARE: Final = 99.5
DOUBTFUL_SHARE: Final = 0.6
"""A film is unusual where the network is less sure than this share of its least sure held-out films (first percentile)."""


def calibrate(task: LandmarkTask, model: Model, examples: Examples, pixels: NDArray[np.uint8], facts: Sequence[Mapping[str, Any]], run: Run) -> dict[str, Any]:
    """Read held-out films and complete the record's ``calibration``; return its ``agreement``."""
    settings = task.own(model.settings)
    shapes = [f["shape"] for f in facts]
    names = task.names_of(model)
    truth = np.stack([on_canvas(on_film(e.truth.landmarks, names), shape, settings) for e, shape in zip(examples, shapes, strict=True)])
    calibration = model.record["calibration"]
    seen = task.sightings(model, pixels, shapes, run)
    learnt = task.head_of(model).calibrate(seen, truth, calibration["head"])
    if learnt:
        calibration["head"] |= learnt
        calibration["head"] |= task.head_of(model).learn_parts(*seen_in_parts(task, model, examples, run))
        seen = task.sightings(model, pixels, shapes, run)
    readings = [task.on_film(model, one, e.open(), shape) for one, e, shape in zip(seen, examples, shapes, strict=True)]
    calibration |= usual(readings)
    quantities, agreement = {}, {}
    values = [task.measured(model, reading) for reading in readings]
    for quantity in task.quantities(model.settings):
        rows = _rows(quantity, values, examples)
        if rows:
            error, spread, patients = (list(part) for part in zip(*rows, strict=True))
            bounds = task.bounds(quantity)
            quantities[quantity.column] = fit_conformal(error, spread, patients, bounds=bounds).to_dict()
            agreement[quantity.column] = _agreement(np.array(error), patients)
    calibration["quantities"] = quantities
    return {"agreement": agreement}


def _rows(quantity: Quantity, values: Sequence[Mapping[tuple[str, str], Measured]], examples: Examples) -> list[tuple[float, float, str]]:
    key, rows = (quantity.name, quantity.unit), []
    for found, example in zip(values, examples, strict=True):
        truth = example.truth.value(*key)
        if truth is not None and key in found:
            rows.append((found[key].value - truth, found[key].spread, example.group))
    return rows


def _agreement(error: NDArray[np.float64], patients: Sequence[str]) -> dict[str, Any]:
    """Return the error on held-out films, and the difference between two films that the errors of both explain (1.96 x root 2 x its standard deviation)."""
    sd = float(error.std(ddof=1)) if len(error) > 1 else None
    return {
        "mae": float(np.abs(error).mean()),
        "bias": float(error.mean()),
        "sd": sd,
        "mdc": None if sd is None else DETECTABLE * sd,
        "films": len(error),
        "patients": len(set(patients)),
    }


def usual(readings: Sequence[Reading]) -> dict[str, Any]:
    """Return the limits beyond which a landmark counts as misplaced and a film as unusual."""
    misfit = np.concatenate([r.misfit[np.isfinite(r.misfit)] for r in readings]) if readings else np.zeros(0)
    sure = np.array([certainty(r) for r in readings])
    return {
        "misfit_limit": max(LEAST_MISFIT, MISFIT_MARGIN * float(np.percentile(misfit, MISFIT_SHARE))) if misfit.size else LEAST_MISFIT,
        "least_certainty": DOUBTFUL_SHARE * float(np.percentile(sure, 1)) if sure.size else 0.0,
    }


def certainty(reading: Reading) -> float:
    """Return how sure the network is of the landmarks that it found, 0 where it found none."""
    return float(reading.share[reading.present].mean()) if reading.present.any() else 0.0
