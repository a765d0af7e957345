"""The competition's own table of true grades, a row a study and target: ``row_id``, 1 in the column of the true grade, ``sample_weight``."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from spinelab.core import InputError
from spinelab.evaluation.rsna import COLUMNS, GRADE_WEIGHTS, GRADES, RsnaLabels
from spinelab.evaluation.rsna_rows import HEADER, Row, read_rows

WEIGHT: Final = "sample_weight"
SOLUTION: Final = (
    f"a CSV with the columns {', '.join(HEADER)} and, if wished, {WEIGHT}: 1 in the column of the true grade, 0 in the others, blank where not graded"
)


def read_solution(path: Path | str, *, expected: str = SOLUTION) -> RsnaLabels:
    """Read true grades in the long form; targets without a row, and rows whose grades are blank, are not graded. Columns beside these are not looked at.

    Raises
    ------
    InputError
        Another layout (``expected`` says what was looked for), a row that does not name one grade, or a weight other than that of the grade: 1, 2, 4.
    """
    rows = read_rows(Path(path), expected=expected, more=None)
    studies = tuple(dict.fromkeys(row.study for row in rows.values()))
    place = {study: i for i, study in enumerate(studies)}
    grades = np.full((len(studies), len(COLUMNS)), -1, dtype=np.int8)
    for row in rows.values():
        grades[place[row.study], COLUMNS.index(row.column)] = _grade(row)
    return RsnaLabels(studies, grades)


def _grade(row: Row) -> int:
    """Return the place of the true grade, -1 where none is given."""
    told = [row.cells[grade] for grade in GRADES]
    if not any(told):
        return -1
    values = [_number(text) for text in told]
    if sorted(value for value in values if value is not None) != [0, 0, 1]:
        raise InputError(
            f"{row.where}: grades {', '.join(told)}", expected="1 in one column and 0 in the two others, or three blank cells", action="correct the row"
        )
    grade = values.index(1)
    weight = row.cells.get(WEIGHT, "")
    if weight and _number(weight) != GRADE_WEIGHTS[grade]:
        raise InputError(
            f"{row.where}: {WEIGHT} {weight} for {GRADES[grade]}",
            expected=f"{GRADE_WEIGHTS[grade]:g}: the competition weighs the grades 1, 2 and 4",
            action="correct the weight, or leave that column out",
        )
    return grade


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
