"""Phantom patients in the BUU-LSPINE layout, with their truth."""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from spinelab.core import Example, Fact, Finding, Image, InputError, Landmark, Measurement, Progress, Result, Study, silent, unknown
from spinelab.geometry import GRADES, LEVELS, LINES, meyerding_grade
from spinelab.phantoms import (
    DISORDER_SHARES,
    DISORDERS,
    DrawnFilm,
    LumbarPhantom,
    draw_age,
    lumbar_radiographs,
    write_jpg,
    write_marker,
    write_table,
    write_truth,
)
from spinelab.phantoms import difficulty as hardness
from spinelab.tasks.lumbar_xray.annotations import SHOWN_BY, SUBTYPES, VIEWS
from spinelab.tasks.lumbar_xray.truth import DISORDER, SLIP_NAMES, TASK_NAME

AUTHOR: Final = "phantom"
_FOLDERS: Final = {"AP": ("AP", "0"), "LATERAL": ("LA", "1")}
_NOT_IN_A_JPG: Final = "a JPG does not state it; the phantom's truth does"


@dataclass(frozen=True)
class Subject:
    """What is decided about a patient before anything is drawn."""

    number: int
    sex: str
    age_years: int
    disorder: str
    missing_view: str | None

    @property
    def name(self) -> str:
        return f"{self.number:04d}"


def phantom(rng: np.random.Generator, difficulty: str = "typical") -> Example:
    """Draw one patient; the study is held in memory and looks as if read from disk."""
    drawn = lumbar_radiographs(rng, difficulty=difficulty)
    facts = {
        "sex": Fact(drawn.patient.sex, "phantom"),
        "age_years": Fact(float(drawn.patient.age_years), "phantom"),
    }
    name = "0001"
    study = Study(id=name, images=_images(drawn), patient=Fact(name, "phantom"), sex=facts["sex"], age_years=facts["age_years"])
    return Example(name, truth(drawn, name), lambda: study, patient=name, facts=facts)


def write_phantoms(out: Path, *, n: int, seed: int, difficulty: str = "typical", progress: Progress = silent, scale: float = 1.0) -> None:
    """Write ``n`` patients in the public layout, with ``truth.json`` and ``PHANTOM.json`` beside the films.

    Every patient depends only on the seed, the number and what `cohort` decided, so the same seed gives the same bytes in any order.
    """
    subjects = cohort(n, seed, difficulty)
    out = Path(out)
    for folder, _ in _FOLDERS.values():
        (out / folder).mkdir(parents=True, exist_ok=True)

    def one(subject: Subject) -> Result:
        drawn = _draw(subject, seed, difficulty, scale)
        for film in drawn.films.values():
            _write_film(out, subject, film, drawn)
        return truth(drawn, subject.name)

    results = []
    with ThreadPoolExecutor(max_workers=min(os.cpu_count() or 1, 8)) as pool:
        for done, result in enumerate(pool.map(one, subjects), start=1):
            results.append(result)
            progress(done, n, f"patient {done} of {n}")
    rows = [(s.name, s.sex, s.age_years, s.disorder) for s in subjects]
    write_table(out / "subjects.xlsx", ("Subject ID", "Sex", "Age", "Diagnosis"), rows)
    write_truth(out, results)
    write_marker(out, task=TASK_NAME, n=n, seed=seed, difficulty=difficulty)


def cohort(n: int, seed: int, difficulty: str) -> list[Subject]:
    """Decide sex, age, disorder and missing film of ``n`` patients.

    The number of disordered patients is the difficulty's prevalence times ``n``, at least four from twelve patients on; where age
    matters, older patients are likelier to be among them. Which film is missing knows nothing of the disorder.
    """
    if n < 1:
        raise InputError(f"{n} phantoms", expected="at least 1", action="ask for more")
    limits = hardness.of(difficulty)
    rng = np.random.default_rng([seed, 0])
    ages = np.array([draw_age(rng) for _ in range(n)])
    sexes = np.where(rng.random(n) < 0.68, "F", "M")
    wanted = round(limits.prevalence * n)
    wanted = min(max(wanted, 4 if n >= 12 else int(n > 1)), n)
    weight = 1 + np.clip(ages - 25, 0, 60) / 30 if limits.age_matters else np.ones(n)
    chosen = rng.choice(n, size=wanted, replace=False, p=weight / weight.sum())
    disorders = np.full(n, "normal", dtype=object)
    disorders[chosen] = _kinds(rng, wanted)
    absent = rng.random(n) < limits.missing
    which = rng.choice(VIEWS, size=n)
    return [Subject(i + 1, str(sexes[i]), int(ages[i]), str(disorders[i]), str(which[i]) if absent[i] else None) for i in range(n)]


