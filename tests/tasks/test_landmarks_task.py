import json
from pathlib import Path

import numpy as np
import pytest

from spinelab.core import Examples, Fact, Image, Model, Quantity, Result, Study, TaskError, unknown
from spinelab.tasks.landmarks.data import DeclaredExamples
from spinelab.tasks.landmarks.task import Landmarks
from spinelab.tasks.landmarks.toml_file import read_declaration
from spinelab.train.landmark_reading import Reading

TASK = Landmarks()
TEXT = """
[angle.tilt]
line = ["left", "right"]
to = "horizontal"
[distance.gap]
points = ["left", "right"]
[mirror]
pairs = [["left", "right"]]
[regions]
both = ["left", "right"]
"""
NAMES = ("left", "nose", "right")


@pytest.fixture
def data(tmp_path):
    (tmp_path / "measurements.toml").write_text(TEXT, encoding="utf-8")
    declaration = read_declaration(tmp_path / "measurements.toml").with_landmarks(NAMES, "measurements.toml")
    return DeclaredExamples((), tmp_path, declaration=declaration)


def test_what_the_data_declare_travels_in_the_settings(data):
    settings = TASK.settled(data, TASK.settings_type(epochs=3))
    assert settings.epochs == 3
    assert [(q.name, q.unit) for q in TASK.quantities(settings)] == [("tilt", "deg"), ("gap", "mm"), ("gap", "px")]
    assert TASK.regions(settings) == {"both": ("left", "right")}
    assert json.loads(settings.declared) == TASK.declared(data, settings)
    assert TASK.quantities(TASK.settings_type()) == ()
    assert TASK.landmark_names(data, settings) == NAMES
    assert TASK.target(settings) == ""
    kept = TASK.preparation(settings)["settings"]
    assert "declared" not in kept


def test_points_swap_in_a_mirrored_picture_as_declared(data):
    declared = TASK.declared(data, TASK.settings_type())
    assert TASK.mirror(NAMES, declared) == (2, 1, 0)
    assert TASK.mirror(NAMES, declared | {"pairs": None}) is None
    assert TASK.mirror(NAMES, declared | {"pairs": []}) == (0, 1, 2)


def test_examples_of_another_task_declare_nothing():
    with pytest.raises(TaskError, match="declare no points"):
        TASK.declared(Examples((), Path("elsewhere")), TASK.settings_type())
    with pytest.raises(TaskError, match="Settings of type"):
        TASK.quantities(object())


def reading(present=(True, True, True), spacing=None):
    points = np.array([[10.0, 20.0], [15.0, 30.0], [20.0, 20.0]])
    samples = points + np.random.default_rng(0).normal(0, 0.5, (200, 3, 2))
    known = unknown("a PNG does not state it") if spacing is None else Fact((spacing, spacing), "header")
    return Reading(NAMES, points, samples, np.array(present), np.ones(3), np.full(3, np.nan), known, (100, 100))


def model_of(data):
    settings = TASK.settled(data, TASK.settings_type())
    return Model("landmarks", settings, (), {}, {"landmarks": list(NAMES), "declared": TASK.declared(data, settings)})


def test_a_reading_becomes_measurements_with_reasons(data):
    model = model_of(data)
    given = {(m.name, m.unit): m for m in TASK._measurements(reading(), model)}
    assert given["gap", "px"].value == pytest.approx(10)
    assert given["gap", "mm"].withheld == "no pixel spacing: a PNG does not state it"
    assert given["tilt", "deg"].value == pytest.approx(0)
    known = {(m.name, m.unit): m for m in TASK._measurements(reading(spacing=0.5), model)}
    assert known["gap", "mm"].value == pytest.approx(5)
    absent = {(m.name, m.unit): m for m in TASK._measurements(reading((True, True, False)), model)}
    assert {m.withheld for m in absent.values()} == {"right is not in the picture"}


def test_a_result_is_drawn_as_far_as_it_is_known_what_is_measured(data):
    model = model_of(data)
    result = TASK._result(reading(), model, Study("p", images=(Image(np.zeros((8, 8), np.uint8)),)))
    assert isinstance(result, Result)
    assert {mark.role for mark in TASK.drawing(result)} == {"landmark"}
    assert {mark.measurement for mark in TASK.drawing(result, model.settings)} == {"", "tilt", "gap"}


def test_what_a_quantity_needs(data):
    declared = TASK.declared(data, TASK.settings_type())
    assert TASK.needs(Quantity("gap", "px", "gap"), declared) == ("left", "right")
    assert TASK.needs(Quantity("other", "px", "other"), declared) == ()
