"""The task's own tables: scores beside constants, figures by question, the competition's submission and where its questions were asked."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from io import StringIO
from typing import Any, Final

import numpy as np

from spinelab.core import Examples, Finding, Model, Result
from spinelab.evaluation.rsna import COLUMNS, GRADES
from spinelab.evaluation.rsna_submission import submission_text
from spinelab.tasks.lumbar_mri import scores
from spinelab.tasks.lumbar_mri.questions import question_of_row
from spinelab.tasks.lumbar_mri.settings import SEVERITY
from spinelab.tasks.lumbar_mri.tables import COORDINATES_HEADER
from spinelab.tasks.lumbar_mri.targets import GRADE_NAMES, QUESTIONS, TASK_NAME, Question

SUBMISSION: Final = "submission.csv"
COORDINATES: Final = "label_coordinates.csv"


def of_answers(answers: Mapping[str, Any], *, bootstraps: int) -> list[dict[str, Any]]:
    """Return the competition's score beside constants, and the figures by condition, level, side and series."""
    tables = scores.tables_of(answers)
    if not tables:
        return []
    return [
        {
            "title": "The competition's score",
            "text": "Log loss weighted 1, 2, 4 by the true grade; the score is the mean of canal, foramina, recesses and any severe canal. Lower is better. "
            "The constants are made from these very grades, which favours them; intervals resample whole examinations.",
            "table": scores.score_table(tables, bootstraps=bootstraps),
        },
        {
            "title": "By condition, level, side and series",
            "text": "Accuracy is read beside the share of the most frequent grade: most levels of most patients are not narrow.",
            "table": scores.per_question_table(tables, bootstraps=bootstraps),
        },
    ]


def together(examples: Examples, results: Sequence[Result]) -> list[Result]:
    """Return the answers to questions as one result an examination; those to examinations stay as they are."""
    found: dict[str, list[Finding]] = {}
    whole = [result for example, result in zip(examples, results, strict=True) if example.of is None]
    for example, result in zip(examples, results, strict=True):
        if example.of is None:
            continue
        study, question = question_of_row(example.id)
        graded = result.finding(SEVERITY)
        found.setdefault(study, []).append(question.answer(None) if graded is None else question.answer(graded.label, dict(graded.probabilities)))
    return [*whole, *(Result(TASK_NAME, results[0].model, study, findings=tuple(findings)) for study, findings in found.items())]


def submission(model: Model, results: Sequence[Result]) -> dict[str, str]:
    """Return the submission for these results; nothing where none of them has an answer.

    The competition wants every study: one that was refused gets the constant in all its rows, as a question that was withheld does.
    """
    constant = model.record.get("constant")
    if constant is None or not any(finding.probabilities for result in results for finding in result.findings):
        return {}
    return {SUBMISSION: submission_text([result.study for result in results], np.array([_rows(result, constant) for result in results]))}


def coordinates(results: Sequence[Result]) -> dict[str, str]:
    """Return where the questions were asked, in the layout of the competition's table of coordinates; nothing where no answer tells it."""
    rows = [
        (result.study, at.series, at.slice_number, question.title, question.level, f"{at.x:.3f}", f"{at.y:.3f}")
        for result in results
        for question in QUESTIONS
        if (found := _answered(result, question)) is not None and (at := found.place) is not None
    ]
    if not rows:
        return {}
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COORDINATES_HEADER)
    writer.writerows(rows)
    return {COORDINATES: text.getvalue()}


def _answered(result: Result, question: Question) -> Finding | None:
    return result.finding(question.finding, site=question.level, side=question.side)


def _rows(result: Result, constant: Mapping[str, Mapping[str, float]]) -> list[list[float]]:
    """Return the probabilities of the 25 targets."""
    rows = []
    for question, column in zip(QUESTIONS, COLUMNS, strict=True):
        found = _answered(result, question)
        shares = found.probabilities if found is not None else {}
        rows.append([shares[name] for name in GRADE_NAMES] if shares else [constant[column][grade] for grade in GRADES])
    return rows
