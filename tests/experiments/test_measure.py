"""The measuring path: fitting, evaluating, splits, flags, baselines and comparisons with a task that has no network."""

import csv
import importlib.util
import json
import sys
from dataclasses import replace
from functools import cache, partial
from importlib.resources import files
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from spinelab.core import Fact, InputError, Measurement, Quantity, Result, Run, TaskError
from spinelab.evaluation import icc, measurement_agreement
from spinelab.experiments import Design, baselines, compare, evaluate, fit
from spinelab.experiments.disputed import disputed_names, disputed_words
from spinelab.experiments.measured_flags import of_measured
from spinelab.experiments.measured_landmarks import with_figures
from spinelab.experiments.measured_words import naming_in_words, reasons
from spinelab.experiments.pairing import kinds, measured_quantity
from spinelab.report.comparison import evaluation_page
from spinelab.report.measured import Measured, MeasuredLandmarks, MeasuredQuantity
from spinelab.serve.cli import show

_SPEC = importlib.util.spec_from_file_location("measuring_task", Path(__file__).with_name("measuring_task.py"))
toy = importlib.util.module_from_spec(_SPEC)
sys.modules["measuring_task"] = toy
_SPEC.loader.exec_module(toy)

QUICK = Design(folds=3, bootstraps=200, learning_curve=False)
examples_of = cache(toy.measuring_examples)


def model_of(name="good", task=None, **settings):
    return fit(task or toy.Measuring(), examples_of(45), toy.MeasuringSettings(model=name, **settings), Run())


def evaluated(out, name="good", data=None, split=None, **settings):
    said: list[str] = []
    data = data or examples_of(40, seed=1)
    found = evaluate(toy.Measuring(), model_of(name, **settings), data, out=out, run=Run(tell=said.append), bootstraps=200, split=split)
    return found, said


def codes(variant):
    return {flag.code for flag in variant.flags}


def valid(path: Path, name: str):
    body = json.loads(path.read_text(encoding="utf-8"))
    jsonschema.validate(body, json.loads((files("spinelab.report") / "schemas" / f"{name}.schema.json").read_text(encoding="utf-8")))
    return body


