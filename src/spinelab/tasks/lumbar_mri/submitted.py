"""The score of a submission file, whoever made it, on grades in either of the competition's layouts."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from spinelab.evaluation.rsna import COLUMNS, RsnaLabels
from spinelab.evaluation.rsna_scoring import rsna_of_submission
from spinelab.evaluation.rsna_solution import SOLUTION, read_solution
from spinelab.io.tables import read_cells
from spinelab.tasks.lumbar_mri import data
from spinelab.tasks.lumbar_mri.tables import GRADES_FILE, STUDY, read_grades

LABELS: Final = f"a CSV such as {GRADES_FILE} (a row a study), the folder that holds it, or {SOLUTION}"


def score(submission: Path, truth: Path) -> dict[str, Any]:
    """Return the competition's score of a submission beside constants.

    ``truth`` is a table in the layout of ``train.csv`` or of the competition's ``solution.csv``, or the folder that holds the first.
    """
    return rsna_of_submission(submission, labels(truth))


def labels(truth: Path) -> RsnaLabels:
    """Read the grades of either layout; a table of any name is wide or long by its columns."""
    if truth.is_dir():
        return data.labels(truth)
    (_, columns), *_ = read_cells(truth, LABELS)
    return read_grades(truth) if STUDY in columns and any(name in columns for name in COLUMNS) else read_solution(truth, expected=LABELS)
