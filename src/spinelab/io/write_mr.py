"""Write an MR series as DICOM (MR Image Storage), one file a slice, with sequence, places and frame of reference."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from spinelab.core import InputError
from spinelab.core.study import SEXES
from spinelab.geometry.planes import unit_normal

if TYPE_CHECKING:
    from pydicom import Dataset

BITS: Final = 12
_MR: Final = "1.2.840.10008.5.1.4.1.1.4"
_EXPLICIT_LITTLE_ENDIAN: Final = "1.2.840.10008.1.2.1"


@dataclass(frozen=True)
class MrHeader:
    r"""What a series' header states.

    ``study`` and ``series`` are what its identifiers are made of: series with the same ``study`` share study and frame of reference. Times are in ms,
    lengths in mm. ``description`` is SeriesDescription; ``sequence`` is ScanningSequence (``SE`` or ``SE\IR``).
    """

    study: str
    series: str
    patient_id: str
    number: int
    description: str
    echo_time_ms: float
    repetition_time_ms: float
    inversion_time_ms: float | None = None
    sequence: str = "SE"
    echo_train: int = 1
    flip_angle_deg: float = 90.0
    slice_thickness_mm: float = 4.0
    field_tesla: float = 1.5
    sex: str | None = None
    age_years: float | None = None
    study_date: str = ""

    def __post_init__(self) -> None:
        times = (self.echo_time_ms, self.repetition_time_ms, self.inversion_time_ms or 1.0, self.slice_thickness_mm, self.field_tesla)
        if not all(math.isfinite(value) and value > 0 for value in times):
            raise _refuse(f"Times, thickness and field {times}", "finite, positive numbers")
        if self.sex is not None and self.sex not in SEXES:
            raise _refuse(f"Sex {self.sex!r}", f"one of {', '.join(SEXES)}, or none")
        if self.age_years is not None and not 0 <= self.age_years < 1000:
            raise _refuse(f"Age {self.age_years} years", "0 to 999")
        if self.study_date and not re.fullmatch(r"\d{8}", self.study_date):
            raise _refuse(f"Study date {self.study_date!r}", "YYYYMMDD")


def write_mr_series(
    folder: Path, pixels: NDArray[np.uint16], affines: NDArray[np.float64], header: MrHeader, *, instances: Sequence[int] | None = None
) -> list[Path]:
    """Write ``<instance>.dcm`` for every slice; the same series gives the same bytes.

    Parameters
    ----------
    pixels
        (slices, rows, columns), 0 to 4095.
    affines
        (slices, 4, 4), pixel (column, row, 0, 1) to LPS mm; slices may lean in different ways.
    instances
        The slices' numbers, 1 .. n without them; any order, for position and not number tells where a slice is.

    Raises
    ------
    InputError
        Pixels, places or numbers that cannot be written.
    """
    numbers = list(instances) if instances is not None else list(range(1, len(pixels) + 1))
    _check(pixels, affines, numbers)
    folder.mkdir(parents=True, exist_ok=True)
    low, high = np.percentile(pixels, [1, 99.5])
    paths = []
    dataset = _new(header)
    _describe_study(dataset, header)
    _describe_sequence(dataset, header)
    _describe_layout(dataset, pixels.shape[1:], ((low + high) / 2, max(high - low, 1.0)))
    for picture, affine, number in zip(pixels, affines, numbers, strict=True):
        _describe_slice(dataset, header, number, picture)
        _describe_place(dataset, affine)
        paths.append(folder / f"{number}.dcm")
        dataset.save_as(paths[-1], enforce_file_format=True)
    return paths


def _refuse(given: str, expected: str) -> InputError:
    return InputError(given, expected=expected, action="correct the value")


def _check(pixels: NDArray[Any], affines: NDArray[Any], numbers: Sequence[int]) -> None:
    if pixels.ndim != 3 or pixels.size == 0 or pixels.dtype.kind != "u" or int(pixels.max()) >= 2**BITS:
        raise _refuse(f"Pixels of shape {pixels.shape} and type {pixels.dtype}", f"(slices, rows, columns) of whole numbers from 0 to {2**BITS - 1}")
    if affines.shape != (len(pixels), 4, 4) or not np.isfinite(affines).all():
        raise _refuse(f"Places of shape {affines.shape}", f"{(len(pixels), 4, 4)}, finite")
    if len(set(numbers)) != len(pixels) or min(numbers) < 0:
        raise _refuse(f"{len(set(numbers))} different numbers for {len(pixels)} slices", "one number of at least 0 a slice")
    columns = affines[:, :3, :2] / np.linalg.norm(affines[:, :3, :2], axis=1, keepdims=True)
    if float(np.abs((columns[..., 0] * columns[..., 1]).sum(axis=1)).max()) > 1e-6:
        raise _refuse("Rows and columns that are not at right angles", "two directions at right angles")


def _new(header: MrHeader) -> Dataset:
    """Return an object with the identifiers of study and series, which depend on nothing but their names."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import generate_uid

    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = _EXPLICIT_LITTLE_ENDIAN
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = _MR
    dataset.StudyInstanceUID = generate_uid(entropy_srcs=[header.study, "study"])
    dataset.SeriesInstanceUID = generate_uid(entropy_srcs=[header.study, header.series, "series"])
    dataset.FrameOfReferenceUID = generate_uid(entropy_srcs=[header.study, "frame"])
    dataset.PositionReferenceIndicator = ""
    dataset.SeriesNumber = header.number
    return dataset


