"""Where a model looked on every examination whose truth tells where it should: the pointing game, for right and for wrong answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from spinelab.core import Example, Examples, Explaining, Explanation, Model, Run, SpinelabError, Task
from spinelab.evaluation.cluster import clustered_wilson
from spinelab.evaluation.types import Predictions
from spinelab.experiments import words
from spinelab.experiments.side_by_side import anatomy_of, opened_once

MOST: Final = 200
"""Examinations that are looked into; more are drawn from by chance."""
TITLE: Final = "Where it looked"
COLUMNS: Final = (
    "Map",
    "Answers",
    "Maps",
    "Highest inside",
    "How far beside (median, of the side)",
    "Mean share of the map inside",
    "Share of a map that says nothing",
)


@dataclass(frozen=True, slots=True)
class Look:
    """One map against the anatomy: whether the answer was right, the class that the truth tells, and `spinelab.explain.Inside`.

    ``beside`` is how far the highest place lies from the anatomy, as a share of the film's longer side; 1 where the map is empty. ``cell`` is the side of the
    cells that the map was enlarged from, as the same share, where it was.
    """

    right: bool
    truth: str
    patient: str
    method: str
    peak_inside: bool
    beside: float
    share: float
    area: float
    cell: float | None


def looked(task: Task, model: Model, examples: Examples, answers: Predictions, run: Run, methods: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """Return a section on where the model looked; nothing where no truth tells where to look, or the model shows no maps.

    ``answers`` belong to ``examples``, one each and in their order. One map an examination, view and method (`Explaining.methods`) is made, of the answer
    that was given.
    """
    looks = list(_looks(task, model, examples, answers, run, methods))
    if not looks:
        return []
    rows = [row for method in dict.fromkeys(look.method for look in looks) for row in _rows(method, [x for x in looks if x.method == method], answers)]
    return [{"title": TITLE, "text": _words(looks, len(examples)), "table": {"columns": list(COLUMNS), "rows": rows}}]


def _rows(method: str, looks: Sequence[Look], answers: Predictions) -> list[list[Any]]:
    """Return the rows of one method: right and wrong answers, and the right ones class by class."""
    right = [look for look in looks if look.right]
    parts = {"right answers": right, "wrong answers": [look for look in looks if not look.right]}
    if len(set(answers.truth.tolist())) > 1:
        parts |= {f"right, {name}": [look for look in right if look.truth == name] for name in answers.classes}
    return [[method, *_row(name, part)] for name, part in parts.items() if part]


def _looks(task: Task, model: Model, examples: Examples, answers: Predictions, run: Run, methods: tuple[str, ...]) -> Iterator[Look]:
    right = answers.answers[0] == answers.truth
    drawn = np.sort(np.random.default_rng(0).permutation(len(examples))[:MOST])
    for done, index in enumerate(drawn.tolist(), 1):
        run.progress(done, len(drawn), "looking where it looked")
        example = opened_once(examples[index])
        truth = answers.classes[int(answers.truth[index])]
        for one in _maps(task, model, example, methods):
            inside = one.facts["inside"]
            side = max(one.heat.shape)
            beside = 1.0 if inside["beside_px"] is None else inside["beside_px"] / side
            cell = one.facts["cell_px"] / side if "cell_px" in one.facts else None
            hit = bool(inside["peak_inside"])
            yield Look(bool(right[index]), truth, example.group, one.method, hit, beside, inside["share"], inside["area"], cell)


def _maps(task: Task, model: Model, example: Example, methods: tuple[str, ...]) -> Iterator[Explanation]:
    """Yield the maps of an examination that were held against the anatomy."""
    regions = anatomy_of(task, example)
    if not regions:
        return
    try:
        maps = task.explain(model, example.open(), Explaining(methods, checks=(), regions=regions))
    except SpinelabError:
        return
    yield from (one for one in maps if one.facts.get("inside"))


def _row(name: str, looks: Sequence[Look]) -> list[Any]:
    hits = clustered_wilson([look.peak_inside for look in looks], [look.patient for look in looks])
    shares = [f"{np.mean([getattr(look, part) for look in looks]):.0%}" for part in ("share", "area")]
    return [name, len(looks), words.say(hits), f"{np.median([look.beside for look in looks]):.0%}", *shares]


def _words(looks: Sequence[Look], examinations: int) -> str:
    methods = list(dict.fromkeys(look.method for look in looks))
    told = ["The answer given, on the examinations whose truth tells where to look: a drawn lesion, or what the landmarks enclose."]
    if examinations > MOST:
        told.append(f"{MOST} of {examinations} examinations, drawn by chance.")
    for method in methods:
        right = [look for look in looks if look.right and look.method == method]
        if right:
            told.append(f"Where the answer was right, {method} was highest inside on {sum(look.peak_inside for look in right)} of {len(right)}.")
    told.append("A map inside does not make an answer right.")
    cells = {look.method: look.cell for look in looks if look.cell is not None}
    if cells:
        drawn = ", ".join(f"{method} from cells of {cell:.0%} of a side" for method, cell in cells.items())
        told.append(f"Drawn from cells: {drawn}. Such a map can be highest half a cell beside a small lesion that the network saw.")
    return " ".join(told)
