"""Lateral whole-spine films with their landmarks: ``films/``, ``landmarks.csv`` and, if there is one, ``subjects.csv``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from spinelab import io
from spinelab.core import Example, Examples, Fact, InputError, Landmark, Result, Study, unknown
from spinelab.geometry import FRONT_AND_BACK
from spinelab.phantoms import is_phantom
from spinelab.tasks.whole_spine.header import Header, look
from spinelab.tasks.whole_spine.measure import as_landmarks, facing, findings, measurements
from spinelab.tasks.whole_spine.tables import COLUMNS, POINTS, SUBJECTS, Film, Subject, read_points, read_subjects

TASK_NAME: Final = "whole-spine"
FOLDER: Final = "films"
LAYOUT: Final = f"a folder {FOLDER} with lateral films, {POINTS} ({', '.join(COLUMNS)}) and optionally {SUBJECTS} (patient, age_years, sex, site)"
_SHOWN: Final = 3


@dataclass(frozen=True, eq=False)
class _Found:
    """A film of the table with its file."""

    film: Film
    path: Path
    header: Header


def examples(root: Path) -> Examples:
    """Read a data set; one example a film, without decoding any.

    Raises
    ------
    InputError
        For another layout, a row that cannot be used, x and y exchanged, a wrong view, or no film that can be used.
    """
    root = Path(root)
    root = root.parent if root.name == POINTS and root.is_file() else root
    if not (root / POINTS).is_file():
        raise InputError(f"{root} {'holds no ' + POINTS if root.is_dir() else 'is no folder'}", expected=LAYOUT, action="check the path")
    films, subjects = read_points(root / POINTS), read_subjects(root / SUBJECTS)
    found, notes = _files(root, films)
    _refuse_exchanged(found)
    found, more = _inside(found)
    notes += [*more, *_doubts(found)]
    items = [_example(f, subjects.get(f.film.patient), notes) for f in found]
    if subjects:
        notes += _told(sorted({f.film.patient for f in found} - set(subjects)), f"patient(s) are not in {SUBJECTS}")
        notes += _told(sorted(set(subjects) - {f.film.patient for f in found}), f"patient(s) of {SUBJECTS} have no film")
    bare = [item.id for item in items if not item.facts["spacing_mm"].known]
    notes += _told(bare, "film(s) state no pixel spacing: their SVA is in pixels only")
    return Examples(tuple(items), root, phantom=is_phantom(root), notes=tuple(notes))


def _files(root: Path, films: Sequence[Film]) -> tuple[list[_Found], list[str]]:
    found, missing, unread = [], [], []
    seen: dict[Path, str] = {}
    for film in films:
        path = next((p for p in (root / FOLDER / film.name, root / film.name) if p.is_file()), None)
        if path is None:
            missing.append(film.name)
            continue
        other = seen.setdefault(path.resolve(), film.name)
        if other != film.name:
            raise InputError(f"{POINTS} line {film.line}: {film.name} and {other} are the same file", expected="one name a film", action="use one of the names")
        try:
            found.append(_Found(film, path, look(path)))
        except InputError as error:
            unread.append(f"{film.name} ({error.given})")
    if not found:
        raise InputError(
            f"{root}: none of the {len(films)} films of {POINTS} can be read, such as {(missing + unread)[0]}",
            expected=LAYOUT,
            action=f"bring the films into {FOLDER}, or correct their names",
        )
    return found, [
        *_told(missing, f"film(s) of {POINTS} are not there and were left out"),
        *_told(unread, "film(s) cannot be read and were left out"),
        *_told(_strangers(root, seen), f"film(s) have no row in {POINTS} and were left out"),
    ]


def _strangers(root: Path, used: Iterable[Path]) -> list[str]:
    folder = root / FOLDER
    if not folder.is_dir():
        return []
    taken = set(used)
    return [p.name for p in sorted(folder.iterdir()) if p.is_file() and not p.name.startswith(".") and p.resolve() not in taken]


def _told(names: Sequence[str], what: str) -> list[str]:
    shown = ", ".join(names[:_SHOWN]) + (" and others" if len(names) > _SHOWN else "")
    return [f"{len(names)} {what}: {shown}."] if names else []


def _refuse_exchanged(found: Sequence[_Found]) -> None:
    """Refuse data of which most films with points outside have all of them inside once x and y are exchanged."""
    suspects = [f for f in found if f.header.size and any(_outside(at, f.header.size) for at in f.film.points.values())]
    swapped = [f for f in suspects if f.header.size and not any(_outside((y, x), f.header.size) for x, y in f.film.points.values())]
    if suspects and 2 * len(swapped) > len(suspects):
        raise InputError(
            f"{POINTS}: points of {len(swapped)} film(s), such as {swapped[0].film.name}, lie outside, and would lie inside with x and y exchanged",
            expected="x_px counts columns to the right, y_px counts rows downwards",
            action="exchange the two columns",
        )


def _inside(found: Sequence[_Found]) -> tuple[list[_Found], list[str]]:
    """Take landmarks outside their film for absent; a film with none left is left out."""
    kept, beyond, bare = [], [], []
    for f in found:
        size = f.header.size
        points = {name: at for name, at in f.film.points.items() if size is None or not _outside(at, size)}
        beyond += [f"{name} of {f.film.name}" for name in f.film.points if name not in points]
        if points:
            kept.append(replace(f, film=replace(f.film, points=points)))
        else:
            bare.append(f.film.name)
    notes = [*_told(beyond, "landmark(s) lie outside their film and count as absent"), *_told(bare, "film(s) without a landmark inside were left out")]
    if not kept:
        raise InputError(f"{POINTS}: every landmark lies outside its film. {notes[0]}", expected="pixels of the original film", action="correct them")
    return kept, notes


def _outside(at: tuple[float, float], size: tuple[int, int]) -> bool:
    return not (-0.5 <= at[0] <= size[0] - 0.5 and -0.5 <= at[1] <= size[1] - 0.5)


def _doubts(found: Sequence[_Found]) -> list[str]:
    """Return which films have an endplate whose front and back look exchanged: it faces the other way than most of the others."""
    doubtful = []
    for f in found:
        pairs = [(front, back) for front, back in FRONT_AND_BACK if front in f.film.points and back in f.film.points]
        votes = np.array([np.sign(f.film.points[front][0] - f.film.points[back][0]) for front, back in pairs])
        if len(votes) >= 3 and 0 < abs(votes.sum()) < len(votes):
            against = [front.removesuffix("_1") for (front, _), vote in zip(pairs, votes, strict=True) if vote * votes.sum() < 0]
            doubtful.append(f"{' and '.join(against)} of {f.film.name}")
    return _told(doubtful, "film(s) have an endplate whose front and back look exchanged; they were used as they are")


def _example(found: _Found, subject: Subject | None, notes: list[str]) -> Example:
    film, header = found.film, found.header
    points = as_landmarks(film.points)
    truth = truth_of(film.name, points, header.spacing_mm, author="reader")
    facts = {**_person(film, header, subject or Subject(), notes), "spacing_mm": header.spacing_mm, "facing": Fact(facing(points) or None, "landmarks")}
    if film.split is not None:
        facts["split"] = Fact(film.split, f"{POINTS} column split")
    if header.date.known:
        facts["study_date"] = header.date
    if header.patient.known and str(header.patient.value) != film.patient:
        notes.append(f"{film.name}: the header says patient {header.patient.value}, {POINTS} says {film.patient}; the table was followed.")
    example = Example(film.name, truth, _never, film.patient, {"LATERAL": found.path}, facts)
    return replace(example, open=partial(open_film, example))


def truth_of(study: str, points: tuple[Landmark, ...], spacing: Fact, *, author: str, notes: tuple[str, ...] = ()) -> Result:
    """Return landmarks, parameters and classes as a result; a class whose parameters are withheld is left out."""
    given = measurements(points, spacing)
    values = {(m.name, m.unit): np.array(m.value) for m in given if m.value is not None}
    return Result(TASK_NAME, author, study, findings=findings(values), measurements=given, landmarks=points, notes=notes)


def _person(film: Film, header: Header, subject: Subject, notes: list[str]) -> dict[str, Fact]:
    """Return age, sex and site: the age from the film's own header, where it states one; a sex with two answers is unknown."""
    age = header.age_years if header.age_years.known else Fact(subject.age_years, f"{SUBJECTS} column age_years")
    sex = header.sex if header.sex.known else Fact(subject.sex, f"{SUBJECTS} column sex")
    if header.sex.known and subject.sex is not None and subject.sex != header.sex.value:
        sex = unknown(f"header says {header.sex.value}, {SUBJECTS} says {subject.sex}")
        notes.append(f"{film.name}: sex set to unknown ({sex.source}).")
    site = Fact(subject.site, f"{SUBJECTS} column site") if subject.site is not None else header.site
    return {"age_years": age, "sex": sex, "site": site}


def _never() -> Study:
    raise InputError("An example without a file", expected="an example made by `examples`", action="report this as a bug")


def open_film(example: Example) -> Study:
    """Open a film; raises `InputError` where a landmark lies outside it or the header names another view."""
    study = io.read(example.files["LATERAL"])
    image = study.images[0]
    rows, columns = image.shape_yx
    for p in example.truth.landmarks:
        if _outside((p.x, p.y), (columns, rows)):
            raise InputError(f"{example.id}: {p.name} lies outside the film", expected="landmarks inside the film", action=f"correct {POINTS}")
    stated: Mapping[str, Any] = {key: example.facts[key] for key in ("sex", "age_years")}
    others = {key: fact for key, fact in example.facts.items() if key in ("site", "split", "study_date")}
    return replace(study, id=example.id, patient=Fact(example.patient, POINTS), facts={**study.facts, **others}, **stated)
