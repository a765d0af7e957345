"""The task `lumbar-mri`: questions, inputs, sides, scores beside constants, one answer for all 25 questions."""

import csv
import json
import shutil
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from types import SimpleNamespace

import jsonschema
import numpy as np
import pytest

from spinelab import tasks
from spinelab.core import Examples, Explaining, Fact, InputError, Model, NotSureError, Result, Run, SlicePoint, TaskError, unknown
from spinelab.evaluation.rsna import COLUMNS, CONDITIONS, GRADES, rsna_score
from spinelab.evaluation.rsna_baselines import rsna_baselines
from spinelab.evaluation.rsna_submission import read_submission
from spinelab.evaluation.types import Predictions
from spinelab.experiments import baselines, evaluate
from spinelab.experiments.asked import ask
from spinelab.experiments.data_check import check_data
from spinelab.experiments.data_words import JUDGED_ON
from spinelab.experiments.flags import collapse
from spinelab.experiments.heads import judge_heads
from spinelab.experiments.splits import Split
from spinelab.experiments.words import rarest
from spinelab.geometry.planes import flip_affine
from spinelab.io import dicom
from spinelab.serve.cli import show
from spinelab.tasks.lumbar_mri import finding, pictures, scores
from spinelab.tasks.lumbar_mri.augmenting import paper
from spinelab.tasks.lumbar_mri.grading import GradeLoss, shares_of
from spinelab.tasks.lumbar_mri.inputs import neighbours, prepare_place, series_of
from spinelab.tasks.lumbar_mri.parts import _notes, plane_of_row
from spinelab.tasks.lumbar_mri.phantom import write_phantoms
from spinelab.tasks.lumbar_mri.questions import question_of_row
from spinelab.tasks.lumbar_mri.settings import LumbarMriSettings
from spinelab.tasks.lumbar_mri.tables import read_marks
from spinelab.tasks.lumbar_mri.targets import GRADE_NAMES, QUESTIONS

TASK = tasks.load("lumbar-mri")
QUICK = LumbarMriSettings(model="simple-cnn", image_size=48, epochs=2, batch_size=16)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("lumbar-mri")
    write_phantoms(path, n=6, seed=8, difficulty="easy", scale=0.4)
    return path


@pytest.fixture(scope="module")
def data(folder: Path) -> Examples:
    return TASK.examples(folder)


@pytest.fixture(scope="module")
def model(data: Examples) -> Model:
    return TASK.fit(data, QUICK, Run())


def test_every_graded_question_is_an_example_of_its_examination(data: Examples) -> None:
    asked = ask(TASK, data, QUICK)
    assert asked.several
    assert len(asked.questions) == 25 * len(data)
    for question in asked.questions:
        study, own = question_of_row(question.id)
        assert question.of is not None
        assert study == question.of.id
        truth = question.of.truth.finding(own.finding, site=own.level, side=own.side)
        assert truth is not None
        assert question.truth.finding("severity").label == truth.label
        assert question.truth.finding("condition").label == own.condition_name
    assert asked.labels == tuple(max((f.label for f in e.truth.findings), key=GRADE_NAMES.index) for e in data)


def test_what_is_counted_are_questions_and_examinations(data: Examples) -> None:
    summary = check_data(data, "severity", asked=ask(TASK, data, QUICK), words=JUDGED_ON).summary
    assert summary.questions == 150
    assert sum(counts["images"] or 0 for counts in summary.classes.values()) == 150
    assert "questions (patients are not known)" in rarest(replace(summary, patients=None))
    (few,) = (flag.text for flag in summary.flags if flag.code == "too-few-patients")
    assert "images" not in few


def test_a_split_of_examinations_never_separates_their_questions(data: Examples) -> None:
    asked = ask(TASK, data, QUICK)
    split = asked.split(Split(0, 0, np.array([0, 2, 3]), np.array([1, 4])))
    train, test = ({asked.questions[int(i)].of.id for i in part} for part in (split.train, split.test))
    assert train == {data[i].id for i in (0, 2, 3)}
    assert test == {data[i].id for i in (1, 4)}
    assert len(split.train) == 75


def test_questions_are_not_asked_twice(data: Examples) -> None:
    rows = TASK.asked(data, QUICK)
    assert TASK.asked(rows, QUICK) is rows


def row_of(data: Examples, number: int, column: str) -> object:
    return next(row for row in TASK.asked(data, QUICK) if row.id == f"{data[number].id}_{column}")


def test_a_crop_has_its_size_in_millimetres(data: Examples) -> None:
    study = row_of(data, 0, "spinal_canal_stenosis_l4_l5").open()
    wide, narrow = (prepare_place(study, replace(QUICK, crop_mm=mm, slices=1, image_size=64)).pixels[0].astype(float) for mm in (80.0, 40.0))
    middle = wide[16:48, 16:48]
    shrunk = narrow.reshape(32, 2, 32, 2).mean(axis=(1, 3))
    assert np.corrcoef(middle.ravel(), shrunk.ravel())[0, 1] > 0.97


