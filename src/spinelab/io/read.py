"""Any file, folder or archive to a study: the one door of the readers."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from spinelab.core import Image, InputError, Study, unknown
from spinelab.io.sniff import kind_of

IMAGE_SUFFIXES: Final = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".dcm", ".dicom", ".ima", ".nii", ".nii.gz")
"""Lower-case endings of files worth trying. A DICOM file may have none; what a file is, its content tells."""

_EXPECTED: Final = "a JPG, PNG, TIFF, DICOM or NIfTI file, a folder with a DICOM series, or a zip archive of these"


def read(path: Path | str) -> Study:
    """Read any file, folder or zip archive as one examination.

    Raises `InputError` for what is absent, damaged, dangerous, of several patients, or not an image.
    """
    place = _existing(path)
    if place.is_dir():
        from spinelab.io.series import read_folder

        return read_folder(place, str(place))
    kind = _known_kind(place)
    if kind == "zip":
        from spinelab.io.archive import read_zip

        return read_zip(place, str(place))
    return _study_of_file(place, kind)


def read_image(path: Path | str) -> Image:
    """Read one image file; folders and archives are for `read`."""
    place = _existing(path)
    if place.is_dir() or _known_kind(place) == "zip":
        raise InputError(f"{place} is a folder or an archive", expected="one image file", action="use `read`, which gives a study of all its images")
    return read_picture(place, str(place))


def read_picture(path: Path, name: str) -> Image:
    """Read one image file that exists, under the name that messages and `Image.source` use."""
    kind = kind_of(path, name)
    if kind == "dicom":
        from spinelab.io.dicom import read_dicom

        return read_dicom(path, name)[0]
    if kind == "nifti":
        from spinelab.io.nifti import read_nifti

        return read_nifti(path, name)
    from spinelab.io.raster import read_jpg_png, read_tiff

    return read_tiff(path, name) if kind == "tiff" else read_jpg_png(path, name)


def _study_of_file(path: Path, kind: str) -> Study:
    """Read one image file as a study; only DICOM says who the patient is."""
    name, label = str(path), study_id(path)
    if kind != "dicom":
        reason = unknown("only DICOM states the patient")
        return Study(id=label, images=(read_picture(path, name),), patient=reason, sex=reason, age_years=reason)
    from spinelab.io.dicom import read_dicom
    from spinelab.io.dicom_facts import patient, study_facts

    picture, header = read_dicom(path, name)
    who = patient(header)
    facts = study_facts(header)
    if "notes" in picture.facts:
        facts["notes"] = picture.facts["notes"]
    return Study(id=label, images=(picture,), patient=who.patient, sex=who.sex, age_years=who.age_years, facts=facts)


def study_id(path: Path) -> str:
    """Return a file's name without the ending of an image, which may have a dot in it (``.nii.gz``), or of an archive."""
    ending = next((suffix for suffix in sorted((*IMAGE_SUFFIXES, ".zip"), key=len, reverse=True) if path.name.lower().endswith(suffix)), "")
    return path.name[: len(path.name) - len(ending)] or path.name


def _existing(path: Path | str) -> Path:
    """Return the path if something readable is there."""
    place = Path(path)
    try:
        exists, is_link = place.exists(), place.is_symlink()
        usable = place.is_file() or place.is_dir()
    except (OSError, ValueError) as error:
        raise InputError(f"{str(path)[:200]!r} is no usable path: {error}", expected=_EXPECTED, action="check the path") from error
    if not exists:
        given = f"{place} is a link to a file that is not there" if is_link else f"{place} does not exist"
        raise InputError(given, expected=_EXPECTED, action="check the path")
    if not usable:
        raise InputError(f"{place} is neither a file nor a folder", expected=_EXPECTED, action="check the path")
    return place


def _known_kind(path: Path) -> str:
    """Return what a file is, refusing empty files and those that are no image."""
    name = str(path)
    kind = kind_of(path, name)
    if kind:
        return kind
    if path.stat().st_size == 0:
        raise InputError(f"{name} is empty (0 bytes)", expected=_EXPECTED, action="copy or export the file again")
    renamed = f", whatever its ending {path.suffix!r} says" if path.name.lower().endswith(IMAGE_SUFFIXES) else ""
    raise InputError(f"{name} is not an image that can be read{renamed}", expected=_EXPECTED, action="check that this is the right file")
