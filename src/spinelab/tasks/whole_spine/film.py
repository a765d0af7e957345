"""Which films the task takes, and what is refused once a film is read."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from spinelab.core import Image, unknown
from spinelab.train.landmark_film import RADIOGRAPHS, FilmKind

FROM_THE_TOP: Final = {
    "the skull base": ("FM_1", "FM_2"),
    "C7": ("C7", "C7_1", "C7_2"),
    "T4": ("T4_1", "T4_2"),
    "T12": ("T12_1", "T12_2"),
    "L4": ("L4_1", "L4_2"),
    "the sacrum": ("S_1", "S_2"),
    "the hips": ("FH_1", "FH_2"),
}
FILMS: Final = FilmKind(views=("LATERAL",), modalities=RADIOGRAPHS, least_side=256)
"""A whole spine on fewer rows has about 4 mm a pixel or more: no angle could be told."""


def misplaced(points: Mapping[str, NDArray[np.float64]]) -> str:
    """Return why landmarks (name to x, y) are no standing spine: parts that should lie one below the other do not; empty if they do."""
    heights = {}
    for part, names in FROM_THE_TOP.items():
        seen = [float(points[name][1]) for name in names if name in points]
        if seen:
            heights[part] = float(np.mean(seen))
    parts = list(heights)
    for upper, lower in pairwise(parts):
        if heights[upper] >= heights[lower]:
            return f"{lower} would lie above {upper}: this is no standing spine, or it lies on its side or upside down"
    return ""


def mirrored(image: Image, side: str) -> str:
    """Return a sentence where the header and the landmarks, by which the patient faces ``side``, contradict each other; empty if they do not.

    The first value of PatientOrientation says what lies to the right of the picture: ``A`` of a patient who faces the right, ``P`` of one who
    faces the left.
    """
    fact = image.facts.get("PatientOrientation", unknown("not stated"))
    stated = {"A": "right", "P": "left"}.get(str(fact.value or "")[:1].upper(), "")
    if not side or not stated or side == stated:
        return ""
    return (
        f"The header says that the patient faces the {stated} ({fact.source} = {fact.value}), and the landmarks that it is the {side}: "
        "the picture seems to be mirrored, or its header is wrong. Check whose film it is, and which side is which."
    )
