"""Examinations answered one after the other, and what a report says of each besides the answer: whose it is and when, what is usual, what is drawn."""

from __future__ import annotations

import logging
import shutil
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from spinelab.core import Explaining, InputError, Model, Progress, Reference, Result, SpinelabError, Stroke, Study, Task
from spinelab.io.display import require_content
from spinelab.report import Material, Measuring, ResultWriter, Visit, contradictions, folder_names, write_text
from spinelab.serve import models
from spinelab.serve.examinations import Examination, Explained, Reopened, Shown, lone_files
from spinelab.serve.journal import FILE, Finished, Journal
from spinelab.serve.places import explain_os_error

INTERNAL: Final = "could not be read because of an internal error"
"""What the answer for an examination says where the program has failed, not the file."""


class Reading:
    """Many examinations, or one: each is opened, answered and reported on before the next one, so that memory holds one at a time.

    Parameters
    ----------
    listed
        The examinations, each of another name.
    one_patient
        Whether all of them are of one patient, although the files do not say so.
    """

    def __init__(self, task: Task, model: Model, listed: Sequence[Examination], *, one_patient: bool) -> None:
        found = {examination.name: examination for examination in listed}
        self._task, self._model, self._listed, self._one_patient = task, model, listed, one_patient
        self._studies, self._people = Reopened(found, found), People(task, model)
        self._answered: dict[str, Result] = {}
        self._finished: dict[str, Finished] = {}

    def answers(self, progress: Progress, journal: Journal | None = None) -> Iterator[Result]:
        """Yield one answer an examination, in their order; those that a journal tells are finished are not read again.

        Raises
        ------
        InputError
            As soon as a second patient is named among films that are said to be of one.
        """
        for done, name in enumerate(self._studies):
            progress(done, len(self._studies), f"reading {name}")
            self._answered[name] = (self._taken_up(name, journal) if journal is not None else None) or self._answer(name)
            if self._one_patient:
                check_one_patient(self._people.named, len(self._listed))
            yield self._answered[name]
        if self._one_patient:
            check_one_patient(self._people.named, len(self._people.visits))

    def _answer(self, name: str) -> Result:
        """Answer for one examination; among many, a refusal is an answer too, so that one bad file does not stop the rest."""
        try:
            study = self._studies[name]
            self._people.note(study)
            require_content(study)
            return models.with_origin(self._model, self._task.predict(self._model, study))
        except SpinelabError as refusal:
            if len(self._studies) == 1:
                raise
            return self._unanswered(name, str(refusal))
        except Exception as error:
            return self._failed(name, error)

    def _unanswered(self, name: str, why: str) -> Result:
        return Result(self._task.name, self._model.name, name, notes=(f"No answer: {why}",))

    def _failed(self, name: str, error: Exception) -> Result:
        """Return the answer for an examination among many at which the program failed; raises what concerns more than it, such as a full disk."""
        if len(self._studies) == 1 or isinstance(error, SpinelabError) or (isinstance(error, OSError) and explain_os_error(error)):
            raise error
        self._studies.close(name)
        logging.getLogger(__name__).error("%s: internal error", name, exc_info=error)
        return self._unanswered(name, f"{name} {INTERNAL} ({type(error).__name__}: {' '.join(str(error).split())}); please report it.")

    def _taken_up(self, name: str, journal: Journal) -> Result | None:
        """Return the answer for an examination that was finished before an interruption, and keep what is known of its patient."""
        found = journal.finished(name)
        if found is None:
            return None
        self._finished[name] = found
        self._people.visits[name], self._people.references[name] = found.visit, dict(found.references)
        return found.result

    def written(self, folder: Path, source: Path, how: Explaining | None, progress: Progress, work: Path | None = None) -> list[Result]:
        """Write each answer's files as it comes and, at the end, what stands above them; return the answers with what their heatmaps tell.

        ``source`` is the file or folder that is read, ``work`` the folder that keeps what is finished.
        """
        maps = Explained(self._studies, lambda study: [] if how is None else self._task.explain(self._model, study, how))
        material = self._material(folder, maps)
        writer = ResultWriter(material, self._measuring(source))
        places = {name: folder / material.names[name] for name in self._studies}
        journal = None if work is None else Journal(work / FILE, self._listed, places)
        results = []
        for result in self.answers(progress, journal):
            try:
                self._write(result, writer, journal)
            except Exception as error:
                name = result.study
                self._answered[name] = self._failed(name, error)
                shutil.rmtree(places[name], ignore_errors=True)
                maps.told.pop(name, None)
                self._write(self._answered[name], writer, journal)
            results.append(self._answered[result.study])
        writer.finish()
        self._warn_of_contradictions(results)
        for name, text in self._task.tables(self._model, results).items():
            write_text(folder / name, text)
        return [replace(result, explanations=maps.told.get(result.study, result.explanations)) for result in results]

    def _warn_of_contradictions(self, results: Sequence[Result]) -> None:
        """Say in the terminal in what the measured films of one patient contradict each other; their pages say it too."""
        patients: dict[str | None, dict[str, Visit]] = defaultdict(dict)
        for name in (result.study for result in results if result.measurements):
            visit = self._people.visits[name]
            if self._one_patient or visit.patient is not None:
                patients[None if self._one_patient else visit.patient][name] = visit
        for patient, visits in patients.items():
            for said in contradictions(visits):
                logging.getLogger(__name__).warning("Films of %s: %s", patient or "one patient", said)

    def _write(self, result: Result, writer: ResultWriter, journal: Journal | None) -> None:
        """Write the files of an answer, unless they are there, and tell the journal."""
        name = result.study
        if name in self._finished:
            writer.take_up(result, self._finished[name].picture)
            return
        picture = writer.add(result)
        if journal is not None and not failures([result]):
            journal.add(name, self._people.visits.get(name, Visit()), self._people.references.get(name, {}), picture)

    def _material(self, folder: Path, maps: Explained) -> Material:
        """Return what the pages show of every examination."""
        shown = Shown(self._studies, lambda study: self._task.shown(self._model, study))
        return Material(folder, folder_names(self._studies), shown, maps, models.of_phantoms(self._model), models.summary(self._model))

    def _measuring(self, source: Path) -> Measuring:
        """Return what the pages of a model that measures show besides; films that are still to be read are added as they are read."""
        return Measuring(
            quantities=tuple(self._task.quantities(self._model.settings)),
            drawings=Drawings(self._task, self._model, self._answered),
            references=self._people.references,
            visits=self._people.visits,
            files=lone_files(self._listed, source),
            agreement=agreement(self._model),
            one_patient=self._one_patient,
            titles=self._task.finding_titles(self._model.settings),
        )


class Drawings(Mapping[str, Sequence[Stroke]]):
    """Strokes by study, drawn when asked for; none where the task declines to draw, for a film without lines is still a film."""

    def __init__(self, task: Task, model: Model, results: Mapping[str, Result]) -> None:
        self._task, self._settings, self._results = task, model.settings, results

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


def failures(results: Sequence[Result]) -> int:
    """Return at how many examinations the program failed."""
    return sum(any(INTERNAL in note for note in result.notes) for result in results)


def agreement(model: Model) -> dict[str, Mapping[str, Any]]:
    """Return what a model's record says of its agreement on held-out patients, by column of a quantity."""
    kept = model.record.get("agreement")
    return {str(column): figures for column, figures in kept.items() if isinstance(figures, Mapping)} if isinstance(kept, Mapping) else {}
