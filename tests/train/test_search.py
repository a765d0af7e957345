"""The searched augmentation: within its minutes, resumable, and honest about whether it found anything."""

import json
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from spinelab.core import Example, Examples, Fact, Finding, Image, Result, Run, Study, TaskError
from spinelab.tasks.spine_lesion_xray import TASK
from spinelab.train.search import FILE, REFERENCES, Budget, forget, search
from spinelab.train.search_words import Trial, reality_check, record_of

SETTINGS = TASK.settings_type().with_overrides(
    {"model": "simple-cnn", "image_size": 32, "epochs": 2, "batch_size": 8, "weights": "scratch", "lr": 1e-3, "validation_fraction": 0.3}
)


def picture(label, number):
    rng = np.random.default_rng([number, 7])
    pixels = rng.integers(60, 120, (40, 40), dtype=np.uint8)
    if label == "osteophyte":
        pixels[10:20, 10:20] += 100
    return pixels


def opened(label, number):
    return Study(str(number), images=(Image(picture(label, number)),), patient=Fact(str(number), "test"))


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    items = []
    for number in range(24):
        label = "osteophyte" if number % 2 else "normal"
        truth = Result("spine-lesion-xray", "test", str(number), findings=(Finding("lesion", label),))
        items.append(Example(str(number), truth, partial(opened, label, number), str(number)))
    return Examples(tuple(items), tmp_path_factory.mktemp("none"))


def test_it_searches_and_tells_what_it_tried(examples, tmp_path):
    found = search(TASK, examples, SETTINGS, Run(workdir=tmp_path), Budget(5.0, 4, 2))
    record = json.loads(json.dumps(found.record))
    assert [t["number"] for t in record["trials"]] == [0, 1, 2, 3]
    assert all(t["strengths"] == {} and t["state"] == "complete" for t in record["trials"][:REFERENCES])
    assert all(len(t["curve"]) <= 2 for t in record["trials"])
    assert record["without"] == pytest.approx(min(record["trials"][0]["curve"]))
    candidates = [t["value"] for t in record["trials"] if t["state"] == "complete" and t["number"] != 1]
    assert record["best_value"] == min(candidates)
    assert record["validation_films"] == 8
    assert set(found.best.to_dict()) == set(record["best"])
    assert (tmp_path / FILE).exists()
    forget(Run(workdir=tmp_path))
    assert not (tmp_path / FILE).exists()


class Stop(Exception):
    """Somebody pulls the plug."""


def test_an_interrupted_search_goes_on_where_it_was(examples, tmp_path):
    whole = search(TASK, examples, SETTINGS, Run(), Budget(5.0, 5, 2)).record

    def interrupt(_done, _total, text):
        if "trial 4:" in text:
            raise Stop

    with pytest.raises(Stop):
        search(TASK, examples, SETTINGS, Run(workdir=tmp_path, progress=interrupt), Budget(5.0, 5, 2))
    lines = (tmp_path / FILE).read_text(encoding="utf-8").splitlines()
    assert all(isinstance(json.loads(line), dict) for line in lines)
    resumed = search(TASK, examples, SETTINGS, Run(workdir=tmp_path, resume=True), Budget(5.0, 5, 2)).record
    finished = [[(t["strengths"], t["curve"], t["state"]) for t in one["trials"] if t["state"] != "cut"] for one in (resumed, whole)]
    assert finished[0] == finished[1]
    assert len(finished[0]) == 5
    assert resumed["best"] == whole["best"]


def test_a_finished_search_is_not_repeated_when_the_training_after_it_was_interrupted(examples, tmp_path):
    asked = SETTINGS.with_overrides({"augment": "searched", "search_trials": 3, "search_epochs": 1, "search_minutes": 5})
    tried = []

    def interrupt(_done, _total, text):
        if "trial" in text:
            tried.append(text)
        elif text.startswith("epoch"):
            raise Stop

    with pytest.raises(Stop):
        TASK.fit(examples, asked, Run(workdir=tmp_path, progress=interrupt))
    assert tried
    tried.clear()
    model = TASK.fit(examples, asked, Run(workdir=tmp_path, resume=True, progress=lambda _done, _total, text: tried.append(text) if "trial" in text else None))
    assert not tried
    assert len(model.record["search"]["trials"]) == 3
    assert not (tmp_path / FILE).exists()


def test_minutes_are_kept_and_nothing_is_claimed_where_none_were_given(examples):
    found = search(TASK, examples, SETTINGS, Run(), Budget(0.0, 0, 2))
    assert found.best.none
    assert found.record["trials"] == []
    assert "Trained without augmentation" in found.record["words"]


