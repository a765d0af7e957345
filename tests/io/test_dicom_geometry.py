"""Orientation, order and spacing of slices, from the header only; compared with SimpleITK."""

import numpy as np
import pytest

from spinelab import io
from spinelab.core import InputError


def _positions(count, step, origin=(-10.0, 5.0, 100.0)):
    return [tuple(np.array(origin) + i * np.array(step)) for i in range(count)]


def assert_same_places(image, itk, generator):
    """Random voxels lie at the same patient millimetres and hold the same value as in SimpleITK."""
    shape = image.pixels.shape
    affine = image.affine.value
    array = None
    for _ in range(25):
        z, y, x = (int(generator.integers(n)) for n in shape)
        ours = affine @ [x, y, z, 1]
        theirs = itk.TransformIndexToPhysicalPoint((x, y, z))
        assert np.abs(ours[:3] - theirs).max() < 1e-3
        if array is None:
            import SimpleITK

            array = SimpleITK.GetArrayViewFromImage(itk)
        assert image.pixels[z, y, x] == array[z, y, x]


ORIENTATIONS = {
    "axial": (1, 0, 0, 0, 1, 0),
    "sagittal": (0, 1, 0, 0, 0, -1),
    "coronal": (1, 0, 0, 0, 0, -1),
    "oblique": (0.8, 0.6, 0, -0.48, 0.64, 0.6),
}


@pytest.mark.filterwarnings("ignore:builtin type")
@pytest.mark.parametrize("name", ORIENTATIONS)
@pytest.mark.parametrize("sign", [1, -1])
def test_series_agrees_with_simpleitk(write_series, name, sign):
    import SimpleITK

    directions = np.array(ORIENTATIONS[name], float)
    step = np.cross(directions[:3], directions[3:]) * 2.5 * sign
    folder = write_series(_positions(7, step), directions=directions)
    study = io.read(folder)
    (image,) = study.images
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    assert image.axes == "ZYX" and image.unit == "HU"
    assert_same_places(image, reader.Execute(), np.random.default_rng(1))
    assert np.allclose(image.spacing_mm.value, (2.5, 0.5, 0.25))
    assert image.view.value == (name.upper() if name != "oblique" else "OBLIQUE")
    assert np.linalg.det(image.affine.value[:3, :3]) > 0


def test_order_is_that_of_positions_whatever_the_names_and_numbers(write_series):
    folder = write_series(_positions(6, (0, 0, 3)), each=lambda i: {"InstanceNumber": 100 - i})
    image = io.read(folder).images[0]
    assert np.all(np.diff(image.pixels[:, 0, 0].astype(int)) == 10)


def test_several_series_are_several_images(write_series):
    folder = write_series(_positions(3, (0, 0, 3)))
    write_series(_positions(4, (0, 0, 3)), SeriesNumber=2, each=lambda i: {"SOPInstanceUID": f"1.9.{i}"}, folder="series/b")
    study = io.read(folder)
    assert sorted(image.pixels.shape[0] for image in study.images) == [3, 4]
    assert study.patient.value == "P1"
    assert study.facts["StudyInstanceUID"].value == "1.2.3"


def test_two_patients_are_a_data_set(write_series):
    folder = write_series(_positions(3, (0, 0, 3)), each=lambda i: {"PatientID": "P2" if i == 2 else "P1"})
    with pytest.raises(InputError, match=r"2 patients .*'P1', 'P2'.*data set"):
        io.read(folder)


def test_sexes_that_disagree_are_unknown(write_series):
    study = io.read(write_series(_positions(3, (0, 0, 3)), each=lambda i: {"PatientSex": "FM"[i % 2]}))
    assert study.sex.value is None
    assert "disagree" in study.sex.source


def test_missing_slice_leaves_spacing_unknown(write_series):
    positions = _positions(8, (0, 0, 3))
    del positions[4]
    study = io.read(write_series(positions))
    (image,) = study.images
    assert not image.spacing_mm.known and not image.affine.known
    assert "1 slice seems to be missing" in image.spacing_mm.source
    assert image.facts["in_plane_spacing_mm"].value == (0.5, 0.25)
    assert len(image.facts["slice_positions_mm"].value) == 7
    assert any("missing" in note for note in study.facts["notes"].value)


