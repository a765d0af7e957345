"""From two annotated films and a table row to one patient's truth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from spinelab.core import Finding, Measurement, Result
from spinelab.geometry import GRADES, LEVELS, Film, slip_direction
from spinelab.tasks.lumbar_xray.annotations import SHOWN_BY, SUBTYPES, Annotation
from spinelab.tasks.lumbar_xray.subjects import Subject

TASK_NAME: Final = "lumbar-xray"
AUTHOR: Final = "annotators"
DISORDER: Final = ("normal", "disordered")
CONFLICT: Final = "Patients left out, because CSV and subject table contradict each other about the diagnosis"
SLIP_NAMES: Final = {"LATERAL": "slip", "AP": "lateral offset"}


@dataclass(frozen=True)
class Refusal:
    """Why a patient has no truth."""

    reason: str
    case: str


def truth_of(number: str, films: Mapping[str, Annotation | None], subject: Subject) -> Result | Refusal:
    """Return the patient's findings, measured slips and endplate ends, or why the sources do not allow it.

    The subtype of a patient with several slips is the one with the greatest size in per cent.
    """
    annotated = {view: a for view, a in films.items() if a is not None}
    measured = {view: a.film for view, a in annotated.items()}
    marks = [(_size(measured.get(SHOWN_BY[kind], measured[view]), level), level, kind) for view, a in annotated.items() for level, kind in a.slips]
    kinds = _agreed(frozenset(SUBTYPES[kind] for _, _, kind in marks), set(annotated), subject)
    if isinstance(kinds, Refusal):
        return kinds
    notes = []
    subtype = next((s for s in SUBTYPES if s in kinds), "normal")
    if marks and len(kinds) > 1:
        subtype = SUBTYPES[max(marks)[2]]
        notes.append(f"{', '.join(sorted(kinds))} in one patient; counted as {subtype}, the greatest slip ({max(marks)[0]:.0f} %)")
    marked = {(level, SUBTYPES[kind]) for _, level, kind in marks}
    notes += _against_measurement(marked, measured)
    return Result(
        task=TASK_NAME,
        model=AUTHOR,
        study=number,
        findings=(
            Finding("disorder", DISORDER[subtype != "normal"]),
            Finding("subtype", subtype),
            *(Finding("listhesis", kind, site=level) for level, kind in sorted(marked)),
            *grades(measured.get("LATERAL")),
        ),
        measurements=slip_measurements(measured),
        landmarks=tuple(point for a in annotated.values() for point in a.landmarks()),
        notes=tuple(notes),
    )


def slip_measurements(measured: Mapping[str, Film]) -> tuple[Measurement, ...]:
    """Return slip (lateral film) and lateral offset (AP film) of every level, in per cent of the endplate below."""
    found = []
    for view, levels in (("LATERAL", LEVELS), ("AP", LEVELS[:4])):
        film = measured.get(view)
        for name in levels:
            value = film.level(name).slip_percent if film else None
            found.append(Measurement(SLIP_NAMES[view], value, "%", site=name, withheld=None if value is not None else _why(film, view, name)))
    return tuple(found)


def grades(lateral: Film | None) -> tuple[Finding, ...]:
    """Return the Meyerding grade of every level that could be measured."""
    return tuple(Finding("Meyerding grade", GRADES[level.grade], site=level.name) for level in (lateral.levels if lateral else ()) if level.grade is not None)


def _why(film: Film | None, view: str, level: str) -> str:
    if film is None:
        return f"no endplate lines of the {view} film"
    if film.level(level).slip_size_percent is None:
        return "an endplate of this level was not drawn"
    return f"the side that the patient faces could not be told (confidence {film.facing.confidence:.2f})" if film.facing else "not measurable"


def _size(film: Film, level: str) -> float:
    size = film.level(level).slip_size_percent
    return -1.0 if size is None else size


def _agreed(marked: frozenset[str], annotated: set[str], subject: Subject) -> frozenset[str] | Refusal:
    """Return the subtypes on which CSV files and table agree; the table adds what an unannotated film would have shown."""
    stated = subject.diagnoses - {"normal"}
    views = {name: SHOWN_BY[i] for i, name in enumerate(SUBTYPES) if i}
    hidden = frozenset(s for s in stated if s in views and views[s] not in annotated)
    words = f"CSV says {', '.join(sorted(marked)) or 'normal'}, the table says {', '.join(sorted(subject.diagnoses))}"
    if marked:
        contradicted = bool(subject.diagnoses) and not (stated & (marked | {"disordered"})) and not hidden
        return Refusal(CONFLICT, words) if contradicted else marked | hidden
    if not stated:
        return frozenset()
    if hidden:
        return hidden
    if "disordered" in stated and annotated != set(SHOWN_BY.values()):
        return Refusal("Patients left out, because the table says disordered and no film tells which disorder", words)
    return Refusal(CONFLICT, words)


def _against_measurement(marked: set[tuple[str, str]], measured: Mapping[str, Film]) -> list[str]:
    """Say where a marked slip points the other way when measured, a sign of a swapped label or a wrongly inferred facing side."""
    remarks = []
    for level, kind in sorted(marked):
        view = SHOWN_BY[SUBTYPES.index(kind)]
        film = measured.get(view)
        value = film.level(level).slip_percent if film else None
        found = slip_direction(value, "AP" if view == "AP" else "LATERAL")
        if found not in (None, "normal", kind):
            remarks.append(f"{level} is marked {kind} and measures {found} ({value:+.0f} %)")
    return remarks
