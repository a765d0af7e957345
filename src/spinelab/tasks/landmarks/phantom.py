"""Phantoms for points of one's own: the lower lumbar spine from the side, with the corners of L4, L5 and the sacrum marked."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from spinelab.core import Example, Fact, Image, InputError, Landmark, Progress, Result, Study, silent, unknown
from spinelab.geometry import LINES
from spinelab.phantoms import LumbarPhantom, lumbar_radiographs, write_jpg, write_marker, write_truth
from spinelab.tasks.landmarks.csv_files import FILE as TABLE
from spinelab.tasks.landmarks.declaration import FILE, Declaration
from spinelab.tasks.landmarks.measure import measurements
from spinelab.tasks.landmarks.toml_file import read_declaration

AUTHOR: Final = "phantom"
SCALE: Final = 0.75
CUT: Final = {"easy": 0.0, "typical": 0.06, "hard": 0.2}
"""Part of the pictures that end above the sacrum."""
UNSTATED: Final = {"easy": 0.0, "typical": 0.0, "hard": 0.1}
"""Part of the pictures whose pixel spacing nobody knows."""
_PLATES: Final = {"L4 upper": "L4_upper", "L4 lower": "L4_lower", "L5 upper": "L5_upper", "L5 lower": "L5_lower", "S1 upper": "S1"}
_DECLARED: Final = Path(__file__).parent / "phantom_measurements.toml"


@dataclass(frozen=True, eq=False)
class Picture:
    """A drawn picture, its points as x, y in pixels, and its spacing in mm, if that is to be known."""

    pixels: NDArray[np.uint8]
    points: dict[str, tuple[float, float]]
    spacing_mm: float | None
    patient: LumbarPhantom


def declaration() -> Declaration:
    """Return what is measured on the phantoms; the file that says so is written beside them."""
    return read_declaration(_DECLARED).with_landmarks([f"{plate}_{end}" for plate in _PLATES.values() for end in (1, 2)], FILE)


def draw(rng: np.random.Generator, difficulty: str = "typical", scale: float = SCALE) -> Picture:
    """Draw a patient, take the lateral film, and cut out its lower half; 1 is the front end of an endplate, 2 the back end."""
    chances = rng.random(2)
    drawn = lumbar_radiographs(rng, difficulty=difficulty, missing_view="AP", scale=scale)
    film = drawn.films["LATERAL"]
    ends = dict(zip(LINES, film.endplates, strict=True))
    front = 0 if film.anterior == "left" else 1
    points = {f"{name}_{1 + (end != front)}": ends[plate][end] for plate, name in _PLATES.items() for end in (0, 1)}
    top = max(0, int(np.min([at[1] for at in ends["L3 upper"]])))
    bottom = film.pixels.shape[0]
    if chances[0] < CUT[difficulty]:
        bottom = round(float(min(points["S1_1"][1], points["S1_2"][1]))) - 2
    kept = film.pixels[top:bottom]
    inside = {name: (float(x), float(y) - top) for name, (x, y) in points.items() if y - top <= len(kept) - 1}
    spacing = None if chances[1] < UNSTATED[difficulty] else float(film.spacing_mm)
    return Picture(np.ascontiguousarray(kept), {name: inside[name] for name in declaration().landmarks if name in inside}, spacing, drawn)


def phantom(rng: np.random.Generator, difficulty: str = "typical") -> Example:
    """Draw one picture; the study is held in memory."""
    picture = draw(rng, difficulty)
    name = "phantom"
    facts = {"spacing_mm": _spacing(picture), **_person(picture)}
    image = Image(picture.pixels, spacing_mm=facts["spacing_mm"], view=Fact("LATERAL", AUTHOR), source="phantom film")
    study = Study(name, images=(image,), patient=Fact(name, AUTHOR), sex=facts["sex"], age_years=facts["age_years"])
    return Example(name, truth(picture, name), lambda: study, name, {}, facts)


def truth(picture: Picture, study: str) -> Result:
    """Return the points and what is measured between them."""
    points = tuple(Landmark(name, round(x, 3), round(y, 3)) for name, (x, y) in picture.points.items())
    values = measurements(points, _spacing(picture), declaration())
    return Result("landmarks", AUTHOR, study, measurements=values, landmarks=points, notes=("Phantom: drawn, no patient.",))


def write_phantoms(out: Path, *, n: int, seed: int, difficulty: str = "typical", progress: Progress = silent, scale: float = SCALE) -> None:
    """Write ``n`` pictures of as many patients with landmarks.csv, measurements.toml, the truth and the marker."""
    if n < 1:
        raise InputError(f"{n} phantoms", expected="at least 1", action="ask for more")
    out = Path(out)
    (out / "images").mkdir(parents=True, exist_ok=True)
    results, rows = [], []
    for number in range(n):
        picture = draw(np.random.default_rng([seed, number]), difficulty, scale)
        name = f"images/{number + 1:04d}.jpg"
        write_jpg(out / name, picture.pixels)
        result = truth(picture, name)
        results.append(result)
        about = (f"P{number + 1:04d}", "" if picture.spacing_mm is None else f"{picture.spacing_mm:.6f}", picture.patient.patient.sex, _age(picture))
        rows += [(name, p.name, f"{p.x:.3f}", f"{p.y:.3f}", *about) for p in result.landmarks]
        progress(number + 1, n, f"picture {number + 1} of {n}")
    with (out / TABLE).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("image", "landmark", "x", "y", "patient", "spacing_mm", "sex", "age"))
        writer.writerows(rows)
    (out / FILE).write_text(_DECLARED.read_text(encoding="utf-8"), encoding="utf-8", newline="\n")
    write_truth(out, results)
    write_marker(out, task="landmarks", n=n, seed=seed, difficulty=difficulty)


def _age(picture: Picture) -> int:
    return int(picture.patient.patient.age_years)


def _person(picture: Picture) -> dict[str, Fact]:
    return {"sex": Fact(picture.patient.patient.sex, AUTHOR), "age_years": Fact(float(_age(picture)), AUTHOR)}


def _spacing(picture: Picture) -> Fact:
    if picture.spacing_mm is None:
        return unknown("nobody wrote it down")
    value = round(picture.spacing_mm, 6)
    return Fact((value, value), AUTHOR)
