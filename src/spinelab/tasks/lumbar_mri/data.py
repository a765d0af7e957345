"""Lumbar MRI examinations in the RSNA 2024 layout, with up to 25 graded targets each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Final

import numpy as np

from spinelab.core import Example, Examples, Fact, InputError, Result, Study, counted, noted, unknown
from spinelab.evaluation.rsna import RsnaLabels
from spinelab.io.dicom_header import Made
from spinelab.io.mr_slices import MrSeries, read_mr_series
from spinelab.io.mr_study import why_left_out
from spinelab.phantoms import is_phantom
from spinelab.tasks.lumbar_mri.described import contradiction
from spinelab.tasks.lumbar_mri.places import Target, find_places, merge
from spinelab.tasks.lumbar_mri.tables import (
    COORDINATES_FILE,
    GRADES_FILE,
    IMAGES_FOLDER,
    LAYOUT,
    SERIES_FILE,
    Series,
    read_grades,
    read_marks,
    read_series,
)
from spinelab.tasks.lumbar_mri.targets import DESCRIPTIONS, GRADE_NAMES, QUESTIONS, TASK_NAME, Question

_UNMARKED: Final = (
    "[study has|studies have] no coordinates: nothing is learnt from [it|them], and a model that finds levels places [its|their] questions by itself"
)


def labels(root: Path) -> RsnaLabels:
    """Read the grades alone; the three CSV files are enough for it, and for `spinelab.evaluation.rsna_baselines`."""
    return read_grades(_folder(root))


def targets(root: Path) -> tuple[dict[str, list[Target]], list[str]]:
    """Read the three tables into the 25 targets of every study, and notes on what was left out or looks wrong; no picture is opened."""
    root = _folder(root)
    marks, notes = read_marks(root) if (root / COORDINATES_FILE).is_file() else ([], [f"{COORDINATES_FILE} is absent: no target has a place"])
    series = read_series(root / SERIES_FILE) if (root / SERIES_FILE).is_file() else None
    if series is None:
        notes.append(f"{SERIES_FILE} is absent: series are told apart by their headers")
    merged, more = merge(read_grades(root), marks, series)
    return merged, notes + more


def examples(root: Path) -> Examples:
    """Read a data set; one example a study, without opening a picture.

    Raises
    ------
    InputError
        For another layout, or a row that cannot be used.
    """
    root = _folder(root)
    found, notes = targets(root)
    series = read_series(root / SERIES_FILE) if (root / SERIES_FILE).is_file() else {}
    drawn = is_phantom(root)
    items = [_example(root, study, row, series.get(study, {}), drawn=drawn) for study, row in found.items()]
    graded = [item for item in items if item.truth.findings]
    notes += noted([item.id for item in items if not item.truth.findings], "[study has no grade at all and was|studies have no grade at all and were] left out")
    if not graded:
        raise InputError(f"{root / GRADES_FILE} grades nothing", expected="Normal/Mild, Moderate or Severe in some cells", action="check the file")
    unmarked = [item.id for item in graded if not is_marked(item)]
    notes += noted(unmarked, _UNMARKED)
    missing = sum(target.grade is None for row in found.values() for target in row)
    notes += [counted(missing, f"of {25 * len(found)} targets [has no grade and is|have no grade and are] not scored")] if missing else []
    for description in DESCRIPTIONS:
        without = [study for study, row in found.items() if _is_without(description, series.get(study, {}), row)]
        notes += noted(without, f"[study has|studies have] no {description} series: what needs it is withheld")
    folder = root / IMAGES_FOLDER
    bare = [item.id for item in graded if not (folder / item.id).is_dir()]
    notes += noted(bare, "[study has|studies have] no pictures: only what the tables say is known")
    return Examples(tuple(graded), root, phantom=drawn, notes=tuple(notes))


def _is_without(description: str, series: Mapping[str, Series], row: Sequence[Target]) -> bool:
    """Return whether the table tells a study's series and calls none so, and no question that is usually asked on such a series is marked on another."""
    marked = any(target.mark is not None and target.question.series == description for target in row)
    return bool(series) and not marked and all(item.description != description for item in series.values())


def _folder(root: Path) -> Path:
    root = Path(root)
    root = root.parent if root.name == GRADES_FILE and root.is_file() else root
    if not (root / GRADES_FILE).is_file():
        raise InputError(f"{root} {'holds no ' + GRADES_FILE if root.is_dir() else 'is no folder'}", expected=LAYOUT, action="check the path")
    return root


def _example(root: Path, study: str, row: Sequence[Target], series: Mapping[str, Series], *, drawn: bool) -> Example:
    truth = Result(TASK_NAME, "readers", study, findings=tuple(t.question.answer(t.label) for t in row if t.label is not None))
    kinds = Fact(tuple(sorted(item.description for item in series.values())), SERIES_FILE)
    facts = {"series": kinds, "targets": Fact(tuple(row), COORDINATES_FILE), "folder": Fact(root / IMAGES_FOLDER / study, "layout")}
    patient = study if drawn else None  # a phantom is drawn once; the collection names studies only
    return Example(study, truth, partial(open_study, root, study, row, series), patient, {}, facts)


