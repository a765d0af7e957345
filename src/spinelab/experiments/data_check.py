"""What must be known about a data set before anything is trained on it."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np

from spinelab.core import Doubt, Example, Examples, InputError, Progress, Quantity, Run, Study, plural, silent
from spinelab.evaluation.types import Estimate
from spinelab.experiments.asked import Asked, one_question
from spinelab.experiments.data_words import LEARNT_FROM, DataWords
from spinelab.experiments.doubts import Doubts
from spinelab.experiments.duplicates import Duplicate, Fingerprint, find_duplicates, merge_groups
from spinelab.experiments.marked_twice import marked_twice, repeatability_words
from spinelab.experiments.opening import open_all
from spinelab.experiments.shortcuts import patient_facts, probe
from spinelab.experiments.splits import patients_per_class
from spinelab.experiments.words import say
from spinelab.report.content import DataSummary, Flag

FEW_PATIENTS: Final = 30
"""Patients of the rarest class below which a ranking is said to be out of reach: with 30 patients the 95 % Wilson interval of a
sensitivity of 0.8 is still 0.63-0.90."""


SHOWN: Final = 10
"""How many equal pictures or patients are named before training; all are in the report."""


@dataclass(frozen=True, eq=False)
class DataCheck:
    """The summary for the report, and the groups that splits must respect."""

    summary: DataSummary
    groups: tuple[str, ...]
    sizes: tuple[tuple[int, int], ...] = ()
    """Rows and columns of each example's first picture; empty where some example has none."""
    spacings: tuple[tuple[float, float] | None, ...] = ()
    """Its row and column spacing in millimetres, ``None`` where the file does not state it; one an example."""
    doubts: Doubts = field(default_factory=Doubts)

    def merged(self, examples: Examples) -> Examples:
        """Return the examples, patients who share a picture being one, for whatever is split off inside a fit."""
        return with_groups(examples, self.groups)


def with_groups(examples: Examples, groups: Sequence[str]) -> Examples:
    """Return the examples counted in these groups; each keeps the patient that the data name."""
    return replace(examples, items=tuple(e if e.group == g else replace(e, counted_as=g) for e, g in zip(examples, groups, strict=True)))


def check_data(
    examples: Examples,
    target: str,
    progress: Progress = silent,
    *,
    measures: bool = False,
    asked: Asked | None = None,
    words: DataWords = LEARNT_FROM,
    quantities: Sequence[Quantity] = (),
    doubts: Callable[[Example, Study], Sequence[Doubt]] | None = None,
) -> DataCheck:
    """Open every file once and say what stands in the way of an honest comparison.

    Parameters
    ----------
    target
        The finding that is learnt; without one, nothing that needs classes is looked at.
    measures
        Whether models for these data measure as well: then a single class is no reason to refuse.
    asked
        The questions about these examinations, where each is not one question.
    words
        What a finding means, which depends on whether models learn from these data.
    quantities
        What the task measures: of these, copies with marks of their own tell how well the truth repeats itself.
    doubts
        What the task finds wrong with an examination once it is open (`Task.doubts`).

    Raises
    ------
    UnreadableError
        If files cannot be read; all of them are counted, and up to five named.
    InputError
        If there are no examples, or if there are fewer than two classes to tell apart.
    """
    asked = _askable(examples, target, asked, measures=measures)
    found = Doubts()
    prints, facts, sizes, spacings = open_all(examples, progress, found.looking(doubts))
    duplicates = find_duplicates(prints, progress)
    groups = merge_groups(examples.groups(), duplicates)
    problems = _copy_problems(examples, asked, [d for d in duplicates if not _visits(examples, d)], quantities)
    few = _few(asked, asked.question_labels(target) if target else (), asked.spread(groups), words.few)
    problems = replace(problems, few=few, shortcuts=_probes(examples, facts, asked.labels, groups) if target else ())
    summary = replace(
        _counted(examples, asked, target, groups),
        digest=_digest(examples, [] if measures or asked.several else asked.labels, prints),
        duplicates=problems.duplicates,
        leaks=problems.leaks,
        conflicts=problems.conflicts,
        shortcuts=problems.shortcuts,
        marked_twice=problems.marked_twice,
        facts=_facts(examples, sizes),
        flags=(*_flags(examples, problems, words), *found.flags(asked.questions.noun)),
    )
    summary = replace(summary, remarks={**summary.remarks, **found.remarks})
    return DataCheck(summary, tuple(groups), tuple(sizes) if len(sizes) == len(examples) else (), tuple(spacings), found)


def announce(summary: DataSummary, run: Run) -> None:
    """Tell what is wrong with the data before anything is trained on them, the pictures and patients concerned by name."""
    for flag in summary.flags:
        run.tell(flag.text)
    pairs = [f"{d['a']} and {d['b']} ({d['kind']}, {d['similarity']:.2f})" for d in summary.duplicates]
    patients = [f"{c['patient']} ({', '.join(c['labels'])})" for c in summary.conflicts if c["kind"] == "patient"]
    for what, names in (("Equal pictures", pairs), ("Patients with two labels", patients)):
        if names:
            more = f"; and {len(names) - SHOWN} more, all in the report" if len(names) > SHOWN else ""
            run.tell(f"{what}: {'; '.join(names[:SHOWN])}{more}")


