import json
from dataclasses import replace

import pytest

from spinelab.core import Fact, Finding, InputError, Judgement, Result, TaskError
from spinelab.evaluation.types import Estimate
from spinelab.experiments import evaluate, fit
from spinelab.experiments.flags import of_training


def test_a_model_is_tried_on_another_folder(toy, make_examples, tmp_path, quick_run):
    model = fit(toy, make_examples(), toy.settings_type(), quick_run)
    found = evaluate(toy, model, make_examples(seed=5), out=tmp_path, run=quick_run)
    assert "does better than guessing" in found.headline
    assert "rarest class" in found.headline
    body = json.loads((tmp_path / "evaluation.json").read_text(encoding="utf-8"))
    assert body["schema"] == "spinelab.evaluation/1"
    assert body["metrics"]["accuracy"]["value"] == pytest.approx(found.variant.metrics["accuracy"].value)
    assert (tmp_path / "predictions.csv").is_file()
    assert (tmp_path / "report.html").is_file()


def test_subgroups_below_ten_patients_are_counted_and_not_measured(toy, make_examples, tmp_path, quick_run):
    model = fit(toy, make_examples(), toy.settings_type(), quick_run)
    found = evaluate(toy, model, make_examples(patients=24, seed=5), out=tmp_path, run=quick_run)
    by_value = {(row["fact"], row["value"]): row for row in found.subgroups}
    assert by_value["sex", "F"]["patients"] == 12
    assert "accuracy" in by_value["sex", "F"]["metrics"]
    small = by_value["age band", "40-59 years"]
    assert small["patients"] == 8
    assert small["metrics"] == {}
    assert "too few" in small["note"]


def test_the_training_data_are_recognised(toy, make_examples, tmp_path, quick_run):
    model = fit(toy, make_examples(), toy.settings_type(), quick_run)
    found = evaluate(toy, model, make_examples(), out=tmp_path, run=quick_run)
    assert found.data.flags[0].code == "training-data"
    assert found.headline.startswith("On the data that the model was trained on: ")


def test_a_label_that_the_model_does_not_know_is_refused(toy, make_examples, relabel, tmp_path, quick_run):
    model = fit(toy, make_examples(), toy.settings_type(), quick_run)
    strange = Result("toy", "reader", "p000f0", findings=(Finding("label", "purple"),))
    with pytest.raises(TaskError, match="purple"):
        evaluate(toy, model, relabel(make_examples(seed=5), 0, truth=strange), out=tmp_path, run=quick_run)


def test_a_collapsed_model_is_called_so(toy, make_examples, tmp_path, quick_run):
    model = fit(toy, make_examples(), toy.settings_type(model="constant"), quick_run)
    found = evaluate(toy, model, make_examples(seed=5), out=tmp_path, run=quick_run)
    assert "collapsed" in found.headline


def test_a_tasks_own_constants_are_named_and_not_the_majoritys(toy, make_examples, tmp_path, quick_run, monkeypatch):
    own = Judgement({"weighted_log_loss": Estimate(0.2)}, constants={"uniform": {"weighted_log_loss": Estimate(1.1)}})
    monkeypatch.setattr(toy, "judge", lambda examples, predictions, *, bootstraps: own)
    model = fit(toy, make_examples(), toy.settings_type(), quick_run)
    found = evaluate(toy, model, make_examples(seed=5), out=tmp_path, run=quick_run, bootstraps=50)
    assert found.variant.metrics["weighted_log_loss"].value == 0.2
    assert "weighted_log_loss" not in found.baseline["metrics"]
    assert json.loads((tmp_path / "evaluation.json").read_text(encoding="utf-8"))["baseline"]["constants"]["uniform"]["weighted_log_loss"]["value"] == 1.1
    assert any("uniform (weighted log loss 1.10)" in text for text in found.statements)


def unreadable():
    raise InputError("/home/somebody/x.png is truncated", expected="a whole image", action="bring it again")


