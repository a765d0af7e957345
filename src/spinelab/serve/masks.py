"""A mask of the anatomy or of a lesion that a user drew on one film."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spinelab import io
from spinelab.core import Explanation, InputError, Model, Study, counted
from spinelab.serve import places
from spinelab.serve.places import PathLike

ENDINGS: Final = (".png", ".nii", ".nii.gz", ".npy")
"""Forms without loss: a JPEG has grey specks outside what was drawn."""
_EXPECTED: Final = f"a picture of the film's own size that is 0 outside the anatomy, as {', '.join(ENDINGS)}"


def read_mask(path: PathLike, study: Study) -> NDArray[np.bool_]:
    """Return where a mask of the one film of a study is not 0.

    Raises
    ------
    InputError
        If the study is not one film, or the mask cannot be read, is empty, or has another size than the film.
    """
    if len(study.images) != 1 or "Z" in study.images[0].axes or "T" in study.images[0].axes:
        raise InputError(
            f"--mask with an examination of {counted(len(study.images), '[picture or stack|pictures or stacks]')}",
            expected="one film",
            action="leave --mask out, or give one film",
        )
    file = places.existing(path, _EXPECTED)
    mask = _flat(_pixels(file), file)
    shape = study.images[0].shape_yx
    if mask.shape != shape:
        raise InputError(
            f"{file} has {mask.shape[1]} x {mask.shape[0]} pixels, the film {shape[1]} x {shape[0]}",
            expected="a mask of the film's own size",
            action="draw it on the film as it is stored, neither cropped nor enlarged",
        )
    if not mask.any():
        raise InputError(f"{file} is 0 everywhere", expected="pixels above 0 inside the anatomy", action="check that the right file was exported")
    return mask


def check_laid_over(maps: Sequence[Explanation], model: Model) -> None:
    """Refuse a mask that no map was compared with, so that nobody takes the silence for a result.

    Raises
    ------
    InputError
        If none of the maps knows its share inside.
    """
    if maps and not any(one.facts.get("inside") for one in maps):
        raise InputError(
            f"No map of {model.name} can be compared with the mask",
            expected="a network that classifies films, and a mask inside the part that it sees",
            action="leave --mask out, or draw it where the network looks",
        )


def _pixels(file: Path) -> NDArray[Any]:
    """Return rows and columns, with colours last where there are any."""
    if not file.name.lower().endswith(ENDINGS):
        raise InputError(f"{file} is no mask", expected=_EXPECTED, action="export the mask in one of these forms")
    if file.suffix.lower() != ".npy":
        image = io.read_image(file)
        return image.pixels[0] if image.axes.startswith("Z") and len(image.pixels) == 1 else image.pixels
    try:
        found: NDArray[Any] = np.load(file, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise InputError(f"{file} cannot be read: {error}", expected=_EXPECTED, action="write it with numpy.save") from error
    return found


def _flat(pixels: NDArray[Any], file: Path) -> NDArray[np.bool_]:
    """Return where a grey or colour picture is not black; transparency counts for nothing."""
    if pixels.ndim == 3 and pixels.shape[-1] in (3, 4):
        pixels = np.any(pixels[..., :3], axis=-1)
    if pixels.ndim != 2 or pixels.dtype.kind not in "biuf":
        raise InputError(f"{file}: values {pixels.dtype} of shape {pixels.shape}", expected="rows and columns of numbers", action="export one slice, flat")
    return np.asarray(pixels != 0, np.bool_)
