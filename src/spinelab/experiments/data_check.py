"""What must be known about a data set before anything is trained on it."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spinelab.core import Example, Examples, Image, InputError, Progress, Run, silent
from spinelab.evaluation.types import Estimate
from spinelab.experiments.duplicates import Duplicate, Fingerprint, find_duplicates, fingerprint, merge_groups
from spinelab.experiments.shortcuts import patient_facts, picture_facts, probe
from spinelab.experiments.splits import patients_per_class
from spinelab.experiments.words import say
from spinelab.io import to_uint8
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


def check_data(examples: Examples, target: str, progress: Progress = silent) -> DataCheck:
    """Open every file once and say what stands in the way of an honest comparison.

    Raises
    ------
    InputError
        If files cannot be read (all of them are named, up to five), or if there are fewer than two classes.
    """
    labels = examples.labels(target)
    if not labels:
        raise InputError(f"{examples.root}: no examples", expected="a data set with at least two classes", action="check the path and the layout")
    _require_two_classes(examples, labels)
    prints, facts, sizes = _open_all(examples, progress)
    duplicates = find_duplicates(prints, progress)
    groups = merge_groups(examples.groups(), duplicates)
    shortcuts = _probes(examples, facts, labels, groups)
    listed = tuple(_listed(examples, labels, d) for d in duplicates)
    leaks = tuple(d for d in listed if not d["same_patient"])
    conflicts = _conflicts(examples, labels, listed)
    flags = _flags(examples, labels, listed, leaks, conflicts, shortcuts)
    summary = DataSummary(
        root=examples.root.name,
        digest=_digest(examples, labels, prints),
        patients=len(set(examples.groups())) if examples.patients_known else None,
        images=sum(max(1, len(e.files)) for e in examples),
        examinations=len(examples),
        classes=_class_counts(examples, labels),
        duplicates=listed,
        leaks=leaks,
        conflicts=conflicts,
        shortcuts=shortcuts,
        facts=_facts(examples, sizes),
        flags=flags,
        notes=examples.notes,
        phantom=examples.phantom,
    )
    return DataCheck(summary, tuple(groups))


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


def _require_two_classes(examples: Examples, labels: Sequence[str]) -> None:
    if len(set(labels)) < 2:
        raise InputError(
            f"{examples.root}: only one class ({labels[0]})",
            expected="at least two classes",
            action="add examples of another class; there is nothing to tell apart",
        )


def _open_all(examples: Examples, progress: Progress) -> tuple[list[Fingerprint], list[dict[str, float]], list[tuple[int, int]]]:
    """Return fingerprints of all pictures, and facts and size of each example's first."""
    prints: list[Fingerprint] = []
    facts: list[dict[str, float]] = []
    sizes: list[tuple[int, int]] = []
    broken: list[InputError] = []
    for index, example in enumerate(examples):
        progress(index, len(examples), "opening every file")
        try:
            study = example.open()
            pictures = [(image, to_uint8(_flat(image))) for image in study.images]
        except InputError as error:
            broken.append(error)
            continue
        prints += [_print_of(index, image, picture) for image, picture in pictures]
        if pictures:
            facts.append(picture_facts(pictures[0][1], _file_bytes(pictures[0][0])))
            sizes.append(pictures[0][1].shape)
    if broken:
        raise _unreadable(examples, broken)
    return prints, facts, sizes


