import csv
import json
import os
import signal
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from spinelab.core import InputError, Judgement, NotSureError, TaskError
from spinelab.evaluation import compute_metrics
from spinelab.evaluation.types import Estimate, Predictions
from spinelab.experiments import Design, compare, learning_curve
from spinelab.experiments.folds import fold_folder
from spinelab.experiments.rank import Ranking
from spinelab.experiments.ranked_words import headline
from spinelab.report.content import DataSummary, Flag, Variant

QUICK = Design(folds=4, bootstraps=300, learning_curve=False)


def run(toy, examples, out, quick_run, *, models=("mean", "constant"), design=QUICK, resume=False):
    return compare(toy, examples, out=out, settings=toy.settings_type(), vary={"model": list(models)}, design=design, resume=resume, run=quick_run)


def codes(variant):
    return {flag.code for flag in variant.flags}


def by_name(comparison):
    return {v.name: v for v in comparison.variants}


def test_a_model_that_learns_is_ranked_and_a_constant_is_not(toy, make_examples, tmp_path, quick_run):
    found = run(toy, make_examples(), tmp_path / "out", quick_run)
    models = by_name(found)
    assert models["mean"].rank == 1
    assert models["constant"].rank is None
    assert "collapsed" in codes(models["constant"])
    assert "not-better-than-majority" in codes(models["constant"])
    assert not codes(models["mean"]) & {"collapsed", "not-better-than-majority", "not-better-than-chance", "not-distinguishable"}
    assert found.headline.startswith("mean")
    assert "50%" in found.headline
    assert found.pairs[0].distinguishable


def test_the_paper_s_trap_a_majority_answer_with_high_accuracy_is_collapsed(toy, make_examples, tmp_path, quick_run):
    examples = make_examples(patients=80, shares=(0.81, 0.19), separation=0.0)
    found = run(toy, examples, tmp_path / "out", quick_run, models=("constant", "guess"))
    constant = by_name(found)["constant"]
    assert constant.metrics["accuracy"].value == pytest.approx(0.81, abs=0.01)
    assert "collapsed" in codes(constant)
    assert constant.rank is None
    assert found.headline.startswith("Cannot tell")
    assert "81%" in found.headline


def test_the_majority_has_no_score_that_belongs_to_another_constant(toy, make_examples, tmp_path, quick_run, monkeypatch):
    own = Judgement({"rsna_score": Estimate(0.3)}, constants={"per column": {"rsna_score": Estimate(0.75)}})
    monkeypatch.setattr(toy, "judge", lambda examples, predictions, *, bootstraps: own)
    found = run(toy, make_examples(), tmp_path / "out", quick_run, models=("mean",))
    assert "rsna_score" not in found.baseline["metrics"]
    assert found.baseline["constants"] == own.constants
    assert any("per column (RSNA score 0.75)" in text for text in found.statements)


def test_one_answer_in_each_fold_is_collapse_even_if_the_folds_disagree(toy, make_examples, tmp_path, quick_run):
    examples = make_examples(patients=42, films=1)
    found = run(toy, examples, tmp_path / "out", quick_run, models=("fold-constant", "mean"), design=replace(QUICK, folds=5))
    assert "collapsed" in codes(by_name(found)["fold-constant"])


def collapsed_model(name, *, informed):
    """Return a model that answers the first of three classes to everyone; an informed one is surer of it where it is true."""
    truth = np.repeat([0, 1, 2], [60, 25, 15])
    first = 0.6 + 0.3 * (truth == 0) * informed
    table = np.column_stack([first, (1 - first) / 2, (1 - first) / 2])[None]
    names = tuple(map(str, range(100)))
    predictions = Predictions(("Normal/Mild", "Moderate", "Severe"), names, names, truth, table, np.zeros((1, 100), np.int64))
    metrics = compute_metrics(predictions, bootstraps=100)
    return Variant(name, {}, {}, metrics, (Flag("collapsed", ""),), predictions, None)


