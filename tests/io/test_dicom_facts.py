"""Spacing, magnification, view, window and patient: each fact with the tag that it comes from."""

import numpy as np
import pytest
from pydicom.dataset import Dataset

from spinelab import io
from spinelab.core import InputError

FILM = np.zeros((8, 6), np.uint16)


def spacing(dicom, **elements):
    return io.read_image(dicom(FILM, Modality=elements.pop("Modality", "DX"), **elements))


def test_calibrated_pixel_spacing_wins(dicom):
    image = spacing(dicom, PixelSpacing=[0.12, 0.13], ImagerPixelSpacing=[0.15, 0.15])
    assert image.spacing_mm.value == (0.12, 0.13)
    assert "PixelSpacing (0028,0030)" in image.spacing_mm.source
    fiducial = spacing(dicom, PixelSpacing=[0.12, 0.12], ImagerPixelSpacing=[0.12, 0.12], PixelSpacingCalibrationType="FIDUCIAL")
    assert "FIDUCIAL" in fiducial.spacing_mm.source


def test_imager_spacing_is_divided_by_the_magnification(dicom):
    image = spacing(dicom, ImagerPixelSpacing=[0.15, 0.3], EstimatedRadiographicMagnificationFactor="1.5")
    assert image.spacing_mm.value == pytest.approx((0.1, 0.2))
    assert image.facts["magnification"].value == 1.5
    same = spacing(dicom, PixelSpacing=[0.15, 0.15], ImagerPixelSpacing=[0.15, 0.15], EstimatedRadiographicMagnificationFactor="1.5")
    assert same.spacing_mm.value == pytest.approx((0.1, 0.1))


def test_imager_spacing_alone_says_where_it_holds(dicom):
    image = spacing(dicom, ImagerPixelSpacing=[0.15, 0.15])
    assert image.spacing_mm.value == (0.15, 0.15)
    assert "at the detector; magnification not stated, distances in the patient are smaller" in image.spacing_mm.source
    assert image.facts["magnification"].value is None


def test_no_spacing_is_unknown(dicom):
    image = spacing(dicom)
    assert image.spacing_mm.value is None and "absent" in image.spacing_mm.source


@pytest.mark.parametrize("keyword", ["PixelSpacing", "ImagerPixelSpacing"])
@pytest.mark.parametrize("bad", [["0", "0"], ["NaN", "0.1"], ["-0.1", "0.1"], ["inf", "inf"], ["1e9", "0.1"], ["0.1"]])
def test_bad_spacing_costs_the_millimetres_not_the_film(make, store, tmp_path, keyword, bad):
    path = store(make(FILM, Modality="DX", **{keyword: ["0.123456", "0.1"][: len(bad)]}), tmp_path / "x.dcm")
    raw, width = path.read_bytes(), len("\\".join(["0.123456", "0.1"][: len(bad)]))
    text = "\\".join(bad).ljust(width + width % 2).encode()
    old = "\\".join(["0.123456", "0.1"][: len(bad)]).ljust(width + width % 2).encode()
    assert raw.count(old) == 1 and len(text) == len(old)
    path.write_bytes(raw.replace(old, text))
    found = io.read_image(path).spacing_mm
    assert found.value is None
    assert found.source.startswith(f"DICOM {keyword} (00")


def test_bad_spacing_of_slices_names_tag_and_value(dicom):
    with pytest.raises(InputError, match=r"PixelSpacing \(0028,0030\) is 0"):
        spacing(dicom, Modality="CT", PixelSpacing=[0, 0])


@pytest.mark.parametrize("bad", ["0", "0.5", "2", "100"])
def test_bad_magnification(dicom, bad):
    found = spacing(dicom, ImagerPixelSpacing=[0.15, 0.15], EstimatedRadiographicMagnificationFactor=bad).spacing_mm
    assert found.value is None
    assert f"EstimatedRadiographicMagnificationFactor (0018,1114) is {bad}" in found.source
    assert "between 0.98 and 1.6" in found.source


def test_a_stated_magnification_is_told_beside_the_corrected_spacing(dicom):
    image = spacing(dicom, PixelSpacing=[0.1, 0.1], ImagerPixelSpacing=[0.12, 0.12], EstimatedRadiographicMagnificationFactor="1.181")
    assert image.spacing_mm.value == (0.1, 0.1)
    assert image.facts["magnification"].value == 1.181
    assert "already in PixelSpacing" in image.facts["magnification"].source


def test_a_stated_magnification_that_contradicts_the_correction_costs_the_millimetres(dicom):
    stated = {"PixelSpacing": [0.1, 0.1], "ImagerPixelSpacing": [0.13, 0.13], "EstimatedRadiographicMagnificationFactor": "1.181"}
    found = spacing(dicom, **stated).spacing_mm
    assert found.value is None
    assert "a magnification of 1.3, but EstimatedRadiographicMagnificationFactor (0018,1114) states 1.181" in found.source
    assert spacing(dicom, **stated, PixelSpacingCalibrationType="FIDUCIAL").spacing_mm.value == (0.1, 0.1)


