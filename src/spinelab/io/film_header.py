"""What a film's file says of itself without being decoded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from spinelab.core import Fact, InputError, unknown


@dataclass(frozen=True)
class Header:
    """Columns and rows (``None`` where only decoding tells), spacing, person, site and date."""

    size: tuple[int, int] | None
    spacing_mm: Fact
    patient: Fact
    sex: Fact
    age_years: Fact
    site: Fact
    date: Fact


def look(path: Path, views: Sequence[str]) -> Header:
    """Read a film's header; raises `InputError` for a file that is no picture, or a film whose header names a view that is none of ``views``."""
    from spinelab.io.sniff import kind_of

    kind = kind_of(path, str(path))
    if kind == "dicom":
        return _dicom(path, views)
    if kind not in ("picture", "tiff"):
        raise InputError(f"{path.name} is no film", expected="DICOM, JPG, PNG or TIFF", action="export it again, or leave it out")
    nobody = unknown("only DICOM states it")
    size = picture_size(path)
    if size is None and kind == "picture":
        raise InputError(f"{path.name} is damaged", expected="a complete JPG or PNG", action="export it again, or leave it out")
    kind_name = path.suffix.lstrip(".").upper() or "picture"
    return Header(size, unknown(f"a {kind_name} does not state it"), nobody, nobody, nobody, nobody, nobody)


def _dicom(path: Path, views: Sequence[str]) -> Header:
    from spinelab.io.dicom_facts import patient, study_facts, view
    from spinelab.io.dicom_header import open_header
    from spinelab.io.dicom_spacing import in_plane

    header = open_header(path, path.name, pixels=False)
    stated = view(header)
    if stated.known and stated.value not in views:
        raise InputError(
            f"{path.name} is no {in_words(views)} film but {stated.value} ({stated.source})",
            expected=f"{in_words(views)} films",
            action="remove it, or correct its header",
        )
    columns, rows = header.integer("Columns"), header.integer("Rows")
    size = (columns, rows) if columns and rows else None
    who, study = patient(header), study_facts(header)
    site, date = (study.get(key, unknown(f"DICOM {key} absent")) for key in ("site", "StudyDate"))
    return Header(size, in_plane(header)[0], who.patient, who.sex, who.age_years, site, date)


def in_words(views: Sequence[str]) -> str:
    """Return what films of these views are called: ``lateral``, ``AP or PA``."""
    return " or ".join(view if len(view) == 2 else view.lower() for view in views)


def picture_size(path: Path) -> tuple[int, int] | None:
    """Return columns and rows of a JPG, PNG or TIFF as it is seen, turned where it says so; ``None`` where only decoding tells, or it is damaged."""
    from PIL import Image as Picture

    try:
        with Picture.open(path) as picture:
            width, height = picture.size
            turned = int(picture.getexif().get(274, 1) or 1) >= 5
    except (OSError, ValueError, SyntaxError, Picture.DecompressionBombError):
        return None
    return (height, width) if turned else (width, height)
