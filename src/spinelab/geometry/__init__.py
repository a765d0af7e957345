"""Lengths, angles and slips from points: numpy only. Signs and axes: ``docs/conventions.md``."""

from spinelab.geometry.slip import (
    FACING_CONFIDENCE,
    GRADES,
    LEVELS,
    LINES,
    SLIP_THRESHOLD_PERCENT,
    VERTEBRAE,
    Facing,
    Film,
    Level,
    infer_facing,
    measure_frontal,
    measure_lateral,
    meyerding_grade,
    slip_direction,
)

__all__ = [
    "FACING_CONFIDENCE",
    "GRADES",
    "LEVELS",
    "LINES",
    "SLIP_THRESHOLD_PERCENT",
    "VERTEBRAE",
    "Facing",
    "Film",
    "Level",
    "infer_facing",
    "measure_frontal",
    "measure_lateral",
    "meyerding_grade",
    "slip_direction",
]
