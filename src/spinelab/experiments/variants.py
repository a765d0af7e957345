"""A list of settings from ``--vary key=a,b,c``: every combination once, named by what varies."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from spinelab.core import Settings, TaskError


@dataclass(frozen=True)
class Plan:
    """One model to be trained: its name, what varies, and all of its settings."""

    name: str
    varied: Mapping[str, Any]
    settings: Settings

    @property
    def key(self) -> str:
        """Name of its folder: readable, and different for different settings."""
        digest = hashlib.sha256(json.dumps(self.settings.to_dict(), sort_keys=True).encode()).hexdigest()[:8]
        readable = "".join(c if c.isalnum() or c in "-_.=" else "-" for c in self.name)[:60]
        return f"{readable}-{digest}"


def plans(settings: Settings, vary: Mapping[str, Sequence[Any]]) -> list[Plan]:
    """Return every combination of the varied settings, checked before anything is trained.

    Raises
    ------
    TaskError
        For an unknown setting, a value that it does not take, no value at all, or a value given twice.
    """
    for key, values in vary.items():
        if not values:
            raise TaskError(f"--vary {key}= without values", expected="values separated by commas", action=f"write --vary {key}=a,b,c")
        if len(set(map(str, values))) < len(values):
            raise TaskError(f"--vary {key}={','.join(map(str, values))}", expected="each value once", action="leave the repeated value out")
    found = []
    for values in itertools.product(*vary.values()):
        overrides = dict(zip(vary, values, strict=True))
        chosen = settings.with_overrides(overrides)
        varied = {key: getattr(chosen, key) for key in vary}
        found.append(Plan(_name(varied, chosen), varied, chosen))
    return found


def _name(varied: Mapping[str, Any], settings: Settings) -> str:
    if not varied:
        return str(getattr(settings, "model", "model"))
    return " + ".join(str(v) if isinstance(v, str) and not v.isdigit() else f"{k}={v}" for k, v in varied.items())
