"""Plane and weighting from headers with the reason, slices by place, and MR objects that meet the standard."""

import csv
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pydicom
import pytest

from spinelab import io
from spinelab.core import Fact, Image, InputError
from spinelab.geometry.planes import plane_of
from spinelab.io.mr_series import fat_suppression, series_kind, weighting
from spinelab.io.mr_slices import read_mr_series
from spinelab.io.mr_study import read_mr_study
from spinelab.io.write_mr import MrHeader, write_mr_series


def header(**changed):
    usual = {"study": "s", "series": "r", "patient_id": "p", "number": 2, "description": "SAG T2 TSE", "echo_time_ms": 100.0, "repetition_time_ms": 4000.0}
    return MrHeader(**{**usual, **changed})


def sagittal(count=5, apart=4.0, tilt_deg=0.0):
    turn = np.radians(tilt_deg)
    affine = np.eye(4)
    affine[:3, 0] = np.array([np.sin(turn), np.cos(turn), 0]) * 0.7
    affine[:3, 1] = (0, 0, -0.8)
    affine[:3, 2] = np.cross(affine[:3, 0], affine[:3, 1]) / 0.56
    affines = np.stack([affine] * count)
    affines[:, :3, 3] = [-20, 5, 60] + affine[:3, 2] * apart * np.arange(count)[:, None]
    return affines


def pictures(count=5):
    return np.random.default_rng(0).integers(0, 4000, (count, 20, 30)).astype(np.uint16)


# --- router


@pytest.mark.parametrize(
    ("stated", "expected", "words"),
    [
        ({"EchoTime": "10", "RepetitionTime": "500"}, "T1", "short echo, short repetition"),
        ({"EchoTime": "102", "RepetitionTime": "4200", "ScanningSequence": "SE"}, "T2", "long echo"),
        ({"EchoTime": "124", "RepetitionTime": "1000", "SeriesDescription": "T2_space_sag"}, "T2", "TE 124 ms"),
        ({"EchoTime": "55", "RepetitionTime": "4500", "InversionTime": "160", "ScanningSequence": "SE\\IR"}, "STIR", "nulls fat"),
        ({"EchoTime": "90", "RepetitionTime": "5570", "ScanningSequence": "['SE', 'IR']", "SeriesDescription": "SAG T2 TSE STIR"}, "STIR", "STIR"),
        ({"EchoTime": "90", "RepetitionTime": "5570", "SeriesDescription": "SAG TIRM"}, "STIR", "TIRM"),
        ({"EchoTime": "9", "RepetitionTime": "2400", "InversionTime": "860"}, "T1", "T1 inversion recovery"),
        ({"EchoTime": "15", "RepetitionTime": "3000"}, "PD", "short echo, long repetition"),
        ({"SeriesDescription": "SAG T1"}, "T1", "SeriesDescription 'SAG T1'"),
        ({"ProtocolName": "t2_tse_tra"}, "T2", "ProtocolName"),
        ({"EchoTime": "100", "RepetitionTime": "4000", "SeriesDescription": "SAG T1"}, None, "contradiction"),
        ({"SeriesDescription": "T1 and T2 fused"}, None, "T1 and T2"),
        ({"EchoTime": "40", "RepetitionTime": "1500"}, None, "between the weightings"),
        ({"EchoTime": "14", "RepetitionTime": "500", "ScanningSequence": "GR"}, None, "gradient echo"),
        ({"EchoTime": "14", "RepetitionTime": "500", "ScanningSequence": "GR", "SeriesDescription": "t2* axial"}, None, "gradient echo"),
        ({"EchoTime": "100", "RepetitionTime": "9000", "InversionTime": "2500"}, None, "nulls fluid"),
        ({"EchoTime": "60", "RepetitionTime": "4000", "ScanningSequence": "IR"}, None, "without an inversion time"),
        ({"EchoTime": "5", "RepetitionTime": "20"}, None, "too short a repetition for a spin echo"),
        ({"EchoTime": "5", "RepetitionTime": "20", "SeriesDescription": "SAG T1 VIBE"}, "T1", "SAG T1 VIBE"),
        ({"EchoTime": "10", "RepetitionTime": "500", "SeriesDescription": "Localizer"}, None, "a localizer (SeriesDescription 'Localizer')"),
        ({"EchoTime": "100", "RepetitionTime": "4000", "ProtocolName": "t2_scout_sag"}, None, "a localizer (ProtocolName"),
        ({"SeriesDescription": "SAG T2", "ImageType": "ORIGINAL\\PRIMARY\\LOCALIZER"}, None, "a localizer (ImageType"),
        ({}, None, "not stated"),
        ({"EchoTime": "x", "RepetitionTime": "inf"}, None, "not stated"),
    ],
)
def test_weighting_and_why(stated, expected, words):
    found = weighting(stated)
    assert found.value == expected
    assert words in found.source


