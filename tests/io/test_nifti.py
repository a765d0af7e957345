"""NIfTI: axes, LPS, codes, units; compared with SimpleITK."""

import gzip

import nibabel
import numpy as np
import pytest

from spinelab import io
from spinelab.core import InputError

DATA = np.arange(4 * 5 * 6, dtype=np.int16).reshape(4, 5, 6)
AFFINE = np.array([[0, 0, -2.0, 10], [0.5, 0, 0, -20], [0, -0.75, 0, 30], [0, 0, 0, 1]])


def write(path, data=DATA, affine=AFFINE, *, kind=nibabel.Nifti1Image, units="mm", sform=1, qform=0, **header):
    image = kind(data, affine)
    image.header.set_xyzt_units(units)
    image.header["sform_code"], image.header["qform_code"] = sform, qform
    for key, value in header.items():
        image.header[key] = value
    raw = bytearray(image.to_bytes())
    if kind is nibabel.Nifti1Image:  # nibabel sets a code again when it writes
        raw[252:256] = np.array([qform, sform], "<i2").tobytes()
    path.write_bytes(gzip.compress(raw) if path.name.endswith(".gz") else raw)
    return path


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
def test_array_and_places(tmp_path, name, kind):
    path = write(tmp_path / name, kind=kind)
    image = io.read_image(path)
    assert image.axes == "ZYX" and image.pixels.dtype == np.int16
    for i, j, k in [(0, 0, 0), (3, 4, 5), (1, 2, 3)]:
        assert image.pixels[k, j, i] == DATA[i, j, k]
        ras = AFFINE @ [i, j, k, 1]
        assert np.allclose(image.affine.value @ [i, j, k, 1], ras * [-1, -1, 1, 1])
    assert image.spacing_mm.value == pytest.approx((2.0, 0.75, 0.5))
    assert io.read(path).id == "a"


@pytest.mark.parametrize(("sform", "qform"), [(1, 0), (0, 1), (2, 1)])
def test_places_agree_with_simpleitk(tmp_path, sform, qform):
    import SimpleITK

    image = nibabel.Nifti1Image(DATA, None)
    image.set_sform(AFFINE, sform)
    image.set_qform(AFFINE, qform)
    image.header.set_xyzt_units("mm")
    path = tmp_path / "a.nii"
    path.write_bytes(image.to_bytes())
    itk, ours = SimpleITK.ReadImage(str(path)), io.read_image(path)
    for index in np.random.default_rng(0).integers(0, (4, 5, 6), (20, 3)):
        place = itk.TransformIndexToPhysicalPoint([int(i) for i in index])
        assert np.abs((ours.affine.value @ [*index, 1])[:3] - place).max() < 1e-3
        assert itk.GetPixel([int(i) for i in index]) == ours.pixels[tuple(index[::-1])]


def test_without_codes_the_orientation_is_unknown(tmp_path):
    image = io.read_image(write(tmp_path / "a.nii", sform=0, qform=0))
    assert image.affine.value is None
    assert "sform and qform codes are 0" in image.affine.source
    assert image.spacing_mm.known


def test_identity_is_suspected(tmp_path):
    image = io.read_image(write(tmp_path / "a.nii", affine=np.eye(4)))
    assert "identity matrix: probably a placeholder" in image.affine.source


@pytest.mark.parametrize(
    ("units", "factor", "words"), [("mm", 1, "stated in mm"), ("unknown", 1, "no unit stated"), ("meter", 1000, "metres"), ("micron", 0.001, "micro")]
)
def test_units(tmp_path, units, factor, words):
    scale = np.diag([1 / factor, 1 / factor, 1 / factor, 1])
    image = io.read_image(write(tmp_path / "a.nii", affine=scale @ AFFINE, units=units))
    assert image.spacing_mm.value == pytest.approx((2.0, 0.75, 0.5))
    assert words in image.spacing_mm.source
    assert np.allclose(np.abs(np.linalg.det(image.affine.value[:3, :3])), 0.75)


def test_spacings_that_contradict_each_other_are_unknown(tmp_path):
    image = io.read_image(write(tmp_path / "a.nii", pixdim=[1, 3, 3, 3, 1, 1, 1, 1]))
    assert image.spacing_mm.value is None
    assert "pixdim says" in image.spacing_mm.source and "sform" in image.spacing_mm.source


def test_scaling_is_applied(tmp_path):
    image = nibabel.Nifti1Image(DATA, AFFINE)
    image.header.set_xyzt_units("mm")
    raw = bytearray(image.to_bytes())
    raw[112:120] = np.array([0.5, -3], "<f4").tobytes()
    (tmp_path / "a.nii").write_bytes(raw)
    scaled = io.read_image(tmp_path / "a.nii")
    assert scaled.pixels.dtype == np.float32
    assert np.allclose(scaled.pixels, DATA.transpose() * 0.5 - 3)


def test_single_slice_trailing_ones_and_colour(tmp_path):
    assert io.read_image(write(tmp_path / "a.nii", DATA[:, :, :1])).axes == "YX"
    assert io.read_image(write(tmp_path / "b.nii", DATA[..., None])).axes == "ZYX"
    colour = np.zeros((4, 5, 1), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    colour["G"][2, 3] = 7
    image = io.read_image(write(tmp_path / "c.nii", colour))
    assert image.axes == "YXC" and image.pixels[3, 2].tolist() == [0, 7, 0]


def test_time_points_are_refused(tmp_path):
    with pytest.raises(InputError, match="4 dimensions"):
        io.read_image(write(tmp_path / "a.nii", np.stack([DATA, DATA], axis=-1)))


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ({"pixdim": [1, 0, 1, 1, 1, 1, 1, 1]}, "pixdim"),
        ({"pixdim": [1, np.nan, 1, 1, 1, 1, 1, 1]}, "pixdim"),
        ({"pixdim": [1, -1, 1, 1, 1, 1, 1, 1]}, "pixdim"),
        ({"dim": [3, 30000, 30000, 30000, 1, 1, 1, 1]}, "samples"),
        ({"dim": [3, 0, 5, 6, 1, 1, 1, 1]}, "at least 1"),
        ({"srow_x": [0, 0, 0, 0]}, "singular"),
        ({"datatype": 999}, "cannot be decoded"),
    ],
)
def test_bad_headers(tmp_path, header, words):
    path = write(tmp_path / "a.nii")
    raw = bytearray(path.read_bytes())
    view = nibabel.Nifti1Header(bytes(raw[:348]), check=False)
    for key, value in header.items():
        view[key] = value
    raw[:348] = view.binaryblock
    path.write_bytes(raw)
    with pytest.raises(InputError, match=words):
        io.read_image(path)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
@pytest.mark.parametrize("keep", [0.3, 0.8, 0.99])
def test_truncated(tmp_path, name, keep):
    data = np.random.default_rng(0).integers(0, 1000, (20, 20, 20)).astype(np.int16)
    path = write(tmp_path / name, data)
    raw = path.read_bytes()
    path.write_bytes(raw[: int(len(raw) * keep)])
    with pytest.raises(InputError):
        io.read_image(path)
