"""What a picture file says of itself without being decoded: size, spacing and patient."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from spinelab import io
from spinelab.core import Example, Fact, Image, InputError, Study, unknown
from spinelab.tasks.landmarks.annotation import Annotated, Point

_TURNED: Final = (5, 6, 7, 8)
"""EXIF orientations whose width is the height of the stored picture; the reader turns such pictures."""
SAME_SPACING: Final = 0.02


@dataclass(frozen=True)
class Header:
    """``size`` is columns and rows, ``None`` where only decoding tells."""

    size: tuple[int, int] | None
    spacing_mm: Fact
    patient: Fact


def look(path: Path) -> Header:
    """Read a picture's header; raises `InputError` where the file cannot be read at all."""
    from spinelab.io.sniff import kind_of

    kind = kind_of(path, str(path))
    if kind == "dicom":
        return _dicom(path)
    plain = unknown("only DICOM states the patient")
    if kind == "nifti":
        return Header(None, unknown("known when the file is opened"), plain)
    size = _size(path)
    if kind in ("", "zip") or (kind == "picture" and size is None):
        raise InputError(f"{path} is empty or no picture", expected="a JPG, PNG, TIFF, DICOM or NIfTI file", action="copy or export it again")
    return Header(size, unknown(f"a {path.suffix.lstrip('.').upper() or 'picture'} does not state it"), plain)


def _dicom(path: Path) -> Header:
    from spinelab.io.dicom_facts import patient
    from spinelab.io.dicom_header import open_header
    from spinelab.io.dicom_spacing import in_plane

    header = open_header(path, str(path), pixels=False)
    columns, rows = header.integer("Columns"), header.integer("Rows")
    size = (columns, rows) if columns and rows else None
    return Header(size, in_plane(header)[0], patient(header).patient)


def _size(path: Path) -> tuple[int, int] | None:
    from PIL import Image as Picture

    try:
        with Picture.open(path) as picture:
            width, height = picture.size
            turned = int(picture.getexif().get(274, 1) or 1) in _TURNED
    except (OSError, ValueError, SyntaxError, Picture.DecompressionBombError):
        return None
    return (height, width) if turned else (width, height)


def spacing_for(path: Path, header: Header, annotated: Annotated) -> tuple[Fact, str]:
    """Return the spacing to use and a remark; the file's own goes before the table's."""
    listed = annotated.spacing_mm
    if listed is None:
        return header.spacing_mm, ""
    if not header.spacing_mm.known:
        return Fact(listed, f"spacing_mm of {annotated.where}"), ""
    differs = any(abs(a - b) > SAME_SPACING * b for a, b in zip(header.spacing_mm.value, listed, strict=True))
    return header.spacing_mm, f"{path.name}: {header.spacing_mm.value[0]:g} and {listed[0]:g} mm" if differs else ""


def example_study(example: Example) -> Study:
    """Open an example's picture; the spacing, patient and facts of the data set hold where the file states none.

    Raises
    ------
    InputError
        If the picture is no single picture, or a point lies outside it.
    """
    image: Image = io.read_image(example.files[""])
    known: dict[str, Any] = {key: example.facts[key] for key in ("sex", "age_years") if key in example.facts}
    if not image.spacing_mm.known and example.facts["spacing_mm"].known and image.axes.startswith("YX"):
        image = replace(image, spacing_mm=example.facts["spacing_mm"])
    rows, columns = image.shape_yx
    for p in example.truth.landmarks:
        if outside((p.x, p.y), (columns, rows)):
            raise InputError(
                f"{example.id}: {p.name} at ({p.x:g}, {p.y:g}) lies outside a picture of {columns} x {rows}",
                expected="points inside the picture",
                action="correct the point, or leave it out if it is not in the picture",
            )
    who = Fact(example.patient, "data set") if example.patient is not None else unknown("the data set names no patients")
    others = {key: fact for key, fact in example.facts.items() if key not in (*known, "spacing_mm")}
    return Study(example.id, images=(image,), patient=who, facts=others, **known)


def opened(example: Example) -> Example:
    """Return the example with its way of being opened."""
    return replace(example, open=partial(example_study, example))


def outside(at: Point, size: tuple[int, int]) -> bool:
    """Tell whether a point lies beyond the pixels of a picture of ``size`` columns and rows."""
    return not (-0.5 <= at[0] <= size[0] - 0.5 and -0.5 <= at[1] <= size[1] - 0.5)
