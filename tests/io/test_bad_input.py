"""Whatever the bytes, a reader answers or refuses in one paragraph; it never lets a library's error through."""

import os

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image as Picture
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from spinelab import io
from spinelab.core import InputError, SpinelabError

FILM = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64)


def refused(path, words=None):
    """Read, expect a refusal that names the file and holds all three parts, and return it."""
    with pytest.raises(InputError, match=words) as caught:
        io.read(path)
    error = caught.value
    assert error.given and error.expected and error.action
    assert "\n" not in str(error)
    return error


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.tif", "a.dcm", "a.nii", "a.nii.gz", "a.zip", "a"])
@pytest.mark.parametrize(("content", "words"), [(b"", "0 bytes"), (b"patient,label\n1,normal\n" * 40, "not an image"), (b"\x00" * 4000, "not an image")])
def test_empty_text_and_zeros(tmp_path, name, content, words):
    path = tmp_path / name
    path.write_bytes(content)
    refused(path, words)


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif"])
@pytest.mark.parametrize("keep", [0.05, 0.3, 0.7, 0.97])
def test_truncated_pictures(tmp_path, suffix, keep):
    noise = np.random.default_rng(0).integers(0, 256, (200, 200), dtype=np.uint8)
    path = tmp_path / f"a.{suffix}"
    Picture.fromarray(noise).save(path)
    raw = path.read_bytes()
    path.write_bytes(raw[: int(len(raw) * keep)])
    refused(path, "a\\.")


@pytest.mark.parametrize("keep", [0.02, 0.05, 0.3, 0.7, 0.99])
def test_truncated_dicom(dicom, keep):
    path = dicom(FILM)
    raw = path.read_bytes()
    path.write_bytes(raw[: int(len(raw) * keep)])
    refused(path)


def test_truncated_compressed_dicom(make, store, tmp_path):
    from pydicom.uid import RLELossless

    dataset = make(FILM)
    dataset.compress(RLELossless, generate_instance_uid=False)
    path = store(dataset, tmp_path / "a.dcm")
    path.write_bytes(path.read_bytes()[:-2000])
    refused(path)


def test_pixel_data_shorter_than_the_header_says(make, store, tmp_path):
    dataset = make(FILM)
    dataset.PixelData = dataset.PixelData[:1000]
    error = refused(store(dataset, tmp_path / "a.dcm"), "1,000 bytes")
    assert "8,192 bytes" in error.expected


def test_missing_paths_links_and_devices(tmp_path):
    refused(tmp_path / "nothing.dcm", "does not exist")
    (tmp_path / "link.dcm").symlink_to(tmp_path / "gone")
    refused(tmp_path / "link.dcm", "link to a file that is not there")
    refused("a\0b", "does not exist|no usable path")
    refused("x" * 5000, "no usable path")
    os.mkfifo(tmp_path / "pipe")
    refused(tmp_path / "pipe", "neither a file nor a folder")


def test_empty_folder_and_folder_of_texts(tmp_path):
    refused(tmp_path, "holds no image")
    (tmp_path / "a.txt").write_text("x")
    refused(tmp_path, "a.txt: not an image")


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read everything")
def test_unreadable(tmp_path, dicom):
    path = dicom(FILM)
    path.chmod(0)
    refused(path, "Permission denied")
    folder = tmp_path / "closed"
    folder.mkdir(mode=0)
    refused(folder, "Permission denied")


def test_folder_of_many_pictures_is_a_data_set(tmp_path):
    for i in range(33):
        Picture.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / f"{i}.png")
    refused(tmp_path, "33 pictures: that is a data set")


@pytest.mark.parametrize(
    ("elements", "words"),
    [
        ({"Rows": 65535, "Columns": 65535}, "samples"),
        ({"Rows": 0}, "Rows 0"),
        ({"NumberOfFrames": "2000000000"}, "samples"),
        ({"NumberOfFrames": "-1"}, "NumberOfFrames -1"),
        ({"PhotometricInterpretation": None}, r"PhotometricInterpretation \(0028,0004\)"),
        ({"PhotometricInterpretation": "HSV"}, "'HSV'"),
        ({"BitsAllocated": 13}, "BitsAllocated 13"),
        ({"BitsStored": 17}, "BitsStored 17"),
        ({"HighBit": 2}, "HighBit 2"),
        ({"BitsAllocated": None}, "has no BitsAllocated"),
        ({"SamplesPerPixel": 3}, "SamplesPerPixel"),
        ({"PixelData": None}, "holds no pixel data"),
        ({"RescaleSlope": "0"}, "RescaleSlope"),
    ],
)
def test_absurd_headers(dicom, elements, words):
    refused(dicom(FILM, **elements), words)


@pytest.mark.parametrize("uid", ["1.2.840.10008.1.2.4.100", "1.2.840.10008.1.2.4.93", "1.2.3.4.5.6"])
def test_unsupported_transfer_syntax_is_named(make, store, tmp_path, uid):
    path = store(make(FILM), tmp_path / "a.dcm")
    raw, old = path.read_bytes(), b"1.2.840.10008.1.2.1\0"
    assert raw.count(old) == 1
    new = uid.encode() + b"\0" * (len(uid) % 2)
    at = raw.index(old)
    length = int.from_bytes(raw[140:144], "little") + len(new) - len(old)
    path.write_bytes(raw[:140] + length.to_bytes(4, "little") + raw[144 : at - 2] + len(new).to_bytes(2, "little") + new + raw[at + len(old) :])
    refused(path, uid)


