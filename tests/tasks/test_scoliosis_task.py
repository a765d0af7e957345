"""The two routes of the task: a network that measures, and a classifier of the picture to compare with."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spinelab.core import Example, Examples, Fact, Finding, Image, NotSureError, Result, Run, Study, TaskError
from spinelab.geometry import CORNER_LANDMARKS
from spinelab.tasks.scoliosis.classifier import Classifier, settings_of
from spinelab.tasks.scoliosis.measure import CLASSES, TARGET
from spinelab.tasks.scoliosis.settings import ScoliosisSettings
from spinelab.tasks.scoliosis.task import Scoliosis
from spinelab.train.landmark_reading import Reading

TASK = Scoliosis()
CLASSIFIES = ScoliosisSettings(model="simple-cnn", classifier_size=32, classifier_epochs=1)


def example(number):
    rng = np.random.default_rng(number)
    label = CLASSES[number % 2]
    pixels = rng.integers(0, 90, (40, 20)).astype(np.uint8) + np.uint8(120 * (number % 2))
    study = Study(f"f{number}", images=(Image(pixels, view=Fact("AP", "drawn")),))
    return Example(study.id, Result("scoliosis", "reader", study.id, findings=(Finding(TARGET, label),)), lambda: study, f"p{number}")


@pytest.fixture(scope="module")
def classified(tmp_path_factory):
    run = replace(Run(accelerator="cpu"), cache=tmp_path_factory.mktemp("cache"))
    films = Examples(tuple(example(i) for i in range(24)), Path("films"))
    return TASK.fit(films, CLASSIFIES, run), films, run


def test_the_model_decides_the_route_and_what_is_measured():
    assert TASK.route(ScoliosisSettings()) == "measures"
    assert TASK.quantities(ScoliosisSettings())
    assert TASK.route(CLASSIFIES) == "classifies"
    assert TASK.quantities(CLASSIFIES) == ()
    assert "AASCE rule" in TASK.finding_titles(ScoliosisSettings())[TARGET]
    assert TASK.finding_titles(CLASSIFIES) == {}


def test_a_classifier_gets_the_size_and_passes_that_were_asked_for():
    own = settings_of(CLASSIFIES)
    assert (own.model, own.image_size, own.epochs, own.weights) == ("simple-cnn", 32, 1, "scratch")


def test_a_classifier_answers_with_a_class_and_says_that_nothing_was_measured(classified):
    model, films, run = classified
    assert model.settings == CLASSIFIES
    assert model.classes == CLASSES
    alone = TASK.predict(model, films[0].open())
    together = TASK.predict_many(model, films, run)
    assert len(together) == len(films)
    assert alone.finding(TARGET).probabilities == pytest.approx(together[0].finding(TARGET).probabilities, abs=1e-4)
    assert alone.measurements == ()
    assert "nothing was measured" in alone.notes[0]
    assert TASK.explain(model, films[0].open())


def test_the_network_of_a_classifier_is_made_once_for_all_films(classified, monkeypatch):
    model, films, _ = classified
    made, network = [], Classifier.network
    monkeypatch.setattr(Classifier, "network", lambda *args: made.append(1) or network(*args))
    fresh = replace(model, network=None, kept={})
    for film in films[:3]:
        TASK.predict(fresh, film.open())
        TASK.explain(fresh, film.open())
    assert len(made) == 1


def test_weights_from_elsewhere_are_for_classifiers_alone(classified):
    _, films, run = classified
    with pytest.raises(TaskError, match="weights=scratch"):
        TASK.fit(films, ScoliosisSettings(weights="imagenet"), run)


def reading(evidence, certainty):
    return Reading(
        CORNER_LANDMARKS,
        np.zeros((68, 2)),
        np.zeros((5, 68, 2)),
        np.ones(68, bool),
        np.ones(68),
        np.full(68, np.nan),
        Fact((0.5, 0.5), "DICOM"),
        (800, 400),
        {"evidence": evidence, "certainty": certainty},
    )


def test_a_film_is_turned_only_where_it_is_odd_and_reads_much_better():
    sure, poor, good = reading([[40.0, 1.0]], 0.9), reading([[20.0, 1.0]], 0.3), reading([[45.0, 1.0]], 0.9)
    assert (TASK.odd(sure), TASK.odd(poor)) == (False, True)
    assert TASK.better(good, poor)
    assert not TASK.better(sure, good)
    assert TASK.better(poor, reading([], 0.0))


def test_a_film_that_is_refused_is_told_what_is_read_and_not_what_is_learnt_from():
    assert TASK.taken_to_read == "an AP radiograph of the spine from T1 to L5"
    lateral = Image(np.zeros((900, 400), np.uint16), view=Fact("LATERAL", "DICOM ViewPosition"))
    with pytest.raises(NotSureError) as refused:
        TASK.film(Study("film", images=(lateral,)), TASK.settings_type())
    assert refused.value.expected == TASK.taken_to_read


def test_a_handful_of_vertebrae_is_no_film_of_the_spine():
    part = replace(reading([], 0.9), present=np.arange(68) < 16)
    assert "only 4 vertebrae were found" in TASK.refuse(part, None, None)
    assert "only 1 vertebra was found" in TASK.refuse(replace(part, present=np.arange(68) < 4), None, None)
    assert TASK.refuse(reading([], 0.9), None, None) == ""
