"""Labelled pictures of any kind: a folder per class, or a manifest CSV, to examples with a finding ``label``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from spinelab import io
from spinelab.core import Example, Examples, Fact, Finding, InputError, Result, Study, noted
from spinelab.io.tables import Row, age_of, read_rows, sex_of
from spinelab.phantoms import is_phantom

TARGET: Final = "label"
MANIFEST: Final = "manifest.csv"
REQUIRED: Final = ("path", "label")
OPTIONAL: Final = ("patient", "view", "sex", "age", "site", "region")
HEALTHY: Final = frozenset({"normal", "healthy", "negative", "control", "controls", "none", "no", "absent", "below", "benign", "standard", "0", "false"})
"""Labels that are the negative class when the other one is not among them."""
_LAYOUT: Final = "a folder per class with images inside, or a manifest CSV with the columns path, patient, label (and optionally view, sex, age, site, region)"


def examples(root: Path) -> Examples:
    """Read a manifest CSV, a folder that holds ``manifest.csv``, or a folder per class.

    Raises
    ------
    InputError
        If there is no such path, it is neither of these, or a row of the manifest cannot be used.
    """
    root = Path(root)
    if not root.exists():
        raise InputError(f"{root} does not exist", expected=_LAYOUT, action="check the path")
    if root.is_file():
        return _from_manifest(root)
    if (root / MANIFEST).is_file():
        return _from_manifest(root / MANIFEST)
    return _from_folders(root)


def _from_manifest(path: Path) -> Examples:
    rows = _rows(path)
    items = [_from_row(path.parent, number, row) for number, row in rows]
    _check_unique(path, items)
    _check_patients(path, rows)
    missing = [str(e.files[""]) for e in items if not e.files[""].is_file()]
    if missing:
        raise InputError(
            f"{path}: {len(missing)} of {len(items)} files do not exist, such as {missing[0]}",
            expected="paths relative to the manifest's own folder",
            action="correct the path column or bring the files",
        )
    return Examples(tuple(items), path.parent, phantom=is_phantom(path.parent))


def _rows(path: Path) -> list[tuple[int, Row]]:
    """Return the manifest's rows with their line numbers, after checking its columns."""
    rows = read_rows(path, REQUIRED, OPTIONAL, f"a CSV with the columns {', '.join((*REQUIRED, *OPTIONAL))} (the first two are needed)", film="path")
    for column in REQUIRED:
        blank = [number for number, row in rows if not row[column]]
        if blank:
            raise InputError(
                f"{path}: no {column} in line {blank[0]} ({len(blank)} such)", expected=f"a {column} in every row", action="fill it in, or leave the row out"
            )
    return rows


def _from_row(folder: Path, number: int, row: Row) -> Example:
    file, where = folder / row["path"], f"Manifest line {number}"
    facts = {}
    if "sex" in row:
        facts["sex"] = _stated(sex_of(row["sex"], where), "sex")
    if "age" in row:
        facts["age_years"] = _stated(age_of(row["age"], where, "age"), "age")
    for name in ("site", "view", "region"):
        if name in row:
            facts[name] = Fact(row[name] or None, f"manifest column {name}")
    return _example(row["path"], file, row["label"], row.get("patient") or None, facts)


def _stated(value: float | str | None, column: str) -> Fact:
    return Fact(value, f"manifest column {column}" + (" is blank" if value is None else ""))


def _check_unique(path: Path, items: Sequence[Example]) -> None:
    """Refuse a file that stands in two rows, however its path is written."""
    seen: dict[Path, str] = {}
    for example in items:
        file = example.files[""].resolve()
        if file in seen:
            raise InputError(f"{path}: {example.id} stands in two rows", expected="one row an image", action="leave one of the rows out")
        seen[file] = example.id


def _check_patients(path: Path, rows: Sequence[tuple[int, Row]]) -> None:
    if "patient" not in rows[0][1]:
        return
    blank = [number for number, row in rows if not row["patient"]]
    if blank and len(blank) < len(rows):
        raise InputError(
            f"{path}: no patient in line {blank[0]} ({len(blank)} such)",
            expected="a patient in every row, or no patient column at all",
            action="fill it in: without it, films of one patient could stand on both sides of a split",
        )


