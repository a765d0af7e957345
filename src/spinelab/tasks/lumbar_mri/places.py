"""Grades, coordinates and series brought together: one row a study and question, and what in the tables cannot be right."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

import numpy as np

from spinelab.core import SlicePoint, noted
from spinelab.evaluation.rsna import LEVELS, RsnaLabels
from spinelab.geometry.planes import to_patient
from spinelab.io.mr_slices import MrSeries
from spinelab.tasks.lumbar_mri.tables import Mark, Series
from spinelab.tasks.lumbar_mri.targets import GRADE_NAMES, LEVEL_NAMES, QUESTIONS, SAGITTAL_T1, SAGITTAL_T2, Question

SAME_POINT_PX: Final = 3.0
"""Two marks of one question nearer than this are one mark, made twice."""
_SAME_SIDE_MM: Final = 1.0
_OUT_OF_ORDER: Final = "[study has|studies have] sagittal marks that do not run down the spine level by level"


@dataclass(frozen=True, slots=True)
class Target:
    """One question of one study: its true grade (``None``: not graded) and where it was marked (``None``: nowhere).

    ``description`` is that of the series on which it was marked; ``None`` also where no table tells it, before the pictures are opened.
    """

    study: str
    question: Question
    grade: int | None
    mark: Mark | None
    description: str | None

    @property
    def label(self) -> str | None:
        return None if self.grade is None else GRADE_NAMES[self.grade]


def merge(labels: RsnaLabels, marks: Sequence[Mark], series: Mapping[str, Mapping[str, Series]] | None) -> tuple[dict[str, list[Target]], list[str]]:
    """Return the 25 targets of every study, in the order of `QUESTIONS`, and notes on what was left out or looks wrong.

    Without a table of the series every mark is kept, and its kind of series is told when the pictures are opened.
    """
    usable, notes = _usable(labels, marks, series)
    by_question: dict[tuple[str, int], list[Mark]] = defaultdict(list)
    for item in usable:
        by_question[item.study, item.question.place].append(item)
    targets: dict[str, list[Target]] = {}
    twice, wrong_kind, ungraded = [], [], []
    for study, grades in zip(labels.studies, labels.grades.tolist(), strict=True):
        row = []
        for question, grade in zip(QUESTIONS, grades, strict=True):
            found = by_question.get((study, question.place), [])
            mark = _chosen(found, (series or {}).get(study, {}))
            kind = series[study][mark.series].description if mark and series is not None else None
            row.append(Target(study, question, None if grade < 0 else grade, mark, kind))
            where = f"{study} {question.column}"
            if len(found) > 1 and _apart(found):
                twice.append(where)
            if kind is not None and kind != question.series:
                wrong_kind.append(f"{where} on {kind}")
            if mark is not None and grade < 0:
                ungraded.append(where)
        targets[study] = row
    notes += noted(twice, "[question is|questions are] marked at several places: the first on the usual series counts")
    notes += noted(wrong_kind, "[question is|questions are] marked on another kind of series than usual")
    notes += noted(ungraded, "[question is marked but has|questions are marked but have] no grade")
    notes += noted([s for s, row in targets.items() if _out_of_order(row)], _OUT_OF_ORDER)
    return targets, notes


def _usable(labels: RsnaLabels, marks: Sequence[Mark], series: Mapping[str, Mapping[str, Series]] | None) -> tuple[list[Mark], list[str]]:
    """Return the marks whose study and series are known; without a table of the series, those whose study is."""
    known = set(labels.studies)
    strangers = sorted({m.study for m in marks if m.study not in known})
    elsewhere = [m for m in marks if m.study in known and m.series not in series.get(m.study, {})] if series is not None else []
    gone = {id(m) for m in elsewhere}
    usable = [m for m in marks if m.study in known and id(m) not in gone]
    notes = noted(strangers, "[study with coordinates has|studies with coordinates have] no row of grades")
    words = "[coordinate names|coordinates name] a series that the study does not have and [was|were] left out"
    return usable, notes + noted([f"line {m.line}" for m in elsewhere], words)


def _chosen(found: Sequence[Mark], series: Mapping[str, Series]) -> Mark | None:
    """Return the mark that counts: the first on the kind of series that readers used for the question, else the first."""
    usual = [mark for mark in found if mark.series in series and series[mark.series].description == mark.question.series]
    return next(iter([*usual, *found]), None)


def _apart(found: Sequence[Mark]) -> bool:
    first = found[0]
    return any(m.series != first.series or m.instance != first.instance or np.hypot(m.x - first.x, m.y - first.y) > SAME_POINT_PX for m in found[1:])


def _out_of_order(row: Sequence[Target]) -> bool:
    """Return whether marks of one condition on one sagittal series go up where the levels go down."""
    rows: dict[tuple[int, str], list[tuple[int, float]]] = defaultdict(list)
    for target in row:
        if target.mark is not None and target.description in (SAGITTAL_T1, SAGITTAL_T2):
            rows[target.question.condition, target.mark.series].append((target.question.place % len(LEVELS), target.mark.y))
    return any(np.any(np.diff([y for _, y in sorted(marks)]) <= 0) for marks in rows.values())


@dataclass(frozen=True, slots=True)
class Place:
    """A mark that was found in the pictures: slice of the ordered series, pixel, and LPS millimetres."""

    target: Target
    index: int
    x: float
    y: float
    point_mm: tuple[float, float, float]

    @property
    def point(self) -> SlicePoint | None:
        """Where it lies, as an answer states it; ``None`` without a mark."""
        mark = self.target.mark
        return None if mark is None else SlicePoint(mark.series, mark.instance, self.x, self.y, self.point_mm)


def find_places(targets: Sequence[Target], series: Mapping[str, MrSeries]) -> tuple[list[Place], list[str]]:
    """Find the marks in the series that were read, and say which were left out, being on a slice that is not there or outside the picture, and which are odd.

    Where no table tells the kind of a series its headers do; where they do not either, it is taken for the usual one. A pair whose left mark
    lies to the patient's right of the right one, or of which the lower level lies higher, is named in the notes: a coordinate or a label is exchanged.
    """
    places, absent, outside = [], [], []
    for target in targets:
        mark = target.mark
        if mark is None or mark.series not in series:
            continue
        stack = series[mark.series]
        index = next((i for i, item in enumerate(stack.slices) if item.instance == mark.instance), None)
        rows, columns = stack.shape_yx
        if index is None:
            absent.append(f"{target.question.column}, slice {mark.instance}")
        elif not (-0.5 <= mark.x <= columns - 0.5 and -0.5 <= mark.y <= rows - 0.5):
            outside.append(f"{target.question.column} at {mark.x:.0f}, {mark.y:.0f} of {columns} x {rows}")
        else:
            x, y, z = map(float, to_patient(stack.affines[index], mark.x, mark.y))
            kind = target.description or stack.kind.description or target.question.series
            places.append(Place(replace(target, description=kind), index, mark.x, mark.y, (x, y, z)))
    notes = noted(absent, "[mark lies on a slice that is not there and was|marks lie on a slice that is not there and were] left out")
    notes += noted(outside, "[mark lies outside the picture and was|marks lie outside the picture and were] left out")
    notes += noted(exchanged(places), "[pair of marks has|pairs of marks have] left and right exchanged")
    return places, notes + noted(out_of_order(places), "[pair of neighbouring levels lies|pairs of neighbouring levels lie] the wrong way round")


def exchanged(places: Sequence[Place]) -> list[str]:
    """Name the levels whose left mark lies to the right of the right one (LPS x grows to the patient's left)."""
    points: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)
    for place in places:
        question = place.target.question
        if question.side is not None:
            points[question.finding, question.level][question.side] = place.point_mm[0]
    return [f"{name} {level}" for (name, level), sides in points.items() if len(sides) == 2 and sides["left"] < sides["right"] - _SAME_SIDE_MM]


def out_of_order(places: Sequence[Place]) -> list[str]:
    """Name neighbouring levels of one condition and side of which the lower one lies higher in the patient (LPS z grows to the head)."""
    heights: dict[tuple[str, str | None], dict[str, float]] = defaultdict(dict)
    for place in places:
        question = place.target.question
        heights[question.finding, question.side][question.level] = place.point_mm[2]
    found = []
    for (finding, side), by_level in heights.items():
        known = [level for level in LEVEL_NAMES if level in by_level]
        name = f"{finding} {side}" if side else finding
        found += [f"{name} {upper} and {lower}" for upper, lower in pairwise(known) if by_level[lower] >= by_level[upper]]
    return found