def table(path: Path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_files_of_an_evaluation_hold_the_same_figures(tmp_path):
    found, _ = evaluated(tmp_path)
    body = valid(tmp_path / "evaluation.json", "evaluation")
    rows = table(tmp_path / "predictions.csv")
    assert list(rows[0])[:6] == ["image", "patient", "cobb_max_deg", "cobb_max_deg_lo", "cobb_max_deg_hi", "cobb_max_deg_truth"]
    value, low, high, truth = (np.array([float(r[f"cobb_max_deg{end}"]) for r in rows]) for end in ("", "_lo", "_hi", "_truth"))
    error = np.abs(value - truth)
    assert body["metrics"]["cobb_max_mae_deg"]["value"] == pytest.approx(error.mean())
    assert body["metrics"]["cobb_max_median_ae_deg"]["value"] == pytest.approx(np.median(error))
    assert body["metrics"]["cobb_max_bias_deg"]["value"] == pytest.approx((value - truth).mean())
    assert body["metrics"]["cobb_max_coverage"]["value"] == pytest.approx(np.mean((low <= truth) & (truth <= high)))
    three = [(np.array([[float(r[f"{a}_deg{end}"]) for a in ("cobb_max", "cobb_upper", "cobb_lower")] for r in rows])) for end in ("", "_truth")]
    smape = 100 * np.mean(np.abs(three[0] - three[1]).sum(1) / (three[0] + three[1]).sum(1))
    assert body["metrics"]["smape_percent"]["value"] == pytest.approx(smape)
    assert {"shift_mae_mm", "shift_mae_px", "landmark_median_px", "landmark_median_mm", "levels_right"} <= set(body["metrics"])
    points = table(tmp_path / "landmarks.csv")
    assert list(points[0]) == ["image", "landmark", "x_px", "y_px", "x_px_truth", "y_px_truth", "error_px", "error_mm"]
    assert float(np.median([float(p["error_px"]) for p in points])) == pytest.approx(body["metrics"]["landmark_median_px"]["value"])
    assert body["measured"]["quantities"][0]["constant"]["source"] == "the medians of the training data"
    assert "always answering" in found.headline
    assert not codes(found.variant)


def test_every_answer_carries_its_certainty_what_it_withheld_and_its_notes(tmp_path):
    evaluated(tmp_path, "shy")
    rows = table(tmp_path / "predictions.csv")
    assert list(rows[0])[-3:] == ["levels_certainty", "withheld", "notes"]
    silent = [row for row in rows if not row["cobb_max_deg"]]
    assert silent
    assert {row["withheld"] for row in silent} == {"cobb_max_deg, cobb_upper_deg, cobb_lower_deg, shift_mm, shift_px: the film is cut off"}
    assert {row["levels_certainty"] for row in rows if row not in silent} == {"0.97"}


def test_films_that_are_named_surely_and_otherwise_than_the_truth_are_shown(tmp_path):
    """The truth is right here and the model is not: what is said has to leave that open."""
    found, _ = evaluated(tmp_path, "certain")
    levels = valid(tmp_path / "evaluation.json", "evaluation")["measured"]["levels"]
    disputed = levels["disputed"]
    assert (disputed["sure"], disputed["expected"]) == (levels["films"], pytest.approx(0.03 * levels["films"]))
    assert len(disputed["films"]) == levels["film_off_by"]["+1"] > 0
    assert {film["off_by"] for film in disputed["films"]} == {1}
    (ours, theirs) = disputed["films"][0]["named"]
    assert toy.LEVELS.index(theirs) == toy.LEVELS.index(ours) + 1
    (said,) = (text for text in found.statements if "look at these films" in text)
    assert said.startswith(
        f"Of {levels['films']} films whose levels are named with a certainty of 85 % or more, {len(disputed['films'])} carry names in the truth"
    )
    assert f"(the answer's {ours} is the truth's {theirs}; certainty 97 %)" in said
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    section = page[page.index('<section id="disputed">') :].split("</section>")[0]
    assert section.count("<figure>") == min(10, len(disputed["films"]))
    assert "Films that the truth may have wrong" in section


def test_one_disputed_film_is_told_in_the_singular():
    found = disputed_names(["a", "b"], np.array([0, 1]), np.array([0.9, 0.95]), list(toy.LEVELS))
    said = disputed_words(found)
    assert said.startswith(
        "Of 2 films whose levels are named with a certainty of 85 % or more, 1 carries names in the truth that are one level off as a whole: b ("
    )
    assert said.endswith("look at this film, for the truth may be.")


class Moody(toy.Measuring):
    """Names some films a level off, others in every training."""

    def fit(self, examples, settings, run):
        model = super().fit(examples, settings, run)
        return replace(model, tensors={"n": np.array([len(self.fitted)])})

    def predict(self, model, study):
        given = super().predict(model, study)
        if toy.noise(study.id, int(model.tensors["n"][0])).random() > 0.3:
            return given
        return replace(given, landmarks=tuple(replace(point, y=point.y + 24) for point in given.landmarks))


def test_a_film_that_was_held_out_in_several_repeats_is_disputed_and_shown_once(tmp_path):
    design, settings = replace(QUICK, repeats=3), toy.MeasuringSettings()
    found = compare(Moody(), examples_of(40), out=tmp_path, settings=settings, vary={}, design=design, resume=False, run=Run())
    measured = found.variants[0].measured
    disputed = measured.levels["disputed"]
    names = [film["image"] for film in disputed["films"]]
    first = {name for name, off in zip(measured.images[:40], _a_level_off(measured)[:40], strict=True) if off}
    assert set(names) == first
    assert 0 < len(first) < len({name for name, off in zip(measured.images, _a_level_off(measured), strict=True) if off})
    assert len(names) == len(first)
    assert (disputed["sure"], disputed["expected"]) == (40, pytest.approx(0.03 * 40))
    assert len({film.image for film in measured.shown}) == len(measured.shown) == 10
    for film in measured.disputed:
        down = [ours.points[0][1] - true.points[0][1] for ours, true in zip(film.answer, film.truth, strict=True)]
        assert np.median(down) > 12


class Missing(toy.Measuring):
    """Does not find the first vertebra of half of the films, and names all others right."""

    def predict(self, model, study):
        given = super().predict(model, study)
        whole = toy.noise("whole", study.id).random() < 0.5
        return given if whole else replace(given, landmarks=tuple(point for point in given.landmarks if not point.name.startswith(toy.LEVELS[0])))


def test_the_certainty_of_names_is_held_against_the_names_that_were_given(tmp_path):
    """It says that no vertebra carries a wrong name; a vertebra that was not found carries none."""
    task = Missing()
    evaluate(task, model_of(task=task), examples_of(40, seed=1), out=tmp_path, run=Run(), bootstraps=200)
    levels = valid(tmp_path / "evaluation.json", "evaluation")["measured"]["levels"]
    assert levels["all_right"]["value"] < 0.8
    assert levels["none_wrong"]["value"] == 1
    assert levels["certainty"]["came_true"]["value"] == 1


def _a_level_off(measured):
    tables = measured.landmarks
    return np.median(tables.predicted[..., 1] - tables.truth[..., 1], axis=1) > 12


def test_films_that_are_named_unsurely_are_not_disputed(tmp_path):
    found, _ = evaluated(tmp_path, "shifted")
    body = valid(tmp_path / "evaluation.json", "evaluation")
    assert body["measured"]["levels"]["film_off_by"]["+1"] > 0
    assert body["measured"]["levels"]["disputed"]["films"] == []
    assert not [text for text in found.statements if "look at these films" in text]
    assert 'id="disputed"' not in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_no_minus_stands_before_nothing_on_the_console(tmp_path, capsys):
    measured = Measurement("tilt", -0.03, "deg", interval=(-0.04, 1.2))
    show.results([Result("scoliosis", "m", "film", measurements=(measured,))], tmp_path)
    assert "tilt: 0.0 deg   (95 %: 0.0 to 1.2)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("off_by", "told"),
    [
        ({"0": 5, "+1": 1}, ", and on the other film it is one level off."),
        ({"0": 5, "-2": 1}, ", and on the other film it is more than one level off."),
        ({"0": 5, "+1": 1, "-1": 1, "+2": 1}, ", and of the other 3 films 2 are one level off."),
    ],
)
def test_films_with_a_shifted_column_are_counted_in_words(off_by, told):
    share = {"value": 0.8, "lo": 0.6, "hi": 0.9}
    assert told in naming_in_words({"film_off_by": off_by, "all_right": share, "numbered_right": share, "unanswered": 0, "certainty": None})


