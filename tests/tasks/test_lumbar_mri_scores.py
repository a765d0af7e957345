"""The tables of `lumbar-mri`: groups of questions by the series on which they were marked, and conditions beside what the series gives away."""

from pathlib import Path

import numpy as np
import pytest

from spinelab import tasks
from spinelab.core import Example, Examples, Fact, Result
from spinelab.evaluation.rsna import COLUMNS, CONDITIONS
from spinelab.evaluation.types import Predictions
from spinelab.tasks.lumbar_mri.targets import DESCRIPTIONS, GRADE_NAMES, QUESTIONS

TASK = tasks.load("lumbar-mri")
STUDIES = 30


def rows(series: dict[str, str]) -> Examples:
    """Return the questions of some studies, marked on the usual series unless ``series`` names another."""
    items = []
    for study in range(STUDIES):
        for question in QUESTIONS:
            name = f"{100 + study}_{question.column}"
            plane = Fact(series.get(name, question.series), "series")
            items.append(Example(name, Result(TASK.name, "readers", name), lambda: None, f"{100 + study}", {}, {"plane": plane}))
    return Examples(tuple(items), Path("somewhere"))


def answers(classes: tuple[str, ...], truth: np.ndarray, shares: np.ndarray) -> Predictions:
    examples = rows({})
    patients = tuple(example.patient for example in examples)
    return Predictions(classes, tuple(e.id for e in examples), patients, truth, shares[None], np.zeros((1, len(truth)), np.int64))


def graded() -> Predictions:
    rng = np.random.default_rng(1)
    count = STUDIES * len(COLUMNS)
    return answers(GRADE_NAMES, rng.choice(3, count, p=[0.7, 0.2, 0.1]), rng.dirichlet([3, 1, 1], count))


def by_group(section: dict) -> dict[tuple[str, str], tuple]:
    return {(row[0], row[1]): row[2:] for row in section["table"]["rows"]}


def test_planes_are_those_of_the_marks_and_not_of_the_conditions() -> None:
    elsewhere = {f"{100 + study}_spinal_canal_stenosis_l5_s1": "Axial T2" for study in range(12)}
    found = by_group(TASK.sections(rows(elsewhere), {"m": graded()}, bootstraps=200)[1])
    assert found["plane", "Axial T2"][0] == 10 * STUDIES + 12
    assert found["plane", "Sagittal T2/STIR"][0] == 5 * STUDIES - 12
    assert found["plane", "Axial T2"][-1] != found["condition", "subarticular stenosis"][-1]
    usual = by_group(TASK.sections(rows({}), {"m": graded()}, bootstraps=200)[1])
    assert usual["plane", "Axial T2"] == usual["condition", "subarticular stenosis"]


def test_the_loss_of_every_group_has_an_interval_over_examinations() -> None:
    predictions = graded()
    found = by_group(TASK.sections(rows({}), {"m": predictions}, bootstraps=200)[1])
    weights = np.array([1.0, 2.0, 4.0])[predictions.truth]
    losses = -np.log(predictions.probabilities[0, np.arange(len(weights)), predictions.truth]) * weights
    own = np.array([e.id.endswith("l4_l5") for e in rows({})])
    assert found["level", "L4/L5"][-1].startswith(f"{losses[own].sum() / weights[own].sum():.3f} (")
    assert len(found) == 3 + 5 + 3 + 3
    assert all(" to " in row[-1] for row in found.values())


def test_the_section_and_the_ranking_give_one_interval_for_one_figure() -> None:
    examples, predictions = rows({}), graded()
    judged = TASK.judge(examples, predictions, bootstraps=700)
    loss = judged.metrics["weighted_log_loss"]
    table = TASK.sections(examples, {"m": predictions}, bootstraps=700)[0]["table"]
    found = dict(zip(table["columns"], table["rows"][0], strict=True))
    assert found["weighted log loss, all questions"] == f"{loss.value:.3f} ({loss.lo:.3f} to {loss.hi:.3f})"


def test_a_condition_head_is_read_beside_what_the_series_gives_away() -> None:
    """One that knows the series alone, and answers left for everything that has sides."""
    truth = np.array([q.condition for _ in range(STUDIES) for q in QUESTIONS], dtype=np.int64)
    said = np.select([truth == 2, truth == 4], [1, 3], truth)
    (section,) = TASK.sections(rows({}), {"series alone": answers(CONDITIONS, truth, np.eye(5)[said])}, bootstraps=200)
    found = {row[0]: row[1:] for row in section["table"]["rows"]}
    assert list(found) == ["all", *DESCRIPTIONS]
    assert [float(row[2]) for row in found.values()] == pytest.approx([0.6, 0.5, 1.0, 0.5])
    assert [float(row[3].split()[0]) for row in found.values()] == pytest.approx([0.6, 0.5, 1.0, 0.5])
    assert found["Sagittal T1"][:2] == (10 * STUDIES, 2)
