"""A training or a reading that has not come to its end: the folder beside its own that keeps what is done, and what it was begun with."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from spinelab.core import InputError
from spinelab.serve.places import new_folder

FILE: Final = "begun.json"
"""What the work was begun with."""


@contextmanager
def work_folder(out: Path, begun: Mapping[str, Any], *, resume: bool) -> Iterator[Path]:
    """Lend ``<out>.work`` to a training or a reading; it is removed at the end, and kept at an interruption that left something in it.

    Parameters
    ----------
    begun
        What the work begins with, JSON-able: it goes on only with the same.

    Raises
    ------
    InputError
        If interrupted work lies there and ``resume`` is false, or it was begun with other choices.
    """
    folder = folder_of(out)
    new_folder(folder, ours=(FILE,), reuse=resume, hint="add --resume to go on with the interrupted work in it, or delete the folder to begin anew")
    known, same = folder / FILE, json.loads(json.dumps(begun))
    if known.is_file():
        _check_same(folder, json.loads(known.read_text(encoding="utf-8")), same)
    folder.mkdir(parents=True, exist_ok=True)
    known.write_text(json.dumps(same, indent=1), encoding="utf-8")
    try:
        yield folder
    except BaseException:
        if [path.name for path in folder.iterdir()] == [FILE]:
            shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)


def folder_of(out: Path) -> Path:
    """Return the folder that keeps what is done until ``out`` is finished."""
    return out.resolve().with_name(out.resolve().name + ".work")


def is_begun(out: Path) -> bool:
    """Return whether interrupted work for ``out`` can be gone on with."""
    return (folder_of(out) / FILE).is_file()


def _check_same(folder: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    asked = _choices(now)
    differ = [f"{name} was {value}, now {asked.get(name)}" for name, value in _choices(before).items() if asked.get(name) != value]
    if differ:
        raise InputError(
            f"{folder} holds interrupted work that was begun otherwise: {'; '.join(differ)}",
            expected="the choices that it was begun with",
            action="repeat these to go on with it, or delete the folder to begin anew",
        )


def _choices(begun: Mapping[str, Any]) -> dict[str, Any]:
    """Return the choices one by one, settings among the others."""
    return {key: value for key, value in begun.items() if key != "settings"} | dict(begun.get("settings", {}))
