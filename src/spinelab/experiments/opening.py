"""Every file of a data set opened once: what must be remembered of its pictures to judge the data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spinelab.core import Example, Examples, Image, InputError, Progress, Study
from spinelab.experiments.duplicates import Fingerprint, fingerprint
from spinelab.experiments.shortcuts import picture_facts
from spinelab.io import to_uint8

Opened = tuple[list[Fingerprint], list[dict[str, float]], list[tuple[int, int]], list[tuple[float, float] | None]]
"""Fingerprints of all pictures; facts, size and spacing of each example's first."""


class UnreadableError(InputError):
    """Examinations that cannot be read, by name."""

    def __init__(self, names: Sequence[str], given: str, *, expected: str, action: str) -> None:
        super().__init__(given, expected=expected, action=action)
        self.names = tuple(names)


def open_all(examples: Examples, progress: Progress, look: Callable[[Example, Study], None]) -> Opened:
    """Return fingerprints of all pictures, and facts, rows and columns, and spacing in millimetres of each example's first.

    ``look`` is shown every example with its open study, so that nothing has to be opened again for it.

    Raises
    ------
    UnreadableError
        If files cannot be read; all of them are counted, and up to five named.
    """
    prints: list[Fingerprint] = []
    spacings: list[tuple[float, float] | None] = []
    facts: list[dict[str, float]] = []
    sizes: list[tuple[int, int]] = []
    broken: dict[str, InputError] = {}
    for index, example in enumerate(examples):
        progress(index, len(examples), "opening every file")
        try:
            study = example.open()
            pictures = [(image, to_uint8(_flat(image))) for image in study.images]
        except InputError as error:
            broken[example.id] = error
            continue
        look(example, study)
        prints += [_print_of(index, image, picture) for image, picture in pictures]
        if pictures:
            facts.append(picture_facts(pictures[0][1], _file_bytes(pictures[0][0])))
            sizes.append(pictures[0][1].shape)
        spacings.append(_spacing(pictures[0][0]) if pictures else None)
    if broken:
        raise _unreadable(examples, broken)
    return prints, facts, sizes, spacings


def _spacing(image: Image) -> tuple[float, float] | None:
    known = image.spacing_mm.value
    return None if known is None else (float(known[-2]), float(known[-1]))


def _flat(image: Image) -> Image:
    """Return a flat picture of a volume or cine loop: its middle slice or frame."""
    if image.axes[0] in "ZT":
        middle = np.array(image.pixels[image.pixels.shape[0] // 2])
        return Image(middle, image.axes[1:], modality=image.modality, window=image.window, source=image.source)
    return image


def _print_of(index: int, image: Image, picture: NDArray[np.uint8]) -> Fingerprint:
    path = Path(image.source) if image.source and Path(image.source).is_file() else None
    return fingerprint(index, str(image.view.value or ""), path, picture, slice_of=image.axes[0] == "Z")


def _file_bytes(image: Image) -> int:
    path = Path(image.source)
    return path.stat().st_size if image.source and path.is_file() else image.pixels.nbytes


def _unreadable(examples: Examples, broken: Mapping[str, InputError]) -> UnreadableError:
    errors = list(broken.values())
    shown = "; ".join(error.given for error in errors[:5])
    more = f"; and {len(broken) - 5} more" if len(broken) > 5 else ""
    return UnreadableError(
        tuple(broken),
        f"{len(broken)} of {len(examples)} examinations in {examples.root} cannot be read: {shown}{more}",
        expected=errors[0].expected,
        action="repair these files, or take them out of the folder or the manifest; nothing was trained",
    )
