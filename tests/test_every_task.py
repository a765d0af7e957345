"""The contract that every task keeps; a new folder under ``tasks`` is picked up by itself."""

import json
from dataclasses import dataclass, replace
from importlib import import_module
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from spinelab import io, tasks
from spinelab.core import DIFFICULTIES, Examples, Model, Result, Run, Settings, Task
from spinelab.evaluation import compute_metrics
from spinelab.evaluation.types import Predictions
from spinelab.experiments.asked import ask
from spinelab.experiments.splits import Split
from spinelab.serve import api

PATIENTS = 48
QUICK = {"model": "simple-cnn", "image_size": 64, "epochs": 15, "patience": 15, "lr": 1e-3, "batch_size": 8, "weights": "scratch", "augment": "none"}
"""Learns easy phantoms in seconds on one core; keys that a task does not have are left out."""
MEASURED = 30
QUICK_MEASURING = {"model": "compact-small", "rows": 256, "columns": 112, "detail": 1, "zoom_to": "none", "refine_share": 0.0, "sigma": 4.0, "epochs": 16}
QUICK_MEASURING |= {"minutes": 0.0, "batch_size": 4, "lr": 3e-3, "crop": 0.0, "turn_deg": 3.0, "shift": 0.02, "zoom": 0.05, "calibration_fraction": 0.35}
SCALE = 0.25
"""Of the phantoms that are measured: drawn in full they take a second each."""
EXAMINATIONS = 30
"""Of a task that asks each of them many things; drawn at half the scale."""


def measures(task: Task) -> bool:
    return task.route(task.settings_type()) == "measures"


def asks_much(task: Task) -> bool:
    """Return whether an examination is more than one question."""
    return type(task).asked is not Task.asked


def count(task: Task) -> int:
    return MEASURED if measures(task) else EXAMINATIONS if asks_much(task) else PATIENTS


def quick_settings(task: Task) -> Settings:
    default = task.settings_type()
    quick = QUICK_MEASURING if measures(task) else QUICK
    return default.with_overrides({key: value for key, value in quick.items() if key in default.known()})


def write(task: Task, folder: Path, *, n: int, seed: int, difficulty: str) -> None:
    if measures(task) or asks_much(task):
        writer = import_module(type(task).__module__.rpartition(".")[0] + ".phantom").write_phantoms
        writer(folder, n=n, seed=seed, difficulty=difficulty, scale=SCALE if measures(task) else 2 * SCALE)
    else:
        task.write_phantoms(folder, n=n, seed=seed, difficulty=difficulty)


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
    write(task, folder, n=count(task), seed=5, difficulty="easy")
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
    asked = ask(task, written.examples, settings)
    labels = np.array(asked.labels if not measures(task) and asked.labels else [""] * len(asked.examinations))
    held_out = np.zeros(len(labels), dtype=bool)
    for label in set(labels):
        held_out[np.flatnonzero(labels == label)[::3]] = True
    split = asked.split(Split(0, 0, np.flatnonzero(~held_out), np.flatnonzero(held_out)))
    model = task.fit(asked.questions.subset(split.train), settings, Run())
    return Learned(model, asked.questions.subset(split.test))


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
    assert len(written.examples) == len(written.truth) == count(task)
    for example in written.examples:
        drawn = {(m.name, m.unit): m.value for m in written.truth[example.id].measurements}
        read = {(m.name, m.unit): m.value for m in example.truth.measurements} if measures(task) else {}
        assert read == pytest.approx({key: drawn[key] for key in read}, abs=1e-3)
    target = task.target(task.settings_type())
    asked = ask(task, written.examples, task.settings_type())
    if asked.several:
        for example in written.examples:
            assert all(finding in written.truth[example.id].findings for finding in example.truth.findings)
    for example in written.examples if target and not asked.several else ():
        finding, true = example.truth.finding(target), written.truth[example.id].finding(target)
        assert finding is not None
        assert true is not None
        assert finding.label == true.label
    assert not target or len(set(asked.question_labels(target))) > 1


def test_the_same_seed_writes_the_same_bytes(task: Task, tmp_path: Path) -> None:
    for name in ("first", "again"):
        write(task, tmp_path / name, n=2, seed=3, difficulty="typical")
    pictures = {"first": {}, "again": {}}
    for name, found in pictures.items():
        found |= {p.relative_to(tmp_path / name): p.read_bytes() for p in (tmp_path / name).rglob("*") if p.suffix.lower() in io.IMAGE_SUFFIXES}
    assert pictures["first"]
    assert pictures["first"] == pictures["again"]


