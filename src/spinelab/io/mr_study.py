"""All MR series of one examination, however its files lie: a folder a series, all in one, or in an archive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from spinelab.core import Fact, InputError, noted, plural
from spinelab.io.dicom import NO_PIXELS
from spinelab.io.dicom_facts import Patient, study_facts
from spinelab.io.mr_slices import MrSeries, series_of
from spinelab.io.series import Found, Slice, folders_joined, look_through, one_patient, without_copies


@dataclass(frozen=True, eq=False)
class MrStudy:
    """Series by name, in the order of their numbers, and in ``left_out`` which could not be used and why; pixels are decoded when they are asked for.

    A series is called as its folder where it has one to itself, else by its SeriesInstanceUID.
    """

    series: Mapping[str, MrSeries]
    patient: Patient
    facts: Mapping[str, Fact]
    notes: tuple[str, ...]
    left_out: tuple[str, ...] = ()


def read_mr_study(folder: Path, name: str, files: Sequence[Path] | None = None) -> MrStudy:
    """Read the headers of one patient's examination below a folder; ``files`` are those that belong to it, all by default.

    Raises
    ------
    InputError
        Files that cannot be read, files of several patients, or no DICOM picture at all.
    """
    found = _with_pixels(look_through(folder, name, files))
    if not found.slices:
        raise _without_dicom(found, name)
    who = one_patient([item.header for item in found.slices], name)
    series: dict[str, MrSeries] = {}
    notes = [*_unusable(found), *folders_joined(found.slices)]
    left_out: list[str] = []
    for label, members in _by_series(found.slices, folder).items():
        kept, told = without_copies(members)
        try:
            series[label] = series_of(f"{name}/{label}", [(item.path, item.header) for item in kept], numbered=False)
        except InputError as error:
            notes.append(f"series {label} was left out: {error}")
            left_out.append(why_left_out(label, error))
        else:
            notes += [f"series {label}: {note}" for note in told]
    return MrStudy(series, who, study_facts(found.slices[0].header), tuple(notes), tuple(left_out))


def _with_pixels(found: Found) -> Found:
    """Leave out slices of which there is nothing but the header."""
    empty = tuple(f"{item.header.name}: {NO_PIXELS}" for item in found.slices if item.header.pixels_at is None)
    return replace(found, slices=tuple(item for item in found.slices if item.header.pixels_at is not None), left_out=(*found.left_out, *empty))


def _unusable(found: Found) -> list[str]:
    """Return notes on headers without pixels and on files that are called like DICOM and are none; none for none."""
    empty = [text for text in found.left_out if text.endswith(NO_PIXELS)]
    broken = [text for text in found.left_out if text not in empty and text.rpartition(": ")[0].lower().endswith(".dcm")]
    names = [text.rpartition(": ")[0] for text in empty]
    notes = noted(names, "[slice is a header without pixels and was|slices are headers without pixels and were] left out")
    return notes + noted(broken, "[file called .dcm could not be read and was|files called .dcm could not be read and were] left out")


def why_left_out(label: str, error: InputError) -> str:
    """Return in short why a series could not be used; what was expected and what to do stand in the notes."""
    return f"series {label} was left out: {error.given.rstrip('. ')}"


def _without_dicom(found: Found, name: str) -> InputError:
    """Return the refusal of a folder without DICOM, which says what it holds instead."""
    expected = "the DICOM series of one examination"
    if found.pictures:
        what = f"{name} holds no DICOM slice, but {plural(len(found.pictures), 'other picture')} such as {found.pictures[0][1]}"
        return InputError(what, expected=expected, action="give the DICOM files that they were made from, or one of these files by itself")
    detail = f" ({'; '.join(found.left_out[:3])})" if found.left_out else ""
    return InputError(f"{name} holds no DICOM slice{detail}", expected=expected, action="check the path")


def _by_series(slices: Sequence[Slice], folder: Path) -> dict[str, list[Slice]]:
    """Group files by SeriesInstanceUID, by folder where it is absent."""
    groups: dict[str, list[Slice]] = {}
    for item in slices:
        groups.setdefault(item.header.text("SeriesInstanceUID") or str(item.path.parent), []).append(item)
    ordered = sorted(groups.items(), key=lambda group: (group[1][0].header.integer("SeriesNumber") or 0, group[0]))
    inside = {uid: {item.path.parent for item in members} for uid, members in ordered}
    named = {}
    for uid, members in ordered:
        alone = len(inside[uid]) == 1 and inside[uid] != {folder} and sum(bool(inside[uid] & other) for other in inside.values()) == 1
        named[next(iter(inside[uid])).relative_to(folder).as_posix() if alone else uid] = members
    return named
