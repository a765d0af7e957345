"""Drawn lumbar MRI examinations in the RSNA 2024 layout, so that the real readers are what gets tested."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spinelab.core import Example, Fact, Finding, Image, Measurement, Progress, Result, Study, silent, unknown
from spinelab.evaluation.rsna import COLUMNS
from spinelab.geometry.planes import project, unit_normal
from spinelab.io.write_mr import MrHeader, write_mr_series
from spinelab.phantoms import write_marker, write_truth
from spinelab.phantoms.lumbar_mr import LumbarMrPhantom, MrPhantomSeries, lumbar_mr
from spinelab.tasks.lumbar_mri.tables import COORDINATES_FILE, COORDINATES_HEADER, GRADES_FILE, IMAGES_FOLDER, SERIES_FILE
from spinelab.tasks.lumbar_mri.targets import QUESTIONS, TASK_NAME, Question

AUTHOR: Final = "phantom"
RULE: Final = (
    "Graded by drawn width: dural sac at most 100 / 75 mm2 at the disc, lateral recess at most 3 / 2 mm, foramen at most 1.25 / 0.8 root diameters: "
    "moderate / severe."
)
_STRUCTURES: Final = {"spinal_canal_stenosis": "canal", "neural_foraminal_narrowing": "foramen", "subarticular_stenosis": "recess"}


@dataclass(frozen=True)
class _Habits:
    """What tables and archives do to a study: parts of grades missing, of axial series missing, and a reader's hand in pixels."""

    ungraded: float
    no_axial: float
    hand_px: float


_HABITS: Final = {"easy": _Habits(0.0, 0.0, 0.0), "typical": _Habits(0.015, 0.0, 1.0), "hard": _Habits(0.04, 0.05, 3.0)}


@dataclass(frozen=True, eq=False)
class _Written:
    """What one study adds to the tables."""

    truth: Result
    grades: Sequence[str]
    series: Sequence[tuple[str, str, str]]
    marks: Sequence[tuple[Any, ...]]


def phantom(rng: np.random.Generator, difficulty: str = "typical", scale: float = 1.0) -> Example:
    """Draw one examination; the study is held in memory and looks as if read from disk."""
    drawn = lumbar_mr(rng, difficulty=difficulty, scale=scale)
    sex, age = Fact(drawn.sex, AUTHOR), Fact(float(drawn.age_years), AUTHOR)
    study = Study("phantom", images=tuple(map(_in_memory, drawn.series)), patient=Fact("phantom", AUTHOR), sex=sex, age_years=age)
    return Example("phantom", truth(drawn, "phantom"), lambda: study, "phantom", {}, {"sex": sex, "age_years": age})


def _in_memory(series: MrPhantomSeries) -> Image:
    order = np.argsort(_along(series.affines), kind="stable")
    affines = series.affines[order]
    steps = np.diff(affines[:, :3, 3], axis=0)
    even = float(np.abs(steps - steps.mean(axis=0)).max()) < 0.01
    matrix = affines[0].copy()
    matrix[:3, 2] = steps.mean(axis=0)
    spacing = tuple(float(np.linalg.norm(matrix[:3, axis])) for axis in (2, 1, 0))
    uneven = unknown("several stacks of slices: each slice has its own place (fact slice_affines)")
    return Image(
        series.pixels[order],
        axes="ZYX",
        spacing_mm=Fact(spacing, AUTHOR) if even else uneven,
        affine=Fact(matrix, AUTHOR) if even else uneven,
        modality=Fact("MR", AUTHOR),
        view=Fact("AXIAL" if series.description.startswith("Axial") else "SAGITTAL", AUTHOR),
        facts={
            "slice_affines": Fact(affines, AUTHOR),
            "description": Fact(series.description, AUTHOR),
            "SeriesDescription": Fact(series.words, AUTHOR),
            "FrameOfReferenceUID": Fact("phantom", AUTHOR),
        },
        source="phantom series",
    )


