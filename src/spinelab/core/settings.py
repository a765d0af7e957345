"""One frozen dataclass of settings a task: documented, checked, readable from ``key=value`` and TOML.

@dataclass(frozen=True)
class MySettings(Settings):
    epochs: int = setting(30, "passes over the training films", low=1)
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from spinelab.core.errors import TaskError


def setting(default: Any, help: str, *, choices: tuple[Any, ...] = (), low: float | None = None, high: float | None = None) -> Any:
    """Declare a field of a `Settings` class with its one-line documentation and limits (both inclusive)."""
    return dataclasses.field(default=default, metadata={"help": help, "choices": choices, "low": low, "high": high})


@dataclass(frozen=True)
class Settings:
    """Base of every task's settings; a made object is a valid one."""

    def __post_init__(self) -> None:
        for spec in dataclasses.fields(self):
            _check(type(self).__name__, spec, getattr(self, spec.name))

    @classmethod
    def known(cls) -> dict[str, dataclasses.Field[Any]]:
        """Return the fields by name."""
        return {spec.name: spec for spec in dataclasses.fields(cls)}

    @classmethod
    def otherwise(cls, name: str, default: Any, help: str = "", *, choices: tuple[Any, ...] = ()) -> Any:
        """Declare a field of this class again for a class derived from it: another default and, where given, other words or choices; its limits stay."""
        declared = cls.known()[name].metadata
        return setting(default, help or declared["help"], choices=choices or declared["choices"], low=declared["low"], high=declared["high"])

    def with_overrides(self, overrides: Mapping[str, Any]) -> Self:
        """Return a copy with some values replaced; text is converted to each field's type.

        Raises
        ------
        TaskError
            For an unknown key (the known ones are listed) or a value of the wrong type or out of range.
        """
        hints = typing.get_type_hints(type(self))
        changes = {}
        for key, value in overrides.items():
            if key not in self.known():
                raise _unknown_key(key, self)
            changes[key] = _convert(key, value, hints[key])
        return dataclasses.replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    def describe(self) -> list[dict[str, Any]]:
        """Return name, value, type, choices and help of every setting, for ``--json`` and the docs."""
        hints = typing.get_type_hints(type(self))
        return [
            {
                "name": name,
                "default": getattr(self, name),
                "type": _type_name(hints[name]),
                "choices": list(spec.metadata.get("choices", ())),
                "help": spec.metadata.get("help", ""),
            }
            for name, spec in self.known().items()
        ]


def _unknown_key(key: str, settings: Settings) -> TaskError:
    close = difflib.get_close_matches(key, settings.known(), n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return TaskError(
        f"Unknown setting {key!r}", expected=f"one of {', '.join(sorted(settings.known()))}", action=f"{hint}`spinelab tasks NAME` explains each setting"
    )


def _check(owner: str, spec: dataclasses.Field[Any], value: Any) -> None:
    choices, low, high = (spec.metadata.get(k) for k in ("choices", "low", "high"))
    if choices and value not in choices:
        raise TaskError(f"{spec.name}={value!r} in {owner}", expected=f"one of {', '.join(map(str, choices))}", action=f"choose another {spec.name}")
    if isinstance(value, float) and not math.isfinite(value):
        raise TaskError(f"{spec.name}={value!r} in {owner}", expected="a finite number", action=f"choose another {spec.name}")
    too_low = low is not None and value is not None and value < low
    too_high = high is not None and value is not None and value > high
    if too_low or too_high:
        limits = " and ".join(t for t in (f"at least {low}" if low is not None else "", f"at most {high}" if high is not None else "") if t)
        raise TaskError(f"{spec.name}={value!r} in {owner}", expected=limits, action=f"choose another {spec.name}")


def _type_name(hint: Any) -> str:
    return " or ".join("none" if t is types.NoneType else t.__name__ for t in _members(hint))


def _members(hint: Any) -> tuple[Any, ...]:
    return typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)


def _convert(key: str, value: Any, hint: Any) -> Any:
    """Convert text or a TOML value to the field's type; refuse what does not fit."""
    members = _members(hint)
    if types.NoneType in members and (value is None or str(value).lower() == "none"):
        return None
    for member in members:
        try:
            return _convert_one(value, member)
        except (ValueError, TypeError):
            continue
    raise TaskError(f"{key}={value!r}", expected=f"a value of type {_type_name(hint)}", action=f"give {key} another value")


_TRUE, _FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


def _convert_one(value: Any, member: Any) -> Any:
    if member is bool:
        text = str(value).lower()
        if text in _TRUE or text in _FALSE:
            return text in _TRUE
        raise ValueError(value)
    if isinstance(value, bool):
        raise ValueError(value)
    if member is int:
        if isinstance(value, float) and not value.is_integer():
            raise ValueError(value)
        return int(value)
    if member is float:
        return float(value)
    if member is str and isinstance(value, str):
        return value
    raise ValueError(value)
