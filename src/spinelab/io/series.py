"""A folder to a study: every DICOM series one image, other pictures beside it, and a list of what was not read."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from spinelab.core import Fact, Image, InputError, Study, counted, unknown
from spinelab.io.dicom import Described, described, image, not_a_picture
from spinelab.io.dicom_facts import Patient, patient, study_facts
from spinelab.io.dicom_geometry import SAME_DIRECTION, Stack, orientation, position, repeated, stack
from spinelab.io.dicom_header import Header, Made, header_of, tag
from spinelab.io.dicom_spacing import PROJECTIONS
from spinelab.io.gate import MAX_FILES, check_size
from spinelab.io.sniff import kind_and_head

MAX_PICTURES: Final = 32
"""Pictures other than DICOM in one examination; more are a data set."""

_ALONE: Final = (*PROJECTIONS, "US", "IVUS", "ES", "XC", "SM", "OP", "SC", "OT")
_SLICE: Final = ("SeriesInstanceUID", "InstanceNumber", "ImagePositionPatient", "ImageOrientationPatient")
_FOLDERS_SHOWN: Final = 6
_TELL_APART: Final = (
    "EchoNumbers",
    "EchoTime",
    "TemporalPositionIdentifier",
    "DiffusionBValue",
    "AcquisitionNumber",
    "ImageType",
    "ContentTime",
    "AcquisitionTime",
    "InversionTime",
)


@dataclass(frozen=True, eq=False)
class Slice:
    """One DICOM file of a folder, known by its header alone."""

    path: Path
    header: Header

    @property
    def place(self) -> Any:
        return position(self.header)


@dataclass(frozen=True, eq=False)
class Found:
    """What a folder holds: DICOM images, other pictures with the names to show, and what was left out and why."""

    slices: tuple[Slice, ...]
    pictures: tuple[tuple[Path, str], ...]
    left_out: tuple[str, ...]


def read_folder(folder: Path, name: str) -> Study:
    """Read all images below a folder as one examination of one patient."""
    found = look_through(folder, name)
    if not found.slices and not found.pictures:
        detail = f": {'; '.join(found.left_out[:3])}" if found.left_out else ""
        raise InputError(f"{name} holds no image{detail}", expected="DICOM, NIfTI, JPG, PNG or TIFF files", action="check the path")
    if len(found.pictures) > MAX_PICTURES:
        raise InputError(
            f"{name} holds {len(found.pictures)} pictures: that is a data set, not one examination",
            expected=f"one patient's examination (at most {MAX_PICTURES} pictures besides DICOM)",
            action="give one examination's folder, or use the folder as the data of `fit`, `compare` or `evaluate`",
        )
    who = one_patient([s.header for s in found.slices], name)
    images: list[Image] = []
    notes: list[str] = []
    for group in _groups(found.slices):
        read, told = _read_group(group)
        images += read
        notes += told
    from spinelab.io.read import read_picture

    images += [read_picture(path, shown) for path, shown in found.pictures]
    notes += [note for item in images if "notes" in item.facts for note in item.facts["notes"].value]
    facts = study_facts(found.slices[0].header) if found.slices else {}
    if notes:
        facts["notes"] = Fact(tuple(dict.fromkeys(notes)), "reader")
    if found.left_out:
        facts["not_read"] = Fact(found.left_out, "files in the folder that hold no picture this reader knows")
    return Study(id=folder.name or name, images=tuple(images), patient=who.patient, sex=who.sex, age_years=who.age_years, facts=facts)


def look_through(folder: Path, name: str, files: Sequence[Path] | None = None) -> Found:
    """Sort a folder's files, or some of them, into DICOM images, other pictures, and what is left out; no pixel is read."""
    slices, pictures, left_out = [], [], []
    made: Made = {}
    for path in _files(folder, name) if files is None else files:
        shown = f"{name}/{path.relative_to(folder).as_posix()}"
        kind, head = kind_and_head(path, shown) if path.is_file() else ("", b"")
        if kind == "dicom":
            header = header_of(head, path, shown, made)
            what = not_a_picture(header)
            if what is None:
                slices.append(Slice(path, header))
            else:
                left_out.append(f"{shown}: {what}")
        elif kind in ("picture", "tiff", "nifti"):
            pictures.append((path, shown))
        else:
            reason = "zip archive" if kind == "zip" else "not an image" if head else "empty or missing"
            left_out.append(f"{shown}: {reason}")
    return Found(tuple(slices), tuple(pictures), tuple(left_out))