def _along(affines: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return where the slices' middles lie along the mean normal."""
    normal = np.mean([unit_normal(affine) for affine in affines], axis=0)
    found: NDArray[np.float64] = affines[:, :3, 3] @ normal
    return found


def truth(drawn: LumbarMrPhantom, study: str) -> Result:
    """Return 25 findings and the widths that they were graded from."""
    findings, sizes = [], []
    for question in QUESTIONS:
        findings.append(_finding(drawn, question))
        level = next(item for item in drawn.spine.levels if item.name == question.level)
        side = question.side or "left"
        structure = _STRUCTURES[question.finding]
        name, value, unit = {
            "canal": ("dural sac area", level.canal_mm2, "mm2"),
            "foramen": ("foramen width", level.foramen_mm[side], "mm"),
            "recess": ("lateral recess depth", level.recess_mm[side], "mm"),
        }[structure]
        sizes.append(Measurement(name, round(float(value), 4), unit, site=question.level, side=question.side))
    return Result(TASK_NAME, AUTHOR, study, tuple(findings), tuple(sizes), notes=("Phantom: drawn, no patient.", RULE, *_oddities(drawn)))


def _oddities(drawn: LumbarMrPhantom) -> tuple[str, ...]:
    """Return what a reader of this spine would stumble over."""
    spine = drawn.spine
    notes = [f"Transitional vertebra: {spine.transition}; levels are named as drawn, L5/S1 under the fifth lumbar vertebra."] if spine.transition else []
    if spine.screws:
        notes.append(f"Pedicle screws in {', '.join(f'L{5 - place}' for place in spine.screws)}: pictures are spoiled around them.")
    return tuple(notes)


def _finding(drawn: LumbarMrPhantom, question: Question) -> Finding:
    level = next(item for item in drawn.spine.levels if item.name == question.level)
    return question.answer(level.grades()[_STRUCTURES[question.finding], question.side])


def write_phantoms(out: Path, *, n: int, seed: int, difficulty: str = "typical", progress: Progress = silent, scale: float = 1.0) -> None:
    """Write ``n`` studies: the three tables, ``train_images``, ``truth.json`` and ``PHANTOM.json``.

    Every study depends only on the seed and its number, so the same seed gives the same bytes. File names and instance numbers run in
    any order, as archives hand them out; positions tell where slices are.
    """
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    # A step that shares no factor with the range visits every name once, and in no order that a table sorted by name would show.
    studies = [str(100_000_000 + (number * 7_654_321 + seed * 104_729) % 900_000_011) for number in range(n)]

    def one(number: int) -> _Written:
        rng = np.random.default_rng((seed, number))
        return _write_study(out, studies[number], lumbar_mr(rng, difficulty=difficulty, scale=scale), _HABITS[difficulty], rng)

    written = []
    with ThreadPoolExecutor(max_workers=min(os.cpu_count() or 1, 8)) as pool:
        for done, item in enumerate(pool.map(one, range(n)), start=1):
            written.append(item)
            progress(done, n, f"study {done} of {n}")
    _table(out / GRADES_FILE, ("study_id", *COLUMNS), ((study, *item.grades) for study, item in zip(studies, written, strict=True)))
    _table(out / SERIES_FILE, ("study_id", "series_id", "series_description"), (row for item in written for row in item.series))
    _table(out / COORDINATES_FILE, COORDINATES_HEADER, (row for item in written for row in item.marks))
    write_truth(out, [item.truth for item in written])
    write_marker(out, task=TASK_NAME, n=n, seed=seed, difficulty=difficulty)


def _write_study(out: Path, study: str, drawn: LumbarMrPhantom, habits: _Habits, rng: np.random.Generator) -> _Written:
    """Write a study's series and return its rows of the tables."""
    result = truth(drawn, study)
    kept = [s for s in drawn.series if not s.description.startswith("Axial") or rng.random() >= habits.no_axial]
    names = [str(number) for number in 1_000_000 + rng.permutation(900_000)[: len(kept)]]
    series, marks = [], []
    for number, (name, item) in enumerate(zip(names, kept, strict=True), start=1):
        instances = _instances(len(item.pixels), rng)
        header = _header(study, name, number, drawn, item)
        write_mr_series(out / IMAGES_FOLDER / study / name, item.pixels, item.affines, header, instances=instances)
        series.append((study, name, item.description))
        marks += [_mark(question, drawn, item, (study, name), instances, rng, habits) for question in QUESTIONS if question.series == item.description]
    ungraded = rng.random(len(QUESTIONS)) < habits.ungraded
    grades = ["" if missing else str(finding.label) for finding, missing in zip(result.findings, ungraded, strict=True)]
    return _Written(result, grades, series, sorted(marks, key=lambda row: (row[3], row[4])))


def _instances(count: int, rng: np.random.Generator) -> list[int]:
    """Return the slices' numbers: up, down, or in the order in which they happened to be sent."""
    numbers = list(range(1, count + 1))
    way = int(rng.integers(3))
    return numbers if way == 0 else numbers[::-1] if way == 1 else [int(i) + 1 for i in rng.permutation(count)]


def _header(study: str, name: str, number: int, drawn: LumbarMrPhantom, item: MrPhantomSeries) -> MrHeader:
    inverted = item.sequence.ti_ms is not None
    return MrHeader(
        study=f"phantom {study}",
        series=name,
        patient_id=study,
        number=number,
        description=item.words,
        echo_time_ms=round(item.sequence.te_ms, 1),
        repetition_time_ms=round(item.sequence.tr_ms),
        inversion_time_ms=item.sequence.ti_ms,
        sequence="SE\\IR" if inverted else "SE",
        echo_train=item.sequence.echo_train,
        slice_thickness_mm=round(item.thickness_mm, 3),
        field_tesla=item.sequence.field_tesla,
        sex=drawn.sex,
        age_years=drawn.age_years,
        study_date="20200101",
    )


def _mark(
    question: Question,
    drawn: LumbarMrPhantom,
    item: MrPhantomSeries,
    names: tuple[str, str],
    instances: Sequence[int],
    rng: np.random.Generator,
    habits: _Habits,
) -> tuple[Any, ...]:
    """Return the row of the coordinates' table: where a reader would mark the structure, as steadily as the hand allows."""
    point = drawn.spine.target(_STRUCTURES[question.finding], question.level, question.side)
    found = project(point, item.affines, (item.pixels.shape[1], item.pixels.shape[2]))
    x, y = np.array([found.x, found.y]) + rng.normal(0, habits.hand_px, 2)
    return (*names, instances[found.index], question.title, question.level, f"{x:.6f}", f"{y:.6f}")


def _table(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