def test_nothing_was_learnt_is_said_only_where_no_model_is_better_than_chance():
    data = DataSummary("root", "", 100, 100, 100, {"Severe": {"images": 15, "patients": 15}})
    base = {"majority_class": "Normal/Mild", "majority_share": 0.6}
    ranking = Ranking("balanced_accuracy", "balanced accuracy")

    def said(*variants):
        return headline(variants, (), data, base, ranking)

    one, other = collapsed_model("cnn", informed=False), collapsed_model("ckan", informed=True)
    assert said(one, one).startswith("Both models collapsed to one answer: nothing was learnt.")
    assert said(one, other).startswith("Both models answer nearly always 'Normal/Mild' and are not ranked. Better than chance in some metric: ckan.")
    assert "nothing was learnt" not in said(other)
    silent = replace(one, flags=(), predictions=None, metrics={})
    assert said(silent, one).startswith("No model could be ranked: each failed, collapsed to one answer or declined too many examinations.")


def test_equal_models_are_not_distinguishable(toy, make_examples, tmp_path, quick_run):
    found = compare(
        toy,
        make_examples(separation=12.0),
        out=tmp_path / "out",
        settings=toy.settings_type(),
        vary={"model": ["mean"], "seed": [0, 1]},
        design=QUICK,
        resume=False,
        run=quick_run,
    )
    assert [codes(v) & {"not-distinguishable"} for v in found.variants] == [{"not-distinguishable"}] * 2
    assert "cannot be distinguished" in found.headline
    assert not found.pairs[0].distinguishable


def test_the_figures_are_those_of_the_predictions_on_disk(toy, make_examples, tmp_path, quick_run):
    found = run(toy, make_examples(separation=12.0), tmp_path / "out", quick_run, models=("mean", "guess"))
    with (tmp_path / "out" / "predictions.csv").open(newline="", encoding="utf-8") as file:
        rows = [r for r in csv.DictReader(file) if r["variant"] == "mean"]
    truth = [r["truth"] for r in rows]
    score = [float(r["prob_dark"]) for r in rows]
    answers = ["dark" if s > 0.5 else "bright" for s in score]
    metrics = json.loads((tmp_path / "out" / "comparison.json").read_text(encoding="utf-8"))
    stored = next(v for v in metrics["variants"] if v["name"] == "mean")["metrics"]
    assert len(rows) == 80
    assert stored["balanced_accuracy"]["value"] == pytest.approx(balanced_accuracy_score(truth, answers), abs=1e-9)
    assert stored["auroc"]["value"] == pytest.approx(roc_auc_score([t == "dark" for t in truth], score), abs=1e-6)
    assert found.variants[0].predictions is not None


def test_a_finished_fold_is_not_repeated(toy, make_examples, tmp_path, quick_run):
    class Stop(Exception):
        pass

    def stop_at_sixth():
        if len(toy.fits) == 5:
            raise Stop

    toy.before_fit = stop_at_sixth
    with pytest.raises(Stop):
        run(toy, make_examples(), tmp_path / "out", quick_run)
    assert len(toy.fits) == 5
    toy.before_fit = lambda: None
    run(toy, make_examples(), tmp_path / "out", quick_run, resume=True)
    assert len(toy.fits) == 8
    assert set(Counter(toy.fits).values()) == {1}
    finished = (tmp_path / "out" / "comparison.json").read_text(encoding="utf-8")
    assert json.loads(finished)["schema"] == "spinelab.comparison/1"


def test_it_survives_kill_9(toy, make_examples, tmp_path, quick_run):
    examples = make_examples()
    child = os.fork()
    if child == 0:
        toy.before_fit = lambda: os.kill(os.getpid(), signal.SIGKILL) if len(toy.fits) == 3 else None
        run(toy, examples, tmp_path / "out", quick_run)
        os._exit(0)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    found = run(toy, examples, tmp_path / "out", quick_run, resume=True)
    assert len(toy.fits) == 5
    assert by_name(found)["mean"].rank == 1


def test_an_uninterrupted_and_a_resumed_comparison_agree(toy, make_examples, tmp_path, quick_run):
    first = run(toy, make_examples(), tmp_path / "a", quick_run)
    again = run(toy, make_examples(), tmp_path / "a", quick_run, resume=True)
    assert [v.metrics for v in first.variants] == [v.metrics for v in again.variants]