def test_fat():
    assert fat_suppression({"SeriesDescription": "SAG T2 FS"}).value is True
    assert fat_suppression({"EchoTime": "55", "RepetitionTime": "4500", "InversionTime": "160"}).value is True
    assert fat_suppression({"SeriesDescription": "SAG T2 TSE"}).value is None


def test_other_modalities_and_absent_orientation():
    ct = Image(np.zeros((2, 2)), modality=Fact("CT", "x"))
    assert "not MR" in series_kind(ct).weighting.source
    assert series_kind(ct).description is None
    assert "plane not known" in series_kind(ct).reason


@pytest.mark.parametrize(
    ("leaning_deg", "description", "expected"),
    [
        (30, "", "AXIAL"),
        (52, "", "CORONAL"),
        (52, "T2_TSE_TRA L5-S1", "AXIAL"),
        (52, "AX T2", "AXIAL"),
        (52, "SAG T2", "CORONAL"),
        (52, "ax and cor", "CORONAL"),
        (65, "AX T2", "CORONAL"),
        (30, "COR T2", "AXIAL"),
    ],
)
def test_slices_along_the_disc_l5_s1_are_axial_where_the_description_says_so(leaning_deg, description, expected):
    c, s = np.cos(np.radians(leaning_deg)), np.sin(np.radians(leaning_deg))
    affine = np.eye(4)
    affine[:3, :3] = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    facts = {"SeriesDescription": Fact(description, "x")} if description else {}
    image = Image(np.zeros((2, 4, 4)), affine=Fact(affine, "orientation"), modality=Fact("MR", "x"), axes="ZYX", facts=facts)
    found = series_kind(image).plane
    assert found.value == expected
    assert f"degrees from {'axial' if leaning_deg < 45 else 'coronal'}" in found.source
    assert (description in found.source and f"{leaning_deg} from axial" in found.source) == (expected == "AXIAL" and leaning_deg > 45)


def test_every_header_of_a_public_collection():
    """447 lumbar series whose names say T1 or T2: from the sequence's times alone, and with their descriptions."""
    path = Path(__file__).parents[2].parent / "shared" / "data" / "lumbar-mri-gradings" / "overview.csv"
    if not path.is_file():
        pytest.skip("the real data folder is absent")
    rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    assert len(rows) == 447
    stir = 0
    for row in rows:
        stated = {key: value for key, value in row.items() if value}
        named = row["new_file_name"].split("_")[1].upper()
        found = weighting(stated)
        stir += found.value == "STIR"
        assert found.value == named or (found.value == "STIR" and "STIR" in row["SeriesDescription"])
        bare = weighting({key: value for key, value in stated.items() if key != "SeriesDescription"})
        assert bare.value in (named, None)
    assert stir == 1


def _is_mr(path, shared):
    name = path.relative_to(shared).as_posix()
    if any(word in path.name for word in ("mask", "msk", "seg")):
        return False
    return name.startswith(("mri-nifti", "lumbar-mri-seg", "ct-mr-vertebra/sample_mri")) or path.name.startswith("example_mr") or "_MR_" in path.name


def test_every_mr_file_of_the_real_data(shared):
    """Plane from the orientation as SimpleITK reads it; weighting where a header states times, else a reason."""
    import SimpleITK

    paths = [p for p in shared.rglob("*") if p.suffix in (".gz", ".dcm") and _is_mr(p, shared)]
    assert len(paths) > 20
    for path in paths:
        image = io.read_image(path)
        kind = series_kind(image)
        if "placeholder" in image.affine.source:
            assert not kind.plane.known
            assert "placeholder" in kind.reason
            continue
        itk = np.eye(4)
        itk[:3, :3] = np.array(SimpleITK.ReadImage(str(path)).GetDirection()).reshape(3, 3)
        assert kind.plane.value == plane_of(itk)[0]
        if path.suffix == ".dcm":
            assert (kind.weighting.value, kind.description) == ("T2", "Sagittal T2/STIR")
        else:
            assert not kind.weighting.known
            assert "not stated" in kind.weighting.source


# --- slices


