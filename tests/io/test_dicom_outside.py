"""pydicom's own files, decoded by other codecs than the readers use: gdcm, Pillow, pydicom's RLE."""

from pathlib import Path

import numpy as np
import pydicom
import pydicom.data
import pytest
from pydicom.pixels import get_decoder

from spinelab import io
from spinelab.core import InputError

FOLDER = Path(pydicom.data.__file__).parent / "test_files"
LOSSLESS = {
    "CT_small.dcm": "",
    "MR_small.dcm": "",
    "MR_small_expb.dcm": "",
    "MR_small_RLE.dcm": "pylibjpeg",
    "MR_small_jp2klossless.dcm": "gdcm",
    "MR_small_jpeg_ls_lossless.dcm": "gdcm",
    "JPEGLSNearLossless_08.dcm": "gdcm",
    "JPEGLSNearLossless_16.dcm": "gdcm",
    "J2K_pixelrep_mismatch.dcm": "gdcm",
    "SC_rgb_jpeg_gdcm.dcm": "gdcm",
    "SC_rgb_rle.dcm": "pylibjpeg",
    "SC_rgb_rle_2frame.dcm": "pylibjpeg",
    "SC_rgb_rle_16bit.dcm": "pylibjpeg",
    "SC_rgb_rle_32bit_2frame.dcm": "pylibjpeg",
    "SC_rgb_jls_lossy_line.dcm": "gdcm",
    "SC_rgb_jls_lossy_sample.dcm": "gdcm",
    "GDCMJ2K_TextGBR.dcm": "gdcm",
    "rtplan.dcm": None,
    "reportsi.dcm": None,
}


@pytest.fixture
def outside():
    if not FOLDER.is_dir():
        pytest.skip("pydicom was installed without its test files")
    return FOLDER


@pytest.mark.filterwarnings("ignore:builtin type")
@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
@pytest.mark.parametrize("name", [name for name, plugin in LOSSLESS.items() if plugin is not None])
def test_same_pixels_as_another_codec(outside, name):
    path = outside / name
    image = io.read_image(path)
    dataset = pydicom.dcmread(path)
    decoded, _ = get_decoder(dataset.file_meta.TransferSyntaxUID).as_array(dataset, decoding_plugin=LOSSLESS[name])
    slope, intercept = float(dataset.get("RescaleSlope", 1)), float(dataset.get("RescaleIntercept", 0))
    wanted = decoded if image.axes.endswith("C") else decoded * slope + intercept
    assert np.array_equal(image.pixels, wanted.reshape(image.pixels.shape))


@pytest.mark.parametrize("name", ["SC_rgb_dcmtk_+eb+cy+np.dcm", "SC_rgb_dcmtk_+eb+cy+s4.dcm", "SC_rgb_jpeg_dcmtk.dcm"])
def test_colour_is_rgb(outside, name):
    """DCMTK's encodings of one picture: red at the top."""
    image = io.read_image(outside / name)
    assert image.axes == "YXC"
    red, green, blue = image.pixels[0, 0].astype(int)
    assert red > 240 and green < 15 and blue < 15


@pytest.mark.parametrize("name", ["JPEG-lossy.dcm", "JPGExtended.dcm"])
def test_twelve_bit_jpeg(outside, name):
    image = io.read_image(outside / name)
    assert image.pixels.shape == (1024, 256) and image.pixels.max() > 255


@pytest.mark.parametrize("name", ["rtplan.dcm", "reportsi.dcm", "DICOMDIR"])
def test_objects_without_a_picture(outside, name):
    path = outside / name if (outside / name).exists() else outside / "dicomdirtests" / name
    with pytest.raises(InputError, match="holds no picture"):
        io.read(path)


@pytest.mark.parametrize("name", ["MR_truncated.dcm", "image_dfl.dcm", "emri_small_jpeg_2k_lossless_too_short.dcm"])
def test_damaged_or_unbounded(outside, name):
    with pytest.raises(InputError):
        io.read(outside / name)


def test_every_file_is_read_or_refused(outside):
    read = 0
    for path in sorted(outside.glob("*.dcm")):
        try:
            read += bool(io.read(path).images)
        except InputError as error:
            assert error.action
    assert read >= 40