def _from_folders(root: Path) -> Examples:
    top, notes = _class_folders_in(root)
    classes = sorted(p for p in top.iterdir() if p.is_dir() and not p.name.startswith("."))
    items: list[Example] = []
    for folder in classes:
        found, others = _images_below(folder)
        told = noted([f.name for f in others], "[file is not an image by its name and was|files are not images by their names and were] left out.")
        notes += [f"{folder.name}: {note}" for note in told]
        if not found:
            raise InputError(f"{folder} holds no images", expected=_LAYOUT, action="put images there, or remove the folder if it is not a class")
        items += [_example(str(f.relative_to(top)), f, folder.name, _dicom_patient(f), {}) for f in found]
    stray = [p for p in top.iterdir() if p.is_file() and p.suffix.lower() in io.IMAGE_SUFFIXES]
    notes += noted([f.name for f in stray], "[image lies outside any class folder and was|images lie outside any class folder and were] left out.")
    return Examples(tuple(items), root, phantom=is_phantom(root), notes=tuple(notes))


def _class_folders_in(root: Path) -> tuple[Path, list[str]]:
    """Return the folder whose subfolders are the classes: the root, or the only folder below it that holds several."""
    top, notes = root, []
    try:
        while len(inside := [p for p in top.iterdir() if p.is_dir() and not p.name.startswith(".")]) == 1 and any(p.is_dir() for p in inside[0].iterdir()):
            top = inside[0]
            notes = [f"The classes are the folders in {top.relative_to(root)}."]
    except PermissionError as error:
        raise InputError(f"{error.filename} cannot be opened", expected="a folder that may be read", action="change its permissions") from error
    if not inside:
        raise InputError(
            f"{root} holds no class folders and no {MANIFEST}", expected=_LAYOUT, action="sort the images into a folder per class, or write a manifest"
        )
    return top, notes


def _images_below(folder: Path) -> tuple[list[Path], list[Path]]:
    """Return image files at any depth, and other files; files without a suffix are taken for DICOM."""
    if not _readable(folder):
        raise InputError(f"{folder} cannot be opened", expected="a folder that may be read", action="change its permissions")
    files = sorted(p for p in folder.rglob("*") if p.is_file() and not p.name.startswith("."))
    images = [p for p in files if p.suffix.lower() in io.IMAGE_SUFFIXES or not p.suffix]
    return images, sorted(set(files) - set(images))


def _readable(folder: Path) -> bool:
    try:
        return any(folder.iterdir()) or True
    except PermissionError:
        return False


def _dicom_patient(file: Path) -> str | None:
    """Return the patient that a DICOM header names; other formats name none."""
    if file.suffix.lower() not in (".dcm", ".dicom", ""):
        return None
    patient = io.read(file).patient.value
    return str(patient) if patient else None


def _example(name: str, file: Path, label: str, patient: str | None, facts: Mapping[str, Fact]) -> Example:
    truth = Result("images", "reader", name, findings=(Finding(TARGET, label),))
    return Example(name, truth, partial(open_file, file, name, patient, dict(facts)), patient, {"": file}, facts)


def open_file(file: Path, name: str, patient: str | None, facts: Mapping[str, Fact]) -> Study:
    """Return the study in one image file, with the facts that the data set states about it."""
    image = io.read_image(file)
    who = Fact(patient, "data set") if patient is not None else Fact(None, "the data set names no patients")
    known: dict[str, Any] = {k: facts[k] for k in ("sex", "age_years") if k in facts}
    return Study(name, images=(image,), patient=who, facts={k: v for k, v in facts.items() if k not in known}, **known)


def positive_of(names: Sequence[str], counts: Mapping[str, int]) -> str:
    """Return which of two labels is the disease: the one that does not sound healthy, else the rarer, else the second."""
    sick = [n for n in names if n.lower() not in HEALTHY]
    if len(sick) == 1:
        return sick[0]
    return min(reversed(names), key=lambda n: counts[n])
