"""Stored DICOM pixels to values: decoding, unused bits, modality transform, inversion of MONOCHROME1, colour to RGB."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spinelab.core import InputError, plural
from spinelab.io.codestream import stated_size
from spinelab.io.dicom_header import Header, tag, uid
from spinelab.io.dicom_layout import MONOCHROME, Layout
from spinelab.io.dicom_spacing import PROJECTIONS
from spinelab.io.frame_codecs import DIRECT, DIRECT_COLOUR, PLUGINS, decode_frame
from spinelab.io.gate import decoding

_EXPECTED: Final = "complete pixel data in the stated transfer syntax"
_ACTION: Final = "export the object again; if it opens elsewhere, convert it to Explicit VR Little Endian"
_TELL_MEANING: Final = (
    "ModalityLUTSequence",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
    "RescaleSlope",
    "RescaleIntercept",
    "RescaleType",
    "Modality",
    "PixelPaddingValue",
    "PixelPaddingRangeLimit",
)


@dataclass(frozen=True)
class Meaning:
    """What the stored values of an object mean, from its header.

    ``rescale`` is slope and intercept of every frame, or of all (empty for a look-up table, and in colour), ``mirror`` the sum of a value before and
    after the inversion of MONOCHROME1 (``None``: not inverted), ``padding`` the smallest and the largest stored value that is no part of a projection but
    fills its frame (PS3.3 C.7.5.1.1.2).
    """

    rescale: tuple[tuple[float, float], ...]
    unit: str | None
    mirror: float | None
    padding: tuple[float, float] | None = None


def meaning(header: Header, found: Layout) -> Meaning:
    """Return what the stored values mean."""
    return header.once(("meaning", found), _TELL_MEANING, lambda: _meaning(header, found))


def _meaning(header: Header, found: Layout) -> Meaning:
    if found.photometric not in MONOCHROME:
        return Meaning((), None, None)
    rescale: tuple[tuple[float, float], ...] = ()
    if header.items("ModalityLUTSequence"):
        unit, extremes = _table_meaning(header)
    else:
        rescale = tuple(_rescale(header, transform) for transform in _frame_transforms(header, found))
        unit, extremes = _unit(header, found), _extremes(rescale, found)
    mirror = extremes[0] + extremes[1] if found.photometric == "MONOCHROME1" else None
    return Meaning(rescale, unit, mirror, _padding(header) if header.text("Modality") in PROJECTIONS else None)


def _padding(header: Header) -> tuple[float, float] | None:
    """Return the range of values that fill the frame, ``None`` where none is stated."""
    value, limit = header.number("PixelPaddingValue"), header.number("PixelPaddingRangeLimit")
    if value is None:
        return None
    return min(value, value if limit is None else limit), max(value, value if limit is None else limit)


def read_values(header: Header, found: Layout, meant: Meaning) -> NDArray[Any]:
    """Decode an object to physical values where larger is brighter, with axes frame, row, column (, colour)."""
    stored = _decode(header.whole(), found)
    if found.photometric not in MONOCHROME:
        return _palette(header, stored) if found.photometric == "PALETTE COLOR" else stored
    values = _modality(header, meant, stored)
    values = values if meant.mirror is None else _mirrored(values, meant.mirror)
    return values if meant.padding is None else _without_padding(values, stored, meant.padding)


def _decode(header: Header, found: Layout) -> NDArray[Any]:
    """Return stored values with axes frame, row, column (, colour)."""
    keyword = next((k for k in ("PixelData", "FloatPixelData", "DoubleFloatPixelData") if k in header.dataset), None)
    if keyword is None:
        raise InputError(
            f"{header.name} describes a picture of {found.rows} x {found.columns} but holds no pixel data",
            expected="pixel data after the header",
            action="copy or export the file again; it was probably cut off",
        )
    data = header.value(keyword)
    shape = (found.frames, found.rows, found.columns) + ((3,) if found.samples == 3 else ())
    if keyword != "PixelData":
        return _floats(header, data, shape, keyword)
    if not isinstance(data, bytes):
        raise InputError(f"{header.name}: {tag('PixelData')} is no string of bytes", expected=_EXPECTED, action=_ACTION)
    if found.native:
        _check_length(header, found, len(data))
        if found.samples == 1 and found.syntax != "1.2.840.10008.1.2.2":
            kind = f"<{'i' if found.signed else 'u'}{found.bits_allocated // 8}"
            return _without_unused_bits(header, np.frombuffer(data, kind, count=int(np.prod(shape))).reshape(shape), found)
    else:
        _check_frames(header, found, data)
    return _decompress(header, found, data, shape)


def _check_length(header: Header, found: Layout, length: int) -> None:
    needed = found.frame_bytes * found.frames
    if length < needed:
        raise InputError(
            f"{header.name}: {tag('PixelData')} has {length:,} bytes",
            expected=f"{needed:,} bytes for {plural(found.frames, 'frame')} of {found.rows} x {found.columns} at {found.bits_allocated} bits",
            action="copy or export the file again; it was probably cut off",
        )


def _check_frames(header: Header, found: Layout, data: bytes) -> None:
    """Check that every compressed frame is there and states the size of the header, before a codec allocates for it."""
    from pydicom.encaps import generate_frames

    offsets = header.dataset.get("ExtendedOffsetTable"), header.dataset.get("ExtendedOffsetTableLengths")
    extended = (bytes(offsets[0]), bytes(offsets[1])) if all(offsets) else None
    with decoding("pydicom", header.name, expected=_EXPECTED, action=_ACTION):
        frames = [stated_size(bytes(f)) for f in generate_frames(data, number_of_frames=found.frames, extended_offsets=extended)]
    if len(frames) < found.frames:
        raise InputError(f"{header.name}: {plural(len(frames), 'compressed frame')}", expected=f"{found.frames}, as NumberOfFrames states", action=_ACTION)
    other = next((size for size in frames if size is not None and size != (found.rows, found.columns)), None)
    if other is not None:
        raise InputError(
            f"{header.name}: a compressed frame is {other[0]} x {other[1]}",
            expected=f"{found.rows} x {found.columns}, as Rows and Columns state",
            action=_ACTION,
        )


def _decompress(header: Header, found: Layout, data: bytes, shape: tuple[int, ...]) -> NDArray[Any]:
    """Decode with the codecs chosen in `frame_codecs`, else with the pydicom plugin named there."""
    pixels = _directly(found, data, shape)
    if pixels is None:
        plugin = PLUGINS.get(found.syntax, "")
        if plugin is None:
            raise InputError(f"{header.name} cannot be decoded as {uid(found.syntax).name}", expected=_EXPECTED, action=_ACTION)
        from pydicom.pixels import get_decoder

        with decoding("pydicom", header.name, expected=_EXPECTED, action=_ACTION):
            decoder = get_decoder(uid(found.syntax))
            decoded, _ = decoder.as_array(header.dataset, raw=found.samples == 1, correct_unused_bits=False, decoding_plugin=plugin)
        if decoded.size != int(np.prod(shape)):
            raise InputError(f"{header.name}: {decoded.shape} samples were decoded", expected=f"{shape}", action=_ACTION)
        pixels = np.asarray(decoded).reshape(shape)
        pixels = pixels.astype(pixels.dtype.newbyteorder("="), copy=False)
    return _without_unused_bits(header, pixels, found) if found.samples == 1 else pixels


def _directly(found: Layout, data: bytes, shape: tuple[int, ...]) -> NDArray[Any] | None:
    """Decode without pydicom in between; ``None`` where no direct codec takes every frame."""
    if found.native or found.syntax not in DIRECT or (found.samples == 3 and found.syntax not in DIRECT_COLOUR):
        return None
    from pydicom.encaps import generate_frames
    from pydicom.pixels import convert_color_space

    frames = [decode_frame(found.syntax, bytes(frame)) for frame in generate_frames(data, number_of_frames=found.frames)]
    unsigned = np.dtype(f"u{found.bits_allocated // 8}")
    if any(frame is None or frame.shape != shape[1:] or frame.dtype.itemsize > unsigned.itemsize for frame in frames):
        return None
    pixels = np.stack([frame for frame in frames if frame is not None]).astype(unsigned)
    if found.samples == 3:
        return np.asarray(convert_color_space(pixels, "YBR_FULL", "RGB")) if found.photometric.startswith("YBR_FULL") else pixels
    return pixels.view(f"i{unsigned.itemsize}") if found.signed else pixels


def _floats(header: Header, data: bytes, shape: tuple[int, ...], keyword: str) -> NDArray[Any]:
    kind = np.dtype("<f4" if keyword == "FloatPixelData" else "<f8")
    needed = int(np.prod(shape)) * kind.itemsize
    if len(data) < needed:
        raise InputError(f"{header.name}: {tag(keyword)} has {len(data):,} bytes", expected=f"{needed:,} bytes", action="export the file again")
    return np.frombuffer(data, kind, count=int(np.prod(shape))).reshape(shape).astype(np.float32)


def _without_unused_bits(header: Header, pixels: NDArray[Any], found: Layout) -> NDArray[Any]:
    """Keep bits ``HighBit`` down to ``HighBit - BitsStored + 1``, with the sign extended; those above may hold overlays that the header states."""
    bits = pixels.dtype.itemsize * 8
    if found.bits_stored == bits or pixels.dtype.kind == "f":
        return pixels
    high = found.high_bit if found.native or found.syntax == "1.2.840.10008.1.2.5" else found.bits_stored - 1
    if not found.signed and pixels.dtype.kind == "u" and high == found.bits_stored - 1 and int(pixels.max()) <= found.stored_range[1]:
        return pixels
    _check_unused_bits(header, pixels, found, high)
    wanted = np.dtype(f"{'i' if found.signed else 'u'}{pixels.dtype.itemsize}")
    return np.asarray(np.right_shift(np.left_shift(pixels.view(wanted), bits - 1 - high), bits - found.bits_stored))


def _check_unused_bits(header: Header, pixels: NDArray[Any], found: Layout, high: int) -> None:
    """Refuse greys that need more bits than are stated: without these, brighter ones would come out darker. Padding, which is no grey, may lie beyond."""
    bits = pixels.dtype.itemsize * 8
    raw = pixels.view(f"u{pixels.dtype.itemsize}")
    above = np.array((2**bits - 2 ** (high + 1)) & ~_overlay_bits(header), raw.dtype)
    upper = raw & above
    wrong = upper != 0
    if found.signed and wrong.any():
        wrong = upper != np.where(raw & np.array(2**high, raw.dtype), above, 0)
    if (padding := _padding(header)) is not None:
        wrong &= (pixels < padding[0]) | (pixels > padding[1])
    if wrong.any():
        raise InputError(
            f"{header.name}: stored values from {pixels.min()} to {pixels.max()}, which {tag('BitsStored')} {found.bits_stored} and HighBit {high} cannot hold",
            expected=f"values in bits 0 to {high}, and above them nothing but overlays that OverlayBitPosition (60xx,0102) states",
            action="export the object again from its source; where the picture does use more bits, correct BitsStored and HighBit",
        )


def _overlay_bits(header: Header) -> int:
    """Return the bits in which the header states overlays among the pixels, as files before 2004 may hold them (PS3.5 8.1.2)."""
    stated = (header.dataset.get((group, 0x0102)) for group in range(0x6000, 0x6020, 2))
    positions = {element.value for element in stated if element is not None and isinstance(element.value, int)}
    return sum(2**position for position in positions if position > 0)


def _modality(header: Header, meant: Meaning, stored: NDArray[Any]) -> NDArray[Any]:
    """Apply the modality LUT or rescale (PS3.3 C.11.1)."""
    if not meant.rescale:
        return _modality_lut(header, stored)
    if len(set(meant.rescale)) == 1:
        return _linear(stored, *meant.rescale[0])
    slopes, intercepts = np.array(meant.rescale).T
    return np.asarray((stored * slopes[:, None, None] + intercepts[:, None, None]).astype(np.float32))


def _extremes(rescale: tuple[tuple[float, float], ...], found: Layout) -> tuple[float, float]:
    """Return the smallest and the largest value that the stored bits can mean."""
    slopes, intercepts = np.array(rescale).T
    low, high = found.stored_range
    return float(np.min(np.minimum(slopes * low, slopes * high) + intercepts)), float(np.max(np.maximum(slopes * low, slopes * high) + intercepts))


def _frame_transforms(header: Header, found: Layout) -> list[Header]:
    """Return where each frame's rescale stands: a functional group of an enhanced object, else the data set itself."""
    from spinelab.io.dicom_frames import macro

    if not header.items("SharedFunctionalGroupsSequence") and not header.items("PerFrameFunctionalGroupsSequence"):
        return [header]
    return [macro(header, index, "PixelValueTransformationSequence") or header for index in range(found.frames)]