def test_without_a_validation_part_nothing_is_searched(examples):
    found = search(TASK, examples, replace(SETTINGS, validation_fraction=0.0), Run(), Budget(1.0, 2, 1))
    assert found.best.none
    assert "no validation part" in found.record["words"]


def test_a_fit_trains_with_what_was_found_and_keeps_the_settings_asked_for(examples):
    asked = SETTINGS.with_overrides({"augment": "searched", "search_trials": 3, "search_epochs": 1, "search_minutes": 5})
    model = TASK.fit(examples, asked, Run())
    assert model.settings == asked
    assert len(model.record["search"]["trials"]) == 3
    assert model.record["notes"][0] == model.record["search"]["words"]
    assert model.record["history"]


def test_a_fixed_augmentation_is_what_the_strengths_say(examples):
    assert TASK.augmenter(SETTINGS.with_overrides({"augment": "none"})) is None
    assert TASK.augmenter(SETTINGS.with_overrides({"augment": "fixed"})) is None
    assert TASK.augmenter(SETTINGS.with_overrides({"augment": "fixed", "noise": 0.5})) is not None
    assert TASK.augmenter(SETTINGS.with_overrides({"augment": "mild"})) is not None


def trials(losses):
    rows = [np.asarray(one, float) for one in losses]
    strengths = [0.0, 0.0, *[0.5] * (len(rows) - 2)]
    return [Trial(n, {"noise": s}, "complete", (float(one.mean()),), tuple(one.tolist()), 1.0) for n, (one, s) in enumerate(zip(rows, strengths, strict=True))]


def test_the_best_of_many_worthless_trials_is_called_chance():
    rng = np.random.default_rng(0)
    films = 60
    hard = rng.normal(1, 0.5, films)
    called = 0
    for _ in range(40):
        losses = [hard, hard + rng.normal(0, 0.02, films), *(hard + rng.normal(0, 0.3, films) for _ in range(20))]
        record = record_of(trials(losses), 60.0, 1.0, [str(i) for i in range(films)])
        assert record["gain"]["value"] > 0
        called += record["found"]
    assert called <= 6
    assert "within the noise" in record["words"]


def test_a_real_gain_is_found_among_many():
    rng = np.random.default_rng(1)
    hard = rng.normal(1, 0.5, 60)
    losses = [hard, hard + rng.normal(0, 0.02, 60), *(hard + rng.normal(0, 0.3, 60) for _ in range(10)), hard - 0.4 + rng.normal(0, 0.3, 60)]
    record = record_of(trials(losses), 60.0, 1.0, [str(i) for i in range(60)])
    assert record["found"]
    assert record["gain"]["p"] < 0.01
    assert "beyond" in record["words"]


def test_a_gain_smaller_than_what_the_order_of_the_films_makes_is_not_believed():
    rng = np.random.default_rng(2)
    hard = rng.normal(1, 0.5, 60)
    losses = [hard, hard - 0.5, hard - 0.3 + rng.normal(0, 0.1, 60)]
    record = record_of(trials(losses), 60.0, 1.0, [str(i) for i in range(60)])
    assert record["gain"]["p"] < 0.05
    assert not record["found"]
    assert record["best"]["noise"] == 0.5
    assert "not shown" in record["words"]


def test_one_trial_alone_has_the_p_of_a_one_sided_bootstrap_test():
    """Against scipy's paired t-test on normal differences."""
    from scipy.stats import ttest_rel

    rng = np.random.default_rng(3)
    reference = rng.normal(1, 0.4, 200)
    better = reference - 0.04 + rng.normal(0, 0.3, 200)
    found = reality_check([reference], [better], [str(i) for i in range(200)], resamples=8000)
    test = ttest_rel(reference, better, alternative="greater")
    assert found["p"] == pytest.approx(test.pvalue, abs=0.02)
    limits = ttest_rel(reference, better).confidence_interval(0.95)
    assert (found["lo"], found["hi"]) == pytest.approx((limits.low, limits.high), abs=0.01)


def test_films_of_one_patient_count_as_one_when_chance_is_judged():
    rng = np.random.default_rng(4)
    gain = rng.normal(0.1, 0.4, 30)
    reference = np.ones(30)
    alone = reality_check([reference], [reference - gain], [str(i) for i in range(30)])
    copies = reality_check([reference.repeat(4)], [(reference - gain).repeat(4)], [str(i) for i in range(30) for _ in range(4)])
    assert copies["p"] == pytest.approx(alone["p"], abs=0.02)


def test_a_strength_beyond_its_range_is_refused_in_the_settings():
    with pytest.raises(TaskError):
        SETTINGS.with_overrides({"noise": 2.0})
