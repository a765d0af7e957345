"""One DICOM file to an image: plane, cine loop or enhanced stack."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spinelab.core import Fact, Image, InputError, unknown
from spinelab.io.dicom_facts import image_facts, view
from spinelab.io.dicom_frames import frame, is_enhanced
from spinelab.io.dicom_geometry import SAME_DIRECTION, SAME_POSITION_MM, Stack, orientation, plane_affine, position, stack
from spinelab.io.dicom_header import Header, open_header, tag, uid
from spinelab.io.dicom_layout import MONOCHROME, Layout, layout
from spinelab.io.dicom_pixels import Meaning, meaning, read_values
from spinelab.io.dicom_spacing import in_plane
from spinelab.io.gate import decoding

NOT_PICTURES: Final = ("SR", "KO", "PR", "SEG", "RTSTRUCT", "RTPLAN", "RTDOSE", "DOC", "REG", "ECG", "AU", "PLAN", "FID", "SMR")
NO_PIXELS: Final = "a header without pixels"
"""How the description of an image ends of which there is nothing but the header."""
_TELL_DISPLAY: Final = ("WindowCenter", "WindowWidth", "VOILUTFunction", "VOILUTSequence")


def not_a_picture(header: Header) -> str | None:
    """Say what an object without a picture is (report, key objects, presentation state, segmentation ...), else ``None``."""
    modality = header.text("Modality")
    described = header.value("Rows") is not None or header.value("PixelData") is not None or header.value("BitsAllocated") is not None
    if described and modality not in NOT_PICTURES:
        return None
    kind = header.text("SOPClassUID") or ""
    if not kind and not modality and "DirectoryRecordSequence" not in header.dataset:
        return "DICOM object without a picture"
    if "DirectoryRecordSequence" in header.dataset:
        return "DICOMDIR (table of contents)"
    what = str(uid(kind).name) if kind else f"DICOM object of modality {modality}"
    return f"{what}, {NO_PIXELS}" if what.endswith("Image Storage") and not described else what


def read_dicom(path: Path, name: str) -> tuple[Image, Header]:
    """Read one file; raises `InputError` for an object that holds no picture."""
    header = open_header(path, name)
    kind = not_a_picture(header)
    if kind is not None:
        raise InputError(f"{name} is a {kind}: it holds no picture", expected="a DICOM image", action="give the images of the study instead")
    return image(header), header


@dataclass(frozen=True, eq=False)
class Described:
    """An object as its header describes it, before a pixel is decoded; ``first`` is its first frame, ``meant`` what its stored values mean."""

    header: Header
    first: Header
    layout: Layout
    meant: Meaning
    stacked: Stack | None
    spacing_mm: Fact
    view: Fact
    window: tuple[float, float] | None
    facts: dict[str, Fact]

    def decoded(self) -> tuple[NDArray[Any], str]:
        """Read and decode the pixels; returns them and the names of their axes."""
        return _arranged(read_values(self.header, self.layout, self.meant), self.layout, self.stacked)

    def is_cut_off(self) -> bool:
        """Return whether the file ends before its pixels do, as far as its length tells: that of compressed ones tells nothing."""
        if self.header.pixels_at is None:
            return "PixelData" not in self.header.dataset
        path, position = self.header.pixels_at
        return self.layout.native and path.stat().st_size < position + self.layout.frame_bytes * self.layout.frames

    def image(self) -> Image:
        """Return the image of the object."""
        pixels, axes = self.decoded()
        return Image(
            pixels=pixels,
            axes=axes,
            spacing_mm=self.spacing_mm,
            affine=self.stacked.affine if self.stacked else _affine(self.layout, self.first, self.spacing_mm),
            modality=self.header.fact("Modality"),
            view=self.view,
            unit=self.meant.unit,
            window=self.window,
            facts=self.facts,
            source=self.header.name,
        )


def image(header: Header) -> Image:
    """Return the image of one object."""
    return described(header).image()


def described(header: Header) -> Described:
    """Return what the header of one object says of its picture; raises `InputError` for what cannot be right."""
    found = layout(header)
    first = frame(header, 0)
    top = _with_top(header, first)
    spacing, facts = in_plane(top)
    stacked = _enhanced_stack(header, found, spacing)
    meant = meaning(header, found)
    window, display = display_facts(header, first, found, meant)
    notes = {"notes": Fact(stacked.notes, "reader")} if stacked and stacked.notes else {}
    return Described(
        header,
        first,
        found,
        meant,
        stacked,
        stacked.spacing_mm if stacked else spacing,
        view(top),
        window,
        {**image_facts(header), **origin_facts(header, found, meant), **facts, **(stacked.facts if stacked else {}), **display, **notes},
    )


def _with_top(header: Header, first: Header) -> Header:
    """Return the object's header with the first frame's geometry laid over it."""
    if first is header:
        return header
    from pydicom import Dataset

    merged = Dataset()
    merged.update({element.tag: element for element in header.dataset if element.keyword not in ("PixelData", "PerFrameFunctionalGroupsSequence")})
    merged.update(first.dataset)
    return Header(merged, header.name)


def _affine(found: Layout, first: Header, spacing: Fact) -> Fact:
    return plane_affine(first, spacing) if found.frames == 1 else unknown("frames in time: only single planes and stacks of slices have an affine")


def _arranged(pixels: Any, found: Layout, stacked: Stack | None) -> tuple[Any, str]:
    """Drop the frame axis of a single frame, put slices in order, and name the axes."""
    colour = "C" if pixels.ndim == 4 else ""
    if found.frames == 1:
        return pixels[0], f"YX{colour}"
    if stacked is None:
        return pixels, f"TYX{colour}"
    order = list(stacked.order)
    return (pixels if order == sorted(order) else pixels[order]), "ZYX"


def _enhanced_stack(header: Header, found: Layout, spacing: Fact) -> Stack | None:
    """Return the order and geometry of an enhanced object's slices; ``None`` if its frames are not slices."""
    if found.frames == 1 or found.samples != 1 or not is_enhanced(header):
        return None
    frames = [frame(header, index) for index in range(found.frames)]
    origins = [position(item) for item in frames]
    directions = [orientation(item) for item in frames]
    if any(item is None for item in (*origins, *directions)):
        return None
    if np.ptp(np.array(origins), axis=0).max() < SAME_POSITION_MM:
        return None
    if max(np.abs(np.array(directions) - directions[0]).max(), 0.0) > SAME_DIRECTION:
        raise InputError(
            f"{header.name}: its {found.frames} frames have different orientations", expected="slices of one orientation", action="split the object by stack"
        )
    return stack(header.name, np.array(directions[0]), np.array(origins), spacing)