def test_every_figure_of_agreement_reaches_the_reader(tmp_path, capsys):
    found, _ = evaluated(tmp_path)
    show.evaluation(found, tmp_path)
    assert "(also evaluation.json, predictions.csv, agreement.csv, landmarks.csv)" in capsys.readouterr().out
    body = json.loads((tmp_path / "evaluation.json").read_text(encoding="utf-8"))
    figures = body["measured"]["quantities"][0]["figures"]
    pairs = np.array([[float(row["cobb_max_deg"]), float(row["cobb_max_deg_truth"])] for row in table(tmp_path / "predictions.csv")])
    for name, form in icc(pairs).forms.items():
        assert figures["metrics"][name.lower().replace("(", "_").replace(",", "_").rstrip(")")]["value"] == pytest.approx(form.icc.value), name
    (row, *_) = table(tmp_path / "agreement.csv")
    assert (row["quantity"], row["n"]) == ("cobb_max_deg", "40")
    assert float(row["lower_limit_lo"]) == figures["bland_altman"]["lower"]["lo"]
    assert float(row["wilcoxon_p"]) == figures["wilcoxon"]["p"]
    for name in ("bias", "upper_limit", "pearson", "ccc", "icc_1_1", "icc_3_k", "mdc95", "rmse", "sd_difference"):
        assert float(row[f"{name}_lo"]) < float(row[name]) < float(row[f"{name}_hi"])
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    for head in ("Lower limit", "Pearson r", "ICC(3,1)", "RMSE", "SEM", "MDC", "Wilcoxon p"):
        assert f">{head}</th>" in page


@pytest.mark.parametrize(("names", "known"), [(("L1_superior", "L1_inferior"), True), (("L1_1", "L1_2"), False)])
def test_heights_of_vertebrae_are_left_out_where_no_landmark_tells_them(names, known):
    truth = np.array([[[10.0, 10.0], [10.0, 30.0]]])
    found = MeasuredLandmarks(names, truth + 1, truth, np.ones((1, 2)), np.ones((1, 2)))
    (first, *_) = with_figures(found, ["p"], {}, [None], None, 20).rows
    assert ("heights" in first) is known


