"""Phantoms for the task ``scoliosis``: AP films with one to three curves, in the AASCE layout."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from spinelab.core import Example, Fact, Image, Progress, Study, silent, unknown
from spinelab.phantoms import scoliosis_collection, scoliosis_film, write_aasce, write_truth
from spinelab.tasks.scoliosis import data
from spinelab.tasks.scoliosis.settings import ScoliosisSettings

SPLIT: Final = "training"
_AUTHOR: Final = "phantom"


def phantom(rng: np.random.Generator, difficulty: str = "typical") -> Example:
    """Draw one film; the study is held in memory."""
    film = scoliosis_film(rng, difficulty=difficulty)
    image = Image(film.pixels, view=Fact("AP", _AUTHOR), spacing_mm=unknown("a JPG does not state it"), source="phantom film")
    study = Study("phantom", images=(image,), patient=Fact("phantom", _AUTHOR))
    truth = data.truth(
        film.corners.reshape(-1, 2).astype(np.float64),
        np.array(film.angles_deg, np.float64),
        "phantom",
        film.pixels.shape[0],
        ScoliosisSettings().threshold_deg,
    )
    return Example("phantom", replace(truth, model=_AUTHOR), lambda: study, "phantom")


def write_phantoms(out: Path, *, n: int, seed: int, difficulty: str = "typical", progress: Progress = silent, scale: float = 1.0, split: str = SPLIT) -> None:
    """Write ``n`` films in the layout of the challenge, and ``truth.json`` with all that the task measures on the drawn corners."""
    write_aasce(out, scoliosis_collection(n, seed=seed, difficulty=difficulty, scale=scale), split, seed=seed, difficulty=difficulty, progress=progress, n=n)
    (out / "labels" / split / "truth.json").unlink(missing_ok=True)
    write_truth(out, [replace(e.truth, model=_AUTHOR) for e in data.examples(out, ScoliosisSettings().threshold_deg)])
