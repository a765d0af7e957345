"""Who comes when: patients, sites and days of a set of DICOM films, what their headers say, and films drawn patient by patient."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby
from typing import Any, Final, Protocol, TypeVar

import numpy as np

from spinelab.core import InputError, Progress
from spinelab.phantoms.patient import Patient

SERIAL: Final = 0.2
"""Part of the patients with a second film."""
INVERTED_EVERY: Final = 10
"""Every so many patients' films are stored with dark bone (MONOCHROME1), as some machines do; in ``easy`` none is."""
SITES: Final = ("north", "south", "west")
_FIRST_DAY: Final = date(2020, 1, 1)

Taken = TypeVar("Taken")


class Radiograph(Protocol):
    """A drawn 12-bit film, as far as its header tells of it."""

    @property
    def spacing_mm(self) -> float: ...
    @property
    def magnification(self) -> float: ...
    @property
    def window(self) -> tuple[float, float] | None: ...
    @property
    def patient(self) -> Patient: ...
    @property
    def patient_orientation(self) -> tuple[str, str]: ...


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


def plan(n: int, seed: int) -> list[Visit]:
    """Decide which patient, site and day each of ``n`` films belongs to; raises `InputError` for fewer than one."""
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


def taken(visits: Sequence[Visit], take: Callable[[Sequence[Visit]], Sequence[Taken]], progress: Progress) -> Iterator[Taken]:
    """Yield what ``take`` makes of each patient's visits, in their order; several patients are drawn at once."""
    patients = [list(own) for _, own in groupby(visits, key=lambda visit: visit.patient)]
    done = 0
    with ThreadPoolExecutor(max_workers=min(os.cpu_count() or 1, 8)) as pool:
        for films in pool.map(take, patients):
            yield from films
            done += len(films)
            progress(done, len(visits), f"film {done} of {len(visits)}")


def dx_header(film: Radiograph, visit: Visit, difficulty: str) -> dict[str, Any]:
    """Return what the header of a film says, as `spinelab.io.write_dx` takes it; view and description are the task's."""
    inverted = difficulty != "easy" and (visit.patient + visit.number) % INVERTED_EVERY == INVERTED_EVERY - 1
    return {
        "spacing_mm": round(film.spacing_mm, 6),
        "patient_orientation": film.patient_orientation,
        "patient_id": visit.patient_id,
        "sex": film.patient.sex,
        "age_years": film.patient.age_years + visit.years_later,
        "monochrome": 1 if inverted else 2,
        "window": film.window,
        "magnification": round(film.magnification, 4),
        "study_date": visit.day.strftime("%Y%m%d"),
        "institution": visit.site,
    }


def patient_spacing_mm(film: Radiograph) -> tuple[float, float]:
    """Return millimetres of the patient a pixel, by row and by column, as the header gives them: the detector's pixel divided by the magnification."""
    value = round(film.spacing_mm, 6) / round(film.magnification, 4)
    return value, value
