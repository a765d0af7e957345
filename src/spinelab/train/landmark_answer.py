"""What is said of each quantity: its value with an interval that held on other patients, or the reason why there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spinelab.core import Measurement, Model
from spinelab.evaluation import Conformal

if TYPE_CHECKING:
    from spinelab.train.landmark_reading import Measured, Reading, Values
    from spinelab.train.landmark_task import LandmarkTask


def measurements(task: LandmarkTask, reading: Reading, model: Model, samples: Values | None = None) -> tuple[Measurement, ...]:
    """Return every quantity of the task for one film; ``samples`` where the sampled landmarks are measured already."""
    known = {column: Conformal.from_dict(body) for column, body in model.record.get("calibration", {}).get("quantities", {}).items()}
    declared, values = model.record.get("declared", {}), task.measured(model, reading, samples)
    given = []
    for quantity in task.quantities_of(model):
        found = values.get((quantity.name, quantity.unit))
        doubt = task.doubt(reading, model, quantity)
        if found is None or doubt:
            reason = doubt if found is not None else task.withheld(quantity, list(reading.found()), reading.spacing, declared)
            given.append(Measurement(quantity.name, None, quantity.unit, withheld=reason))
        else:
            given.append(Measurement(quantity.name, found.value, quantity.unit, interval=_interval(found, known.get(quantity.column))))
    return tuple(given)


def _interval(found: Measured, conformal: Conformal | None) -> tuple[float, float] | None:
    if conformal is None:
        return None
    low, high = conformal.interval(found.value, found.spread)
    return min(float(low), found.value), max(float(high), found.value)
