"""What a report says of a film besides the model's answer: whose it is and when, what is usual for that person, what is drawn over it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from spinelab.core import InputError, Model, Reference, Result, SpinelabError, Stroke, Study, Task
from spinelab.report import Visit


class Drawings(Mapping[str, Sequence[Stroke]]):
    """Strokes by study, drawn when asked for; none where the task declines to draw, for a film without lines is still a film."""

    def __init__(self, task: Task, model: Model, results: Sequence[Result]) -> None:
        self._task, self._settings, self._results = task, model.settings, {result.study: result for result in results}

    def __getitem__(self, study: str) -> Sequence[Stroke]:
        try:
            return self._task.drawing(self._results[study], self._settings)
        except SpinelabError:
            return ()

    def __iter__(self) -> Iterator[str]:
        return iter(self._results)

    def __len__(self) -> int:
        return len(self._results)


class People:
    """Patient, date and usual ranges of every study, noted while it is open, so that no film has to be opened for them again."""

    def __init__(self, task: Task, model: Model) -> None:
        self._task, self._quantities = task, task.quantities(model.settings)
        self.visits: dict[str, Visit] = {}
        self.references: dict[str, dict[str, Reference]] = {}

    def note(self, study: Study) -> None:
        """Keep what the report needs of a study."""
        self.visits[study.id] = Visit.of(study)
        ranges = {}
        for quantity in self._quantities:
            usual = None if quantity.unit == "px" else self._task.reference(quantity, age_years=study.age_years.value, sex=study.sex.value)
            if usual is not None:
                ranges[quantity.name] = usual
        self.references[study.id] = ranges

    @property
    def named(self) -> set[str]:
        """Return the patients that the films name."""
        return {visit.patient for visit in self.visits.values() if visit.patient is not None}


def check_one_patient(named: Collection[str], films: int) -> None:
    """Refuse films of several patients that are said to be of one, and a film alone.

    Raises
    ------
    InputError
        When there is one film only, or several patients are named.
    """
    if len(named) > 1:
        first, second = sorted(named)[:2]
        raise InputError(
            f"The films name {len(named)} patients, such as {first} and {second}",
            expected="films of one patient with --serial",
            action="leave --serial out: films of the same patient are found by their PatientID; or put each patient's films into a folder of their own",
        )
    if films < 2:
        raise InputError("--serial with one film", expected="several films of one patient", action="give the folder that holds all of them")


def agreement(model: Model) -> dict[str, Mapping[str, Any]]:
    """Return what a model's record says of its agreement on held-out patients, by column of a quantity."""
    kept = model.record.get("agreement")
    return {str(column): figures for column, figures in kept.items() if isinstance(figures, Mapping)} if isinstance(kept, Mapping) else {}
