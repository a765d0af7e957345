"""The contract that every task keeps; a new folder under ``tasks`` is picked up by itself."""

import json
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from spinelab import io, tasks
from spinelab.core import DIFFICULTIES, Examples, Model, Result, Run, Settings, Task
from spinelab.evaluation import compute_metrics
from spinelab.evaluation.types import Predictions
from spinelab.serve import api

PATIENTS = 48
QUICK = {"model": "simple-cnn", "image_size": 64, "epochs": 15, "patience": 15, "lr": 1e-3, "batch_size": 8, "weights": "scratch", "augment": "none"}
"""Learns easy phantoms in seconds on one core; keys that a task does not have are left out."""


def quick_settings(task: Task) -> Settings:
    default = task.settings_type()
    return default.with_overrides({key: value for key, value in QUICK.items() if key in default.known()})


@pytest.fixture(scope="module", params=tasks.names())
def task(request: pytest.FixtureRequest) -> Task:
    return tasks.load(request.param)


@dataclass(frozen=True)
class Written:
    folder: Path
    examples: Examples
    truth: dict[str, Result]


@pytest.fixture(scope="module")
def written(task: Task, tmp_path_factory: pytest.TempPathFactory) -> Written:
    folder = tmp_path_factory.mktemp(task.name)
    task.write_phantoms(folder, n=PATIENTS, seed=5, difficulty="easy")
    stored = [Result.from_dict(body) for body in json.loads((folder / "truth.json").read_text(encoding="utf-8"))]
    return Written(folder, task.examples(folder), {result.study: result for result in stored})


@dataclass(frozen=True)
class Learned:
    model: Model
    held_out: Examples


@pytest.fixture(scope="module")
def learned(task: Task, written: Written) -> Learned:
    """A model of two thirds of the patients; every third of each class is held out."""
    settings = quick_settings(task)
    labels = np.array(written.examples.labels(task.target(settings)))
    held_out = np.zeros(len(labels), dtype=bool)
    for label in set(labels):
        held_out[np.flatnonzero(labels == label)[::3]] = True
    model = task.fit(written.examples.subset(np.flatnonzero(~held_out)), settings, Run())
    return Learned(model, written.examples.subset(np.flatnonzero(held_out)))


def test_it_says_what_it_is(task: Task) -> None:
    for text in (task.title, task.question, task.takes, task.gives, task.source):
        assert len(text) > 5
    assert tasks.load(task.name) is task
    assert tasks.load(task.name.replace("-", "_")) is task


def test_every_setting_is_explained(task: Task) -> None:
    for row in task.settings_type().describe():
        assert row["help"], row["name"]
    assert task.settings_type().__doc__


def test_its_card_is_there_and_tells_phantoms_from_patients(task: Task) -> None:
    card = (files(type(task).__module__.rpartition(".")[0]) / "card.md").read_text(encoding="utf-8")
    assert card.startswith("# ")
    assert "phantom" in card.lower()


@pytest.mark.parametrize("difficulty", DIFFICULTIES)
def test_a_phantom_is_reproducible(task: Task, difficulty: str) -> None:
    first, again = (task.phantom(np.random.default_rng(11), difficulty) for _ in range(2))
    other = task.phantom(np.random.default_rng(12), difficulty)
    assert first.truth.to_dict() == again.truth.to_dict()
    pixels, repeated, different = ([image.pixels for image in example.open().images] for example in (first, again, other))
    assert all(np.array_equal(a, b) for a, b in zip(pixels, repeated, strict=True))
    assert len(pixels) != len(different) or any(a.shape != b.shape or not np.array_equal(a, b) for a, b in zip(pixels, different, strict=True))


def test_written_phantoms_are_read_back_as_phantoms(task: Task, written: Written) -> None:
    assert written.examples.phantom
    assert len(written.examples) == PATIENTS == len(written.truth)
    target = task.target(task.settings_type())
    for example in written.examples:
        finding, drawn = example.truth.finding(target), written.truth[example.id].finding(target)
        assert finding is not None
        assert drawn is not None
        assert finding.label == drawn.label
    assert len(set(written.examples.labels(target))) > 1


def test_the_same_seed_writes_the_same_bytes(task: Task, tmp_path: Path) -> None:
    for name in ("first", "again"):
        task.write_phantoms(tmp_path / name, n=2, seed=3, difficulty="typical")
    pictures = {"first": {}, "again": {}}
    for name, found in pictures.items():
        found |= {p.relative_to(tmp_path / name): p.read_bytes() for p in (tmp_path / name).rglob("*") if p.suffix.lower() in io.IMAGE_SUFFIXES}
    assert pictures["first"]
    assert pictures["first"] == pictures["again"]


def test_truth_survives_json(written: Written) -> None:
    for example in written.examples:
        assert Result.from_dict(json.loads(example.truth.to_json())).to_dict() == example.truth.to_dict()


def test_it_learns_easy_phantoms(task: Task, learned: Learned) -> None:
    target = task.target(learned.model.settings)
    classes = learned.model.classes
    results = task.predict_many(learned.model, learned.held_out, Run())
    table = np.array([[result.finding(target).probabilities[c] for c in classes] for result in results])
    truth = np.array([classes.index(label) for label in learned.held_out.labels(target)])
    names = tuple(example.id for example in learned.held_out)
    predictions = Predictions(classes, names, names, truth, table[None], np.zeros((1, len(names)), dtype=np.int64))
    metrics = compute_metrics(predictions, bootstraps=50)
    assert metrics["balanced_accuracy"].value > 1 / len(classes) + 0.15
    assert metrics["auroc"].value > 0.65


def test_one_and_many_answer_alike(task: Task, learned: Learned) -> None:
    target = task.target(learned.model.settings)
    few = learned.held_out.subset(range(3))
    for example, result in zip(few, task.predict_many(learned.model, few, Run()), strict=True):
        alone = task.predict(learned.model, replace(example.open(), id=example.id))
        assert alone.finding(target).probabilities == pytest.approx(result.finding(target).probabilities, abs=2e-2)
        assert Result.from_dict(json.loads(alone.to_json())).to_dict() == alone.to_dict()


def test_saved_and_loaded_it_answers_the_same(task: Task, learned: Learned, tmp_path: Path) -> None:
    io.save_model(learned.model, tmp_path / "model", "# card")
    loaded = io.load_model(tmp_path / "model", {task.name: task.settings_type})
    assert loaded.settings == learned.model.settings
    target = task.target(loaded.settings)
    study = learned.held_out[0].open()
    before, after = (task.predict(model, study).finding(target).probabilities for model in (learned.model, loaded))
    assert after == pytest.approx(before, abs=1e-6)


def test_from_a_file_to_a_report(task: Task, learned: Learned, tmp_path: Path) -> None:
    example = learned.held_out[0]
    path = next(iter(example.files.values()))
    (result,) = api.read(path, learned.model, tmp_path / "answer")
    stored = json.loads((tmp_path / "answer" / "result.json").read_text(encoding="utf-8"))
    assert Result.from_dict(stored).to_dict() == result.to_dict()
    assert "<html" in (tmp_path / "answer" / "report.html").read_text(encoding="utf-8")
