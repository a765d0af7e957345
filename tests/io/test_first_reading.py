"""The first reading of a series: each file opened once for its header, again only where its pixels are asked for, and nothing mixed up between files."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.uid import ImplicitVRLittleEndian, RLELossless

from spinelab import io
from spinelab.core import Image, InputError
from spinelab.io import dicom
from spinelab.io.dicom_header import HEAD_BYTES, open_header
from spinelab.io.mr_image import SlicesImage
from spinelab.io.mr_slices import read_mr_series
from spinelab.io.series import look_through
from spinelab.io.write_mr import MrHeader, write_mr_series

COUNT = 5
PIXELS = np.random.default_rng(0).integers(0, 4000, (COUNT, 20, 30)).astype(np.uint16)


@pytest.fixture
def folder(tmp_path):
    affine = np.array([[0, 0, -1.0, 20], [0.7, 0, 0, 5], [0, -0.8, 0, 60], [0, 0, 0, 1]])
    affines = np.stack([affine] * COUNT)
    affines[:, 0, 3] -= 4.0 * np.arange(COUNT)
    header = MrHeader(study="s", series="r", patient_id="p", number=2, description="SAG T2", echo_time_ms=100.0, repetition_time_ms=4000.0)
    write_mr_series(tmp_path / "series", PIXELS, affines, header)
    return tmp_path / "series"


@pytest.fixture
def opened(monkeypatch):
    """Count how often each file is opened."""
    seen, usual = Counter(), Path.open

    def counting(path, *args, **kwargs):
        seen[path.name] += 1
        return usual(path, *args, **kwargs)

    monkeypatch.setattr(Path, "open", counting)
    return seen


def changed(path, change):
    dataset = pydicom.dcmread(path)
    change(dataset)
    dataset.save_as(path)


def names(*numbers):
    return [f"{number}.dcm" for number in numbers]


def test_each_file_is_opened_once_for_its_header_and_once_for_its_pixels(folder, opened):
    series = read_mr_series(folder)
    assert opened == dict.fromkeys(names(1, 2, 3, 4, 5), 1)
    assert np.array_equal(series.image().pixels, PIXELS)
    assert opened == dict.fromkeys(names(1, 2, 3, 4, 5), 2)
    opened.clear()
    assert np.array_equal(io.read(folder).images[0].pixels, PIXELS)
    assert opened == dict.fromkeys(names(1, 2, 3, 4, 5), 2)


def test_only_the_slices_that_are_asked_for_are_read(folder, opened):
    image = read_mr_series(folder).image(at_once=False)
    opened.clear()
    assert image.shape_yx == (20, 30)
    assert "5 slices" in repr(image)
    assert np.array_equal(image.plane(3), PIXELS[3])
    assert image.plane(3) is image.plane(3)
    assert not image.plane(3).flags.writeable
    assert opened == {"4.dcm": 1}
    assert np.array_equal(image.pixels, PIXELS)
    assert opened == dict.fromkeys(names(1, 2, 3, 4, 5), 1)
    assert not image.pixels.flags.writeable


def test_an_image_read_slice_by_slice_is_the_same_as_one_read_at_once(folder):
    series = read_mr_series(folder)
    late, early = series.image(at_once=False), series.image()
    assert isinstance(late, SlicesImage)
    for name in ("axes", "spacing_mm", "modality", "view", "unit", "window", "source"):
        assert getattr(late, name) == getattr(early, name)
    assert np.array_equal(late.affine.value, early.affine.value)
    assert list(late.facts) == list(early.facts)
    copy = replace(late, source="copy")
    assert copy.source == "copy"
    assert np.array_equal(copy.pixels, PIXELS)
    assert np.array_equal(copy.plane(1), PIXELS[1])
    assert copy.shape_yx == (20, 30)


def test_slices_whose_values_mean_different_things_are_decoded_together(folder):
    changed(folder / "2.dcm", lambda dataset: setattr(dataset, "RescaleSlope", "1.5"))
    image = read_mr_series(folder).image(at_once=False)
    assert type(image) is Image
    assert image.pixels.dtype == np.float32
    assert np.array_equal(image.pixels[1], PIXELS[1] * np.float32(1.5))


def test_a_plane_of_any_image():
    assert np.array_equal(Image(PIXELS, axes="ZYX").plane(2), PIXELS[2])


def test_a_file_that_was_cut_off_is_refused_whether_its_pixels_are_asked_for_or_not(folder):
    path = folder / "4.dcm"
    path.write_bytes(path.read_bytes()[:-600])
    series = read_mr_series(folder)
    for at_once in (True, False):
        with pytest.raises(InputError, match=r"4\.dcm: PixelData .* has 600 bytes.*1,200 bytes for 1 frame"):
            series.image(at_once=at_once)
    with pytest.raises(InputError, match=r"4\.dcm: PixelData .* has 600 bytes"):
        io.read(folder)


def test_a_file_without_pixels_is_refused_whether_they_are_asked_for_or_not(folder):
    changed(folder / "4.dcm", lambda dataset: dataset.pop("PixelData"))
    for at_once in (True, False):
        with pytest.raises(InputError, match=r"4\.dcm describes a picture of 20 x 30 but holds no pixel data"):
            read_mr_series(folder).image(at_once=at_once)


def test_compressed_pixels_that_were_cut_off_are_refused_when_they_are_asked_for(folder):
    for path in folder.iterdir():
        changed(path, lambda dataset: dataset.compress(RLELossless))
    path = folder / "4.dcm"
    path.write_bytes(path.read_bytes()[:-400])
    image = read_mr_series(folder).image(at_once=False)
    assert np.array_equal(image.plane(0), PIXELS[0])
    with pytest.raises(InputError, match=r"4\.dcm"):
        image.plane(3)
    with pytest.raises(InputError, match=r"4\.dcm"):
        read_mr_series(folder).image()


def test_a_file_that_is_gone_when_its_pixels_are_asked_for_is_named(folder):
    image = read_mr_series(folder).image(at_once=False)
    (folder / "4.dcm").unlink()
    with pytest.raises(InputError, match=r"4\.dcm cannot be decoded: .*No such file"):
        image.plane(3)


def test_a_header_longer_than_what_is_read_at_once(folder):
    for number in (2, 4):
        changed(folder / f"{number}.dcm", lambda dataset: dataset.add_new(0x00091010, "OB", bytes(HEAD_BYTES + 2)))
    for image in (read_mr_series(folder).image(), io.read(folder).images[0]):
        assert np.array_equal(image.pixels, PIXELS)


def test_the_same_bytes_under_another_character_set_are_another_text(folder):
    for number, characters in ((1, "ISO_IR 192"), (2, "ISO_IR 100")):
        changed(folder / f"{number}.dcm", lambda dataset, characters=characters: _described(dataset, characters))
    headers = [item.header for item in look_through(folder, "x").slices]
    assert headers[0].stored[0x0008103E] == headers[1].stored[0x0008103E]
    assert [header.text("SeriesDescription") for header in headers[:2]] == ["ä", "Ã¤"]


def _described(dataset, characters):
    dataset.SpecificCharacterSet = characters
    dataset.SeriesDescription = "ä" if characters == "ISO_IR 192" else "Ã¤"


def test_the_same_bytes_under_another_sign_are_another_number(folder):
    for number, (kind, value, sign) in {1: ("US", 65531, 0), 2: ("SS", -5, 1)}.items():
        changed(folder / f"{number}.dcm", lambda dataset, kind=kind, value=value, sign=sign: _signed(dataset, kind, value, sign))
    headers = [item.header for item in look_through(folder, "x").slices]
    assert [header.fact("PixelPaddingValue").value for header in headers[:3]] == ["65531", "-5", None]


def _signed(dataset, kind, value, sign):
    dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    dataset.PixelRepresentation = sign
    dataset.add_new(0x00280120, kind, value)


def test_an_element_that_is_wrong_in_one_file_alone_is_refused_by_its_name(folder):
    for path in folder.iterdir():
        changed(path, lambda dataset: setattr(dataset, "RescaleSlope", "1.25"))
    path = folder / "3.dcm"
    path.write_bytes(path.read_bytes().replace(b"DS\x04\x001.25", b"DS\x04\x00a.25"))
    with pytest.raises(InputError, match=r"3\.dcm: RescaleSlope \(0028,1053\) is a\.25"):
        read_mr_series(folder).image(at_once=False)
    with pytest.raises(InputError, match=r"3\.dcm: RescaleSlope \(0028,1053\) is a\.25"):
        io.read(folder)


def test_facts_that_differ_from_slice_to_slice_are_those_of_their_own_file(folder):
    changed(folder / "2.dcm", lambda dataset: setattr(dataset, "EchoTime", "90"))
    described = [dicom.described(item.header) for item in look_through(folder, "x").slices]
    assert [item.facts["EchoTime"].value for item in described] == ["100", "90", "100", "100", "100"]
    assert [item.facts["InstanceNumber"].value for item in described] == ["1", "2", "3", "4", "5"]
    assert "EchoTime" not in read_mr_series(folder).image().facts


def test_a_single_file_is_read_whole(folder):
    assert "PixelData" in open_header(folder / "1.dcm", "x").dataset
    assert "PixelData" not in open_header(folder / "1.dcm", "x", pixels=False).dataset
