"""Phantom patients in the task's own layout: 12-bit DICOM films, landmarks, subjects, and the truth."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from spinelab.core import Example, Fact, Image, Measurement, Progress, Result, Study, silent
from spinelab.core.study import NORMAL_PRESACRAL
from spinelab.io import write_dx
from spinelab.io.landmark_tables import Film, Subject, film_of
from spinelab.io.marked_films import FOLDER, write_marked
from spinelab.phantoms import WholeSpineFilm, whole_spine, write_marker, write_truth
from spinelab.phantoms.visits import Visit, dx_header, patient_spacing_mm, plan, taken
from spinelab.tasks.whole_spine.data import TASK_NAME, truth_of
from spinelab.tasks.whole_spine.measure import as_landmarks

AUTHOR: Final = "phantom"
_SAME: Final = (0, 1, 2, 4)
"""Streams of chance that a patient's films share: person, stance, side and metal, anatomy; placement and exposure are each film's own."""


class _Streams(np.random.Generator):
    """Hands out the seeds of a patient's film: those of `_SAME` are the patient's, the others the visit's."""

    def __init__(self, seed: Sequence[int], visit: int) -> None:
        super().__init__(np.random.PCG64(list(seed)))
        self._other = np.random.default_rng([*seed, visit]) if visit else None

    def integers(self, *args: Any, **kwargs: Any) -> Any:
        drawn = super().integers(*args, **kwargs)
        if self._other is None or np.ndim(drawn) == 0:
            return drawn
        again = self._other.integers(*args, **kwargs)
        return np.array([own if at in _SAME else new for at, (own, new) in enumerate(zip(drawn, again, strict=True))])


def phantom(rng: np.random.Generator, difficulty: str = "typical") -> Example:
    """Draw one film; the study is held in memory and looks as if read from disk."""
    film = whole_spine(rng, difficulty=difficulty)
    name = "phantom"
    image = Image(
        film.pixels,
        spacing_mm=_spacing(film),
        modality=Fact("DX", AUTHOR),
        view=Fact("LATERAL", AUTHOR),
        window=film.window,
        facts={"magnification": Fact(film.magnification, AUTHOR)},
        source="phantom film",
    )
    facts = {"sex": Fact(film.patient.sex, AUTHOR), "age_years": Fact(float(film.patient.age_years), AUTHOR), "spacing_mm": _spacing(film)}
    study = Study(name, images=(image,), patient=Fact(name, AUTHOR), sex=facts["sex"], age_years=facts["age_years"])
    return Example(name, truth(film, name), lambda: study, name, {}, facts)


def truth(film: WholeSpineFilm, study: str) -> Result:
    """Return landmarks and parameters as they show on the film, and below them what was drawn in space (``drawn_pi``, ...)."""
    points = as_landmarks({name: (round(x, 3), round(y, 3)) for name, (x, y) in film.landmarks.items()})
    result = truth_of(study, points, _spacing(film), author=AUTHOR, notes=tuple(_notes(film)))
    drawn = [Measurement(f"drawn_{name}", round(float(value), 4), "mm" if name == "sva" else "deg") for name, value in film.drawn.items()]
    return Result(result.task, AUTHOR, study, result.findings, (*result.measurements, *drawn), points, notes=result.notes)


def _notes(film: WholeSpineFilm) -> Iterable[str]:
    yield "Phantom: drawn, no patient."
    yield f"The patient faces the {film.facing} of the picture."
    if film.presacral != NORMAL_PRESACRAL:
        yield f"{film.presacral} vertebrae above the sacrum; levels are counted from the skull down."
    if film.implants:
        yield f"Pedicle screws from {film.implants[0]} to {film.implants[-1]}."


def _spacing(film: WholeSpineFilm) -> Fact:
    return Fact(patient_spacing_mm(film), AUTHOR)


def write_phantoms(out: Path, *, n: int, seed: int, difficulty: str = "typical", progress: Progress = silent, scale: float = 1.0) -> None:
    """Write ``n`` films with landmarks.csv, subjects.csv, truth.json and PHANTOM.json.

    Most patients have one film, a fifth a second one up to two years later in the same stance: what a reader finds changed between
    those two is the error of measurement. Every film depends only on the seed and its patient, so the same seed gives the same bytes.
    """
    visits = plan(n, seed)
    out = Path(out)
    (out / FOLDER).mkdir(parents=True, exist_ok=True)

    def one(visit: Visit) -> tuple[Film, Subject, Result]:
        film = whole_spine(_Streams((seed, visit.patient), visit.number), difficulty=difficulty, scale=scale)
        write_dx(
            out / FOLDER / visit.file, film.pixels, view="LATERAL", description="Whole spine lateral, phantom", **dx_header(film, visit, difficulty)
        )  # fmt: skip
        found = truth(film, visit.file)
        return film_of(visit.patient_id, found), Subject(film.patient.age_years, film.patient.sex, visit.site, film.presacral), found

    films, subjects, results = zip(*taken(visits, lambda own: [one(visit) for visit in own], progress), strict=True)
    write_marked(out, films, subjects)
    write_truth(out, results)
    write_marker(out, task=TASK_NAME, n=n, seed=seed, difficulty=difficulty)
