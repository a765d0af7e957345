"""The sagittal parameters of a result as a spine surgeon draws them, with the values that the result gives."""

from __future__ import annotations

from typing import Final

import numpy as np

from spinelab.core import Measurement, Result, Stroke
from spinelab.geometry import PARAMETERS, marked_value, sagittal_strokes

_SHORT: Final = {"l4_s1": "L4-S1", "c2_c7": "C2-C7", "t1_slope": "T1 slope"}


def strokes(result: Result) -> tuple[Stroke, ...]:
    """Return the landmarks and every parameter that has a value; what is withheld is not drawn.

    SVA is labelled in millimetres where it is given in them, else in pixels.
    """
    given: dict[str, Measurement] = {}
    for m in result.measurements:
        if m.value is not None and (m.name not in given or m.unit == "mm"):
            given[m.name] = m
    texts = {name: _text(m, m.value) for name, m in given.items() if m.value is not None}
    marks = sagittal_strokes({p.name: np.array([p.x, p.y]) for p in result.landmarks}, texts=texts)
    return tuple(mark for mark in marks if mark.measurement in given or mark.measurement not in PARAMETERS)


def _text(m: Measurement, value: float) -> str:
    return f"{_SHORT.get(m.name, m.name.upper())} {marked_value(value, m.unit)}"