def test_uneven_gaps_leave_spacing_unknown(write_series):
    image = io.read(write_series([(0, 0, z) for z in (0, 2, 4.3, 6, 8)])).images[0]
    assert "not evenly spaced" in image.spacing_mm.source


def test_positions_rounded_to_a_tenth_are_even(write_series):
    image = io.read(write_series([(0, 0, round(z * 0.625, 1)) for z in range(20)])).images[0]
    assert image.spacing_mm.value[0] == pytest.approx(0.625, abs=0.01)


def test_gantry_tilt_is_kept_and_told(write_series):
    tilt = np.radians(15)
    study = io.read(write_series(_positions(5, (0, 3 * np.sin(tilt), 3 * np.cos(tilt)))))
    (image,) = study.images
    assert image.facts["gantry_tilt_deg"].value == pytest.approx(15, abs=0.01)
    assert np.allclose(image.affine.value @ [0, 0, 4, 1], [-10, 5 + 12 * np.sin(tilt), 100 + 12 * np.cos(tilt), 1], atol=1e-4)
    assert any("gantry tilt" in note for note in study.facts["notes"].value)


def test_two_slices_at_one_place_are_refused_by_name(write_series):
    with pytest.raises(InputError, match=r"\.dcm and .*\.dcm lie at the same position"):
        io.read(write_series([(0, 0, 0), (0, 0, 3), (0, 0, 3), (0, 0, 6)]))