def test_what_cannot_be_read_is_left_out_and_named(toy, make_examples, relabel, tmp_path, quick_run):
    model = fit(toy, make_examples(), toy.settings_type(), quick_run)
    heard = []
    examples = relabel(make_examples(seed=5), 3, open=unreadable)
    found = evaluate(toy, model, examples, out=tmp_path, run=replace(quick_run, tell=heard.append), bootstraps=50)
    assert found.data.examinations == 79
    assert found.data.notes == ("1 of 80 examinations cannot be read and were left out: p001f1",)
    assert any("x.png is truncated" in sentence for sentence in heard)
    assert "somebody" not in (tmp_path / "evaluation.json").read_text(encoding="utf-8")
    with pytest.raises(InputError, match="2 of 2 examinations") as refusal:
        evaluate(toy, model, relabel(relabel(make_examples().subset([0, 79]), 0, open=unreadable), 1, open=unreadable), out=tmp_path, run=quick_run)
    assert "trained" not in str(refusal.value)


def test_another_split_of_the_same_collection_is_no_external_test(toy, make_examples, tmp_path, quick_run):
    def halves(seed):
        examples = make_examples(patients=40, seed=seed)
        facts = ({**e.facts, "split": Fact("test" if int(e.id[2:4]) % 4 == 0 else "training", "folder")} for e in examples)
        return replace(examples, items=tuple(replace(e, facts=own) for e, own in zip(examples, facts, strict=True)))

    model = fit(toy, halves(0), toy.settings_type(), quick_run, split="training")
    same = evaluate(toy, model, halves(0), out=tmp_path / "same", run=quick_run, bootstraps=50, split="test").statements
    assert any("Internal test: another split (test) of the collection that the model learnt from (training)" in s for s in same)
    assert not any("External test" in s for s in same)
    model.record["data"]["root"] = "elsewhere"
    other = evaluate(toy, model, halves(5), out=tmp_path / "other", run=quick_run, bootstraps=50, split="test").statements
    assert any("External test" in s for s in other)


def test_an_evaluation_does_not_speak_of_splits_folds_or_rankings(toy, make_examples, relabel, tmp_path, quick_run):
    model = fit(toy, make_examples(), toy.settings_type(), quick_run)
    model.record["stopped"] = "last-epoch"
    tried = make_examples(patients=20, seed=5)
    tried = relabel(tried, 2, open=tried[0].open, patient=None)
    found = evaluate(toy, model, tried, out=tmp_path, run=quick_run, bootstraps=50)
    texts = " ".join([*found.statements, *(flag.text for flag in (*found.data.flags, *found.variant.flags))])
    assert {"duplicates", "patients-unknown", "too-few-patients"} <= {flag.code for flag in found.data.flags}
    assert "last epoch allowed was reached" in texts
    assert not any(word in texts for word in ("split", "fold", "rank"))


def test_a_training_that_nothing_stops_early_is_trained_to_the_end():
    record = {"stopped": "last-epoch"}
    assert [flag.code for flag in of_training([record])] == ["not-trained-to-the-end"]
    assert of_training([record | {"landmarks": ["T1"]}]) == []
    without = {"validation": {"examples": 0}}
    assert of_training([record | without]) == [], "without a validation part nothing stops early"
    assert of_training([record | {"networks": {"T1": without, "T2": without}}]) == []
    assert of_training([record | {"networks": {"T1": without, "T2": {"validation": {"examples": 4}}}}]) != []


def test_weights_that_some_folds_lacked_are_said_of_those():
    had, lacked = ({"weights": {"asked": "imagenet", "used": used, "why": "no hub"}} for used in ("file", "scratch"))
    (some,) = of_training([had, lacked])
    assert some.text == "Pretrained weights were asked for and not available in 1 of 2 folds, so it was trained from scratch there (no hub)."
    (every,) = of_training([lacked, lacked])
    assert every.text == "Pretrained weights were asked for and not available, so it was trained from scratch (no hub)."
    assert of_training([had, had]) == []