def _files(folder: Path, name: str) -> list[Path]:
    """Return the files below a folder, hidden ones apart, in a stable order."""

    def refuse(error: OSError) -> None:
        raise InputError(f"{name}: {error.strerror or error}", expected="a folder that can be read", action="check its permissions") from error

    found: list[Path] = []
    for root, folders, files in os.walk(folder, onerror=refuse):
        folders[:] = sorted(f for f in folders if not f.startswith(".") and f != "__MACOSX")
        found += [Path(root) / file for file in sorted(files) if not file.startswith(".")]
        if len(found) > MAX_FILES:
            raise InputError(f"{name} holds more than {MAX_FILES:,} files", expected="one examination", action="give the folder of one patient's examination")
    return found


def one_patient(headers: Sequence[Header], name: str) -> Patient:
    """Return the facts that all objects agree on; two patients are refused, two sexes or ages are unknown."""
    if not headers:
        reason = unknown("only DICOM states the patient")
        return Patient(reason, reason, reason)
    all_of_them = [patient(header) for header in headers]
    named = {p.patient.value: header.name for p, header in zip(all_of_them, headers, strict=True) if p.patient.known}
    if len(named) > 1:
        shown = ", ".join(sorted(map(repr, named))[:5])
        raise InputError(
            f"{name} holds {len(named)} patients ({tag('PatientID')} {shown}): that is a data set, not one examination",
            expected="the files of one patient",
            action="give one patient's folder, or use the folder as the data of `fit`, `compare` or `evaluate`",
        )
    first = next((p for p in all_of_them if p.patient.known), all_of_them[0])
    return Patient(first.patient, _agreed([p.sex for p in all_of_them]), _agreed([p.age_years for p in all_of_them]))


def _agreed(facts: Sequence[Fact]) -> Fact:
    known = [fact for fact in facts if fact.known]
    values = dict.fromkeys(fact.value for fact in known)
    if len(values) > 1:
        return unknown(f"{known[0].source.split(' = ')[0]}: the files disagree ({', '.join(map(str, values))})")
    return known[0] if known else facts[0]


def _groups(slices: Sequence[Slice]) -> list[list[Slice]]:
    """Split objects into series, and series into stacks of one size, spacing and orientation."""
    by_series: dict[tuple[Any, ...], list[Slice]] = {}
    for item in slices:
        header = item.header
        key = (
            header.text("SeriesInstanceUID") or str(item.path.parent),
            header.text("Rows"),
            header.text("Columns"),
            header.text("PixelSpacing"),
            header.text("SamplesPerPixel"),
        )
        by_series.setdefault(key, []).append(item)
    return [group for series in by_series.values() for group in _by_orientation(series)]


def _by_orientation(series: Sequence[Slice]) -> list[list[Slice]]:
    groups: list[tuple[Any, list[Slice]]] = []
    for item in series:
        directions = orientation(item.header)
        for known, members in groups:
            same = directions is None and known is None
            if same or (directions is not None and known is not None and np.abs(directions - known).max() <= SAME_DIRECTION):
                members.append(item)
                break
        else:
            groups.append((directions, [item]))
    return [members for _, members in groups]


def _read_group(group: list[Slice]) -> tuple[list[Image], list[str]]:
    """Read one stack as a volume, or each of its files as a picture of its own."""
    alone = [
        s for s in group if (s.header.integer("NumberOfFrames") or 1) > 1 or s.header.text("Modality") in _ALONE or s.header.integer("SamplesPerPixel") == 3
    ]
    images = [image(s.header) for s in alone]
    slices, notes = without_copies([s for s in group if s not in alone])
    for part, told in _without_repeats(slices):
        images.append(_volume(part))
        notes += told
    return images, notes


def without_copies(slices: Sequence[Slice]) -> tuple[list[Slice], list[str]]:
    """Drop files of one series that hold an object for the second time, and a series' slices that lie in another folder as well under new UIDs."""
    objects: dict[str, Slice] = {}
    for item in slices:
        objects.setdefault(item.header.text("SOPInstanceUID") or str(item.path), item)
    folders: dict[Any, Path] = {}
    left = [item for item in objects.values() if folders.setdefault(_acquired(item), item.path.parent) == item.path.parent]
    told = [
        (len(slices) - len(objects), "[file holds|files hold] an object that was already read (same SOPInstanceUID) and [was|were] left out"),
        (
            len(objects) - len(left),
            "[file holds|files hold] a slice that was already read from another folder (same series, number and place) and [was|were] left out",
        ),
    ]
    return left, [counted(count, what) for count, what in told if count]


def _acquired(item: Slice) -> tuple[str | None, ...] | Path:
    """Return what is the same in a copy of a slice under another UID; the file itself where the header does not tell a slice from its neighbours."""
    place = [item.header.text(keyword) for keyword in _SLICE]
    return item.path if None in place else (*place, *(item.header.text(keyword) for keyword in _TELL_APART))


