"""The competition's submission file: ``row_id,normal_mild,moderate,severe``, one row a study and target."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spinelab.core import InputError, counted
from spinelab.evaluation.resampling import Floats
from spinelab.evaluation.rsna import COLUMNS, GRADES, check_probabilities
from spinelab.evaluation.rsna_rows import HEADER, Row, read_rows

_EXPECTED: Final = f"a CSV with the columns {', '.join(HEADER)}, where row_id is <study>_<condition>_<level>"


def write_submission(path: Path | str, studies: Sequence[str], probabilities: NDArray[Any]) -> None:
    """Write all 25 targets of every study, sorted by row_id; raises what `submission_text` raises."""
    Path(path).write_text(submission_text(studies, probabilities), encoding="utf-8", newline="")


def submission_text(studies: Sequence[str], probabilities: NDArray[Any]) -> str:
    """Return the text of a submission: all 25 targets of every study (n, 25, 3), sorted by row_id.

    Raises
    ------
    InputError
        Another shape, a study that is named twice, or a row that does not add up to 1.
    """
    names = [f"{study}_{column}" for study in studies for column in COLUMNS]
    if np.shape(probabilities) != (len(studies), len(COLUMNS), len(GRADES)):
        raise InputError(f"Probabilities of shape {np.shape(probabilities)}", expected=f"({len(studies)}, 25, 3)", action="predict all 25 targets")
    twice = next((study for study, count in Counter(studies).items() if count > 1), None)
    if twice is not None:
        raise InputError(f"Study {twice} stands there for the second time", expected="every study once", action="remove one")
    rows = check_probabilities(np.reshape(probabilities, (-1, len(GRADES))), names)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADER)
    writer.writerows((names[i], *(repr(float(value)) for value in rows[i])) for i in sorted(range(len(names)), key=names.__getitem__))
    return text.getvalue()


def read_submission(path: Path | str, studies: Sequence[str] | None = None) -> tuple[tuple[str, ...], Floats]:
    """Read a submission file.

    Parameters
    ----------
    studies
        The studies that are expected, in the order that is wanted; without them, those of the file in the order of their first row. Rows of
        others are checked like the rest and left out.

    Returns
    -------
    studies
        n names.
    probabilities
        (n, 25, 3).

    Raises
    ------
    InputError
        Another layout, an unknown or repeated row_id, a target that is missing, or probabilities that do not add up to 1.
    """
    found = read_rows(Path(path), expected=_EXPECTED)
    values = dict(zip(found, check_probabilities(np.array([_numbers(row) for row in found.values()]), tuple(found)), strict=True))
    known = tuple(studies) if studies is not None else tuple(dict.fromkeys(row.study for row in found.values()))
    wanted = [f"{study}_{column}" for study in known for column in COLUMNS]
    absent = [name for name in wanted if name not in found]
    if absent:
        raise InputError(f"{path}: {counted(absent, '[row is|rows are] missing')}", expected="all 25 targets of every study", action="predict them too")
    return known, np.array([values[name] for name in wanted]).reshape(len(known), len(COLUMNS), len(GRADES))


def _numbers(row: Row) -> list[float]:
    return [_number(row.cells[grade], f"{row.where}: {grade}") for grade in GRADES]


def _number(text: str, where: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InputError(f"{where} is {text!r}", expected="a number", action="predict every target, missing ones included") from None
