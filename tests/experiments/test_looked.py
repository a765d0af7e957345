"""Where a model looked, against where the truth tells that it should."""

import json
from dataclasses import replace

import numpy as np
import pytest

from spinelab.core import Examples, Explaining, Explanation, Run
from spinelab.experiments import evaluate, fit
from spinelab.experiments.looked import looked


@pytest.fixture
def looking(toy, monkeypatch):
    """A model that looks at the upper left quarter of films called dark, and at the lower right one of others; the truth is the upper left quarter."""
    mask = np.zeros((48, 48), bool)
    mask[:24, :24] = True

    def explain(model, study, how=None):
        label = toy.predict(model, study).finding("label").label
        heat = np.zeros((48, 48), np.float32)
        heat[(5, 5) if label == "dark" else (40, 40)] = 1
        hit = bool(heat[how.regions[""]].any())
        facts = {"inside": {"share": float(hit), "area": 0.25, "peak_inside": hit, "beside_px": 0.0 if hit else 12.0}}
        facts |= {"cell_px": 6} if "occlusion" not in how.methods else {}
        return [Explanation(method, label, study.images[0].pixels, heat, "", facts) for method in how.methods or ("Grad-CAM",)]

    monkeypatch.setattr(toy, "anatomy", lambda _example: {"": mask}, raising=False)
    monkeypatch.setattr(toy, "explain", explain, raising=False)
    return toy


def test_right_and_wrong_answers_are_held_against_the_truth_apart(looking, make_examples, tmp_path, quick_run):
    model = fit(looking, make_examples(), looking.settings_type(), quick_run)
    found = evaluate(looking, model, make_examples(separation=12.0, seed=5), out=tmp_path, run=quick_run)
    answers, truth = found.variant.predictions.answers[0], found.variant.predictions.truth
    section = next(part for part in found.analysis if part["title"] == "Where it looked")
    rows = {row[1]: row[1:] for row in section["table"]["rows"]}
    dark = model.classes.index("dark")
    right = answers == truth
    assert 0 < (~right).sum() < len(right)
    assert rows["right answers"][1] == right.sum()
    assert rows["wrong answers"][1] == (~right).sum()
    share = (answers[right] == dark).mean()
    assert rows["right answers"][2].startswith(f"{share:.2f} (95 % interval")
    assert rows["right answers"][4:] == [f"{share:.0%}", "25%"]
    assert (rows["right, dark"][3], rows["right, bright"][3]) == ("0%", "25%")
    assert rows["right, dark"][2].startswith("1.00")
    assert rows["right, bright"][2].startswith("0.00")
    assert f"highest inside on {(right & (answers == dark)).sum()} of {right.sum()}" in section["text"]
    assert "Drawn from cells: Grad-CAM from cells of 12% of a side." in section["text"]
    assert any(part["title"] == "Where it looked" for part in json.loads((tmp_path / "evaluation.json").read_text(encoding="utf-8"))["analysis"])
    assert "Where it looked" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_several_methods_are_told_apart_and_none_is_none(looking, make_examples, tmp_path, quick_run):
    model = fit(looking, make_examples(), looking.settings_type(), quick_run)
    how = Explaining(("Grad-CAM", "occlusion"))
    found = evaluate(looking, model, make_examples(separation=12.0, seed=5), out=tmp_path / "two", run=quick_run, explaining=how)
    section = next(part for part in found.analysis if part["title"] == "Where it looked")
    by_method = {method: [row[1:] for row in section["table"]["rows"] if row[0] == method] for method in how.methods}
    assert by_method["Grad-CAM"] == by_method["occlusion"] != []
    assert "Grad-CAM was highest inside on" in section["text"]
    assert "occlusion was highest inside on" in section["text"]
    assert "cells" not in section["text"]
    without = evaluate(looking, model, make_examples(separation=12.0, seed=5), out=tmp_path / "none", run=quick_run, explaining=None)
    assert not [part for part in without.analysis if part["title"] == "Where it looked"]


def test_a_film_is_opened_once_for_its_anatomy_and_its_maps(looking, make_examples, monkeypatch, tmp_path, quick_run):
    model = fit(looking, make_examples(), looking.settings_type(), quick_run)
    others = make_examples(separation=12.0, seed=5)
    answers = evaluate(looking, model, others, out=tmp_path, run=quick_run).variant.predictions
    mask = looking.anatomy(others[0])
    monkeypatch.setattr(looking, "anatomy", lambda example: mask if example.open().images else {})
    opened = []
    counted = [replace(one, open=lambda one=one: opened.append(one.id) or one.open()) for one in others]
    assert looked(looking, model, Examples(tuple(counted), others.root), answers, Run())
    assert opened == [one.id for one in others]


def test_nothing_is_said_where_no_truth_tells_where_to_look(toy, make_examples, tmp_path, quick_run):
    model = fit(toy, make_examples(), toy.settings_type(), quick_run)
    found = evaluate(toy, model, make_examples(seed=5), out=tmp_path, run=quick_run)
    assert not [part for part in found.analysis if part["title"] == "Where it looked"]


def test_many_examinations_are_drawn_from_and_that_is_said(looking, make_examples, tmp_path, quick_run):
    model = fit(looking, make_examples(), looking.settings_type(), quick_run)
    found = evaluate(looking, model, make_examples(patients=120, seed=5), out=tmp_path, run=quick_run)
    section = next(part for part in found.analysis if part["title"] == "Where it looked")
    rows = {row[1]: row[1:] for row in section["table"]["rows"]}
    assert sum(rows[name][1] for name in ("right answers", "wrong answers") if name in rows) == 200
    assert "200 of 240 examinations, drawn by chance" in section["text"]
