"""The time that is left holds all that is still to be done."""

from dataclasses import replace

import pytest

from spinelab.core import Run
from spinelab.evaluation.types import Estimate
from spinelab.experiments import Design, compare
from spinelab.experiments.course import FIGURES, USUAL, Course, Leg
from spinelab.experiments.flags import against_majority
from spinelab.io.cache import DECODING


@pytest.fixture
def heard():
    return []


@pytest.fixture
def listening(heard):
    return Run(progress=lambda *told: heard.append(told))


def test_training_alone_does_not_finish_a_fold(listening, heard):
    leg = Leg(Course(listening, 1), 0, 1.0, "cnn, fold 1 of 1")
    leg.begin("training").progress(1, 1, "trained, best epoch 3")
    done, total, text = heard[-1]
    assert text == "cnn, fold 1 of 1: training"
    assert done == pytest.approx(USUAL["training"])
    leg.begin("answering").progress(1, 1, "reading")
    leg.begin("drawing heatmaps").progress(9, 9, "drawing heatmaps")
    assert heard[-1][0] == pytest.approx(1)
    assert heard[-1][0] == pytest.approx((1 - FIGURES) * total)


def test_what_a_part_took_decides_what_it_is_expected_to_take(listening, heard, monkeypatch):
    times = iter([0.0, 10.0, 10.0, 40.0, 40.0, 40.0, 0.0])  # training 10 s, answering 30 s, no heatmaps
    monkeypatch.setattr("time.perf_counter", lambda: next(times))
    course = Course(listening, 2)
    first = Leg(course, 0, 1.0, "first")
    for part in USUAL:
        first.begin(part)
    first.end()
    assert course.shares() == {"training": 0.25, "answering": 0.75, "drawing heatmaps": 0.0}
    Leg(course, 1, 1.0, "second").begin("training").progress(1, 2, "epoch 1")
    assert heard[-1][0] == pytest.approx(1.125)


def test_progress_never_goes_back_and_decoding_does_not_advance_it(listening, heard):
    course = Course(listening, 2)
    run = Leg(course, 1, 1.0, "cnn").begin("training")
    run.progress(3, 4, f"Axial T2: {DECODING}")
    assert heard[-1] == (1, course.total, f"cnn: {DECODING}, 75% of them done")
    for done in (0.5, 0.25):
        run.progress(done, 1, "epoch")
        assert heard[-1][0] == pytest.approx(1 + 0.5 * USUAL["training"])


def test_folds_figures_learning_curve_and_page_are_one_whole_that_never_goes_back(toy, make_examples, tmp_path, listening, heard):
    design = Design(folds=4, bootstraps=100)
    compare(toy, make_examples(), out=tmp_path, settings=toy.settings_type(), vary={"model": ["mean", "constant"]}, design=design, resume=False, run=listening)
    whole = (2 * 4 + 3 * (0.25 + 0.5)) / (1 - FIGURES)
    texts = [text for *_, text in heard]
    course = heard[texts.index("mean, fold 1 of 4: training") :]
    assert [total for _, total, _ in course] == pytest.approx([whole] * len(course))
    assert [done for done, *_ in course] == sorted(done for done, *_ in course)
    assert all(done < whole for done, *_ in course)
    figures = texts.index("figures and intervals of mean")
    assert texts.index("constant, fold 4 of 4: drawing heatmaps") < figures < texts.index("learning curve of mean, 25% of the patients, fold 1: training")
    assert texts[-2:] == ["learning curve of mean, 50% of the patients, fold 3: answering", "writing the report"]


def test_the_page_comes_last_although_nothing_ranks_for_a_learning_curve(listening, heard):
    course = Course(listening, 8, 2)
    course.figures(1.0, "figures and intervals")
    assert heard[-1][0] == course.curve_begins > 8
    course.page()
    assert course.curve_begins + 2 == pytest.approx(heard[-1][0])
    assert heard[-1][0] < course.total


def test_without_a_learning_curve_the_folds_are_the_whole(toy, make_examples, tmp_path, listening, heard):
    design = replace(Design(folds=4, bootstraps=100), learning_curve=False)
    compare(toy, make_examples(), out=tmp_path, settings=toy.settings_type(), vary={"model": ["mean"]}, design=design, resume=False, run=listening)
    assert {total for _, total, text in heard if text.startswith("mean, fold")} == {4 / (1 - FIGURES)}


def test_an_accuracy_that_is_always_the_same_amount_above_the_majority_is_better():
    same = Estimate(0.8)
    assert against_majority(same, Estimate(1.0, 0.81, 1.0), "a", 0.2) is None
    assert against_majority(same, Estimate(0.6, 0.1, 0.9), "a", 0.2) is not None
    assert against_majority(same, Estimate(1.0), "a", 0.2) is not None
    assert against_majority(Estimate(0.1, -0.1, 0.3), Estimate(0.6, 0.55, 0.65), "a", 0.5) is not None
