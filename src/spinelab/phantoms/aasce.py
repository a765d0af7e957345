"""Collections of AP films as the AASCE challenge distributes them: pictures, normalised corners, three Cobb angles."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Final

import numpy as np

from spinelab.core import Landmark, Measurement, Progress, Result, silent
from spinelab.geometry import CORNER_LANDMARKS
from spinelab.phantoms.scoliosis import ScoliosisFilm, scoliosis_visits
from spinelab.phantoms.write import write_jpg, write_marker, write_truth

PREFIX: Final = "phantom"
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_FIRST_DAY: Final = date(2021, 1, 4)
_FILMS_A_PATIENT: Final = (0.45, 0.30, 0.15, 0.10)
_AUTHOR: Final = "phantom"


@dataclass(frozen=True, eq=False)
class CollectionFilm:
    """One film of a collection; ``name`` carries date, patient number and a letter that tells the films of one patient apart."""

    name: str
    patient: str
    film: ScoliosisFilm


def scoliosis_collection(n: int, *, seed: int, difficulty: str = "typical", scale: float = 1.0) -> Iterator[CollectionFilm]:
    """Draw ``n`` films, one to four a patient; later films of a patient show the same curves, a few degrees more or less.

    The same seed draws the same films, whatever ``n``: a longer collection begins with the shorter one. Everybody has 24 vertebrae above the sacrum:
    the challenge's tables hold the corners of seventeen vertebrae, no fewer and no more.
    """
    made, number = 0, 0
    while made < n:
        rng = np.random.default_rng([seed, number])
        visits = int(rng.choice(len(_FILMS_A_PATIENT), p=_FILMS_A_PATIENT)) + 1
        for letter, film in zip("ABCD", scoliosis_visits(rng, visits, difficulty=difficulty, scale=scale), strict=False):
            day = _FIRST_DAY + timedelta(days=number // 3)
            stamp = f"{day.day:02d}-{_MONTHS[day.month - 1]}-{day.year}"
            yield CollectionFilm(f"{PREFIX}-{stamp}-{number + 1} {letter} AP.jpg", f"{stamp}-{number + 1}", film)
            made += 1
            if made == n:
                return
        number += 1


def write_aasce(
    out: Path, films: Iterable[CollectionFilm], split: str = "training", *, seed: int, difficulty: str = "typical", progress: Progress = silent, n: int = 0
) -> None:
    """Write films in the challenge's layout, with their truth and the marker of phantoms.

    ``data/<split>/*.jpg``; ``labels/<split>/filenames.csv`` (a name a row), ``landmarks.csv`` (68 x, then 68 y a row, divided by width and
    height; x, y in pixels with centres at integers), ``angles.csv`` (three Cobb angles by the challenge's rule); ``labels/<split>/truth.json``.

    Parameters
    ----------
    seed, difficulty
        How the films were drawn, for the marker.
    n
        Number of films to expect, for the progress.
    """
    pictures, labels = out / "data" / split, out / "labels" / split
    pictures.mkdir(parents=True, exist_ok=True)
    labels.mkdir(parents=True, exist_ok=True)
    names: list[list[object]] = []
    landmarks: list[list[object]] = []
    angles: list[list[object]] = []
    truth: list[Result] = []
    for item in films:
        film = item.film
        write_jpg(pictures / item.name, film.pixels)
        rows, columns = film.pixels.shape
        points = film.corners.reshape(-1, 2) / (columns, rows)
        names.append([item.name])
        landmarks.append([f"{value:.6f}" for value in (*points[:, 0], *points[:, 1])])
        angles.append([f"{value:.4f}" for value in film.angles_deg])
        truth.append(scoliosis_truth(item))
        progress(len(names), max(n, len(names)), f"film {len(names)}")
    for name, table in (("filenames.csv", names), ("landmarks.csv", landmarks), ("angles.csv", angles)):
        with (labels / name).open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(table)
    write_truth(labels, truth)
    write_marker(out, task="scoliosis", n=len(names), seed=seed, difficulty=difficulty)


def scoliosis_truth(item: CollectionFilm) -> Result:
    """Return corners and the three Cobb angles of a film as a result."""
    corners = item.film.corners.reshape(-1, 2)
    measured = zip(("cobb_max", "cobb_upper", "cobb_lower"), item.film.angles_deg, strict=True)
    return Result(
        task="scoliosis",
        model=_AUTHOR,
        study=item.name,
        measurements=tuple(Measurement(name, round(value, 4), "deg") for name, value in measured),
        landmarks=tuple(Landmark(name, round(float(x), 3), round(float(y), 3)) for name, (x, y) in zip(CORNER_LANDMARKS, corners, strict=True)),
        notes=("Phantom: drawn, no patient.",),
    )