def test_a_file_called_dcm_that_is_none_is_told(tmp_path):
    write_mr_series(tmp_path / "1", pictures(), sagittal(), header())
    (tmp_path / "1" / "notes.txt").write_text("nothing", encoding="utf-8")
    assert read_mr_study(tmp_path, "study").notes == ()
    (tmp_path / "1" / "9.dcm").touch()
    assert read_mr_study(tmp_path, "study").notes == ("1 file called .dcm could not be read and was left out (study/1/9.dcm: empty or missing)",)


@pytest.mark.parametrize(
    "gone", [("PixelData",), ("PixelData", "Rows", "Columns", "BitsAllocated"), ("PixelData", "Rows", "BitsAllocated", "StudyInstanceUID")]
)
def test_a_slice_of_which_there_is_only_the_header_is_left_out_and_told(tmp_path, gone):
    write_mr_series(tmp_path / "1", pictures(), sagittal(), header())
    slices = sorted((tmp_path / "1").iterdir())
    stripped(slices[0], *gone)
    study = read_mr_study(tmp_path, "study")
    assert study.notes[0] == f"1 slice is a header without pixels and was left out (study/1/{slices[0].name})"
    (series,) = study.series.values()
    assert len(series.slices) == len(slices) - 1
    for path in slices[1:]:
        stripped(path, *gone)
    with pytest.raises(InputError, match=r"no DICOM slice \(.*a header without pixels"):
        read_mr_study(tmp_path, "study")


def stripped(path, *keywords):
    dataset = pydicom.dcmread(path)
    for keyword in keywords:
        dataset.pop(keyword)
    dataset.save_as(path)


def test_slices_are_sorted_by_place_and_not_by_name(tmp_path):
    write_mr_series(tmp_path / "1", pictures(), sagittal(), header(), instances=[4, 12, 5, 1, 3])
    series = read_mr_series(tmp_path / "1")
    assert [item.instance for item in series.slices] == [4, 12, 5, 1, 3]
    assert series.kind.description == "Sagittal T2/STIR"
    image = series.image()
    assert np.array_equal(image.pixels, pictures())
    other = io.read(tmp_path / "1").images[0]
    assert np.allclose(other.affine.value, image.affine.value)
    assert other.spacing_mm.value == pytest.approx(image.spacing_mm.value)


def test_places_agree_with_simpleitk(tmp_path):
    import SimpleITK

    paths = write_mr_series(tmp_path, pictures(), sagittal(tilt_deg=7), header())
    itk = SimpleITK.ReadImage([str(path) for path in paths])
    affine = read_mr_series(tmp_path).image().affine.value
    for index in ([0, 0, 0], [29, 19, 4], [3, 11, 2]):
        assert itk.TransformIndexToPhysicalPoint(index) == pytest.approx((affine @ [*index, 1])[:3], abs=1e-4)


def along_discs(*discs, steps=(-4, 0, 4)):
    """Return the affines of stacks along discs of these tilts and heights."""
    affines = []
    for tilt, z in discs:
        turn = np.radians(tilt)
        rows, normal = np.array([0, np.cos(turn), np.sin(turn)]), np.array([0, -np.sin(turn), np.cos(turn)])
        for step in steps:
            affine = np.eye(4)
            affine[:3, 0], affine[:3, 1], affine[:3, 2] = (0.6, 0, 0), rows * 0.6, normal
            affine[:3, 3] = np.array([0, 0, z]) + normal * step - affine[:3, 0] * 14.5 - affine[:3, 1] * 9.5
            affines.append(affine)
    return np.array(affines)


def test_stacks_along_the_discs(tmp_path):
    affines = along_discs((20, 0), (0, 40), (-15, 80))
    order = np.random.default_rng(1).permutation(9)
    write_mr_series(tmp_path, pictures(9)[order], affines[order], header(description="AX T2 TSE"))
    series = read_mr_series(tmp_path)
    assert [len(block) for block in series.blocks] == [3, 3, 3]
    assert np.allclose(series.affines, affines, atol=1e-6)
    image = series.image()
    assert np.array_equal(image.pixels, pictures(9))
    assert not image.affine.known
    assert image.facts["slice_affines"].value.shape == (9, 4, 4)
    assert "3 stacks" in series.notes[0]


