"""Phantoms for the task ``scoliosis``: AP films with one to three curves, in the AASCE layout or as DICOM films with a table of landmarks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from spinelab.core import Example, Fact, Image, Progress, Result, Study, silent, unknown
from spinelab.io import write_dx
from spinelab.io.landmark_tables import Film, Subject, film_of
from spinelab.io.marked_films import FOLDER, write_marked
from spinelab.phantoms import ScoliosisFilm, scoliosis_collection, scoliosis_film, write_aasce, write_marker, write_truth
from spinelab.phantoms.scoliosis import scoliosis_visits
from spinelab.phantoms.visits import Visit, dx_header, patient_spacing_mm, plan, taken
from spinelab.tasks.scoliosis import data
from spinelab.tasks.scoliosis.films import VIEW, points_of
from spinelab.tasks.scoliosis.settings import ScoliosisSettings
from spinelab.tasks.scoliosis.truth import truth

SPLIT: Final = "training"
_AUTHOR: Final = "phantom"


def phantom(rng: np.random.Generator, difficulty: str = "typical") -> Example:
    """Draw one film; the study is held in memory."""
    film = scoliosis_film(rng, difficulty=difficulty)
    image = Image(film.pixels, view=Fact("AP", _AUTHOR), spacing_mm=unknown("a JPG does not state it"), source="phantom film")
    study = Study("phantom", images=(image,), patient=Fact("phantom", _AUTHOR))
    points, threshold = points_of(film.levels, film.corners), ScoliosisSettings().threshold_deg
    return Example("phantom", truth(points, "phantom", film.pixels.shape[0], threshold, author=_AUTHOR), lambda: study, "phantom")


def write_phantoms(out: Path, *, n: int, seed: int, difficulty: str = "typical", progress: Progress = silent, scale: float = 1.0, split: str = SPLIT) -> None:
    """Write ``n`` films in the layout of the challenge, and ``truth.json`` with all that the task measures on the drawn corners."""
    write_aasce(out, scoliosis_collection(n, seed=seed, difficulty=difficulty, scale=scale), split, seed=seed, difficulty=difficulty, progress=progress, n=n)
    (out / "labels" / split / "truth.json").unlink(missing_ok=True)
    write_truth(out, [replace(e.truth, model=_AUTHOR) for e in data.examples(out, ScoliosisSettings().threshold_deg)])


def film_truth(film: ScoliosisFilm, study: str) -> Result:
    """Return what is true of a film whose header states its spacing: corners to a thousandth of a pixel, and all that the task measures on them."""
    points = points_of(film.levels, film.corners.round(3))
    spacing, threshold = patient_spacing_mm(film), ScoliosisSettings().threshold_deg
    found = truth(points, study, film.pixels.shape[0], threshold, spacing_mm=spacing, presacral=film.presacral, author=_AUTHOR)
    return replace(found, notes=(*_notes(film), *found.notes))


def _notes(film: ScoliosisFilm) -> Iterable[str]:
    yield "Phantom: drawn, no patient."
    if film.implants:
        yield f"Pedicle screws from {film.implants[0]} to {film.implants[-1]}."


def write_dicom(out: Path, *, n: int, seed: int, difficulty: str = "typical", progress: Progress = silent, scale: float = 1.0) -> None:
    """Write ``n`` films as 12-bit DICOM (DX) with landmarks.csv, subjects.csv, truth.json and PHANTOM.json.

    Most patients have one film, a fifth a second one up to two years later, whose curves are a few degrees more or less. In ``hard`` some patients
    have 23, 25 or 26 vertebrae above the sacrum. Every film depends only on the seed and its patient.
    """
    out = Path(out)
    (out / FOLDER).mkdir(parents=True, exist_ok=True)

    def patient(visits: Sequence[Visit]) -> list[tuple[Film, Subject, Result]]:
        rng = np.random.default_rng([seed, visits[0].patient])
        films = scoliosis_visits(rng, len(visits), difficulty=difficulty, anomalous=True, stored=True, scale=scale)
        return [one(visit, film) for visit, film in zip(visits, films, strict=True)]

    def one(visit: Visit, film: ScoliosisFilm) -> tuple[Film, Subject, Result]:
        write_dx(out / FOLDER / visit.file, film.pixels, view=VIEW, description="Whole spine AP, phantom", **dx_header(film, visit, difficulty))
        found = film_truth(film, visit.file)
        return film_of(visit.patient_id, found), Subject(film.patient.age_years, film.patient.sex, visit.site, film.presacral), found

    films, subjects, results = zip(*taken(plan(n, seed), patient, progress), strict=True)
    write_marked(out, films, subjects)
    write_truth(out, results)
    write_marker(out, task="scoliosis", n=n, seed=seed, difficulty=difficulty)