def test_other_data_folds_or_an_occupied_folder_are_refused(toy, make_examples, tmp_path, quick_run):
    run(toy, make_examples(), tmp_path / "out", quick_run)
    with pytest.raises(InputError, match="--resume"):
        run(toy, make_examples(), tmp_path / "out", quick_run)
    with pytest.raises(InputError, match="with other data"):
        run(toy, make_examples(seed=1), tmp_path / "out", quick_run, resume=True)
    with pytest.raises(InputError, match="with other folds\\."):
        run(toy, make_examples(), tmp_path / "out", quick_run, resume=True, design=replace(QUICK, folds=3))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(InputError, match="not a comparison"):
        run(toy, make_examples(), tmp_path / "mine", quick_run)


@pytest.mark.parametrize("written", ["", "xx", "[]"])
def test_a_damaged_record_of_what_was_begun_is_refused(toy, make_examples, tmp_path, quick_run, written):
    (tmp_path / "experiment.json").write_text(written)
    with pytest.raises(InputError, match=r"experiment\.json is damaged"):
        run(toy, make_examples(), tmp_path, quick_run, resume=True)
    assert not toy.fits


@pytest.mark.parametrize(
    ("name", "harm"),
    [
        ("fold.json", lambda raw: b"{"),
        ("fold.json", lambda raw: b"[]"),
        ("arrays.npz", lambda raw: b""),
        ("arrays.npz", lambda raw: raw[: len(raw) // 2]),
        ("arrays.npz", lambda raw: raw[:60] + bytes(20) + raw[80:]),
    ],
)
def test_a_damaged_fold_is_named(toy, make_examples, tmp_path, quick_run, name, harm):
    run(toy, make_examples(), tmp_path / "out", quick_run)
    broken = next((tmp_path / "out" / "folds").glob(f"mean-*/repeat0-fold0/{name}"))
    broken.write_bytes(harm(broken.read_bytes()))
    with pytest.raises(InputError, match="damaged"):
        run(toy, make_examples(), tmp_path / "out", quick_run, resume=True)


def test_a_model_that_fails_does_not_take_the_others_along(toy, make_examples, tmp_path, quick_run):
    found = run(toy, make_examples(), tmp_path / "out", quick_run, models=("broken", "mean"))
    assert codes(by_name(found)["broken"]) == {"failed"}
    assert by_name(found)["mean"].rank == 1
    with pytest.raises(TaskError, match="Every model failed"):
        run(toy, make_examples(), tmp_path / "other", quick_run, models=("broken",))


def test_declined_examinations_are_counted_and_left_out_for_all(toy, make_examples, tmp_path, quick_run):
    examples = make_examples(patients=20, films=10)
    found = run(toy, examples, tmp_path / "out", quick_run, models=("shy", "mean"))
    assert found.design["unanswered"] == {"shy": 20, "mean": 0}
    assert found.design["compared"] == 180
    assert any("did not answer: shy 20" in s for s in found.statements)
    assert {len(v.predictions.images) for v in found.variants} == {180}
    (why,) = found.design["unanswered_why"]
    assert (why["model"], why["count"], why["examinations"], why["in_data"]) == ("shy", 20, 20, False)
    assert why["example"].endswith("7")
    (said,) = (s for s in found.statements if s.startswith("shy: 20 examinations are not answered (such as "))
    assert "No view" in said
    assert f"(such as {why['example']}): " in said
    again = run(toy, examples, tmp_path / "out", quick_run, models=("shy", "mean"), resume=True)
    assert again.design["unanswered_why"] == found.design["unanswered_why"]


def test_repeats_are_all_counted(toy, make_examples, tmp_path, quick_run):
    found = run(toy, make_examples(), tmp_path / "out", quick_run, design=replace(QUICK, repeats=3))
    assert found.variants[0].predictions.probabilities.shape == (3, 80, 2)
    assert found.pairs[0].p_resampled_t is not None


def test_repeated_holdouts_are_refused_before_anything_is_trained(toy, make_examples, tmp_path, quick_run):
    with pytest.raises(TaskError, match=r"--holdout 0\.25 with --repeats 2"):
        run(toy, make_examples(), tmp_path / "out", quick_run, design=replace(QUICK, holdout=0.25, repeats=2))


def test_a_holdout_reports_on_the_held_out_patients_only(toy, make_examples, tmp_path, quick_run):
    found = run(toy, make_examples(), tmp_path / "out", quick_run, design=replace(QUICK, holdout=0.25))
    assert found.variants[0].predictions.probabilities.shape == (1, 20, 2)


@pytest.mark.parametrize(("declines", "compared"), [("0123456789", 0), ("56789", 30)])
def test_a_learning_curve_is_about_what_was_answered_at_every_point(toy, make_examples, tmp_path, quick_run, monkeypatch, declines, compared):
    """A model that learnt from few declines what one that learnt from many answers."""
    predict = type(toy).predict

    def choosy(self, model, study):
        if int(model.tensors["n"][0]) < 20 and study.id[-3] in declines:
            raise NotSureError("never seen", expected="a film", action="bring more")
        return predict(self, model, study)

    told, judged, usual = [], [], learning_curve.compute_metrics
    monkeypatch.setattr(type(toy), "predict", choosy)
    monkeypatch.setattr(learning_curve, "compute_metrics", lambda answers, **how: judged.append(len(answers.images)) or usual(answers, **how))
    design = replace(QUICK, folds=3, learning_curve=True)
    found = run(toy, make_examples(patients=60, films=1), tmp_path / "out", replace(quick_run, tell=told.append), design=design, models=("mean",))
    assert (found.learning_curve is None) == (not compared)
    assert judged == [compared] * 3 * bool(compared)
    assert any("No learning curve" in sentence for sentence in told) == (not compared)


def test_the_learning_curve_uses_fewer_patients_and_the_same_test_films(toy, make_examples, tmp_path, quick_run):
    found = run(toy, make_examples(patients=60), tmp_path / "out", quick_run, design=replace(QUICK, learning_curve=True))
    assert found.learning_curve is not None
    assert found.learning_curve.patients == (11, 23, 45) or found.learning_curve.patients[-1] == 45
    assert len(found.learning_curve.scores) == 3


def test_more_than_two_classes(toy, make_examples, tmp_path, quick_run):
    examples = make_examples(patients=60, classes=("a", "b", "c"), shares=(0.34, 0.33, 0.33))
    found = run(toy, examples, tmp_path / "out", quick_run)
    assert by_name(found)["mean"].metrics["balanced_accuracy"].value > 0.8
    assert "collapsed" in codes(by_name(found)["constant"])


@pytest.mark.parametrize("metric", ["accuracy", "log_loss", "nonsense"])
def test_a_metric_that_a_constant_can_win_does_not_rank(metric):
    with pytest.raises(TaskError, match="cannot win"):
        Design(rank_by=metric)


def test_too_few_patients_is_said_of_every_model(toy, make_examples, tmp_path, quick_run):
    assert all("too-few-patients" in codes(v) for v in run(toy, make_examples(patients=40), tmp_path / "few", quick_run).variants)
    assert not any("too-few-patients" in codes(v) for v in run(toy, make_examples(patients=80), tmp_path / "many", quick_run).variants)


def test_many_pairs_are_told_of_the_first_ranked_only(toy, make_examples, tmp_path, quick_run):
    found = compare(
        toy,
        make_examples(separation=12.0),
        out=tmp_path / "out",
        settings=toy.settings_type(),
        vary={"model": ["mean", "guess", "constant"], "seed": [0, 1]},
        design=QUICK,
        resume=False,
        run=quick_run,
    )
    assert len(found.pairs) == 15
    assert not any("constant" in s and "difference" in s for s in found.statements)
    assert found.variants[0].name == "mean + seed=0"


def test_folds_lie_in_readable_folders(tmp_path, toy, make_examples, quick_run):
    run(toy, make_examples(), tmp_path / "out", quick_run)
    names = sorted(p.name for p in (tmp_path / "out" / "folds").iterdir())
    assert [n.rsplit("-", 1)[0] for n in names] == ["constant", "mean"]
    assert fold_folder(tmp_path, "k", next(iter(QUICK.splits(["a", "b"] * 8, list(map(str, range(16))))))).name == "repeat0-fold0"
    assert not list((tmp_path / "out" / "folds").glob("*/*.training"))
    assert np.load(next((tmp_path / "out").glob("folds/*/*/arrays.npz")), allow_pickle=False)["probabilities"].shape[1] == 2