def test_deflated_is_refused_unread(make, store, tmp_path):
    dataset = make(FILM)
    dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1.99"
    refused(store(dataset, tmp_path / "a.dcm"), "Deflated")


def test_deep_nesting(tmp_path, make, store):
    """Hand-written bytes: three thousand sequences, one in the other, of undefined length."""
    path = store(make(FILM), tmp_path / "a.dcm")
    raw = path.read_bytes()
    opening = b"\x08\x00\x15\x11SQ\0\0\xff\xff\xff\xff" + b"\xfe\xff\x00\xe0\xff\xff\xff\xff"
    at = raw.index(b"\x08\x00\x16\x00UI")
    path.write_bytes(raw[:at] + opening * 3000 + raw[at:])
    refused(path)


def test_sequence_where_a_number_belongs(make, store, tmp_path):
    dataset = make(FILM, Modality="DX")
    dataset.add_new("PixelSpacing", "SQ", Sequence([Dataset()]))
    assert io.read_image(store(dataset, tmp_path / "a.dcm")).spacing_mm.value is None
    dataset.add_new("BitsStored", "SQ", Sequence([Dataset()]))
    refused(store(dataset, tmp_path / "b.dcm"))


def test_a_slice_cut_off_in_a_series_is_named(write_series):
    folder = write_series([(0, 0, 3 * i) for i in range(4)])
    victim = sorted(folder.glob("*.dcm"))[2]
    victim.write_bytes(victim.read_bytes()[:-20])
    refused(folder, victim.name)


def test_png_that_claims_to_be_huge(tmp_path):
    import struct
    import zlib

    chunk = b"IHDR" + struct.pack(">IIBBBBB", 60000, 60000, 8, 0, 0, 0, 0)
    raw = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk)) + b"\0" * 400
    (tmp_path / "a.png").write_bytes(raw)
    refused(tmp_path / "a.png")


def _damaged(raw, cut, flips):
    damaged = bytearray(raw[: max(1, int(len(raw) * cut))])
    for place, value in flips:
        damaged[int(place * (len(damaged) - 1))] = value
    return bytes(damaged)


flips = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=6)
cuts = st.one_of(st.just(1.0), st.floats(0.01, 1.0))
bounded = settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])


def _survives(path, raw):
    path.write_bytes(raw)
    try:
        study = io.read(path)
    except SpinelabError as error:
        assert str(error)
    else:
        assert study.images


@pytest.fixture(scope="module")
def originals(tmp_path_factory, builder):
    """Return small files of each kind whose headers are a large part of them."""
    import imagecodecs
    import nibabel
    import tifffile
    from pydicom.encaps import encapsulate

    make_dataset, save = builder
    folder, small = tmp_path_factory.mktemp("originals"), FILM[:16, :16].copy()
    geometry = {"PixelSpacing": [0.5, 0.5], "ImageOrientationPatient": [1, 0, 0, 0, 1, 0], "ImagePositionPatient": [0, 0, 0], "Modality": "CT"}
    facts = {"PatientAge": "050Y", "PatientSex": "F", "WindowCenter": 40, "WindowWidth": 400, "RescaleSlope": 1, "RescaleIntercept": -1024}
    native = save(make_dataset(small, **geometry, **facts), folder / "native.dcm")
    packed = make_dataset(small, **geometry)
    packed.PixelData = encapsulate([imagecodecs.jpegls_encode(small)])
    packed["PixelData"].is_undefined_length = True
    packed.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.80"
    Picture.fromarray(FILM.astype(np.uint8)).save(folder / "a.png")
    Picture.fromarray(FILM.astype(np.uint8)).save(folder / "a.jpg")
    tifffile.imwrite(folder / "a.tif", small, compression="lzw")
    nibabel.save(nibabel.Nifti1Image(small.reshape(8, 8, 4), np.eye(4)), folder / "a.nii")
    paths = [native, save(packed, folder / "packed.dcm"), *(folder / f"a.{suffix}" for suffix in ("png", "jpg", "tif", "nii"))]
    return {path.name: path.read_bytes() for path in paths}


@pytest.mark.parametrize("name", ["native.dcm", "packed.dcm", "a.png", "a.jpg", "a.tif", "a.nii"])
@bounded
@given(cut=cuts, changes=flips)
def test_damage_never_raises_anything_else(tmp_path, originals, name, cut, changes):
    _survives(tmp_path / name, _damaged(originals[name], cut, changes))


@bounded
@given(changes=st.lists(st.tuples(st.floats(0, 0.5), st.integers(0, 255)), min_size=1, max_size=3))
def test_damage_in_the_header_of_a_dicom(tmp_path, originals, changes):
    _survives(tmp_path / "a.dcm", _damaged(originals["native.dcm"], 1.0, changes))
