"""What is said of an AP film: other numberings as they are, and whose left and right it is."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from spinelab.core import Fact, Image, Model, Result, Study, unknown
from spinelab.experiments.folds import probability_table
from spinelab.geometry import CORNER_LANDMARKS
from spinelab.report.serial import find_series
from spinelab.report.visits import Visit
from spinelab.tasks.scoliosis import words
from spinelab.tasks.scoliosis.task import Scoliosis, _above
from spinelab.train.landmark_reading import Reading


def column():
    middle = np.stack([400 + 60 * np.sin(np.arange(17) / 3), 100 + 80.0 * np.arange(17)], axis=1)
    tilt = np.deg2rad(20 * np.cos(np.arange(17) / 3))
    turn = np.stack([np.stack([np.cos(tilt), -np.sin(tilt)], -1), np.stack([np.sin(tilt), np.cos(tilt)], -1)], -2)
    return (middle[:, None] + np.array([[-40, -30], [40, -30], [-42, 30], [42, 30]]) @ turn.transpose(0, 2, 1)).reshape(-1, 2)


def reading(facts=None, spacing=None):
    points = column()
    return Reading(
        CORNER_LANDMARKS,
        points,
        points + np.random.default_rng(0).normal(0, 1, (50, *points.shape)),
        np.ones(68, bool),
        np.ones(68),
        np.full(68, np.nan),
        spacing or unknown("a JPG does not state it"),
        (1600, 800),
        facts or {},
    )


def way(shift, levels, places):
    return {"shift": shift, "levels": list(levels), "middle": [[50.0, 20.0 * p] for p in places]}


def said(*columns, chances=(0.7, 0.3), certainty=0.7):
    facts = {"certainty": certainty, "alternatives": {c["shift"]: p for c, p in zip(columns, chances, strict=True)}, "columns": list(columns)}
    return next(note for note in words.notes(reading(facts), Image(np.zeros((4, 4), np.uint8))) if note.startswith("Names of the levels"))


def test_a_numbering_that_moves_every_name_says_so():
    assert "every vertebra could be one level lower than named (30%)" in said(way(0, range(3, 10), range(7)), way(1, range(4, 11), range(7)))


def test_a_numbering_that_skips_a_level_names_only_those_that_move():
    note = said(way(0, range(17), range(17)), way(1, [*range(8), *range(9, 17)], [*range(8), *range(8, 16)]))
    assert "T9 to L4 could be one level lower than named, L5 no vertebra of the column (30%)" in note
    assert "every vertebra" not in note


def test_a_numbering_with_another_vertebra_says_that_one_was_passed_over():
    note = said(way(0, range(1, 8), range(7)), way(-1, range(7), [-1, *range(6)]))
    assert "could be one level higher than named" not in note.split("T2 to")[0]
    assert "and a vertebra counted that was passed over" in note


def test_vertebrae_that_move_are_named_in_runs():
    note = said(way(0, range(17), range(17)), way(-1, [-1, *range(4), *range(5, 16)], [-9, *range(1, 5), *range(6, 17)]))
    assert "T2 to T5, T7 to L5 could be one level higher than named, T1, T6 no vertebra of the column" in note


def test_vertebrae_that_were_not_seen_are_named_from_the_top():
    noted = words.notes(reading({"between": (5, 0)}), Image(np.zeros((4, 4), np.uint8)))
    assert "Not seen clearly, and put where the column goes on: T1, T6." in noted


def test_of_a_cropped_film_nothing_is_said_about_a_largest_angle():
    whole = reading({"certainty": 0.3})
    cropped = replace(whole, present=np.repeat(np.arange(17) > 4, 4))
    noted = words.notes(cropped, Image(np.zeros((4, 4), np.uint8)))
    assert "No vertebra was named T1 to T5; the names may be wrong." in noted
    assert "Not found on the film: T1 to T5." in words.notes(replace(cropped, facts={"certainty": 0.9}), Image(np.zeros((4, 4), np.uint8)))
    assert "Names of the levels: right with a certainty of 30%." in noted
    assert any("The largest angle does not depend" in note for note in words.notes(whole, Image(np.zeros((4, 4), np.uint8))))


@pytest.mark.parametrize(("shift", "told"), [(3, "three levels lower"), (-4, "four levels higher"), (5, "5 levels lower")])
def test_a_numbering_may_be_many_levels_away(shift, told):
    assert f"every vertebra could be {told} than named (30%)" in said(way(0, range(5, 12), range(7)), way(shift, range(5 + shift, 12 + shift), range(7)))


@pytest.mark.parametrize(("certainty", "share"), [(0.35, "15%"), (0.7, "30%"), (0.9, "10%")])
def test_no_numbering_is_likelier_than_the_one_that_is_named_and_all_are_at_most_certain(certainty, share):
    assert f"({share})" in said(way(0, range(3, 10), range(7)), way(1, range(4, 11), range(7)), certainty=certainty)


def test_unlikely_numberings_are_not_mentioned():
    assert "could be" not in said(way(0, range(17), range(17)), way(1, range(1, 17), range(16)), chances=(0.97, 0.03))


@pytest.mark.parametrize(
    ("stated", "left", "right"),
    [
        ("L\\F", "the patient's right", "the patient's left"),
        ("['R', 'F']", "the patient's left", "the patient's right"),
        (None, "the left of the picture", "the right of the picture"),
        ("A\\F", "the left of the picture", "the right of the picture"),
        ("L\\H", "the left of the picture", "the right of the picture"),
    ],
)
def test_sides_are_the_patients_only_where_the_file_states_them(stated, left, right):
    facts = {} if stated is None else {"PatientOrientation": Fact(stated, "DICOM")}
    image = Image(np.zeros((4, 4), np.uint8), facts=facts)
    assert words._sides(image) == (left, right)
    assert ("patient's own" in words.notes(reading(), image)[-1]) == left.startswith("the patient")
    told = next(note for note in words.notes(reading(), image) if note.startswith("Curves by the clinical rule"))
    assert left in told or right in told


@pytest.mark.parametrize(("value", "interval", "chance"), [(40.0, (35, 45), 0.5), (45.0, (40.2, 49.8), 0.979), (95.0, (90, 100), 1.0)])
def test_the_chance_that_the_true_angle_reaches_the_threshold(value, interval, chance):
    """0.979 is the normal distribution at 2.04 standard deviations (a half-width of 4.8 is 1.96 of them)."""
    assert _above(value, interval, 40.0) == pytest.approx(chance, abs=0.001)


def test_without_an_interval_there_is_no_probability():
    assert _above(40.1, (40.1, 40.1), 40.0) is None
    found = answer(reading({"certainty": 0.9}), film("a"))
    finding = found.finding("surgical_range")
    assert (finding.label, finding.probabilities) == ("below", {})
    assert Result.from_dict(found.to_dict()).finding("surgical_range") == finding
    table = probability_table([found], ("below", "surgical-range"), "surgical_range")
    assert table.tolist() == [[1.0, 0.0]]


def test_findings_and_notes_of_a_reading_without_a_calibration():
    task = Scoliosis()
    model = Model("scoliosis", task.settings_type(), ("below", "surgical-range"), {}, {"landmarks": list(CORNER_LANDMARKS)})
    read = reading({"certainty": 0.9})
    found = task.findings(read, model, {}, task._measurements(read, model))
    assert [f.name for f in found] == ["surgical_range", "levels"]
    assert found[1].label == "certain"


def film(name, orientation=None):
    facts = {} if orientation is None else {"PatientOrientation": Fact(orientation, "DICOM")}
    return Study(name, images=(Image(np.zeros((1600, 800), np.uint8), facts=facts),))


def answer(read, study):
    task = Scoliosis()
    return task._result(read, Model("scoliosis", task.settings_type(), ("below", "surgical-range"), {}, {"landmarks": list(CORNER_LANDMARKS)}), study)


def test_without_the_largest_angle_it_is_told_that_the_surgical_range_is_not_answered_and_why():
    whole = answer(reading({"certainty": 0.9}), film("a"))
    assert not [note for note in whole.notes if note.startswith("No answer")]
    cropped = answer(replace(reading({"certainty": 0.9}), present=np.repeat(np.arange(17) > 4, 4)), film("a"))
    assert cropped.finding("surgical_range") is None
    told = "No answer whether the largest angle is in the surgical range, for that angle is withheld: T1 to T5 were not found on the film."
    assert cropped.notes.count(told) == 1


def mirrored(read):
    """Return the reading of a patient who is bent to the other side: left and right corners change places."""
    order = np.arange(68).reshape(17, 4)[:, [1, 0, 3, 2]].ravel()
    return replace(read, points=read.points[order] * [-1, 1] + [800, 0], samples=read.samples[:, order] * [-1, 1] + [800, 0])


def test_every_angle_says_between_which_vertebrae_and_to_which_side():
    stated, other, unstated = (answer(reading(), film("a", o)).measurements for o in ("L\\F", "R\\F", None))
    curves = [m for m in stated if m.name.startswith("cobb") and m.value is not None]
    assert curves
    for m, turned, bare in zip(stated, other, unstated, strict=True):
        assert (m.site, bare.side) == (bare.site, None)
        if m in curves and m.value:
            assert m.site.count("-") == 1
            assert {m.side, turned.side} == {"left", "right"}
    offset = next(m for m in stated if m.name == "trunk_tilt")
    assert (offset.site, offset.side) == (None, None)
    assert Result.from_dict(answer(reading(), film("a", "L\\F")).to_dict()).measurements == stated


def another(result):
    """Return the answer for a picture that is another one by a hair."""
    return replace(result, landmarks=tuple(replace(point, x=point.x + 0.01) for point in result.landmarks))


def test_no_change_is_claimed_of_a_curve_whose_side_changed():
    days = {"old": Visit("P", date(2021, 1, 1)), "new": Visit("P", date(2022, 1, 1))}
    quantities = Scoliosis().quantities(Scoliosis().settings_type())
    films = [answer(reading(), film("old", "L\\F")), answer(mirrored(reading()), film("new", "L\\F"))]
    (series,) = find_series(films, days, quantities, agreement={}, one_patient=False)
    (pair,) = series.follow_ups
    assert not [c.name for c in pair.changes if c.name.startswith("cobb") and c.earlier]
    assert any("its side changed from" in remark for remark in pair.remarks)
    bare = [answer(reading(), film("old")), answer(mirrored(reading()), film("new"))]
    (series,) = find_series(bare, days, quantities, agreement={}, one_patient=False)
    (pair,) = series.follow_ups
    assert not [c.name for c in pair.changes if c.name.startswith("cobb") and c.earlier]
    assert any("of the picture, then to the" in remark and "one of the films may be mirrored" in remark for remark in pair.remarks)
    (series,) = find_series([bare[0], another(answer(reading(), film("new")))], days, quantities, agreement={}, one_patient=False)
    assert [c.name for c in series.follow_ups[0].changes if c.name.startswith("cobb")]
    (series,) = find_series([films[0], answer(reading(), film("new"))], days, quantities, agreement={}, one_patient=False)
    assert any("its side is known of one of the films only" in remark for remark in series.follow_ups[0].remarks)
    (series,) = find_series([films[0], another(answer(reading(), film("new", "L\\F")))], days, quantities, agreement={}, one_patient=False)
    assert [c.name for c in series.follow_ups[0].changes if c.name.startswith("cobb")]
