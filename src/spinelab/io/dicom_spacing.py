"""Millimetres a pixel, and in which plane they hold: the patient's, the detector's, or not stated."""

from __future__ import annotations

from typing import Final

from spinelab.core import Fact, InputError, unknown
from spinelab.io.dicom_header import Header, tag
from spinelab.io.gate import check_spacing

PROJECTIONS: Final = ("CR", "DX", "DR", "RG", "RF", "XA", "MG", "IO", "PX")
_AT_DETECTOR: Final = "at the detector; magnification not stated, distances in the patient are smaller"
_MAGNIFICATION_LIMITS: Final = (0.98, 1.6)
"""Of a standing film, stated or as ImagerPixelSpacing in PixelSpacing: 1 if not corrected, up to 1.5 for a wide patient close to the tube."""
_SAME_MAGNIFICATION: Final = 0.05
"""Share by which a stated magnification may differ from the one that PixelSpacing is corrected for: it is an estimate, for one depth."""
_TELL_SPACING: Final = (
    "SequenceOfUltrasoundRegions",
    "Modality",
    "PixelSpacing",
    "ImagerPixelSpacing",
    "NominalScannedPixelSpacing",
    "PixelSpacingCalibrationType",
    "EstimatedRadiographicMagnificationFactor",
)
SLICES: Final = ("CT", "MR", "PT", "NM")
_CENTIMETRES: Final = 3
_TWO_DIMENSIONAL: Final = 1


def in_plane(header: Header) -> tuple[Fact, dict[str, Fact]]:
    """Return the spacing (row, column) in mm as a fact, and what is known of the magnification.

    A spacing that cannot be right is unknown, with the reason: a film without millimetres still has angles. Slices are refused, for their
    geometry is nothing without it.
    """
    return header.once("in plane", _TELL_SPACING, lambda: _in_plane(header))


def _in_plane(header: Header) -> tuple[Fact, dict[str, Fact]]:
    if header.items("SequenceOfUltrasoundRegions"):
        return _ultrasound(header), {}
    try:
        return _picture(header)
    except InputError as refusal:
        if header.text("Modality") in SLICES:
            raise
        return unknown(f"DICOM {refusal.given.removeprefix(f'{header.name}: ')}, expected {refusal.expected}: no spacing"), {}


def _picture(header: Header) -> tuple[Fact, dict[str, Fact]]:
    pixel, imager = _pair(header, "PixelSpacing"), _pair(header, "ImagerPixelSpacing")
    if imager is None and header.text("Modality") not in PROJECTIONS:
        return _plain(header, pixel), {}
    return _projection(header, pixel, imager)


def _projection(header: Header, pixel: tuple[float, ...] | None, imager: tuple[float, ...] | None) -> tuple[Fact, dict[str, Fact]]:
    """Choose between PixelSpacing and the detector's spacing (PS3.3 10.7.1.3): equal values without a calibration are the detector's."""
    calibration = header.text("PixelSpacingCalibrationType")
    if pixel is not None and imager is not None and (doubt := _contradiction(pixel, imager)):
        return unknown(doubt), {"magnification": _magnification(header)[0]}
    if pixel is not None and calibration:
        return Fact(pixel, f"DICOM {tag('PixelSpacing')}, calibrated: {calibration}"), {"magnification": unknown("already in PixelSpacing")}
    if pixel is not None and imager is not None and pixel != imager:
        return _corrected(header, pixel, imager)
    film = _pair(header, "NominalScannedPixelSpacing")
    stated = {"ImagerPixelSpacing": imager, "PixelSpacing": pixel, "NominalScannedPixelSpacing": film}
    keyword, pair = next(((name, value) for name, value in stated.items() if value is not None), ("", None))
    if pair is not None and keyword != "PixelSpacing" and not _placeholder(pair):
        return _from_detector(header, pair, keyword)
    if pair is None:
        spacing = unknown("DICOM PixelSpacing and ImagerPixelSpacing absent")
    elif _placeholder(pair):
        spacing = _not_a_size(keyword)
    else:
        spacing = Fact(pair, f"DICOM {tag('PixelSpacing')}; calibration not stated")
    return spacing, {"magnification": _magnification(header)[0]}