@dataclass(frozen=True)
class _Problems:
    """What stands in the way of an honest comparison: rows for the report, and the sentence on too few patients."""

    duplicates: tuple[Mapping[str, Any], ...]
    leaks: tuple[Mapping[str, Any], ...]
    conflicts: tuple[Mapping[str, Any], ...]
    marked_twice: tuple[Mapping[str, Any], ...]
    shortcuts: tuple[Mapping[str, Any], ...] = ()
    few: str | None = None


def _askable(examples: Examples, target: str, asked: Asked | None, *, measures: bool) -> Asked:
    """Return the questions; raises `InputError` where there is nothing to ask, or nothing to tell apart."""
    if not len(examples):
        raise InputError(f"{examples.root}: no examples", expected="a data set with its truth", action="check the path and the layout")
    asked = asked or one_question(examples, target)
    if target and not measures:
        _require_two_classes(examples, asked.question_labels(target))
    return asked


def _copy_problems(examples: Examples, asked: Asked, copies: Sequence[Duplicate], quantities: Sequence[Quantity]) -> _Problems:
    """Return what copies of a picture tell: which there are, which two patients share, labels that differ, and marks that differ."""
    listed = tuple(_listed(examples, asked.labels, d) for d in copies)
    return _Problems(
        duplicates=listed,
        leaks=tuple(d for d in listed if not d["same_patient"]),
        conflicts=() if asked.several else _conflicts(examples, asked.labels, listed),
        marked_twice=marked_twice(examples, copies, quantities),
    )


def _counted(examples: Examples, asked: Asked, target: str, groups: Sequence[str]) -> DataSummary:
    """Return a summary of counts, classes, notes and remarks; patients who share a picture count as one, as in every interval."""
    questions = with_groups(asked.questions, asked.spread(groups))
    return DataSummary(
        root=examples.root.name,
        digest="",
        patients=len(set(groups)) if examples.patients_known else None,
        images=sum(max(1, len(e.files)) for e in examples),
        examinations=len(examples),
        questions=len(asked.questions) if asked.several else None,
        classes=_class_counts(questions, asked.question_labels(target), known=examples.patients_known) if target else {},
        notes=examples.notes,
        remarks={e.id: str(remark) for e in examples if (remark := _fact(e, "remark")) is not None},
        phantom=examples.phantom,
    )


def _require_two_classes(examples: Examples, labels: Sequence[str]) -> None:
    if len(set(labels)) < 2:
        raise InputError(
            f"{examples.root}: only one class ({labels[0]})",
            expected="at least two classes",
            action="add examples of another class; there is nothing to tell apart",
        )


def _digest(examples: Examples, labels: Sequence[str], prints: Sequence[Fingerprint]) -> str:
    """Return a digest of names, labels (without them, whole truths), patients and contents, independent of where the folder lies."""
    contents: dict[int, list[str]] = defaultdict(list)
    for p in prints:
        contents[p.example].append(p.file_digest or p.pixel_digest)
    truths = labels or [hashlib.sha256(e.truth.to_json().encode()).hexdigest() for e in examples]
    rows = sorted(f"{e.id}|{truth}|{e.patient}|{','.join(contents[i])}" for i, (e, truth) in enumerate(zip(examples, truths, strict=True)))
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()


def _class_counts(examples: Examples, labels: Sequence[str], *, known: bool) -> dict[str, dict[str, int | None]]:
    images: Counter[str] = Counter()
    for example, label in zip(examples, labels, strict=True):
        images[label] += max(1, len(example.files)) if example.of is None else 1
    patients = patients_per_class(labels, examples.groups()) if known else {}
    return {label: {"images": images[label], "patients": patients.get(label)} for label in sorted(images)}


def _visits(examples: Examples, d: Duplicate) -> bool:
    """Tell whether two pictures that are nearly equal, and no more, are of one known patient: films of several days are alike and no copies."""
    a, b = examples[d.a], examples[d.b]
    return d.kind == "near" and d.a != d.b and a.patient is not None and a.patient == b.patient


def _listed(examples: Examples, labels: Sequence[str], d: Duplicate) -> dict[str, Any]:
    a, b = examples[d.a], examples[d.b]
    return {
        "a": a.id,
        "b": b.id,
        "kind": d.kind,
        "similarity": d.similarity,
        "same_patient": a.patient == b.patient if a.patient is not None else None,
    } | ({"same_label": labels[d.a] == labels[d.b]} if labels else {})


