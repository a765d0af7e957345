"""Who, when, how and from which side: what a DICOM header states about patient and image, each with its tag."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from spinelab.core import Fact, unknown
from spinelab.core.study import SEXES
from spinelab.io.dicom_geometry import anatomical_plane, orientation
from spinelab.io.dicom_header import Header, tag

IMAGE_FACTS: Final = (
    "SOPClassUID",
    "SOPInstanceUID",
    "SeriesInstanceUID",
    "FrameOfReferenceUID",
    "SeriesNumber",
    "InstanceNumber",
    "SeriesDescription",
    "ProtocolName",
    "BodyPartExamined",
    "Laterality",
    "ImageLaterality",
    "PatientPosition",
    "PatientOrientation",
    "Manufacturer",
    "ManufacturerModelName",
    "KVP",
    "FilterMaterial",
    "DistanceSourceToDetector",
    "DistanceSourceToPatient",
    "SliceThickness",
    "SpacingBetweenSlices",
    "MagneticFieldStrength",
    "ScanningSequence",
    "RepetitionTime",
    "EchoTime",
    "InversionTime",
    "ConvolutionKernel",
    "FrameTime",
    "PixelPaddingValue",
    "PixelSpacing",
    "ImagerPixelSpacing",
    "LossyImageCompression",
    "BurnedInAnnotation",
    "PresentationLUTShape",
    "ImageType",
)

_OF_SLICE: Final = ("SOPInstanceUID", "InstanceNumber")
_OF_SERIES: Final = tuple(keyword for keyword in IMAGE_FACTS if keyword not in _OF_SLICE)
"""What the slices of a series usually state alike."""
_TELL_PATIENT: Final = ("PatientID", "PatientSex", "PatientAge", "PatientBirthDate", "StudyDate")
_TELL_VIEW: Final = ("Modality", "ImageOrientationPatient", "ViewPosition", "ViewCodeSequence", "SeriesDescription")

STUDY_FACTS: Final = ("StudyInstanceUID", "StudyDate", "StudyDescription", "AccessionNumber")

_SIDE: Final = ("LL", "RL", "LAT", "LATERAL")
_OBLIQUE: Final = ("RLO", "LLO", "RAO", "LAO", "RPO", "LPO")
"""The first two are the standard's, the others what consoles write of the lumbar spine."""
_POSITIONS: Final = {"AP": "AP", "PA": "PA", **dict.fromkeys(_SIDE, "LATERAL"), **dict.fromkeys(_OBLIQUE, "OBLIQUE")}
_WORDS: Final = {
    "AP": r"a\.?p\.?|antero-?posterior|anterior-posterior",
    "PA": r"p\.?a\.?|postero-?anterior|posterior-anterior",
    "LATERAL": r"lat|lateral|ll|rl",
    "OBLIQUE": r"obl|oblique",
}
PLANE_WORDS: Final = {"AXIAL": r"ax|axial|tra|transverse", "SAGITTAL": r"sag|sagittal", "CORONAL": r"cor|coronal"}
_YEARS_A_UNIT: Final = {"Y": 1.0, "M": 1 / 12, "W": 7 / 365.2425, "D": 1 / 365.2425}


@dataclass(frozen=True)
class Patient:
    """What a header says about the person."""

    patient: Fact
    sex: Fact
    age_years: Fact


def image_facts(header: Header) -> dict[str, Fact]:
    """Return the stated elements among those worth keeping; absent ones are left out."""
    facts = header.once("image facts", _OF_SERIES, lambda: _stated(header, _OF_SERIES)) | _stated(header, _OF_SLICE)
    return {keyword: facts[keyword] for keyword in IMAGE_FACTS if keyword in facts}


def _stated(header: Header, keywords: Sequence[str]) -> dict[str, Fact]:
    found = {keyword: header.fact(keyword) for keyword in keywords if keyword in header.dataset}
    return {keyword: fact for keyword, fact in found.items() if fact.known}


