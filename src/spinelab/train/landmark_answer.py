"""What is said of each quantity: its value with an interval that held on other patients, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from spinelab.core import Measurement, Model, Quantity
from spinelab.evaluation import Conformal

if TYPE_CHECKING:
    from spinelab.train.landmark_reading import Measured, Reading, Values
    from spinelab.train.landmark_task import LandmarkTask


def measurements(task: LandmarkTask, reading: Reading, model: Model, samples: Values | None = None) -> tuple[Measurement, ...]:
    """Return every quantity of the task for one film; ``samples`` where the sampled landmarks are measured already."""
    known = {column: Conformal.from_dict(body) for column, body in model.record.get("calibration", {}).get("quantities", {}).items()}
    declared, values = task.known(model, reading), task.measured(model, reading, samples)
    given = []
    for quantity in task.quantities_of(model):
        found = values.get((quantity.name, quantity.unit))
        doubt = task.doubt(reading, model, quantity)
        if found is None or doubt:
            reason = doubt if found is not None else task.withheld(quantity, list(reading.found()), reading.spacing, declared)
            given.append(Measurement(quantity.name, None, quantity.unit, withheld=reason))
        else:
            interval = _interval(found, known.get(quantity.column)) or _from_pixels(found, quantity, reading, known, values)
            given.append(Measurement(quantity.name, found.value, quantity.unit, interval=interval))
    return tuple(given)


def _from_pixels(
    found: Measured, quantity: Quantity, reading: Reading, known: Mapping[str, Conformal], values: Mapping[tuple[str, str], Measured]
) -> tuple[float, float] | None:
    """Return the interval of a length of which the error was learnt in pixels alone, from films without spacing: theirs in this film's millimetres."""
    pixels = values.get((quantity.name, "px"))
    if quantity.unit != "mm" or pixels is None:
        return None
    interval = _interval(pixels, known.get(replace(quantity, unit="px").column))
    mm_per_px = found.value / pixels.value if pixels.value else float(reading.spacing.value[1])
    return None if interval is None else (interval[0] * mm_per_px, interval[1] * mm_per_px)


def _interval(found: Measured, conformal: Conformal | None) -> tuple[float, float] | None:
    if conformal is None:
        return None
    low, high = conformal.interval(found.value, found.spread)
    return min(float(low), found.value), max(float(high), found.value)