def _flat(image: Image) -> Image:
    """Return a flat picture of a volume or cine loop: its middle slice or frame."""
    if image.axes[0] in "ZT":
        middle = np.array(image.pixels[image.pixels.shape[0] // 2])
        return Image(middle, image.axes[1:], modality=image.modality, window=image.window, source=image.source)
    return image


def _print_of(index: int, image: Image, picture: NDArray[np.uint8]) -> Fingerprint:
    path = Path(image.source) if image.source and Path(image.source).is_file() else None
    return fingerprint(index, str(image.view.value or ""), path, picture)


def _file_bytes(image: Image) -> int:
    path = Path(image.source)
    return path.stat().st_size if image.source and path.is_file() else image.pixels.nbytes


def _unreadable(examples: Examples, broken: Sequence[InputError]) -> InputError:
    shown = "; ".join(error.given for error in broken[:5])
    more = f"; and {len(broken) - 5} more" if len(broken) > 5 else ""
    return InputError(
        f"{len(broken)} of {len(examples)} examinations in {examples.root} cannot be read: {shown}{more}",
        expected=broken[0].expected,
        action="repair these files, or take them out of the folder or the manifest; nothing was trained",
    )


def _digest(examples: Examples, labels: Sequence[str], prints: Sequence[Fingerprint]) -> str:
    """Return a digest of names, labels, patients and contents, independent of where the folder lies."""
    contents: dict[int, list[str]] = defaultdict(list)
    for p in prints:
        contents[p.example].append(p.file_digest or p.pixel_digest)
    rows = sorted(f"{e.id}|{label}|{e.patient}|{','.join(contents[i])}" for i, (e, label) in enumerate(zip(examples, labels, strict=True)))
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()


def _class_counts(examples: Examples, labels: Sequence[str]) -> dict[str, dict[str, int | None]]:
    images: Counter[str] = Counter()
    for example, label in zip(examples, labels, strict=True):
        images[label] += max(1, len(example.files))
    patients = patients_per_class(labels, examples.groups()) if examples.patients_known else {}
    return {label: {"images": images[label], "patients": patients.get(label)} for label in sorted(images)}


def _listed(examples: Examples, labels: Sequence[str], d: Duplicate) -> dict[str, Any]:
    a, b = examples[d.a], examples[d.b]
    return {
        "a": a.id,
        "b": b.id,
        "kind": d.kind,
        "similarity": d.similarity,
        "same_patient": a.patient == b.patient if a.patient is not None else None,
        "same_label": labels[d.a] == labels[d.b],
    }


def _conflicts(examples: Examples, labels: Sequence[str], duplicates: Sequence[Mapping[str, Any]]) -> tuple[Mapping[str, Any], ...]:
    """Return pictures that carry two labels, then patients that do."""
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


def _flags(
    examples: Examples,
    labels: Sequence[str],
    duplicates: Sequence[Mapping[str, Any]],
    leaks: Sequence[Mapping[str, Any]],
    conflicts: Sequence[Mapping[str, Any]],
    shortcuts: Sequence[Mapping[str, Any]],
) -> tuple[Flag, ...]:
    rarest, count = next(iter(patients_per_class(labels, examples.groups()).items()))
    who = "patients" if examples.patients_known else "images (patients are not known)"
    flags = [
        (examples.phantom, "phantom-data", "These are digital phantoms: the figures say that the program works, nothing about patients."),
        (
            not examples.patients_known,
            "patients-unknown",
            "No patient column: films of one patient may stand on both sides of a split, and every figure may be too good.",
        ),
        (count < FEW_PATIENTS, "too-few-patients", f"The rarest class, {rarest}, has {count} {who}: too few to rank models that are close."),
        (
            bool(duplicates),
            "duplicates",
            f"{_plural(len(duplicates), 'pair')} of (nearly) equal pictures; copies were kept on one side of every split.",
        ),
        (any(d["same_patient"] is False for d in leaks), "duplicates-across-patients", _across(leaks)),
        (bool(conflicts), "conflicting-labels", _conflict_words(conflicts)),
        *[(True, "shortcut", _shortcut_words(s)) for s in shortcuts if s["suspicious"]],
    ]
    return tuple(Flag(code, text) for holds, code, text in flags if holds)


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' * (count != 1)}"


def _across(leaks: Sequence[Mapping[str, Any]]) -> str:
    count = sum(d["same_patient"] is False for d in leaks)
    return f"{_plural(count, 'pair')} of (nearly) equal pictures stand under two patients; these patients were treated as one in every split."


def _conflict_words(conflicts: Sequence[Mapping[str, Any]]) -> str:
    kinds = Counter(c["kind"] for c in conflicts)
    parts = [_plural(kinds[k], noun) for k, noun in (("picture", "picture pair"), ("patient", "patient")) if kinds[k]]
    return f"{' and '.join(parts)} with two labels: no model can be right about both."


def _shortcut_words(found: Mapping[str, Any]) -> str:
    auroc = say(Estimate(**found["auroc"]))
    return f"The {found['kind']} alone tell the classes apart with AUROC {auroc}: a model may be reading these instead of the anatomy."
