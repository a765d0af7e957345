"""One example a question: the examination's series are opened once for all of them."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from spinelab.core import Example, Examples, Fact, Finding, Result, Study
from spinelab.tasks.lumbar_mri.settings import CONDITION, SEVERITY
from spinelab.tasks.lumbar_mri.targets import QUESTIONS, TASK_NAME, Question

KEPT: Final = 4
"""Examinations kept open: questions come examination by examination, and a few at a time are decoded side by side."""


class Shelf:
    """The last few examinations that were opened."""

    def __init__(self) -> None:
        self._studies: OrderedDict[str, Study] = OrderedDict()
        self._locks: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    def open(self, example: Example) -> Study:
        """Return the examination, opened once however many questions there are about it."""
        with self._lock:
            own = self._locks.setdefault(example.id, threading.Lock())
        with own:
            with self._lock:
                known = self._studies.get(example.id)
            if known is not None:
                return known
            study = example.open()
            with self._lock:
                self._studies[example.id] = study
                while len(self._studies) > KEPT:
                    self._studies.popitem(last=False)
            return study


def row_id(study: str, question: Question) -> str:
    """Return the name of a question about an examination, as in the competition's submission."""
    return f"{study}_{question.column}"


def question_of_row(name: str) -> tuple[str, Question]:
    """Return examination and question of such a name."""
    question = next(q for q in QUESTIONS if name.endswith(f"_{q.column}"))
    return name[: -len(question.column) - 1], question


def questions_of(examples: Examples, series_files: Callable[[Example, Question], Mapping[str, Path]]) -> Examples:
    """Return one example for every graded question; ``series_files`` gives the files that its crop is made of."""
    shelf = Shelf()
    rows = [row for example in examples for row in _rows(example, shelf, series_files)]
    return replace(examples, items=tuple(rows))


def _facts(example: Example, question: Question) -> dict[str, Fact]:
    """Return what is known of a question; the plane is that of the series on which it is marked."""
    facts = {**example.facts, **facts_of(question)}
    targets = facts.pop("targets", None)
    facts.pop("folder", None)
    marked = targets.value[question.place].description if targets is not None else None
    return facts if marked is None else facts | {"plane": Fact(marked, "series")}


def _rows(example: Example, shelf: Shelf, series_files: Callable[[Example, Question], Mapping[str, Path]]) -> Sequence[Example]:
    rows = []
    for question in QUESTIONS:
        graded = example.truth.finding(question.finding, site=question.level, side=question.side)
        if graded is None or graded.label is None:
            continue
        name = row_id(example.id, question)
        findings = (replace(graded, name=SEVERITY, site=None, side=None), Finding(CONDITION, question.condition_name))
        truth = Result(TASK_NAME, example.truth.model, name, findings=findings)
        files = series_files(example, question)
        rows.append(Example(name, truth, partial(_one, shelf, example, question, name), example.group, files, _facts(example, question), of=example))
    return rows


def facts_of(question: Question) -> dict[str, Fact]:
    """Return what is known of a question before anything is opened, by which an evaluation is split up."""
    side = question.side or "midline"
    return {
        "condition": Fact(question.finding.replace("_", " "), "question"),
        "level": Fact(question.level, "question"),
        "side": Fact(side, "question"),
        "plane": Fact(question.series, "question"),
    }


def _one(shelf: Shelf, example: Example, question: Question, name: str) -> Study:
    """Return the examination with this question's place alone."""
    study = shelf.open(example)
    places = study.facts.get("places")
    own = tuple(place for place in (places.value if places is not None else ()) if place.target.question == question)
    return replace(study, id=name, facts={**study.facts, "places": Fact(own, places.source if places is not None else "none")})
