"""The competition's score against scikit-learn, a plain computation, the public counts of the training labels, and laws."""

import csv
import json
import math

import numpy as np
import pytest
from sklearn.metrics import log_loss

from spinelab.core import InputError
from spinelab.evaluation import RsnaLabels, read_submission, rsna_baselines, rsna_distributions, rsna_score, write_submission
from spinelab.evaluation.rsna import COLUMNS, GRADES
from spinelab.evaluation.rsna_baselines import rsna_constant

# Grades a column (normal/mild, moderate, severe) of the public training labels: facts published in several analyses of the competition.
PUBLIC = {
    "spinal_canal_stenosis": [(1886, 67, 21), (1770, 151, 53), (1622, 230, 122), (1482, 237, 255), (1904, 51, 19)],
    "left_neural_foraminal_narrowing": [(1908, 63, 2), (1791, 171, 11), (1522, 411, 40), (1204, 629, 140), (1247, 520, 206)],
    "right_neural_foraminal_narrowing": [(1891, 63, 13), (1793, 168, 6), (1512, 414, 41), (1208, 629, 130), (1281, 496, 190)],
    "left_subarticular_stenosis": [(1690, 93, 28), (1555, 255, 83), (1324, 454, 194), (887, 624, 461), (1408, 409, 147)],
    "right_subarticular_stenosis": [(1680, 110, 24), (1577, 243, 73), (1322, 454, 197), (891, 622, 460), (1399, 396, 173)],
}


def drawn_labels(n=60, seed=0, missing=0.1):
    rng = np.random.default_rng(seed)
    grades = rng.choice([0, 1, 2], p=[0.7, 0.2, 0.1], size=(n, 25)).astype(np.int8)
    grades[rng.random(grades.shape) < missing] = -1
    return RsnaLabels(tuple(str(1000 + i) for i in range(n)), grades)


def drawn_answers(labels, seed=1):
    return np.random.default_rng(seed).dirichlet([2, 1, 1], size=labels.grades.shape)


def plain_score(labels, answers):
    """The definition, row by row, with nothing but the standard library."""
    weight_of = {0: 1, 1: 2, 2: 4}
    sums = {name: [0.0, 0.0] for name in ("spinal", "foraminal", "subarticular", "any")}
    for study, grades in enumerate(labels.grades.tolist()):
        canal = []
        for place, column in enumerate(COLUMNS):
            if grades[place] == -1:
                continue
            group = next(name for name in sums if name in column)
            sums[group][0] -= weight_of[grades[place]] * math.log(answers[study][place][grades[place]])
            sums[group][1] += weight_of[grades[place]]
            if group == "spinal":
                canal.append((grades[place], answers[study][place][2]))
        if canal:
            severe, weight, chance = any(g == 2 for g, _ in canal), max(weight_of[g] for g, _ in canal), max(p for _, p in canal)
            sums["any"][0] -= weight * math.log(chance if severe else 1 - chance)
            sums["any"][1] += weight
    parts = [loss / weight for loss, weight in sums.values()]
    return [sum(parts) / 4, *parts]


def test_the_score_is_the_plain_computation():
    for seed in range(3):
        labels = drawn_labels(seed=seed)
        answers = drawn_answers(labels, seed + 10)
        assert list(rsna_score(labels, answers).values()) == pytest.approx(plain_score(labels, answers.tolist()), rel=1e-12)


def test_the_parts_are_scikit_learns_log_loss():
    labels = drawn_labels()
    answers = drawn_answers(labels)
    found = rsna_score(labels, answers)
    for name, columns in {"spinal": range(5), "foraminal": range(5, 15), "subarticular": range(15, 25)}.items():
        grades, rows = labels.grades[:, columns], answers[:, columns]
        scored = grades >= 0
        weights = 2.0 ** grades[scored]
        assert found[name] == pytest.approx(log_loss(grades[scored], rows[scored], sample_weight=weights, labels=[0, 1, 2]), rel=1e-12)
    canal = np.where(labels.grades[:, :5] >= 0, labels.grades[:, :5], -1)
    chance = np.where(canal >= 0, answers[:, :5, 2], 0).max(axis=1)
    expected = log_loss(canal.max(axis=1) == 2, chance, sample_weight=2.0 ** canal.max(axis=1))
    assert found["any_severe_spinal"] == pytest.approx(expected, rel=1e-12)