def _rescale(header: Header, where: Header) -> tuple[float, float]:
    slope, intercept = where.number("RescaleSlope"), where.number("RescaleIntercept")
    if slope == 0:
        raise header.refusal("RescaleSlope", "a slope other than zero")
    return (1.0 if slope is None else slope), (0.0 if intercept is None else intercept)


def _linear(stored: NDArray[Any], slope: float, intercept: float) -> NDArray[Any]:
    """Return ``slope * stored + intercept`` in the smallest type that holds it: integers stay integers."""
    if slope == 1 and intercept == 0:
        return stored
    if slope.is_integer() and intercept.is_integer() and stored.dtype.kind in "iu":
        ends = [slope * float(stored.min()) + intercept, slope * float(stored.max()) + intercept]
        for kind in (np.int16, np.int32):
            if np.iinfo(kind).min <= min(ends) and max(ends) <= np.iinfo(kind).max:
                return _integer_linear(stored, int(slope), int(intercept), np.dtype(kind))
    return (stored * np.float64(slope) + intercept).astype(np.float32)


def _integer_linear(stored: NDArray[Any], slope: int, intercept: int, kind: np.dtype[Any]) -> NDArray[Any]:
    """Compute modulo 2^bits, which is exact because the result is known to fit."""
    bits = kind.itemsize * 8
    wrapped = stored.astype(f"u{kind.itemsize}")
    return np.asarray((wrapped * np.array(slope % 2**bits, wrapped.dtype) + np.array(intercept % 2**bits, wrapped.dtype)).view(kind))