def test_the_crop_shows_the_marked_place(data: Examples) -> None:
    """Shifting the place by ten millimetres towards the feet shifts the picture by as many."""
    study = row_of(data, 0, "spinal_canal_stenosis_l3_l4").open()
    (place,) = study.facts["places"].value
    moved = replace(place, point_mm=(place.point_mm[0], place.point_mm[1], place.point_mm[2] - 10))
    settings = replace(QUICK, crop_mm=64.0, slices=1, image_size=64)
    before = prepare_place(study, settings).pixels[0].astype(float)
    after = prepare_place(replace(study, facts={"places": replace(study.facts["places"], value=(moved,))}), settings).pixels[0].astype(float)
    assert np.corrcoef(before[10:].ravel(), after[:-10].ravel())[0, 1] > 0.98


def test_right_axial_crops_are_shown_like_left_ones(data: Examples) -> None:
    """The dural sac lies on the picture's left of a left recess, and of a mirrored right one; unmirrored it lies on the right."""
    left, right = (row_of(data, 0, f"{side}_subarticular_stenosis_l3_l4").open() for side in ("left", "right"))
    seen_left, mirrored = (prepare_place(s, replace(QUICK, slices=1)).pixels[0].astype(float) for s in (left, right))
    plain = prepare_place(right, replace(QUICK, slices=1, one_side=False)).pixels[0].astype(float)
    assert np.array_equal(plain, mirrored[:, ::-1])
    alike, unlike = (np.corrcoef(seen_left.ravel(), other.ravel())[0, 1] for other in (mirrored, plain))
    assert alike > unlike


def test_a_condition_head_sees_left_as_left(data: Examples) -> None:
    right = row_of(data, 0, "right_subarticular_stenosis_l3_l4").open()
    both = prepare_place(right, replace(QUICK, heads="both")).pixels
    assert np.array_equal(both, prepare_place(right, replace(QUICK, one_side=False)).pixels)


def test_the_marker_lies_on_the_place(data: Examples) -> None:
    study = row_of(data, 0, "spinal_canal_stenosis_l3_l4").open()
    settings = replace(QUICK, shown="marker", slices=1, image_size=64)
    prepared = prepare_place(study, settings)
    assert prepared.pixels.shape == (2, 64, 64)
    spot = np.unravel_index(int(prepared.pixels[1].argmax()), (64, 64))
    lower = row_of(data, 0, "spinal_canal_stenosis_l5_s1").open()
    assert np.unravel_index(int(prepare_place(lower, settings).pixels[1].argmax()), (64, 64))[0] > spot[0]


def test_neighbours_stay_in_their_stack() -> None:
    """Three slices of one disc, then three tilted ones of the next."""
    flat = np.tile(np.eye(4), (6, 1, 1))
    flat[:, 2, 3] = [0, 4, 8, 40, 44, 48]
    tilted = flat.copy()
    lean = np.radians(15)
    tilted[3:, :3, 1] = [0, np.cos(lean), np.sin(lean)]
    assert neighbours(tilted, 1, 3) == [0, 1, 2]
    assert neighbours(tilted, 2, 3) == [1, 2, None]
    assert neighbours(tilted, 0, 5) == [None, None, 0, 1, 2]
    assert neighbours(flat, 2, 3) == [1, 2, None]


def test_neighbours_of_a_stack_that_was_stored_mirrored_come_in_the_patient_s_order() -> None:
    """Columns from left to right in the header: the normal, and with it the order of the slices, is reversed; the network is shown the same."""
    usual = np.tile(np.eye(4), (3, 1, 1))
    usual[:, 2, 3] = [0, 4, 8]
    mirrored = usual[::-1].copy()
    mirrored[:, 0, 0] = -1
    heights = [[stack[index][2, 3] for index in neighbours(stack, 1, 3) if index is not None] for stack in (usual, mirrored)]
    assert heights == [[0, 4, 8], [0, 4, 8]]


def test_a_question_without_a_place_has_no_picture(data: Examples) -> None:
    study = row_of(data, 0, "spinal_canal_stenosis_l3_l4").open()
    nothing = replace(study, facts={"places": replace(study.facts["places"], value=())})
    assert not prepare_place(nothing, QUICK).available.any()


def test_one_answer_for_all_25(model: Model, data: Examples) -> None:
    result = TASK.predict(model, data[0].open())
    assert [(f.name, f.site, f.side) for f in result.findings] == [(q.finding, q.level, q.side) for q in QUESTIONS]
    assert all(f.label in GRADE_NAMES for f in result.findings)
    assert any("patient's left" in note for note in result.notes)


