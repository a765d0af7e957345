"""Who was filmed and when, as the files state it, and whether the files of one patient contradict each other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from spinelab.core import Study

OTHER_BIRTH_YEARS: Final = 3.0
"""Years between two dates of birth that no rounding of ages explains: ages are stated in whole years, and now and then for another day than the film's."""
_CONSEQUENCE: Final = "A file is wrong, or these are films of different people: no change between those that contradict each other is judged."
_DAYS_A_YEAR: Final = 365.2425


@dataclass(frozen=True, slots=True)
class Visit:
    """Who was filmed and when, as far as the file states it; ``day`` is ``None`` where no date, or none of the calendar, is stated."""

    patient: str | None = None
    day: date | None = None
    sex: str | None = None
    age_years: float | None = None

    @staticmethod
    def of(study: Study) -> Visit:
        """Return what a study states of its patient, and its date (DICOM PatientID, StudyDate, PatientSex, PatientAge or PatientBirthDate)."""
        stated = study.facts.get("StudyDate")
        patient = study.patient.value
        day = None if stated is None else _day(stated.value)
        return Visit(None if patient is None else str(patient), day, study.sex.value, study.age_years.value)

    @property
    def born(self) -> float | None:
        """Return the year of birth by date and age; ``None`` where one of them is not stated."""
        return None if self.day is None or self.age_years is None else self.day.toordinal() / _DAYS_A_YEAR - self.age_years


def contradictions(visits: Mapping[str, Visit]) -> list[str]:
    """Return in what the files of one patient contradict each other, by the films' names; what a file does not state contradicts nothing."""
    said = [*_sexes(visits), *_ages(visits)]
    return [*said[:-1], f"{said[-1]} {_CONSEQUENCE}"] if said else []


def _sexes(visits: Mapping[str, Visit]) -> list[str]:
    films: dict[str, list[str]] = defaultdict(list)
    for name, visit in visits.items():
        if visit.sex in ("F", "M"):
            films[visit.sex].append(name)
    shown = "; ".join(f"{sex} on {', '.join(names)}" for sex, names in sorted(films.items()))
    return [f"The files contradict each other in the patient's sex: {shown}."] if len(films) > 1 else []


def _ages(visits: Mapping[str, Visit]) -> list[str]:
    born = {name: visit.born for name, visit in visits.items()}
    known = sorted((year, name) for name, year in born.items() if year is not None)
    if not known or known[-1][0] - known[0][0] <= OTHER_BIRTH_YEARS:
        return []
    shown = "; ".join(f"{visits[name].age_years:.0f} years at {visits[name].day} on {name}" for _, name in (known[0], known[-1]))
    return [f"The files contradict each other in the patient's age or date of birth: {shown}."]


def _day(text: Any) -> date | None:
    """Return a DICOM date (``20240131``); ``None`` where it is no day of the calendar."""
    try:
        return date.fromisoformat(str(text).strip().replace(".", ""))
    except ValueError:
        return None
