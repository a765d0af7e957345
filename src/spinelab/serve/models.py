"""Which model is meant: a folder, ``builtin:NAME``, or one in memory."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from spinelab.core import InputError, Model, Result, Task
from spinelab.serve.places import PathLike, existing

PHANTOM_NOTE: Final = "The model was trained on digital phantoms: what it says is no evidence about a patient."


def load(model: PathLike | Model) -> tuple[Model, Task]:
    """Load a model and its task.

    Raises
    ------
    InputError
        If there is no such model, or its folder was changed by hand.
    """
    from spinelab import io, tasks

    if not isinstance(model, Model):
        if not str(model).startswith("builtin:"):
            _check_folder(model)
        model = io.load_model(str(model), {name: tasks.load(name).settings_type for name in tasks.names()})
    return model, tasks.load(model.task)


def card_of(task: Task) -> str:
    """Return the card that the task's authors wrote."""
    from importlib.resources import files

    return (files(type(task).__module__.rpartition(".")[0]) / "card.md").read_text(encoding="utf-8")


def of_phantoms(model: Model) -> bool:
    """Return whether a model learnt from phantoms."""
    return bool(model.record.get("phantom") or model.record.get("data", {}).get("phantom"))


def with_origin(model: Model, result: Result) -> Result:
    """Return an answer that says so first if the model learnt from phantoms."""
    return replace(result, notes=(PHANTOM_NOTE, *result.notes)) if of_phantoms(model) else result


def summary(model: Model) -> dict[str, Any]:
    """Return what a reader of the report should know about the model."""
    record, data = model.record, model.record.get("data", {})
    facts = {key: record.get(key) for key in ("train", "validation", "weights", "precision", "device", "versions")}
    return {"model": model.name, "classes": model.classes, "training data": data.get("root"), "patients": record.get("patients")} | facts


def _check_folder(place: PathLike) -> None:
    """Refuse what is no model folder in words that name the ones that are."""
    expected = "a model folder written by `spinelab fit`, or builtin:NAME"
    folder = existing(place, expected)
    if not (folder / "model.json").is_file():
        raise InputError(f"{folder} holds no model.json", expected=expected, action="give the folder that was named with --out when the model was made")
