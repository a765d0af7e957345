"""The same picture in every encoding must give identical pixels."""

import io as stdio

import numpy as np
import pytest
from PIL import Image as Picture

from spinelab import io
from spinelab.core import InputError

SYNTAXES = {
    "implicit": "1.2.840.10008.1.2",
    "explicit": "1.2.840.10008.1.2.1",
    "big": "1.2.840.10008.1.2.2",
    "rle": "1.2.840.10008.1.2.5",
    "jpeg-ls": "1.2.840.10008.1.2.4.80",
    "j2k": "1.2.840.10008.1.2.4.90",
    "lossless": "1.2.840.10008.1.2.4.57",
    "lossless-sv1": "1.2.840.10008.1.2.4.70",
}


def _encode(make, stored, syntax, **elements):
    """Return the picture in a transfer syntax, by an encoder other than the reader's decoder where there is one."""
    import imagecodecs
    from pydicom.encaps import encapsulate
    from pydicom.uid import UID

    if syntax == "big":
        return make(stored.astype(stored.dtype.newbyteorder(">")), syntax=SYNTAXES["big"], **elements)
    dataset = make(stored, **elements)
    if syntax in ("rle", "j2k"):
        dataset.compress(UID(SYNTAXES[syntax]), generate_instance_uid=False)
    elif syntax in ("jpeg-ls", "lossless", "lossless-sv1"):
        frames = stored if stored.ndim == 3 else stored[None]
        unsigned = [f.view(f"u{f.dtype.itemsize}") for f in frames]
        codec = imagecodecs.jpegls_encode if syntax == "jpeg-ls" else lambda f: imagecodecs.ljpeg_encode(f, bitspersample=f.dtype.itemsize * 8)
        dataset.PixelData = encapsulate([codec(f) for f in unsigned])
        dataset["PixelData"].is_undefined_length = True
        dataset.file_meta.TransferSyntaxUID = SYNTAXES[syntax]
    else:
        dataset.file_meta.TransferSyntaxUID = SYNTAXES[syntax]
    return dataset


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.int16])
def test_every_transfer_syntax_gives_the_same_pixels(make, store, tmp_path, picture, syntax, kind):
    stored = (picture // 17).astype(np.uint8) if kind is np.uint8 else (picture.astype(np.int32) - (2000 if kind is np.int16 else 0)).astype(kind)
    if syntax in ("lossless", "lossless-sv1") and kind is np.int16:
        stored = np.abs(stored)
    path = store(_encode(make, stored, syntax), tmp_path / "x.dcm")
    image = io.read_image(path)
    assert np.array_equal(image.pixels, stored)
    assert image.pixels.dtype == stored.dtype
    assert image.facts["TransferSyntaxUID"].value == SYNTAXES[syntax]


@pytest.mark.parametrize("syntax", ["explicit", "rle", "j2k", "jpeg-ls"])
def test_twelve_bits_signed_are_sign_extended(make, store, tmp_path, picture, syntax):
    signed = picture.astype(np.int16) - 2048
    elements = {"BitsStored": 12, "HighBit": 11}
    if syntax == "jpeg-ls":
        import imagecodecs
        from pydicom.encaps import encapsulate

        dataset = make(signed, **elements)
        dataset.PixelData = encapsulate([imagecodecs.jpegls_encode((signed & 0xFFF).astype(np.uint16))])
        dataset["PixelData"].is_undefined_length = True
        dataset.file_meta.TransferSyntaxUID = SYNTAXES["jpeg-ls"]
    elif syntax == "explicit":
        dataset = make((signed & 0xFFF).astype(np.uint16), **elements, PixelRepresentation=1)
    else:
        dataset = _encode(make, signed, syntax, **elements)
    assert np.array_equal(io.read_image(store(dataset, tmp_path / "x.dcm")).pixels, signed)


def test_high_bit_and_overlay_bits(dicom, make, store, tmp_path, picture):
    """Twelve bits stored at bits 15..4 with rubbish in the low four; and at bits 11..0 with an overlay in bit 15, if one is stated there."""
    shifted = dicom(((picture << 4) | 0x5).astype(np.uint16), BitsStored=12, HighBit=15)
    assert np.array_equal(io.read_image(shifted).pixels, picture)
    stored = picture.copy()
    stored[::2] |= np.uint16(0x8000)
    with pytest.raises(InputError, match=r"b\.dcm: stored values .* BitsStored \(0028,0101\) 12 and HighBit 11 cannot hold.*overlays that OverlayBitPosition"):
        io.read_image(dicom(stored, "b.dcm", BitsStored=12, HighBit=11))
    overlaid = make(stored, BitsStored=12, HighBit=11)
    overlaid.add_new((0x6002, 0x0100), "US", 16)
    overlaid.add_new((0x6002, 0x0102), "US", 15)
    assert np.array_equal(io.read_image(store(overlaid, tmp_path / "c.dcm")).pixels, picture)


@pytest.mark.parametrize("syntax", ["explicit", "big", "rle", "j2k", "jpeg-ls"])
def test_greys_that_need_more_bits_than_are_stated_are_refused(make, store, tmp_path, picture, syntax):
    """Twelve bits where ten are stated: 1,100 would come out as 76."""
    assert picture.max() > 1023
    dataset = _encode(make, picture, syntax, BitsStored=12, HighBit=11)
    dataset.BitsStored, dataset.HighBit = 10, 9
    with pytest.raises(InputError, match=rf"to {picture.max()}, which BitsStored .* 10 and HighBit 9 cannot hold"):
        io.read_image(store(dataset, tmp_path / "x.dcm"))


@pytest.mark.parametrize("value", [2048, -2049])
def test_signed_greys_may_be_extended_by_their_sign_alone(make, store, tmp_path, picture, value):
    stored = picture.astype(np.int16) - 2048
    dataset = store(make(stored, BitsStored=12, HighBit=11), tmp_path / "a.dcm")
    assert np.array_equal(io.read_image(dataset).pixels, stored)
    stored[3, 4] = value
    with pytest.raises(InputError, match=r"BitsStored .* 12 and HighBit 11 cannot hold"):
        io.read_image(store(make(stored, BitsStored=12, HighBit=11), tmp_path / "b.dcm"))


def test_padding_may_lie_beyond_the_stored_bits(dicom, picture):
    stored = picture.copy()
    stored[:20] = 63536
    film = io.read_image(dicom(stored, BitsStored=12, HighBit=11, PixelPaddingValue=63536))
    assert np.array_equal(film.pixels[20:], picture[20:])


@pytest.mark.parametrize(("signed", "slope", "intercept"), [(False, 1, 0), (True, 1, 0), (False, 1, -1024), (False, 0.5, 3.25), (False, 2, -1)])
def test_monochrome1_is_the_mirror_of_monochrome2(dicom, picture, signed, slope, intercept):
    """Twelve bits: 4095 - v (unsigned) or -1 - v (signed); whatever the rescale, the order of the values turns round and the window with it."""
    stored = picture.astype(np.int16) - 2048 if signed else picture
    elements = {"BitsStored": 12, "HighBit": 11, "RescaleSlope": slope, "RescaleIntercept": intercept, "Modality": "DX"}
    if signed:
        stored = (stored & 0xFFF).astype(np.uint16)
        elements["PixelRepresentation"] = 1
    window = {"WindowCenter": slope * 1000 + intercept, "WindowWidth": 701}
    plain = io.read_image(dicom(stored, **elements, **window))
    turned = io.read_image(dicom(stored, "b.dcm", PhotometricInterpretation="MONOCHROME1", **elements, **window))
    low, high = (-2048, 2047) if signed else (0, 4095)
    mirror = slope * (low + high) + 2 * intercept
    assert np.array_equal(turned.pixels.astype(float), mirror - plain.pixels.astype(float))
    assert "inverted" in turned.facts["PhotometricInterpretation"].source
    assert np.abs(io.to_uint8(turned).astype(int) + io.to_uint8(plain) - 255).max() <= 1
    assert len(np.unique(io.to_uint8(plain))) > 50


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("limit", [None, 65000])
def test_what_fills_the_frame_of_a_projection_is_dark_and_takes_no_contrast(dicom, picture, photometric, limit):
    """PS3.3 C.7.5.1.1.2: padding is no part of the picture, whatever its value; of slices it stays as it is."""
    stored = picture.copy()
    stored[:20] = 65535 if limit is None else 65300
    elements = {"PixelPaddingValue": 65535, "PhotometricInterpretation": photometric} | ({} if limit is None else {"PixelPaddingRangeLimit": limit})
    film = io.read_image(dicom(stored, "a.dcm", Modality="DX", **elements))
    plain = io.read_image(dicom(picture, "b.dcm", Modality="DX", PhotometricInterpretation=photometric))
    assert np.array_equal(film.pixels[20:], plain.pixels[20:])
    assert (film.pixels[:20] == plain.pixels[20:].min()).all()
    assert "PixelPaddingValue" in film.facts["PhotometricInterpretation"].source
    slices = io.read_image(dicom(stored, "c.dcm", Modality="CT", PixelPaddingValue=65535))
    assert np.array_equal(slices.pixels, stored)


def test_rescale_gives_hounsfield_units(dicom, picture):
    image = io.read_image(dicom(picture, Modality="CT", RescaleSlope=1, RescaleIntercept=-1024))
    assert image.unit == "HU"
    assert image.pixels.dtype == np.int16
    assert np.array_equal(image.pixels, picture.astype(int) - 1024)
    assert io.read_image(dicom(picture, Modality="MR", RescaleSlope=1, RescaleIntercept=0)).unit is None
    half = io.read_image(dicom(picture, Modality="CT", RescaleSlope="0.5", RescaleIntercept="-10"))
    assert np.array_equal(half.pixels, picture * 0.5 - 10)
    wide = io.read_image(dicom(picture + np.uint16(60000), RescaleSlope=1, RescaleIntercept=-1024, Modality="CT"))
    assert wide.pixels.dtype == np.int32
    assert wide.pixels.max() == int(picture.max()) + 60000 - 1024


def test_modality_lut(make, store, tmp_path):
    from pydicom.dataset import Dataset

    item = Dataset()
    item.LUTDescriptor, item.LUTData, item.ModalityLUTType = [4, 0, 16], [100, 200, 300, 50], "OD"
    item["LUTDescriptor"].VR, item["LUTData"].VR = "US", "US"
    dataset = make(np.array([[0, 1], [2, 3]], np.uint16), ModalityLUTSequence=[item])
    image = io.read_image(store(dataset, tmp_path / "x.dcm"))
    assert image.pixels.tolist() == [[100, 200], [300, 50]]
    assert image.unit == "OD"


@pytest.fixture
def colours():
    y, x = np.mgrid[:32, :48]
    return np.stack([x * 5, y * 7, 255 - x * 5], axis=-1).astype(np.uint8)


def _rgb(make, array, photometric, **elements):
    dataset = make(np.zeros(array.shape[:2], np.uint8), SamplesPerPixel=3, PhotometricInterpretation=photometric, PlanarConfiguration=0, **elements)
    dataset.PixelData = array.tobytes()
    return dataset


def test_colour_interleaved_and_planar(make, store, tmp_path, colours):
    one = io.read_image(store(_rgb(make, colours, "RGB"), tmp_path / "a.dcm"))
    planar = _rgb(make, colours, "RGB")
    planar.PixelData, planar.PlanarConfiguration = np.moveaxis(colours, -1, 0).tobytes(), 1
    two = io.read_image(store(planar, tmp_path / "b.dcm"))
    assert one.axes == two.axes == "YXC"
    assert np.array_equal(one.pixels, colours)
    assert np.array_equal(two.pixels, colours)


def test_ybr_becomes_rgb(make, store, tmp_path, colours):
    from pydicom.pixels import convert_color_space

    dataset = _rgb(make, convert_color_space(colours, "RGB", "YBR_FULL"), "YBR_FULL")
    image = io.read_image(store(dataset, tmp_path / "a.dcm"))
    assert np.abs(image.pixels.astype(int) - colours).max() <= 2
    assert "converted to RGB" in image.facts["PhotometricInterpretation"].source


def test_jpeg_baseline_colour(make, store, tmp_path, colours):
    from pydicom.encaps import encapsulate

    stream = stdio.BytesIO()
    Picture.fromarray(colours).save(stream, "JPEG", quality=98, subsampling=0)
    dataset = _rgb(make, colours, "YBR_FULL_422")
    dataset.PixelData = encapsulate([stream.getvalue()])
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.50"
    image = io.read_image(store(dataset, tmp_path / "a.dcm"))
    assert np.abs(image.pixels.astype(int) - colours).mean() < 2


def test_palette(make, store, tmp_path):
    stored = np.array([[0, 1], [2, 1]], np.uint8)
    dataset = make(stored, PhotometricInterpretation="PALETTE COLOR")
    for colour, values in {"Red": (255, 0, 10), "Green": (0, 255, 20), "Blue": (0, 0, 30)}.items():
        setattr(dataset, f"{colour}PaletteColorLookupTableDescriptor", [3, 0, 16])
        dataset[f"{colour}PaletteColorLookupTableDescriptor"].VR = "US"
        setattr(dataset, f"{colour}PaletteColorLookupTableData", (np.array(values, np.uint16) * 257).tobytes())
    image = io.read_image(store(dataset, tmp_path / "a.dcm"))
    assert image.pixels.tolist() == [[[255, 0, 0], [0, 255, 0]], [[10, 20, 30], [0, 255, 0]]]


def test_multi_frame_is_a_cine_loop(dicom):
    frames = np.arange(3 * 4 * 5, dtype=np.uint8).reshape(3, 4, 5)
    image = io.read_image(dicom(frames, Modality="US", FrameTime="33.3"))
    assert image.axes == "TYX"
    assert np.array_equal(image.pixels, frames)
    assert not image.affine.known
    assert image.facts["FrameTime"].value == "33.3"


@pytest.mark.parametrize("syntax", ["rle", "j2k", "jpeg-ls"])
def test_compressed_frames(make, store, tmp_path, syntax):
    frames = np.arange(3 * 64 * 80, dtype=np.uint16).reshape(3, 64, 80)
    dataset = _encode(make, frames, syntax)
    assert np.array_equal(io.read_image(store(dataset, tmp_path / "a.dcm")).pixels, frames)


def test_float_pixel_data(make, store, tmp_path):
    values = np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4)
    dataset = make(np.zeros((3, 4), np.uint16), PixelData=None, FloatPixelData=values.tobytes(), BitsAllocated=32, BitsStored=32, HighBit=31)
    assert np.array_equal(io.read_image(store(dataset, tmp_path / "a.dcm")).pixels, values)


