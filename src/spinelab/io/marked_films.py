"""Films with named points: ``films/``, ``landmarks.csv`` and, if there is one, ``subjects.csv``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from spinelab.core import Example, Fact, InputError, Result, Study, noted, plural, unknown
from spinelab.io.film_header import Header, in_words, look
from spinelab.io.landmark_tables import COLUMNS, POINTS, SUBJECTS, Film, Subject, read_points, read_subjects, write_points, write_subjects
from spinelab.io.read import read

FOLDER: Final = "films"
_ABOUT_PATIENTS: Final = ("age_years", "sex")


@dataclass(frozen=True, eq=False)
class MarkedFilm:
    """A film of the table with its file, its header, and what the table of subjects says of its patient."""

    film: Film
    path: Path
    header: Header
    subject: Subject


@dataclass(frozen=True, eq=False)
class MarkedFilms:
    """The films of a folder that can be used, and sentences on what was left out or is doubtful."""

    root: Path
    films: tuple[MarkedFilm, ...]
    notes: tuple[str, ...]


def layout_of(views: Sequence[str]) -> str:
    """Return in words what a folder with films of these views holds."""
    return (
        f"a folder {FOLDER} with {in_words(views)} films, {POINTS} ({', '.join(COLUMNS)}) and optionally {SUBJECTS} (patient, age_years, sex, site, presacral)"
    )


def read_marked(root: Path, names: Sequence[str], views: Sequence[str]) -> MarkedFilms:
    """Read a folder, or its ``landmarks.csv``, without decoding a film.

    Parameters
    ----------
    names
        The landmarks that may be named.
    views
        Those of the films that are taken (``LATERAL``; ``AP``, ``PA``); a film whose header names another one is left out and told.

    Raises
    ------
    InputError
        For another layout, a row that cannot be used, x and y exchanged, or no film that can be used.
    """
    root = Path(root)
    root = root.parent if root.name == POINTS and root.is_file() else root
    if not (root / POINTS).is_file():
        raise InputError(f"{root} {'holds no ' + POINTS if root.is_dir() else 'is no folder'}", expected=layout_of(views), action="check the path")
    films, subjects = read_points(root / POINTS, names), read_subjects(root / SUBJECTS)
    found, notes = _files(root, films, subjects, views)
    _refuse_exchanged(found)
    found, more = _inside(found)
    notes += more
    if subjects:
        shown = {f.film.patient for f in found}
        notes += noted(sorted(shown - set(subjects)), f"[patient is|patients are] not in {SUBJECTS}.")
        notes += noted(sorted(set(subjects) - shown), f"[patient of {SUBJECTS} has|patients of {SUBJECTS} have] no film.")
    return MarkedFilms(root, tuple(found), tuple(notes))


def write_marked(root: Path, films: Sequence[Film], subjects: Sequence[Subject]) -> None:
    """Write the tables beside the films: each film's landmarks, and the first that is said of each patient."""
    write_points(root / POINTS, films)
    known: dict[str, Subject] = {}
    for film, subject in zip(films, subjects, strict=True):
        known.setdefault(film.patient, subject)
    write_subjects(root / SUBJECTS, known)


def _files(root: Path, films: Sequence[Film], subjects: Mapping[str, Subject], views: Sequence[str]) -> tuple[list[MarkedFilm], list[str]]:
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
            found.append(MarkedFilm(film, path, look(path, views), subjects.get(film.patient) or Subject()))
        except InputError as error:
            unread.append(f"{film.name} ({error.given})")
    if not found:
        raise InputError(
            f"{root}: none of the {len(films)} films of {POINTS} can be read, such as {(missing + unread)[0]}",
            expected=layout_of(views),
            action=f"bring the films into {FOLDER}, or correct their names",
        )
    return found, [
        *noted(missing, f"[film of {POINTS} is not there and was|films of {POINTS} are not there and were] left out."),
        *noted(unread, "[film cannot be read and was|films cannot be read and were] left out."),
        *noted(_strangers(root, seen), f"[film has no row in {POINTS} and was|films have no row in {POINTS} and were] left out."),
    ]


def _strangers(root: Path, used: Iterable[Path]) -> list[str]:
    folder = root / FOLDER
    if not folder.is_dir():
        return []
    taken = set(used)
    return [p.name for p in sorted(folder.iterdir()) if p.is_file() and not p.name.startswith(".") and p.resolve() not in taken]