def test_the_page_tells_the_training_data_in_sentences(tmp_path):
    found, _ = evaluated(tmp_path)
    page = evaluation_page(replace(found, trained_on=found.trained_on | {"flags": [{"code": "duplicates", "text": "3 pairs of equal pictures."}]}))
    origin = page[page.index('id="origin"') : page.index('id="settings"')]
    assert "<li>3 pairs of equal pictures.</li>" in origin
    assert "Constants" not in origin
    assert "mean shape" not in origin
    assert "rank models" not in page


@pytest.mark.parametrize(("stopping", "says"), [(True, "decide when to stop"), (False, "learns from, one line a training")])
def test_training_speaks_of_stopping_only_where_it_stops(tmp_path, stopping, says):
    found, _ = evaluated(tmp_path)
    history = ({"epoch": 1, "train_loss": 2.0} | ({"validation_loss": 2.5} if stopping else {}), {"epoch": 2, "train_loss": 1.0})
    page = evaluation_page(replace(found, variant=replace(found.variant, histories=(history,))))
    assert says in page
    assert "<span>2 epochs</span>" in page


def test_the_page_says_and_shows_it(tmp_path):
    evaluated(tmp_path, decides=True)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    for words in ("Bland and Altman", "ICC(2,1)", "Metrics of the decision", "The worst 10 films", "Naming of the levels", "Mean shape over every film"):
        assert words in page
    assert page.count("the truth and the answer drawn over it") == 10
    assert "prob_40 or more" in table(tmp_path / "predictions.csv")[0]
    assert "<script" not in page


@pytest.mark.parametrize(
    ("model", "raised"),
    [("sure", "under-covered"), ("biased", "biased"), ("useless", "not-better-than-constant"), ("useless", "wide-intervals"), ("shifted", "levels-uncertain")],
)
def test_flags(tmp_path, model, raised):
    found, _ = evaluated(tmp_path, model)
    assert raised in codes(found.variant)
    assert (model == "useless") == found.headline.startswith("Cannot tell")


@pytest.mark.parametrize(("unit", "shift", "raised"), [("deg", -0.1, False), ("mm", 0.4, False), ("deg", -0.6, True), ("px", -0.1, True)])
def test_a_bias_of_less_than_half_a_degree_or_millimetre_is_no_flag(unit, shift, raised):
    truth = np.linspace(0, 40, 40)
    value = truth + shift + 0.01 * np.tile([-1, 1], 20)
    limits = np.full((2, 40), np.nan)
    q = MeasuredQuantity("cbva", f"cbva_{unit}", unit, "Chin-brow vertical angle", "", value, *limits, truth, figures=measurement_agreement(value, truth))
    names = tuple(map(str, range(40)))
    assert ("biased" in {flag.code for flag in of_measured(Measured(names, names, names, (q,), {}))}) is raised


def test_withheld_values_are_empty_counted_and_in_no_error(tmp_path):
    found, _ = evaluated(tmp_path, "shy")
    rows = table(tmp_path / "predictions.csv")
    empty = [r for r in rows if not r["cobb_max_deg"]]
    first = found.variant.measured.quantities[0]
    assert len(empty) == sum(first.withheld.values()) > 0
    assert set(first.withheld) == {"the film is cut off"}
    assert all(r["cobb_max_deg_truth"] for r in empty)
    assert "often-withheld" in codes(found.variant)
    assert found.variant.measured.levels["unanswered"] == len(empty)


def test_missing_values_are_counted_by_reason_and_refused_films_as_refused():
    truths = [Result("t", "r", name, measurements=(Measurement("pi", 50.0, "deg"),)) for name in "abc"]
    (kind,) = kinds((Quantity("pi", "deg", "Pelvic incidence"),), truths)
    refused = Result("t", "m", "a", notes=("No answer: not the right film.",))
    cropped = Result("t", "m", "b", measurements=(Measurement("pi", None, "deg", withheld="S1 is not on the film"),))
    read = Result("t", "m", "c", measurements=(Measurement("pi", 51.0, "deg"),))
    q = measured_quantity(kind, [refused, cropped, read], truths)
    assert q.withheld == {"the film was refused": 1, "S1 is not on the film": 1}
    assert reasons(q) == "the film was refused: 1, S1 is not on the film: 1"
    assert reasons(replace(q, withheld={"S1 is not on the film": 3})) == "S1 is not on the film"


