"""A model of several networks, one for each kind of series: taken apart for use, put together for keeping."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import fmean
from typing import TYPE_CHECKING, Any, Final

from spinelab.core import Example, Model, Run
from spinelab.evaluation.rsna import COLUMNS, GRADES, RsnaLabels
from spinelab.evaluation.rsna_baselines import rsna_constant
from spinelab.tasks.lumbar_mri.settings import LumbarMriSettings
from spinelab.tasks.lumbar_mri.targets import AXIAL_T2

if TYPE_CHECKING:
    from spinelab.tasks.lumbar_mri.places import Place

SHARED: Final = "every series"
LEVELS: Final = "levels/"
"""What the weights of the level finder are called by."""
_GRADES: Final = "grades/"


def plane_of_row(row: Example) -> str:
    """Return the kind of series on which a question was marked or, if nowhere, is usually answered."""
    return str(row.facts["plane"].value)


def part_of(run: Run, name: str, number: int, total: int) -> Run:
    """Return the circumstances of one network's fit, as a share of the whole."""
    inside = run.inside(name.replace("/", " "))
    return inside if total == 1 else inside.between(number / total, (number + 1) / total, f"{name}: ")


def joined(task: str, settings: LumbarMriSettings, classes: tuple[str, ...], parts: Mapping[str, Model], grades: RsnaLabels) -> Model:
    """Return one model of all networks; its record holds theirs, and the constant answer that the training grades give."""
    tensors = {f"{_GRADES}{name}/{key}": values for name, part in parts.items() for key, values in part.tensors.items()}
    records = {name: part.record for name, part in parts.items()}
    first = next(iter(records.values()))
    constant = rsna_constant(grades, "weighted-frequencies-per-column")
    record: dict[str, Any] = {
        **{key: first[key] for key in ("device", "accelerator", "precision", "weights", "seed", "phantom", "versions")},
        "history": _history(list(records.values())),
        "epochs": max(r["epochs"] for r in records.values()),
        "best_epoch": max(r["best_epoch"] for r in records.values()),
        "stopped": "last-epoch" if any(r["stopped"] == "last-epoch" for r in records.values()) else first["stopped"],
        "seconds": round(sum(r["seconds"] for r in records.values()), 3),
        "peak_memory_mb": max(r["peak_memory_mb"] for r in records.values()),
        "notes": _notes(records),
        "patients": max(r["patients"] for r in records.values()),
        "networks": {name: {k: v for k, v in r.items() if k != "versions"} for name, r in records.items()},
        "constant": {column: dict(zip(GRADES, map(float, constant[i]), strict=True)) for i, column in enumerate(COLUMNS)},
    }
    return Model(task, settings, classes, tensors, record, next(iter(parts.values())).preprocessing)


def _notes(records: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return what was remarked: what every network says once, the rest with the kind of series."""
    said = {name: set(r["notes"]) for name, r in records.items()}
    common = set.intersection(*said.values())
    return list(dict.fromkeys(note if note in common else f"{name}: {note}" for name, r in records.items() for note in r["notes"]))


def _history(records: list[dict[str, Any]]) -> list[dict[str, float]]:
    """Return one row a pass: what the networks had on average, and their seconds together."""
    rows = []
    for epoch in range(max(len(r["history"]) for r in records)):
        own = [r["history"][epoch] for r in records if epoch < len(r["history"])]
        keys = [key for key in own[0] if all(key in row for row in own)]
        row = {key: fmean(float(o[key]) for o in own) for key in keys}
        rows.append(row | {"seconds": sum(float(o["seconds"]) for o in own)})
    return rows


def part_models(model: Model) -> dict[str, Model]:
    """Return the networks as models of their own, by kind of series."""
    if model.network is None:
        tensors: dict[str, dict[str, Any]] = {}
        for key, values in model.tensors.items():
            if key.startswith(_GRADES):
                name, _, rest = key.removeprefix(_GRADES).rpartition("/")
                tensors.setdefault(name, {})[rest] = values
        model.network = {name: Model(model.task, model.settings, model.classes, own, model.record) for name, own in tensors.items()}
    parts: dict[str, Model] = model.network
    return parts


def is_mirrored(place: Place, settings: LumbarMriSettings) -> bool:
    """Return whether a place is shown mirrored, as if it were on the left."""
    return settings.mirrors_right and place.target.description == AXIAL_T2 and place.target.question.side == "right"


def on_plane(parts: Mapping[str, Model], place: Place) -> Model | None:
    """Return the network for the series in which a place lies."""
    return parts.get(SHARED) or parts.get(str(place.target.description))