def _refuse_exchanged(found: Sequence[MarkedFilm]) -> None:
    """Refuse data of which most films with points outside have all of them inside once x and y are exchanged."""
    suspects = [f for f in found if f.header.size and any(_outside(at, f.header.size) for at in f.film.points.values())]
    swapped = [f for f in suspects if f.header.size and not any(_outside((y, x), f.header.size) for x, y in f.film.points.values())]
    if suspects and 2 * len(swapped) > len(suspects):
        raise InputError(
            f"{POINTS}: points of {plural(len(swapped), 'film')}, such as {swapped[0].film.name}, lie outside, and would lie inside with x and y exchanged",
            expected="x_px counts columns to the right, y_px counts rows downwards",
            action="exchange the two columns",
        )


def _inside(found: Sequence[MarkedFilm]) -> tuple[list[MarkedFilm], list[str]]:
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
    notes = noted(beyond, "[landmark lies outside its film and counts|landmarks lie outside their film and count] as absent.")
    notes += noted(bare, "[film without a landmark inside was|films without a landmark inside were] left out.")
    if not kept:
        raise InputError(f"{POINTS}: every landmark lies outside its film. {notes[0]}", expected="pixels of the original film", action="correct them")
    return kept, notes


def _outside(at: tuple[float, float], size: tuple[int, int]) -> bool:
    return not (-0.5 <= at[0] <= size[0] - 0.5 and -0.5 <= at[1] <= size[1] - 0.5)


def example_of(found: MarkedFilm, truth: Result, view: str, notes: list[str]) -> Example:
    """Return a film with its truth as an example that opens it; what header and tables say differently is added to ``notes``."""
    film, header = found.film, found.header
    facts = {**_person(found, notes), "spacing_mm": header.spacing_mm}
    if found.subject.presacral is not None:
        facts["presacral"] = Fact(found.subject.presacral, f"{SUBJECTS} column presacral")
    if film.split is not None:
        facts["split"] = Fact(film.split, f"{POINTS} column split")
    if header.date.known:
        facts["study_date"] = header.date
    if header.patient.known and str(header.patient.value) != film.patient:
        notes.append(f"{film.name}: the header says patient {header.patient.value}, {POINTS} says {film.patient}; the table was followed.")
    example = Example(film.name, truth, _never, film.patient, {view: found.path}, facts)
    return replace(example, open=partial(open_film, example))


def _person(found: MarkedFilm, notes: list[str]) -> dict[str, Fact]:
    """Return age, sex and site: the age from the film's own header, where it states one; a sex with two answers is unknown."""
    film, header, subject = found.film, found.header, found.subject
    age = header.age_years if header.age_years.known else Fact(subject.age_years, f"{SUBJECTS} column age_years")
    sex = header.sex if header.sex.known else Fact(subject.sex, f"{SUBJECTS} column sex")
    if header.sex.known and subject.sex is not None and subject.sex != header.sex.value:
        sex = unknown(f"header says {header.sex.value}, {SUBJECTS} says {subject.sex}")
        notes.append(f"{film.name}: sex set to unknown ({sex.source}).")
    site = Fact(subject.site, f"{SUBJECTS} column site") if subject.site is not None else header.site
    return {"age_years": age, "sex": sex, "site": site}


def _never() -> Study:
    raise InputError("An example without a file", expected="an example made by `example_of`", action="report this as a bug")


def open_film(example: Example) -> Study:
    """Open a film; raises `InputError` where a landmark lies outside it."""
    (path,) = example.files.values()
    study = read(path)
    rows, columns = study.images[0].shape_yx
    for p in example.truth.landmarks:
        if _outside((p.x, p.y), (columns, rows)):
            raise InputError(f"{example.id}: {p.name} lies outside the film", expected="landmarks inside the film", action=f"correct {POINTS}")
    stated: Mapping[str, Any] = {key: example.facts[key] for key in _ABOUT_PATIENTS}
    others = {key: fact for key, fact in example.facts.items() if key in ("site", "split", "study_date", "presacral")}
    return replace(study, id=example.id, patient=Fact(example.patient, POINTS), facts={**study.facts, **others}, **stated)
