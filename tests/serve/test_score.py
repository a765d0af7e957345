"""`spinelab score`: a submission from the command line, held against the baselines of the same labels."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

import spinelab
from spinelab.core import InputError, TaskError
from spinelab.evaluation import write_submission
from spinelab.evaluation.rsna import COLUMNS, SCORES
from spinelab.evaluation.rsna_baselines import rsna_constant
from spinelab.serve.cli import show
from spinelab.serve.cli.app import app
from spinelab.tasks.lumbar_mri import data
from spinelab.tasks.lumbar_mri.targets import GRADE_NAMES


@pytest.fixture
def labelled(tmp_path):
    rng = np.random.default_rng(4)
    names = np.array([*GRADE_NAMES, ""])
    grades = names[rng.choice(4, p=[0.65, 0.2, 0.1, 0.05], size=(30, 25))]
    lines = [",".join(["study_id", *COLUMNS]), *(",".join([str(500 + i), *row]) for i, row in enumerate(grades))]
    folder = tmp_path / "labels"
    folder.mkdir()
    (folder / "train.csv").write_text("\n".join(lines) + "\n")
    return folder


def handed_in(folder, path, name):
    labels = data.labels(folder)
    write_submission(path, labels.studies, np.broadcast_to(rsna_constant(labels, name), (30, 25, 3)))
    return path


@pytest.mark.parametrize("name", ["uniform", "weighted-frequencies-per-condition", "weighted-frequencies-per-column"])
def test_constants_score_what_baselines_says(labelled, tmp_path, name):
    path = handed_in(labelled, tmp_path / "submission.csv", name)
    said = CliRunner().invoke(app, ["score", "lumbar-mri", str(path), "--data", str(labelled), "--json"])
    assert said.exit_code == 0
    found = json.loads(said.stdout)
    assert found["schema"] == "spinelab.rsna-score/1"
    constant = spinelab.baselines("lumbar-mri", labelled)["competition"]["baselines"][name]
    for part in SCORES:
        assert found["submission"][part] == pytest.approx(constant[part], abs=1e-9)
        assert found["submission"]["intervals"][part] == pytest.approx(constant["intervals"][part], abs=1e-9)


def test_the_table_has_the_submission_first_and_says_whether_it_beats_a_constant(labelled, tmp_path):
    path = handed_in(labelled, tmp_path / "submission.csv", "uniform")
    said = CliRunner().invoke(app, ["score", "lumbar-mri", str(path), "--data", str(labelled / "train.csv")]).stdout
    score = spinelab.score("lumbar-mri", path, labelled)["submission"]["score"]
    rows = [line for line in said.splitlines() if line.startswith(("submission", "uniform"))]
    assert rows[0].split()[1] == rows[1].split()[1] == f"{score:.4f}"
    assert "not shown to be better than a constant answer" in said
    labels = data.labels(labelled)
    right = np.full((30, 25, 3), 0.1)
    np.put_along_axis(right, np.maximum(labels.grades, 0)[..., None].astype(int), 0.8, axis=2)
    write_submission(path, labels.studies, right)
    said = CliRunner().invoke(app, ["score", "lumbar-mri", str(path), "--data", str(labelled)]).stdout
    assert "The submission is better than a constant answer" in said


def test_a_solution_scores_the_same(labelled, tmp_path):
    path = handed_in(labelled, tmp_path / "submission.csv", "weighted-frequencies-per-column")
    labels = data.labels(labelled)
    lines = ["row_id,normal_mild,moderate,severe,sample_weight"]
    for study, row in zip(labels.studies, labels.grades, strict=True):
        pairs = zip(COLUMNS, row, strict=True)
        lines += [f"{study}_{column},{int(grade == 0)},{int(grade == 1)},{int(grade == 2)},{2**grade}" for column, grade in pairs if grade >= 0]
    (tmp_path / "solution.csv").write_text("\n".join(lines) + "\n")
    assert spinelab.score("lumbar-mri", path, tmp_path / "solution.csv") == spinelab.score("lumbar-mri", path, labelled)


def test_a_table_with_a_row_a_study_may_have_any_name(labelled, tmp_path):
    path = handed_in(labelled, tmp_path / "submission.csv", "weighted-frequencies-per-column")
    table = tmp_path / "grades of the hospital.csv"
    table.write_text((labelled / "train.csv").read_text())
    assert spinelab.score("lumbar-mri", path, table) == spinelab.score("lumbar-mri", path, labelled)
    header, *rows = table.read_text().splitlines()
    table.write_text("\n".join([header.replace(COLUMNS[-1], "other"), *rows]))
    with pytest.raises(InputError, match=f"no column {COLUMNS[-1]}"):
        spinelab.score("lumbar-mri", path, table)


def test_what_cannot_be_scored_is_refused(labelled, tmp_path):
    path = handed_in(labelled, tmp_path / "submission.csv", "uniform")
    with pytest.raises(TaskError, match="no competition's layout"):
        spinelab.score("images", path, labelled)
    with pytest.raises(InputError, match="does not exist"):
        spinelab.score("lumbar-mri", tmp_path / "none.csv", labelled)
    (tmp_path / "notes.csv").write_text("study,grade\n1,2\n")
    with pytest.raises(InputError, match=r"columns study, grade.*train.csv \(a row a study\)"):
        spinelab.score("lumbar-mri", path, tmp_path / "notes.csv")
    with pytest.raises(InputError, match=r"holds no train.csv"):
        spinelab.score("lumbar-mri", path, tmp_path)


def test_one_study_is_written_in_the_singular(labelled, tmp_path, capsys):
    lines = (labelled / "train.csv").read_text().splitlines()[:2]
    (labelled / "train.csv").write_text("\n".join(lines) + "\n")
    labels = data.labels(labelled)
    path = tmp_path / "submission.csv"
    write_submission(path, labels.studies, np.broadcast_to(rsna_constant(labels, "uniform"), (1, 25, 3)))
    show.score(spinelab.score("lumbar-mri", path, labelled))
    show.baselines(spinelab.baselines("lumbar-mri", labelled))
    said = capsys.readouterr().out
    assert " of 1 study; 95 % intervals" in said
    assert "\n1 examination, " in said
