"""The films on which a model was furthest from the truth, and those that it names surely otherwise, with both drawn over them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spinelab.core import Example, InputError, Result, Settings, Stroke, Task
from spinelab.experiments.disputed import film_words
from spinelab.experiments.measured_words import amount, lower_first, main_quantity
from spinelab.io import to_uint8
from spinelab.report.film_drawing import holds
from spinelab.report.measured import Measured, ShownFilm

SHOWN: Final = 10
_PLACES: Final = ("outline", "landmark")


def with_galleries(measured: Measured, task: Task, settings: Settings, examples: Sequence[Example], answers: Sequence[Result]) -> Measured:
    """Return the measurements with the ten worst films: by the error of the first quantity, else by the median error of the landmarks.

    Up to ten films that the model names surely and otherwise than the truth go with them. A film that was answered in several repeats is shown once: by its
    worst answer, and by the one that is disputed.
    """
    errors, by = _errors(measured)
    known = np.flatnonzero(np.isfinite(errors))
    ordered = known[np.argsort(-errors[known], kind="stable")].tolist()
    of_film = {measured.images[row]: row for row in reversed(ordered)}
    worst = [row for row in ordered if of_film[measured.images[row]] == row][:SHOWN]

    def draw(result: Result) -> Sequence[Stroke]:
        return task.drawing(result, settings)

    shown = (_shown(examples[row], answers[row], draw, _facts(measured, row, answers[row])) for row in worst)
    rows = {(measured.images[row], measured.remarks[row].certainty): row for row in reversed(range(len(examples)))}
    named = ((rows[film["image"], film["certainty"]], film) for film in _disputed(measured))
    disputed = (_shown(examples[row], answers[row], lambda result: _places(draw(result)), (film_words(film),)) for row, film in named)
    return replace(measured, shown=_there(shown), worst_by=by, disputed=_there(disputed))


def _disputed(measured: Measured) -> Sequence[Mapping[str, Any]]:
    films: Sequence[Mapping[str, Any]] = ((measured.levels or {}).get("disputed") or {}).get("films", ())
    return films[:SHOWN]


def _places(strokes: Sequence[Stroke]) -> Sequence[Stroke]:
    """Return where the landmarks and vertebrae are, without what is measured between them, if that is drawn apart."""
    return [stroke for stroke in strokes if stroke.role in _PLACES] or strokes


def _there(films: Iterable[ShownFilm | None]) -> tuple[ShownFilm, ...]:
    return tuple(film for film in films if film is not None)


def _errors(measured: Measured) -> tuple[NDArray[np.float64], str]:
    quantity = main_quantity(measured)
    if quantity is not None:
        return np.abs(quantity.value - quantity.truth), f"error of the {lower_first(quantity.title)}"
    if measured.landmarks is None:
        return np.full(len(measured.images), np.nan), ""
    return _median_rows(measured.landmarks.error_px), "median error of the landmarks"


def _median_rows(table: NDArray[np.float64]) -> NDArray[np.float64]:
    known = np.isfinite(table).any(axis=1)
    medians = np.full(len(table), np.nan)
    medians[known] = np.nanmedian(table[known], axis=1)
    return medians


def _shown(example: Example, answer: Result, draw: Callable[[Result], Sequence[Stroke]], facts: Sequence[str]) -> ShownFilm | None:
    truth, drawn = tuple(draw(example.truth)), tuple(draw(answer))
    picture = _picture(example, (*truth, *drawn))
    return None if picture is None else ShownFilm(example.id, picture, truth, drawn, tuple(facts))


def _facts(measured: Measured, row: int, answer: Result) -> tuple[str, ...]:
    facts = [
        f"{q.title}: {amount(float(q.value[row]), q.unit)}{_limits(float(q.lo[row]), float(q.hi[row]), q.unit)}, truth {amount(float(q.truth[row]), q.unit)}"
        for q in measured.quantities
        if q.paired[row]
    ][:3]
    if measured.landmarks is not None and np.isfinite(measured.landmarks.error_px[row]).any():
        facts.append(f"landmarks {amount(float(np.nanmedian(measured.landmarks.error_px[row])), 'px')} off in the median")
    return (*facts, *answer.notes[:1])


def _limits(lo: float, hi: float, unit: str) -> str:
    return f" ({amount(lo, unit)} to {amount(hi, unit)})" if np.isfinite(lo) and np.isfinite(hi) else ""


def _picture(example: Example, strokes: Sequence[Stroke]) -> NDArray[np.uint8] | None:
    """Return the first film that holds the strokes, as a picture; ``None`` where it cannot be shown."""
    try:
        images = example.open().images
        image = next((image for image in images if holds(strokes, image.shape_yx)), images[0] if images else None)
        return None if image is None else to_uint8(image)
    except InputError:
        return None