def test_truth_survives_json(written: Written) -> None:
    for example in written.examples:
        assert Result.from_dict(json.loads(example.truth.to_json())).to_dict() == example.truth.to_dict()


def landmark_errors(results: list[Result], examples: Examples) -> list[float]:
    """Return the distance of every landmark that was found from the true one, in pixels."""
    errors = []
    for result, example in zip(results, examples, strict=True):
        truth = {p.name: p for p in example.truth.landmarks}
        errors += [float(np.hypot(p.x - truth[p.name].x, p.y - truth[p.name].y)) for p in result.landmarks if p.name in truth]
    return errors


def mean_shape_errors(examples: Examples) -> list[float]:
    """Return the same for the median place of every landmark, which needs no film."""
    names = [p.name for p in examples[0].truth.landmarks]
    places = np.array([[next(((p.x, p.y) for p in e.truth.landmarks if p.name == name), (np.nan, np.nan)) for name in names] for e in examples])
    return np.linalg.norm(places - np.nanmedian(places, axis=0), axis=2).ravel().tolist()


def test_it_learns_to_measure_easy_phantoms(task: Task, learned: Learned) -> None:
    if not measures(task):
        pytest.skip("classifies")
    errors = landmark_errors(task.predict_many(learned.model, learned.held_out, Run()), learned.held_out)
    assert len(errors) > 0.3 * sum(len(e.truth.landmarks) for e in learned.held_out)
    assert np.median(errors) < 0.6 * np.nanmedian(mean_shape_errors(learned.held_out))


def test_it_learns_easy_phantoms(task: Task, learned: Learned) -> None:
    if measures(task):
        pytest.skip("measures")
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


def numbers(result: Result, target: str) -> dict[str, float]:
    """Return everything that a result says in numbers."""
    answered = [f for f in result.findings if f.probabilities]
    finding = result.finding(target) or (answered[0] if len(answered) == 1 else None)
    said = dict(finding.probabilities) if finding is not None else {}
    return said | {f"{m.name} {m.unit} {m.site} {m.side}": m.value for m in result.measurements if m.value is not None}


def test_one_and_many_answer_alike(task: Task, learned: Learned) -> None:
    target = task.target(learned.model.settings)
    few = learned.held_out.subset(range(3))
    for example, result in zip(few, task.predict_many(learned.model, few, Run()), strict=True):
        if not numbers(result, target):
            continue
        alone = task.predict(learned.model, replace(example.open(), id=example.id))
        assert numbers(alone, target) == pytest.approx(numbers(result, target), abs=2e-2)
        assert Result.from_dict(json.loads(alone.to_json())).to_dict() == alone.to_dict()


def answerable(task: Task, learned: Learned) -> int:
    """Return the first held-out example that the quick model does not refuse."""
    results = task.predict_many(learned.model, learned.held_out, Run())
    return next(i for i, result in enumerate(results) if result.findings or result.measurements)


def test_saved_and_loaded_it_answers_the_same(task: Task, learned: Learned, tmp_path: Path) -> None:
    io.save_model(learned.model, tmp_path / "model", "# card")
    loaded = io.load_model(tmp_path / "model", {task.name: task.settings_type})
    assert loaded.settings == learned.model.settings
    target = task.target(loaded.settings)
    study = learned.held_out[answerable(task, learned)].open()
    before, after = (numbers(task.predict(model, study), target) for model in (learned.model, loaded))
    assert after == pytest.approx(before, abs=1e-6)


def test_from_a_file_to_a_report(task: Task, learned: Learned, tmp_path: Path) -> None:
    example = learned.held_out[answerable(task, learned)]
    if example.of is not None:
        pytest.skip("one question of an examination: whole examinations are read in the task's own tests")
    path = next(iter(example.files.values()))
    (result,) = api.read(path, learned.model, tmp_path / "answer")
    stored = json.loads((tmp_path / "answer" / "result.json").read_text(encoding="utf-8"))
    assert Result.from_dict(stored).to_dict() == result.to_dict()
    assert "<html" in (tmp_path / "answer" / "report.html").read_text(encoding="utf-8")
