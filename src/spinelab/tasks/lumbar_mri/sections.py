"""The task's own tables: scores beside constants, figures by question, the competition's submission."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any, Final

from spinelab.core import Model, Result
from spinelab.evaluation.rsna import COLUMNS, GRADES
from spinelab.evaluation.rsna_submission import HEADER
from spinelab.tasks.lumbar_mri import scores
from spinelab.tasks.lumbar_mri.targets import GRADE_NAMES, QUESTIONS

SUBMISSION: Final = "submission.csv"


def of_answers(answers: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the competition's score beside constants, and the figures by condition, level, side and series."""
    tables = scores.tables_of(answers)
    if not tables:
        return []
    return [
        {
            "title": "The competition's score",
            "text": "Log loss weighted 1, 2, 4 by the true grade; the score is the mean of canal, foramina, recesses and any severe canal. Lower is better. "
            "The constants are made from these very grades, which favours them; intervals resample whole examinations.",
            "table": scores.score_table(tables),
        },
        {
            "title": "By condition, level, side and series",
            "text": "Accuracy is read beside the share of the most frequent grade: most levels of most patients are not narrow.",
            "table": scores.per_question_table(tables),
        },
    ]


def submission(model: Model, results: Sequence[Result]) -> dict[str, str]:
    """Return the submission for these results; nothing where none of them has an answer."""
    constant = model.record.get("constant")
    answered = [r for r in results if any(f.probabilities for f in r.findings)]
    if constant is None or not answered:
        return {}
    rows = sorted(row for result in answered for row in _rows(result, constant))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADER)
    writer.writerows(rows)
    return {SUBMISSION: text.getvalue()}


def _rows(result: Result, constant: Mapping[str, Mapping[str, float]]) -> list[tuple[Any, ...]]:
    rows = []
    for question, column in zip(QUESTIONS, COLUMNS, strict=True):
        found = result.finding(question.finding, site=question.level, side=question.side)
        shares = found.probabilities if found is not None else {}
        values = [shares[name] for name in GRADE_NAMES] if shares else [constant[column][grade] for grade in GRADES]
        rows.append((f"{result.study}_{column}", *(repr(float(value)) for value in values)))
    return rows