def _modality_lut(header: Header, stored: NDArray[Any]) -> NDArray[Any]:
    from pydicom.pixels import apply_modality_lut

    with decoding("pydicom", f"{header.name}: ModalityLUTSequence", expected="a complete look-up table", action="export the object again"):
        return np.asarray(apply_modality_lut(stored, header.dataset))


def _table_meaning(header: Header) -> tuple[str | None, tuple[float, float]]:
    """Return unit and extremes of a modality look-up table."""
    item = header.items("ModalityLUTSequence")[0]
    descriptor = item.numbers("LUTDescriptor", 3) or (0, 0, 16)
    kind = item.text("ModalityLUTType")
    return (kind if kind not in (None, "US") else None), (0.0, 2.0 ** descriptor[2] - 1)


def _unit(header: Header, found: Layout) -> str | None:
    """Return ``HU`` for rescaled CT unless its RescaleType says otherwise, and any other stated type as it stands."""
    where = _frame_transforms(header, found)[0]
    stated = where.text("RescaleType")
    if stated not in (None, "US"):
        return stated
    return "HU" if header.text("Modality") == "CT" and stated is None and where.value("RescaleIntercept") is not None else None


def _without_padding(values: NDArray[Any], stored: NDArray[Any], padding: tuple[float, float]) -> NDArray[Any]:
    """Make what fills the frame as dark as the darkest pixel of the film: white padding would take the contrast from all else."""
    fills = (stored >= padding[0]) & (stored <= padding[1])
    if not fills.any() or fills.all():
        return values
    return np.where(fills, values[~fills].min(), values)


def _mirrored(values: NDArray[Any], mirror: float) -> NDArray[Any]:
    """Return ``mirror - values`` in the same type; wrapping integers cannot overflow because both ends fit."""
    if values.dtype.kind == "f":
        return np.asarray(np.float32(mirror) - values)
    bits = values.dtype.itemsize * 8
    unsigned = values.view(f"u{values.dtype.itemsize}")
    result = (np.array(int(mirror) % 2**bits, unsigned.dtype) - unsigned).view(values.dtype)
    return np.asarray(result)


def _palette(header: Header, stored: NDArray[Any]) -> NDArray[Any]:
    """Look the colours up and return 8-bit RGB."""
    from pydicom.pixels import apply_color_lut

    with decoding("pydicom", f"{header.name}: colour palette", expected="complete palette look-up tables", action="export the object again"):
        colours = np.asarray(apply_color_lut(stored, header.dataset))
    return (colours[..., :3] >> 8).astype(np.uint8) if colours.dtype == np.uint16 else colours[..., :3]
