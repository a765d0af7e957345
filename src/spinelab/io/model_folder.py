"""A model on disk: ``weights.safetensors``, ``model.json`` and ``card.md``; nothing is ever unpickled, and edits by hand are found.

``docs/reference/model-folder.md`` describes the files.
"""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import shutil
import tempfile
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as tensors_to_bytes

from spinelab.core import InputError, Model, Settings, TaskError, counted
from spinelab.io.packing import unpacked

SCHEMA: Final = "spinelab.model/1"
WEIGHTS, FACTS, CARD = "weights.safetensors", "model.json", "card.md"
BUILTIN: Final = "builtin:"
_AGAIN: Final = "use the folder as `spinelab fit` wrote it, or train the model again"


def save_model(model: Model, folder: Path | str, card: str) -> None:
    """Write a model folder, whole or not at all; a model that was there before is replaced once the new one is complete.

    Raises
    ------
    InputError
        If the folder holds something else than a model, if a weight is not a finite number, or if the disk refuses.
    """
    target = Path(folder)
    _require_replaceable(target)
    _require_finite(model.tensors, str(target))
    weights = tensors_to_bytes({name: np.ascontiguousarray(values) for name, values in model.tensors.items()})
    facts = _facts(model, weights)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
        try:
            aside.chmod(0o777 & ~_umask())
            (aside / WEIGHTS).write_bytes(weights)
            (aside / CARD).write_text(card, encoding="utf-8")
            (aside / FACTS).write_text(json.dumps(facts, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
            _swap(aside, target)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    except OSError as error:
        raise _cannot_write(target, len(weights), error) from error


def load_model(folder: Path | str, settings_types: Mapping[str, type[Settings]]) -> Model:
    """Read a model folder and check that it is as it was written.

    Parameters
    ----------
    folder
        The folder, or ``builtin:NAME``.
    settings_types
        Settings class of every task.

    Raises
    ------
    InputError
        If a file is missing, unreadable, of another schema, or was changed afterwards.
    TaskError
        If the model belongs to an unknown task or its settings do not fit this version.
    """
    source = builtin_folder(str(folder).removeprefix(BUILTIN)) if str(folder).startswith(BUILTIN) else Path(folder)
    facts = _read_facts(source)
    tensors = _read_weights(source, facts)
    kind = settings_types.get(facts["task"])
    if kind is None:
        raise TaskError(
            f"{source} is a model of the task {facts['task']!r}", expected=f"one of {', '.join(sorted(settings_types))}", action="install what this task needs"
        )
    settings = kind().with_overrides(facts["settings"])
    return Model(facts["task"], settings, tuple(facts["classes"]), tensors, facts["record"], facts["preprocessing"])


def builtin_folder(name: str) -> Path:
    """Return the folder of a model that comes with spinelab; raises `InputError` listing those that exist."""
    shelf = Path(str(files("spinelab"))) / "models"
    known = sorted(entry.name for entry in shelf.iterdir() if (entry / FACTS).is_file()) if shelf.is_dir() else []
    if name not in known:
        listed = ", ".join(BUILTIN + k for k in known)
        raise InputError(
            f"There is no model {BUILTIN}{name}",
            expected=listed or "a model folder: this version comes without built-in models",
            action="make a model with `spinelab fit TASK --data DIR --out MODEL`",
        )
    return shelf / name


def _facts(model: Model, weights: bytes) -> dict[str, Any]:
    body = {
        "schema": SCHEMA,
        "task": model.task,
        "classes": list(model.classes),
        "settings": model.settings.to_dict(),
        "preprocessing": model.preprocessing,
        "record": _plain(model.record),
        "parameters": model.parameters,
        "weights_sha256": hashlib.sha256(weights).hexdigest(),
    }
    # What is digested is what a reader will find: tuples become lists first.
    body = json.loads(json.dumps(body, allow_nan=False))
    return {**body, "digest": _digest(body)}


def _plain(value: Any) -> Any:
    """Turn numpy scalars and non-finite numbers into what JSON can hold."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return str(value) if isinstance(value, Path) else value


def _digest(body: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _read_facts(source: Path) -> dict[str, Any]:
    path = source / FACTS
    text = _bytes(path)
    try:
        body = json.loads(text)
    except ValueError as error:
        raise InputError(f"{path} is not JSON: {error}", expected=f"a file of schema {SCHEMA}", action=_AGAIN) from error
    schema = body.get("schema") if isinstance(body, dict) else type(body).__name__
    if schema != SCHEMA:
        raise InputError(
            f"{path} has the schema {schema!r}", expected=SCHEMA, action="use a version of spinelab that knows this schema, or train the model again"
        )
    digest = body.pop("digest", None)
    if digest != _digest(body):
        raise InputError(f"{path} was edited by hand: its content does not match its digest", expected="the file as it was written", action=_AGAIN)
    return dict(body)


def _read_weights(source: Path, facts: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    path = source / WEIGHTS
    raw = _bytes(path)
    found = hashlib.sha256(raw).hexdigest()
    if found != facts["weights_sha256"]:
        raise InputError(
            f"{path} has the SHA-256 {found[:12]}..., {FACTS} says {facts['weights_sha256'][:12]}...",
            expected="the weights that belong to this model.json, whole and unchanged",
            action=_AGAIN,
        )
    try:
        tensors: dict[str, NDArray[Any]] = load_tensors(raw)
    except (SafetensorError, ValueError, KeyError) as error:
        raise InputError(f"{path} is not a safetensors file: {error}", expected="weights as safetensors", action=_AGAIN) from error
    _require_finite(tensors, str(path))
    return unpacked(tensors)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        expected = f"a model folder with {WEIGHTS}, {FACTS} and {CARD}"
        raise InputError(f"{path} cannot be read: {error.strerror or error}", expected=expected, action="check the path") from error


def _require_finite(tensors: Mapping[str, NDArray[Any]], where: str) -> None:
    bad = [name for name, values in tensors.items() if np.issubdtype(values.dtype, np.floating) and not np.isfinite(values).all()]
    if bad:
        raise InputError(
            f"{where}: {counted(bad, '[weight is not a finite number|weights are not finite numbers]')}",
            expected="finite weights",
            action="train the model again",
        )


def _require_replaceable(target: Path) -> None:
    if not target.exists():
        return
    ours = {WEIGHTS, FACTS, CARD, "model.onnx"}
    names = {entry.name for entry in target.iterdir()} if target.is_dir() else {target.name}
    if not target.is_dir() or names - ours or (names and FACTS not in names):
        raise InputError(f"{target} exists and is not a model folder", expected="a new folder, or a model to replace", action="choose another folder")


def _swap(aside: Path, target: Path) -> None:
    """Put the finished folder in place; a folder cannot be renamed onto one that is not empty."""
    if not target.exists():
        aside.replace(target)
        return
    old = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}.old."))
    target.replace(old)
    try:
        aside.replace(target)
    except OSError:
        old.replace(target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _cannot_write(target: Path, needed: int, error: OSError) -> InputError:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    return InputError(
        f"The model cannot be written to {target}: {'the disk is full' if full else error.strerror or error}",
        expected=f"a writable folder with {needed:,} free bytes",
        action="free some space or choose another folder; nothing that was there has been lost",
    )
