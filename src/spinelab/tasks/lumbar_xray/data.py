"""The BUU-LSPINE layout: ``AP/`` and ``LA/`` with a film and a CSV of endplate lines each, and one subject ``.xlsx``."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

from spinelab.core import Example, Examples, Fact, Image, InputError, Study, unknown
from spinelab.phantoms import is_phantom
from spinelab.tasks.lumbar_xray.annotations import SHOWN_BY, Annotation, read_annotation
from spinelab.tasks.lumbar_xray.subjects import Subject, read_subjects
from spinelab.tasks.lumbar_xray.truth import Refusal, truth_of

SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".png", ".tif", ".tiff", ".dcm", ".dicom"})
FOLDERS: Final = {"ap": "AP", "la": "LATERAL"}
LAYOUT: Final = "two folders, AP/ with films named like 0001-F-037Y0.jpg and LA/ with films like 0001-F-037Y1.jpg, a .csv of the same name beside each"

_NAME = re.compile(r"(?P<number>\d+)-(?P<sex>[FMO])-(?P<age>\d{1,3})Y(?P<view>[01])", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class FilmFile:
    """One film of one patient, not yet opened."""

    path: Path
    view: str
    patient: str
    sex: str
    age_years: int
    annotation: Annotation | None = None
    spacing_mm: tuple[float, float] | None = None
    spacing_source: str = ""

    @property
    def short(self) -> str:
        return f"{self.path.parent.name}/{self.path.name}"


class Notes:
    """Sentences for the report: one a reason, with the number of cases and the first few."""

    def __init__(self) -> None:
        self._cases: defaultdict[str, list[str]] = defaultdict(list)

    def add(self, reason: str, case: str) -> None:
        self._cases[reason].append(case)

    def sentences(self) -> tuple[str, ...]:
        return tuple(
            f"{reason} ({len(cases)}): {'; '.join(cases[:5])}{f'; and {len(cases) - 5} more' if len(cases) > 5 else ''}."
            for reason, cases in self._cases.items()
        )


def examples(root: Path) -> Examples:
    """Read a folder in the BUU-LSPINE layout without decoding a film; one example a patient.

    A film whose annotation is missing or unusable is left out unless the subject table gives the diagnosis; a patient whose sources
    contradict each other about the diagnosis is left out; sex or age that disagree become unknown. Every such case is named in ``notes``.

    Raises
    ------
    InputError
        For a folder in another layout, two films of one patient and view, one number with two sexes or ages, or nothing usable.
    """
    root = Path(root)
    notes = Notes()
    patients = _group(_films(root, notes))
    table = read_subjects(root)
    kept = [e for films in patients.values() if (e := _example(films, table.get(int(films[0].patient)), table.name, notes)) is not None]
    absent = sorted(set(table.subjects) - set(patients))
    if absent and table.name:
        notes.add(f"Subjects of {table.name} without a film", ", ".join(map(str, absent[:5])) + (f" of {len(absent)}" if len(absent) > 5 else ""))
    sentences = (*table.notes, *notes.sentences())
    if not kept:
        raise InputError(f"{root}: no usable patient. {' '.join(sentences)[:600]}", expected=LAYOUT, action="correct the files named above")
    return Examples(tuple(kept), root, phantom=is_phantom(root), notes=sentences)


def _films(root: Path, notes: Notes) -> list[FilmFile]:
    folders = _folders(root)
    films = []
    for folder, view in folders:
        names = sorted(p for p in folder.iterdir() if not p.name.startswith("."))
        tables = {p.stem.lower(): p for p in names if p.suffix.lower() == ".csv"}
        pictures = [p for p in names if p.suffix.lower() in SUFFIXES]
        for path in pictures:
            match = _NAME.fullmatch(path.stem)
            if match is None:
                notes.add("Left out, because the name does not tell patient, sex, age and view", f"{folder.name}/{path.name}")
            elif "01"[view == "LATERAL"] != match["view"]:
                notes.add("Left out, because folder and file name name different views", f"{folder.name}/{path.name}")
            else:
                film = FilmFile(path, view, match["number"], match["sex"].upper(), int(match["age"]))
                films += _annotated(film, tables.get(path.stem.lower()), notes)
        for stem in sorted(set(tables) - {p.stem.lower() for p in pictures}):
            notes.add("CSV files without a film", f"{folder.name}/{tables[stem].name}")
    if not films:
        raise InputError(f"{root}: no film that can be used. {' '.join(notes.sentences())[:600]}".strip(), expected=LAYOUT, action="check names and files")
    return films


def _folders(root: Path) -> list[tuple[Path, str]]:
    if not root.is_dir():
        raise InputError(f"{root} is not a folder", expected=LAYOUT, action="give the folder that holds AP and LA")
    try:
        found = [(p, FOLDERS[p.name.lower()]) for p in sorted(root.iterdir()) if p.is_dir() and p.name.lower() in FOLDERS]
        inside = sorted(p.name for p in root.iterdir())[:6]
    except OSError as error:
        raise InputError(f"{root} cannot be listed ({error.strerror})", expected="a readable folder", action="check the permissions") from error
    if not found:
        held = f"holds {', '.join(inside)}" if inside else "is empty"
        raise InputError(f"{root} {held}", expected=LAYOUT, action="give the folder that holds AP and LA, or use the task `images` for another layout")
    return found


def _annotated(film: FilmFile, table: Path | None, notes: Notes) -> list[FilmFile]:
    """Return the film with its annotation if it has one; nothing if it is no picture."""
    size = _size(film.path)
    if size == (0, 0):
        notes.add("Left out, because the file is empty or no picture", film.short)
        return []
    if table is None:
        return [film]
    try:
        annotation = read_annotation(table, film.view)
    except InputError as error:
        notes.add("CSV files that cannot be used", error.given)
        return [film]
    ends = annotation.endplates
    if size and ((ends < -0.5).any() or (ends[..., 0] > size[0] - 0.5).any() or (ends[..., 1] > size[1] - 0.5).any()):
        notes.add("Endplate lines that reach outside the picture", film.short)
    if any(SHOWN_BY[kind] != film.view for _, kind in annotation.slips):
        notes.add("Slips marked on the film that cannot show them", annotation.source)
    return [replace(film, annotation=annotation)]


def _size(path: Path) -> tuple[int, int] | None:
    """Return width and height from the header, (0, 0) for a file that is no picture, ``None`` for DICOM, whose reader checks it on opening."""
    from PIL import Image as Picture

    if path.suffix.lower() in (".dcm", ".dicom"):
        return None if path.stat().st_size else (0, 0)
    try:
        with Picture.open(path) as picture:
            return picture.size
    except (OSError, ValueError, SyntaxError, Picture.DecompressionBombError):
        return 0, 0


def _group(films: list[FilmFile]) -> dict[int, list[FilmFile]]:
    patients: defaultdict[int, list[FilmFile]] = defaultdict(list)
    for film in films:
        for other in patients[int(film.patient)]:
            if (film.sex, film.age_years) != (other.sex, other.age_years):
                raise InputError(
                    f"{other.short} and {film.short} give patient {film.patient} two sexes or ages",
                    expected="one number for one patient",
                    action="correct the wrong file name, or give one of the patients another number",
                )
            if film.view == other.view:
                raise InputError(
                    f"{other.short} and {film.short} are both the {film.view} film of patient {film.patient}",
                    expected="one film a patient and view",
                    action="remove one of them",
                )
        patients[int(film.patient)].append(film)
    return dict(sorted(patients.items()))


def _example(films: list[FilmFile], subject: Subject, table: str | None, notes: Notes) -> Example | None:
    number = films[0].patient
    usable = [film for film in films if film.annotation is not None or subject.diagnoses]
    for film in films:
        if film not in usable:
            notes.add("Films left out, because neither a usable CSV nor the subject table gives the diagnosis", film.short)
    if not usable:
        return None
    usable = [replace(film, spacing_mm=subject.spacing_mm, spacing_source=f"subject table {table}") for film in usable]
    truth = truth_of(number, {film.view: film.annotation for film in usable}, subject)
    if isinstance(truth, Refusal):
        notes.add(truth.reason, f"{number}: {truth.case}")
        return None
    for reason in truth.notes:
        notes.add("Remarks on the truth", f"{number}: {reason}")
    missing = [view for view in FOLDERS.values() if view not in {film.view for film in usable}]
    if missing:
        notes.add(f"Patients without a usable {missing[0]} film (kept; the diagnosis rests on the other film and the subject table)", number)
    facts = _facts(films[0], subject, table, notes)
    return Example(
        number, truth, partial(open_study, number, tuple(usable), facts), patient=number, files={film.view: film.path for film in usable}, facts=facts
    )


def _facts(film: FilmFile, subject: Subject, table: str | None, notes: Notes) -> dict[str, Fact]:
    """Return sex and age; where file name and table disagree, unknown with both."""
    sex, age = Fact(film.sex, "file name"), Fact(float(film.age_years), "file name")
    if subject.sex is not None and subject.sex != film.sex:
        sex = unknown(f"file name says {film.sex}, {table} says {subject.sex}")
        notes.add("Sex set to unknown", f"{film.patient}: {sex.source}")
    # A birthday between two entries makes one year of difference.
    if (subject.age_years is not None and abs(subject.age_years - film.age_years) > 1) or film.age_years > 130:
        age = unknown(f"file name says {film.age_years}, {table or 'nothing else'} says {subject.age_years}")
        notes.add("Age set to unknown", f"{film.patient}: {age.source}")
    return {"sex": sex, "age_years": age}


def open_study(number: str, films: tuple[FilmFile, ...], facts: dict[str, Fact]) -> Study:
    """Open a patient's films; endplate lines travel with their image as the fact ``endplates``."""
    return Study(
        id=number,
        images=tuple(_open(film) for film in films),
        patient=Fact(number, "file name"),
        sex=facts["sex"],
        age_years=facts["age_years"],
    )


def _open(film: FilmFile) -> Image:
    from spinelab import io

    image: Image = io.read_image(film.path)
    stated = image.view.value
    if stated is not None and {stated, film.view} not in ({film.view}, {"AP", "PA"}):
        raise InputError(
            f"{film.short} is in the folder of {film.view} films and its header says {stated}",
            expected="one view",
            action="move the film or correct its header",
        )
    extra = {}
    if film.annotation is not None:
        extra["endplates"] = Fact(film.annotation.endplates.tolist(), film.annotation.source)
    listed = film.spacing_mm is not None and not image.spacing_mm.known and image.axes.startswith("YX")
    spacing = Fact(film.spacing_mm, film.spacing_source) if listed else image.spacing_mm
    return replace(image, view=Fact(film.view, f"folder {film.path.parent.name}"), facts={**image.facts, **extra}, spacing_mm=spacing)
