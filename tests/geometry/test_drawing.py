"""Marks on a film: every drawn angle is the measured one, every line goes through what it shows, layers and measurements are named."""

import math

import numpy as np
import pytest

from spinelab.geometry import (
    LATERAL_LANDMARKS,
    challenge_cobb,
    challenge_strokes,
    clinical_curves,
    cobb_strokes,
    coronal_strokes,
    marked_value,
    sagittal_parameters,
    sagittal_strokes,
)

TRIPLE = np.array([9, 10, 0, -10, -20, -22, -12, -2, 10, 20, 30, 29, 20, 10, 2, -4, -3], dtype=float)


def drawn_spine(tilt_deg):
    tilt = np.radians(tilt_deg)
    down, along = np.stack([-np.sin(tilt), np.cos(tilt)], -1), np.stack([np.cos(tilt), np.sin(tilt)], -1)
    middle = np.array([400.0, 100.0]) + np.concatenate([np.zeros((1, 2)), np.cumsum(15 * (down[1:] + down[:-1]), axis=0)])
    return np.stack(
        [middle - 11 * down - 20 * along, middle - 11 * down + 20 * along, middle + 11 * down - 20 * along, middle + 11 * down + 20 * along], axis=1
    )


@pytest.mark.parametrize(
    ("value", "unit", "digits", "text"),
    [(48.4, "deg", 0, "48°"), (-20.1, "mm", 0, "−20 mm"), (-0.2, "mm", 0, "0 mm"), (-0.04, "deg", 1, "0.0°"), (60.0, "px", 0, "60 px")],
)
def test_a_value_beside_a_mark_has_a_true_minus_and_none_before_nothing(value, unit, digits, text):
    assert marked_value(value, unit, digits) == text


def arc_deg(stroke):
    start, vertex, end = (np.array(p) for p in stroke.points)
    one, two = start - vertex, end - vertex
    return math.degrees(math.acos(one @ two / np.linalg.norm(one) / np.linalg.norm(two)))


def arcs(strokes, measurement=None):
    return [s for s in strokes if s.kind == "arc" and measurement in {None, s.measurement}]


def patient(facing=1):
    """Landmarks of a patient, in pixels."""
    upright = {
        "FH_1": (5, -2), "FH_2": (-5, 2), "S_1": (-12, 92), "S_2": (-38, 112), "L4_1": (10, 178), "L4_2": (-24, 180), "L1_1": (12, 286), "L1_2": (-20, 274),
        "T12_1": (10, 296), "T12_2": (-20, 286), "T4_1": (-14, 462), "T4_2": (-40, 476), "T1": (2, 548), "T1_1": (18, 552), "T1_2": (-8, 564), "C7": (10, 578),
        "C7_1": (24, 566), "C7_2": (0, 574), "C7_3": (2, 590), "C2_1": (30, 668), "C2_2": (4, 666), "ODT": (12, 706), "FM_1": (20, 712), "FM_2": (-14, 708),
        "Jaw": (88, 664), "Forehead": (96, 790),
    }  # fmt: skip
    return {name: np.array([500.0 + facing * x, 900.0 - y]) for name, (x, y) in upright.items()}


def test_the_arc_of_each_curve_spans_its_cobb_angle():
    spine = drawn_spine(TRIPLE)
    curves = clinical_curves(spine)
    strokes = cobb_strokes(spine, curves)
    names = ["cobb_proximal_thoracic", "cobb_main_thoracic", "cobb_thoracolumbar_lumbar"]
    assert [s.measurement for s in arcs(strokes)] == names
    assert [arc_deg(s) for s in arcs(strokes)] == pytest.approx([c.cobb_deg for c in curves])
    assert [s.text for s in strokes if s.kind == "label" and s.measurement] == ["PT 32°", "MT 52°", "TL/L 34°"]
    assert {s.layer for s in strokes} == {"vertebrae", "Cobb angles"}
    assert sum(s.kind == "polygon" for s in strokes) == 17
    assert [s.text for s in strokes if s.kind == "point"] == [f"apex {c.apex_name}" for c in curves]


def test_endplate_lines_run_through_the_endplates_and_perpendiculars_stand_on_the_concave_side():
    spine = drawn_spine(TRIPLE)
    (_, curve, _) = clinical_curves(spine)
    strokes = [s for s in cobb_strokes(spine, [curve]) if s.measurement]
    lines = [np.array(s.points) for s in strokes if s.role == "endplate"]
    for line, plate in zip(lines, (spine[curve.upper, :2], spine[curve.lower, 2:]), strict=True):
        along = (line[1] - line[0]) / np.linalg.norm(line[1] - line[0])
        for corner in plate:
            offset = corner - line[0]
            assert abs(offset[0] * along[1] - offset[1] * along[0]) < 1e-9
            assert 0 <= offset @ along <= np.linalg.norm(line[1] - line[0])
    vertex = np.array(arcs(strokes)[0].points[1])
    assert curve.convexity == "right"
    assert vertex[0] < spine[curve.upper : curve.lower + 1, :, 0].min()


