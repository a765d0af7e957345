"""Every file of the real data folder whose reader exists; skipped where the folder is absent."""

import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pydicom
import pytest

from spinelab import io
from spinelab.core import InputError


def _assert_same_as_itk(image, path_or_names):
    import SimpleITK

    itk = SimpleITK.ReadImage(path_or_names)
    array = SimpleITK.GetArrayViewFromImage(itk)
    assert array.shape == image.pixels.shape
    rng = np.random.default_rng(0)
    for index in np.stack([rng.integers(0, n, 8) for n in image.pixels.shape], axis=1):
        xyz = [int(i) for i in index[::-1]]
        assert np.abs((image.affine.value @ [*xyz, 1])[:3] - itk.TransformIndexToPhysicalPoint(xyz)).max() < 1e-3
        assert image.pixels[tuple(index)] == array[tuple(index)]


def test_every_nifti_file(shared):
    paths = sorted(shared.rglob("*.nii.gz"))
    assert paths
    for path in paths:
        image = io.read_image(path)
        assert image.spacing_mm.known and image.affine.known, path
        if "lumbar-mri-seg" in str(path):
            assert "probably a placeholder" in image.affine.source


@pytest.mark.parametrize("folder", ["ct-mr-vertebra", "mri-nifti", "ct-trunk", "lumbar-mri-seg"])
def test_nifti_places_agree_with_simpleitk(shared, folder):
    paths = sorted((shared / folder).rglob("*.nii.gz"))
    for path in paths[:: max(1, len(paths) // 6)]:
        image = io.read_image(path)
        if image.axes == "ZYX":
            _assert_same_as_itk(image, str(path))


@pytest.fixture(scope="module")
def ct_study():
    """Return the largest folder of DICOM slices below the trunk CTs, and its study."""
    root = Path(__file__).parents[2].parent / "shared" / "data" / "ct-trunk"
    if not root.is_dir():
        pytest.skip("the real data folder is absent")
    folders = Counter(path.parent for path in root.rglob("*") if path.is_file() and path.read_bytes()[128:132] == b"DICM")
    folder = folders.most_common(1)[0][0]
    return folder, io.read(folder)


@pytest.mark.filterwarnings("ignore:builtin type")
def test_ct_series(ct_study):
    import SimpleITK

    folder, study = ct_study
    (image,) = study.images
    assert image.unit == "HU" and image.window == (40.0, 300.0) and image.view.value == "AXIAL"
    assert image.spacing_mm.value == pytest.approx((2.0, 0.9765625, 0.9765625))
    assert -1100 < image.pixels.min() < -900
    _assert_same_as_itk(image, SimpleITK.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder)))


def test_ct_series_agrees_with_its_segmentation(ct_study):
    """Another program's mask of the same series, in NIfTI: the same patient coordinates."""
    folder, study = ct_study
    volume = study.images[0]
    masks = [io.read_image(path) for path in sorted(folder.parent.glob("*.nii.gz"))]
    (mask,) = [mask for mask in masks if mask.pixels.shape == volume.pixels.shape]
    corners = np.array([[0, 0, 0, 1], [511, 0, 0, 1], [0, 511, 0, 1], [0, 0, 19, 1], [511, 511, 19, 1]]).T
    ours = (volume.affine.value @ corners)[:3]
    theirs = (mask.affine.value @ corners)[:3]
    assert np.allclose(ours.min(axis=1), theirs.min(axis=1), atol=1e-3)
    assert np.allclose(ours.max(axis=1), theirs.max(axis=1), atol=1e-3)


def _single_files(shared):
    """Return (path, header) of the single DICOM files, told apart by what their headers lack."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        paths = sorted((shared / "dicom-misc").glob("*.dcm"))
        return [(path, pydicom.dcmread(path, force=True, stop_before_pixels=True)) for path in paths]


def _complete(header):
    return "PhotometricInterpretation" in header and all(float(value) > 0 for value in header.PixelSpacing)


@pytest.mark.filterwarnings("ignore:builtin type")
def test_single_files_agree_with_simpleitk(shared):
    import SimpleITK

    complete = [(path, header) for path, header in _single_files(shared) if _complete(header)]
    assert len(complete) >= 3
    for path, header in complete:
        study, itk = io.read(path), SimpleITK.ReadImage(str(path))
        (image,) = study.images
        assert np.array_equal(image.pixels, SimpleITK.GetArrayViewFromImage(itk)[0])
        assert image.unit == ("HU" if header.Modality == "CT" else None)
        assert image.view.value == ("AXIAL" if header.Modality == "CT" else "SAGITTAL")
        assert study.sex.value == (header.PatientSex or None)
        assert (image.window is None) == ("WindowCenter" not in header)
        assert io.to_uint8(image).std() > 10
        for x, y in [(0, 0), (100, 7), (301, 257)]:
            assert np.abs((image.affine.value @ [x, y, 0, 1])[:3] - itk.TransformIndexToPhysicalPoint((x, y, 0))).max() < 1e-3


def test_what_must_be_refused_is_refused_by_name(shared):
    refused = [path for path, header in _single_files(shared) if "PhotometricInterpretation" not in header]
    assert refused
    for path in refused:
        with pytest.raises(InputError) as caught:
            io.read(path)
        assert "PhotometricInterpretation (0028,0004)" in caught.value.given
        assert "add the element if you know" in caught.value.action


def test_a_film_with_a_spacing_of_zero_is_read_without_millimetres(shared):
    films = [path for path, header in _single_files(shared) if "PhotometricInterpretation" in header and not _complete(header)]
    assert films
    for path in films:
        spacing = io.read(path).images[0].spacing_mm
        assert spacing.value is None
        assert "PixelSpacing (0028,0030) is 0" in spacing.source


def test_single_files_of_several_patients_are_a_data_set(shared):
    with pytest.raises(InputError, match="patients"):
        io.read(shared / "dicom-misc")


def test_ultrasound_and_pelvis(shared):
    paths = sorted((shared / "hip-us-dicom").glob("*.dcm"), key=lambda path: path.stat().st_size)
    assert len(paths) == 9
    for path in paths[:7]:  # the two largest take seconds and are of the same kind
        image = io.read(path).images[0]
        assert image.axes == ("TYXC" if image.modality.value == "US" else "YXC")
        assert "placeholder" in image.spacing_mm.source
        assert image.pixels.std() > 10


def test_pictures(shared):
    for path in [*sorted((shared / "scoliosis-ap").rglob("*.jpg"))[::60], *sorted((shared / "hip-us-planes").rglob("*.png"))]:
        image = io.read_image(path)
        assert image.spacing_mm.value is None
        assert io.to_uint8(image).shape == image.shape_yx
    with pytest.raises(InputError, match="data set"):
        io.read(shared / "scoliosis-ap")
