"""How a DICOM object says its pixels are laid out, checked before one of them is decoded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from spinelab.core import InputError
from spinelab.io.dicom_header import Header, tag, uid
from spinelab.io.gate import check_size, quiet

MONOCHROME: Final = ("MONOCHROME1", "MONOCHROME2")
COLOUR: Final = ("PALETTE COLOR", "RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT", "YBR_PARTIAL_420")
_TELL_LAYOUT: Final = (
    "PhotometricInterpretation",
    "Rows",
    "Columns",
    "NumberOfFrames",
    "SamplesPerPixel",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "PlanarConfiguration",
)
NATIVE: Final = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2")


@dataclass(frozen=True)
class Layout:
    """The Image Pixel module (PS3.3 C.7.6.3) of one object."""

    rows: int
    columns: int
    frames: int
    samples: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    signed: bool
    photometric: str
    planar: bool
    syntax: str

    @property
    def native(self) -> bool:
        return self.syntax in NATIVE

    @property
    def frame_bytes(self) -> int:
        """Bytes of one frame when it is not compressed."""
        samples = 2 if self.photometric == "YBR_FULL_422" and self.native else self.samples
        return self.rows * self.columns * samples * self.bits_allocated // 8

    @property
    def stored_range(self) -> tuple[int, int]:
        """Smallest and largest value that the stored bits can hold."""
        return (-(2 ** (self.bits_stored - 1)), 2 ** (self.bits_stored - 1) - 1) if self.signed else (0, 2**self.bits_stored - 1)


def layout(header: Header) -> Layout:
    """Return the checked layout; raises `InputError` for what is absent, contradictory, absurd or cannot be decoded."""
    return header.once(("layout", header.syntax), _TELL_LAYOUT, lambda: _layout(header))


def _layout(header: Header) -> Layout:
    photometric = _photometric(header)
    found = Layout(
        rows=_needed(header, "Rows"),
        columns=_needed(header, "Columns"),
        frames=_or(header.integer("NumberOfFrames"), 1),
        samples=_or(header.integer("SamplesPerPixel"), 1 if photometric in (*MONOCHROME, "PALETTE COLOR") else 3),
        bits_allocated=_needed(header, "BitsAllocated"),
        bits_stored=_or(header.integer("BitsStored"), _needed(header, "BitsAllocated")),
        high_bit=_or(header.integer("HighBit"), _or(header.integer("BitsStored"), _needed(header, "BitsAllocated")) - 1),
        signed=header.integer("PixelRepresentation") == 1,
        photometric=photometric,
        planar=header.integer("PlanarConfiguration") == 1,
        syntax=_syntax(header),
    )
    check_size(header.name, Rows=found.rows, Columns=found.columns, NumberOfFrames=found.frames, SamplesPerPixel=found.samples)
    _check_bits(header, found)
    _check_samples(header, found)
    return found


def _or(value: int | None, otherwise: int) -> int:
    return otherwise if value is None else value


def _needed(header: Header, keyword: str) -> int:
    value = header.integer(keyword)
    if value is None:
        raise InputError(f"{header.name} has no {tag(keyword)}", expected="the Image Pixel module, complete", action="export the object again from its source")
    return value


def _photometric(header: Header) -> str:
    """Return PhotometricInterpretation; without it nobody can tell bone from air, so nothing is guessed."""
    photometric = header.text("PhotometricInterpretation")
    if photometric is None:
        raise InputError(
            f"{header.name} has no {tag('PhotometricInterpretation')}: whether large values are bright or dark is not stated",
            expected="MONOCHROME1, MONOCHROME2, PALETTE COLOR, RGB or YBR_*",
            action="export it again from its source (old ACR-NEMA files lack it), or add the element if you know the right value",
        )
    if photometric not in (*MONOCHROME, *COLOUR):
        raise InputError(
            f"{header.name}: {tag('PhotometricInterpretation')} is {photometric!r}",
            expected=", ".join((*MONOCHROME, *COLOUR)),
            action="convert the object to one of these",
        )
    return photometric


def _syntax(header: Header) -> str:
    """Return the transfer syntax, refusing one that nothing here can decode."""
    from pydicom.pixels import get_decoder

    stated = header.syntax
    if not stated:
        little, implicit = header.dataset.original_encoding[::-1]
        return NATIVE[0] if implicit else NATIVE[1] if little else NATIVE[2]
    try:
        with quiet:
            decoder = get_decoder(uid(stated))
    except (NotImplementedError, ValueError):
        decoder = None
    if decoder is None or not decoder.is_available:
        known = uid(stated).name
        label = f"{stated} ({known})" if known != stated else repr(stated)
        raise InputError(
            f"{header.name}: transfer syntax {label} is not supported",
            expected="one of the transfer syntaxes that `spinelab doctor` lists",
            action="convert the object, for example to Explicit VR Little Endian",
        )
    return stated


def _check_bits(header: Header, found: Layout) -> None:
    fits = (
        found.bits_allocated in (8, 16, 32)
        and 1 <= found.bits_stored <= found.bits_allocated
        and found.bits_stored - 1 <= found.high_bit < found.bits_allocated
    )
    if not fits:
        raise InputError(
            f"{header.name}: BitsAllocated {found.bits_allocated}, BitsStored {found.bits_stored}, HighBit {found.high_bit}",
            expected="8, 16 or 32 bits allocated, with the stored bits inside them",
            action="export the object again; its header is damaged or it is not a picture",
        )


def _check_samples(header: Header, found: Layout) -> None:
    wanted = 1 if found.photometric in (*MONOCHROME, "PALETTE COLOR") else 3
    if found.samples != wanted:
        raise InputError(
            f"{header.name}: {tag('SamplesPerPixel')} is {found.samples} with {found.photometric}", expected=f"{wanted}", action="correct the header"
        )
