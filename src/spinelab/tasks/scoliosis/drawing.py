"""How the curves are drawn: every vertebra outlined, each curve's Cobb angle between its end vertebrae, and the offset of T1 from L5."""

from __future__ import annotations

import numpy as np

from spinelab.core import Measurement, Result, Stroke
from spinelab.geometry import THORACOLUMBAR, challenge_cobb, challenge_strokes, clinical_curves, cobb_strokes, coronal_strokes, vertebra_strokes
from spinelab.tasks.scoliosis.measure import corners_of, found_levels


def strokes(result: Result) -> tuple[Stroke, ...]:
    """Return the drawing of one film; of an incomplete column the outlines, and the curves that are measured."""
    points = {p.name: np.array([p.x, p.y]) for p in result.landmarks}
    levels = found_levels(points)
    if len(levels) < 3:
        return ()
    corners = corners_of(points, levels)
    given: dict[str, Measurement] = {}
    for m in result.measurements:
        if m.value is not None and (m.name not in given or m.unit == "mm"):
            given[m.name] = m
    texts = {name: _text(m) for name, m in given.items()}
    curves = [c for c in clinical_curves(corners, levels) if c.scoliotic]
    marks = cobb_strokes(corners, curves, levels, texts=texts) if len(levels) == len(THORACOLUMBAR) else vertebra_strokes(corners, levels)
    if "cobb_max" in given:
        marks = (*marks, *challenge_strokes(corners, challenge_cobb(corners), texts=texts), *coronal_strokes(corners, (), texts=texts))
    return tuple(mark for mark in marks if not mark.measurement or mark.measurement in given)


def _text(m: Measurement) -> str:
    return f"{m.value:.0f}{ {'deg': '°', 'mm': ' mm', 'px': ' px'}.get(m.unit, '') }"
