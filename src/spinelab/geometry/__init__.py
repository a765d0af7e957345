"""Lengths, angles, curves, slips and their drawing from points: numpy only. Signs and axes: ``docs/conventions.md``, ``docs/reference/angles.md``."""

from spinelab.geometry.apex import apex_point
from spinelab.geometry.classify import ROUSSOULY_TYPES, SCHWAB_GRADES, SCHWAB_LIMITS, lordosis_apex, roussouly, schwab, shares
from spinelab.geometry.cobb import ChallengeCobb, Tilts, challenge_cobb, tilts
from spinelab.geometry.coronal import apical_translation, coronal_balance, t1_l5_offset, trunk_tilt_deg
from spinelab.geometry.curves import REGIONAL, SCOLIOSIS_DEG, Curve, RegionalCobb, clinical_curves, curve_pattern, regional_cobb
from spinelab.geometry.drawing import REGION_MEASUREMENTS, challenge_strokes, cobb_strokes, coronal_strokes, marked_value, measurement_of, vertebra_strokes
from spinelab.geometry.landmark_words import in_a_row, landmark_words, landmarks_in_words
from spinelab.geometry.levels import CORNER_LANDMARKS, CORNERS, REGIONS, THORACOLUMBAR, region_of
from spinelab.geometry.reference import reference_range
from spinelab.geometry.sagittal import FRONT_AND_BACK, LATERAL_LANDMARKS, NEEDS, PARAMETERS, SAGITTAL_QUANTITIES, facing_side, facing_votes, sagittal_parameters
from spinelab.geometry.sagittal_drawing import sagittal_strokes
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
    "CORNERS",
    "CORNER_LANDMARKS",
    "FACING_CONFIDENCE",
    "FRONT_AND_BACK",
    "GRADES",
    "LATERAL_LANDMARKS",
    "LEVELS",
    "LINES",
    "NEEDS",
    "PARAMETERS",
    "REGIONAL",
    "REGIONS",
    "REGION_MEASUREMENTS",
    "ROUSSOULY_TYPES",
    "SAGITTAL_QUANTITIES",
    "SCHWAB_GRADES",
    "SCHWAB_LIMITS",
    "SCOLIOSIS_DEG",
    "SLIP_THRESHOLD_PERCENT",
    "THORACOLUMBAR",
    "VERTEBRAE",
    "ChallengeCobb",
    "Curve",
    "Facing",
    "Film",
    "Level",
    "RegionalCobb",
    "Tilts",
    "apex_point",
    "apical_translation",
    "challenge_cobb",
    "challenge_strokes",
    "clinical_curves",
    "cobb_strokes",
    "coronal_balance",
    "coronal_strokes",
    "curve_pattern",
    "facing_side",
    "facing_votes",
    "in_a_row",
    "infer_facing",
    "landmark_words",
    "landmarks_in_words",
    "lordosis_apex",
    "marked_value",
    "measure_frontal",
    "measure_lateral",
    "measurement_of",
    "meyerding_grade",
    "reference_range",
    "region_of",
    "regional_cobb",
    "roussouly",
    "sagittal_parameters",
    "sagittal_strokes",
    "schwab",
    "shares",
    "slip_direction",
    "t1_l5_offset",
    "tilts",
    "trunk_tilt_deg",
    "vertebra_strokes",
]
