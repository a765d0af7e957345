import math
from dataclasses import replace

import numpy as np
import pytest

from spinelab.core import Fact, Image, Landmark, Measurement, Result, unknown
from spinelab.geometry import LATERAL_LANDMARKS, SAGITTAL_QUANTITIES, schwab
from spinelab.tasks.whole_spine import film, scale
from spinelab.tasks.whole_spine.drawing import strokes
from spinelab.tasks.whole_spine.measure import REGIONS, as_landmarks, facing, findings, measure, measurements, not_on_film

SPACING = Fact((0.25, 0.25), "header")


def drawn(side=1.0):
    """A spine in millimetres, forward and up from the hips, drawn to a film at .25 mm: PT 14, SS 41, LL 55 degrees, SVA 20 mm."""
    turn = math.radians
    sacrum = np.array([-100 * math.sin(turn(14)), 100 * math.cos(turn(14))])
    body = {"FH_1": (-3, 0), "FH_2": (3, 0)}

    def above(forward, up):
        return sacrum + np.array([forward, up])

    def plate(name, middle, slope, half=17.0):
        along = np.array([math.cos(turn(slope)), -math.sin(turn(slope))]) * half
        body[f"{name}_1"], body[f"{name}_2"] = middle + along, middle - along

    plate("S", sacrum, 41)
    plate("L4", above(6, 62), 10)
    plate("L1", above(-4, 165), -14)
    plate("T12", above(-6, 168), -13)
    plate("T4", above(-40, 380), 27)
    plate("T1", above(-10, 450), 25, 9)
    plate("C7", np.array([0, sacrum[1] + 455]), 20, 8)
    plate("C2", above(20, 560), 0, 8)
    plate("FM", above(10, 610), 5, 17)
    back = body["S_2"]
    body |= {"T1": above(-12, 440), "C7": np.array([back[0] + 20, sacrum[1] + 463]), "C7_3": above(-6, 472)}
    body |= {"ODT": above(22, 600), "Forehead": above(110, 700), "Jaw": above(105, 580)}
    return {name: np.array([1000 + side * at[0] / 0.25, 3500 - at[1] / 0.25]) for name, at in body.items()}


def points(names=None, side=1.0):
    return tuple(Landmark(name, *at) for name, at in drawn(side).items() if names is None or name in names)


def without(*absent):
    return points([name for name in LATERAL_LANDMARKS if name not in absent])


@pytest.mark.parametrize("side", [1.0, -1.0])
def test_a_drawn_spine_measures_as_drawn_whichever_way_it_faces(side):
    found = {(m.name, m.unit): m.value for m in measurements(points(side=side), SPACING)}
    expected = {"pt": 14, "ss": 41, "pi": 55, "ll": 55, "pi_ll": 0, "l4_s1": 31, "tk": 40, "t1_slope": 25, "c2_c7": 20, "ts_cl": 5}
    assert {name: found[name, "deg"] for name in expected} == pytest.approx(expected)
    assert found["sva", "mm"] == pytest.approx(20)
    assert found["sva", "px"] == pytest.approx(80)
    assert set(found) == {(q.name, q.unit) for q in SAGITTAL_QUANTITIES}
    assert facing(points(side=side)) == ("right" if side > 0 else "left")


def test_samples_are_measured_as_one_by_one():
    rng = np.random.default_rng(2)
    samples = {name: at + rng.normal(0, 2, (40, 2)) for name, at in drawn().items()}
    many = measure(samples, (0.25, 0.25))
    for row in (0, 17, 39):
        one = measure({name: at[row] for name, at in samples.items()}, (0.25, 0.25))
        assert {key: float(v) for key, v in one.items()} == pytest.approx({key: float(v[row]) for key, v in many.items()})


def test_pixels_that_are_not_square():
    stretched = {name: at * [2.0, 1.0] for name, at in drawn().items()}
    square, narrow = measure(drawn(), (0.25, 0.25)), measure(stretched, (0.25, 0.125))
    assert float(narrow["pi", "deg"]) == pytest.approx(float(square["pi", "deg"]))
    assert float(narrow["sva", "mm"]) == pytest.approx(20)
    assert float(narrow["sva", "px"]) == pytest.approx(160)


def test_only_what_needs_an_absent_landmark_is_withheld():
    given = {(m.name, m.unit): m.withheld for m in measurements(without("FH_1", "FH_2"), SPACING)}
    lost = {name for (name, _), reason in given.items() if reason}
    assert lost == {"pi", "pt", "pi_ll", "tpa", "odha"}
    assert {given[name, "deg"] for name in lost} == {"the femoral heads are not on the film"}


@pytest.mark.parametrize(
    ("absent", "words"),
    [
        (["FH_1"], "one of the femoral heads is not on the film"),
        (["FH_2", "FH_1"], "the femoral heads are not on the film"),
        (["L1_1", "L1_2"], "the upper endplate of L1 is not on the film"),
        (["T12_2"], "the posterior inferior corner of T12 is not on the film"),
        (["C7"], "the centre of C7 is not on the film"),
        (["Forehead", "Jaw"], "the forehead and the chin are not on the film"),
        (["T1_1", "T1_2", "C2_1", "C2_2", "C7_1"], None),
        (["ODT", "FH_1", "FH_2"], "the femoral heads and the odontoid are not on the film"),
    ],
)
def test_what_is_missing_is_said_as_a_reader_would(absent, words):
    said = not_on_film(absent)
    expected = "the upper endplate of T1, the anterior inferior corner of C7 and the lower endplate of C2 are not on the film"
    assert said == (words or expected)


