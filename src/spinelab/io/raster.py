"""JPG, PNG and TIFF: pictures without geometry. What they print on paper (DPI) says nothing about the patient."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spinelab.core import Fact, Image, InputError, unknown
from spinelab.io.gate import check_size, decoding

_EXPECTED: Final = "a complete JPG, PNG or TIFF"
_ACTION: Final = "open it in a viewer; if it is damaged, copy or export it again"
_COLOURS: Final = ("MINISWHITE", "MINISBLACK", "RGB", "PALETTE", "YCBCR")
"""What the samples of a TIFF may mean; YCBCR is decoded to RGB."""


def read_jpg_png(path: Path, name: str) -> Image:
    """Read one JPG or PNG, 8 or 16 bit, grey, colour or palette, turned as its EXIF orientation says."""
    from PIL import Image as Picture
    from PIL import ImageOps

    facts: dict[str, Fact] = {}
    with decoding("pillow", name, expected=_EXPECTED, action=_ACTION), Picture.open(path, formats=("JPEG", "PNG")) as opened:
        kind, mode, (columns, rows) = opened.format or "", opened.mode, opened.size
        orientation = int(opened.getexif().get(274, 1) or 1)
    check_size(name, rows=rows, columns=columns)
    if kind == "PNG" and _png_is_deep_colour(path):
        pixels = _read_deep_png(path, name)
        pixels = _turn(pixels, orientation)
    else:
        with decoding("pillow", name, expected=_EXPECTED, action=_ACTION), Picture.open(path, formats=("JPEG", "PNG")) as opened:
            pixels = np.asarray(_plain(ImageOps.exif_transpose(opened)))
    if 2 <= orientation <= 8:
        facts["orientation"] = Fact(orientation, f"EXIF orientation {orientation}, already applied")
    if mode in {"LA", "RGBA", "PA"} or (pixels.ndim == 3 and pixels.shape[-1] == 4):
        facts["alpha"] = Fact("dropped", f"{kind} transparency")
    return _picture(_without_alpha(pixels), name, {"JPEG": "JPG"}.get(kind, kind), facts)


def _plain(picture: Any) -> Any:
    """Return a Pillow picture as 8 or 16 bit grey, or 8 bit RGB."""
    if picture.mode in {"L", "RGB", "I;16", "I;16B", "I"}:
        return picture
    if picture.mode in {"1", "LA"}:
        return picture.convert("L")
    if picture.mode in {"P", "PA"}:
        entries = np.asarray(picture.getpalette("RGB") or (), dtype=np.uint8).reshape(-1, 3)
        grey = bool((entries == entries[:, :1]).all())
        return picture.convert("RGB").convert("L") if grey else picture.convert("RGB")
    return picture.convert("RGB")


def _png_is_deep_colour(path: Path) -> bool:
    """Tell whether a PNG has 16 bits a channel and more than one channel, which Pillow would silently halve."""
    with path.open("rb") as stream:
        header = stream.read(26)
    return len(header) == 26 and header[24] == 16 and header[25] != 0


def _read_deep_png(path: Path, name: str) -> NDArray[Any]:
    import imagecodecs

    with decoding("imagecodecs", name, expected=_EXPECTED, action=_ACTION):
        return np.asarray(imagecodecs.png_decode(path.read_bytes()))


def _without_alpha(pixels: NDArray[Any]) -> NDArray[Any]:
    """Drop the last of two or four channels."""
    if pixels.ndim < 3 or pixels.shape[-1] not in (2, 4):
        return pixels
    return pixels[..., 0] if pixels.shape[-1] == 2 else pixels[..., :3]


def _turn(pixels: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Apply an EXIF / TIFF orientation (1 to 8) to the last two spatial axes of ``(rows, columns[, colours])``."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels


def read_tiff(path: Path, name: str) -> Image:
    """Read a TIFF of one page as a picture, of several pages as frames, or as slices where its metadata call them so."""
    import tifffile

    with decoding("tifffile", name, expected=_EXPECTED, action=_ACTION), tifffile.TiffFile(path) as file:
        pages = [page for page in file.pages if not page.is_reduced]
        shapes = {(page.shape, str(page.dtype)) for page in pages}
        axes = file.series[0].axes if file.series else ""
        first = pages[0]
        samples, rows, columns = int(first.samplesperpixel), int(first.imagelength), int(first.imagewidth)
    _check_colours(first, name)
    if len(shapes) > 1:
        raise InputError(f"{name} has pages of different sizes or depths", expected="pages that are frames of one picture", action="save each page as a file")
    check_size(name, rows=rows, columns=columns, pages=len(pages), channels=samples)
    with decoding("tifffile", name, expected=_EXPECTED, action=_ACTION), tifffile.TiffFile(path) as file:
        stack = [_tiff_page(page) for page in file.pages if not page.is_reduced]
        orientation = _tiff_orientation(file.pages[0])
    frames = [_turn(_without_alpha(page), orientation) for page in stack]
    facts = {"orientation": Fact(orientation, f"TIFF Orientation {orientation}, already applied")} if orientation != 1 else {}
    if samples in (2, 4):
        facts["alpha"] = Fact("dropped", "TIFF transparency")
    pixels = frames[0] if len(frames) == 1 else np.stack(frames)
    return _picture(pixels, name, "TIFF", facts, slices="Z" in axes)


def _check_colours(page: Any, name: str) -> None:
    """Refuse samples that are neither grey nor RGB: inks, taken for red, green and blue, would invert the picture."""
    meant = str(getattr(page.photometric, "name", page.photometric))
    if meant not in _COLOURS:
        raise InputError(f"{name} has samples of the kind {meant}", expected="grey, RGB or a palette", action="save it as grey or RGB, for example as PNG")


def _tiff_orientation(page: Any) -> int:
    tag = page.tags.get(274)
    value = int(tag.value) if tag is not None else 1
    return value if 1 <= value <= 8 else 1


def _tiff_page(page: Any) -> NDArray[Any]:
    """Decode one page to ``(rows, columns[, colours])`` with larger values brighter."""
    import tifffile

    pixels = np.asarray(page.asarray())
    if page.dtype == bool:
        pixels = pixels.astype(np.uint8) * np.uint8(255)
    if page.photometric == tifffile.PHOTOMETRIC.PALETTE:
        colours = np.moveaxis(np.asarray(page.colormap), 0, -1)
        pixels = (colours[pixels] >> 8).astype(np.uint8)
    if page.photometric == tifffile.PHOTOMETRIC.MINISWHITE:
        top = 255 if page.dtype == bool else 2 ** int(page.bitspersample) - 1
        pixels = (top - pixels).astype(pixels.dtype) if pixels.dtype.kind == "u" else -pixels
    planar = page.planarconfig == tifffile.PLANARCONFIG.SEPARATE and pixels.ndim == 3
    return np.moveaxis(pixels, 0, -1) if planar else pixels


def _picture(pixels: NDArray[Any], name: str, kind: str, facts: dict[str, Fact], *, slices: bool = False) -> Image:
    """Make an image that claims no geometry."""
    if pixels.dtype.kind not in "uif" or pixels.ndim not in (2, 3, 4):
        raise InputError(f"{name}: samples of type {pixels.dtype} and shape {pixels.shape}", expected="real numbers, grey or RGB", action="convert the file")
    colour = pixels.ndim > 2 and pixels.shape[-1] == 3
    axes = {2: "YX", 3: "YXC" if colour else ("ZYX" if slices else "TYX"), 4: "TYXC"}[pixels.ndim]
    if pixels.ndim == 4 and not colour:
        raise InputError(f"{name}: pages of {pixels.shape[-1]} channels", expected="grey or RGB pages", action="convert the pages to grey or RGB")
    article = "a" if kind != "image" else "an"
    return Image(
        pixels=_native(np.ascontiguousarray(pixels)),
        axes=axes,
        spacing_mm=unknown(f"{article} {kind} states no pixel spacing (DPI is for printing)"),
        affine=unknown(f"{article} {kind} states no orientation in the patient"),
        modality=unknown(f"{article} {kind} states no modality"),
        view=unknown(f"{article} {kind} states no view"),
        facts=facts,
        source=name,
    )


def _native(pixels: NDArray[Any]) -> NDArray[Any]:
    """Return the array in the machine's byte order; Pillow's 32-bit ``I`` mode holds 16-bit PNG values."""
    if pixels.dtype == np.int32 and pixels.size and pixels.min() >= 0 and pixels.max() <= 0xFFFF:
        return pixels.astype(np.uint16)
    return pixels.astype(pixels.dtype.newbyteorder("="), copy=False)
