"""Where the questions of an examination are asked: at the readers' marks, or where the level finder puts them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from spinelab.core import Examples, Fact, InputError, Model, NotSureError, Run, Study
from spinelab.tasks.lumbar_mri.parts import LEVELS
from spinelab.tasks.lumbar_mri.targets import LATERALITY, QUESTIONS

if TYPE_CHECKING:
    from spinelab.tasks.lumbar_mri.places import Place

MOST: Final = 0.99
"""No more is claimed: a transitional vertebra is not seen on lumbar slices."""
SURE: Final = 0.9
"""Probability of the level names below which an answer says that they are not certain."""


@dataclass(frozen=True, eq=False)
class Asked:
    """An examination with its series told apart, the places of its questions, and why others have none."""

    study: Study
    places: tuple[Place, ...]
    withheld: Mapping[int, str]
    notes: tuple[str, ...]


def with_levels(model: Model, examples: Examples, run: Run) -> Model:
    """Return the model with a level finder learnt from the same examinations; without one, and why, where too few are marked."""
    from spinelab.tasks.lumbar_mri.levels import LevelSettings, fit_levels

    try:
        tensors, record = fit_levels(examples, LevelSettings(seed=model.record["seed"]), run)
    except InputError as error:
        told = f"No level finder was learnt ({error.given}): only examinations with coordinates can be graded."
        run.tell(told)
        model.record["notes"] = [*model.record.get("notes", ()), told]
        return model
    model.tensors = {**model.tensors, **{f"{LEVELS}{name}": values for name, values in tensors.items()}}
    model.record["levels"] = record
    return model


def located(model: Model, study: Study) -> Asked:
    """Return where the questions are asked; asked again for the same study, what was found before."""
    last: tuple[Study, Asked] | None = model.kept.get("located")
    if last is None or last[0] is not study:
        last = model.kept["located"] = study, _located(model, study)
    return last[1]


def _located(model: Model, study: Study) -> Asked:
    """Return where the questions are asked.

    Raises
    ------
    NotSureError
        If nobody marked the examination, and the model cannot find its levels.
    """
    from spinelab.tasks.lumbar_mri.bare import read_bare

    marks = study.facts.get("places")
    told = _told(study)
    if marks is not None and marks.value:
        absent = {q.place: "it is marked in no picture of this examination" for q in QUESTIONS if all(p.target.question != q for p in marks.value)}
        return Asked(study, tuple(marks.value), absent, (*told, f"Graded where the readers marked it. {LATERALITY}"))
    arranged = read_bare(study)
    record: Mapping[str, Any] | None = model.record.get("levels")
    if record is None:
        raise NotSureError(
            f"{study.id} comes without coordinates, and {model.name} has no level finder",
            expected="coordinates of the questions, or a model made by `spinelab fit lumbar-mri`",
            action="train a model with `spinelab fit`; models of a comparison find no levels",
        )
    found = _finder(model, record).find(arranged)
    certainty = _certainty(found.certainty, record.get("names", {}))
    notes = (*_told(arranged), *series_told(arranged, found.places), certainty, *found.notes, LATERALITY)
    return Asked(arranged, found.places, found.withheld, notes)


def _finder(model: Model, record: Mapping[str, Any]) -> Any:
    """Return the model's level finder, made on first use."""
    from spinelab.tasks.lumbar_mri.levels import LevelFinder

    if "finder" not in model.kept:
        own = {name.removeprefix(LEVELS): values for name, values in model.tensors.items() if name.startswith(LEVELS)}
        model.kept["finder"] = LevelFinder(own, record)
    return model.kept["finder"]


def _told(study: Study) -> tuple[str, ...]:
    notes = study.facts.get("notes")
    return tuple(notes.value) if notes is not None and notes.known else ()


def series_told(study: Study, places: Sequence[Place]) -> tuple[str, ...]:
    """Return which series were graded on, and which of those that could have been were not."""
    kinds = {str(image.facts["series_id"].value): str(image.facts["description"].value) for image in study.images}
    used = {place.target.mark.series for place in places if place.target.mark is not None}
    read = ", ".join(f"{name} ({kind})" for name, kind in kinds.items() if name in used)
    graded = (f"Graded on series {read}.",) if read else ()
    return (*graded, *(_left_out(name, kinds, used) for name in kinds if name not in used))


def _left_out(name: str, kinds: Mapping[str, str], used: Collection[str]) -> str:
    """Return why no question is graded on a series."""
    instead = ", ".join(other for other, kind in kinds.items() if other in used and kind == kinds[name])
    why = f"its questions are graded on {instead}" if instead else "none of its questions could be placed on it"
    return f"Series {name} ({kinds[name]}) was left out: {why}."


def _certainty(share: float, learnt: Mapping[str, Any]) -> str:
    """Return how sure the names are, and what that rests on."""
    if share < SURE:
        return f"The levels were found by the program and their names are NOT certain ({share:.0%}): they may be one level off."
    basis = (
        f"they were on {learnt['right']} of {learnt['films']} examinations kept from training" if learnt else "by its own maps, checked on no other examination"
    )
    return f"The levels were found by the program; their names are right with a probability of {min(share, MOST):.0%} ({basis})."


def asked_at(study: Study, place: Place) -> Study:
    """Return the examination with this one place."""
    return replace(study, facts={**study.facts, "places": Fact((place,), "the question")})


def said(place: Place) -> str:
    """Return a question in words, with the series in which it is asked."""
    return f"{place.target.question.words}, {place.target.description}"


def withheld_notes(missing: Mapping[int, str]) -> tuple[str, ...]:
    """Return one sentence a reason, with the questions that are withheld for it."""
    by_reason: dict[str, list[str]] = {}
    for place, reason in missing.items():
        by_reason.setdefault(reason, []).append(QUESTIONS[place].words)
    return tuple(f"Withheld, {reason}: {', '.join(names)}." for reason, names in by_reason.items())
