"""Landmarks as a clinician names them, in place of the codes that tables and models use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from spinelab.geometry.levels import CORNERS

_LOWER: Final = ("T12", "C7", "C2")
"""Levels of a lateral film whose lower endplate is marked; of the others it is the upper one."""
_OTHERS: Final = {
    "T1": "the centre of T1",
    "C7": "the centre of C7",
    "C7_3": "the posterior superior corner of C7",
    "ODT": "the odontoid",
    "Forehead": "the forehead",
    "Jaw": "the chin",
    "FH_1": "the anterior femoral head",
    "FH_2": "the posterior femoral head",
    "FM_1": "the anterior edge of the foramen magnum",
    "FM_2": "the posterior edge of the foramen magnum",
}
_LATERAL: Final[Mapping[str, str]] = _OTHERS | {
    f"{level}_{end}": f"the {side} {'inferior' if level in _LOWER else 'superior'} corner of {'S1' if level == 'S' else level}"
    for level in ("S", "L1", "L4", "T4", "T12", "T1", "C7", "C2")
    for end, side in ((1, "anterior"), (2, "posterior"))
}


def landmark_words(name: str) -> str:
    """Return a landmark of a lateral film or a corner of an AP film in words; a name that is neither, such as a user's own, stays as it is.

    >>> landmark_words("T4_1")
    'the anterior superior corner of T4'
    >>> landmark_words("L3_inferior_image_left")
    'the inferior corner of L3 on the left of the picture'
    """
    level, _, corner = name.partition("_")
    if corner in CORNERS:
        end, _, side = corner.split("_")
        return f"the {end} corner of {level} on the {side} of the picture"
    return _LATERAL.get(name, name)


def landmarks_in_words(names: Iterable[str]) -> str:
    """Return several landmarks in words, in their order."""
    return in_a_row([landmark_words(name) for name in names])


def in_a_row(parts: Sequence[str]) -> str:
    """Return parts of a sentence with commas between them and *and* before the last."""
    return " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1]))) if parts else ""
