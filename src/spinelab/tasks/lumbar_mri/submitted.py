"""The score of a submission file, whoever made it, on grades in either of the competition's layouts."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from spinelab.evaluation.rsna import RsnaLabels
from spinelab.evaluation.rsna_scoring import rsna_of_submission
from spinelab.evaluation.rsna_solution import SOLUTION, read_solution
from spinelab.tasks.lumbar_mri import data
from spinelab.tasks.lumbar_mri.tables import GRADES_FILE

LABELS: Final = f"{GRADES_FILE} (a row a study), the folder that holds it, or {SOLUTION}"


def score(submission: Path, truth: Path) -> dict[str, Any]:
    """Return the competition's score of a submission beside constants; ``truth`` is ``train.csv``, its folder, or the competition's ``solution.csv``."""
    return rsna_of_submission(submission, labels(truth))


def labels(truth: Path) -> RsnaLabels:
    """Read the grades of either layout."""
    wide = truth.is_dir() or truth.name == GRADES_FILE
    return data.labels(truth) if wide else read_solution(truth, expected=LABELS)
