"""The subject table: one ``.xlsx`` with a row a subject, and whatever sheets and column names it happens to have."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from spinelab.core import InputError, counted
from spinelab.tasks.lumbar_xray.annotations import SUBTYPES

_COLUMNS: Final[Mapping[str, frozenset[str]]] = {
    "subject": frozenset(
        {"subject", "subjectid", "subjectno", "subjectnumber", "patient", "patientid", "patientno", "patientnumber", "filename", "file", "image"}
    ),
    "number": frozenset({"id", "no", "number"}),
    "sex": frozenset({"sex", "gender"}),
    "age": frozenset({"age", "ageyears", "ageyear", "ageyr", "ageyrs"}),
    "diagnosis": frozenset({"diagnosis", "diagnosisclass", "diagnostic", "spinaldiagnostic", "disorder", "class", "label", "spondylolisthesis", "subtype"}),
    "spacing": frozenset({"pixelspacing", "pixelspacingmm", "spacing", "spacingmm"}),
}


@dataclass(frozen=True)
class Subject:
    """What the table says about one patient; ``None`` or empty where it says nothing.

    ``diagnoses`` holds subtype names, or ``disordered`` where the table does not say which.
    """

    sex: str | None = None
    age_years: float | None = None
    diagnoses: frozenset[str] = frozenset()
    spacing_mm: tuple[float, float] | None = None


@dataclass(frozen=True)
class SubjectTable:
    """Subjects by number, the name of the file, and sentences about what could not be understood."""

    name: str | None = None
    subjects: Mapping[int, Subject] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def get(self, number: int) -> Subject:
        return self.subjects.get(number, Subject())


def read_subjects(root: Path) -> SubjectTable:
    """Read the one ``.xlsx`` in ``root``; none at all is allowed and noted, several are refused."""
    tables = sorted(p for p in root.iterdir() if p.suffix.lower() == ".xlsx" and not p.name.startswith(("~", ".")))
    if not tables:
        return SubjectTable(notes=("No subject table (.xlsx) was found: sex and age come from the file names, diagnoses from the CSV files alone.",))
    if len(tables) > 1:
        raise InputError(f"{root}: {len(tables)} tables, {', '.join(p.name for p in tables)}", expected="one subject .xlsx", action="keep one of them")
    rows: dict[int, dict[str, Any]] = {}
    misread: list[str] = []
    for sheet, body in _sheets(tables[0]):
        _read_sheet(sheet, body, rows, misread)
    if not rows:
        text = "has no sheet with a column for the subject and one of sex, age, diagnosis or pixel spacing"
        return SubjectTable(tables[0].name, {}, (f"The subject table {tables[0].name} {text}: not used.",))
    notes = [f"The subject table {tables[0].name} has {counted(misread, '[value that was|values that were] not understood.')}"] if misread else []
    return SubjectTable(tables[0].name, {n: Subject(**row) for n, row in rows.items()}, tuple(notes))


def _sheets(path: Path) -> Iterable[tuple[str, list[tuple[Any, ...]]]]:
    import warnings
    import zipfile

    import openpyxl

    try:
        with warnings.catch_warnings():
            # Spreadsheet programs leave styles and extensions that openpyxl warns about and that carry no data.
            warnings.simplefilter("ignore")
            book = openpyxl.load_workbook(path, read_only=True, data_only=True)
            sheets = [(sheet.title, list(sheet.iter_rows(values_only=True))) for sheet in book.worksheets]
            book.close()
    except (OSError, zipfile.BadZipFile, KeyError, ValueError, SyntaxError) as error:
        raise InputError(
            f"{path.name} cannot be read as a workbook ({type(error).__name__})",
            expected="an .xlsx file with a row a subject",
            action="save it again from a spreadsheet program, or remove it",
        ) from error
    return sheets


def _read_sheet(sheet: str, body: list[tuple[Any, ...]], rows: dict[int, dict[str, Any]], misread: list[str]) -> None:
    header = next((i for i, row in enumerate(body[:10]) if len(_columns(row)) >= 2 and "subject" in _columns(row)), None)
    if header is None:
        return
    columns = _columns(body[header])
    # A column of 0 and 1 alone says whether, not which.
    binary = "diagnosis" in columns and {str(row[columns["diagnosis"]]) for row in body[header + 1 :] if len(row) > columns["diagnosis"]} <= {"0", "1", "None"}
    for row in body[header + 1 :]:
        cells = {kind: row[i] for kind, i in columns.items() if i < len(row) and row[i] not in (None, "")}
        match = re.search(r"\d+", str(cells.get("subject", "")))
        if match is None:
            continue
        subject = rows.setdefault(int(match.group()), {})
        for kind, key, parse in (("sex", "sex", _sex), ("age", "age_years", _age), ("diagnosis", "diagnoses", _diagnoses), ("spacing", "spacing_mm", _spacing)):
            if kind not in cells:
                continue
            value = frozenset({"disordered"}) if kind == "diagnosis" and binary and str(cells[kind]) == "1" else parse(cells[kind])
            if value is None:
                misread.append(f"{kind} {cells[kind]!r} of subject {match.group()} (sheet {sheet})")
            else:
                subject[key] = subject.get(key, frozenset()) | value if key == "diagnoses" else value


def _columns(row: tuple[Any, ...]) -> dict[str, int]:
    """Return the position of each known column; of two candidates the first counts."""
    found: dict[str, int] = {}
    for i, cell in enumerate(row):
        plain = re.sub(r"[^a-z]", "", str(cell).lower()) if cell is not None else ""
        for kind, words in _COLUMNS.items():
            if plain in words:
                found.setdefault(kind, i)
    # A plain "No." may only count the rows: it names the subject where no other column does.
    number = found.pop("number", None)
    return found if number is None else {"subject": number, **found}


def _sex(cell: Any) -> str | None:
    return {"f": "F", "female": "F", "woman": "F", "m": "M", "male": "M", "man": "M", "o": "O", "other": "O"}.get(str(cell).strip().lower())


def _age(cell: Any) -> float | None:
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(?:y|yr|yrs|years?)?\s*", str(cell), re.IGNORECASE)
    return float(match.group(1)) if match and float(match.group(1)) <= 130 else None


def _spacing(cell: Any) -> tuple[float, float] | None:
    numbers = [float(n) for n in re.findall(r"\d*\.?\d+", str(cell))]
    if len(numbers) not in (1, 2) or not all(0.001 <= n <= 50 for n in numbers):
        return None
    return numbers[0], numbers[-1]


def _diagnoses(cell: Any) -> frozenset[str] | None:
    """Read a diagnosis as a class number, as words, or as several of them."""
    text = str(cell).strip().lower().replace("-", " ").replace("_", " ")
    if re.fullmatch(r"[0-4](\.0)?", text):
        return frozenset({SUBTYPES[int(float(text))]})
    found = {
        name
        for name, pattern in {
            "left-laterolisthesis": r"left\s*(latero|lateral)",
            "right-laterolisthesis": r"right\s*(latero|lateral)",
            "anterolisthesis": r"antero",
            "retrolisthesis": r"retro",
        }.items()
        if re.search(pattern, text)
    }
    if found:
        return frozenset(found)
    if re.search(r"\b(normal|none|no|negative|healthy)\b", text) and "abnormal" not in text:
        return frozenset({"normal"})
    return frozenset({"disordered"}) if re.search(r"disorder|abnormal|listhesis|positive|yes", text) else None
