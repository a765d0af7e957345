"""Where a model looked on every examination whose truth tells where it should: the pointing game, for right and for wrong answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from spinelab.core import Examples, Explaining, Model, Run, SpinelabError, Task
from spinelab.evaluation.cluster import clustered_wilson
from spinelab.evaluation.types import Predictions
from spinelab.experiments import words
from spinelab.experiments.side_by_side import anatomy_of

MOST: Final = 200
"""Examinations that are looked into; more are drawn from by chance."""
TITLE: Final = "Where it looked"
COLUMNS: Final = ("Answers", "Maps", "Highest inside", "Mean share of the map inside", "Share of a map that says nothing")


@dataclass(frozen=True, slots=True)
class Look:
    """One map against the anatomy: whether the answer was right, the class that the truth tells, and `spinelab.explain.Inside`."""

    right: bool
    truth: str
    patient: str
    method: str
    peak_inside: bool
    share: float
    area: float


def looked(task: Task, model: Model, examples: Examples, answers: Predictions, run: Run) -> list[dict[str, Any]]:
    """Return a section on where the model looked; nothing where no truth tells where to look, or the model shows no maps.

    ``answers`` belong to ``examples``, one each and in their order. One map an examination and view is made, of the answer that was given.
    """
    looks = list(_looks(task, model, examples, answers, run))
    if not looks:
        return []
    right = [look for look in looks if look.right]
    rows = [_row("right answers", right), _row("wrong answers", [look for look in looks if not look.right])]
    if len(set(answers.truth.tolist())) > 1:
        rows += [_row(f"right, {name}", [look for look in right if look.truth == name]) for name in answers.classes]
    table = {"columns": list(COLUMNS), "rows": [*filter(None, rows)]}
    return [{"title": TITLE, "text": _words(looks, right, len(examples)), "table": table}]


def _looks(task: Task, model: Model, examples: Examples, answers: Predictions, run: Run) -> Iterator[Look]:
    given = answers.probabilities[0].argmax(axis=1)
    drawn = np.sort(np.random.default_rng(0).permutation(len(examples))[:MOST])
    for done, index in enumerate(drawn.tolist(), 1):
        run.progress(done, len(drawn), "looking where it looked")
        example = examples[index]
        for facts, method in _maps(task, model, example):
            inside = facts["inside"]
            truth = int(answers.truth[index])
            yield Look(bool(given[index] == truth), answers.classes[truth], example.group, method, bool(inside["peak_inside"]), inside["share"], inside["area"])


def _maps(task: Task, model: Model, example: Any) -> Iterator[tuple[Mapping[str, Any], str]]:
    """Yield what is known of each map of an examination that was held against the anatomy."""
    regions = anatomy_of(task, example)
    if not regions:
        return
    try:
        maps = task.explain(model, example.open(), Explaining(checks=(), regions=regions))
    except SpinelabError:
        return
    yield from ((one.facts, one.method) for one in maps if one.facts.get("inside"))


def _row(name: str, looks: Sequence[Look]) -> list[Any]:
    if not looks:
        return []
    hits = clustered_wilson([look.peak_inside for look in looks], [look.patient for look in looks])
    shares = [f"{np.mean([getattr(look, part) for look in looks]):.0%}" for part in ("share", "area")]
    return [name, len(looks), words.say(hits), *shares]


def _words(looks: Sequence[Look], right: Sequence[Look], examinations: int) -> str:
    methods = " and ".join(sorted({look.method for look in looks}))
    told = [f"{methods} of the answer given, on the examinations whose truth tells where to look: a drawn lesion, or what the landmarks enclose."]
    if examinations > MOST:
        told.append(f"{MOST} of {examinations} examinations, drawn by chance.")
    if right:
        hits = sum(look.peak_inside for look in right)
        told.append(f"Where the answer was right, the map was highest inside on {hits} of {len(right)}.")
    told.append("A map inside does not make an answer right, and maps of few cells can miss a small lesion that the network saw.")
    return " ".join(told)
