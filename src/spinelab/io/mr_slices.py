"""An MR series as its slices: sorted by where they lie and not by file name, each with its own place in the patient.

Axial series of the lumbar spine often are several small stacks, each parallel to its disc, and then have no single affine; this reader keeps every
slice's own, and the instance number by which tables of coordinates name it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spinelab.core import Fact, Image, InputError, plural, unknown
from spinelab.geometry.planes import plane_of, unit_normal
from spinelab.io.dicom import described, not_a_picture
from spinelab.io.dicom_geometry import orientation, plane_affine, position
from spinelab.io.dicom_header import Header, Made, header_of, tag
from spinelab.io.dicom_spacing import in_plane
from spinelab.io.mr_image import SlicesImage, alike, common_facts
from spinelab.io.mr_series import SeriesKind, series_kind
from spinelab.io.sniff import kind_and_head

ONE_BLOCK_DEG: Final = 1.0
"""Slices whose normals differ by less belong to one stack."""
ONE_SERIES_DEG: Final = 75.0
"""Stacks of one series may lean against each other as discs do; beyond this they are two planes."""
SAME_PLACE_MM: Final = 0.01
STACK_GAP: Final = 3.5
"""Where axial slices follow the discs, parallel ones that lie more than this many slice distances apart belong to two discs; nearer, slices are missing."""
_TOLD: Final = 3
STRAY_SHARE: Final = 0.25
"""At most this share of a series' slices is left out for another plane or size; beyond it the series is refused."""


@dataclass(frozen=True, eq=False)
class MrSlice:
    """One slice: its file and header, the number by which tables name it, and its 4x4 affine whose third column is the unit normal."""

    path: Path
    header: Header
    instance: int
    affine: NDArray[np.float64]
    shape_yx: tuple[int, int]


@dataclass(frozen=True, eq=False)
class MrSeries:
    """Slices in order along their normal.

    Parameters
    ----------
    blocks
        Places of the slices of each stack of parallel slices, in order.
    kind
        Plane and weighting, with the reason.
    frame_of_reference
        FrameOfReferenceUID, ``None`` where not stated.
    notes
        What a reader should know: slices that were left out or seem to be missing, several at one place, a single one.
    """

    name: str
    slices: tuple[MrSlice, ...]
    blocks: tuple[tuple[int, ...], ...]
    kind: SeriesKind
    frame_of_reference: str | None
    notes: tuple[str, ...] = ()

    @cached_property
    def affines(self) -> NDArray[np.float64]:
        """(n, 4, 4)."""
        return np.stack([item.affine for item in self.slices])

    @property
    def shape_yx(self) -> tuple[int, int]:
        return self.slices[0].shape_yx

    def image(self, extra: Mapping[str, Fact] | None = None, *, at_once: bool = True) -> Image:
        """Return all slices as one image (slice, row, column); ``extra`` are further facts.

        Its ``affine`` is known where the series is one even stack; ``slice_affines`` (n, 4, 4) and ``instance_numbers`` are among its facts always.
        ``at_once=False`` leaves the pixels of slices unread until they are asked for, so the files have to stay where they are; one that was cut off is
        refused all the same.
        """
        slices = [described(item.header) for item in self.slices]
        first = slices[0]
        affine, spacing = self._stack_geometry(first.spacing_mm)
        fields: dict[str, Any] = {
            "axes": "ZYX",
            "spacing_mm": spacing,
            "affine": affine,
            "modality": first.header.fact("Modality"),
            "view": self.kind.plane,
            "unit": first.meant.unit,
            "window": first.window,
            "facts": {**common_facts(slices), **self._own_facts(), **(extra or {})},
            "source": self.name,
        }
        if not at_once and alike(slices):
            return SlicesImage.of(slices, fields)
        return Image(np.stack([item.decoded()[0] for item in slices]), **fields)

    def _own_facts(self) -> dict[str, Fact]:
        """Return the places and numbers of the slices, and what a reader should know."""
        facts = {
            "slice_affines": Fact(self.affines, f"DICOM {tag('ImageOrientationPatient')} and {tag('ImagePositionPatient')} of every slice"),
            "instance_numbers": Fact(tuple(item.instance for item in self.slices), "file name, or DICOM InstanceNumber (0020,0013)"),
        }
        return facts | ({"notes": Fact(self.notes, "reader")} if self.notes else {})

    def _stack_geometry(self, spacing: Fact) -> tuple[Fact, Fact]:
        """Return the affine and the spacing of the whole stack, unknown where it is not one even stack."""
        origins = self.affines[:, :3, 3]
        if len(self.slices) == 1:
            reason = unknown("a single slice has no spacing between slices")
            return Fact(self.affines[0], f"DICOM {tag('ImageOrientationPatient')}, a single slice; its third column is the unit normal"), reason
        steps = np.diff(origins, axis=0)
        even = len(self.blocks) == 1 and float(np.abs(steps - steps.mean(axis=0)).max()) <= max(0.02 * float(np.linalg.norm(steps.mean(axis=0))), SAME_PLACE_MM)
        if not even or not spacing.known or float(np.linalg.norm(steps.mean(axis=0))) < SAME_PLACE_MM:
            reason = unknown(f"{plural(len(self.blocks), 'stack')} with uneven gaps between slices: each slice has its own place (fact slice_affines)")
            return reason, reason
        matrix = self.affines[0].copy()
        matrix[:3, 2] = (origins[-1] - origins[0]) / (len(origins) - 1)
        source = f"DICOM {tag('ImageOrientationPatient')} and {tag('ImagePositionPatient')}"
        return Fact(matrix, source), Fact((float(np.linalg.norm(matrix[:3, 2])), *spacing.value), f"{spacing.source}; slices: {source}")