def test_without_a_pixel_size_millimetres_are_withheld_and_pixels_given(tmp_path):
    found, _ = evaluated(tmp_path, data=examples_of(20, seed=2, spacing=None))
    names = {q.column for q in found.variant.measured.quantities if q.paired.any()}
    assert "shift_px" in names
    assert "shift_mm" not in names
    assert found.variant.measured.metrics.get("landmark_median_mm") is None


def test_measurements_are_paired_by_name_unit_site_and_side(tmp_path):
    def placed(result: Result, shift: float) -> Result:
        sites = (("L4/L5", "left", 1.0), ("L5/S1", None, 2.0))
        return replace(result, measurements=tuple(Measurement("cobb_max", v + shift, "deg", site=site, side=side) for site, side, v in sites))

    class Placed(toy.Measuring):
        def predict(self, model, study):
            return placed(super().predict(model, study), 0.5)

    data = examples_of(20, seed=1)
    data = replace(data, items=tuple(replace(e, truth=placed(e.truth, 0.0)) for e in data))
    found = evaluate(Placed(), model_of(), data, out=tmp_path, run=Run(), bootstraps=100)
    assert found.variant.metrics == {}
    assert found.variant.measured.metrics["cobb_max_L4_L5_left_mae_deg"].value == pytest.approx(0.5)
    assert table(tmp_path / "predictions.csv")[0]["cobb_max_L5_S1_deg_truth"] == "2.0"


def test_a_curve_is_paired_with_its_truth_whatever_end_vertebrae_either_names():
    def curve(value: float, site: str, side: str | None) -> Result:
        return Result("scoliosis", "m", "film", measurements=(Measurement("cobb_max", value, "deg", site=site, side=side),))

    truths, answers = [curve(40.0, "T5-T12", None), curve(20.0, "T6-L1", None)], [curve(42.0, "T5-T11", "right"), curve(21.0, "T6-L1", "left")]
    (kind,) = kinds(toy.ANGLES, truths, answers)
    paired = measured_quantity(kind, answers, truths)
    assert (paired.column, paired.value.tolist(), paired.truth.tolist()) == ("cobb_max_deg", [42.0, 21.0], [40.0, 20.0])


def test_subgroups_have_errors_and_small_ones_none(tmp_path):
    found, _ = evaluated(tmp_path)
    rows = {(r["fact"], r["value"]): r for r in found.subgroups}
    assert rows["sex", "F"]["metrics"]["cobb_max_mae_deg"].value > 0
    assert all(not r["metrics"] for r in found.subgroups if r["patients"] < 10)


def test_the_test_split_is_evaluated_unless_another_is_named(tmp_path):
    data = examples_of(36, seed=1, splits=("train", "val", "test"))
    found, said = evaluated(tmp_path / "a", data=data)
    assert found.data.examinations == 12
    assert found.design["split"] == "test"
    assert any("test was chosen" in sentence for sentence in said)
    assert evaluated(tmp_path / "b", data=data, split="val")[0].data.examinations == 12
    with pytest.raises(TaskError, match=r"no split 'dev'.*Expected: test \(12 examinations\), train \(12 examinations\)"):
        evaluated(tmp_path / "c", data=data, split="dev")
    with pytest.raises(TaskError, match="without splits"):
        evaluated(tmp_path / "d", split="test")
    everything, said = evaluated(tmp_path / "e", data=examples_of(36, seed=1, splits=("a", "b")))
    assert everything.data.examinations == 36
    assert any("no split called test" in sentence for sentence in said)


