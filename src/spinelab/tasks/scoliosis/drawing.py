"""How the curves are drawn: every vertebra outlined, once more where it may be misplaced, each curve's Cobb angle, and the offset of T1 from L5."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from spinelab.core import Measurement, Result, Stroke
from spinelab.geometry import (
    THORACOLUMBAR,
    Curve,
    challenge_strokes,
    clinical_curves,
    cobb_strokes,
    coronal_strokes,
    marked_value,
    measurement_of,
    vertebra_strokes,
)
from spinelab.tasks.scoliosis import position
from spinelab.tasks.scoliosis.measure import CHALLENGE, corners_of, found_levels, site_of


def strokes(result: Result) -> tuple[Stroke, ...]:
    """Return the drawing of one film: every angle between the vertebrae that its measurement names; of an incomplete column the outlines alone."""
    points = {p.name: np.array([p.x, p.y]) for p in result.landmarks}
    levels = found_levels(points)
    if len(levels) < 3:
        return ()
    corners = corners_of(points, levels)
    given: dict[str, Measurement] = {}
    for m in result.measurements:
        if m.value is not None and (m.name not in given or m.unit == "mm"):
            given[m.name] = m
    texts = {name: marked_value(m.value, m.unit) for name, m in given.items() if m.value is not None}
    ends = _ends(given, levels)
    curves = _as_measured(clinical_curves(corners, levels), ends)
    marks = cobb_strokes(corners, curves, levels, texts=texts) if len(levels) == len(THORACOLUMBAR) else vertebra_strokes(corners, levels)
    if "cobb_max" in given:
        rule: dict[str, tuple[int, int]] = {name: ends[name] for name in CHALLENGE if name in ends}
        marks = (*marks, *challenge_strokes(corners, rule, texts=texts), *coronal_strokes(corners, (), texts=texts))
    return (*(mark for mark in marks if not mark.measurement or mark.measurement in given), *_misplaced(result, corners, levels))


def _misplaced(result: Result, corners: NDArray[np.float64], levels: Sequence[str]) -> list[Stroke]:
    """Return the outlines of the vertebrae that may be misplaced."""
    doubted = {finding.site for finding in result.findings if finding.name == position.FINDING}
    outlines = (corner[[0, 1, 3, 2]].tolist() for level, corner in zip(levels, corners, strict=True) if level in doubted)
    return [Stroke("polygon", tuple((x, y) for x, y in outline), "uncertain", layer="misplaced vertebrae") for outline in outlines]


def _ends(given: Mapping[str, Measurement], levels: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Return the end vertebrae that each measurement names, counted from the top."""
    sites = {site_of(levels, upper, lower): (upper, lower) for lower in range(len(levels)) for upper in range(lower)}
    return {name: sites[m.site] for name, m in given.items() if m.site in sites}


def _as_measured(curves: Sequence[Curve], ends: Mapping[str, tuple[int, int]]) -> list[Curve]:
    """Return the curves of 10 degrees and more, with the end vertebrae of their measurements: pixels that are not square can choose others."""
    drawn = [c for c in curves if c.scoliotic]
    places = [ends.get(measurement_of(c, drawn), (c.upper, c.lower)) for c in drawn]
    return [replace(c, upper=upper, lower=lower) for c, (upper, lower) in zip(drawn, places, strict=True)]
