"""A folder a class (or a manifest) as the public collection has it: four classes, flexibly named; others are refused."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from spinelab.core import Example, Examples, Fact, Finding, InputError, Result, counted
from spinelab.train import labelled as folders

TASK_NAME: Final = "spine-lesion-xray"
TARGET: Final = "lesion"
NORMAL: Final = "normal"
CLASSES: Final = (NORMAL, "foraminal-stenosis", "osteophyte", "surgical-implant")
"""Normal first, as everywhere; then in the order of the source's confusion matrix."""
TRUTH: Final = "truth.json"
_FACTS: Final = ("region", "view")

_NAMES: Final[Mapping[str, str]] = {
    "normal": NORMAL, "normalspine": NORMAL, "healthy": NORMAL, "nofinding": NORMAL, "control": NORMAL,
    "foraminalstenosi": "foraminal-stenosis", "foraminalnarrowing": "foraminal-stenosis", "stenosi": "foraminal-stenosis",
    "spinalstenosi": "foraminal-stenosis", "foramenstenosi": "foraminal-stenosis", "neuralforaminalnarrowing": "foraminal-stenosis",
    "neuralforaminalstenosi": "foraminal-stenosis", "neuroforaminalstenosi": "foraminal-stenosis", "neuroforaminalnarrowing": "foraminal-stenosis",
    "osteophyte": "osteophyte", "osteophytosi": "osteophyte", "spur": "osteophyte", "bonespur": "osteophyte", "spondylophyte": "osteophyte",
    "surgicalimplant": "surgical-implant", "spinalimplant": "surgical-implant", "implant": "surgical-implant", "hardware": "surgical-implant",
    "instrumentation": "surgical-implant",
}  # fmt: skip


def class_of(name: str) -> str | None:
    """Return the class that a folder or label names: case, spaces, hyphens, digits and a plural do not matter."""
    letters = re.sub(r"[^a-z]", "", name.lower())
    return _NAMES.get(re.sub(r"stenos[ei]s$", "stenosi", letters).rstrip("s"))


def examples(root: Path) -> Examples:
    """Read a folder a class, or a manifest CSV (path, label, optionally patient, view, sex, age, site, region).

    Raises
    ------
    InputError
        If the folder is neither, or a class is none of the four; all strange ones are named.
    """
    found = folders.examples(root)
    strange = sorted({label for label in found.labels(folders.TARGET) if class_of(label) is None})
    if strange:
        raise InputError(
            f"{root}: {counted(len(strange), '[class|classes]')} that this task does not know: {', '.join(strange)}",
            expected=f"folders or labels that name {', '.join(CLASSES)} (case, spaces and plurals do not matter)",
            action="rename them, leave them out, or use the task `images` for classes of your own",
        )
    drawn = _drawn(found.root) if found.phantom else {}
    return replace(found, items=tuple(_own(e, drawn.get(e.id)) for e in found))


def _own(example: Example, drawn: Result | None) -> Example:
    label = example.truth.finding(folders.TARGET)
    name = class_of(str(label.label)) if label is not None else None
    places = drawn.landmarks if drawn is not None else ()
    facts = {k: v for k, v in example.facts.items() if k not in _FACTS} | {k: _said(k, example.facts[k]) for k in _FACTS if k in example.facts}
    return replace(example, truth=Result(TASK_NAME, "reader", example.id, findings=(Finding(TARGET, name),), landmarks=places), facts=facts)


def _said(name: str, fact: Fact) -> Fact:
    """Return a region or view in small or capital letters as the program says it elsewhere."""
    if fact.value is None:
        return fact
    return replace(fact, value=str(fact.value).lower() if name == "region" else str(fact.value).upper())


def _drawn(root: Path) -> dict[str, Result]:
    """Return the truth that lies beside phantoms, by study; nothing where it was taken away."""
    path = root / TRUTH
    if not path.is_file():
        return {}
    try:
        return {r.study: r for r in map(Result.from_dict, json.loads(path.read_text(encoding="utf-8")))}
    except (ValueError, TypeError) as error:
        raise InputError(f"{path} is damaged", expected="the truth that `spinelab phantom` wrote", action="make the phantoms again") from error


def lesion_mask(truth: Result, shape: tuple[int, int]) -> NDArray[np.bool_] | None:
    """Return where the lesions were drawn, as boxes (rows, columns) between pairs of landmarks; ``None`` where the truth does not tell."""
    mask = np.zeros(shape, dtype=bool)
    corners = {p.name: p for p in truth.landmarks}
    for name, low in corners.items():
        if name.endswith(" upper left") and (high := corners.get(name.replace(" upper left", " lower right"))) is not None:
            mask[round(low.y) : round(high.y) + 1, round(low.x) : round(high.x) + 1] = True
    return mask if mask.any() else None
