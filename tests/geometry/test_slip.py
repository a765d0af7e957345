"""Slip, disc and wedge against drawn spines whose answers were worked out by hand, and the laws of scale, rotation and mirror."""

import math

import numpy as np
import pytest

from spinelab.core import InputError
from spinelab.geometry import LEVELS, infer_facing, measure_frontal, measure_lateral, meyerding_grade, slip_direction


def straight(lines=11, width=40.0, body=30.0, disc=10.0):
    """Vertebrae as upright boxes: endplates from x=100 to x=140, bodies 30 high, discs 10 high."""
    y = np.array([0, body])[None] + (body + disc) * np.arange(6)[:, None]
    y = y.ravel()[:lines]
    return np.stack([np.stack([np.full(lines, 100.0), y], -1), np.stack([np.full(lines, 100.0 + width), y], -1)], 1)


def shifted(level, dx, lines=11):
    """Move every vertebra above ``level`` by ``dx`` pixels."""
    spine = straight(lines)
    spine[: 2 * LEVELS.index(level) + 2, :, 0] += dx
    return spine


def lordotic(facing="right", l1_tilt=-20.0, s1_tilt=40.0):
    """Bodies 30 and discs 10 high along a curve that turns evenly from L1 (front end up) to S1 (front end down), for a patient who faces right."""
    tilt = np.radians(np.linspace(l1_tilt, s1_tilt, 11))
    between = (tilt[1:] + tilt[:-1]) / 2
    steps = np.array([30, 10] * 5)[:, None] * np.stack([-np.sin(between), np.cos(between)], -1)
    middles = np.cumsum(np.vstack([[0, 0], steps]), axis=0)
    half = 20 * np.stack([np.cos(tilt), np.sin(tilt)], -1)
    spine = np.stack([middles - half, middles + half], 1)
    return spine if facing == "right" else spine * [-1, 1]


def rotated(spine, degrees, about=(300.0, -50.0)):
    angle = math.radians(degrees)
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    return (spine - about) @ turn + about


@pytest.mark.parametrize(
    ("dx", "anterior", "percent", "grade", "direction"),
    [
        (1, "right", 2.5, 0, "normal"),
        (10, "right", 25.0, 1, "anterolisthesis"),
        (11, "right", 27.5, 2, "anterolisthesis"),
        (-8, "right", -20.0, 1, "retrolisthesis"),
        (-8, "left", 20.0, 1, "anterolisthesis"),
        (24, "left", -60.0, 3, "retrolisthesis"),
        (36, "right", 90.0, 4, "anterolisthesis"),
        (44, "right", 110.0, 5, "anterolisthesis"),
    ],
)
def test_drawn_slip(dx, anterior, percent, grade, direction):
    level = measure_lateral(shifted("L4/L5", dx), anterior=anterior).level("L4/L5")
    assert level.slip_percent == pytest.approx(percent)
    assert (level.grade, slip_direction(level.slip_percent, "LATERAL")) == (grade, direction)
    others = [measure_lateral(shifted("L4/L5", dx), anterior=anterior).level(name).slip_percent for name in LEVELS if name != "L4/L5"]
    assert others == pytest.approx([0, 0, 0, 0])


def test_slip_is_measured_at_the_back_corner_when_the_endplates_differ_in_length():
    spine = straight()
    spine[:8, 1, 0] += 10  # L1-L4 are 50 long, their back corners (image left) in line
    assert measure_lateral(spine, anterior="right").level("L4/L5").slip_percent == pytest.approx(0)
    # Facing left the back corners are on the right: L4's lies 10 behind L5's, of 40.
    assert measure_lateral(spine, anterior="left").level("L4/L5").slip_percent == pytest.approx(-25)


def test_slip_runs_along_a_sloping_endplate():
    spine = straight()
    spine[10] = [[100, 200], [130, 240]]  # S1: length 50, direction (.6, .8)
    spine[9] = [[110, 190], [150, 190]]  # L5 lower: back corner at (10, -10) from S1's: 10*.6 - 10*.8 = -2 of 50
    level = measure_lateral(spine, anterior="right").level("L5/S1")
    assert level.slip_percent == pytest.approx(-4)
    assert level.disc_angle_deg == pytest.approx(math.degrees(math.atan2(4, 3)))  # opens forward


def test_disc_height_and_wedge():
    spine = straight()
    spine[3, 1, 1] -= 40 * math.tan(math.radians(10))  # L2 lower endplate rises 10 deg towards image right
    film = measure_lateral(spine, anterior="right")
    assert film.wedge_deg["L2"] == pytest.approx(-10)  # lower in front
    assert measure_lateral(spine, anterior="left").wedge_deg["L2"] == pytest.approx(10)
    assert film.level("L2/L3").disc_angle_deg == pytest.approx(10)
    assert film.level("L3/L4").disc_height_ratio == pytest.approx(10 / 40)
    assert film.level("L3/L4").disc_height_mm is None
    assert measure_frontal(spine).wedge_deg["L2"] == pytest.approx(-10)


