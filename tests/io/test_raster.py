"""JPG, PNG and TIFF in the depths and orders that occur; none of them states a spacing."""

import numpy as np
import pytest
import tifffile
from PIL import Image as Picture

from spinelab import io
from spinelab.core import InputError

GREY8 = np.arange(600, dtype=np.uint32).reshape(20, 30).astype(np.uint8)
GREY16 = (np.arange(600, dtype=np.uint32).reshape(20, 30) * 109).astype(np.uint16)
RGB8 = np.stack([GREY8, GREY8[::-1], 255 - GREY8], axis=-1)


def check(path, wanted, axes):
    image = io.read_image(path)
    assert image.axes == axes
    assert image.pixels.dtype == wanted.dtype
    assert np.array_equal(image.pixels, wanted)
    assert image.spacing_mm.value is None and image.affine.value is None
    assert "states no pixel spacing" in image.spacing_mm.source
    return image


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize(("pixels", "axes"), [(GREY8, "YX"), (GREY16, "YX"), (RGB8, "YXC")])
def test_lossless_files(tmp_path, suffix, pixels, axes):
    path = tmp_path / f"a.{suffix}"
    Picture.fromarray(pixels).save(path, dpi=(300, 300))
    check(path, pixels, axes)


def test_colour_of_sixteen_bits_is_not_halved(tmp_path):
    import imagecodecs

    deep = np.stack([GREY16, GREY16[::-1], GREY16[:, ::-1]], axis=-1)
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(deep))
    check(tmp_path / "a.png", deep, "YXC")
    tifffile.imwrite(tmp_path / "a.tif", deep, photometric="rgb")
    check(tmp_path / "a.tif", deep, "YXC")


def test_jpg_grey_and_colour(tmp_path):
    smooth = np.linspace(0, 255, 64 * 64).reshape(64, 64).astype(np.uint8)
    Picture.fromarray(smooth).save(tmp_path / "a.jpg", quality=100)
    image = io.read_image(tmp_path / "a.jpg")
    assert image.axes == "YX" and np.abs(image.pixels.astype(int) - smooth).max() <= 3
    Picture.fromarray(RGB8).save(tmp_path / "b.jpg")
    assert io.read_image(tmp_path / "b.jpg").axes == "YXC"
    Picture.fromarray(RGB8).convert("CMYK").save(tmp_path / "c.jpg")
    assert io.read_image(tmp_path / "c.jpg").pixels.shape == (20, 30, 3)


@pytest.mark.parametrize("mode", ["1", "P", "LA", "RGBA"])
def test_palette_bilevel_and_alpha(tmp_path, mode):
    picture = Picture.fromarray(RGB8 if mode in ("P", "RGBA") else GREY8).convert(mode)
    picture.save(tmp_path / "a.png")
    wanted = np.asarray(picture.convert("RGB" if mode in ("P", "RGBA") else "L"))
    image = check(tmp_path / "a.png", wanted, "YXC" if wanted.ndim == 3 else "YX")
    assert ("alpha" in image.facts) == (mode in ("LA", "RGBA"))


def test_grey_palette_is_grey(tmp_path):
    picture = Picture.fromarray(GREY8).convert("P")
    picture.save(tmp_path / "a.png")
    check(tmp_path / "a.png", GREY8, "YX")


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png", "tif"])
def test_exif_orientation_is_applied(tmp_path, orientation, suffix):
    """Pillow's own transposition is the outside answer."""
    from PIL import ImageOps

    blocks = np.kron(np.arange(6, dtype=np.uint8).reshape(2, 3) * 50, np.ones((16, 16), np.uint8))
    exif = Picture.Exif()
    exif[274] = orientation
    path = tmp_path / f"a.{suffix}"
    if suffix == "tif":
        tifffile.imwrite(path, blocks, extratags=[(274, "H", 1, orientation, True)])
    else:
        Picture.fromarray(blocks).save(path, exif=exif, **({"quality": 100} if suffix == "jpg" else {}))
    tagged = Picture.fromarray(blocks)
    tagged.getexif()[274] = orientation
    wanted = np.asarray(ImageOps.exif_transpose(tagged))
    image = io.read_image(path)
    assert image.pixels.shape == wanted.shape
    assert np.abs(image.pixels.astype(int) - wanted).max() <= 2
    assert ("orientation" in image.facts) == (orientation != 1)


def test_pages_are_frames_and_named_slices_a_volume(tmp_path):
    stack = np.arange(3 * 20 * 30, dtype=np.uint16).reshape(3, 20, 30)
    tifffile.imwrite(tmp_path / "a.tif", stack, photometric="minisblack")
    image = io.read_image(tmp_path / "a.tif")
    assert image.axes in ("TYX", "ZYX") and np.array_equal(image.pixels, stack)
    tifffile.imwrite(tmp_path / "b.tif", stack, imagej=True, metadata={"axes": "ZYX"})
    check(tmp_path / "b.tif", stack, "ZYX")
    tifffile.imwrite(tmp_path / "c.tif", stack, imagej=True, metadata={"axes": "TYX"})
    check(tmp_path / "c.tif", stack, "TYX")
    tifffile.imwrite(tmp_path / "d.tif", np.stack([RGB8, RGB8]), photometric="rgb")
    check(tmp_path / "d.tif", np.stack([RGB8, RGB8]), "TYXC")


def test_tiff_white_is_zero_palette_and_compression(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", GREY8, photometric="miniswhite")
    check(tmp_path / "a.tif", 255 - GREY8, "YX")
    colours = np.arange(768, dtype=np.uint16).reshape(3, 256) * 85
    tifffile.imwrite(tmp_path / "b.tif", GREY8, photometric="palette", colormap=colours)
    check(tmp_path / "b.tif", (np.moveaxis(colours, 0, -1)[GREY8] >> 8).astype(np.uint8), "YXC")
    for compression in ("zlib", "lzw", "packbits", "zstd"):
        tifffile.imwrite(tmp_path / "c.tif", GREY16, compression=compression)
        check(tmp_path / "c.tif", GREY16, "YX")
    tifffile.imwrite(tmp_path / "d.tif", np.moveaxis(RGB8, -1, 0), photometric="rgb", planarconfig="separate")
    check(tmp_path / "d.tif", RGB8, "YXC")


def test_pages_of_two_sizes_are_refused(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        writer.write(GREY8)
        writer.write(GREY8[:10])
    with pytest.raises(InputError, match="different sizes"):
        io.read_image(tmp_path / "a.tif")


def test_inks_are_not_taken_for_red_green_and_blue(tmp_path):
    inks = np.asarray(Picture.fromarray(GREY8).convert("CMYK"))
    tifffile.imwrite(tmp_path / "inks.tif", inks, photometric="separated")
    with pytest.raises(InputError, match=r"SEPARATED.*grey or RGB"):
        io.read_image(tmp_path / "inks.tif")


def test_a_wrong_ending_does_not_matter(tmp_path):
    Picture.fromarray(GREY8).save(tmp_path / "a.png")
    (tmp_path / "a.png").rename(tmp_path / "a.jpg")
    check(tmp_path / "a.jpg", GREY8, "YX")


def test_study_of_a_picture(tmp_path):
    Picture.fromarray(GREY8).save(tmp_path / "film.one.png")
    study = io.read(str(tmp_path / "film.one.png"))
    assert study.id == "film.one"
    assert study.patient.value is None and study.sex.value is None