def read_mr_series(folder: Path | str, made: Made | None = None) -> MrSeries:
    """Read the headers of one series' folder and put its slices in order; pixels are decoded when they are asked for.

    ``made`` is shared by the series of one examination, whose headers repeat each other.

    Raises
    ------
    InputError
        No DICOM slice, no orientation or position, slices of two planes or sizes without a clear majority, or numbers that do not tell the slices apart.
    """
    folder = Path(folder)
    return series_of(str(folder), _headers(folder, {} if made is None else made))


def series_of(name: str, found: Sequence[tuple[Path, Header]], *, numbered: bool = True) -> MrSeries:
    """Put the slices of one series in order, from the headers of its files.

    ``numbered=False`` is for series that no table names slices of: numbers that do not tell the slices apart are replaced by 1 .. n, and said so.
    Raises what `read_mr_series` raises.
    """
    slices, notes = _numbered(name, [_slice(path, header) for path, header in found], [header for _, header in found], required=numbered)
    numbers = {item.instance for item in slices}
    slices, other_size = _of_one_size(name, slices)
    groups, other_plane = _of_one_plane(name, _parallel(slices))
    blocks = _blocks(groups)
    ordered = tuple(item for block in blocks for item in block)
    ends = np.cumsum([0, *(len(block) for block in blocks)])
    places = tuple(tuple(range(start, stop)) for start, stop in pairwise(map(int, ends)))
    kept = {item.path for item in ordered}
    missing = _numbers_missing(blocks, numbers)
    frames = {header.text("FrameOfReferenceUID") for path, header in found if path in kept}
    middle = ordered[len(ordered) // 2].path
    kind = _kind(next(header for path, header in found if path == middle), ordered)
    return MrSeries(name, ordered, places, kind, frames.pop() if len(frames) == 1 else None, (*notes, *other_size, *other_plane, *_notes(blocks), *missing))


def _headers(folder: Path, made: Made) -> list[tuple[Path, Header]]:
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder", expected="the folder of one series, with a DICOM file a slice", action="check the path")
    found = []
    for path in sorted(p for p in folder.iterdir() if p.is_file() and not p.name.startswith(".")):
        kind, head = kind_and_head(path, str(path))
        if kind == "dicom":
            header = header_of(head, path, str(path), made)
            if not_a_picture(header) is None:
                found.append((path, header))
    if not found:
        raise InputError(f"{folder} holds no DICOM slice", expected="a DICOM file a slice", action="check the path")
    return found


def _slice(path: Path, header: Header) -> MrSlice:
    directions, origin = orientation(header), position(header)
    if directions is None or origin is None:
        absent = tag("ImageOrientationPatient" if directions is None else "ImagePositionPatient")
        raise InputError(
            f"{path} has no {absent}: where the slice lies in the patient is not stated, so neither level nor side can be told",
            expected="a position and an orientation in every slice",
            action="export the series again from the archive",
        )
    affine = plane_affine(header, in_plane(header)[0])
    if not affine.known:
        raise InputError(f"{path}: {affine.source}", expected="the spacing of the pixels", action="export the series again from the archive")
    return MrSlice(path, header, header.integer("InstanceNumber") or 0, np.array(affine.value), (header.integer("Rows") or 0, header.integer("Columns") or 0))


def _numbered(name: str, slices: list[MrSlice], headers: Sequence[Header], *, required: bool) -> tuple[list[MrSlice], list[str]]:
    """Give every slice the number that names it: the file's name where all names are numbers, else InstanceNumber."""
    stems = [item.path.stem for item in slices]
    if all(stem.isdigit() for stem in stems) and len({int(stem) for stem in stems}) == len(stems):
        return [replace(item, instance=int(stem)) for item, stem in zip(slices, stems, strict=True)], []
    numbers = Counter(header.integer("InstanceNumber") for header in headers)
    twice = [number for number, count in numbers.items() if number is None or count > 1]
    if not twice:
        return slices, []
    what = f"{numbers[twice[0]]} slices have the {tag('InstanceNumber')} {twice[0]}" if twice[0] is not None else f"a slice has no {tag('InstanceNumber')}"
    if required:
        raise InputError(f"{name}: {what}", expected="one number a slice, in the file names or the headers", action="name the files by number, or export again")
    return [replace(item, instance=number) for number, item in enumerate(slices, start=1)], [f"{what}: slices are numbered in the order of their files"]


def _of_one_size(name: str, slices: Sequence[MrSlice]) -> tuple[list[MrSlice], list[str]]:
    """Leave out a few slices of another size than the rest; raises `InputError` where they are not few."""
    sizes = Counter(item.shape_yx for item in slices)
    usual = sizes.most_common(1)[0][0]
    kept, stray = ([item for item in slices if (item.shape_yx == usual) is same] for same in (True, False))
    if not _few(stray, slices):
        told = ", ".join(f"{count} of {rows} x {columns}" for (rows, columns), count in sizes.most_common())
        raise InputError(f"{name}: slices of different sizes ({told})", expected="one size in a series", action="split the series, or export it again")
    return kept, _strays(stray, slices, "another size")


def _parallel(slices: Sequence[MrSlice]) -> list[list[MrSlice]]:
    """Return groups of parallel slices, wherever they lie."""
    groups: list[list[MrSlice]] = []
    for item in sorted(slices, key=lambda s: s.instance):
        for group in groups:
            if _degrees(group[0].affine, item.affine) < ONE_BLOCK_DEG:
                group.append(item)
                break
        else:
            groups.append([item])
    return groups


def _of_one_plane(name: str, groups: Sequence[list[MrSlice]]) -> tuple[list[list[MrSlice]], list[str]]:
    """Leave out a few slices of another plane than the rest; raises `InputError` where they are not few."""
    largest, slices = max(groups, key=len)[0], [item for group in groups for item in group]
    kept, other = ([g for g in groups if (_degrees(largest.affine, g[0].affine) <= ONE_SERIES_DEG) is same] for same in (True, False))
    stray = [item for group in other for item in group]
    if not _few(stray, slices):
        told = Counter(plane_of(item.affine)[0].lower() for item in slices)
        raise InputError(
            f"{name} holds slices of several planes ({', '.join(f'{count} {name}' for name, count in told.most_common())})",
            expected="one plane in a series",
            action="split it by orientation; a scout of three planes is left out",
        )
    return kept, _strays(stray, slices, "another plane")


def _few(stray: Sequence[MrSlice], slices: Sequence[MrSlice]) -> bool:
    return len(stray) <= STRAY_SHARE * len(slices)


def _strays(stray: Sequence[MrSlice], slices: Sequence[MrSlice], what: str) -> list[str]:
    """Return a note about slices that were left out; none for none."""
    if not stray:
        return []
    return [f"{len(stray)} of {len(slices)} slices are of {what} than the others and were left out ({', '.join(item.path.name for item in stray[:3])})"]


def _blocks(groups: Sequence[list[MrSlice]]) -> list[list[MrSlice]]:
    """Return stacks of parallel slices, each in order along its normal, the stacks in order along the mean normal."""
    along = unit_normal(max(groups, key=len)[0].affine)
    for group in groups:
        normal = unit_normal(group[0].affine)
        group.sort(key=lambda s: (float(s.affine[:3, 3] @ normal), s.instance))
    return sorted(_by_disc(groups), key=lambda group: float(np.mean([_centre(s) @ along for s in group])))


def _by_disc(groups: Sequence[list[MrSlice]]) -> list[list[MrSlice]]:
    """Part parallel slices of an axial series that lie along different discs, which happen to have one tilt; other series stay as they are."""
    if len(groups) == 1 or plane_of(max(groups, key=len)[0].affine)[0] != "AXIAL":
        return list(groups)
    gaps = [_gaps(group) for group in groups]
    widest = STACK_GAP * _usual(np.concatenate(gaps))
    parted = []
    for group, apart in zip(groups, gaps, strict=True):
        ends = [0, *(np.flatnonzero(apart > widest) + 1).tolist(), len(group)] if widest else [0, len(group)]
        parted += [group[start:stop] for start, stop in pairwise(ends)]
    return parted


def _gaps(block: Sequence[MrSlice]) -> NDArray[np.float64]:
    """Return the distances between neighbouring slices, in mm."""
    normal = unit_normal(block[0].affine)
    return np.diff([item.affine[:3, 3] @ normal for item in block])


def _usual(gaps: NDArray[np.float64]) -> float:
    """Return the usual distance between slices, slices at one place apart; 0 where there is none.

    That is the lower quartile: where every other slice is missing in most of a stack, the median is twice the distance.
    """
    apart = gaps[gaps >= SAME_PLACE_MM]
    return float(np.quantile(apart, 0.25, method="lower")) if apart.size else 0.0


def _centre(item: MrSlice) -> NDArray[np.float64]:
    rows, columns = item.shape_yx
    found: NDArray[np.float64] = (item.affine @ [(columns - 1) / 2, (rows - 1) / 2, 0, 1])[:3]
    return found


def _degrees(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    return float(np.degrees(np.arccos(np.clip(unit_normal(one) @ unit_normal(other), -1, 1))))


def _notes(blocks: Sequence[Sequence[MrSlice]]) -> list[str]:
    notes = []
    total = sum(map(len, blocks))
    if total == 1:
        notes.append("the series is a single slice")
    if len(blocks) > 1:
        notes.append(f"{total} slices in {len(blocks)} stacks of different orientation or place")
    for block in blocks:
        gaps = _gaps(block)
        twice = np.flatnonzero(gaps < SAME_PLACE_MM)
        notes += [f"slices {block[i].instance} and {block[i + 1].instance} lie at one place" for i in twice[:_TOLD]]
        usual = _usual(gaps)
        wide = [int(i) for i in np.flatnonzero(gaps > 1.5 * usual)] if usual else []
        for i in wide[:_TOLD]:
            notes.append(f"between slices {block[i].instance} and {block[i + 1].instance} are {gaps[i]:.1f} mm, elsewhere {usual:.1f}: some may be missing")
        notes += [f"{plural(len(wide) - _TOLD, 'more gap')} like these"] if len(wide) > _TOLD else []
    return notes


def _numbers_missing(blocks: Sequence[Sequence[MrSlice]], numbers: Collection[int]) -> list[str]:
    """Return notes on numbers that are absent between two stacks, which lie apart anyway; ``numbers`` are those of all slices, also of those left out.

    Where the numbers of every stack begin anew after a gap, that is how they were given.
    """
    stack = {item.instance: place for place, block in enumerate(blocks) for item in block}
    between = [(first, second) for first, second in pairwise(sorted(stack)) if stack[first] != stack[second]]
    holes = [(first, second) for first, second in between if second - first > 1 and not any(first < number < second for number in numbers)]
    if len(holes) == len(between):
        return []
    return [f"numbers {first + 1} to {second - 1} are not there, between two stacks: some slices may be missing" for first, second in holes[:_TOLD]]


def _kind(header: Header, slices: Sequence[MrSlice]) -> SeriesKind:
    """Return plane and weighting from a header; the plane is that of most slices."""
    from spinelab.io.dicom_facts import image_facts, view

    planes = Counter(plane_of(item.affine)[0] for item in slices)
    affine = next(item.affine for item in slices if plane_of(item.affine)[0] == planes.most_common(1)[0][0])
    source = f"DICOM {tag('ImageOrientationPatient')} and {tag('ImagePositionPatient')}"
    facts = image_facts(header)
    stand_in = Image(np.zeros((1, 1), np.uint8), affine=Fact(affine, source), modality=header.fact("Modality"), view=view(header), facts=facts)
    return series_kind(stand_in)
