"""Phantoms in the public collection's own layout: PNG of 300 x 300 pixels in a folder a class, with manifest and truth beside them."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from spinelab.core import Example, Fact, Finding, Image, InputError, Landmark, Progress, Result, Study, silent, unknown
from spinelab.phantoms import write_marker, write_truth
from spinelab.phantoms.lesion_film import REGIONS, VIEWS, LesionFilm, lesion_film
from spinelab.tasks.spine_lesion_xray.data import CLASSES, TARGET, TASK_NAME
from spinelab.train.labelled import MANIFEST

SHARES: Final = {"foraminal-stenosis": 311, "normal": 121, "surgical-implant": 136, "osteophyte": 399}
"""Images a class in the source's collection."""
_AUTHOR: Final = "phantom"
_COLUMNS: Final = ("path", "patient", "label", "view", "sex", "age", "region")


def phantom(rng: np.random.Generator, difficulty: str = "typical") -> Example:
    """Draw one film; the study is held in memory."""
    film = lesion_film(rng, difficulty=difficulty)
    facts = _facts(film)
    image = Image(film.pixels, view=facts["view"], spacing_mm=unknown("a PNG does not state it"), source="phantom film")
    study = Study(
        _AUTHOR,
        images=(image,),
        patient=Fact(_AUTHOR, _AUTHOR),
        sex=facts["sex"],
        age_years=facts["age_years"],
        facts={"region": facts["region"]},
    )
    return Example(_AUTHOR, truth(film, _AUTHOR), lambda: study, _AUTHOR, {}, facts)


def _facts(film: LesionFilm) -> dict[str, Fact]:
    said = {"sex": film.patient.sex, "age_years": float(film.patient.age_years), "region": film.region, "view": film.view}
    return {name: Fact(value, _AUTHOR) for name, value in said.items()}


def truth(film: LesionFilm, study: str) -> Result:
    """Return what is known of a drawn film: its class, and each lesion's level with the corners of the box around it."""
    corners = [
        Landmark(f"{film.label} {site} {corner}", float(x), float(y))
        for site, (x0, y0, x1, y1) in film.boxes.items()
        for corner, x, y in (("upper left", x0, y0), ("lower right", x1, y1))
    ]
    return Result(
        task=TASK_NAME,
        model=_AUTHOR,
        study=study,
        findings=(Finding(TARGET, film.label), *(Finding("drawn", film.label, site=site) for site in film.boxes)),
        landmarks=tuple(corners),
        notes=("Phantom: drawn, no patient.", f"{film.region} spine, {film.view}."),
    )


def write_phantoms(out: Path, *, n: int, seed: int, difficulty: str = "typical", progress: Progress = silent) -> None:
    """Write ``n`` films of as many patients, with manifest, truth and marker.

    Classes have the source's shares, in ``easy`` even ones; region and projection are dealt out evenly within each class, so that they say nothing of it.
    """
    if n < 1:
        raise InputError(f"{n} phantoms", expected="at least 1", action="ask for more")
    for name in CLASSES:
        (out / name).mkdir(parents=True, exist_ok=True)
    results, rows = [], []
    for number, (label, region, view) in enumerate(cohort(n, seed, difficulty)):
        film = lesion_film(np.random.default_rng([seed, number]), label=label, region=region, view=view, difficulty=difficulty)
        path = f"{label}/{number + 1:04d}.png"
        (out / path).write_bytes(cv2.imencode(".png", film.pixels)[1].tobytes())
        results.append(truth(film, path))
        rows.append((path, f"P{number + 1:04d}", label, film.view, film.patient.sex, film.patient.age_years, film.region))
        progress(number + 1, n, f"film {number + 1} of {n}")
    with (out / MANIFEST).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(_COLUMNS)
        writer.writerows(rows)
    write_truth(out, results)
    write_marker(out, task=TASK_NAME, n=n, seed=seed, difficulty=difficulty)


def cohort(n: int, seed: int, difficulty: str) -> list[tuple[str, str | None, str | None]]:
    """Decide class, region and projection of ``n`` films, in a shuffled order; ``None`` leaves it to the film."""
    rng = np.random.default_rng([seed, 0x1E5])
    weights = np.array([1.0 if difficulty == "easy" else SHARES[name] for name in CLASSES])
    exact = n * weights / weights.sum()
    counts = np.floor(exact).astype(int)
    for k in np.argsort(exact - counts)[::-1][: n - counts.sum()]:
        counts[k] += 1
    kinds = [(region, view) for region in REGIONS for view in VIEWS]
    dealt: list[tuple[str, str | None, str | None]] = []
    for name, count in zip(CLASSES, counts, strict=True):
        order = [kinds[i] for _ in range(count // len(kinds) + 1) for i in rng.permutation(len(kinds))]
        dealt += [(name, None, None) if difficulty == "easy" else (name, *order[k]) for k in range(count)]
    return [dealt[i] for i in rng.permutation(n)]
