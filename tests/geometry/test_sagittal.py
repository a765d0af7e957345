"""Each of the fifteen parameters on a drawn patient whose angles were chosen, seen from either side, turned, scaled and sampled."""

import math

import numpy as np
import pytest

from spinelab.core import InputError
from spinelab.geometry import LATERAL_LANDMARKS, NEEDS, PARAMETERS, SAGITTAL_QUANTITIES, facing_side, facing_votes, sagittal_parameters

STANDING = {"pt": 13.0, "ss": 41.0, "ll": 58.0, "l4_s1": 36.0, "tk": 38.0, "tpa": 9.0, "cbva": 2.0, "c2_c7": 12.0, "t1_slope": 25.0, "odha": -3.0, "sva": 14.0}
STOOPED = {"pt": 31.0, "ss": 18.0, "ll": 8.0, "l4_s1": 12.0, "tk": 55.0, "tpa": 38.0, "cbva": 17.0, "c2_c7": 30.0, "t1_slope": 48.0, "odha": 9.0, "sva": 130.0}
KYPHOTIC_NECK = {
    "pt": -4.0,
    "ss": 50.0,
    "ll": 70.0,
    "l4_s1": 44.0,
    "tk": -3.0,
    "tpa": -9.0,
    "cbva": -8.0,
    "c2_c7": -15.0,
    "t1_slope": 6.0,
    "odha": 1.0,
    "sva": -35.0,
}
PATIENTS = pytest.mark.parametrize("wanted", [STANDING, STOOPED, KYPHOTIC_NECK], ids=["standing", "stooped", "kyphotic neck"])


def leaning(degrees, length):
    return length * np.array([math.sin(math.radians(degrees)), math.cos(math.radians(degrees))])


def endplate(middle, slope, length=34.0):
    """Front and back end of an endplate whose front end is ``slope`` degrees lower, in (forward, up)."""
    half = length / 2 * np.array([math.cos(math.radians(slope)), -math.sin(math.radians(slope))])
    return middle + half, middle - half


def drawn_patient(wanted):
    """Landmarks in millimetres (forward, up), the hip axis at (0, 0), with exactly these angles."""
    w, points = wanted, {}

    def add(stem, middle, slope):
        points[f"{stem}_1"], points[f"{stem}_2"] = endplate(np.asarray(middle, dtype=float), slope)

    points["FH_1"], points["FH_2"] = np.array([6.0, -3.0]), np.array([-6.0, 3.0])
    add("S", leaning(-w["pt"], 105.0), w["ss"])
    add("L4", [2, 175], w["ss"] - w["l4_s1"])
    add("L1", [-5, 280], w["ss"] - w["ll"])
    add("T12", [-8, 290], -14.0)
    add("T4", [-20, 470], w["tk"] - 14.0)
    points["T1"] = leaning(w["tpa"] - w["pt"], 560.0)
    add("T1", points["T1"] + [0, 9], w["t1_slope"])
    points["C7"] = np.array([points["S_2"][0] + w["sva"], 590.0])
    add("C7", points["C7"] - [0, 8], 21.0)
    points["C7_3"] = points["C7"] + [-9, 8]
    add("C2", points["C7"] + [8, 75], 21.0 - w["c2_c7"])
    points["ODT"] = leaning(w["odha"], 720.0)
    points["FM_1"], points["FM_2"] = points["ODT"] + [9, 5], points["ODT"] + [-26, 2]
    points["Jaw"] = points["ODT"] + [75, -40]
    points["Forehead"] = points["Jaw"] + leaning(w["cbva"], 130.0)
    return points


def on_film(points, *, facing=1, scale=1.0, lean_deg=0.0, at=(500.0, 900.0)):
    """The patient on a film (x, y), facing either side, leaning forward by so much as a whole."""
    angle = math.radians(lean_deg)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    return {name: np.array([at[0], at[1]]) + scale * np.array([facing, -1]) * (xy @ turn) for name, xy in points.items()}


def complete(wanted):
    return {**wanted, "pi": wanted["pt"] + wanted["ss"], "pi_ll": wanted["pt"] + wanted["ss"] - wanted["ll"], "ts_cl": wanted["t1_slope"] - wanted["c2_c7"]}


def between(one, two):
    return math.degrees(math.acos(one @ two / np.linalg.norm(one) / np.linalg.norm(two)))


def test_the_drawing_has_all_26_landmarks_and_15_parameters():
    assert set(drawn_patient(STANDING)) == set(LATERAL_LANDMARKS)
    assert len(LATERAL_LANDMARKS) == 26
    assert len(PARAMETERS) == 15
    assert {landmark for needs in NEEDS.values() for landmark in needs} <= set(LATERAL_LANDMARKS)
    assert {q.name for q in SAGITTAL_QUANTITIES} == set(PARAMETERS)
    assert [q.unit for q in SAGITTAL_QUANTITIES if q.name == "sva"] == ["mm", "px"]
    assert all(q.how and q.title for q in SAGITTAL_QUANTITIES)


