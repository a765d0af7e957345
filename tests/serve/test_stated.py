"""What a table states of films whose files do not say it."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ComputedRadiographyImageStorage, ExplicitVRLittleEndian, generate_uid

from spinelab.core import InputError, Settings, Study
from spinelab.report import Visit
from spinelab.serve import examinations
from spinelab.serve.stated import with_table


def picture(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16)).save(path)


def film(path: Path, **said: object) -> None:
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.SOPClassUID, data.SOPInstanceUID = ComputedRadiographyImageStorage, generate_uid()
    data.StudyInstanceUID, data.SeriesInstanceUID, data.Modality = generate_uid(), generate_uid(), "CR"
    data.Rows = data.Columns = 8
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated = data.BitsStored = 8
    data.HighBit, data.PixelRepresentation = 7, 0
    data.PixelData = bytes(range(64))
    for keyword, value in said.items():
        setattr(data, keyword, value)
    data.save_as(path, enforce_file_format=True)


@pytest.fixture
def films(tmp_path: Path) -> Path:
    for name in ("a.png", "day/b.png", "night/b.png"):
        picture(tmp_path / "films" / name)
    return tmp_path / "films"


def listed(source: Path, text: str) -> list[examinations.Examination]:
    table = source.parent / "films.csv"
    table.write_text(text, encoding="utf-8")
    return with_table(examinations.find(source, Settings()), table, source)


def opened(source: Path, text: str) -> dict[str, Study]:
    return {one.name: one.open() for one in listed(source, text)}


def test_a_table_states_what_a_picture_does_not(films):
    text = "image;patient;date;age_years;sex;spacing_mm\na.png;anna;2024-03-08;15.5;female;0.14 0.15\nday/b.png;;;;;0.2\n"
    found = opened(films, text)
    study = found["a"]
    assert (study.patient.value, study.age_years.value, study.sex.value, study.images[0].spacing_mm.value) == ("anna", 15.5, "F", (0.14, 0.15))
    assert {fact.source for fact in (study.patient, study.age_years, study.sex, study.images[0].spacing_mm)} == {"films.csv"}
    assert str(Visit.of(study).day) == "2024-03-08"
    assert found["day/b"].images[0].spacing_mm.value == (0.2, 0.2)
    assert not found["day/b"].patient.known
    assert not found["night/b"].images[0].spacing_mm.known


def test_the_films_may_stand_in_a_column_of_another_name(films):
    (one, *_) = listed(films, "film,patient\na.png,P7\n")
    assert one.open().patient.value == "P7"


def test_a_film_alone_is_named_by_its_name(films):
    (study,) = opened(films / "a.png", "image,spacing_mm\na.png,0.14\n").values()
    assert study.images[0].spacing_mm.value == (0.14, 0.14)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("image,weight\na.png,60\n", "column 'weight' is not known"),
        ("patient,sex\nP1,F\n", "no column image"),
        ("image,sex\nc.png,F\n", r"films\.csv line 2: c\.png is not among the films"),
        ("image,sex\nb.png,F\n", r"b\.png is there 2 times"),
        ("image,sex\na.png,F\n./a.png,F\n", "stands in two rows"),
        ("image,sex\n,F\n", "no image"),
        ("image,sex\na.png,X\n", "line 2: sex 'X'"),
        ("image,age_years\na.png,200\n", "age_years '200'"),
        ("image,date\na.png,2024-02-30\n", "date '2024-02-30'"),
        ("image,spacing_mm\na.png,0\n", "spacing_mm is 0"),
        ("image,spacing_mm\na.png,0.1 0.1 0.1\n", "spacing_mm is 0.1 0.1 0.1"),
    ],
)
def test_a_table_that_cannot_be_meant_is_refused_before_anything_is_read(films, text, says):
    with pytest.raises(InputError, match=says):
        listed(films, text)


def test_what_a_file_states_itself_is_kept_where_both_agree(tmp_path):
    film(tmp_path / "a.dcm", PatientID="anna", PatientAge="015Y", StudyDate="20240308", PixelSpacing=[0.14, 0.14])
    (study,) = opened(tmp_path / "a.dcm", "image,patient,date,age_years,sex,spacing_mm\na.dcm,anna,2024-03-08,15.6,F,0.14\n").values()
    assert "PatientID" in study.patient.source
    assert study.age_years.value == 15
    assert "PixelSpacing" in study.images[0].spacing_mm.source
    assert (study.sex.value, study.sex.source) == ("F", "films.csv")


@pytest.mark.parametrize(
    ("column", "value", "own"),
    [("patient", "berta", "anna"), ("date", "2024-03-09", "20240308"), ("age_years", "16", "15"), ("spacing_mm", "0.2", "0.14 x 0.14")],
)
def test_a_table_that_contradicts_the_file_is_refused_with_both(tmp_path, column, value, own):
    film(tmp_path / "a.dcm", PatientID="anna", PatientAge="015Y", StudyDate="20240308", PixelSpacing=[0.14, 0.14])
    (one,) = listed(tmp_path / "a.dcm", f"image,{column}\na.dcm,{value}\n")
    with pytest.raises(InputError, match=rf"films\.csv line 2: {column} is .*but the file of a\.dcm states {own}.* \(DICOM"):
        one.open()


def test_a_table_settles_a_spacing_that_the_file_leaves_open(tmp_path):
    film(tmp_path / "a.dcm", PixelSpacing=[1, 1])
    (study,) = opened(tmp_path / "a.dcm", "image,spacing_mm\na.dcm,0.5\n").values()
    assert study.images[0].spacing_mm.value == (0.5, 0.5)


def test_patients_of_the_table_count_for_serial_films(films):
    assert examinations.patients(listed(films, "image,patient\na.png,anna\nday/b.png,berta\n")) == {"anna", "berta"}
