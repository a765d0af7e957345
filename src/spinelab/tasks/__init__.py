"""One folder per clinical question. `names` lists them and `load` returns one; a new folder with a ``TASK`` is a new task."""

from __future__ import annotations

import difflib
import pkgutil
from importlib import import_module

from spinelab.core import Task, TaskError

__all__ = ["load", "names"]


def names() -> list[str]:
    """Return the names of all tasks, as typed on the command line."""
    return sorted(_name(module.name) for module in pkgutil.iter_modules(__path__) if module.ispkg and not module.name.startswith("_"))


def load(name: str) -> Task:
    """Return the task called ``name``; hyphens and underscores are the same.

    Raises
    ------
    TaskError
        If there is no such task; the known ones are listed, with the closest.
    """
    wanted = _name(name.strip().lower())
    known = names()
    if wanted not in known:
        close = difflib.get_close_matches(wanted, known, n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise TaskError(f"Unknown task {name!r}", expected=f"one of {', '.join(known)}", action=f"{hint}`spinelab tasks` says what each one answers")
    task: Task = import_module(f"{__name__}.{wanted.replace('-', '_')}").TASK
    return task


def _name(text: str) -> str:
    return text.replace("_", "-")