def study_facts(header: Header) -> dict[str, Fact]:
    """Return the facts of the examination, with the institution as its ``site``."""
    found = {keyword: header.fact(keyword) for keyword in STUDY_FACTS}
    found["site"] = header.fact("InstitutionName")
    return {name: fact for name, fact in found.items() if fact.known}


def patient(header: Header) -> Patient:
    """Return identifier, sex and age."""
    return header.once("patient", _TELL_PATIENT, lambda: Patient(header.fact("PatientID"), _sex(header), _age(header)))


def _sex(header: Header) -> Fact:
    text, source = header.text("PatientSex"), f"DICOM {tag('PatientSex')}"
    if text is None:
        return unknown(f"{source} absent or empty")
    return Fact(text.upper(), source) if text.upper() in SEXES else unknown(f"{source} is {text!r}, not F, M or O")


def _age(header: Header) -> Fact:
    """Return the age at the examination from PatientAge, else from the dates of birth and study."""
    text, source = header.text("PatientAge"), f"DICOM {tag('PatientAge')}"
    if text is None:
        return _age_from_dates(header)
    match = re.fullmatch(r"(\d{1,3})([YMWD])", text.upper())
    years = float(match[1]) * _YEARS_A_UNIT[match[2]] if match else -1.0
    if not 0 <= years <= 130:
        return unknown(f"{source} is {text!r}, not an age")
    return Fact(years, f"{source} = {text}")


def _age_from_dates(header: Header) -> Fact:
    born, seen = (_date(header.text(keyword)) for keyword in ("PatientBirthDate", "StudyDate"))
    if born is None or seen is None:
        return unknown(f"DICOM {tag('PatientAge')} absent, PatientBirthDate and StudyDate not both stated")
    years = (seen - born).days / 365.2425
    if not 0 <= years <= 130:
        return unknown(f"DICOM PatientBirthDate {born} and StudyDate {seen} give {years:.1f} years")
    return Fact(round(years, 2), f"DICOM {tag('PatientBirthDate')} and {tag('StudyDate')}")


def _date(text: str | None) -> date | None:
    match = re.fullmatch(r"(\d{4})[.\-]?(\d{2})[.\-]?(\d{2})", text or "")
    try:
        return date(int(match[1]), int(match[2]), int(match[3])) if match else None
    except ValueError:
        return None


def view(header: Header) -> Fact:
    """Return the projection or the plane that the header states; the file name is never asked."""
    return header.once("view", _TELL_VIEW, lambda: _view(header))


def _view(header: Header) -> Fact:
    directions = orientation(header) if header.text("Modality") in ("CT", "MR", "PT") else None
    if directions is not None:
        return anatomical_plane(directions)
    stated = header.text("ViewPosition")
    if stated is not None and stated.upper() in _POSITIONS:
        return Fact(_POSITIONS[stated.upper()], f"DICOM {tag('ViewPosition')} = {stated}")
    for item in header.items("ViewCodeSequence"):
        meaning = item.text("CodeMeaning") or ""
        if found := named(meaning, _WORDS):
            return Fact(found, f"DICOM {tag('ViewCodeSequence')}, meaning {meaning!r}")
    description = header.text("SeriesDescription") or ""
    words = PLANE_WORDS if header.text("Modality") in ("CT", "MR", "PT") else _WORDS
    if found := named(description, words):
        return Fact(found, f"DICOM {tag('SeriesDescription')} = {description!r}")
    also = f" (ViewPosition is {stated!r})" if stated else ""
    return unknown(f"DICOM ViewPosition, ViewCodeSequence and SeriesDescription state no view{also}")


def named(text: str, words: Mapping[str, str]) -> str | None:
    """Return the one view that a text names as a whole word; ``None`` for none or several."""
    found = [name for name, pattern in words.items() if re.search(rf"(?<![a-z])(?:{pattern})(?![a-z])", text.lower())]
    return found[0] if len(found) == 1 else None
