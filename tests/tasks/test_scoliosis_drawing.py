"""What is drawn over an AP film is what was measured: the same end vertebrae, by both rules."""

import math

import numpy as np
import pytest

from spinelab.geometry import CORNER_LANDMARKS, THORACOLUMBAR, challenge_cobb
from spinelab.tasks.scoliosis import data, drawing, measure

TILT_DEG = np.array([9, 10, 0, -10, -20, -22, -12, -2, 10, 20, 30, 29, 20, 10, 2, -4, -3], dtype=float)
ROWS = 620
"""The two vertebrae of the largest angle lie in the lower half of a film of this height, and in the upper half of the column."""


def spine():
    tilt = np.radians(TILT_DEG)
    down, along = np.stack([-np.sin(tilt), np.cos(tilt)], -1), np.stack([np.cos(tilt), np.sin(tilt)], -1)
    middle = np.array([400.0, 100.0]) + np.concatenate([np.zeros((1, 2)), np.cumsum(15 * (down[1:] + down[:-1]), axis=0)])
    return np.stack(
        [middle - 11 * down - 20 * along, middle - 11 * down + 20 * along, middle + 11 * down - 20 * along, middle + 11 * down + 20 * along], axis=1
    )


def truth(rows=ROWS):
    points = {name: (float(x), float(y)) for name, (x, y) in zip(CORNER_LANDMARKS, spine().reshape(-1, 2), strict=True)}
    return data.truth(points, "film", rows, 40.0)


def arc_deg(stroke):
    start, vertex, end = (np.array(p) for p in stroke.points)
    one, two = start - vertex, end - vertex
    return math.degrees(math.acos(one @ two / np.linalg.norm(one) / np.linalg.norm(two)))


def test_the_challenge_s_angles_are_drawn_between_the_vertebrae_that_were_measured():
    measured, without_height = challenge_cobb(spine(), ROWS), challenge_cobb(spine())
    assert (measured.ends != without_height.ends).any()
    result = truth()
    sites = {m.name: m.site for m in result.measurements if m.name in measure.CHALLENGE}
    assert list(sites.values()) == [f"{THORACOLUMBAR[a]}-{THORACOLUMBAR[b]}" for a, b in measured.ends]
    drawn = {s.measurement: arc_deg(s) for s in drawing.strokes(result) if s.kind == "arc"}
    for m in result.measurements:
        if m.name.startswith("cobb"):
            assert drawn[m.name] == pytest.approx(m.value), m.name


def test_a_clinical_curve_keeps_the_end_vertebrae_of_its_measurement():
    points = dict(zip(CORNER_LANDMARKS, spine().reshape(-1, 2), strict=True))
    places = measure.places(points, (0.2, 0.2), ROWS)
    assert places["cobb_main_thoracic"] == measure.Place("T6-T11", to_the_right=True)
    lines = [s for s in drawing.strokes(truth()) if s.measurement == "cobb_main_thoracic" and s.role == "endplate"]
    for line, plate in zip(lines, (points["T6_superior_image_left"], points["T11_inferior_image_left"]), strict=True):
        (ax, ay), (bx, by) = line.points
        assert abs((plate[0] - ax) * (by - ay) - (plate[1] - ay) * (bx - ax)) < 1e-6


def test_a_part_of_the_column_has_the_places_of_its_whole_curves_alone():
    points = dict(zip(CORNER_LANDMARKS[8:], spine().reshape(-1, 2)[8:], strict=True))
    assert set(measure.places(points, None, ROWS)) <= {"cobb_main_thoracic", "cobb_thoracolumbar_lumbar", "cobb_proximal_thoracic"}
    assert measure.places(dict(list(points.items())[:12]), None, ROWS) == {}