def origin_facts(header: Header, found: Layout, meant: Meaning) -> dict[str, Fact]:
    """Return how the pixels were stored and what the reader does to them."""
    return header.once(("origin", found, meant, bool(header.syntax)), (), lambda: _origin_facts(header, found, meant))


def _origin_facts(header: Header, found: Layout, meant: Meaning) -> dict[str, Fact]:
    source = f"DICOM {tag('PhotometricInterpretation')}"
    if meant.mirror is not None:
        source += f"; inverted by the reader so that larger is brighter: value = {meant.mirror:g} - stored value after rescale"
    if found.photometric not in ("RGB", "MONOCHROME1", "MONOCHROME2"):
        source += "; converted to RGB by the reader"
    if meant.padding is not None:
        source += f"; {tag('PixelPaddingValue')} {meant.padding[0]:g} to {meant.padding[1]:g} made as dark as the darkest pixel by the reader"
    stated = bool(header.syntax)
    syntax = Fact(found.syntax, f"DICOM {tag('TransferSyntaxUID')}" if stated else "no file meta information: found from the data")
    return {
        "PhotometricInterpretation": Fact(found.photometric, source),
        "BitsStored": Fact(found.bits_stored, f"DICOM {tag('BitsStored')}"),
        "TransferSyntaxUID": syntax,
    }


def display_facts(header: Header, first: Header, found: Layout, meant: Meaning) -> tuple[tuple[float, float] | None, dict[str, Fact]]:
    """Return the window (first of several) and the VOI look-up table, both for the values as they are when decoded."""
    if found.photometric not in MONOCHROME:
        return None, {}
    if first is not header:
        return _display_facts(header, first, meant)
    return header.once(("display", meant), _TELL_DISPLAY, lambda: _display_facts(header, header, meant))


def _display_facts(header: Header, first: Header, meant: Meaning) -> tuple[tuple[float, float] | None, dict[str, Fact]]:
    where = first if first.value("WindowCenter") is not None else header
    function = where.text("VOILUTFunction") or "LINEAR"
    facts: dict[str, Fact] = {}
    tables = (first.items("VOILUTSequence") or header.items("VOILUTSequence"))[:1]
    if tables:
        facts["VOILUT"] = Fact(_table(tables[0], meant.mirror), f"DICOM {tag('VOILUTSequence')}, first item")
    centres, widths = where.numbers("WindowCenter"), where.numbers("WindowWidth")
    if centres is None or widths is None:
        return None, facts
    facts["VOILUTFunction"] = Fact(function, f"DICOM {tag('VOILUTFunction')}" if where.text("VOILUTFunction") else "not stated: LINEAR by PS3.3 C.11.2")
    facts["windows"] = Fact(tuple(zip(centres, widths, strict=False)), f"DICOM {tag('WindowCenter')} and {tag('WindowWidth')}, as stored")
    centre, width = centres[0], widths[0]
    smallest = 1.0 if function == "LINEAR" else 0.0
    if not (math.isfinite(centre) and math.isfinite(width)) or width < smallest or width == 0:
        facts["windows"] = unknown(f"DICOM {tag('WindowWidth')} {width:g} at centre {centre:g} is no window for {function}")
        return None, facts
    return (_mirrored_centre(centre, function, meant.mirror), width), facts


def _mirrored_centre(centre: float, function: str, mirror: float | None) -> float:
    """Move a window's centre with the inversion; LINEAR is centred on ``c - 0.5`` (PS3.3 C.11.2.1.2.1), hence the 1."""
    if mirror is None:
        return centre
    return mirror - centre + (1 if function == "LINEAR" else 0)


def _table(item: Header, mirror: float | None) -> dict[str, Any]:
    """Return a VOI look-up table: entries, the value of the first entry, the bits of an entry, and the inversion."""
    descriptor = item.numbers("LUTDescriptor", 3)
    with decoding("pydicom", f"{item.name}: {tag('LUTData')}", expected="16-bit entries", action="export the object again"):
        raw = item.dataset["LUTData"].value
        entries = np.frombuffer(raw, "<u2") if isinstance(raw, bytes) else np.asarray(raw, dtype=np.uint16).reshape(-1)
    if descriptor is None or entries.size == 0:
        raise InputError(f"{item.name}: VOILUTSequence without a table", expected="LUTDescriptor and LUTData", action="correct the header")
    count, first, bits = (int(value) for value in descriptor)
    count = count or 2**16
    if count == 2 * entries.size:
        entries = np.frombuffer(entries.tobytes(), np.uint8).astype(np.uint16)
    if entries.size < count:
        raise InputError(f"{item.name}: VOI table of {entries.size} entries", expected=f"{count}, as LUTDescriptor states", action="correct the header")
    return {"entries": entries[:count].copy(), "first": first, "bits": bits, "mirror": mirror}