def public_labels():
    """Labels with the public counts in every column; which study has which is drawn, so only *any severe* is not the real one's."""
    rng = np.random.default_rng(3)
    columns = []
    for counts in (row for rows in PUBLIC.values() for row in rows):
        column = np.repeat([0, 1, 2, -1], [*counts, 1975 - sum(counts)])
        rng.shuffle(column)
        columns.append(column)
    return RsnaLabels(tuple(map(str, range(1975))), np.stack(columns, axis=1).astype(np.int8))


def test_the_published_constants_follow_from_the_public_counts():
    """.9994 fixes the weight of severe studies in the fourth part, and with it .9108 must follow for a constant pooled per condition."""
    found = rsna_baselines(public_labels(), bootstraps=20)["baselines"]
    uniform, pooled, columns = (found[name] for name in ("uniform", "weighted-frequencies-per-condition", "weighted-frequencies-per-column"))
    assert [uniform["spinal"], uniform["foraminal"], uniform["subarticular"]] == pytest.approx([math.log(3)] * 3)
    any_uniform = 4 * 0.9994 - 3 * math.log(3)
    severe_share = (any_uniform - math.log(1.5)) / (math.log(3) - math.log(1.5))
    chance = pooled["probabilities"]["spinal_canal_stenosis_l1_l2"]["severe"]
    any_pooled = -severe_share * math.log(chance) - (1 - severe_share) * math.log(1 - chance)
    assert (pooled["spinal"] + pooled["foraminal"] + pooled["subarticular"] + any_pooled) / 4 == pytest.approx(0.9108, abs=1.5e-4)
    # What is left of .7897 for the fourth part is a log loss that a study-wise maximum can reach.
    assert [columns["spinal"], columns["foraminal"], columns["subarticular"]] == pytest.approx([0.70625, 0.80371, 0.95084], abs=1e-5)
    assert 0.6 < 4 * 0.7897 - columns["spinal"] - columns["foraminal"] - columns["subarticular"] < 0.75


def test_a_constant_of_weighted_frequencies_cannot_be_bettered_in_its_pool():
    labels = drawn_labels()
    rng = np.random.default_rng(0)
    for name in ("weighted-frequencies-per-condition", "weighted-frequencies-per-condition-and-side", "weighted-frequencies-per-column"):
        best = rsna_constant(labels, name)
        score = rsna_score(labels, np.broadcast_to(best, (60, 25, 3)))
        for _ in range(10):
            other = best * np.exp(rng.normal(0, 0.1, 3))
            other /= other.sum(axis=1, keepdims=True)
            moved = rsna_score(labels, np.broadcast_to(other, (60, 25, 3)))
            assert all(moved[part] > score[part] for part in ("spinal", "foraminal", "subarticular"))


def test_baselines_are_json_and_name_what_to_beat():
    labels = drawn_labels(n=40)
    found = json.loads(json.dumps(rsna_baselines(labels, bootstraps=100), allow_nan=False))
    assert found["rows_scored"] + found["rows_without_grade"] == 1000
    assert found["baselines"][found["best_constant"]]["score"] == min(row["score"] for row in found["baselines"].values())
    assert sum(found["counts"]["left_subarticular_stenosis_l4_l5"].values()) == (labels.grades[:, 18] >= 0).sum()
    for row in found["baselines"].values():
        lo, hi = row["intervals"]["score"]
        assert lo < row["score"] < hi
    assert RsnaLabels(labels.studies, np.full((40, 25), -1, np.int8)).grades.max() == -1
    empty = rsna_baselines(RsnaLabels(labels.studies, np.full((40, 25), -1, np.int8)), bootstraps=10)
    assert empty["best_constant"] is None
    assert empty["baselines"]["uniform"]["score"] is None


def test_laws():
    labels = drawn_labels(n=30)
    answers = drawn_answers(labels)
    score = rsna_score(labels, answers)
    order = np.random.default_rng(5).permutation(30)
    assert rsna_score(RsnaLabels(tuple(labels.studies[i] for i in order), labels.grades[order]), answers[order]) == pytest.approx(score)
    unscored = answers.copy()
    unscored[labels.grades < 0] = np.nan
    assert rsna_score(labels, unscored) == score
    swapped = np.concatenate([labels.grades[:, :5], labels.grades[:, 10:15], labels.grades[:, 5:10], labels.grades[:, 20:], labels.grades[:, 15:20]], axis=1)
    mirrored = np.concatenate([answers[:, :5], answers[:, 10:15], answers[:, 5:10], answers[:, 20:], answers[:, 15:20]], axis=1)
    assert rsna_score(RsnaLabels(labels.studies, swapped), mirrored) == pytest.approx(score)
    certain = np.eye(3)[np.maximum(labels.grades, 0)]
    assert rsna_score(labels, certain)["score"] == pytest.approx(0, abs=1e-14)
    wrong = np.eye(3)[(np.maximum(labels.grades, 0) + 1) % 3]
    assert rsna_score(labels, wrong)["spinal"] == pytest.approx(-math.log(np.finfo(float).eps))