def test_a_second_curve_of_a_region_is_drawn_without_a_measurement():
    tilt = 12 * np.sin(np.arange(17) * math.pi / 2.5)
    spine = drawn_spine(tilt)
    curves = clinical_curves(spine)
    thoracic = [c for c in curves if c.region == "main thoracic"]
    assert len(thoracic) > 1
    assert len(arcs(cobb_strokes(spine, curves), "cobb_main_thoracic")) == 1


def test_texts_replace_values():
    spine = drawn_spine(TRIPLE)
    strokes = cobb_strokes(spine, clinical_curves(spine), texts={"cobb_main_thoracic": "52 (48-56)"})
    assert [s.text for s in strokes if s.kind == "label" and s.measurement == "cobb_main_thoracic"] == ["MT 52 (48-56)"]


def test_the_challenge_s_angles_are_drawn_between_mid_lines():
    spine = drawn_spine(TRIPLE)
    challenge, names = challenge_cobb(spine, 3000), ["cobb_max", "cobb_upper", "cobb_lower"]
    strokes = challenge_strokes(spine, dict(zip(names, challenge.ends, strict=True)), texts={"cobb_upper": "20°"})
    assert [s.measurement for s in arcs(strokes)] == names
    assert [arc_deg(s) for s in arcs(strokes)] == pytest.approx(challenge.angles_deg.tolist())
    assert {s.role for s in strokes} == {"comparison"}
    assert [s.text for s in strokes if s.kind == "label"] == ["AASCE", "AASCE 20°", "AASCE"]


def test_coronal_balance_with_and_without_c7_and_sacrum():
    spine = drawn_spine(TRIPLE)
    own = coronal_strokes(spine, clinical_curves(spine))
    assert {s.measurement for s in own} == {"t1_l5_offset", "apical_translation"}
    whole = coronal_strokes(spine, c7=(420.0, 60.0), sacrum=(400.0, 700.0))
    assert {s.measurement for s in whole} == {"coronal_balance"}
    distance = next(s for s in whole if s.role == "distance" and s.kind == "line")
    assert distance.points == ((400.0, 700.0), (420.0, 700.0))
    assert [s.text for s in whole if s.kind == "label"] == ["+20 px"]
    assert all(s.layer == "balance" for s in whole)


@pytest.mark.parametrize("facing", [1, -1])
def test_every_drawn_sagittal_angle_spans_what_was_measured(facing):
    film = patient(facing)
    measured, strokes = sagittal_parameters(film), sagittal_strokes(film)
    for name in ("pi", "pt", "ss", "ll", "l4_s1", "tk", "c2_c7", "t1_slope", "cbva", "tpa", "odha", "ssa"):
        (arc,) = arcs(strokes, name)
        assert arc_deg(arc) == pytest.approx(abs(float(measured[name])), abs=1e-6), name
    plumb = next(s for s in strokes if s.measurement == "sva" and s.role == "distance" and s.kind == "line")
    assert abs(plumb.points[1][0] - plumb.points[0][0]) == pytest.approx(abs(float(measured["sva"])))
    assert {s.layer for s in strokes} == {"vertebrae", "lumbopelvic", "thoracic", "cervical", "balance"}
    assert {s.text for s in strokes if s.kind == "point" and s.layer == "vertebrae"} == set(LATERAL_LANDMARKS)


@pytest.mark.parametrize("facing", [1, -1])
def test_lordosis_is_drawn_behind_and_kyphosis_in_front(facing):
    strokes = sagittal_strokes(patient(facing))
    (behind,), (before,) = arcs(strokes, "ll"), arcs(strokes, "tk")
    assert facing * (behind.points[1][0] - 500) < -60
    assert facing * (before.points[1][0] - 500) > 0


def test_what_is_not_measured_is_not_drawn():
    film = {name: xy for name, xy in patient().items() if name not in {"FH_1", "C7"}}
    film["Jaw"] = np.array([np.nan, np.nan])
    strokes = sagittal_strokes(film, texts={"ll": "LL 50 (46-54)"})
    assert not {"pi", "pt", "tpa", "odha", "ssa", "sva", "cbva"} & {s.measurement for s in strokes}
    assert "LL 50 (46-54)" in {s.text for s in strokes}
    assert not {"Jaw", "FH_1", "C7"} & {s.text for s in strokes}
    assert sagittal_strokes({}) == ()
    assert all(s.kind == "point" for s in sagittal_strokes({"Jaw": (1.0, 2.0), "Forehead": (3.0, 0.0)}))