def test_rows_and_examinations_answer_alike(model: Model, data: Examples) -> None:
    whole = TASK.predict(model, data[1].open())
    rows = TASK.asked(data.subset([1]), QUICK)
    for row, answer in zip(rows, TASK.predict_many(model, rows, Run()), strict=True):
        _, question = question_of_row(row.id)
        own = whole.finding(question.finding, site=question.level, side=question.side)
        assert answer.finding("severity").probabilities == pytest.approx(own.probabilities, abs=1e-4)


def test_a_missing_axial_series_withholds_its_questions(model: Model, data: Examples) -> None:
    study = data[0].open()
    places = tuple(p for p in study.facts["places"].value if p.target.description != "Axial T2")
    sagittal = tuple(i for i in study.images if i.facts["description"].value != "Axial T2")
    result = TASK.predict(model, replace(study, images=sagittal, facts={"places": replace(study.facts["places"], value=places)}))
    withheld = [f for f in result.findings if f.label is None]
    assert {f.name for f in withheld} == {"subarticular_stenosis"}
    assert len(withheld) == 10
    assert any(note.startswith("Withheld") and "subarticular" in note for note in result.notes)


def test_every_grade_says_where_it_was_asked(model: Model, data: Examples, tmp_path: Path) -> None:
    """The table is in the layout of the readers' own, so that it can be laid beside theirs, and learnt from."""
    results = [replace(TASK.predict(model, example.open()), study=example.id) for example in data.subset([0, 1])]
    assert Result.from_dict(json.loads(results[0].to_json())) == results[0]
    jsonschema.validate(json.loads(results[0].to_json()), json.loads((files("spinelab.report") / "schemas" / "result.schema.json").read_text(encoding="utf-8")))
    marked = {place.target.question.place: place for place in data[0].open().facts["places"].value}
    for question in QUESTIONS:
        found = results[0].finding(question.finding, site=question.level, side=question.side)
        place = marked.get(question.place)
        assert found is not None
        assert found.place == (None if place is None else SlicePoint(place.target.mark.series, place.target.mark.instance, place.x, place.y, place.point_mm))
    (tmp_path / "train_label_coordinates.csv").write_text(TASK.tables(model, results)["label_coordinates.csv"], encoding="utf-8")
    marks, notes = read_marks(tmp_path)
    assert notes == []
    known = {(mark.study, mark.question): mark for mark in marks}
    for example in data.subset([0, 1]):
        for place in example.open().facts["places"].value:
            mark = known.pop((example.id, place.target.question))
            assert (mark.series, mark.instance) == (place.target.mark.series, place.target.mark.instance)
            assert (mark.x, mark.y) == pytest.approx((place.x, place.y), abs=1e-3)
    assert known == {}


def test_an_answer_without_places_writes_no_table_of_them(model: Model, data: Examples) -> None:
    graded = Result("lumbar-mri", "m", "8", findings=tuple(q.answer("Severe", dict(zip(GRADE_NAMES, (0.1, 0.1, 0.8), strict=True))) for q in QUESTIONS))
    assert list(TASK.tables(model, [graded])) == ["submission.csv"]
    assert "place" not in graded.to_dict()["findings"][0]


def test_a_bare_examination_needs_a_level_finder(model: Model, data: Examples) -> None:
    study = data[0].open()
    with pytest.raises(NotSureError, match="no level finder"):
        TASK.predict(model, replace(study, facts={}))


def answers(labels: np.ndarray, shares: np.ndarray) -> Predictions:
    """Return answers of ``labels`` (n, 25) as rows, ``shares`` (n, 25, 3)."""
    at = [(i, j) for i in range(len(labels)) for j in range(25) if labels[i, j] >= 0]
    names = tuple(f"{100 + i}_{COLUMNS[j]}" for i, j in at)
    patients = tuple(f"{100 + i}" for i, _ in at)
    rows, columns = (np.array(part) for part in zip(*at, strict=True))
    truth = labels[rows, columns].astype(np.int64)
    return Predictions(GRADE_NAMES, names, patients, truth, shares[None, rows, columns], np.zeros((1, len(at)), np.int64))


def test_the_score_is_the_competitions() -> None:
    rng = np.random.default_rng(3)
    labels = rng.integers(-1, 3, (40, 25)).astype(np.int8)
    shares = rng.dirichlet([2, 1, 1], (40, 25))
    judged = scores.judge(answers(labels, shares), bootstraps=50)
    table = scores.answers_of(answers(labels, shares))
    assert table is not None
    expected = rsna_score(table.labels, table.probabilities[0])
    assert judged.metrics["rsna_score"].value == pytest.approx(expected["score"])
    assert judged.metrics["rsna_loss_spinal"].value == pytest.approx(expected["spinal"])
    weights = np.array([1.0, 2.0, 4.0])[labels[labels >= 0]]
    own = -np.log(np.take_along_axis(shares, np.maximum(labels, 0)[..., None].astype(int), 2)[..., 0][labels >= 0])
    assert judged.metrics["weighted_log_loss"].value == pytest.approx(float((own * weights).sum() / weights.sum()))