def _corrected(header: Header, pixel: tuple[float, ...], imager: tuple[float, ...]) -> tuple[Fact, dict[str, Fact]]:
    """Take PixelSpacing for corrected, unless a magnification is stated that is not the one it is corrected for."""
    fact, factor = _magnification(header)
    if factor is None:
        fact = unknown("already in PixelSpacing, not stated separately")
    else:
        fact = Fact(factor, f"{fact.source}, already in PixelSpacing")
        wrong = next((other / one for one, other in zip(pixel, imager, strict=True) if abs(other / one / factor - 1) > _SAME_MAGNIFICATION), None)
        if wrong is not None:
            name = tag("EstimatedRadiographicMagnificationFactor")
            doubt = f"PixelSpacing and ImagerPixelSpacing differ by a magnification of {wrong:.3g}, but {name} states {factor:.4g}: they contradict each other"
            return unknown(doubt), {"magnification": unknown(doubt)}
    return Fact(pixel, f"DICOM {tag('PixelSpacing')}, differs from ImagerPixelSpacing, so corrected for magnification"), {"magnification": fact}


def _contradiction(pixel: tuple[float, ...], imager: tuple[float, ...]) -> str:
    """Return why PixelSpacing and ImagerPixelSpacing (mm) cannot both be right; empty if they can."""
    low, high = _MAGNIFICATION_LIMITS
    wrong = next(((one, other) for one, other in zip(pixel, imager, strict=True) if not low <= other / one <= high), None)
    if wrong is None:
        return ""
    one, other = wrong
    return f"PixelSpacing {one:.3g} mm and ImagerPixelSpacing {other:.3g} mm contradict each other: no film magnifies by {other / one:.2f}"


def _pair(header: Header, keyword: str) -> tuple[float, ...] | None:
    values = header.numbers(keyword, 2)
    return None if values is None else check_spacing(header.name, tag(keyword), values)


def _placeholder(pair: tuple[float, ...]) -> bool:
    return set(pair) == {1.0}


def _not_a_size(keyword: str) -> Fact:
    return unknown(f"DICOM {tag(keyword)} is exactly 1 mm, a placeholder that says nothing of the size")


def _plain(header: Header, pixel: tuple[float, ...] | None) -> Fact:
    if pixel is None:
        return unknown("DICOM PixelSpacing absent")
    if header.text("Modality") not in SLICES and _placeholder(pixel):
        return _not_a_size("PixelSpacing")
    return Fact(pixel, f"DICOM {tag('PixelSpacing')}")


def _magnification(header: Header) -> tuple[Fact, float | None]:
    keyword = "EstimatedRadiographicMagnificationFactor"
    values = header.numbers(keyword)
    if values is None:
        return unknown(f"DICOM {tag(keyword)} absent"), None
    low, high = _MAGNIFICATION_LIMITS
    if not low <= values[0] <= high:
        raise header.refusal(keyword, f"a finite factor between {low:g} and {high:g}")
    return Fact(values[0], f"DICOM {tag(keyword)}"), values[0]


def _from_detector(header: Header, pair: tuple[float, ...], keyword: str) -> tuple[Fact, dict[str, Fact]]:
    """Divide a detector-plane spacing by the stated magnification; without one say where it holds."""
    fact, factor = _magnification(header)
    if factor is None:
        return Fact(pair, f"DICOM {tag(keyword)} {_AT_DETECTOR}"), {"magnification": fact}
    source = f"DICOM {tag(keyword)} divided by {tag('EstimatedRadiographicMagnificationFactor')} {factor:g}"
    return Fact(tuple(value / factor for value in pair), source), {"magnification": fact}


def _ultrasound(header: Header) -> Fact:
    """Return the spacing that all two-dimensional regions agree on (PS3.3 C.8.5.5)."""
    found = set()
    for region in header.items("SequenceOfUltrasoundRegions"):
        units = region.integer("PhysicalUnitsXDirection"), region.integer("PhysicalUnitsYDirection")
        if region.integer("RegionSpatialFormat") not in (None, _TWO_DIMENSIONAL) or units != (_CENTIMETRES, _CENTIMETRES):
            continue
        deltas = region.numbers("PhysicalDeltaY", 1), region.numbers("PhysicalDeltaX", 1)
        if deltas[0] is None or deltas[1] is None:
            raise InputError(f"{header.name}: an ultrasound region in cm without PhysicalDelta", expected="PhysicalDeltaX and Y", action="correct the header")
        millimetres = (abs(deltas[0][0]) * 10, abs(deltas[1][0]) * 10)
        found.add(check_spacing(header.name, f"{tag('PhysicalDeltaY')} and X, in mm", millimetres))
    if len(found) > 1:
        return unknown(f"DICOM SequenceOfUltrasoundRegions: {len(found)} regions of different scale")
    if found:
        return Fact(found.pop(), f"DICOM {tag('SequenceOfUltrasoundRegions')}, PhysicalDeltaY and PhysicalDeltaX")
    pixel = _pair(header, "PixelSpacing")
    return _plain(header, pixel) if pixel is not None else unknown("DICOM SequenceOfUltrasoundRegions has no two-dimensional region in cm")