@PATIENTS
@pytest.mark.parametrize("facing", [1, -1])
@pytest.mark.parametrize("scale", [1.0, 0.31])
def test_drawn_angles_are_measured_from_either_side(wanted, facing, scale):
    measured = sagittal_parameters(on_film(drawn_patient(wanted), facing=facing, scale=scale))
    assert tuple(measured) == PARAMETERS
    for name, value in complete(wanted).items():
        assert measured[name] == pytest.approx(value * (scale if name == "sva" else 1), abs=1e-9), name


@PATIENTS
def test_spinosacral_angle_is_the_angle_in_front_of_the_line_to_c7(wanted):
    points = drawn_patient(wanted)
    middle = (points["S_1"] + points["S_2"]) / 2
    assert sagittal_parameters(on_film(points))["ssa"] == pytest.approx(between(points["C7"] - middle, points["S_1"] - middle))


@PATIENTS
def test_pelvic_incidence_is_its_own_definition_and_the_sum(wanted):
    points = drawn_patient(wanted)
    measured = sagittal_parameters(on_film(points, facing=-1, lean_deg=7))
    middle, along = (points["S_1"] + points["S_2"]) / 2, points["S_1"] - points["S_2"]
    assert measured["pi"] == pytest.approx(between(np.array([along[1], -along[0]]), -middle), abs=1e-9)
    assert abs(measured["pi"] - measured["pt"] - measured["ss"]) < 1e-9


@PATIENTS
@pytest.mark.parametrize("lean", [-18.0, 5.0, 25.0])
def test_leaning_as_a_whole_moves_what_is_measured_against_the_vertical_and_nothing_else(wanted, lean):
    upright = sagittal_parameters(on_film(drawn_patient(wanted)))
    leant = sagittal_parameters(on_film(drawn_patient(wanted), lean_deg=lean, facing=-1), facing=-1)
    moved = {"pt": -lean, "ss": lean, "cbva": lean, "t1_slope": lean, "ts_cl": lean, "odha": lean}
    for name in PARAMETERS:
        if name != "sva":
            assert leant[name] == pytest.approx(upright[name] + moved.get(name, 0.0), abs=1e-9), name
    assert (leant["sva"] > upright["sva"]) == (lean > 0)


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_parameter_is_left_out_exactly_when_one_of_its_landmarks_is_missing(name):
    film = on_film(drawn_patient(STANDING))
    for landmark in NEEDS[name]:
        assert name not in sagittal_parameters({k: v for k, v in film.items() if k != landmark})
    alone = sagittal_parameters({k: film[k] for k in NEEDS[name]}, facing=1)
    assert alone[name] == pytest.approx(sagittal_parameters(film)[name])


@pytest.mark.parametrize("landmark", LATERAL_LANDMARKS)
def test_one_missing_landmark_withholds_only_what_needs_it(landmark):
    measured = sagittal_parameters({k: v for k, v in on_film(drawn_patient(STANDING)).items() if k != landmark})
    assert set(PARAMETERS) - set(measured) == {name for name in PARAMETERS if landmark in NEEDS[name]}


def test_three_endplates_with_swapped_ends_do_not_turn_the_patient_round():
    film = on_film(drawn_patient(STANDING), facing=-1)
    for stem in ("L1", "T4", "C7"):
        film[f"{stem}_1"], film[f"{stem}_2"] = film[f"{stem}_2"], film[f"{stem}_1"]
    assert facing_side(film) == -1
    assert facing_votes(film) == pytest.approx(-(6 - 3) / 9)
    assert sagittal_parameters(film)["pt"] == pytest.approx(STANDING["pt"])


def test_even_votes_leave_the_side_unknown():
    film = on_film(drawn_patient(STANDING))
    two = {"S_1": film["S_1"], "S_2": film["S_2"], "L1_1": film["L1_2"], "L1_2": film["L1_1"]}
    assert np.isnan(facing_side(two))
    assert all(np.isnan(value) for value in sagittal_parameters(two).values())
    assert sagittal_parameters(two, facing=1)["ss"] == pytest.approx(STANDING["ss"])


def test_without_an_endplate_the_side_is_unknown_and_nothing_is_measured():
    film = on_film(drawn_patient(STANDING))
    assert sagittal_parameters({"Forehead": film["Forehead"], "Jaw": film["Jaw"]}) == {}
    with pytest.raises(InputError, match="front and a back"):
        facing_votes({"Jaw": film["Jaw"]})


def test_many_samples_in_one_call_equal_one_after_the_other():
    rng = np.random.default_rng(0)
    film = {name: xy + rng.normal(0, 3, (7, 5, 2)) for name, xy in on_film(drawn_patient(STANDING), facing=-1).items()}
    film["S_1"][2, 3] = np.nan
    together = sagittal_parameters(film)
    for index in np.ndindex(7, 5):
        alone = sagittal_parameters({name: xy[index] for name, xy in film.items()})
        for name in PARAMETERS:
            assert together[name].shape == (7, 5)
            assert together[name][index] == pytest.approx(alone[name], nan_ok=True)
    assert np.isnan(together["ss"][2, 3])
    assert np.isfinite(together["tk"]).all()


def test_a_point_is_x_and_y():
    with pytest.raises(InputError, match="S_1"):
        sagittal_parameters({"S_1": [1.0, 2.0, 3.0], "S_2": [0.0, 0.0]})