def _conflicts(examples: Examples, labels: Sequence[str], duplicates: Sequence[Mapping[str, Any]]) -> tuple[Mapping[str, Any], ...]:
    """Return pictures that carry two labels, then patients that do."""
    if not labels:
        return ()
    pictures: list[Mapping[str, Any]] = [{"kind": "picture", "a": d["a"], "b": d["b"]} for d in duplicates if not d["same_label"]]
    by_patient: dict[str, set[str]] = defaultdict(set)
    for example, label in zip(examples, labels, strict=True):
        if example.patient is not None:
            by_patient[example.patient].add(label)
    patients = [{"kind": "patient", "patient": p, "labels": sorted(found)} for p, found in sorted(by_patient.items()) if len(found) > 1]
    return (*pictures, *patients)


def _probes(examples: Examples, facts: Sequence[Mapping[str, float]], labels: Sequence[str], groups: Sequence[str]) -> tuple[Mapping[str, Any], ...]:
    probes = [probe("sex, age and site", [patient_facts(e) for e in examples], labels, groups)]
    if len(facts) == len(examples):
        probes.insert(0, probe("size, borders and brightness of the picture", facts, labels, groups))
    return tuple(p for p in probes if p is not None)


def _facts(examples: Examples, sizes: Sequence[tuple[int, int]]) -> dict[str, Any]:
    """Return counts and ranges, with how many are unknown."""
    sexes = Counter(_fact(e, "sex") for e in examples)
    sites = Counter(_fact(e, "site") for e in examples)
    ages = [float(a) for a in (_fact(e, "age_years") for e in examples) if a is not None]
    facts: dict[str, Any] = {
        "sex": {str(k) if k is not None else "unknown": v for k, v in sexes.items()},
        "age_years": {"known": len(ages), "unknown": len(examples) - len(ages)},
        "site": {str(k) if k is not None else "unknown": v for k, v in sites.items()},
    }
    if ages:
        facts["age_years"] |= {"min": min(ages), "median": float(np.median(ages)), "max": max(ages)}
    if sizes:
        rows, columns = np.array(sizes).T
        facts["size_px"] = {"rows": [int(rows.min()), int(rows.max())], "columns": [int(columns.min()), int(columns.max())], "different": len(set(sizes))}
    return facts


def _fact(example: Example, name: str) -> Any:
    return example.facts[name].value if name in example.facts else None


def _flags(examples: Examples, problems: _Problems, words: DataWords) -> tuple[Flag, ...]:
    flags = [
        (examples.phantom, "phantom-data", "These are digital phantoms: the figures say that the program works, nothing about patients."),
        (not examples.patients_known, "patients-unknown", f"Patients are not named: {words.unknown}."),
        (problems.few is not None, "too-few-patients", problems.few or ""),
        (bool(problems.duplicates), "duplicates", f"{plural(len(problems.duplicates), 'pair')} of (nearly) equal pictures; {words.copies}."),
        (any(d["same_patient"] is False for d in problems.leaks), "duplicates-across-patients", _across(problems.leaks, words.across)),
        (bool(problems.conflicts), "conflicting-labels", _conflict_words(problems.conflicts)),
        *[(True, "shortcut", _shortcut_words(s)) for s in problems.shortcuts if s["suspicious"]],
        (bool(problems.marked_twice), "marked-twice", repeatability_words(problems.marked_twice)),
    ]
    return tuple(Flag(code, text) for holds, code, text in flags if holds)


def _few(asked: Asked, labels: Sequence[str], groups: Sequence[str], consequence: str) -> str | None:
    """Return the sentence on too few patients, of the rarest class where there are classes."""
    rarest, count = next(iter(patients_per_class(labels, groups).items())) if labels else ("", len(set(groups)))
    if count >= FEW_PATIENTS:
        return None
    known = asked.examinations.patients_known
    copies = not asked.several and count < (list(labels).count(rarest) if labels else len(groups))
    unit = "patient" if known else "examination" if asked.several else "different image" if copies else "image"
    number = plural(count, unit) + " (patients are not known)" * (not known)
    whose = f"The rarest class, {rarest}, has" if labels else f"There {'is' if count == 1 else 'are'}"
    return f"{whose} {number}: {consequence}."


def _across(leaks: Sequence[Mapping[str, Any]], consequence: str) -> str:
    count = sum(d["same_patient"] is False for d in leaks)
    return f"{plural(count, 'pair')} of (nearly) equal pictures stand under two patients, who count as one; {consequence}."


def _conflict_words(conflicts: Sequence[Mapping[str, Any]]) -> str:
    kinds = Counter(c["kind"] for c in conflicts)
    parts = [plural(kinds[k], noun) for k, noun in (("picture", "picture pair"), ("patient", "patient")) if kinds[k]]
    return f"{' and '.join(parts)} with two labels: no model can be right about both."


def _shortcut_words(found: Mapping[str, Any]) -> str:
    auroc = say(Estimate(**found["auroc"]))
    return f"The {found['kind']} alone tell the classes apart with AUROC {auroc}: a model may be reading these instead of the anatomy."
