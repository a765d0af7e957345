"""Phantoms for one's own images: frontal films of the spine, straight or curved, in a folder a class with a manifest beside them."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Final

import numpy as np

from spinelab.core import Example, Fact, Finding, Image, InputError, Measurement, Progress, Result, Study, silent, unknown
from spinelab.phantoms import SpineFilm, ap_spine, write_jpg, write_marker, write_truth
from spinelab.train.labelled import MANIFEST, TARGET

CLASSES: Final = ("straight", "curved")
FILMS_A_PATIENT: Final = 2
_AUTHOR: Final = "phantom"


def phantom(rng: np.random.Generator, difficulty: str = "typical") -> Example:
    """Draw one film; the study is held in memory."""
    film = ap_spine(rng, difficulty=difficulty)
    name = "phantom"
    facts = _facts(film)
    image = Image(film.pixels, view=Fact("AP", _AUTHOR), spacing_mm=unknown("a JPG does not state it"), source="phantom film")
    study = Study(name, images=(image,), patient=Fact(name, _AUTHOR), sex=facts["sex"], age_years=facts["age_years"])
    return Example(name, truth(film, name), lambda: study, name, {}, facts)


def _facts(film: SpineFilm) -> dict[str, Fact]:
    return {"sex": Fact(film.patient.sex, _AUTHOR), "age_years": Fact(float(film.patient.age_years), _AUTHOR)}


def truth(film: SpineFilm, study: str) -> Result:
    """Return what is known of a drawn film: its class and its Cobb angle."""
    return Result(
        task="images",
        model=_AUTHOR,
        study=study,
        findings=(Finding(TARGET, CLASSES[film.curved]),),
        measurements=(Measurement("cobb_deg", round(film.cobb_deg, 4), "deg"),),
        notes=("Phantom: drawn, no patient.",),
    )


def write_phantoms(out: Path, *, n: int, seed: int, difficulty: str = "typical", progress: Progress = silent, scale: float = 1.0) -> None:
    """Write ``n`` films of about half as many patients, half of them curved, with manifest, truth and marker.

    Two films in a row belong to one patient of the manifest, as two visits would; they are drawn independently.
    """
    if n < 1:
        raise InputError(f"{n} phantoms", expected="at least 1", action="ask for more")
    for name in CLASSES:
        (out / name).mkdir(parents=True, exist_ok=True)
    results, rows = [], []
    for number in range(n):
        patient = number // FILMS_A_PATIENT
        film = ap_spine(np.random.default_rng([seed, number]), curved=bool(patient % 2), difficulty=difficulty, scale=scale)
        label = CLASSES[film.curved]
        path = f"{label}/{number + 1:04d}.jpg"
        write_jpg(out / path, film.pixels)
        results.append(truth(film, path))
        rows.append((path, f"P{patient + 1:04d}", label, "AP"))
        progress(number + 1, n, f"film {number + 1} of {n}")
    with (out / MANIFEST).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("path", "patient", "label", "view"))
        writer.writerows(rows)
    write_truth(out, results)
    write_marker(out, task="images", n=n, seed=seed, difficulty=difficulty)
