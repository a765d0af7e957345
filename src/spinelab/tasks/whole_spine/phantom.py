"""Phantom patients in the task's own layout: 12-bit DICOM films, landmarks, subjects, and the truth."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np

from spinelab.core import Example, Fact, Image, InputError, Measurement, Progress, Result, Study, silent
from spinelab.io import write_dx
from spinelab.phantoms import WholeSpineFilm, whole_spine, write_marker, write_truth
from spinelab.tasks.whole_spine.data import FOLDER, TASK_NAME, truth_of
from spinelab.tasks.whole_spine.measure import as_landmarks
from spinelab.tasks.whole_spine.tables import COLUMNS, POINTS, SUBJECTS

AUTHOR: Final = "phantom"
SERIAL: Final = 0.2
"""Part of the patients with a second film."""
INVERTED_EVERY: Final = 10
"""Every so many patients' films are stored with dark bone (MONOCHROME1), as some machines do; in ``easy`` none is."""
SITES: Final = ("north", "south", "west")
_FIRST_DAY: Final = date(2020, 1, 1)
_SAME: Final = (0, 1, 2, 4)
"""Streams of chance that a patient's films share: person, stance, side and metal, anatomy; placement and exposure are each film's own."""


@dataclass(frozen=True)
class Visit:
    """One film: its patient's number, which of the patient's films it is, and the day."""

    patient: int
    number: int
    site: str
    day: date
    years_later: float = 0.0
    """Since the patient's first film."""

    @property
    def patient_id(self) -> str:
        return f"P{self.patient + 1:04d}"

    @property
    def file(self) -> str:
        return f"{self.patient + 1:04d}-{self.number + 1}.dcm"


class _Streams(np.random.Generator):
    """Hands out the seeds of a patient's film: those of `_SAME` are the patient's, the others the visit's."""

    def __init__(self, seed: Sequence[int], visit: int) -> None:
        super().__init__(np.random.PCG64(list(seed)))
        self._other = np.random.default_rng([*seed, visit]) if visit else None

    def integers(self, *args: Any, **kwargs: Any) -> Any:
        drawn = super().integers(*args, **kwargs)
        if self._other is None or np.ndim(drawn) == 0:
            return drawn
        again = self._other.integers(*args, **kwargs)
        return np.array([own if at in _SAME else new for at, (own, new) in enumerate(zip(drawn, again, strict=True))])


def phantom(rng: np.random.Generator, difficulty: str = "typical") -> Example:
    """Draw one film; the study is held in memory and looks as if read from disk."""
    film = whole_spine(rng, difficulty=difficulty)
    name = "phantom"
    image = Image(
        film.pixels,
        spacing_mm=_spacing(film),
        modality=Fact("DX", AUTHOR),
        view=Fact("LATERAL", AUTHOR),
        window=film.window,
        facts={"magnification": Fact(film.magnification, AUTHOR)},
        source="phantom film",
    )
    facts = {"sex": Fact(film.patient.sex, AUTHOR), "age_years": Fact(float(film.patient.age_years), AUTHOR), "spacing_mm": _spacing(film)}
    study = Study(name, images=(image,), patient=Fact(name, AUTHOR), sex=facts["sex"], age_years=facts["age_years"])
    return Example(name, truth(film, name), lambda: study, name, {}, facts)


def truth(film: WholeSpineFilm, study: str) -> Result:
    """Return landmarks and parameters as they show on the film, and below them what was drawn in space (``drawn_pi``, ...)."""
    points = as_landmarks({name: (round(x, 3), round(y, 3)) for name, (x, y) in film.landmarks.items()})
    result = truth_of(study, points, _spacing(film), author=AUTHOR, notes=tuple(_notes(film)))
    drawn = [Measurement(f"drawn_{name}", round(float(value), 4), "mm" if name == "sva" else "deg") for name, value in film.drawn.items()]
    return Result(result.task, AUTHOR, study, result.findings, (*result.measurements, *drawn), points, notes=result.notes)


