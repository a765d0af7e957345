"""Functional groups of enhanced multi-frame objects (PS3.3 C.7.6.16), seen as one plain header a frame."""

from __future__ import annotations

from typing import Final

from spinelab.io.dicom_header import Header

_MACROS: Final = ("PixelMeasuresSequence", "PlaneOrientationSequence", "PlanePositionSequence", "FrameVOILUTSequence")


def is_enhanced(header: Header) -> bool:
    """Tell whether the object keeps its geometry in functional groups."""
    return "SharedFunctionalGroupsSequence" in header.dataset or "PerFrameFunctionalGroupsSequence" in header.dataset


def macro(header: Header, index: int, keyword: str) -> Header | None:
    """Return the item of a functional group for a frame: its own, else the one that all frames share."""
    own = header.items("PerFrameFunctionalGroupsSequence")
    groups = ([own[index]] if index < len(own) else []) + header.items("SharedFunctionalGroupsSequence")[:1]
    for group in groups:
        items = group.items(keyword)
        if items:
            return items[0]
    return None


def frame(header: Header, index: int) -> Header:
    """Return the header of one frame: the functional groups' elements laid over those of the object."""
    if not is_enhanced(header):
        return header
    from pydicom import Dataset

    merged = Dataset()
    for keyword in ("PixelSpacing", "ImagerPixelSpacing", "ImageOrientationPatient", "ImagePositionPatient", "Modality", "FrameOfReferenceUID"):
        if keyword in header.dataset:
            merged[keyword] = header.dataset[keyword]
    for keyword in _MACROS:
        item = macro(header, index, keyword)
        if item is not None:
            merged.update(item.dataset)
    return Header(merged, header.name)
