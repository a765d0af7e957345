"""What the user chose, from text to checked settings: ``key=value``, ``key=a,b,c`` and TOML files."""

from __future__ import annotations

import itertools
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from spinelab.core import InputError, Settings, TaskError

S = TypeVar("S", bound=Settings)


def parse_set(words: Iterable[str]) -> dict[str, str]:
    """Turn ``["epochs=5", "model=resnet18"]`` into a mapping.

    Raises
    ------
    TaskError
        For a word without ``=``, without a key, or a key given twice.
    """
    chosen: dict[str, str] = {}
    for word in words:
        key, equals, value = (part.strip() for part in word.partition("="))
        if not (key and equals):
            raise TaskError(f"--set {word!r}", expected="key=value, such as --set epochs=5", action="put the name of the setting, an equals sign and the value")
        if key in chosen:
            raise TaskError(f"--set gives {key!r} twice ({chosen[key]!r} and {value!r})", expected="each setting once", action="leave one of them out")
        chosen[key] = value
    return chosen


def parse_vary(words: Iterable[str]) -> dict[str, list[str]]:
    """Turn ``["model=simple-cnn,resnet18"]`` into a mapping from key to values.

    Raises
    ------
    TaskError
        For a word without ``=``, an empty value, or a key given twice.
    """
    varied: dict[str, list[str]] = {}
    for word in words:
        key, equals, text = (part.strip() for part in word.partition("="))
        values = [value.strip() for value in text.split(",")]
        if not (key and equals and all(values)):
            raise TaskError(
                f"--vary {word!r}", expected="key=a,b,c without empty values, such as --vary model=simple-cnn,resnet18", action="name the values to compare"
            )
        if key in varied:
            raise TaskError(f"--vary gives {key!r} twice", expected="each key once, with all of its values", action=f"write --vary {key}=a,b,c")
        varied[key] = values
    return varied


def read_settings_file(path: Path) -> dict[str, Any]:
    """Read settings from a TOML file whose top level is ``key = value``.

    Raises
    ------
    InputError
        If the file is absent, unreadable, not TOML, or holds tables.
    """
    try:
        chosen = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}", expected="a readable TOML file of settings", action="check the path given to --settings") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not TOML: {error}", expected='lines such as epochs = 5 or model = "resnet18"', action="correct that line") from error
    nested = [key for key, value in chosen.items() if isinstance(value, dict | list)]
    if nested:
        raise InputError(f"{path}: {nested[0]!r} is a table or a list", expected="one value a setting, at the top level", action="write key = value lines only")
    return chosen


def settle(default: S, *layers: Settings | Mapping[str, Any] | None) -> S:
    """Lay choices over the defaults, later ones over earlier ones; a made `Settings` replaces all that came before."""
    settled = default
    for layer in layers:
        if isinstance(layer, Settings):
            if not isinstance(layer, type(default)):
                raise TaskError(f"Settings of type {type(layer).__name__}", expected=type(default).__name__, action="use the settings of the same task")
            settled = layer
        elif layer:
            settled = settled.with_overrides(layer)
    return settled


def settle_vary(settings: Settings, vary: Mapping[str, Sequence[Any]], fixed: Iterable[str] = ()) -> dict[str, list[Any]]:
    """Check every value and every combination of values before anything is trained, and convert them to the settings' types.

    Raises
    ------
    TaskError
        For nothing to vary, an unknown key or value, a value given twice, or a key that is also fixed.
    """
    if not vary:
        raise TaskError("Nothing to compare", expected="at least one key with its values, such as --vary model=simple-cnn,resnet18", action="add --vary")
    settled: dict[str, list[Any]] = {}
    for key, values in vary.items():
        if key in set(fixed):
            raise TaskError(
                f"{key!r} is both set and varied", expected="one of the two", action=f"leave {key} out of --set (and of the settings file) or out of --vary"
            )
        if isinstance(values, str) or not values:
            raise TaskError(f"{key}={values!r} to vary", expected="a list of one or more values", action=f"give {key} a list of values")
        settled[key] = [getattr(settings.with_overrides({key: value}), key) for value in values]
        repeated = next((value for value in settled[key] if settled[key].count(value) > 1), None)
        if repeated is not None:
            raise TaskError(f"{key}={repeated} is listed twice to vary", expected="each value once", action="leave the second one out")
    for combination in itertools.product(*settled.values()):
        settings.with_overrides(dict(zip(settled, combination, strict=True)))
    return settled