@pytest.mark.parametrize(("splits", "asked", "patients"), [(("train", "test"), None, 15), (("a", "b", "test"), None, 20), (("train", "test"), "test", 15)])
def test_a_fit_never_takes_the_test_split_silently(splits, asked, patients):
    task, said = toy.Measuring(), []
    model = fit(task, examples_of(30, splits=splits), toy.MeasuringSettings(), Run(tell=said.append), split=asked)
    names = {e.id for e in examples_of(30, splits=splits) if e.facts["split"].value == "test"}
    assert len(task.fitted[0]) == patients
    assert bool(names & set(task.fitted[0])) == (asked == "test")
    assert model.record["data"]["split"]
    few = next(flag["text"] for flag in model.record["data"]["flags"] if flag["code"] == "too-few-patients")
    assert few == f"There are {patients} patients: few to learn from, and too few to say how good a model is."
    assert asked == "test" or any("splits" in sentence for sentence in said)


def test_patients_who_share_a_film_reach_the_fit_as_one():
    data = examples_of(20)
    twin = replace(data[3], id="twin", patient="somebody else")
    task = toy.Measuring()
    model = fit(task, replace(data, items=(*data.items, twin)), toy.MeasuringSettings(), Run())
    groups = dict(zip(task.fitted[0], task.groups[0], strict=True))
    assert groups["twin"] == groups[data[3].id]
    assert any(flag["code"] == "duplicates-across-patients" for flag in model.record["data"]["flags"])


def test_unknown_patients_stay_unknown_but_copies_stay_together():
    data = examples_of(20)
    items = tuple(replace(e, patient=None) for e in (*data.items, replace(data[3], id="twin")))
    task = toy.Measuring()
    model = fit(task, replace(data, items=items), toy.MeasuringSettings(), Run())
    groups = dict(zip(task.fitted[0], task.groups[0], strict=True))
    assert groups["twin"] == groups[data[3].id]
    assert model.record["data"]["patients"] is None


def test_data_without_a_truth_are_refused(tmp_path):
    data = examples_of(12)
    bare = replace(data, items=tuple(replace(e, truth=replace(e.truth, measurements=(), landmarks=())) for e in data))
    with pytest.raises(InputError, match="no examination with a true measurement"):
        evaluate(toy.Measuring(), model_of(), bare, out=tmp_path, run=Run())


def test_constants_are_tried_on_other_patients():
    found = baselines(toy.Measuring(), examples_of(40), toy.MeasuringSettings(decides=True))
    truth = np.array([e.truth.measurements[0].value for e in examples_of(40)])
    row = found["measured"]["quantities"]["cobb_max_deg"]
    assert row["answer"] == pytest.approx(np.median(truth))
    assert row["mae"]["value"] == pytest.approx(np.abs(truth - np.median(truth)).mean(), rel=0.1)
    assert 0 < found["measured"]["mean_shape"]["px"]["value"] < 20
    assert found["majority_class"] in found["classes"]
    assert baselines(toy.Measuring(), examples_of(40), toy.MeasuringSettings())["classes"] == {}


def compared(out, models, design=QUICK, data=None, **settings):
    return compare(
        toy.Measuring(),
        data or examples_of(60),
        out=out,
        settings=toy.MeasuringSettings(**settings),
        vary={"model": models},
        design=design,
        resume=False,
        run=Run(),
    )


def test_measuring_models_are_ranked_by_their_error(tmp_path):
    found = compared(tmp_path, ["poor", "good", "broken"], design=replace(QUICK, learning_curve=True))
    assert found.rank_by == "cobb_max_mae_deg"
    assert {v.name: v.rank for v in found.variants} == {"good": 1, "poor": 2, "broken": None}
    assert found.headline.startswith("good is ahead")
    assert "has 1" in found.headline
    assert "There are 60 patients" in found.headline
    assert found.pairs[0].distinguishable
    assert "good is better than poor" in found.pairs[0].text
    assert found.learning_curve.metric == "cobb_max_mae_deg"
    assert "The worst 10 films of good" in (tmp_path / "report.html").read_text(encoding="utf-8")
    body = valid(tmp_path / "comparison.json", "comparison")
    assert {p["column"] for p in body["measured_pairs"]} >= {"cobb_max_deg", "shift_mm"}
    rows = [r for r in table(tmp_path / "predictions.csv") if r["variant"] == "good"]
    errors = [abs(float(r["cobb_max_deg"]) - float(r["cobb_max_deg_truth"])) for r in rows]
    assert body["variants"][0]["metrics"]["cobb_max_mae_deg"]["value"] == pytest.approx(np.mean(errors))


