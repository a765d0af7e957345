"""Names of vertebrae and corners, and the region of the spine that a curve's apex lies in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from spinelab.core import InputError

THORACOLUMBAR: Final = (*(f"T{n}" for n in range(1, 13)), *(f"L{n}" for n in range(1, 6)))
"""T1 .. T12, L1 .. L5: the 17 vertebrae of an AP film of the spine."""
CORNERS: Final = ("superior_image_left", "superior_image_right", "inferior_image_left", "inferior_image_right")
"""Corners of a vertebra, in order. Image sides: a picture does not state which side of the patient is on its left."""
CORNER_LANDMARKS: Final = tuple(f"{vertebra}_{corner}" for vertebra in THORACOLUMBAR for corner in CORNERS)
"""Names of the 68 landmarks, in the order of ``corners.reshape(..., 68, 2)``."""
REGIONS: Final = ("cervicothoracic", "proximal thoracic", "main thoracic", "thoracolumbar", "lumbar", "lumbosacral")


def region_of(apex: float, names: Sequence[str] = THORACOLUMBAR) -> str:
    """Name the region of an apex: a vertebra's place in ``names``, or that place and a half for the disc below it.

    Proximal thoracic from T2 to the disc T5/T6 (Lenke: T3 to T5), main thoracic from T6 to T11/T12, thoracolumbar from T12 to L1, lumbar from L1/L2
    to L4/L5, lumbosacral below, cervicothoracic above (Lenke LG et al., J Bone Joint Surg Am 83:1169-1181, 2001; Scoliosis Research Society).
    """
    return REGIONS[int(region_codes(names)[round(2 * apex)])]


def region_codes(names: Sequence[str]) -> NDArray[np.intp]:
    """Return the region (2 n - 1) of every vertebra and disc, from top to bottom, as its place in `REGIONS`.

    Raises
    ------
    InputError
        A name that is no vertebra.
    """
    numbers = np.array([_vertebra_number(name) for name in names], dtype=np.float64)
    places = np.empty(2 * len(numbers) - 1)
    places[::2] = numbers
    places[1::2] = (numbers[1:] + numbers[:-1]) / 2
    return np.searchsorted([2.0, 6.0, 12.0, 13.5, 17.0], places, side="right")


def _vertebra_number(name: str) -> int:
    letter, digits = name[:1], name[1:]
    last = {"C": 7, "T": 13, "L": 6}.get(letter, 0)
    if not digits.isdigit() or not 1 <= int(digits) <= last:
        raise InputError(f"Vertebra {name!r}", expected="C1 .. C7, T1 .. T13, L1 .. L6", action="name the vertebrae from top to bottom")
    return int(digits) + {"C": -7, "T": 0, "L": 12}[letter]
