"""What is said of a vertebra that may be misplaced, and what follows for names and angles."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spinelab.core import Image, Model, Study, unknown
from spinelab.geometry import CORNER_LANDMARKS, THORACOLUMBAR
from spinelab.geometry.misplaced import Fault, find_faults, fit_neighbours
from spinelab.tasks.scoliosis import data, drawing, position
from spinelab.tasks.scoliosis.task import Scoliosis
from spinelab.train.landmark_head import Sighting
from spinelab.train.landmark_reading import Reading

REAL = Path(__file__).parents[2].parent / "shared" / "data" / "scoliosis-ap"
TASK = Scoliosis()
ROWS, COLUMNS = 832, 352


def column(seed=0, noise=0.4):
    """Return an S-shaped spine ``(17, 4, 2)`` on a film of `ROWS` x `COLUMNS`."""
    level = np.arange(17)
    tilt = np.deg2rad(18 * np.cos(level / 3))
    step = 42.0
    down = np.cumsum(np.stack([-np.sin(tilt), np.cos(tilt)], axis=1) * step, axis=0)
    box = np.array([[-30, -16], [30, -16], [-30, 16], [30, 16]])
    turn = np.stack([np.stack([np.cos(tilt), -np.sin(tilt)], -1), np.stack([np.sin(tilt), np.cos(tilt)], -1)], -2)
    return down[:, None] + [150, 0] + np.einsum("nij,kj->nki", turn, box) + np.random.default_rng(seed).normal(0, noise, (17, 4, 2))


LEARNT = {"neighbours": fit_neighbours(np.stack([column(seed, 0.8) for seed in range(1, 60)])).to_dict(), "miscounted": {"films": 4, "right": 1}}


def model(learnt=LEARNT):
    record = {"landmarks": list(CORNER_LANDMARKS), "calibration": {"head": learnt}}
    return Model("scoliosis", TASK.settings_type(rows=ROWS, columns=COLUMNS), ("below", "surgical-range"), {}, record)


def answer(corners, learnt=LEARNT, certainty=0.95, first=0):
    """Return the result for a film on which these vertebrae were seen, the first at level ``first``."""
    points, there = np.zeros((17, 4, 2)), np.zeros(17)
    points[first : first + len(corners)], there[first : first + len(corners)] = corners, 1
    flat, on = points.reshape(-1, 2), np.repeat(there, 4)
    samples = flat + np.random.default_rng(0).normal(0, 0.5, (50, 68, 2))
    seen = Sighting(flat, on, on, samples, {"certainty": certainty, "alternatives": {0: 1.0}, "columns": [], "between": []})
    study = Study("film", images=(Image(np.zeros((ROWS, COLUMNS), np.uint8)),))
    return TASK._result(TASK.on_film(model(learnt), seen, study, (ROWS, COLUMNS)), model(learnt), study)


def with_gap():
    """Return 16 vertebrae from T2 to L5 and a gap where one was missed, below T8; all above are named a level too low."""
    return np.delete(column(), 7, axis=0)


def sites(result):
    return [finding.site for finding in result.findings if finding.name == position.FINDING]


def test_nothing_is_said_of_a_plausible_column():
    result = answer(column())
    assert sites(result) == []
    assert not any("misplaced" in note for note in result.notes)
    assert result.finding("levels").probabilities["certain"] == pytest.approx(0.95)
    assert next(m.value for m in result.measurements if m.name == "cobb_max") is not None
    assert not any("misplaced" in (m.withheld or "") for m in result.measurements)
    assert not [stroke for stroke in drawing.strokes(result) if stroke.role == "uncertain"]


def test_a_missed_vertebra_is_named_in_words_and_takes_the_certainty_of_the_names():
    result = answer(with_gap(), first=1)
    assert sites(result) == ["T9"]
    assert "Check T9 on the film, it may be misplaced: it is 2.0 times as far from T8 as the vertebrae around are from each other" in result.notes[0]
    assert "a vertebra may have been missed between them" in result.notes[0]
    assert any("at T8/T9, the names on one side of it are one level off" in note for note in result.notes)
    levels = result.finding("levels")
    assert levels.label == "uncertain"
    assert levels.probabilities["certain"] == pytest.approx(2 / 6), "as often as names were right on held-out films with such a fault"
    assert TASK.finding_titles(TASK.settings_type())[position.FINDING] == "Position of the vertebra"


def test_a_certainty_below_what_such_films_reach_stays():
    assert answer(with_gap(), first=1, certainty=0.1).finding("levels").probabilities["certain"] == pytest.approx(0.1)


def test_an_angle_that_would_end_beside_a_missed_vertebra_is_withheld_and_the_others_are_given():
    sound = {m.name: m for m in answer(column()[1:], first=1).measurements}
    gaps = {}
    for place in range(3, 14):
        corners = np.delete(column(), place, axis=0)
        beside = {THORACOLUMBAR[place], THORACOLUMBAR[place + 1]}
        for m in answer(corners, first=1).measurements:
            if m.value is not None and m.site:
                assert not beside & set(m.site.split("-")), (place, m)
            elif m.withheld and "may have been missed" in m.withheld:
                gaps.setdefault(m.name, []).append(place)
                assert m.withheld.startswith(f"{THORACOLUMBAR[place + 1]} may be misplaced: it is 2.")
    assert set(gaps) >= {name for name in ("cobb_main_thoracic", "cobb_thoracolumbar_lumbar") if sound[name].value is not None}
    assert all(len(places) < 8 for places in gaps.values())


def test_of_a_largest_angle_that_is_withheld_nothing_is_said():
    said = "The largest angle does not depend on the names."
    assert any(said in note for note in answer(column()).notes)
    gaps = (answer(np.insert(np.delete(column(), place, axis=0), 0, column()[0] - [0, 30], axis=0)) for place in range(3, 14))
    withheld = [result for result in gaps if any(m.name == "cobb_max" and m.withheld for m in result.measurements)]
    assert withheld
    assert not any(said in note for result in withheld for note in result.notes)


@pytest.mark.parametrize(
    ("certainty", "said"),
    [(0.95, "L1 to L5 were not found on the film"), (0.3, "no vertebra was named L1 to L5; the names may be wrong")],
)
def test_what_was_not_found_is_no_fact_where_the_names_are_not_certain(certainty, said):
    result = answer(column()[:12], certainty=certainty)
    assert {m.withheld for m in result.measurements if m.name == "trunk_tilt"} == {said}


@pytest.mark.parametrize(("shown", "certainty", "given"), [(14, 0.95, True), (14, 0.3, False), (15, 0.3, True)])
def test_a_curve_of_a_part_of_the_column_has_a_region_only_where_the_names_are_certain(shown, certainty, given):
    (angle,) = (m for m in answer(column()[:shown], certainty=certainty).measurements if m.name == "cobb_proximal_thoracic")
    assert (angle.value is not None) is given
    assert given or angle.withheld == "the film shows a part of the column, and which of its vertebrae are seen is not certain"


def test_an_angle_that_is_not_given_is_not_called_uncertain():
    corners = column()[:9]
    corners[8] += (corners[8] - corners[8].mean(axis=0)) * 0.35
    result = answer(corners, first=5)
    given = {m.name for m in result.measurements if m.value is not None}
    assert sites(result)
    assert not given & {"cobb_main_thoracic", "cobb_proximal_thoracic"}
    assert not any(note.startswith("Not certain") and "horacic Cobb" in note for note in result.notes)


def test_an_angle_at_a_vertebra_of_odd_size_is_given_and_called_uncertain():
    site = next(m.site for m in answer(column()).measurements if m.name == "cobb_max")
    corners, place = column(), THORACOLUMBAR.index(site.split("-")[0])
    middle = corners[place].mean(axis=0)
    corners[place] = middle + (corners[place] - middle) * 0.5
    result = answer(corners)
    assert sites(result) == [site.split("-")[0]]
    assert next(m for m in result.measurements if m.name == "cobb_max").value is not None
    assert any(note.startswith("Not certain, because an end vertebra may be misplaced") and "Largest Cobb angle" in note for note in result.notes)
    assert result.finding("levels").probabilities["certain"] == pytest.approx(0.95), "a size says nothing about the count"


def test_no_angle_is_measured_on_corners_that_form_no_quadrilateral():
    site = next(m.site for m in answer(column()).measurements if m.name == "cobb_max")
    corners, place = column(), THORACOLUMBAR.index(site.split("-")[1])
    corners[place] = corners[place][[2, 3, 0, 1]]
    for learnt in (LEARNT, {}):
        result = answer(corners, learnt)
        assert sites(result) == [THORACOLUMBAR[place]]
        given = next(m for m in result.measurements if m.name == "cobb_max")
        assert given.withheld == f"{THORACOLUMBAR[place]} may be misplaced: its four corners form no quadrilateral"
        curves = next(note for note in result.notes if note.startswith("Curves by the clinical rule")).split("; ")
        assert all(("angle withheld" in curve) == (f" {THORACOLUMBAR[place]}" in curve.split(",")[0]) for curve in curves), "nor is it told in words"
        assert any("angle withheld" in curve for curve in curves)


def test_a_model_from_before_says_nothing_that_takes_learning():
    result = answer(with_gap(), learnt={}, first=1)
    assert sites(result) == []
    assert result.finding("levels").probabilities["certain"] == pytest.approx(0.95)
    swapped = column()
    swapped[[5, 6]] = swapped[[6, 5]]
    result = answer(swapped, learnt={})
    assert "T7" in sites(result)
    assert "it does not lie below T6" in result.notes[0]
    assert result.finding("levels").probabilities["certain"] == pytest.approx(0.5), "no held-out films tell how often the names are right then"


def test_pixels_that_are_not_square_are_judged_in_millimetres():
    reading = Reading(
        CORNER_LANDMARKS,
        (column() * [1.0, 2.0]).reshape(-1, 2),
        np.zeros((5, 68, 2)),
        np.ones(68, bool),
        np.ones(68),
        np.full(68, np.nan),
        unknown("not stated"),
        (2 * ROWS, COLUMNS),
        {"certainty": 0.9},
    )
    judged = position.judged(replace(reading, spacing=replace(reading.spacing, value=(0.5, 1.0))), LEARNT)
    assert judged.facts["misplaced"] == ()


def test_what_may_be_misplaced_is_outlined_as_uncertain():
    result = answer(with_gap(), first=1)
    (outline,) = [stroke for stroke in drawing.strokes(result) if stroke.role == "uncertain"]
    assert np.array(outline.points) == pytest.approx(with_gap()[7][[0, 1, 3, 2]], abs=0.5)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault("near", 5, 0.7), "it is only 0.7 times as far from T5 as the vertebrae around are from each other"),
        (Fault("twice", 5, 0.3), "0.3 times as far from T5 as the vertebrae around are from each other, and one vertebra may have been counted twice"),
        (Fault("slid", 5, 0.6, 1.4), "it is 0.6 times as far from T5, and 1.4 times as far from T7, as the vertebrae around are from each other: too high"),
        (Fault("slid", 5, 1.4, 0.6), "too low"),
        (Fault("height", 5, 0.5), "it is 0.5 times as high as its neighbours"),
        (Fault("width", 5, 0.6), "it is 0.6 times as wide as its neighbours"),
        (Fault("wedge", 5, -21.0), "wedged by 21 degrees more than its neighbours, higher on the left of the picture"),
        (Fault("tilt", 5, 12.4), "turned by 12 degrees against the course of its neighbours, lower on the right of the picture"),
        (Fault("aside", 5, -0.22), "it lies 22% of its width off the course of its neighbours, to the left of the picture"),
        (Fault("crossing", 5), "its upper endplate crosses the lower endplate of T5"),
        (Fault("order", 5), "it does not lie below T5"),
    ],
)
def test_each_fault_is_said_as_a_reader_of_films_says_it(fault, said):
    assert said in position.words(position.Misplaced("T6", "T5", "T7", fault))


@pytest.mark.skipif(not REAL.is_dir(), reason="the AP films of the challenge are not here")
def test_few_real_columns_are_remarked_on_and_those_with_a_vertebra_marked_twice_are():
    films = data.examples(REAL, 40.0)
    marked = np.stack([[(p.x, p.y) for p in film.truth.landmarks] for film in films]).reshape(-1, 17, 4, 2)
    learnt = fit_neighbours(marked)
    found = [{fault.kind for fault in find_faults(corners, learnt)} for corners in marked]
    assert 0.04 < np.mean([bool(kinds) for kinds in found]) < 0.10
    doubled = [kinds for kinds, film in zip(found, films, strict=True) if "doubled" in film.facts]
    assert len(doubled) == 6
    assert all("twice" in kinds or "order" in kinds for kinds in doubled)
