"""A network with several heads: every head of every model is reported, the one that is judged ranks."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest

from spinelab.core import Finding, InputError
from spinelab.experiments import Design, compare
from spinelab.serve.cli import show

QUICK = Design(folds=4, bootstraps=200, learning_curve=False)
TONES = ("even", "odd")


def tone(name):
    """Return a class that no picture tells: whether the patient's number is even."""
    return TONES[int(name[1:4]) % 2]


def tone_answer(name):
    share = 0.9 if int(name[1:4]) % 5 else 0.2  # wrong about every fifth patient
    own = {tone(name): share, TONES[tone(name) == "even"]: 1 - share}
    return Finding("tone", max(own, key=own.get), own)


@pytest.fixture
def two_heads(toy, monkeypatch):
    """The toy task with a second head, which ``model=guess`` lacks."""
    plain = toy.predict

    def predict(model, study):
        result = plain(model, study)
        several = model.settings.model != "guess"
        return replace(result, findings=(*result.findings, tone_answer(study.id))) if several else result

    monkeypatch.setattr(toy, "predict", predict)
    monkeypatch.setattr(toy, "heads", lambda settings: {} if settings.model == "guess" else {"tone": TONES, "label": ("bright", "dark")})
    return toy


@pytest.fixture
def examples(make_examples):
    made = make_examples()
    return replace(made, items=tuple(replace(e, truth=replace(e.truth, findings=(*e.truth.findings, Finding("tone", tone(e.id))))) for e in made))


def run(task, examples, out, quick_run, *, models=("mean", "constant"), resume=False):
    return compare(task, examples, out=out, settings=task.settings_type(), vary={"model": list(models)}, design=QUICK, resume=resume, run=quick_run)


def test_the_other_head_has_the_figures_that_it_has_where_it_is_judged(two_heads, examples, tmp_path, quick_run, monkeypatch):
    beside = {head.name: head for head in run(two_heads, examples, tmp_path / "beside", quick_run).heads}["tone"]
    assert beside.models["mean"].figures["accuracy"].value == pytest.approx(0.8)
    assert beside.models["mean"].figures["accuracy"].lo is not None
    assert beside.baseline["majority_share"] == 0.5
    answers = beside.models["mean"].predictions
    assert [answers.classes[i] for i in answers.truth] == [tone(name) for name in answers.images]
    monkeypatch.setattr(two_heads, "target", lambda settings: "tone")
    monkeypatch.setattr(two_heads, "classes", lambda examples, settings: TONES)
    first = run(two_heads, examples, tmp_path / "first", quick_run)
    judged = next(head for head in first.heads if head.name == "tone")
    assert judged.models["mean"].figures["accuracy"].value == pytest.approx(beside.models["mean"].figures["accuracy"].value)


def test_the_judged_head_ranks_and_stands_among_the_heads(two_heads, examples, tmp_path, quick_run):
    found = run(two_heads, examples, tmp_path / "out", quick_run)
    heads = {head.name: head for head in found.heads}
    assert list(heads) == ["tone", "label"]
    assert {v.name: v.rank for v in found.variants} == {"mean": 1, "constant": None}
    assert all(heads["label"].models[v.name].figures == v.metrics for v in found.variants)
    assert any(s.startswith("The head tone, which does not rank, answers with accuracy: mean 0.80") for s in found.statements)
    body = json.loads((tmp_path / "out" / "comparison.json").read_text(encoding="utf-8"))["heads"]
    assert body["tone"]["models"]["constant"]["metrics"]["accuracy"]["value"] == pytest.approx(0.8)
    assert set(body["label"]["baseline"]) == {"name", "majority_class", "majority_share", "metrics"}
    html = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "<h3>The head tone, which does not rank</h3>" in html
    assert "<h3>The head label" not in html


def test_the_table_of_answers_has_both_heads(two_heads, examples, tmp_path, quick_run):
    run(two_heads, examples, tmp_path / "out", quick_run, models=("mean", "guess"))
    with (tmp_path / "out" / "predictions.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0])[-4:] == ["tone_truth", "tone_answer", "tone_prob_even", "tone_prob_odd"]
    own = [row for row in rows if row["variant"] == "mean"]
    assert len(own) == 80
    assert all(row["tone_truth"] == tone(row["image"]) and row["tone_answer"] == tone_answer(row["image"]).label for row in own)
    assert {row["tone_answer"] for row in rows if row["variant"] == "guess"} == {""}
    assert all(row["answer"] in ("dark", "bright") for row in rows)


def test_a_model_without_the_head_is_not_in_its_table(two_heads, examples, tmp_path, quick_run):
    found = run(two_heads, examples, tmp_path / "out", quick_run, models=("mean", "guess"))
    heads = {head.name: set(head.models) for head in found.heads}
    assert heads == {"tone": {"mean"}, "label": {"mean", "guess"}}


def test_a_head_that_nobody_answered_is_told(two_heads, examples, tmp_path, quick_run, monkeypatch):
    monkeypatch.setattr(two_heads, "heads", lambda settings: {"tone": TONES, "label": ("bright", "dark"), "third": ("a", "b")})
    monkeypatch.setattr("spinelab.core.task.Examples.labels", _third(examples))
    found = run(two_heads, examples, tmp_path / "out", quick_run, models=("mean",))
    assert [head.name for head in found.heads] == ["tone", "label"]
    assert any(s.startswith("The head third is not reported: No examination was answered") for s in found.statements)


def _third(examples):
    labels = type(examples).labels
    return lambda self, target: ["a"] * len(self) if target == "third" else labels(self, target)


def test_a_finished_fold_keeps_the_answers_of_every_head(two_heads, examples, tmp_path, quick_run):
    first = run(two_heads, examples, tmp_path / "out", quick_run)
    fits = len(two_heads.fits)
    again = run(two_heads, examples, tmp_path / "out", quick_run, resume=True)
    assert len(two_heads.fits) == fits
    assert [h.models["mean"].figures for h in again.heads] == [h.models["mean"].figures for h in first.heads]


def test_a_fold_of_before_heads_were_kept_is_refused(two_heads, examples, tmp_path, quick_run):
    run(two_heads, examples, tmp_path / "out", quick_run)
    file = next((tmp_path / "out" / "folds").glob("mean-*/repeat0-fold0/arrays.npz"))
    with np.load(file, allow_pickle=False) as arrays:
        kept = {name: arrays[name] for name in arrays.files if name != "head_tone"}
    np.savez_compressed(file, **kept)
    with pytest.raises(InputError, match="no answers of the head tone") as refused:
        run(two_heads, examples, tmp_path / "out", quick_run, resume=True)
    assert "delete that folder" in refused.value.action


def test_one_head_is_reported_as_before(toy, make_examples, tmp_path, quick_run):
    found = run(toy, make_examples(), tmp_path / "out", quick_run)
    assert found.heads == ()
    assert "heads" not in json.loads((tmp_path / "out" / "comparison.json").read_text(encoding="utf-8"))
    assert "Each head" not in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_the_terminal_has_a_table_a_head(two_heads, examples, tmp_path, quick_run, capsys):
    show.comparison(run(two_heads, examples, tmp_path, quick_run), tmp_path)
    told = capsys.readouterr().out
    ranked, other = told.split("Head tone, which does not rank (80 answers to 2 classes):")
    assert "Head label, which ranks:" in ranked
    mean = next(line for line in other.splitlines() if line.startswith("mean "))
    assert "0.80 (" in mean
    assert any(line.startswith("always '") and "0.50" in line for line in other.splitlines())