def test_intervals_resample_whole_studies():
    labels = drawn_labels(n=80)
    answers = drawn_answers(labels)
    found = rsna_distributions(labels, answers, bootstraps=400)
    assert {name: distribution.value for name, distribution in found.items()} == pytest.approx(rsna_score(labels, answers))
    estimate = found["score"].estimate()
    assert estimate.lo < estimate.value < estimate.hi
    rng = np.random.default_rng(9)
    plain = []
    for _ in range(400):
        drawn = rng.integers(0, 80, 80)
        again = RsnaLabels(tuple(map(str, range(80))), labels.grades[drawn])
        plain.append(rsna_score(again, answers[drawn])["score"])
    assert found["score"].samples.std() == pytest.approx(np.std(plain), rel=0.15)
    pairs = rsna_distributions(labels, answers, patients=[str(i // 2) for i in range(80)], bootstraps=50)
    assert pairs["score"].patients == 40


@pytest.mark.parametrize("row", [[0.5, 0.5, 0.5], [0.2, 0.2, 0.2], [1.2, -0.1, -0.1], [np.nan, 0.5, 0.5], [np.inf, 0, 0]])
def test_wrong_probabilities_are_refused_by_name(row):
    labels = drawn_labels(n=3, missing=0)
    answers = drawn_answers(labels)
    answers[1, 7] = row
    with pytest.raises(InputError, match="1001_left_neural_foraminal_narrowing_l3_l4"):
        rsna_score(labels, answers)


def test_thirds_to_three_places_are_the_uniform_answer():
    labels = drawn_labels()
    found = rsna_score(labels, np.full((60, 25, 3), 0.333))
    assert found["spinal"] == pytest.approx(math.log(3))


def test_labels_are_checked():
    with pytest.raises(InputError, match="two rows"):
        RsnaLabels(("1", "1"), np.zeros((2, 25), np.int8))
    with pytest.raises(InputError, match="shape"):
        RsnaLabels(("1",), np.zeros((1, 24), np.int8))
    with pytest.raises(InputError, match="grade other"):
        RsnaLabels(("1",), np.full((1, 25), 3, np.int8))
    with pytest.raises(InputError, match="all 25"):
        rsna_score(drawn_labels(), np.zeros((60, 24, 3)))


def test_submission_there_and_back(tmp_path):
    labels = drawn_labels(n=4)
    answers = drawn_answers(labels)
    path = tmp_path / "submission.csv"
    write_submission(path, labels.studies, answers)
    rows = list(csv.reader(path.read_text().splitlines()))
    assert tuple(rows[0]) == ("row_id", *GRADES)
    assert [row[0] for row in rows[1:]] == sorted(f"{s}_{c}" for s in labels.studies for c in COLUMNS)
    studies, back = read_submission(path, labels.studies)
    assert studies == labels.studies
    assert np.array_equal(back, answers)
    assert set(read_submission(path)[0]) == set(labels.studies)


def test_submissions_that_cannot_be_used(tmp_path):
    path = tmp_path / "s.csv"
    good = [f"7_{column},0.2,0.3,0.5" for column in COLUMNS]

    def refused(lines, words, header="row_id,normal_mild,moderate,severe"):
        path.write_text("\n".join([header, *lines]) + "\n")
        with pytest.raises(InputError, match=words):
            read_submission(path)

    refused(good[:-1], "1 row.* missing.*7_right_subarticular_stenosis_l5_s1")
    refused([*good, good[0]], "second time")
    refused([*good[:-1], "7_right_subarticular_stenosis_l5_s1,0.2,0.3,0.7"], "add up to 1")
    refused([*good[:-1], "7_right_subarticular_stenosis_l5_s1,0.2,,0.8"], "moderate is ''")
    refused([*good, "7_hip_l1_l2,1,0,0"], "row_id '7_hip_l1_l2'")
    refused(good, "columns", header="row,normal_mild,moderate,severe")
    refused([], "no rows")
    with pytest.raises(InputError, match="cannot be read"):
        read_submission(tmp_path / "none.csv")
    with pytest.raises(InputError, match="add up to 1"):
        write_submission(path, ["7"], np.full((1, 25, 3), 0.5))
    with pytest.raises(InputError, match="Study 7 stands there for the second time"):
        write_submission(path, ["7", "7"], np.full((2, 25, 3), 1 / 3))
