"""A bare examination, without coordinates: a folder, a zip or a study that was read, to the series that the questions are asked on."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spinelab import io
from spinelab.core import Fact, Image, InputError, NotSureError, Study, plural, unknown
from spinelab.geometry.planes import to_patient, unit_normal
from spinelab.io.archive import unpacked
from spinelab.io.mr_series import SeriesKind, series_kind
from spinelab.io.mr_study import read_mr_study, why_left_out
from spinelab.io.sniff import kind_of
from spinelab.tasks.lumbar_mri.described import contradiction, stated_kind, stated_kinds, study_folder
from spinelab.tasks.lumbar_mri.targets import DESCRIPTIONS, SAGITTAL_T2

NEEDED: Final = f"the MR series of a lumbar spine: {', '.join(DESCRIPTIONS)}"
_NOTES_SHOWN: Final = 4


def read_bare(source: Path | str | Sequence[Path] | Study) -> Study:
    """Read an examination whose series are told by their headers, or by the competition's table of series in a folder above it.

    Parameters
    ----------
    source
        A folder with DICOM files of one study (a folder a series, or all in one), a zip of it, a list of its files, or a study that
        `spinelab.io.read` or `open_study` returned.

    Returns
    -------
    Study
        One image a series, as `open_study` gives them: with ``slice_affines``, ``instance_numbers``, ``series_id``, ``description`` and ``kind``
        among its facts. Series that none of the questions is asked on are left out; ``series_left_out`` and ``notes`` among the study's facts say which
        and why.

    Raises
    ------
    InputError
        What cannot be read, or files of several patients.
    NotSureError
        If no series is told to be one of the three kinds.
    """
    if isinstance(source, Study):
        return _arranged(source)
    if not isinstance(source, str | Path):
        folder = Path(os.path.commonpath([path.parent for path in source]))
        return _from_folder(folder, str(folder), source[0].stem, source)
    path = Path(source)
    if path.is_dir():
        path = study_folder(path)
        return _from_folder(path, str(path), path.resolve().name)
    if path.is_file() and kind_of(path, str(path)) == "zip":
        with unpacked(path, str(path)) as folder:
            return _from_folder(folder, str(path), path.stem)
    return _arranged(io.read(path))


def _is_arranged(study: Study) -> bool:
    """Return whether every image states which kind of series it is and where each slice lies, as `read_bare` leaves them."""
    needed = ("slice_affines", "instance_numbers", "series_id", "description", "kind")
    return bool(study.images) and all(key in image.facts for image in study.images for key in needed)


def _from_folder(folder: Path, name: str, label: str, files: Sequence[Path] | None = None) -> Study:
    found = read_mr_study(folder, name, files)
    stated, told = stated_kinds(folder)
    images, notes, left_out = [], [*found.notes, *told], list(found.left_out)
    for key, series in found.series.items():
        by_table = stated_kind(stated, key, series) if stated else None
        if by_table is None and series.kind.description is None:
            left_out.append(f"series {key} was not used: {series.kind.reason}")
            notes.append(left_out[-1])
            continue
        images.append(_described(series.image(), key, series.kind, by_table))
        notes += contradiction(key, by_table.value if by_table else None, series.kind)
        notes += [f"series {key}: {note}" for note in series.notes]
    facts = {key: fact for key, fact in found.facts.items() if key != "notes"}
    who = found.patient
    study = Study(label, patient=who.patient, sex=who.sex, age_years=who.age_years, facts=facts or {"source": Fact(name, "path")})
    return _study(study, images, notes, left_out)


def _arranged(study: Study) -> Study:
    """Bring the stacks of a study that was read by the general reader together again, series by series."""
    if _is_arranged(study):
        return study
    groups: dict[str, list[Image]] = {}
    for number, image in enumerate(study.images, start=1):
        stated = image.facts.get("series_id") or image.facts.get("SeriesInstanceUID")
        groups.setdefault(str(stated.value) if stated is not None and stated.known else f"image {number}", []).append(image)
    told = study.facts.get("notes")
    images, notes, left_out = [], list(told.value) if told is not None and told.known else [], []
    for key, parts in groups.items():
        try:
            joined = _joined(parts)
        except InputError as error:
            notes.append(f"series {key} was left out: {error}")
            left_out.append(why_left_out(key, error))
            continue
        kind = series_kind(parts[0])
        if not _is_described(joined) and kind.description is None:
            left_out.append(f"series {key} was not used: {kind.reason}")
            notes.append(left_out[-1])
            continue
        images.append(_described(joined, key, kind))
    return _study(study, images, notes, left_out)


def _study(study: Study, images: Sequence[Image], notes: Sequence[str], left_out: Sequence[str]) -> Study:
    """Return the study with these series in the order of the kinds; raises `NotSureError` without any."""
    if not images:
        raise NotSureError(
            f"{study.id}: no series is one of those that the questions are asked on ({'; '.join(notes[:_NOTES_SHOWN]) or 'there is none'})",
            expected=NEEDED,
            action=f"give the examination with its {SAGITTAL_T2} series; `spinelab doctor` says what can be decoded",
        )
    ordered = sorted(images, key=lambda image: DESCRIPTIONS.index(image.facts["description"].value))
    facts = {key: fact for key, fact in study.facts.items() if key not in ("notes", "source")}
    if notes:
        facts["notes"] = Fact(tuple(dict.fromkeys(notes)), "reader")
    if left_out:
        facts["series_left_out"] = Fact(tuple(left_out), "reader")
    return replace(study, images=tuple(ordered), facts=facts)


def _described(image: Image, key: str, kind: SeriesKind, by_table: Fact | None = None) -> Image:
    extra = {"series_id": Fact(key, "series"), "kind": Fact(kind.reason, "header")}
    if not _is_described(image):
        extra["description"] = by_table or Fact(kind.description, kind.reason)
    return replace(image, facts={**image.facts, **extra})


def _is_described(image: Image) -> bool:
    """Return whether the image is called by one of the three names; the free text of a NIfTI header is another fact of that name."""
    stated = image.facts.get("description")
    return stated is not None and stated.value in DESCRIPTIONS


def _joined(parts: Sequence[Image]) -> Image:
    """Return the stacks of one series as one image with the place of every slice; raises `InputError` where a place is not known."""
    first = parts[0]
    if len({(part.shape_yx, part.axes.endswith("C")) for part in parts}) > 1 or first.axes not in ("YX", "ZYX"):
        raise InputError(f"{first.source}: pictures of several sizes, in colour, or over time", expected="one grey stack", action="export it again")
    stacks = [_in_order(part) for part in parts]
    along = np.mean([unit_normal(affine) for affines, _ in stacks for affine in affines], axis=0)
    stacks.sort(key=lambda stack: float(np.mean([centre(affine, first.shape_yx) @ along for affine in stack[0]])))
    affines, pixels = (np.concatenate(part) for part in zip(*stacks, strict=True))
    facts: dict[str, Any] = {**first.facts, "slice_affines": Fact(affines, first.affine.source)}
    if len(parts) > 1 or "instance_numbers" not in facts:
        facts["instance_numbers"] = Fact(tuple(range(1, len(affines) + 1)), "order of the slices")
    if len(parts) == 1 and first.axes == "ZYX":
        return replace(first, facts=facts)
    reason = unknown(f"{plural(len(parts), 'stack')} of slices: each slice has its own place (fact slice_affines)")
    return replace(first, pixels=pixels, axes="ZYX", affine=reason, spacing_mm=reason, facts=facts)


def _in_order(image: Image) -> tuple[NDArray[np.float64], NDArray[Any]]:
    return _slice_affines(image), image.pixels if image.axes == "ZYX" else image.pixels[None]


def centre(affine: NDArray[np.float64], shape_yx: tuple[int, int]) -> NDArray[np.float64]:
    """Return the LPS mm of the middle of a slice."""
    return to_patient(affine, (shape_yx[1] - 1) / 2, (shape_yx[0] - 1) / 2)


def _slice_affines(image: Image) -> NDArray[np.float64]:
    stated = image.facts.get("slice_affines")
    if stated is not None and stated.known:
        return np.asarray(stated.value, np.float64)
    if not image.affine.known:
        raise InputError(f"{image.source}: {image.affine.source}", expected="the place of every slice in the patient", action="give the folder of the study")
    matrix = np.array(image.affine.value, np.float64)
    count = image.pixels.shape[0] if image.axes == "ZYX" else 1
    planes = np.repeat(matrix[None], count, axis=0)
    planes[:, :3, 3] += np.arange(count)[:, None] * matrix[:3, 2]
    planes[:, :3, 2] = unit_normal(matrix)
    return planes