def test_echoes_at_the_same_places_are_told_apart(write_series):
    positions = [(0, 0, 3 * (i // 2)) for i in range(8)]
    study = io.read(write_series(positions, Modality="MR", each=lambda i: {"EchoNumbers": i % 2 + 1}))
    assert [image.pixels.shape[0] for image in study.images] == [4, 4]
    assert any("EchoNumbers" in note for note in study.facts["notes"].value)


def test_a_copied_file_is_left_out(write_series):
    folder = write_series(_positions(3, (0, 0, 3)))
    (folder / "copy.dcm").write_bytes(next(folder.glob("*.dcm")).read_bytes())
    study = io.read(folder)
    assert study.images[0].pixels.shape[0] == 3
    assert any("already read" in note for note in study.facts["notes"].value)


def test_mixed_orientations_are_split(write_series):
    """A localiser: three planes in one series."""
    turns = [ORIENTATIONS["axial"], ORIENTATIONS["sagittal"], ORIENTATIONS["coronal"]]
    positions = [(0, 0, 0), (0, 0, 4), (0, 0, 0), (3, 0, 0), (0, 0, 0), (0, 5, 0)]
    study = io.read(write_series(positions, Modality="MR", each=lambda i: {"ImageOrientationPatient": list(turns[i // 2])}))
    assert {image.view.value: image.spacing_mm.value[0] for image in study.images} == {"AXIAL": 4.0, "SAGITTAL": 3.0, "CORONAL": 5.0}


def test_slices_without_position_are_refused(write_series):
    with pytest.raises(InputError, match=r"ImagePositionPatient \(0020,0032\).*order is not stated"):
        io.read(write_series(_positions(3, (0, 0, 3)), each=lambda i: {"ImagePositionPatient": None}))


def test_single_slice_has_a_plane_in_space(dicom):
    stored = np.zeros((6, 5), np.uint16)
    geometry = {"PixelSpacing": [0.5, 0.25], "ImageOrientationPatient": [0, 1, 0, 0, 0, -1], "ImagePositionPatient": [1, 2, 3]}
    image = io.read_image(dicom(stored, Modality="MR", **geometry))
    assert np.allclose(image.affine.value @ [4, 2, 0, 1], [1, 2 + 4 * 0.25, 3 - 2 * 0.5, 1])
    absent = io.read_image(dicom(stored, "b.dcm", Modality="MR", PixelSpacing=[0.5, 0.25]))
    assert absent.affine.value is None
    assert "ImageOrientationPatient (0020,0037) absent" in absent.affine.source


@pytest.mark.parametrize("bad", [[1, 0, 0, 1, 0, 0], [0, 0, 0, 0, 0, 0], [2, 0, 0, 0, 1, 0], [1, 0, 0, 0, 1]])
def test_bad_orientation_is_refused(dicom, bad):
    with pytest.raises(InputError, match="ImageOrientationPatient"):
        io.read_image(dicom(np.zeros((4, 4), np.uint16), Modality="MR", PixelSpacing=[1, 1], ImageOrientationPatient=bad, ImagePositionPatient=[0, 0, 0]))


def _enhanced(make, positions, directions, slopes=(1.0,)):
    from pydicom.dataset import Dataset

    def item(**elements):
        dataset = Dataset()
        for keyword, value in elements.items():
            setattr(dataset, keyword, value)
        return dataset

    frames = np.stack([np.full((6, 5), 10 * i, np.uint16) for i in range(len(positions))])
    measures = item(PixelSpacing=[0.5, 0.25], SliceThickness=2)
    common = item(PixelMeasuresSequence=[measures])
    own = [
        item(
            PlanePositionSequence=[item(ImagePositionPatient=list(p))],
            PlaneOrientationSequence=[item(ImageOrientationPatient=list(directions[i % len(directions)]))],
            PixelValueTransformationSequence=[item(RescaleSlope=slopes[i % len(slopes)], RescaleIntercept=-1024, RescaleType="HU")],
            FrameVOILUTSequence=[item(WindowCenter=40, WindowWidth=400)],
        )
        for i, p in enumerate(positions)
    ]
    elements = {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.2.1", "Modality": "CT"}
    return make(frames, SharedFunctionalGroupsSequence=[common], PerFrameFunctionalGroupsSequence=own, **elements)


def test_enhanced_ct_is_a_volume_in_order(make, store, tmp_path):
    positions = [(0, 0, 6), (0, 0, 0), (0, 0, 4), (0, 0, 2)]
    image = io.read_image(store(_enhanced(make, positions, [ORIENTATIONS["axial"]]), tmp_path / "e.dcm"))
    assert image.axes == "ZYX"
    assert image.pixels[:, 0, 0].tolist() == [10 - 1024, 30 - 1024, 20 - 1024, 0 - 1024]
    assert image.spacing_mm.value == (2.0, 0.5, 0.25)
    assert np.allclose(image.affine.value[:3, 3], 0)
    assert image.unit == "HU" and image.window == (40.0, 400.0) and image.view.value == "AXIAL"


def test_enhanced_slopes_may_differ_between_frames(make, store, tmp_path):
    positions = [(0, 0, 2 * i) for i in range(4)]
    image = io.read_image(store(_enhanced(make, positions, [ORIENTATIONS["axial"]], slopes=(1.0, 0.5)), tmp_path / "e.dcm"))
    assert image.pixels[:, 0, 0].tolist() == [-1024, -1019, -1004, -1009]


def test_enhanced_mixed_orientation_and_repeats_are_refused(make, store, tmp_path):
    positions = [(0, 0, 0), (0, 0, 2), (0, 0, 4), (0, 0, 6)]
    mixed = _enhanced(make, positions, [ORIENTATIONS["axial"], ORIENTATIONS["coronal"]])
    with pytest.raises(InputError, match="different orientations"):
        io.read_image(store(mixed, tmp_path / "a.dcm"))
    twice = _enhanced(make, [positions[0], positions[1]] * 2, [ORIENTATIONS["axial"]])
    with pytest.raises(InputError, match="at one position"):
        io.read_image(store(twice, tmp_path / "b.dcm"))


def test_films_of_one_series_stay_apart(write_series):
    study = io.read(write_series(_positions(2, (0, 0, 0)), Modality="DX", ImagePositionPatient=None, each=lambda i: {"ViewPosition": ("AP", "LL")[i]}))
    assert [image.axes for image in study.images] == ["YX", "YX"]
    assert sorted(image.view.value for image in study.images) == ["AP", "LATERAL"]


def test_reports_in_the_folder_are_listed(write_series, make, store):
    folder = write_series(_positions(3, (0, 0, 3)))
    report = make(np.zeros((2, 2), np.uint8), SOPClassUID="1.2.840.10008.5.1.4.1.1.88.11", Modality="SR", PatientID="P1")
    for keyword in ("PixelData", "Rows", "Columns", "BitsAllocated"):
        delattr(report, keyword)
    path = store(report, folder / "report.dcm")
    (folder / "notes.txt").write_text("a note")
    (folder / "empty.dcm").write_bytes(b"")
    study = io.read(folder)
    told = " ".join(study.facts["not_read"].value)
    assert "Basic Text SR Storage" in told and "notes.txt: not an image" in told and "empty.dcm: empty" in told
    with pytest.raises(InputError, match="holds no picture"):
        io.read(path)
