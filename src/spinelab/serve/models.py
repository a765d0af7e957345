"""Which model is meant: a folder, or ``builtin:NAME``."""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path
from typing import Final

from spinelab.core import InputError, Model, Task
from spinelab.serve.places import PathLike, existing

BUILTIN: Final = "builtin:"


def builtin_names() -> list[str]:
    """Return the names of the models that come with spinelab."""
    shelf = files("spinelab") / "models"
    return sorted(entry.name for entry in shelf.iterdir() if (entry / "model.json").is_file()) if shelf.is_dir() else []


def load(model: PathLike | Model) -> tuple[Model, Task]:
    """Load a model and its task.

    Raises
    ------
    InputError
        If there is no such model, or its folder was changed by hand.
    """
    from spinelab import io, tasks

    if isinstance(model, Model):
        return model, tasks.load(model.task)
    settings_types = {name: tasks.load(name).settings_type for name in tasks.names()}
    text = str(model)
    if text.startswith(BUILTIN):
        with as_file(files("spinelab") / "models" / _builtin(text)) as folder:
            loaded = io.load_model(folder, settings_types)
    else:
        loaded = io.load_model(_folder(text), settings_types)
    return loaded, tasks.load(loaded.task)


def _builtin(text: str) -> str:
    name, known = text.removeprefix(BUILTIN), builtin_names()
    if name not in known:
        listed = ", ".join(BUILTIN + k for k in known)
        raise InputError(
            f"There is no model {text!r}",
            expected=listed or "a model folder: this version comes without built-in models",
            action="choose one of these, or make a model with `spinelab fit TASK --data DIR --out MODEL`",
        )
    return name


def _folder(text: str) -> Path:
    expected = "a model folder written by `spinelab fit`, or builtin:NAME"
    folder = existing(text, expected)
    if not (folder / "model.json").is_file():
        raise InputError(f"{folder} holds no model.json", expected=expected, action="give the folder that was named with --out when the model was made")
    return folder