def _notes(film: WholeSpineFilm) -> Iterable[str]:
    yield "Phantom: drawn, no patient."
    yield f"The patient faces the {film.facing} of the picture."
    if film.presacral != 24:
        yield f"{film.presacral} vertebrae above the sacrum; levels are counted from the skull down."
    if film.implants:
        yield f"Pedicle screws from {film.implants[0]} to {film.implants[-1]}."


def _spacing(film: WholeSpineFilm) -> Fact:
    """Return millimetres of the patient a pixel: the detector's pixel divided by the magnification."""
    value = round(film.spacing_mm, 6) / round(film.magnification, 4)
    return Fact((value, value), AUTHOR)


def write_phantoms(out: Path, *, n: int, seed: int, difficulty: str = "typical", progress: Progress = silent, scale: float = 1.0) -> None:
    """Write ``n`` films with landmarks.csv, subjects.csv, truth.json and PHANTOM.json.

    Most patients have one film, a fifth a second one up to two years later in the same stance: what a reader finds changed between
    those two is the error of measurement. Every film depends only on the seed and its patient, so the same seed gives the same bytes.
    """
    visits = plan(n, seed)
    out = Path(out)
    (out / FOLDER).mkdir(parents=True, exist_ok=True)

    def one(visit: Visit) -> tuple[Visit, WholeSpineFilm, Result]:
        film = whole_spine(_Streams((seed, visit.patient), visit.number), difficulty=difficulty, scale=scale)
        _write(out / FOLDER / visit.file, film, visit, inverted=difficulty != "easy" and (visit.patient + visit.number) % INVERTED_EVERY == INVERTED_EVERY - 1)
        return visit, film, truth(film, visit.file)

    rows, people, results = [], {}, []
    with ThreadPoolExecutor(max_workers=min(os.cpu_count() or 1, 8)) as pool:
        for done, (visit, film, result) in enumerate(pool.map(one, visits), start=1):
            results.append(result)
            rows += [(visit.file, visit.patient_id, p.name, f"{p.x:.3f}", f"{p.y:.3f}") for p in result.landmarks]
            people[visit.patient_id] = (visit.patient_id, film.patient.age_years, film.patient.sex, visit.site)
            progress(done, n, f"film {done} of {n}")
    _table(out / POINTS, COLUMNS, rows)
    _table(out / SUBJECTS, ("patient", "age_years", "sex", "site"), people.values())
    write_truth(out, results)
    write_marker(out, task=TASK_NAME, n=n, seed=seed, difficulty=difficulty)


def _write(path: Path, film: WholeSpineFilm, visit: Visit, *, inverted: bool) -> None:
    write_dx(
        path,
        film.pixels,
        spacing_mm=round(film.spacing_mm, 6),
        view="LATERAL",
        patient_orientation=film.patient_orientation,
        patient_id=visit.patient_id,
        sex=film.patient.sex,
        age_years=film.patient.age_years + visit.years_later,
        monochrome=1 if inverted else 2,
        window=film.window,
        magnification=round(film.magnification, 4),
        study_date=visit.day.strftime("%Y%m%d"),
        institution=visit.site,
        description="Whole spine lateral, phantom",
    )


def plan(n: int, seed: int) -> list[Visit]:
    """Decide which patient, site and day each of ``n`` films belongs to."""
    if n < 1:
        raise InputError(f"{n} phantoms", expected="at least 1", action="ask for more")
    visits: list[Visit] = []
    patient = 0
    while len(visits) < n:
        rng = np.random.default_rng([seed, patient, 7])
        site, start = str(rng.choice(SITES)), _FIRST_DAY + timedelta(days=int(rng.integers(0, 700)))
        later = start + timedelta(days=int(rng.integers(90, 720)))
        days = (start, later)[: 1 + (rng.random() < SERIAL)]
        visits += [Visit(patient, number, site, day, (day - start).days / 365.25) for number, day in enumerate(days)]
        patient += 1
    return visits[:n]


def _table(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
