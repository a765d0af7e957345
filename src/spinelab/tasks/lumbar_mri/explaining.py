"""Which questions of an examination are explained, and where in the patient their maps lie."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from spinelab.core import Explanation, Study, TaskError
from spinelab.geometry.planes import hang, opposite, picture_directions
from spinelab.tasks.lumbar_mri import finding
from spinelab.tasks.lumbar_mri.inputs import in_patient, series_of, slice_number
from spinelab.tasks.lumbar_mri.parts import is_mirrored
from spinelab.tasks.lumbar_mri.places import Place
from spinelab.tasks.lumbar_mri.settings import LumbarMriSettings
from spinelab.tasks.lumbar_mri.targets import LEVEL_NAMES, PLANES, QUESTIONS, Question

OTHER_WORDS: Final = {
    "spinal_canal_stenosis": ("central", "central canal"),
    "neural_foraminal_narrowing": ("foramen", "foramina", "neuroforaminal"),
    "subarticular_stenosis": ("recess", "recesses", "lateral"),
}
"""What readers call a condition besides its name."""

_LEVEL: Final = re.compile(r"\bl(\d)\s*[-/]?\s*([ls]?)(\d)\b")
_FILLERS: Final = frozenset({"at", "of", "the", "on"})


def named(text: str) -> tuple[Question, ...]:
    """Return the questions that have all words of a text, in any order: ``L4/L5 left foraminal``, ``left_neural_foraminal_narrowing_l4_l5``, ``l4-5 canal``.

    Raises
    ------
    TaskError
        If there is none.
    """
    spaced = re.sub(r"[\s_,]+", " ", text.lower())
    words = set(_LEVEL.sub(_level, spaced).split()) - _FILLERS
    found = tuple(question for question in QUESTIONS if words and words <= _words(question))
    if found:
        return found
    conditions = "; ".join(f"{name.replace('_', ' ')} ({', '.join(more)})" for name, more in OTHER_WORDS.items())
    raise TaskError(
        f"No question {text!r}",
        expected=f"a level ({', '.join(LEVEL_NAMES)}), a side (left, right; the canal has none) and a condition ({conditions}), or some of these",
        action="name it with these words, such as 'L4/L5 left foraminal'",
    )


def _level(found: re.Match[str]) -> str:
    """Return a level as it is usually written: ``l4-5`` and ``l4 l5`` are ``l4/l5``, ``l5-1`` is ``l5/s1``."""
    upper, letter, lower = found.groups()
    return f"l{upper}/{letter or ('s' if (upper, lower) == ('5', '1') else 'l')}{lower}"


def _words(question: Question) -> set[str]:
    more = " ".join(OTHER_WORDS[question.finding])
    return set(f"{question.words} {more}".lower().split())


def chosen(ranked: Sequence[Place], texts: Sequence[str], most: int) -> list[Place]:
    """Return the places whose questions are explained: those that are named, in that order, or the first ``most``.

    Raises
    ------
    TaskError
        If a question has no name like that, or none of those that have was graded.
    """
    if not texts:
        return list(ranked[:most])
    by_question = {place.target.question: place for place in ranked}
    found: dict[Question, Place] = {}
    for text in texts:
        asked = [question for question in named(text) if question in by_question]
        if not asked:
            raise TaskError(f"{text!r} was not graded in this examination", expected="a question with an answer", action="see in its notes why it is withheld")
        found |= {question: by_question[question] for question in asked}
    return list(found.values())


def as_it_hangs(seen: Explanation, study: Study, place: Place, settings: LumbarMriSettings) -> Explanation:
    """Return a map of one question with the patient's left on the right of an axial picture, and where in the patient it is highest."""
    mirrored = is_mirrored(place, settings)
    if mirrored:
        seen = replace(seen, picture=seen.picture[:, ::-1].copy(), heat=seen.heat[:, ::-1].copy())
    series = series_of(study, place)
    right, _ = picture_directions(hang(series.plane(place.index), series.facts["slice_affines"].value[place.index], PLANES)[1])
    number = slice_number(series, place.index)
    where = {
        "series": str(series.facts["series_id"].value),
        "description": str(place.target.description),
        "slice": number,
        "peak_mm": None if seen.peak is None else [round(value, 1) for value in in_patient(study, place, settings, *seen.peak)],
        "turned_back": mirrored,
        "edges": [opposite(right), right],
    }
    return replace(seen, view=f"{finding.said(place)}, slice {number}", facts={**seen.facts, "where": where})
