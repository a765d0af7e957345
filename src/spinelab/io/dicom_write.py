"""Write a radiograph as a DICOM object (Digital X-Ray Image, for presentation): 12 bits, with spacing, orientation and person."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from spinelab.core import InputError
from spinelab.core.study import SEXES

if TYPE_CHECKING:
    from pydicom import Dataset

BITS: Final = 12
_TOP: Final = 2**BITS - 1
_DX: Final = "1.2.840.10008.5.1.4.1.1.1.1"
_FIRST_IMPORT: Final = Lock()
"""Held while pydicom is first imported: threads that import it at once see it half made."""
_EXPLICIT_LITTLE_ENDIAN: Final = "1.2.840.10008.1.2.1"

# DICOM view position, and code and meaning in SNOMED CT (PS3.16, CID 4010).
_VIEWS: Final = {
    "AP": ("AP", "399348003", "antero-posterior"),
    "PA": ("PA", "272479007", "postero-anterior"),
    "LATERAL": (None, "399067008", "lateral"),
    "LL": ("LL", "399173006", "left lateral"),
    "RL": ("RL", "399198007", "right lateral"),
}


@dataclass(frozen=True)
class _Person:
    patient_id: str
    sex: str | None
    age_years: float | None


def write_dx(  # noqa: PLR0913 - a film's header
    path: Path | str,
    pixels: NDArray[np.uint16],
    *,
    spacing_mm: float | tuple[float, float] | None,
    view: str,
    patient_orientation: Sequence[str],
    patient_id: str,
    sex: str | None = None,
    age_years: float | None = None,
    monochrome: int = 2,
    window: tuple[float, float] | None = None,
    magnification: float | None = None,
    study_date: str | None = None,
    institution: str | None = None,
    description: str = "Spine",
) -> None:
    """Write one film as a DX object; the same film gives the same bytes.

    Parameters
    ----------
    pixels
        ``(rows, columns)``, 0 to 4095, larger is brighter (more attenuation), whatever ``monochrome`` is.
    spacing_mm
        Detector pixel, one number or (row, column), written as ImagerPixelSpacing. The standard demands it; with ``None`` the object lacks it,
        as objects in the wild do.
    view
        ``AP``, ``PA``, ``LATERAL``, or ``LL`` / ``RL`` where the side at the detector is known.
    patient_orientation
        Where rows and columns run to: ``("A", "F")`` for a patient who faces the picture's right, ``("P", "F")`` left, ``("L", "F")`` frontal.
    sex, age_years
        ``F``, ``M`` or ``O``, and age in years; left out where not known.
    monochrome
        2, or 1 to store the picture inverted; `spinelab.io.read` gives the same values back.
    window
        Centre and width for ``pixels`` as given.
    magnification
        Detector millimetres per millimetre of the patient, written as EstimatedRadiographicMagnificationFactor; left out where not known.
    study_date
        ``YYYYMMDD``.
    institution
        The site.
    description
        SeriesDescription.

    Raises
    ------
    InputError
        A value cannot be written as such.
    """
    _check(pixels, view, monochrome, patient_orientation)
    dataset = _new(Path(path), pixels, patient_id)
    _describe_person(dataset, _Person(patient_id, sex, age_years))
    _describe_study(dataset, study_date, institution, description)
    _describe_acquisition(dataset, view, patient_orientation)
    _describe_scale(dataset, spacing_mm, magnification)
    _describe_pixels(dataset, pixels, monochrome, window)
    dataset.save_as(path, enforce_file_format=True)


def _refuse(given: str, expected: str) -> InputError:
    return InputError(given, expected=expected, action="correct the value")


def _check(pixels: NDArray[Any], view: str, monochrome: int, orientation: Sequence[str]) -> None:
    if pixels.ndim != 2 or pixels.size == 0 or pixels.dtype.kind not in "ui" or int(pixels.min()) < 0 or int(pixels.max()) > _TOP:
        raise _refuse(f"Pixels of shape {pixels.shape} and type {pixels.dtype}", f"(rows, columns) of whole numbers from 0 to {_TOP}")
    if max(pixels.shape) > 65535:
        raise _refuse(f"{pixels.shape[0]} x {pixels.shape[1]} pixels", "at most 65535 along each side")
    if view not in _VIEWS:
        raise _refuse(f"View {view!r}", f"one of {', '.join(_VIEWS)}")
    if monochrome not in (1, 2):
        raise _refuse(f"MONOCHROME{monochrome}", "1 or 2")
    if len(orientation) != 2 or not all(re.fullmatch("[LRAPHF]{1,3}", direction) for direction in orientation):
        raise _refuse(f"Patient orientation {tuple(orientation)}", "two directions out of L, R, A, P, H, F")


def _new(path: Path, pixels: NDArray[Any], patient_id: str) -> Dataset:
    """Return an object with its identifiers, which depend on nothing but the film, its name and the patient."""
    with _FIRST_IMPORT:
        from pydicom.dataset import Dataset, FileMetaDataset

    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = _EXPLICIT_LITTLE_ENDIAN
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = _DX
    _identify(dataset, path, pixels, patient_id)
    dataset.SeriesNumber = dataset.InstanceNumber = 1
    dataset.AcquisitionNumber = None
    for keyword in ("StudyTime", "ReferringPhysicianName", "StudyID", "AccessionNumber", "Manufacturer", "AcquisitionDate", "AcquisitionTime"):
        setattr(dataset, keyword, "")
    return dataset


def _identify(dataset: Dataset, path: Path, pixels: NDArray[Any], patient_id: str) -> None:
    from hashlib import sha256

    from pydicom.uid import generate_uid

    film = [path.name, patient_id, sha256(pixels.tobytes()).hexdigest()]
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[*film, "instance"])
    dataset.SeriesInstanceUID = generate_uid(entropy_srcs=[*film, "series"])
    dataset.StudyInstanceUID = generate_uid(entropy_srcs=[*film, "study"])


def _describe_person(dataset: Dataset, person: _Person) -> None:
    if person.sex is not None and person.sex not in SEXES:
        raise _refuse(f"Sex {person.sex!r}", f"one of {', '.join(SEXES)}, or none")
    dataset.PatientName, dataset.PatientID, dataset.PatientBirthDate = "", person.patient_id, ""
    dataset.PatientSex = person.sex or ""
    if person.age_years is not None:
        if not 0 <= person.age_years < 1000:
            raise _refuse(f"Age {person.age_years} years", "0 to 999")
        young = person.age_years < 2
        dataset.PatientAge = f"{math.floor(person.age_years * 12) if young else math.floor(person.age_years):03d}{'M' if young else 'Y'}"


def _describe_study(dataset: Dataset, date: str | None, institution: str | None, description: str) -> None:
    dataset.StudyDate, dataset.SeriesDescription = _date(date), description
    if institution:
        dataset.InstitutionName = institution


def _date(text: str | None) -> str:
    if text and not re.fullmatch(r"\d{8}", text):
        raise _refuse(f"Study date {text!r}", "YYYYMMDD")
    return text or ""


def _describe_acquisition(dataset: Dataset, view: str, orientation: Sequence[str]) -> None:
    position, code, meaning = _VIEWS[view]
    dataset.Modality, dataset.PresentationIntentType = "DX", "FOR PRESENTATION"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", ""]
    dataset.BodyPartExamined, dataset.ImageLaterality = "SPINE", "U"
    dataset.AnatomicRegionSequence = [_code("421060004", "SCT", "Vertebral column")]
    dataset.ViewCodeSequence = [_code(code, "SCT", meaning)]
    dataset.ViewCodeSequence[0].ViewModifierCodeSequence = []
    if position:
        dataset.ViewPosition = position
    dataset.PatientOrientation = list(orientation)
    dataset.DetectorType, dataset.PositionerType, dataset.AcquisitionContextSequence = "DIRECT", "NONE", []


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    from pydicom.dataset import Dataset

    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def _describe_scale(dataset: Dataset, spacing_mm: float | tuple[float, float] | None, magnification: float | None) -> None:
    if spacing_mm is not None:
        pair = (spacing_mm, spacing_mm) if isinstance(spacing_mm, int | float) else spacing_mm
        dataset.ImagerPixelSpacing = [_decimal(value) for value in pair]
    if magnification is not None:
        if not (math.isfinite(magnification) and magnification >= 1):
            raise _refuse(f"Magnification {magnification}", "a finite factor of at least 1, or none")
        dataset.EstimatedRadiographicMagnificationFactor = _decimal(magnification)


def _decimal(value: float) -> str:
    """Return a decimal string of at most 16 characters."""
    if not math.isfinite(value):
        raise _refuse(f"{value}", "a finite number")
    return f"{value:.10g}"


def _describe_pixels(dataset: Dataset, pixels: NDArray[Any], monochrome: int, window: tuple[float, float] | None) -> None:
    stored = np.asarray(pixels if monochrome == 2 else _TOP - pixels.astype(np.int32)).astype("<u2")
    dataset.Rows, dataset.Columns = stored.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, f"MONOCHROME{monochrome}"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, BITS, BITS - 1, 0
    dataset.LossyImageCompression, dataset.BurnedInAnnotation = "00", "NO"
    _describe_grey_levels(dataset, monochrome, window)
    dataset.PixelData = stored.tobytes()
    dataset["PixelData"].VR = "OW"


def _describe_grey_levels(dataset: Dataset, monochrome: int, window: tuple[float, float] | None) -> None:
    # Larger stored values are less exposure (more attenuation) unless the picture is stored inverted.
    dataset.PixelIntensityRelationship, dataset.PixelIntensityRelationshipSign = "LOG", -1 if monochrome == 2 else 1
    dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = 0, 1, "US"
    dataset.PresentationLUTShape = "IDENTITY" if monochrome == 2 else "INVERSE"
    centre, width = window or ((_TOP + 1) / 2, float(_TOP + 1))
    # LINEAR is centred on c - 0.5 (PS3.3 C.11.2.1.2.1), so the mirrored centre is one more.
    dataset.WindowCenter, dataset.WindowWidth = _decimal(centre if monochrome == 2 else _TOP - centre + 1), _decimal(width)
