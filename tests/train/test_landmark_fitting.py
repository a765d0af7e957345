from dataclasses import dataclass

import numpy as np
import pytest

from spinelab.core import Landmark, TaskError
from spinelab.train.landmark_fitting import LEAST_HELD_OUT, hold_out
from spinelab.train.landmark_loop import LOWEST, RISE, learning_rate_share
from spinelab.train.landmark_settings import LANDMARK_TRAINING_ONLY, LandmarkSettings, prepared_by
from spinelab.train.landmark_truth import on_canvas, on_film


def test_the_learning_rate_rises_once_and_falls_to_almost_nothing():
    assert learning_rate_share(0.0) == pytest.approx(LOWEST)
    assert learning_rate_share(RISE) == pytest.approx(1)
    assert learning_rate_share(1.0) == pytest.approx(LOWEST / 1000)
    assert learning_rate_share(1.5) == learning_rate_share(1.0)
    shares = np.array([learning_rate_share(p) for p in np.linspace(0, 1, 1001)])
    assert (np.diff(shares[:101]) > 0).all()
    assert (np.diff(shares[101:]) < 0).all()
    assert shares.max() == pytest.approx(1)


def test_all_films_of_a_patient_are_held_out_together():
    groups = [f"p{i // 3}" for i in range(180)]
    held = hold_out(groups, 0.2, 7)
    assert held.sum() == 36
    by_patient = held.reshape(60, 3)
    assert (by_patient.all(axis=1) == by_patient.any(axis=1)).all()
    assert np.array_equal(held, hold_out(groups, 0.2, 7))
    assert not np.array_equal(held, hold_out(groups, 0.2, 8))


def test_the_order_of_the_films_does_not_decide_who_is_held_out():
    groups = [f"p{i}" for i in range(80)]
    forward, backward = hold_out(groups, 0.25, 1), hold_out(groups[::-1], 0.25, 1)
    assert np.array_equal(forward, backward[::-1])


def test_nobody_is_held_out_where_that_were_too_few():
    assert hold_out([f"p{i}" for i in range(40)], 0.2, 0).sum() == LEAST_HELD_OUT
    assert not hold_out([f"p{i}" for i in range(40)], 0.17, 0).any()
    assert not hold_out([f"p{i // 100}" for i in range(700)], 0.5, 0).any()
    assert not hold_out([f"p{i}" for i in range(400)], 0.0, 0).any()


def test_landmarks_go_to_the_canvas_and_absent_ones_are_marked():
    settings = LandmarkSettings(rows=128, columns=64)
    found = on_canvas(on_film([Landmark("b", 49.5, 127.5), Landmark("x", 1, 1)], ("a", "b")), (256, 100), settings)
    assert found[1].tolist() == pytest.approx([(49.5 + 0.5) / 2 + 7 - 0.5, 63.5, 1])
    assert found[0, 2] == 0
    assert np.isfinite(found).all()


@pytest.mark.parametrize("name", ["rows", "columns"])
def test_a_canvas_is_a_multiple_of_sixteen(name):
    with pytest.raises(TaskError, match=rf"{name}=100"):
        LandmarkSettings(**{name: 100})


def test_a_task_changes_a_default_and_keeps_the_limits():
    @dataclass(frozen=True)
    class Narrow(LandmarkSettings):
        columns: int = LandmarkSettings.otherwise("columns", 96)
        detail: int = LandmarkSettings.otherwise("detail", 2, "finer")

    known = {row["name"]: row for row in Narrow().describe()}
    assert (known["columns"]["default"], known["detail"]["help"]) == (96, "finer")
    assert known["columns"]["help"] == {row["name"]: row for row in LandmarkSettings().describe()}["columns"]["help"]
    with pytest.raises(TaskError, match="columns=32"):
        Narrow(columns=32)


def test_only_the_canvas_decides_what_a_prepared_film_looks_like():
    assert set(prepared_by(LandmarkSettings())) == {"rows", "columns", "detail"}
    assert prepared_by(LandmarkSettings(epochs=3, loss="heatmap")) == prepared_by(LandmarkSettings())
    assert "minutes" in LANDMARK_TRAINING_ONLY