@pytest.mark.parametrize(("pixel", "imager"), [(0.2, 0.14), (0.1, 0.5), (1, 0.14)])
def test_spacings_that_contradict_each_other_are_no_spacing(dicom, pixel, imager):
    found = spacing(dicom, PixelSpacing=[pixel, pixel], ImagerPixelSpacing=[imager, imager]).spacing_mm
    assert found.value is None
    assert "contradict each other" in found.source


@pytest.mark.parametrize(
    "stated",
    [
        {"PixelSpacing": [1, 1]},
        {"ImagerPixelSpacing": [1, 1]},
        {"PixelSpacing": [1, 1], "ImagerPixelSpacing": [1, 1]},
        {"Modality": "OT", "PixelSpacing": [1, 1]},
    ],
)
def test_one_millimetre_is_a_placeholder_unless_calibrated(dicom, stated):
    found = spacing(dicom, **stated).spacing_mm
    assert found.value is None
    assert "exactly 1 mm, a placeholder" in found.source
    assert spacing(dicom, PixelSpacing=[1, 1], PixelSpacingCalibrationType="FIDUCIAL").spacing_mm.value == (1, 1)
    assert spacing(dicom, Modality="MR", PixelSpacing=[1, 1]).spacing_mm.value == (1, 1)


def _region(dx, dy, units=3, form=1):
    region = Dataset()
    region.PhysicalDeltaX, region.PhysicalDeltaY = dx, dy
    region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = units
    region.RegionSpatialFormat = form
    return region


def test_ultrasound_regions_give_millimetres(dicom):
    image = spacing(dicom, Modality="US", SequenceOfUltrasoundRegions=[_region(0.02, -0.03), _region(1.0, 1.0, units=4, form=3)])
    assert image.spacing_mm.value == pytest.approx((0.3, 0.2))
    two = spacing(dicom, Modality="US", SequenceOfUltrasoundRegions=[_region(0.02, 0.02), _region(0.01, 0.01)])
    assert two.spacing_mm.value is None and "different scale" in two.spacing_mm.source
    with pytest.raises(InputError, match="PhysicalDelta"):
        spacing(dicom, Modality="US", SequenceOfUltrasoundRegions=[_region(0.0, 0.02)])


def test_view_only_where_the_header_states_it(dicom):
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "R-10206", "SRT", "antero-posterior"
    assert spacing(dicom, ViewPosition="LL").view.value == "LATERAL"
    assert {spacing(dicom, ViewPosition=stated).view.value for stated in ("RLO", "LAO", "RPO")} == {"OBLIQUE"}
    assert "ViewPosition (0018,5101) = LL" in spacing(dicom, ViewPosition="LL").view.source
    assert spacing(dicom, ViewCodeSequence=[code]).view.value == "AP"
    assert spacing(dicom, SeriesDescription="L-Spine LAT standing").view.value == "LATERAL"
    assert spacing(dicom, SeriesDescription="L-Spine AP and LAT").view.value is None
    assert spacing(dicom, SeriesDescription="Flap LATE").view.value is None
    assert spacing(dicom).view.value is None


def test_patient_and_study(dicom):
    elements = {"PatientID": "X7", "PatientSex": "F", "PatientAge": "050Y", "InstitutionName": "Here", "StudyDate": "20200102", "KVP": "80"}
    study = io.read(dicom(FILM, "film.dcm", Manufacturer="Maker", Laterality="L", **elements))
    assert study.id == "film"
    assert (study.patient.value, study.sex.value, study.age_years.value) == ("X7", "F", 50.0)
    assert "PatientAge (0010,1010)" in study.age_years.source
    assert study.facts["site"].value == "Here"
    facts = study.images[0].facts
    assert (facts["Manufacturer"].value, facts["KVP"].value, facts["Laterality"].value) == ("Maker", "80", "L")


@pytest.mark.parametrize(("age", "years"), [("006M", 0.5), ("026W", 26 * 7 / 365.2425), ("010D", 10 / 365.2425), ("000Y", 0), ("5", None), ("999Y", None)])
def test_ages(make, store, tmp_path, age, years):
    path = store(make(FILM, PatientAge="123Y"), tmp_path / "x.dcm")
    path.write_bytes(path.read_bytes().replace(b"123Y", age.ljust(4).encode()))
    assert io.read(path).age_years.value == (None if years is None else pytest.approx(years))


def test_age_from_dates_says_so(dicom):
    study = io.read(dicom(FILM, PatientBirthDate="19700101", StudyDate="20200101"))
    assert study.age_years.value == pytest.approx(50, abs=0.01)
    assert "PatientBirthDate" in study.age_years.source and "StudyDate" in study.age_years.source
    assert io.read(dicom(FILM, PatientBirthDate="20300101", StudyDate="20200101")).age_years.value is None


def test_window_first_of_several_is_kept(dicom):
    image = spacing(dicom, WindowCenter=[40, 300], WindowWidth=[300, 1500])
    assert image.window == (40.0, 300.0)
    assert image.facts["windows"].value == ((40.0, 300.0), (300.0, 1500.0))
    none = spacing(dicom, WindowCenter=40, WindowWidth=0)
    assert none.window is None and "no window" in none.facts["windows"].source


def test_unknown_sex_is_unknown(make, store, tmp_path):
    study = io.read(store(make(FILM, PatientSex="X"), tmp_path / "x.dcm"))
    assert study.sex.value is None and "'X'" in study.sex.source
