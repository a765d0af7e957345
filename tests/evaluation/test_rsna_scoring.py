"""A submission file against labels: the same figures as the score itself, the constants' own, and files that do not fit together."""

import json
import re

import numpy as np
import pytest

from spinelab.core import InputError
from spinelab.evaluation import RsnaLabels, rsna_baselines, rsna_score, write_submission
from spinelab.evaluation.rsna import COLUMNS, GRADES, SCORES
from spinelab.evaluation.rsna_baselines import CONSTANTS, rsna_constant
from spinelab.evaluation.rsna_scoring import rsna_of_submission
from spinelab.evaluation.rsna_solution import read_solution


def drawn_labels(n=40, seed=0):
    rng = np.random.default_rng(seed)
    grades = rng.choice([0, 1, 2], p=[0.7, 0.2, 0.1], size=(n, 25)).astype(np.int8)
    grades[rng.random(grades.shape) < 0.1] = -1
    return RsnaLabels(tuple(str(1000 + i) for i in range(n)), grades)


@pytest.mark.parametrize("name", CONSTANTS)
def test_a_constant_that_is_handed_in_reaches_what_the_baselines_say(tmp_path, name):
    labels = drawn_labels()
    write_submission(tmp_path / "s.csv", labels.studies, np.broadcast_to(rsna_constant(labels, name), (40, 25, 3)))
    found = rsna_of_submission(tmp_path / "s.csv", labels, bootstraps=50)
    constant = rsna_baselines(labels, bootstraps=50)["baselines"][name]
    for part in SCORES:
        assert found["submission"][part] == pytest.approx(constant[part], abs=1e-12)
        assert found["submission"]["intervals"][part] == pytest.approx(constant["intervals"][part], abs=1e-12)
    assert found["baselines"][name] == constant
    json.dumps(found, allow_nan=False)


def test_an_answer_is_scored_study_by_study_whatever_the_order_of_the_file(tmp_path):
    labels = drawn_labels()
    answers = np.random.default_rng(1).dirichlet([2, 1, 1], size=labels.grades.shape)
    order = np.random.default_rng(2).permutation(40)
    write_submission(tmp_path / "s.csv", [labels.studies[i] for i in order], answers[order])
    lines = (tmp_path / "s.csv").read_text().splitlines()
    (tmp_path / "s.csv").write_text("\n".join([lines[0], *reversed(lines[1:])]))
    found = rsna_of_submission(tmp_path / "s.csv", labels, bootstraps=200)
    assert {part: found["submission"][part] for part in SCORES} == pytest.approx(rsna_score(labels, answers))
    lo, hi = found["submission"]["intervals"]["score"]
    assert lo < found["submission"]["score"] < hi
    best = found["baselines"][found["best_constant"]]["score"]
    assert found["gain"]["value"] == pytest.approx(best - found["submission"]["score"])
    assert found["gain"]["lo"] < found["gain"]["value"] < found["gain"]["hi"]
    assert found["rows_scored"] == (labels.grades >= 0).sum()


def test_a_study_without_any_grade_is_not_scored_and_may_be_left_out(tmp_path):
    labels = drawn_labels()
    grades = labels.grades.copy()
    grades[3] = -1
    labels = RsnaLabels(labels.studies, grades)
    answers = np.random.default_rng(1).dirichlet([2, 1, 1], size=grades.shape)
    write_submission(tmp_path / "all.csv", labels.studies, answers)
    kept = [i for i in range(40) if i != 3]
    write_submission(tmp_path / "graded.csv", [labels.studies[i] for i in kept], answers[kept])
    both = [rsna_of_submission(tmp_path / name, labels, bootstraps=50) for name in ("all.csv", "graded.csv")]
    assert both[0] == both[1]
    assert both[0]["studies_not_graded"] == 1
    assert both[0]["studies"] == 39


def test_files_that_do_not_fit_the_labels_are_refused_by_name(tmp_path):
    labels = drawn_labels(n=4)
    answers = np.full((4, 25, 3), 1 / 3)
    path = tmp_path / "s.csv"

    def refused(words):
        with pytest.raises(InputError, match=words):
            rsna_of_submission(path, labels, bootstraps=10)

    write_submission(path, labels.studies[:3], answers[:3])
    refused(r"1 of 4 graded studies is missing \(1003\)")
    write_submission(path, [*labels.studies, "77"], np.full((5, 25, 3), 1 / 3))
    refused(r"1 of 5 studies is not among the labels \(77\)")
    write_submission(path, labels.studies, answers)
    good = path.read_text()
    row = "1000_spinal_canal_stenosis_l1_l2"
    for cells, words in {
        "-0.1,0.6,0.5": r"1000_spinal_canal_stenosis_l1_l2: probabilities -0.1, 0.6, 0.5",
        "nan,0.5,0.5": "probabilities nan",
        "0.3,0.3,0.3": "add up to 1 within 0.01.*divide every row by its sum",
        "0.3,0.3": "has 3 cells",
        "0.3,0.3,0.4,0": "has 5 cells",
        "low,0.3,0.4": "normal_mild is 'low'",
    }.items():
        path.write_text(re.sub(f"(?m)^{row},.*$", f"{row},{cells}", good))
        refused(words)
    path.write_text(good.replace("row_id,", "id,", 1))
    refused("has the columns id, normal_mild, moderate, severe")
    path.write_text(good.replace("severe\n", "severe,extra\n", 1))
    refused("columns row_id, normal_mild, moderate, severe, extra")
    path.write_text(good + f"{row},1,0,0\n")
    refused("second time")
    path.write_text(good)
    with pytest.raises(InputError, match="without a grade"):
        rsna_of_submission(path, RsnaLabels(labels.studies, np.full((4, 25), -1, np.int8)))


def solution(labels, *, weights=True):
    lines = [",".join(["row_id", *GRADES, *(["sample_weight"] * weights), "Usage"])]
    for study, row in zip(labels.studies, labels.grades, strict=True):
        for column, grade in zip(COLUMNS, row, strict=True):
            told = ["", "", ""] if grade < 0 else [str(int(grade == place)) for place in range(3)]
            lines.append(",".join([f"{study}_{column}", *told, *([str(2**grade) if grade >= 0 else ""] * weights), "Private"]))
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("weights", [True, False])
def test_the_long_table_holds_the_same_grades(tmp_path, weights):
    labels = drawn_labels(n=5)
    (tmp_path / "solution.csv").write_text(solution(labels, weights=weights))
    found = read_solution(tmp_path / "solution.csv")
    assert found.studies == labels.studies
    assert np.array_equal(found.grades, labels.grades)


def test_rows_that_do_not_name_one_grade_or_its_weight_are_refused(tmp_path):
    path = tmp_path / "solution.csv"
    for cells, words in {
        "1,0,1,4": "grades 1, 0, 1",
        "0,0,0,1": "grades 0, 0, 0",
        "0.2,0.8,0,2": "grades 0.2",
        "0,1,0,1": "sample_weight 1 for moderate",
    }.items():
        path.write_text(f"row_id,normal_mild,moderate,severe,sample_weight\n7_{COLUMNS[0]},{cells}\n")
        with pytest.raises(InputError, match=words):
            read_solution(path)
    path.write_text("study,grade\n7,1\n")
    with pytest.raises(InputError, match="columns study, grade"):
        read_solution(path)