@pytest.mark.parametrize("tilts", [(0.3, 0, -15), (0, 20, 0)])
def test_discs_of_one_tilt_are_stacks_of_their_own(tmp_path, tilts):
    """Neighbouring discs, and two with another between them; a gap between discs is no missing slice, one within a stack is."""
    affines = along_discs(*zip(tilts, (0, 32, 64), strict=True), steps=(-8, -4, 0, 4, 8))
    write_mr_series(tmp_path / "all", pictures(15), affines, header(description="AX T2 TSE"))
    series = read_mr_series(tmp_path / "all")
    assert series.blocks == (tuple(range(5)), tuple(range(5, 10)), tuple(range(10, 15)))
    assert np.allclose(series.affines, affines, atol=1e-6)
    assert series.notes == ("15 slices in 3 stacks of different orientation or place",)
    (tmp_path / "all" / "2.dcm").unlink()
    assert "between slices 1 and 3 are 8.0 mm, elsewhere 4.0: some may be missing" in read_mr_series(tmp_path / "all").notes


def test_a_wide_gap_in_one_even_stack_is_told(tmp_path):
    write_mr_series(tmp_path, pictures(15), along_discs((10, 0), steps=range(-28, 32, 4)), header(description="AX T2 TSE"))
    for number in range(6, 11):
        (tmp_path / f"{number}.dcm").unlink()
    assert "between slices 5 and 11 are 24.0 mm" in read_mr_series(tmp_path).notes[0]


def test_every_other_slice_missing_is_told_by_the_gaps_that_are_left(tmp_path):
    write_mr_series(tmp_path, pictures(15), sagittal(15), header())
    for number in (2, 5, 8, 11, 14):
        (tmp_path / f"{number}.dcm").unlink()
    notes = read_mr_series(tmp_path).notes
    assert len(notes) == 4
    assert "between slices 1 and 3 are 8.0 mm, elsewhere 4.0: some may be missing" in notes
    assert notes[-1] == "2 more gaps like these"


def test_slices_missing_at_the_ends_of_two_stacks_are_told_by_their_numbers(tmp_path):
    write_mr_series(tmp_path / "all", pictures(20), along_discs((0, 0), (8, 40), (16, 80), (24, 120), steps=(-8, -4, 0, 4, 8)), header(description="AX T2 TSE"))
    assert read_mr_series(tmp_path / "all").notes == ("20 slices in 4 stacks of different orientation or place",)
    for number in range(9, 15):
        (tmp_path / "all" / f"{number}.dcm").unlink()
    _, told = read_mr_series(tmp_path / "all").notes
    assert told == "numbers 9 to 14 are not there, between two stacks: some slices may be missing"
    anew = [100 * stack + number for stack in range(4) for number in range(5)]
    write_mr_series(
        tmp_path / "anew",
        pictures(20),
        along_discs((0, 0), (8, 40), (16, 80), (24, 120), steps=(-8, -4, 0, 4, 8)),
        header(description="AX T2 TSE"),
        instances=anew,
    )
    assert len(read_mr_series(tmp_path / "anew").notes) == 1


def test_a_few_stray_slices_are_left_out_and_told(tmp_path):
    for name in ("plane", "size"):
        write_mr_series(tmp_path / name, pictures(8), sagittal(8), header())
    for number in (3, 8):
        changed(tmp_path / "plane" / f"{number}.dcm", ImageOrientationPatient=[1, 0, 0, 0, 1, 0], FrameOfReferenceUID="1.2.3")
    series = read_mr_series(tmp_path / "plane")
    assert sorted(item.instance for item in series.slices) == [1, 2, 4, 5, 6, 7]
    assert series.notes[0] == "2 of 8 slices are of another plane than the others and were left out (3.dcm, 8.dcm)"
    assert series.kind.description == "Sagittal T2/STIR"
    assert series.frame_of_reference is not None
    write_mr_series(tmp_path / "size", pictures(1)[:, :10], sagittal(1, 99), header(), instances=[9])
    assert "1 of 9 slices are of another size than the others and were left out (9.dcm)" in read_mr_series(tmp_path / "size").notes
    assert read_mr_series(tmp_path / "size").image().pixels.shape == (8, 20, 30)


def test_one_slice_and_missing_slices_and_two_at_one_place(tmp_path):
    write_mr_series(tmp_path / "one", pictures(1), sagittal(1), header())
    assert "single slice" in read_mr_series(tmp_path / "one").notes[0]
    assert read_mr_series(tmp_path / "one").image().pixels.shape == (1, 20, 30)
    write_mr_series(tmp_path / "gap", pictures(), sagittal(), header())
    (tmp_path / "gap" / "3.dcm").unlink()
    series = read_mr_series(tmp_path / "gap")
    assert "between slices 2 and 4 are 8.0 mm" in series.notes[0]
    assert not series.image().spacing_mm.known
    affines = sagittal()
    affines[3] = affines[2]
    write_mr_series(tmp_path / "twice", pictures(), affines, header())
    assert any("slices 3 and 4 lie at one place" in note for note in read_mr_series(tmp_path / "twice").notes)


