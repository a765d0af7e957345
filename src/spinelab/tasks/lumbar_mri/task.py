"""The task `lumbar-mri`: 25 grades from the three series of a lumbar MRI examination."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from spinelab.core import (
    Doubt,
    Example,
    Examples,
    Explaining,
    Explanation,
    Finding,
    InputError,
    Judgement,
    Model,
    NotSureError,
    Progress,
    Result,
    Run,
    Settings,
    Sheet,
    SlicePoint,
    Study,
    counted,
    silent,
)
from spinelab.evaluation.rsna import CONDITIONS
from spinelab.tasks.lumbar_mri import data
from spinelab.tasks.lumbar_mri.parts import SHARED, joined, on_plane, part_models, part_of, plane_of_row
from spinelab.tasks.lumbar_mri.questions import question_of_row, questions_of
from spinelab.tasks.lumbar_mri.settings import CONDITION, SEVERITY, LumbarMriSettings
from spinelab.tasks.lumbar_mri.tables import LAYOUT
from spinelab.tasks.lumbar_mri.targets import GRADE_NAMES, QUESTIONS, TASK_NAME, Question
from spinelab.train import NetworkTask, Prepared

if TYPE_CHECKING:
    from torch import Tensor, nn

    from spinelab.tasks.lumbar_mri.places import Place

SHOWN: Final = 3
"""Questions of an examination that are explained where none is named: those with the highest probability of the highest grade."""


MARKED: Final = "marked slice"


class LumbarMri(NetworkTask):
    """Grades of canal, foramina and lateral recesses at five lumbar levels."""

    name: ClassVar[str] = TASK_NAME
    title: ClassVar[str] = "Lumbar MRI: narrowing at five levels"
    question: ClassVar[str] = "How narrow are spinal canal, foramina and lateral recesses at each lumbar level, left and right?"
    takes: ClassVar[str] = "a folder in the RSNA 2024 layout (train.csv, coordinates, series, DICOM); to read: the DICOM series of one examination"
    gives: ClassVar[str] = "25 grades (normal or mild, moderate, severe) with probabilities, by level and the patient's side; what cannot be placed is withheld"
    source: ClassVar[str] = "METHODS section 3; RSNA 2024 Lumbar Spine Degenerative Classification"
    settings_type: ClassVar[type[Settings]] = LumbarMriSettings
    groupings: ClassVar[tuple[str, ...]] = ("condition", "level", "side", "plane")
    not_of_films: ClassVar[frozenset[str]] = frozenset({"planes", "loss", "target"})
    prepare_version: ClassVar[int] = 2

    def target(self, settings: Settings) -> str:
        return _own(settings).target

    def classes(self, examples: Examples, settings: Settings) -> tuple[str, ...]:
        """Return the three grades in their order, or the five conditions."""
        return GRADE_NAMES if _own(settings).target == SEVERITY else CONDITIONS

    def heads(self, settings: Settings) -> Mapping[str, tuple[str, ...]]:
        """Return condition and severity of a network that tells both."""
        return {CONDITION: CONDITIONS, SEVERITY: GRADE_NAMES} if _own(settings).heads == "both" else {}

    def examples(self, root: Path) -> Examples:
        return data.examples(root)

    def asked(self, examples: Examples, settings: Settings) -> Examples:
        """Return one example for every graded question of every examination."""
        if all(example.of is not None for example in examples):
            return examples
        return questions_of(examples, data.series_files)

    def doubts(self, example: Example, study: Study) -> Sequence[Doubt]:
        """Return which graded questions of an examination no picture shows, and what its tables and pictures contradict each other in."""
        from spinelab.tasks.lumbar_mri import doubts

        return tuple(doubts.doubts(example, study))

    def constants(self, examples: Examples) -> dict[str, Any]:
        """Return what constants reach in the competition's score on the grades of these examinations."""
        from spinelab.evaluation.rsna_baselines import rsna_baselines

        return {"competition": rsna_baselines(data.grades_of(examples))}

    def score(self, submission: Path, truth: Path) -> dict[str, Any]:
        """Return the competition's score of a submission; ``truth`` is ``train.csv``, its folder, or ``solution.csv``."""
        from spinelab.tasks.lumbar_mri import submitted

        return submitted.score(submission, truth)

    def judge(self, examples: Examples, predictions: Any, *, bootstraps: int) -> Judgement:
        from spinelab.tasks.lumbar_mri import scores

        return scores.judge(predictions, bootstraps=bootstraps)

    def sections(self, examples: Examples, answers: Mapping[str, Any], *, bootstraps: int) -> list[dict[str, Any]]:
        """Return the competition's score beside its constants, and the figures by condition, level, side and series; of told conditions, those by series."""
        from spinelab.tasks.lumbar_mri import conditions, scores, sections

        series = {row.id: plane_of_row(row) for row in examples}
        graded = sections.of_answers(scores.tables_of(answers, series), bootstraps=bootstraps)
        return [*graded, *conditions.of_answers(answers, series, bootstraps=bootstraps)]

    def together(self, examples: Examples, results: Sequence[Result]) -> list[Result]:
        """Return one result an examination, with the grade of every question that was answered at its level and side."""
        from spinelab.tasks.lumbar_mri import sections

        return sections.together(examples, results)

    def tables(self, model: Model, results: Sequence[Result]) -> dict[str, str]:
        """Return the competition's submission and where its questions were asked.

        In the submission, what was withheld or refused gets the training data's weighted frequencies.
        """
        from spinelab.tasks.lumbar_mri import sections

        return sections.submission(model, results) | sections.coordinates(results)

    def shown(self, model: Model, study: Study) -> Study:
        """Return the slices on which the questions are graded: canal, foramina of either side, and the recesses of each level."""
        from spinelab.tasks.lumbar_mri import finding, pictures

        located = finding.located(model, study)
        return pictures.shown(located.study, located.places)

    def phantom(self, rng: np.random.Generator, difficulty: str = "typical") -> Example:
        from spinelab.tasks.lumbar_mri import phantom

        return phantom.phantom(rng, difficulty)

    def write_phantoms(self, out: Path, *, n: int, seed: int, difficulty: str = "typical", progress: Progress = silent) -> None:
        from spinelab.tasks.lumbar_mri import phantom

        phantom.write_phantoms(out, n=n, seed=seed, difficulty=difficulty, progress=progress)

    def prepare(self, study: Study, settings: Settings) -> Prepared:
        """Return the crop of the study's one place, slices as channels; `spinelab.tasks.lumbar_mri.inputs` says how."""
        from spinelab.tasks.lumbar_mri.inputs import prepare_place

        return prepare_place(study, _own(settings))

    def network(self, settings: Settings, classes: Sequence[str]) -> nn.Module:
        from spinelab.nn import grading_net
        from spinelab.tasks.lumbar_mri.grading import heads_of

        own = _own(settings)
        ordinal = ("severity",) if own.ordinal else ()
        return grading_net(own.model, heads_of(own), channels=own.channels, side=own.image_size, dropout=own.dropout, ordinal=ordinal)

    def loss(self, settings: Settings, counts: Sequence[int]) -> Callable[..., Any]:
        from spinelab.tasks.lumbar_mri.grading import GradeLoss

        return GradeLoss(_own(settings))

    def head_labels(self, examples: Examples, settings: Settings, labels: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the grade's code or, with two heads, codes of condition and grade."""
        if _own(settings).heads == "severity":
            return labels
        conditions, grades = ([names.index(label) for label in examples.labels(head)] for head, names in ((CONDITION, CONDITIONS), (SEVERITY, GRADE_NAMES)))
        return np.array([conditions, grades], dtype=np.int64).T

    def augmenter(self, settings: Settings) -> Any:
        from spinelab.tasks.lumbar_mri.augmenting import paper

        own = _own(settings)
        return paper if own.augment == "paper" else super().augmenter(settings)

    def probabilities(self, logits: Tensor, settings: Settings) -> NDArray[np.float64]:
        """Return the probabilities of the grades and, with two heads, of the conditions after them."""
        from spinelab.tasks.lumbar_mri.grading import shares_of

        return np.concatenate(shares_of(logits, _own(settings)), axis=1)

    def interpret(self, probabilities: NDArray[np.float64], model: Model, study_id: str) -> Result:
        """Return the findings of one question: ``severity`` and, with two heads, ``condition``."""
        grades, conditions = probabilities[: len(GRADE_NAMES)], probabilities[len(GRADE_NAMES) :]
        findings = [_most(SEVERITY, GRADE_NAMES, grades)] + ([_most(CONDITION, CONDITIONS, conditions)] if conditions.size else [])
        return Result(self.name, model.name, study_id, findings=tuple(findings))

    def fit(self, examples: Examples, settings: Settings, run: Run) -> Model:
        """Train a network for each kind of series, or one for all; examples are questions (`asked`) or examinations.

        Raises
        ------
        InputError
            If no question is marked in a picture, or the marked ones all have one grade.
        """
        own = _own(settings)
        rows = self.asked(examples, own)
        planes = Counter(plane_of_row(row) for row in rows if row.files)
        if not planes:
            raise InputError(f"{examples.root}: no graded question is marked in a picture", expected=LAYOUT, action="bring coordinates and pictures")
        names = sorted(planes) if own.planes == "separate" else [SHARED]
        parts = {}
        for number, name in enumerate(names):
            chosen = rows.subset([i for i, row in enumerate(rows) if row.files and (name == SHARED or plane_of_row(row) == name)])
            parts[name] = super().fit(chosen, own, part_of(run, name, number, len(names)))
        return joined(self.name, own, self.classes(rows, own), parts, data.grades_of(_examinations(rows)))

    def complete(self, model: Model, examples: Examples, run: Run) -> Model:
        """Also learn to find the levels, for examinations that come without coordinates."""
        from spinelab.tasks.lumbar_mri import finding

        return finding.with_levels(model, examples, run)

    def predict_many(self, model: Model, examples: Examples, run: Run) -> list[Result]:
        """Answer many questions, or many examinations one after the other; of an examination without marks where the model finds its levels."""
        if any(example.of is None for example in examples):
            return [replace(self.predict(model, example.open()), study=example.id) for example in examples]
        found = self._at_found_places(model, examples, run)
        parts = part_models(model)
        for number, (name, part) in enumerate(parts.items()):
            at = [i for i, row in enumerate(examples) if i not in found and (name == SHARED or plane_of_row(row) == name)]
            answers = super().predict_many(part, examples.subset(at), part_of(run, name, number, len(parts))) if at else []
            found |= dict(zip(at, answers, strict=True))
        return [found.get(i) or self._not_learnt(model, row) for i, row in enumerate(examples)]

    def predict(self, model: Model, study: Study) -> Result:
        """Answer all 25 questions of an examination; where nobody marked them, at the places that the model finds.

        Raises
        ------
        NotSureError
            If it is no lumbar MRI examination, or no level is found.
        """
        return self._read(model, study)[0]

    def _read(self, model: Model, study: Study) -> tuple[Result, dict[int, str]]:
        """Return the answer for an examination, and by question why some are withheld."""
        from spinelab.tasks.lumbar_mri import finding

        located = finding.located(model, study)
        answers = self._graded(model, located.study, located.places)
        withheld = dict(located.withheld)
        points = {place.target.question.place: place.point for place in located.places}
        findings, missing = [], dict[int, str]()
        for question in QUESTIONS:
            shares = answers.get(question.place)
            if shares is None:
                missing[question.place] = withheld.get(question.place, f"the model has learnt no {question.series} pictures")
            findings.append(_answer(question, shares, points.get(question.place)))
        notes = (*located.notes, *finding.withheld_notes(missing))
        return Result(self.name, model.name, study.id, findings=tuple(findings), notes=notes), missing

    def explain(self, model: Model, study: Study, how: Explaining | None = None) -> list[Explanation]:
        """Show where the networks looked, for the questions that are named, or those with the highest probability of the highest grade."""
        from spinelab.tasks.lumbar_mri.explaining import as_it_hangs

        how = how or Explaining()
        maps = []
        for place, part, asked in self._chosen(model, study, how):
            seen = super().explain(part, asked, replace(how, questions=()))
            maps += [as_it_hangs(one, asked, place, _own(model.settings)) for one in seen if one.view == MARKED]
        return maps

    def layers(self, model: Model, study: Study, how: Explaining | None = None) -> list[Sheet]:
        """Show the inside of the network that grades the first question that is named, or the one with the highest probability of the highest grade."""
        from spinelab.tasks.lumbar_mri.finding import said

        first = self._chosen(model, study, how or Explaining())[:1]
        return [replace(s, text=f"{s.text} {said(place)}.") for place, part, asked in first for s in super(LumbarMri, self).layers(part, asked)]

    def _chosen(self, model: Model, study: Study, how: Explaining) -> list[tuple[Place, Model, Study]]:
        """Return the places whose questions are explained, their networks, and the study with that one place."""
        from spinelab.tasks.lumbar_mri import explaining, finding

        located, parts = finding.located(model, study), part_models(model)
        answers = self._graded(model, located.study, located.places)
        ranked = sorted((p for p in located.places if p.target.question.place in answers), key=lambda p: -answers[p.target.question.place][-1])
        found = ((place, on_plane(parts, place)) for place in explaining.chosen(ranked, how.questions, SHOWN))
        return [(place, part, finding.asked_at(located.study, place)) for place, part in found if part is not None]

    def view_names(self, settings: Settings) -> tuple[str, ...]:
        """Return the names of the channels: the marked slice and its neighbours."""
        n = _own(settings).slices // 2
        around = (*(f"{step} before" for step in range(n, 0, -1)), MARKED, *(f"{step} after" for step in range(1, n + 1)))
        return around if _own(settings).shown == "crop" else (*around, "marker")

    def _graded(self, model: Model, study: Study, places: Iterable[Place]) -> dict[int, NDArray[np.float64]]:
        """Return the probabilities of the grades by question."""
        from spinelab.tasks.lumbar_mri import finding

        found: dict[int, NDArray[np.float64]] = {}
        parts = part_models(model)
        by_part: dict[str, list[Place]] = {}
        for place in places:
            key = SHARED if SHARED in parts else str(place.target.description)
            by_part.setdefault(key, []).append(place)
        for key, own in by_part.items():
            if key not in parts:
                continue
            inputs = [self.prepare(finding.asked_at(study, place), model.settings) for place in own]
            pixels, available = np.stack([i.pixels for i in inputs]), np.stack([i.available for i in inputs])
            shares = self._shares(self._live(parts[key]), model.settings, pixels, available)[:, : len(GRADE_NAMES)]
            found |= {place.target.question.place: row for place, row in zip(own, shares, strict=True)}
        return found

    def _at_found_places(self, model: Model, rows: Examples, run: Run) -> dict[int, Result]:
        """Return by position the answers of the questions whose examination nobody marked."""
        by_study: dict[str, list[int]] = {}
        for i, row in enumerate(rows):
            if row.of is not None and not data.is_marked(row.of):
                by_study.setdefault(row.of.id, []).append(i)
        if by_study and "levels" in model.record:
            run.tell(counted(len(by_study), "[examination comes|examinations come] without coordinates: [its|their] levels are found by the program."))
        found: dict[int, Result] = {}
        for done, at in enumerate(by_study.values(), 1):
            whole, missing = self._whole(model, rows[at[0]].of)
            found |= {i: _of_question(whole, missing, rows[i]) for i in at}
            run.progress(done, len(by_study), "finding the levels")
        return found

    def _whole(self, model: Model, example: Example) -> tuple[Result, dict[int, str]]:
        """Return the answer for an examination and by question why some have none; of one that cannot be read, the reason for all of them."""
        try:
            return self._read(model, example.open())
        except NotSureError as refusal:
            return Result(self.name, model.name, example.id), dict.fromkeys(range(len(QUESTIONS)), str(refusal.given))

    def _missing(self, model: Model, available: NDArray[np.bool_]) -> str:
        return "no picture of this examination shows where it is marked"

    def _not_learnt(self, model: Model, row: Example) -> Result:
        return Result(self.name, model.name, row.id, notes=(f"No answer: the model has learnt no {plane_of_row(row)} pictures.",))


def _most(name: str, classes: Sequence[str], shares: NDArray[np.float64]) -> Finding:
    return Finding(name, classes[int(np.argmax(shares))], {label: float(p) for label, p in zip(classes, shares, strict=True)})


def _answer(question: Question, shares: NDArray[np.float64] | None, point: SlicePoint | None) -> Finding:
    if shares is None:
        return question.answer(None)
    most = _most("", GRADE_NAMES, shares)
    return replace(question.answer(most.label, dict(most.probabilities)), place=point)


def _of_question(whole: Result, missing: Mapping[int, str], row: Example) -> Result:
    """Return one question's part of the answer for its examination, or why it has none."""
    _, question = question_of_row(row.id)
    if question.place in missing:
        return replace(whole, study=row.id, findings=(), notes=(f"No answer: {missing[question.place]}.",))
    own = whole.finding(question.finding, site=question.level, side=question.side)
    return replace(whole, study=row.id, findings=() if own is None else (replace(own, name=SEVERITY, site=None, side=None),))


def _examinations(rows: Examples) -> Examples:
    """Return the whole examinations of these questions."""
    return replace(rows, items=tuple({row.of.id: row.of for row in rows if row.of is not None}.values()))


def _own(settings: Settings) -> LumbarMriSettings:
    if not isinstance(settings, LumbarMriSettings):
        raise InputError(f"Settings of type {type(settings).__name__}", expected="LumbarMriSettings", action="make them with spinelab.tasks.load('lumbar-mri')")
    return settings