def test_the_best_constant_stands_beside_and_a_constant_gains_nothing() -> None:
    rng = np.random.default_rng(4)
    labels = rng.choice(3, (60, 25), p=[0.7, 0.2, 0.1]).astype(np.int8)
    table = scores.answers_of(answers(labels, np.full((60, 25, 3), 1 / 3)))
    assert table is not None
    per_column = rsna_baselines(table.labels, bootstraps=20)["baselines"]["weighted-frequencies-per-column"]
    constant = scores.constant_answers(table, "weighted-frequencies-per-column").probabilities[0]
    judged = scores.judge(answers(labels, np.array(constant)), bootstraps=50)
    assert not judged.baseline
    assert judged.constants["frequencies weighted 1, 2, 4, per column"]["rsna_score"].value == pytest.approx(per_column["score"])
    assert judged.constants["uniform"]["weighted_log_loss"].value == pytest.approx(np.log(3))
    assert judged.metrics["weighted_log_loss_gain"].value == pytest.approx(0.0, abs=1e-9)
    assert "not-better-than-prior" in judged.flags
    sure = np.eye(3)[labels] * 0.9 + 0.1 / 3
    better = scores.judge(answers(labels, sure), bootstraps=50)
    assert better.metrics["weighted_log_loss_gain"].lo > 0
    assert not better.flags


