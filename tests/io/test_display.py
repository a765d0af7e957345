"""Values to eight bits: the standard's window functions, percentiles, luminance."""

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.pixels import apply_voi, apply_windowing

from spinelab import io
from spinelab.core import Image, InputError, NotSureError, Study
from spinelab.io.display import percentiles, require_content


def ps33_linear(x, centre, width):
    """PS3.3 C.11.2.1.2.1, as printed, for an output range of 0 to 255."""
    if x <= centre - 0.5 - (width - 1) / 2:
        return 0.0
    if x > centre - 0.5 + (width - 1) / 2:
        return 255.0
    return ((x - (centre - 0.5)) / (width - 1) + 0.5) * 255


@pytest.mark.parametrize(("centre", "width"), [(40, 400), (2048, 4096), (0, 100), (0, 1), (100.5, 2), (-600, 1500)])
@pytest.mark.parametrize("size", [(30, 41), (300, 401)])
def test_linear_window_is_the_printed_function(centre, width, size):
    values = np.random.default_rng(0).integers(-1024, 3072, size).astype(np.int16)
    ours = io.to_uint8(Image(values, window=(centre, width)))
    sample = values.ravel()[:1000]
    wanted = np.rint([ps33_linear(float(v), centre, width) for v in sample])
    assert np.array_equal(ours.ravel()[:1000], wanted)
    assert ours.dtype == np.uint8 and ours.shape == size


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
def test_functions_agree_with_pydicom(dicom, picture, function):
    path = dicom(picture, WindowCenter=1500, WindowWidth=900, VOILUTFunction=function, BitsStored=12, HighBit=11)
    from pydicom import dcmread

    theirs = apply_windowing(picture, dcmread(path)) / 4095 * 255
    assert np.abs(io.to_uint8(io.read_image(path)) - theirs).max() <= 0.51


def _voi(make, stored, **elements):
    item = Dataset()
    item.LUTDescriptor, item.LUTData = [64, 100, 8], [min(255, (i * i) // 16) for i in range(64)]
    item["LUTDescriptor"].VR, item["LUTData"].VR = "US", "US"
    return make(stored, VOILUTSequence=[item], **elements)


def test_voi_table_is_honoured_before_the_window(make, store, tmp_path):
    stored = np.arange(80, 200, dtype=np.uint16).reshape(10, 12)
    dataset = _voi(make, stored, WindowCenter=100, WindowWidth=50)
    image = io.read_image(store(dataset, tmp_path / "x.dcm"))
    assert np.array_equal(io.to_uint8(image), apply_voi(stored, dataset))


def test_voi_table_of_an_inverted_picture(make, store, tmp_path):
    stored = np.arange(80, 200, dtype=np.uint16).reshape(10, 12)
    dataset = _voi(make, stored, PhotometricInterpretation="MONOCHROME1")
    image = io.read_image(store(dataset, tmp_path / "x.dcm"))
    assert np.array_equal(io.to_uint8(image), 255 - apply_voi(stored, dataset))


def test_eight_bits_stay_and_deeper_ones_are_stretched():
    eight = np.arange(256, dtype=np.uint8).reshape(16, 16)
    assert np.array_equal(io.to_uint8(Image(eight)), eight)
    deep = np.arange(10000, dtype=np.uint16).reshape(100, 100)
    low, high = np.percentile(deep, (0.5, 99.5))
    assert np.array_equal(io.to_uint8(Image(deep)), np.rint(np.clip((deep - low) / (high - low), 0, 1) * 255))
    assert not io.to_uint8(Image(np.full((4, 4), 700, np.uint16))).any()


def test_undefined_values_are_black():
    values = np.linspace(0, 1, 100, dtype=np.float32).reshape(10, 10).copy()
    values[0, 0] = np.nan
    shown = io.to_uint8(Image(values))
    assert shown[0, 0] == 0 and shown[-1, -1] == 255
    assert not io.to_uint8(Image(np.full((2, 2), np.nan, np.float32))).any()


def test_colour_becomes_luminance():
    grey = np.random.default_rng(0).integers(0, 256, (20, 20), dtype=np.uint8)
    assert np.array_equal(io.to_uint8(Image(np.stack([grey] * 3, axis=-1), axes="YXC")), grey)
    red = np.zeros((2, 2, 3), np.uint8)
    red[..., 0] = 200
    assert (io.to_uint8(Image(red, axes="YXC")) == round(0.299 * 200)).all()


def test_volumes_and_cines_are_refused():
    with pytest.raises(InputError, match="volume of 3 pictures"):
        io.to_uint8(Image(np.zeros((3, 4, 4), np.int16), axes="ZYX"))
    with pytest.raises(InputError, match="cine loop of 3 pictures"):
        io.to_uint8(Image(np.zeros((3, 4, 4), np.uint8), axes="TYX"))
    assert io.to_uint8(Image(np.zeros((1, 4, 4), np.uint8), axes="TYX")).shape == (4, 4)


def test_the_answer_is_a_copy():
    image = Image(np.zeros((4, 4), np.uint8))
    io.to_uint8(image)[0, 0] = 9
    assert image.pixels[0, 0] == 0


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.int16, np.float32])
def test_percentiles_are_those_of_numpy_to_the_last_bit(kind):
    rng = np.random.default_rng(3)
    for size, most in ((1, 2), (7, 3), (40, 255), (20_000, 4000), (20_000, 65_535)):
        values = rng.integers(0, min(most, 255 if kind is np.uint8 else 30_000 if kind is np.int16 else most), size).reshape(1, size).astype(kind)
        shares = [0.5, 99.5, 0, 100, 50, *rng.uniform(0, 100, 20)]
        assert np.array_equal(percentiles(values, shares), np.percentile(values, shares))


def study_of(image):
    return Study("film", images=(image,))


def test_a_film_on_which_nothing_is_seen_is_refused(dicom, picture):
    require_content(study_of(io.read_image(dicom(picture, Modality="DX", WindowCenter=1000, WindowWidth=701))))
    for number, (stored, window, says) in enumerate(
        [
            (np.full_like(picture, 700), {}, r"one grey value\. .* export the film again"),
            (picture, {"WindowCenter": 60000, "WindowWidth": 10}, r"in the window of its header \(centre 60000, width 10\).* correct or remove the window"),
        ]
    ):
        film = io.read_image(dicom(stored, f"{number}.dcm", Modality="DX", **window))
        with pytest.raises(NotSureError, match=says):
            require_content(study_of(film))
    require_content(study_of(Image(np.zeros((3, 4, 5), np.uint8), axes="ZYX")))
    require_content(study_of(io.read_image(dicom(np.full_like(picture, 700), "slice.dcm", Modality="MR"))))