def _describe_study(dataset: Dataset, header: MrHeader) -> None:
    dataset.PatientName, dataset.PatientID, dataset.PatientBirthDate, dataset.PatientSex = "", header.patient_id, "", header.sex or ""
    if header.age_years is not None:
        dataset.PatientAge = f"{math.floor(header.age_years):03d}Y"
    dataset.StudyDate, dataset.SeriesDescription, dataset.BodyPartExamined, dataset.Modality = header.study_date, header.description, "LSPINE", "MR"
    for keyword in ("StudyTime", "ReferringPhysicianName", "StudyID", "AccessionNumber", "Manufacturer"):
        setattr(dataset, keyword, "")
    dataset.PatientPosition, dataset.ImageType = "HFS", ["ORIGINAL", "PRIMARY", "OTHER"]


def _describe_sequence(dataset: Dataset, header: MrHeader) -> None:
    dataset.ScanningSequence = header.sequence.split("\\")
    dataset.SequenceVariant, dataset.ScanOptions, dataset.MRAcquisitionType = ("SK" if header.echo_train > 1 else "NONE"), "", "2D"
    dataset.EchoTime, dataset.RepetitionTime = _decimal(header.echo_time_ms), _decimal(header.repetition_time_ms)
    if header.inversion_time_ms is not None:
        dataset.InversionTime = _decimal(header.inversion_time_ms)
    dataset.EchoTrainLength, dataset.FlipAngle = header.echo_train, _decimal(header.flip_angle_deg)
    dataset.MagneticFieldStrength, dataset.SliceThickness = _decimal(header.field_tesla), _decimal(header.slice_thickness_mm)


def _describe_place(dataset: Dataset, affine: NDArray[np.float64]) -> None:
    columns, rows = affine[:3, 0], affine[:3, 1]
    spacing = [float(np.linalg.norm(rows)), float(np.linalg.norm(columns))]
    dataset.PixelSpacing = [_decimal(value) for value in spacing]
    dataset.ImageOrientationPatient = [_decimal(value) for value in (*(columns / spacing[1]), *(rows / spacing[0]))]
    dataset.ImagePositionPatient = [_decimal(value) for value in affine[:3, 3]]
    dataset.SliceLocation = _decimal(float(affine[:3, 3] @ unit_normal(affine)))


def _describe_layout(dataset: Dataset, shape: Sequence[int], window: tuple[float, float]) -> None:
    dataset.Rows, dataset.Columns = shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, BITS, BITS - 1, 0
    dataset.WindowCenter, dataset.WindowWidth = (_decimal(round(value, 1)) for value in window)


def _describe_slice(dataset: Dataset, header: MrHeader, number: int, picture: NDArray[np.uint16]) -> None:
    """Set what differs from slice to slice, but for its place."""
    from pydicom.uid import generate_uid

    instance = generate_uid(entropy_srcs=[header.study, header.series, str(number), "instance"])
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = instance
    dataset.InstanceNumber = number
    dataset.PixelData = np.ascontiguousarray(picture, dtype="<u2").tobytes()
    dataset["PixelData"].VR = "OW"


def _decimal(value: float) -> str:
    """Return a decimal string of at most 16 characters."""
    text = f"{value:.10g}"
    if len(text) > 16:
        text = f"{value:.8f}" if abs(value) < 1 else f"{value:.9g}"
    return "0" if float(text) == 0 else text