def folders_joined(slices: Sequence[Slice]) -> list[str]:
    """Return a sentence on the folders whose files are read as one examination; none for one folder."""
    folders = sorted({item.path.parent for item in slices})
    if len(folders) < 2:
        return []
    above = Path(os.path.commonpath(folders))
    names = [folder.relative_to(above).as_posix() for folder in folders]
    shown = ", ".join(name if name != "." else "the files above them" for name in names[:_FOLDERS_SHOWN])
    more = f" and {len(names) - _FOLDERS_SHOWN} more" if len(names) > _FOLDERS_SHOWN else ""
    studies = {item.header.text("StudyInstanceUID") for item in slices}
    why = "their files state the same study (StudyInstanceUID)" if len(studies) == 1 and None not in studies else "they were given as one examination"
    return [f"{len(folders)} folders were read as one examination, for {why}: {shown}{more}"]


def _without_repeats(slices: list[Slice]) -> list[tuple[list[Slice], list[str]]]:
    """Split a group with several slices at one place by the first attribute that tells them apart (echo, time, ...)."""
    pairs = _repeats(slices)
    if not pairs:
        return [(slices, [])] if slices else []
    for keyword in _TELL_APART:
        parts: dict[str | None, list[Slice]] = {}
        for item in slices:
            parts.setdefault(item.header.text(keyword), []).append(item)
        if 1 < len(parts) < len(slices) and not any(_repeats(part) for part in parts.values()):
            told = f"{slices[0].header.name}: the series holds {len(parts)} stacks at the same positions, told apart by {tag(keyword)}"
            return [(part, [told]) for part in parts.values()]
    first, second = (slices[index].header.name for index in pairs[0])
    raise InputError(
        f"{first} and {second} lie at the same position of one series",
        expected="one slice a position, or echo, time or acquisition numbers that tell the stacks apart",
        action="remove one of the two, or export the series again",
    )


def _repeats(slices: Sequence[Slice]) -> list[tuple[int, int]]:
    places = [item.place for item in slices]
    directions = orientation(slices[0].header) if slices else None
    if len(slices) < 2 or directions is None or any(place is None for place in places):
        return []
    return repeated(directions, np.array(places))


def _volume(slices: list[Slice]) -> Image:
    """Stack slices by position along their normal; their names and numbers play no part."""
    first = slices[0].header
    if len(slices) == 1:
        return image(first)
    directions, places = orientation(first), [item.place for item in slices]
    if directions is None or any(place is None for place in places):
        absent = tag("ImageOrientationPatient" if directions is None else "ImagePositionPatient")
        raise InputError(
            f"{first.name} and {len(slices) - 1} more of its series have no {absent}: their order is not stated",
            expected="a position and an orientation in every slice",
            action="export the series again, or read its files one at a time",
        )
    check_size(first.name, Rows=first.integer("Rows") or 0, Columns=first.integer("Columns") or 0, slices=len(slices))
    from spinelab.io.dicom_spacing import in_plane

    name = str(Path(first.name).parent) if len({s.path.parent for s in slices}) == 1 else first.name
    label = f"{name} (series {first.text('SeriesNumber') or first.text('SeriesDescription') or 'without number'})"
    stacked = stack(label, directions, np.array(places), in_plane(first)[0])
    return _joined([described(slices[index].header) for index in stacked.order], stacked, label)


def _joined(planes: Sequence[Described], stacked: Stack, label: str) -> Image:
    """Make one image of planes in order; facts that vary from slice to slice are left out."""
    units = Counter(plane.meant.unit for plane in planes)
    if len(units) > 1:
        raise InputError(f"{label}: slices in {', '.join(map(str, units))}", expected="one unit in a series", action="export the series again")
    first = planes[0]
    common = {key: fact for key, fact in first.facts.items() if all(_same(plane.facts.get(key), fact) for plane in planes)}
    notes = {"notes": Fact(stacked.notes, "reader")} if stacked.notes else {}
    return Image(
        pixels=np.stack([plane.decoded()[0] for plane in planes]),
        axes="ZYX",
        spacing_mm=stacked.spacing_mm,
        affine=stacked.affine,
        modality=first.header.fact("Modality"),
        view=first.view,
        unit=first.meant.unit,
        window=first.window,
        facts={**common, **stacked.facts, **notes},
        source=label,
    )


def _same(one: Fact | None, other: Fact) -> bool:
    if one is other:
        return True
    if one is None or one.source != other.source:
        return False
    if isinstance(other.value, dict):
        return all(np.array_equal(one.value[key], other.value[key]) for key in other.value)
    return bool(one.value == other.value)
