"""Disc gradings of the SPIDER collection (van der Graaf JW et al., Sci Data 2024;11:264): one row a patient and disc, read into findings and levels."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Final

from spinelab.core import Finding, InputError, Result, noted
from spinelab.tasks.lumbar_mri.tables import rows_of

COLUMNS: Final = {
    "Modic": ("modic", range(4)),
    "UP endplate": ("upper endplate change", range(2)),
    "LOW endplate": ("lower endplate change", range(2)),
    "Spondylolisthesis": ("spondylolisthesis", range(2)),
    "Disc herniation": ("disc herniation", range(2)),
    "Disc narrowing": ("disc narrowing", range(2)),
    "Disc bulging": ("disc bulging", range(2)),
    "Pfirrman grade": ("pfirrmann", range(1, 6)),
}
"""Name of the finding and the grades that a column may hold; the file's own spelling of Pfirrmann."""
DISCS: Final = ("L5/S1", "L4/L5", "L3/L4", "L2/L3", "L1/L2", "T12/L1", "T11/T12", "T10/T11", "T9/T10")
"""Discs 1 .. 9 of the file, counted from the sacrum upwards, named as if there were five lumbar vertebrae."""
_YES_NO: Final = ("absent", "present")
_TITLE: Final = "lumbar-mri"


def read_gradings(path: Path | str) -> tuple[list[Result], list[str]]:
    """Read the gradings of every patient.

    Returns
    -------
    results
        One a patient: a finding a grading, with the disc as its site. Modic is ``0`` .. ``3``, Pfirrmann ``1`` .. ``5``, the rest ``absent`` or ``present``.
    notes
        What was left out: discs numbered outside 1 .. 9, empty cells.

    Raises
    ------
    InputError
        Another layout, a disc in two rows, or a grade that its column does not have.
    """
    path = Path(path)
    by_patient: dict[str, dict[str, list[Finding]]] = defaultdict(dict)
    left_out, empty = [], []
    needed = ("Patient", "IVD label", *COLUMNS)
    for line, row in rows_of(path, needed, expected=f"a CSV with {', '.join(needed)}"):
        patient, disc = row["Patient"], row["IVD label"]
        if not disc.isdigit() or not 1 <= int(disc) <= len(DISCS):
            left_out.append(f"line {line}: disc {disc}")
            continue
        site = DISCS[int(disc) - 1]
        if site in by_patient[patient]:
            raise InputError(
                f"{path} line {line}: disc {disc} of patient {patient} stands there for the second time", expected="one row a disc", action="remove one"
            )
        findings = [_finding(path, line, column, row[column], site) for column in COLUMNS]
        empty += [f"line {line}" for finding in findings if finding is None]
        by_patient[patient][site] = [finding for finding in findings if finding is not None]
    results = [_result(patient, discs) for patient, discs in by_patient.items()]
    notes = noted(left_out, "[row names no disc between 1 (L5/S1) and 9 and was|rows name no disc between 1 (L5/S1) and 9 and were] left out")
    notes += noted(empty, "[grading is|gradings are] empty")
    return results, [*notes, "Discs are counted from the sacrum: with four or six lumbar vertebrae their names are one off"]


def _result(patient: str, discs: dict[str, list[Finding]]) -> Result:
    ordered = [finding for site in reversed(DISCS) for finding in discs.get(site, ())]
    return Result(_TITLE, "readers", patient, findings=tuple(ordered))


def _finding(path: Path, line: int, column: str, text: str, site: str) -> Finding | None:
    name, allowed = COLUMNS[column]
    if not text:
        return None
    if not text.isdigit() or int(text) not in allowed:
        raise InputError(f"{path} line {line}: {column} is {text!r}", expected=f"{allowed.start} to {allowed.stop - 1}", action="correct the table")
    return Finding(name, _YES_NO[int(text)] if len(allowed) == 2 else text, site=site)
