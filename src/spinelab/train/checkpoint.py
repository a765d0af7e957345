"""A fit that was interrupted, on disk: tensors and JSON in one safetensors file, renamed into place, nothing pickled."""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from spinelab.core import InputError

SCHEMA: Final = "spinelab.checkpoint/1"
FILE: Final = "checkpoint.safetensors"


@dataclass
class Checkpoint:
    """Where a fit stands after a pass.

    ``tensors`` holds ``model.*``, ``best.*`` and ``optimizer.<parameter>.<quantity>``; ``facts`` everything that JSON can hold.
    ``job`` identifies data, classes and settings: a checkpoint of another job is not continued.
    """

    job: str
    tensors: dict[str, Tensor]
    facts: dict[str, Any] = field(default_factory=dict)

    def part(self, prefix: str) -> dict[str, Tensor]:
        """Return the tensors below ``prefix``, without it."""
        return {name.removeprefix(prefix + "."): tensor for name, tensor in self.tensors.items() if name.startswith(prefix + ".")}


def save(folder: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint; the one before stays whole until the new one is."""
    aside = folder / f"{FILE}.{os.getpid()}.part"
    facts = {"schema": SCHEMA, "job": checkpoint.job, "facts": json.dumps(checkpoint.facts)}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        save_file({name: tensor.detach().cpu().contiguous().clone() for name, tensor in checkpoint.tensors.items()}, aside, metadata=facts)
        aside.replace(folder / FILE)
    except (OSError, SafetensorError) as error:
        raise InputError(
            f"The checkpoint cannot be written to {folder}: {error}", expected="a writable folder with free space", action="free some space"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            aside.unlink()


def load(folder: Path, job: str) -> Checkpoint | None:
    """Return the checkpoint of this job, or ``None`` where there is none that is whole."""
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="pt") as stream:
            facts = stream.metadata() or {}
            if facts.get("schema") != SCHEMA or facts.get("job") != job:
                return None
            return Checkpoint(job, {name: stream.get_tensor(name) for name in stream.keys()}, json.loads(facts["facts"]))  # noqa: SIM118  (not a mapping)
    except (SafetensorError, OSError, ValueError, KeyError):
        return None


def remove(folder: Path) -> None:
    """Forget the checkpoint of a finished fit."""
    (folder / FILE).unlink(missing_ok=True)


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> tuple[dict[str, Tensor], list[dict[str, Any]]]:
    """Return the optimiser's tensors by ``<parameter>.<quantity>`` and its groups, which JSON can hold."""
    state = optimizer.state_dict()
    tensors = {
        f"{number}.{name}": value if isinstance(value, Tensor) else torch.tensor(float(value))
        for number, quantities in state["state"].items()
        for name, value in quantities.items()
        if value is not None
    }
    return tensors, state["param_groups"]


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor], groups: list[dict[str, Any]]) -> None:
    """Put back what `optimizer_tensors` returned."""
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        number, quantity = name.split(".", 1)
        state.setdefault(int(number), {})[quantity] = tensor
    for group in groups:
        group.update({key: tuple(value) for key, value in group.items() if key == "betas"})
    optimizer.load_state_dict({"state": state, "param_groups": groups})