def test_baselines_need_the_table_alone(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_bytes((folder / "train.csv").read_bytes())
    found = baselines(TASK, TASK.examples(tmp_path), QUICK)
    with_pictures = baselines(TASK, TASK.examples(folder), QUICK)
    for name, row in with_pictures["competition"]["baselines"].items():
        assert found["competition"]["baselines"][name]["score"] == pytest.approx(row["score"], abs=1e-12)
    assert found["classes"]["Severe"]["images"] == with_pictures["classes"]["Severe"]["images"]


def test_baselines_count_questions_as_questions(data: Examples, capsys: pytest.CaptureFixture[str]) -> None:
    """Every examination is asked up to 25 questions: a class has far more of them than there are examinations."""
    found = baselines(TASK, data, QUICK)
    assert found["questions"] == sum(c["images"] for c in found["classes"].values()) > found["examinations"]
    show.baselines(found)
    lines = capsys.readouterr().out.splitlines()
    assert f"{found['questions']} questions" in lines[0]
    assert lines[1].split() == ["class", "questions", "patients", "share"]


def test_the_submission_has_every_row_and_adds_up(model: Model, data: Examples, tmp_path: Path) -> None:
    results = [replace(TASK.predict(model, example.open()), study=example.id) for example in data.subset([0, 1])]
    withheld = replace(results[0], study="777", findings=(QUESTIONS[0].answer(None), *results[0].findings[1:]))
    (tmp_path / "submission.csv").write_text(TASK.tables(model, [*results, withheld])["submission.csv"], encoding="utf-8")
    studies, shares = read_submission(tmp_path / "submission.csv", [*(r.study for r in results), "777"])
    assert shares.shape == (3, 25, 3)
    assert shares[2, 0] == pytest.approx(list(model.record["constant"][COLUMNS[0]].values()))
    assert studies[2] == "777"


def test_a_refused_study_stands_in_the_submission_with_the_constant() -> None:
    constant = {column: dict(zip(GRADES, (0.5, 0.25, 0.25), strict=True)) for column in COLUMNS}
    model = Model("lumbar-mri", QUICK, GRADE_NAMES, {}, record={"constant": constant})
    answered = Result("lumbar-mri", "m", "8", findings=tuple(q.answer("Severe", dict(zip(GRADE_NAMES, (0.1, 0.1, 0.8), strict=True))) for q in QUESTIONS))
    refused = Result("lumbar-mri", "m", "777", notes=("No answer: it cannot be read.",))
    lines = TASK.tables(model, [answered, refused])["submission.csv"].splitlines()
    assert len(lines) == 1 + 2 * 25
    assert [line.partition(",")[2] for line in lines if line.startswith("777_")] == ["0.5,0.25,0.25"] * 25
    assert TASK.tables(model, [refused]) == {}


def test_two_heads_tell_condition_and_grade(data: Examples) -> None:
    settings = LumbarMriSettings(model="simple-cnn", image_size=48, epochs=1, heads="both", planes="shared", target="condition")
    both = TASK.fit(data.subset(range(4)), settings, Run())
    rows = TASK.asked(data.subset([4]), settings)
    for result in TASK.predict_many(both, rows, Run()):
        assert sum(result.finding("severity").probabilities.values()) == pytest.approx(1)
        assert len(result.finding("condition").probabilities) == 5
    assert list(both.record["networks"]) == ["every series"]


@pytest.fixture(scope="module")
def spoiled(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same examinations with a mark outside, one on no slice, one that is absent, a series without a folder, and one that is called by another name."""
    root = tmp_path_factory.mktemp("spoiled") / "data"
    shutil.copytree(folder, root)
    first, second, third, fourth = (example.id for example in TASK.examples(root).subset(range(4)))
    with (root / "train_label_coordinates.csv").open(encoding="utf-8") as file:
        head, *rows = csv.reader(file)
    with (root / "train_series_descriptions.csv").open(encoding="utf-8") as file:
        columns, *series = csv.reader(file)
    place = {(row[0], row[3], row[4]): row for row in rows}
    place[first, "Spinal Canal Stenosis", "L1/L2"][5] = "5000"
    place[first, "Spinal Canal Stenosis", "L2/L3"][2] = "99"
    rows.remove(place[second, "Spinal Canal Stenosis", "L3/L4"])
    swap = [place[fourth, f"{side} Subarticular Stenosis", "L1/L2"] for side in ("Left", "Right")]
    swap[0][3], swap[1][3] = swap[1][3], swap[0][3]
    axial = {row[0]: row for row in series if row[2] == "Axial T2"}
    shutil.rmtree(root / "train_images" / third / axial[third][1])
    axial[fourth][2] = "Sagittal T1"
    for name, table in (("train_label_coordinates", [head, *rows]), ("train_series_descriptions", [columns, *series])):
        with (root / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(table)
    return root


def test_an_evaluation_says_why_questions_have_no_answer(model: Model, spoiled: Path, tmp_path: Path) -> None:
    found = evaluate(TASK, model, TASK.examples(spoiled), out=tmp_path, run=Run(), bootstraps=20, explaining=None)
    names = [example.id for example in TASK.examples(spoiled)]
    told = [flag.text for flag in found.data.flags if flag.code == "left-out"]
    expected = (
        f"1 question of 1 examination is left out: marked outside of the picture (such as {names[0]}_spinal_canal_stenosis_l1_l2: 5000, ",
        f"marked on a slice that is not there (such as {names[0]}_spinal_canal_stenosis_l2_l3: slice 99 of series ",
        f"train_label_coordinates.csv holds no usable mark (such as {names[1]}_spinal_canal_stenosis_l3_l4).",
        f"10 questions of 1 examination are left out: marked on a series that has no folder (such as {names[2]}_left_subarticular_stenosis_l1_l2: series ",
    )
    assert len(told) == len(expected)
    assert all(part in text for part, text in zip(expected, told, strict=True))
    assert f"Questions that a model did not answer: {found.model} 13. All figures are over the 137 questions that every model answered." in found.statements
    written = json.loads((tmp_path / "evaluation.json").read_text(encoding="utf-8"))
    assert [(why["count"], why["examinations"]) for why in written["design"]["unanswered_why"]] == [(10, 1), (1, 1), (1, 1), (1, 1)]
    assert written["data"]["remarks"][f"{names[0]}_spinal_canal_stenosis_l2_l3"].startswith("marked on a slice that is not there (slice 99")


def test_what_contradicts_itself_is_kept_and_told(spoiled: Path) -> None:
    data = TASK.examples(spoiled)
    summary = check_data(data, "severity", asked=ask(TASK, data, QUICK), doubts=TASK.doubts).summary
    contradicted, exchanged = (flag.text for flag in summary.flags if flag.code == "doubtful")
    assert f"1 case in 1 examination, kept as it is (such as {data[3].id}: series " in contradicted
    assert "is called Sagittal T1, but its header says axial" in contradicted
    assert f"(such as {data[3].id}: subarticular_stenosis L1/L2)" in exchanged


def test_a_collapsed_models_flag_counts_questions(model: Model, data: Examples) -> None:
    asked = TASK.asked(data, QUICK)
    same = Predictions(
        GRADE_NAMES, tuple(q.id for q in asked), tuple(asked.groups()), np.arange(150) % 3, np.tile([0.8, 0.1, 0.1], (1, 150, 1)), np.zeros((1, 150), int)
    )
    flag = collapse(same, 1 / 3, asked.noun)
    assert flag is not None
    assert "for 100% of the questions" in flag.text


def test_an_evaluation_writes_the_submission_of_what_it_judged(model: Model, data: Examples, tmp_path: Path) -> None:
    found = evaluate(TASK, model, data, out=tmp_path, run=Run(), bootstraps=20, explaining=None)
    scored = TASK.score(tmp_path / "submission.csv", data.root)
    assert scored["submission"]["score"] == pytest.approx(found.variant.metrics["rsna_score"].value, abs=1e-9)
    assert scored["rows_scored"] == len(found.variant.predictions.images)


def test_questions_that_were_not_answered_have_the_constant_in_the_submission(model: Model, data: Examples) -> None:
    rows = TASK.asked(data.subset([0]), QUICK)
    results = TASK.predict_many(model, rows, Run())
    silent = [replace(results[0], findings=()), *results[1:]]
    (whole,) = TASK.together(rows, silent)
    assert whole.study == data[0].id
    _, first = question_of_row(rows[0].id)
    lines = dict(line.split(",", 1) for line in TASK.tables(model, [whole])["submission.csv"].splitlines()[1:])
    shares = [float(cell) for cell in lines[rows[0].id].split(",")]
    assert shares == pytest.approx(list(model.record["constant"][first.column].values()))
    told = results[1].finding("severity").probabilities
    assert [float(cell) for cell in lines[rows[1].id].split(",")] == pytest.approx(list(told.values()))


def test_an_evaluation_reports_both_heads_whichever_is_judged(data: Examples, tmp_path: Path) -> None:
    settings = LumbarMriSettings(model="simple-cnn", image_size=48, epochs=1, heads="both", planes="shared", target="condition")
    both = TASK.fit(data, settings, Run())
    found = evaluate(TASK, both, data, out=tmp_path, run=Run(), bootstraps=20, explaining=None)
    assert set(found.heads) == {"condition", "severity"}
    assert found.heads["condition"]["metrics"]["accuracy"] == found.variant.metrics["accuracy"]
    assert found.heads["severity"]["classes"] == GRADE_NAMES
    score = TASK.score(tmp_path / "submission.csv", data.root)["submission"]["score"]
    assert found.heads["severity"]["metrics"]["rsna_score"].value == pytest.approx(score, abs=1e-9)
    titles = [section["title"] for section in found.analysis]
    assert {"Each head", "Each head, part by part", "The condition, by series", "The competition's score"} <= set(titles)
    groups = {(row["fact"], row["value"]) for row in found.heads["condition"]["subgroups"]}
    assert {("condition", "spinal canal stenosis"), ("level", "L5/S1"), ("side", "left"), ("plane", "Axial T2")} <= groups
    validated = json.loads((tmp_path / "evaluation.json").read_text(encoding="utf-8"))
    assert set(validated["heads"]) == {"condition", "severity"}
    assert "Each head" in (tmp_path / "report.html").read_text(encoding="utf-8")
    with (tmp_path / "predictions.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    grade = found.heads["severity"]["metrics"]["accuracy"].value
    assert np.mean([row["severity_truth"] == row["severity_answer"] for row in rows]) == pytest.approx(grade)
    assert {row["answer"] for row in rows} <= set(CONDITIONS)


def test_a_network_with_one_head_has_no_table_of_heads(model: Model) -> None:
    assert TASK.heads(QUICK) == {}
    assert judge_heads(TASK, model, Examples((), Path("nowhere")), [], bootstraps=10) == ()


def test_what_all_networks_remark_is_said_once_and_the_rest_with_its_series() -> None:
    records = {"Axial T2": {"notes": ["of the data", "of its own"]}, "Sagittal T1": {"notes": ["of the data"]}}
    assert _notes(records) == ["of the data", "Axial T2: of its own"]


def test_a_transformer_starts_with_a_smaller_learning_rate() -> None:
    settings = LumbarMriSettings(lr=1e-3)
    assert settings.first_lr == 1e-3
    assert settings.with_overrides({"model": "vit"}).first_lr == pytest.approx(2.5e-4)


def test_a_condition_head_must_be_there_to_be_judged() -> None:
    with pytest.raises(TaskError, match="heads=severity"):
        LumbarMriSettings(target="condition")


@pytest.mark.parametrize("loss", ["weighted", "plain", "ordinal", "coral"])
@pytest.mark.parametrize("heads", ["severity", "both"])
def test_every_loss_learns_what_it_is_shown(loss: str, heads: str) -> None:
    """Logits that are free parameters end up at the labels."""
    import torch

    settings = LumbarMriSettings(loss=loss, heads=heads)
    severity = torch.tensor([0, 1, 2, 0, 1, 2])
    labels = severity if heads == "severity" else torch.stack([torch.tensor([0, 1, 2, 3, 4, 0]), severity], dim=1)
    width = (5 if heads == "both" else 0) + (2 if settings.ordinal else 3)
    logits = torch.zeros(6, width, requires_grad=True)
    criterion, optimizer = GradeLoss(settings), torch.optim.Adam([logits], lr=0.3)
    for _ in range(60):
        optimizer.zero_grad()
        ordered = logits if not settings.ordinal else torch.cat([logits[:, :-2], logits[:, -2:-1] + logits[:, -1:].exp(), logits[:, -2:-1]], dim=1)
        loss_now = criterion(ordered, labels)
        loss_now.backward()
        optimizer.step()
    grades, conditions = shares_of(ordered.detach(), settings)
    assert grades.sum(axis=1) == pytest.approx(1)
    assert grades.argmax(axis=1).tolist() == severity.tolist()
    assert criterion.accuracy(ordered, labels) == 1
    assert conditions.shape == (6, 5 if heads == "both" else 0)


def test_the_papers_augmentation_changes_all_slices_alike() -> None:
    rng = np.random.default_rng(0)
    crop = rng.integers(0, 255, (40, 40), dtype=np.uint8)
    changed = paper(np.repeat(crop[None, None], 3, axis=1).repeat(12, axis=0), rng)
    assert changed.shape == (12, 3, 40, 40)
    assert all(np.array_equal(slices[0], slices[2]) for slices in changed)
    assert any(not np.array_equal(slices[0], crop) for slices in changed)


def test_planes_of_rows_are_those_of_their_marks(data: Examples) -> None:
    for row in TASK.asked(data, QUICK):
        assert plane_of_row(row) == question_of_row(row.id)[1].series


def test_data_without_marks_cannot_be_learnt(folder: Path, tmp_path: Path) -> None:
    for name in ("train.csv", "train_series_descriptions.csv"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    with pytest.raises(InputError, match="marked in a picture"):
        TASK.fit(TASK.examples(tmp_path), QUICK, Run())


def part_of(folder: Path, out: Path, *names: str) -> Examples:
    """Return the data set with these tables alone."""
    for name in names:
        (out / name).write_bytes((folder / name).read_bytes())
    (out / "train_images").symlink_to(folder / "train_images")
    return TASK.examples(out)


def same_answers(a: list, b: list) -> None:
    assert [x.study for x in a] == [y.study for y in b]
    for one, other in zip(a, b, strict=True):
        assert one.finding("severity").probabilities == pytest.approx(other.finding("severity").probabilities, abs=1e-4)


def test_examinations_without_marks_are_answered_where_the_levels_are_found(
    model: Model, data: Examples, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = part_of(folder, tmp_path, "train.csv", "train_series_descriptions.csv").subset([0, 1])
    assert any("6 studies have no coordinates" in note for note in bare.notes)
    marked = {e.id: e.open().facts["places"].value for e in data.subset([0, 1])}
    found = SimpleNamespace(find=lambda study: SimpleNamespace(places=marked[study.id], withheld={}, certainty=0.97, notes=()))
    monkeypatch.setattr(finding, "_finder", lambda model, record: found)
    finds = replace(model, record={**model.record, "levels": {"names": {}}}, kept={})
    heard: list[str] = []
    own = TASK.predict_many(finds, TASK.asked(bare, QUICK), Run(tell=heard.append))
    same_answers(own, TASK.predict_many(model, TASK.asked(data.subset([0, 1]), QUICK), Run()))
    assert all(any("found by the program" in note for note in result.notes) for result in own)
    assert heard == ["2 examinations come without coordinates: their levels are found by the program."]


def test_examinations_without_marks_say_why_a_model_without_a_level_finder_has_no_answer(model: Model, folder: Path, tmp_path: Path) -> None:
    bare = part_of(folder, tmp_path, "train.csv")
    assert any("train_series_descriptions.csv is absent" in note for note in bare.notes)
    with pytest.raises(TaskError, match=r"none of the 2 examinations, .*no level finder"):
        evaluate(TASK, model, bare.subset([0, 1]), out=tmp_path / "out", run=Run(), bootstraps=20)


def test_without_the_table_of_series_the_marks_count_and_headers_tell_the_kinds(model: Model, data: Examples, folder: Path, tmp_path: Path) -> None:
    untold = part_of(folder, tmp_path, "train.csv", "train_label_coordinates.csv")
    assert not any("were left out" in note for note in untold.notes)
    kinds = {p.target.question.finding: p.target.description for p in untold[0].open().facts["places"].value}
    assert kinds == {q.finding: q.series for q in QUESTIONS}
    answers = [TASK.predict_many(model, TASK.asked(some.subset([0]), QUICK), Run()) for some in (untold, data)]
    same_answers(*answers)


def test_what_is_graded_highest_is_explained(model: Model, data: Examples) -> None:
    study = data[0].open()
    maps = TASK.explain(model, study)
    result = TASK.predict(model, study)
    highest = max(result.findings, key=lambda f: f.probabilities["Severe"])
    assert len(maps) == 3
    assert highest.site in maps[0].view
    assert highest.name.replace("_", " ") in maps[0].view
    assert TASK.layers(model, study)


def test_a_question_is_explained_when_it_is_named(model: Model, data: Examples) -> None:
    """Only the three that are most probably severe were explained, and there was no way to ask for another."""
    study = data[0].open()
    least = min(TASK.predict(model, study).findings, key=lambda f: f.probabilities["Severe"])
    how = Explaining(checks=(), questions=(f"{least.site} {least.side or ''} {least.name}",))
    (seen,) = TASK.explain(model, study, how)
    assert f"{least.name.replace('_', ' ')} {least.site}" in seen.view
    assert all(seen.view.startswith(sheet.text.rpartition(". ")[2].rstrip(".")) for sheet in TASK.layers(model, study, how))


def test_the_page_shows_canal_foramina_of_either_side_and_an_axial_slice_of_each_level(model: Model, data: Examples) -> None:
    shown = TASK.shown(model, data[0].open())
    titles = [image.view.value for image in shown.images]
    assert list(dict.fromkeys(title.rpartition(", slice ")[0] for title in titles)) == [
        "Sagittal T2/STIR, canal",
        "Sagittal T1, the patient's right foramina",
        "Sagittal T1, the patient's left foramina",
        *(f"Axial T2, {level}" for level in ("L1/L2", "L2/L3", "L3/L4", "L4/L5", "L5/S1")),
    ]
    assert all(image.axes == "YX" and image.spacing_mm.known and image.affine.known for image in shown.images)
    assert all("enlarged" in image.facts["shown_as"].value for image in shown.images)


def test_a_question_decodes_its_slice_and_the_neighbours_alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    usual = dicom.read_values
    monkeypatch.setattr(dicom, "read_values", lambda header, *rest: read.append(header.name) or usual(header, *rest))
    row = next(row for row in ask(TASK, TASK.examples(folder), QUICK).questions if row.files)
    study = row.open()
    assert read == []
    (place,) = study.facts["places"].value
    series, numbers = series_of(study, place), series_of(study, place).facts["instance_numbers"].value
    around = [index for index in neighbours(series.facts["slice_affines"].value, place.index, 3) if index is not None]
    prepared = TASK.prepare(study, replace(QUICK, slices=3))
    assert sorted(Path(name).stem for name in read) == sorted(str(numbers[index]) for index in around)
    whole = replace(study, images=tuple(replace(image) for image in study.images))
    assert np.array_equal(TASK.prepare(whole, replace(QUICK, slices=3)).pixels, prepared.pixels)


def test_sides_of_a_level_on_two_axial_slices_have_a_picture_each(data: Examples) -> None:
    """The left mark was dropped where it lay on another slice than the right one."""
    study = data[0].open()
    own = [p for p in study.facts["places"].value if p.target.description == "Axial T2" and p.target.question.level == "L3/L4"]
    first, second = own[0], replace(own[1], index=own[0].index + 1)
    numbers = series_of(study, first).facts["instance_numbers"].value
    shown = pictures.shown(study, [first, second])
    assert [image.view.value for image in shown.images] == [f"Axial T2, L3/L4, slice {numbers[place.index]}" for place in (first, second)]


def test_a_foramen_on_another_sagittal_slice_is_drawn_dashed(data: Examples) -> None:
    study = data[0].open()
    side = [p for p in study.facts["places"].value if p.target.question.side == "right" and p.target.description == "Sagittal T1"]
    together = [replace(place, index=side[0].index) for place in side]
    (whole,) = pictures.shown(study, together).images
    (dashed,) = pictures.shown(study, [replace(together[0], index=side[0].index + 1), *together[1:]]).images
    assert whole.view.value == dashed.view.value
    assert "dashed" in dashed.facts["shown_as"].value
    assert "dashed" not in whole.facts["shown_as"].value
    assert not np.array_equal(whole.pixels, dashed.pixels)


def test_the_letters_at_the_edges_are_the_patients(data: Examples) -> None:
    """The same slice stored mirrored is hung the same way and gets the same picture, R at the left edge."""
    study = data[0].open()
    place = next(p for p in study.facts["places"].value if p.target.description == "Axial T2")
    series = series_of(study, place)
    affines = np.array([flip_affine(a, "x", series.pixels.shape[2]) for a in series.facts["slice_affines"].value])
    turned = replace(series, pixels=series.pixels[:, :, ::-1], affine=unknown("turned"), facts={**series.facts, "slice_affines": Fact(affines, "turned")})
    (plain,) = pictures.shown(study, [place]).images
    (other,) = pictures.shown(replace(study, images=(turned,)), [place]).images
    assert np.array_equal(plain.pixels, other.pixels)


def test_letters_are_read_on_white() -> None:
    """White letters on a bright sac could not be read: at least as much dark rim as letter is drawn."""
    white = np.full((60, 120), 255, np.uint8)
    pictures._write(white, "R", (40, 40))
    assert (white < 60).sum() > 60
    black = np.zeros((60, 120), np.uint8)
    pictures._write(black, "R", (40, 40))
    assert (black > 200).sum() > 30


def test_an_enlarged_slice_keeps_its_place_in_the_patient() -> None:
    from spinelab.tasks.lumbar_mri.pictures import _enlarged

    affine = np.array([[0.5, 0, 0, 10], [0, 0.5, 0, 20], [0, 0, 1, 30], [0, 0, 0, 1.0]])
    corner = _enlarged(affine, 2.0) @ [-0.5, -0.5, 0, 1]  # the picture's edge stays where it was
    assert corner == pytest.approx(affine @ [-0.5, -0.5, 0, 1])
    assert _enlarged(affine, 2.0)[0, 0] == 0.25