def target_of(example: Example, question: Question) -> Target | None:
    """Return grade and mark of one question about an examination of this layout."""
    targets = example.facts.get("targets")
    return None if targets is None else targets.value[question.place]


def is_marked(example: Example) -> bool:
    """Return whether any question is marked in an examination of this layout; those of another layout say nothing of it and count as marked."""
    targets = example.facts.get("targets")
    return targets is None or any(target.mark is not None for target in targets.value)


def series_files(example: Example, question: Question) -> dict[str, Path]:
    """Return the files of the series on which a question is marked, the marked slice and place in the first name; none where it is not marked."""
    target = target_of(example, question)
    if target is None or target.mark is None:
        return {}
    mark = target.mark
    folder = example.facts["folder"].value / mark.series
    files = _files(folder, folder.stat().st_mtime_ns) if folder.is_dir() else ()
    return {f"slice {mark.instance} at {mark.x}, {mark.y}: {path.name}": path for path in files}


@lru_cache(maxsize=16)
def _files(folder: Path, _changed_ns: int) -> tuple[Path, ...]:
    """Return the files of a series, listed once for all questions that are marked on it; again if some came or went."""
    return tuple(sorted(p for p in folder.iterdir() if p.is_file()))


def grades_of(examples: Examples) -> RsnaLabels:
    """Return the grades of these examinations as a table."""
    rows = [[_grade(example, question) for question in QUESTIONS] for example in examples]
    return RsnaLabels(tuple(example.id for example in examples), np.array(rows, dtype=np.int8).reshape(-1, len(QUESTIONS)))


def _grade(example: Example, question: Question) -> int:
    found = example.truth.finding(question.finding, site=question.level, side=question.side)
    return -1 if found is None or found.label is None else GRADE_NAMES.index(found.label)


def open_study(root: Path, study: str, row: Sequence[Target], series: Mapping[str, Series]) -> Study:
    """Open a study's series; ``places`` among its facts are the marks found in them. Slices are decoded when they are asked for.

    Its images are the series in the order of the table, each with ``description`` (the table's), ``series_id``, ``slice_affines`` and
    ``instance_numbers`` among its facts. A series that cannot be used is left out, with the reason in ``notes`` and, in short, in ``series_left_out``;
    marks that were left out stand in ``notes``. ``series_contradicted`` tells of series whose header contradicts the table.

    Raises
    ------
    InputError
        If no series can be read.
    """
    folder = root / IMAGES_FOLDER / study
    if not folder.is_dir():
        raise InputError(f"{folder} is not there", expected=LAYOUT, action="bring the study's pictures; the tables alone are enough for baselines")
    found, notes, series_left_out = read_study_series(folder, series)
    if not found:
        raise InputError(f"Study {study}: no series can be read ({'; '.join(notes[:2]) or 'the folder is empty'})", expected=LAYOUT, action="check its folder")
    places, odd = find_places(row, found)
    contradicted = [text for name, stack in found.items() for text in contradiction(name, series[name].description if name in series else None, stack.kind)]
    images = []
    for name, stack in found.items():
        told_by = Fact(series[name].description, SERIES_FILE) if name in series else Fact(stack.kind.description, stack.kind.reason)
        extra = {"series_id": Fact(name, "folder name"), "description": told_by, "kind": Fact(stack.kind.reason, "header")}
        images.append(stack.image(extra, at_once=False))
        notes += [f"series {name}: {note}" for note in stack.notes]
    facts = {"places": Fact(tuple(places), COORDINATES_FILE)}
    said = {
        "notes": [*notes, *contradicted, *odd],
        "series_contradicted": contradicted,
        "series_left_out": series_left_out,
    }
    facts |= {name: Fact(tuple(words), "reader") for name, words in said.items() if words}
    return Study(study, images=tuple(images), patient=unknown("the data set names studies, not patients"), facts=facts)


def read_study_series(folder: Path, series: Mapping[str, Series]) -> tuple[dict[str, MrSeries], list[str], list[str]]:
    """Read the headers of a study's series by their names; returns what could be read, notes, and in short which could not be and why."""
    found: dict[str, MrSeries] = {}
    notes: list[str] = []
    left_out: list[str] = []
    made: Made = {}
    there = sorted(p.name for p in folder.iterdir() if p.is_dir())
    for name in [*series, *(n for n in there if n not in series)]:
        if name not in there:
            notes.append(f"series {name} of the table has no folder")
            continue
        try:
            stack = read_mr_series(folder / name, made)
        except InputError as error:
            notes.append(f"series {name} was left out: {error}")
            left_out.append(why_left_out(name, error))
            continue
        found[name] = stack
    return found, notes, left_out