def test_equal_measuring_models_cannot_be_distinguished(tmp_path):
    found = compare(
        toy.Measuring(),
        examples_of(45),
        out=tmp_path,
        settings=toy.MeasuringSettings(),
        vary={"seed": [0, 1]},
        design=QUICK,
        resume=False,
        run=Run(),
    )
    assert "cannot be distinguished" in found.headline
    assert all("not-distinguishable" in codes(v) for v in found.variants)
    assert "Measured" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_who_withholds_is_ranked_on_the_films_that_all_measured(tmp_path):
    found = compared(tmp_path, ["good", "shy"])
    good = next(v for v in found.variants if v.name == "good")
    rows = {(r["variant"], r["image"]): r for r in table(tmp_path / "predictions.csv")}
    common = [r for (name, image), r in rows.items() if name == "good" and rows["shy", image]["cobb_max_deg"]]
    errors = [abs(float(r["cobb_max_deg"]) - float(r["cobb_max_deg_truth"])) for r in common]
    assert len(common) < 60
    assert good.figures["cobb_max_mae_deg"].value == pytest.approx(np.mean(errors))
    assert any(f"on the {len(common)} of 60" in sentence for sentence in found.statements)


def test_measuring_then_deciding_beside_classifying(tmp_path):
    found = compared(tmp_path / "out", ["good", "classifier"], decides=True)
    assert found.rank_by == "balanced_accuracy"
    assert {v.name: v.route for v in found.variants} == {"good": "measures", "classifier": "classifies"}
    assert any("good measures and then decides; classifier classifies the picture" in s for s in found.statements)
    assert next(v for v in found.variants if v.name == "classifier").measured is None
    valid(tmp_path / "out" / "comparison.json", "comparison")
    rows = table(tmp_path / "out" / "predictions.csv")
    assert {r["variant"]: bool(r["cobb_max_deg"]) for r in rows} == {"good": True, "classifier": False}
    by_error = compared(tmp_path / "error", ["good", "classifier"], replace(QUICK, rank_by="cobb_max_mae_deg"), decides=True)
    assert {v.name: v.rank for v in by_error.variants} == {"good": 1, "classifier": None}


def test_ranking_by_landmarks_and_by_what_is_not_there(tmp_path):
    found = compared(tmp_path / "a", ["shifted", "good"], replace(QUICK, rank_by="landmark_median_px"))
    assert found.variants[0].name == "good"
    with pytest.raises(TaskError, match=r"'sva_mae_mm'.*cobb_max_mae_deg"):
        compared(tmp_path / "b", ["good"], replace(QUICK, rank_by="sva_mae_mm"))
    with pytest.raises(TaskError, match="balanced_accuracy"):
        compared(tmp_path / "c", ["good"], replace(QUICK, rank_by="balanced_accuracy"))


def test_a_comparison_uses_the_training_split_and_goes_on_where_it_stopped(tmp_path):
    data = examples_of(60, splits=("training", "test"))
    found = compared(tmp_path, ["good"], data=data)
    assert found.data.examinations == 30
    assert found.design["split"] == "training"
    task = toy.Measuring()
    again = compare(task, data, out=tmp_path, settings=toy.MeasuringSettings(), vary={"model": ["good"]}, design=QUICK, resume=True, run=Run())
    assert task.fitted == []
    assert again.variants[0].figures == found.variants[0].figures


def test_a_film_on_which_nothing_can_be_drawn_is_left_out_of_the_gallery(tmp_path):
    data = examples_of(20, seed=1)
    opened = {"count": 0}

    def fragile(example):
        opened["count"] += 1
        if opened["count"] > 2 * 20:
            raise InputError("gone", expected="a film", action="bring it")
        return example.open()

    data = replace(data, items=tuple(replace(e, open=partial(fragile, e)) for e in data))
    found, _ = evaluated(tmp_path, data=data)
    assert found.variant.measured.shown == ()


def test_split_facts_may_be_unknown(tmp_path):
    data = examples_of(20, seed=1)
    data = replace(data, items=tuple(replace(e, facts={**e.facts, "split": Fact(None, "no folder")}) for e in data))
    assert evaluated(tmp_path, data=data)[0].data.examinations == 20