def changed(path, **elements):
    import pydicom

    dataset = pydicom.dcmread(path)
    for keyword, value in elements.items():
        if value is None:
            delattr(dataset, keyword)
        else:
            setattr(dataset, keyword, value)
    dataset.save_as(path)


def test_series_that_cannot_be_used(tmp_path):
    def fresh(name):
        return write_mr_series(tmp_path / name, pictures(), sagittal(), header())

    changed(fresh("a")[2], ImageOrientationPatient=None)
    with pytest.raises(InputError, match=r"ImageOrientationPatient.*neither level nor side"):
        read_mr_series(tmp_path / "a")
    changed(fresh("b")[2], ImagePositionPatient=None)
    with pytest.raises(InputError, match="ImagePositionPatient"):
        read_mr_series(tmp_path / "b")
    for path in fresh("c")[2:4]:
        changed(path, ImageOrientationPatient=[1, 0, 0, 0, 1, 0])
    with pytest.raises(InputError, match="several planes"):
        read_mr_series(tmp_path / "c")
    for number, path in enumerate(fresh("d")):
        path.rename(path.with_name(f"im{number}.dcm"))
    assert [item.instance for item in read_mr_series(tmp_path / "d").slices] == [1, 2, 3, 4, 5]
    changed(tmp_path / "d" / "im0.dcm", InstanceNumber=2)
    with pytest.raises(InputError, match="2 slices have the InstanceNumber"):
        read_mr_series(tmp_path / "d")
    write_mr_series(tmp_path / "e", pictures(2)[:, :10], sagittal(2, 99), header(), instances=[8, 9])
    fresh("e")
    with pytest.raises(InputError, match="different sizes"):
        read_mr_series(tmp_path / "e")
    (tmp_path / "f").mkdir()
    for name, words in (("f", "no DICOM slice"), ("g", "no folder")):
        with pytest.raises(InputError, match=words):
            read_mr_series(tmp_path / name)
    changed(fresh("h")[0], FrameOfReferenceUID="1.2.3")
    assert read_mr_series(tmp_path / "h").frame_of_reference is None


# --- writer


@pytest.mark.parametrize("more", [{}, {"inversion_time_ms": 160.0, "sequence": "SE\\IR", "sex": "F", "age_years": 61.0, "study_date": "20200101"}])
def test_written_objects_meet_the_standard(tmp_path, more):
    """`dciodvfy` of dicom3tools finds no error."""
    if shutil.which("dciodvfy") is None:
        pytest.skip("dciodvfy (dicom3tools) is not installed")
    path = write_mr_series(tmp_path, pictures(), sagittal(tilt_deg=3.3), header(**more))[1]
    done = subprocess.run(["dciodvfy", "-new", str(path)], capture_output=True, text=True, check=False)
    assert "Error" not in done.stderr
    assert "MRImage" in done.stderr


def test_series_of_one_study_share_the_frame_of_reference(tmp_path):
    for name, study in (("a", "1"), ("b", "1"), ("c", "2")):
        write_mr_series(tmp_path / name, pictures(), sagittal(), header(study=study, series=name))
    frames = [read_mr_series(tmp_path / name).frame_of_reference for name in "abc"]
    assert frames[0] == frames[1] != frames[2]


def test_the_same_series_gives_the_same_bytes(tmp_path):
    one, two = (write_mr_series(tmp_path / name, pictures(), sagittal(), header()) for name in "ab")
    assert [p.read_bytes() for p in one] == [p.read_bytes() for p in two]


def test_what_cannot_be_written(tmp_path):
    with pytest.raises(InputError, match="Pixels"):
        write_mr_series(tmp_path, pictures().astype(np.int16), sagittal(), header())
    with pytest.raises(InputError, match="Places"):
        write_mr_series(tmp_path, pictures(), sagittal(4), header())
    with pytest.raises(InputError, match="different numbers"):
        write_mr_series(tmp_path, pictures(), sagittal(), header(), instances=[1, 1, 2, 3, 4])
    leaning = sagittal()
    leaning[:, :3, 1] += leaning[:, :3, 0]
    with pytest.raises(InputError, match="right angles"):
        write_mr_series(tmp_path, pictures(), leaning, header())
    for wrong in ({"echo_time_ms": -1.0}, {"sex": "X"}, {"age_years": 2000.0}, {"study_date": "2020"}):
        with pytest.raises(InputError):
            header(**wrong)