def test_codecs_say_what_pydicom_says():
    rows = {row["uid"]: row for row in io.codecs()}
    assert {"uid", "name", "decoders", "ok"} == set(rows["1.2.840.10008.1.2.5"])
    for uid in SYNTAXES.values():
        assert rows[uid]["ok"] and rows[uid]["decoders"], uid
    assert not rows["1.2.840.10008.1.2.1.99"]["ok"]
    assert "imagecodecs ljpeg" in rows["1.2.840.10008.1.2.4.70"]["decoders"]


def test_a_frame_of_another_size_is_refused_before_it_is_decoded(make, store, tmp_path, picture):
    for syntax in ("j2k", "jpeg-ls", "lossless"):
        dataset = _encode(make, picture, syntax)
        dataset.Rows = 10
        with pytest.raises(InputError, match="compressed frame is 80 x 48"):
            io.read_image(store(dataset, tmp_path / "a.dcm"))


def test_big_endian_and_headless_agree(make, tmp_path, picture):
    """A file without preamble and meta information is read if it states all else."""
    dataset = make(picture)
    path = tmp_path / "headless"
    del dataset.file_meta
    dataset.save_as(path, implicit_vr=True, little_endian=True, enforce_file_format=False)
    image = io.read_image(path)
    assert np.array_equal(image.pixels, picture)
    assert "found from the data" in image.facts["TransferSyntaxUID"].source
