"""Synthetic DICOM objects, written with pydicom."""

from pathlib import Path

import numpy as np
import pytest

EXPLICIT = "1.2.840.10008.1.2.1"
CT, MR, DX, US, SC = (f"1.2.840.10008.5.1.4.1.1.{n}" for n in ("2", "4", "1.1", "6.1", "7"))


def make_dataset(stored, **elements):
    """Return a data set that holds ``stored`` (rows, columns) or (frames, rows, columns), elements set on top."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import generate_uid

    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = elements.pop("syntax", EXPLICIT)
    dataset.SOPClassUID = elements.pop("SOPClassUID", CT)
    dataset.SOPInstanceUID = generate_uid()
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    bits = stored.dtype.itemsize * 8
    if stored.ndim == 3:
        dataset.NumberOfFrames = len(stored)
    dataset.Rows, dataset.Columns = stored.shape[-2:]
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = bits, bits, bits - 1
    dataset.PixelRepresentation = int(stored.dtype.kind == "i")
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.PixelData = stored.tobytes() + b"\0" * (stored.nbytes % 2)
    dataset["PixelData"].VR = "OW" if bits > 8 else "OB"
    for keyword, value in elements.items():
        if value is None:
            if keyword in dataset:
                delattr(dataset, keyword)
        else:
            setattr(dataset, keyword, value)
    return dataset


def save(dataset, path):
    dataset.save_as(path, enforce_file_format=True)
    return Path(path)


@pytest.fixture(scope="session")
def builder():
    """Return what makes and what saves a data set, for fixtures of a wider scope."""
    return make_dataset, save


@pytest.fixture
def make():
    return make_dataset


@pytest.fixture
def dicom(tmp_path):
    """Return a function that writes one object and gives its path."""

    def write(stored, name="one.dcm", **elements):
        return save(make_dataset(stored, **elements), tmp_path / name)

    return write


@pytest.fixture
def store():
    return save


@pytest.fixture
def picture():
    """Return 80 x 48 values of 7 to 3846, none of them repeated in a way that hides a flip."""
    return (np.arange(80 * 48, dtype=np.uint32).reshape(80, 48) + 7).astype(np.uint16)


@pytest.fixture
def shared():
    """Return the folder of real data, or skip."""
    folder = Path(__file__).parents[2].parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the real data folder is absent")
    return folder


@pytest.fixture
def write_series(tmp_path):
    """Return a function that writes a CT series, its files named against their order, and gives the folder."""
    from pydicom.uid import generate_uid

    def write(positions, *, directions=(1, 0, 0, 0, 1, 0), folder="series", volume=None, each=None, **elements):
        place = tmp_path / folder
        place.mkdir(exist_ok=True)
        shared = {
            "SeriesInstanceUID": generate_uid(),
            "StudyInstanceUID": "1.2.3",
            "FrameOfReferenceUID": "1.2.3.4",
            "Modality": "CT",
            "PatientID": "P1",
            "PixelSpacing": [0.5, 0.25],
            "ImageOrientationPatient": list(directions),
            "SeriesNumber": 1,
            "RescaleSlope": 1,
            "RescaleIntercept": -1024,
            **elements,
        }
        for number, position in enumerate(positions):
            stored = np.full((6, 5), number * 10, np.uint16) + np.arange(30, dtype=np.uint16).reshape(6, 5) if volume is None else volume[number]
            own = each(number) if each else {}
            name = f"{(number * 7919) % 1000:03d}.dcm"
            geometry = {"ImagePositionPatient": [f"{p:.6f}"[:16] for p in position]}
            save(make_dataset(stored, **{**geometry, **shared, **own}), place / name)
        return place

    return write