def truth(drawn: LumbarPhantom, study: str) -> Result:
    """Return what is known of a drawn patient; slips are positive forwards and to the patient's left."""
    label = drawn.subtype
    listheses = tuple(Finding("listhesis", slip.kind, site=slip.site) for slip in drawn.slips)
    grades = tuple(Finding("Meyerding grade", GRADES[meyerding_grade(value)], site=site) for site, value in drawn.forward_percent.items())
    landmarks = tuple(
        Landmark(f"{film.view} {line} end-{end + 1}", float(film.endplates[i, end, 0]), float(film.endplates[i, end, 1]))
        for film in drawn.films.values()
        for i, line in enumerate(LINES[: len(film.endplates)])
        for end in (0, 1)
    )
    return Result(
        task=TASK_NAME,
        model=AUTHOR,
        study=study,
        findings=(Finding("disorder", DISORDER[label != "normal"]), Finding("subtype", label), *listheses, *grades),
        measurements=_measurements(drawn),
        landmarks=landmarks,
        notes=("Phantom: drawn, no patient.", *(f"The slip at {s.site} is isthmic: the arch stays behind." for s in drawn.slips if s.isthmic)),
    )


def _measurements(drawn: LumbarPhantom) -> tuple[Measurement, ...]:
    """Return slip and lateral offset of every level in per cent and mm, and what the JPG does not tell of each film."""
    found = []
    for view, percent, length in (("LATERAL", drawn.forward_percent, drawn.forward_mm), ("AP", drawn.left_percent, drawn.left_mm)):
        for site in LEVELS if view == "LATERAL" else LEVELS[:4]:
            found.append(Measurement(SLIP_NAMES[view], round(percent[site], 4), "%", site=site))
            found.append(Measurement(f"{SLIP_NAMES[view]} in mm", round(length[site], 4), "mm", site=site))
    for view, film in drawn.films.items():
        found.append(Measurement(f"{view} pixel spacing on the detector", round(film.spacing_mm, 5), "mm"))
        found.append(Measurement(f"{view} magnification", round(film.magnification, 5), "1"))
    return tuple(found)


def _kinds(rng: np.random.Generator, count: int) -> list[str]:
    """Divide patients among the kinds of slip as the source does, rare kinds by chance."""
    whole = np.floor(DISORDER_SHARES * count).astype(int)
    kinds = [kind for kind, k in zip(DISORDERS, whole, strict=True) for _ in range(k)]
    kinds += [str(k) for k in rng.choice(DISORDERS, size=count - len(kinds), p=DISORDER_SHARES)]
    return [kinds[i] for i in rng.permutation(count)]


def _draw(subject: Subject, seed: int, difficulty: str, scale: float) -> LumbarPhantom:
    return lumbar_radiographs(
        np.random.default_rng([seed, subject.number]),
        difficulty=difficulty,
        disorder=subject.disorder,
        missing_view=subject.missing_view,
        sex=subject.sex,
        age_years=subject.age_years,
        scale=scale,
    )


def _write_film(out: Path, subject: Subject, film: DrawnFilm, drawn: LumbarPhantom) -> None:
    folder, digit = _FOLDERS[film.view]
    stem = f"{subject.name}-{subject.sex}-{subject.age_years:03d}Y{digit}"
    write_jpg(out / folder / f"{stem}.jpg", film.pixels)
    rows = [",".join([*(f"{value:.2f}" for value in line.ravel()), str(kind)]) for line, kind in zip(film.endplates, _classes(film, drawn), strict=True)]
    (out / folder / f"{stem}.csv").write_text("\n".join(rows) + "\n", encoding="utf-8", newline="\n")


def _classes(film: DrawnFilm, drawn: LumbarPhantom) -> list[int]:
    """Return the class of every line: a slip stands on the lower endplate of the slipped vertebra, on the film that shows it."""
    kinds: Mapping[str, int] = {f"{slip.vertebra} lower": SUBTYPES.index(slip.kind) for slip in drawn.slips if SHOWN_BY[SUBTYPES.index(slip.kind)] == film.view}
    return [kinds.get(line, 0) for line in LINES[: len(film.endplates)]]


def _images(drawn: LumbarPhantom) -> tuple[Image, ...]:
    return tuple(_image(film) for film in drawn.films.values())


def _image(film: DrawnFilm) -> Image:
    plain = Image(film.pixels, source=f"phantom {film.view}")
    return replace(
        plain,
        spacing_mm=unknown(_NOT_IN_A_JPG),
        view=Fact(film.view, "phantom"),
        facts={"endplates": Fact(film.endplates.tolist(), "phantom")},
    )
