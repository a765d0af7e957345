"""Which examinations lie under a path: one file, one series, or many."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

from spinelab import io
from spinelab.core import InputError, Settings, Study
from spinelab.io.read import study_id
from spinelab.io.sniff import kind_of

_VIEW_MARK: Final = re.compile(r"(?:Y[01]|[-_ ](?:AP|PA|LA|LAT|LATERAL))$", re.IGNORECASE)
"""How file names end that differ only in the view: ``0001-F-037Y0`` and ``0001-F-037Y1``, ``anna_ap`` and ``anna_lateral``."""

_DIRECTORY: Final = "dicomdir"
"""A list of DICOM files, not a picture."""


@dataclass(frozen=True, eq=False)
class Examination:
    """A name, and how to open what it names."""

    name: str
    open: Callable[[], Study]


def find(source: Path, settings: Settings) -> list[Examination]:
    """Return the examinations under a path, in the order of their names.

    DICOM files of one study are one examination; every other picture, volume or archive is one of its own. Models that look at several
    films (``settings.views``) get pictures together whose names differ only in the view.
    """
    if source.is_file():
        return [Examination(study_id(source), partial(io.read, source))]
    groups: dict[str, list[Path]] = defaultdict(list)
    together = len(getattr(settings, "views", ())) > 1
    for path in _files(source):
        groups[_key(path, source, together=together)].append(path)
    if len(groups) <= 1:
        return [Examination(source.resolve().name, partial(io.read, source))]
    return [Examination(_name(paths, source, together=together), partial(_open, paths, source)) for paths in groups.values()]


def _files(source: Path) -> list[Path]:
    """Return what is a picture, a volume or an archive by content, or claims to be one by name."""
    found = (p for p in sorted(source.rglob("*")) if p.is_file() and not p.name.startswith(".") and p.name.lower() != _DIRECTORY)
    return [p for p in found if p.name.lower().endswith(io.IMAGE_SUFFIXES) or kind_of(p, str(p))]


def _key(path: Path, source: Path, *, together: bool) -> str:
    """Return what the files of one examination have in common."""
    if kind_of(path, str(path)) == "dicom":
        return f"study {_study_uid(path) or path}"
    if together and _VIEW_MARK.search(path.stem):
        return f"films {_VIEW_MARK.sub('', path.stem).lower()}"
    return f"file {path.relative_to(source)}"


def _study_uid(path: Path) -> str:
    """Return the StudyInstanceUID, or nothing where the header cannot be read: the reader will say why."""
    import pydicom

    try:
        header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=["StudyInstanceUID"])
    except (pydicom.errors.InvalidDicomError, OSError, ValueError, KeyError, AttributeError, TypeError, NotImplementedError, EOFError):
        return ""
    return str(header.get("StudyInstanceUID", ""))


def _name(paths: list[Path], source: Path, *, together: bool) -> str:
    """Return the path of a lone file, the folder of several, or what their names have in common."""
    first = paths[0].relative_to(source)
    if len(paths) == 1:
        return first.as_posix()
    parents = {p.parent for p in paths}
    if together and _VIEW_MARK.search(first.stem):
        return _VIEW_MARK.sub("", first.stem)
    return first.parent.as_posix() if len(parents) == 1 and first.parent != Path() else first.with_suffix("").as_posix()


def _open(paths: list[Path], source: Path) -> Study:
    """Open the files of one examination: as the folder that holds nothing else, or film by film."""
    folder = paths[0].parent
    if len(paths) > 1 and folder != source and _files(folder) == paths:
        return io.read(folder)
    studies = [io.read(path) for path in paths]
    patients = {study.patient.value for study in studies if study.patient.known}
    if len(patients) > 1:
        raise InputError(
            f"{', '.join(p.name for p in paths[:3])} name {len(patients)} patients",
            expected="one patient an examination",
            action="put them into separate folders",
        )
    return replace(studies[0], images=tuple(image for study in studies for image in study.images))