def test_every_landmark_has_words_and_a_region():
    assert sorted(name for region in REGIONS.values() for name in region) == sorted(LATERAL_LANDMARKS)
    for name in LATERAL_LANDMARKS:
        assert not_on_film([name]).endswith("is not on the film")
        assert len(not_on_film([name])) > len("is not on the film") + 3


def test_without_spacing_the_millimetres_are_withheld_and_the_pixels_given():
    given = {(m.name, m.unit): m for m in measurements(points(), unknown("a JPG does not state it"))}
    assert given["sva", "px"].value == pytest.approx(80)
    assert given["sva", "mm"].withheld == "no pixel spacing: a JPG does not state it"
    assert given["pi", "deg"].value == pytest.approx(55)


def test_a_spacing_that_cannot_be_right_gives_no_millimetres():
    given = {(m.name, m.unit): m for m in measurements(points(), Fact((1.0, 1.0), "DICOM PixelSpacing; exactly 1 mm: perhaps a placeholder"))}
    assert given["sva", "mm"].withheld.startswith("the pixel spacing of 1 mm is not plausible: by it the upper endplate of S1 would be 136 mm deep")
    assert given["sva", "px"].value == pytest.approx(80)
    assert given["pi", "deg"].value == pytest.approx(55)
    assert not scale.implausible({}, SPACING)


def test_which_way_the_patient_faces_may_not_be_known():
    given = {(m.name, m.unit): m for m in measurements(points(["C7", "S_2", "Forehead", "Jaw"]), SPACING)}
    assert given["cbva", "deg"].withheld == "which way the patient faces cannot be told from the landmarks"
    assert facing(points(["C7", "S_2"])) == ""


def test_the_classes_and_their_probabilities():
    one = {
        f.name: f
        for f in findings({("pi_ll", "deg"): np.array(12.0), ("sva", "mm"): np.array(20.0), ("pt", "deg"): np.array(31.0), ("ss", "deg"): np.array(41)})
    }
    assert {name: f.label for name, f in one.items()} == {"pi_ll_modifier": "+", "sva_modifier": "0", "pt_modifier": "++", "roussouly": "3"}
    samples = np.concatenate([np.full(30, 5.0), np.full(60, 15.0), np.full(10, 30.0), [np.nan]])
    many = findings({("pi_ll", "deg"): samples})[0]
    assert many.label == "+"
    assert many.probabilities == pytest.approx({"0": 30.5 / 101.5, "+": 60.5 / 101.5, "++": 10.5 / 101.5})
    assert [int(n) for n in schwab("pi_ll", [5, 15, 30])] == [0, 1, 2]
    assert findings({("sva", "px"): np.array(80.0)}) == ()
    assert findings({("pi_ll", "deg"): np.array(np.nan)}) == ()


def film_with(**stated):
    return Image(np.zeros((900, 400), np.uint16), facts={key: Fact(value, "DICOM") for key, value in stated.items()})


@pytest.mark.parametrize(("header", "side", "said"), [("P\\F", "right", True), ("A\\F", "left", True), ("P\\F", "left", False), ("A\\F", "right", False)])
def test_a_picture_that_contradicts_its_header_seems_mirrored(header, side, said):
    sentence = film.mirrored(film_with(PatientOrientation=header), side)
    assert ("seems to be mirrored" in sentence) is said
    assert not said or f"landmarks that it is the {side}" in sentence
    assert film.mirrored(film_with(PatientOrientation=header), "") == ""


def test_without_a_direction_in_the_header_nothing_is_said_of_mirrors():
    assert film.mirrored(film_with(), "left") == film.mirrored(film_with(PatientOrientation="L\\F"), "left") == ""


def test_parts_that_do_not_lie_one_below_the_other_are_no_spine():
    assert film.misplaced(drawn()) == ""
    assert film.misplaced({}) == ""
    assert film.misplaced(drawn() | {"FH_1": np.array([1000.0, 10.0]), "FH_2": np.array([1000.0, 10.0])}).startswith("the hips would lie above the sacrum")
    upside_down = {name: 4000 - at for name, at in drawn().items()}
    assert "C7 would lie above the skull base" in film.misplaced(upside_down)


@pytest.mark.parametrize("side", [1.0, -1.0])
def test_the_femoral_head_in_front_is_the_first(side):
    there = {name: (float(at[0]), float(at[1])) for name, at in drawn(side).items()}
    exchanged = there | {"FH_1": there["FH_2"], "FH_2": there["FH_1"]}
    assert as_landmarks(there) == as_landmarks(exchanged)
    found = {p.name: p.x for p in as_landmarks(there)}
    assert (found["FH_1"] - found["FH_2"]) * side > 0
    assert [p.name for p in as_landmarks(exchanged)] == [name for name in LATERAL_LANDMARKS if name in there]
    assert [p.name for p in as_landmarks({"FH_2": (3.0, 4.0)})] == ["FH_2"]


def test_what_is_withheld_is_not_drawn():
    whole = Result("whole-spine", "t", "s", measurements=measurements(points(), SPACING), landmarks=points())
    shown = {mark.measurement for mark in strokes(whole)} - {""}
    assert shown >= {"pi", "pt", "ss", "ll", "tk", "sva", "c2_c7"}
    texts = {mark.text for mark in strokes(whole)}
    assert {"SVA 20 mm", "PI 55°", "L4-S1 31°"} <= texts
    doubted = [m if m.name != "tk" else Measurement("tk", None, "deg", withheld="hidden by the shoulders") for m in measurements(points(), unknown("absent"))]
    marks = strokes(replace(whole, measurements=tuple(doubted)))
    assert "tk" not in {mark.measurement for mark in marks}
    assert "SVA 80 px" in {mark.text for mark in marks}
    assert sum(mark.kind == "point" and mark.role == "landmark" and not mark.measurement for mark in marks) == len(LATERAL_LANDMARKS)
