"""How well several readers agree: with each other, and with themselves where they measured twice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from spinelab.core import InputError
from spinelab.evaluation import form_key, readers_table
from spinelab.io.readings import Readings

SCHEMA: Final = "spinelab.agreement/1"
BETWEEN: Final = "between readers"
WITHIN: Final = "within a reader"


def reader_agreement(readings: Readings) -> dict[str, Any]:
    """Return for each measurement the tables of `spinelab.evaluation.readers_table`, ready for JSON.

    Returns
    -------
    dict
        ``schema``, ``films``, ``patients``, ``readers``, ``repeats``, and ``measurements``: a dict each with ``name``, ``between`` (the first repeat of all
        readers; ``None`` of one reader) and ``within`` (reader -> the table of that reader's repeats, of those who repeated).

    Raises
    ------
    InputError
        If there is one reader, and no second repeat.
    """
    if max(len(readings.readers), len(readings.repeats)) < 2:
        raise InputError(f"Only {readings.readers[0]} measured, and only once", expected="two readers, or two repeats", action="add the other readings")
    return {
        "schema": SCHEMA,
        "films": len(readings.images),
        "patients": len(set(readings.patients)),
        "readers": list(readings.readers),
        "repeats": len(readings.repeats),
        "measurements": [_measurement(readings, name) for name in readings.values],
    }


def _measurement(readings: Readings, name: str) -> dict[str, Any]:
    values, patients = readings.values[name], readings.patients
    between = readers_table(values[:, :, 0], readings.readers, patients) if len(readings.readers) > 1 else None
    again = len(readings.repeats) > 1
    within = {reader: readers_table(values[:, n], readings.repeats, patients) for n, reader in enumerate(readings.readers) if again}
    return {"name": name, "between": between, "within": within}


def reader_rows(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return one row a measurement and pair, and one of all readers together, with columns for a spreadsheet."""
    rows = []
    for measurement in found["measurements"]:
        tables = ([(BETWEEN, "", measurement["between"])] if measurement["between"] else []) + [
            (WITHIN, f"{reader} ", table) for reader, table in measurement["within"].items()
        ]
        for kind, whose, table in tables:
            head = {"measurement": measurement["name"], "kind": kind}
            rows += [head | {"a": f"{whose}{pair['a']}", "b": f"{whose}{pair['b']}"} | _pair_cells(pair) for pair in table["pairs"]]
            rows.append(head | {"a": f"{whose}all".strip(), "b": ""} | _overall_cells(table["overall"]))
    return rows


def _pair_cells(pair: dict[str, Any]) -> dict[str, Any]:
    limits = pair.get("bland_altman", {})
    figures = {"bias": limits.get("bias"), "lower_limit": limits.get("lower"), "upper_limit": limits.get("upper")}
    figures |= {name: value for name, value in pair.items() if isinstance(value, dict) and name not in ("bland_altman", "wilcoxon")}
    p = {"wilcoxon_p": pair["wilcoxon"]["p"]} if "wilcoxon" in pair else {}
    return {"n": pair["n"], "patients": pair["patients"], **_with_limits(figures), **p, "method": limits.get("note", ""), "note": pair.get("note", "")}


def _overall_cells(overall: dict[str, Any]) -> dict[str, Any]:
    figures = {form_key(name): form["icc"] for name, form in overall.get("forms", {}).items()}
    figures |= {name: overall[name] for name in ("sem_agreement", "sem_consistency", "mdc95_agreement", "mdc95_consistency") if name in overall}
    return {"n": overall["n"], "patients": overall["patients"], **_with_limits(figures), "note": overall["note"]}


def _with_limits(figures: dict[str, Any]) -> dict[str, Any]:
    known = {name: value for name, value in figures.items() if value is not None}
    return {f"{name}{end}": value[key] for name, value in known.items() for end, key in (("", "value"), ("_lo", "lo"), ("_hi", "hi"))}