def test_millimetres_only_with_spacing_and_per_axis():
    assert measure_lateral(shifted("L3/L4", 10), anterior="right").level("L3/L4").slip_mm is None
    level = measure_lateral(shifted("L3/L4", 10), anterior="right", spacing_mm=(0.5, 0.2)).level("L3/L4")
    assert (level.slip_mm, level.disc_height_mm, level.slip_percent) == pytest.approx((2.0, 5.0, 25.0))


def test_lateral_offset_is_positive_to_the_patients_left():
    film = measure_frontal(shifted("L3/L4", 6, lines=10))  # image right is the patient's left on an AP film
    assert film.level("L3/L4").slip_percent == pytest.approx(15)
    assert slip_direction(15, "AP") == "left-laterolisthesis"
    assert slip_direction(-15, "AP") == "right-laterolisthesis"
    assert film.level("L5/S1").slip_percent is None
    assert [level.name for level in film.levels] == list(LEVELS[:4])


@pytest.mark.parametrize("facing", ["left", "right"])
def test_facing_is_inferred_from_lordosis_and_survives_a_tilted_film(facing):
    for degrees in (-25, 0, 25):
        found = infer_facing(rotated(lordotic(facing), degrees))
        assert found.anterior == facing
        assert found.confidence > 0.99


def test_a_flat_back_leaves_the_sign_unknown_and_the_size_known():
    film = measure_lateral(shifted("L4/L5", 12))
    assert film.facing.anterior is None
    assert film.facing.confidence == pytest.approx(0.5, abs=0.3)
    level = film.level("L4/L5")
    assert level.slip_percent is None
    assert level.disc_angle_deg is None
    assert level.slip_size_percent == pytest.approx(30)
    assert (level.grade, film.lordosis_deg) == (2, None)
    assert slip_direction(None, "LATERAL") is None


def test_facing_confidence_is_the_stated_posterior():
    # S1 turned by 8 degrees under a straight spine: lordosis 8, tilt 8: mean cue (8 + 1.5 * 8) / 2 = 10; 2 * 55 * 10 / 400 = 2.75.
    spine = straight()
    half = 20 * np.array([math.cos(math.radians(8)), math.sin(math.radians(8))])
    spine[10] = np.add((120, 200), (-half, half))
    found = infer_facing(spine)
    assert found.confidence == pytest.approx(1 / (1 + math.exp(-2.75)), abs=1e-6)
    assert found.anterior is None


def flatten(film):
    values = [(level.slip_percent, level.slip_size_percent, level.disc_angle_deg, level.disc_height_ratio) for level in film.levels] + [
        (w, film.lordosis_deg or 0.0) for w in film.wedge_deg.values()
    ]
    return [v for row in values for v in row]


def noisy(seed, lines=11):
    return lordotic()[:lines] + np.random.default_rng(seed).normal(0, 1.5, (lines, 2, 2))


@pytest.mark.parametrize("seed", range(5))
def test_laws_of_scale_shift_rotation_mirror_and_order_of_ends(seed):
    spine = noisy(seed)
    expected = flatten(measure_lateral(spine))
    assert None not in expected
    for same in (spine * 3.7, np.add(spine, (500, 80)), rotated(spine, 17), rotated(spine, -20), spine * [-1, 1] + np.array([900, 0]), spine[:, ::-1]):
        assert flatten(measure_lateral(same)) == pytest.approx(expected, abs=1e-9)
    frontal = flatten(measure_frontal(spine))
    assert flatten(measure_frontal(rotated(spine, 12) * 2)) == pytest.approx(frontal, abs=1e-9)
    mirrored = measure_frontal(spine * [-1, 1])  # left becomes right: every signed value changes its sign
    assert [level.slip_percent for level in mirrored.levels] == pytest.approx([-level.slip_percent for level in measure_frontal(spine).levels])


def test_an_absent_endplate_withholds_only_what_needs_it():
    spine = lordotic()
    spine[5] = np.nan  # L3 lower
    film = measure_lateral(spine)
    assert [level.name for level in film.levels if level.slip_percent is None] == ["L3/L4"]
    assert film.wedge_deg["L3"] is None
    assert film.wedge_deg["L4"] is not None
    spine[10] = np.nan
    without_s1 = measure_lateral(spine)
    assert without_s1.level("L5/S1").grade is None
    assert without_s1.lordosis_deg is None


@pytest.mark.parametrize(("percent", "grade"), [(0, 0), (4.99, 0), (5, 1), (25, 1), (25.1, 2), (-50, 2), (75, 3), (100, 4), (100.1, 5)])
def test_meyerding_limits(percent, grade):
    assert meyerding_grade(percent) == grade


@pytest.mark.parametrize(
    ("spine", "words"),
    [
        (np.zeros((9, 2, 2)), "10 or 11 lines"),
        (np.full((10, 2, 2), np.nan), "at least two"),
        (np.ones((11, 2, 2)), "two different points"),
        (straight()[[0, 1, 6, 7, 4, 5, 2, 3, 8, 9, 10]], "follow one another"),
    ],
)
def test_unusable_endplates_are_refused(spine, words):
    with pytest.raises(InputError) as error:
        measure_lateral(spine)
    assert words in str(error.value)
