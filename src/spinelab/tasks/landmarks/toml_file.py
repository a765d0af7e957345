"""``measurements.toml`` to a declaration; everything that can be wrong with it is said by the place where it stands."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from spinelab.core import InputError
from spinelab.tasks.landmarks.declaration import AXES, Declaration, Measure, Spot, asked_of

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_EXPECTED: Final = "tables [angle.NAME], [distance.NAME], [mirror], [regions] and a list `landmarks`, all optional"
_ANGLE: Final = "lines = [[a, b], [c, d]], or points = [a, b, c] (the angle at b), or line = [a, b] with to = 'horizontal' or 'vertical'"
_DISTANCE: Final = "points = [a, b], optionally with along = 'horizontal' or 'vertical'; or point = a with line = [b, c]"


def read_declaration(path: Path) -> Declaration:
    """Read the file; raises `InputError` naming the table and what is wrong in it. Names of points are checked later, against the data."""
    try:
        body = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{path.name} cannot be read: {error}", expected=_EXPECTED, action="correct the file") from error
    asked_of(body, ("landmarks", "angle", "distance", "mirror", "regions"), path.name)
    measures = [_angle(name, table, f"{path.name}: [angle.{name}]") for name, table in _tables(body, "angle", path.name)]
    measures += [_distance(name, table, f"{path.name}: [distance.{name}]") for name, table in _tables(body, "distance", path.name)]
    _check_names(path.name, measures)
    landmarks = _names(body.get("landmarks", []), f"{path.name}: landmarks", least=0)
    return Declaration(landmarks, tuple(measures), _pairs(body, path.name), _regions(body, path.name))


def _tables(body: Mapping[str, Any], kind: str, source: str) -> list[tuple[str, Mapping[str, Any]]]:
    tables = body.get(kind, {})
    if not isinstance(tables, Mapping) or not all(isinstance(table, Mapping) for table in tables.values()):
        raise InputError(f"{source}: {kind} is no group of tables", expected=f"[{kind}.NAME] and below it what it measures", action="give each one a name")
    return list(tables.items())


def _angle(name: str, table: Mapping[str, Any], where: str) -> Measure:
    shapes = [key for key in ("lines", "points", "line") if key in table]
    if len(shapes) != 1:
        raise InputError(f"{where} has {' and '.join(shapes) or 'nothing to measure'}", expected=_ANGLE, action="give one of these")
    allowed = {"lines": ("lines", "signed", "title"), "points": ("points", "title"), "line": ("line", "to", "signed", "title")}[shapes[0]]
    asked_of(table, allowed, where)
    signed, title = _sign(table, where), _title(name, table, where)
    if shapes == ["points"]:
        return Measure(name, "corner", _spots(table["points"], where, 3, _ANGLE), title)
    if shapes == ["line"]:
        return Measure(name, "axis", _spots(table["line"], where, 2, _ANGLE), title, _axis(table.get("to"), where, "to", _ANGLE), signed)
    lines = table["lines"]
    if not isinstance(lines, list) or len(lines) != 2:
        raise InputError(f"{where}: lines = {lines!r}", expected=_ANGLE, action="give two lines of two points each")
    first, second = (_spots(line, where, 2, _ANGLE) for line in lines)
    if set(first) == set(second):
        raise InputError(f"{where}: both lines run through the same points", expected="two different lines", action="correct one of them")
    return Measure(name, "lines", (*first, *second), title, "", signed)


def _distance(name: str, table: Mapping[str, Any], where: str) -> Measure:
    if ("points" in table) == ("point" in table):
        raise InputError(f"{where} has {'points and point' if 'point' in table else 'nothing to measure'}", expected=_DISTANCE, action="give one of these")
    title = _title(name, table, where)
    if "point" in table:
        asked_of(table, ("point", "line", "title"), where)
        if "line" not in table:
            raise InputError(f"{where} has a point and no line", expected=_DISTANCE, action="give the line that its distance is measured from")
        line = table["line"] if isinstance(table["line"], list) else [table["line"]]
        return Measure(name, "offset", _spots([table["point"], *line], where, 3, _DISTANCE), title)
    asked_of(table, ("points", "along", "signed", "title"), where)
    along = _axis(table["along"], where, "along", _DISTANCE) if "along" in table else ""
    signed = _sign(table, where)
    if signed and not along:
        raise InputError(f"{where} is signed and along no axis", expected="a sign only along an axis", action="add along = 'horizontal' or 'vertical'")
    return Measure(name, "pair", _spots(table["points"], where, 2, _DISTANCE), title, along, signed)


def _spots(given: Any, where: str, count: int, expected: str) -> tuple[Spot, ...]:
    """Return ``count`` different places; each is a point's name or a list of names whose mean is meant."""
    if not isinstance(given, list) or len(given) != count:
        raise InputError(f"{where}: {given!r}", expected=f"{count} points; {expected}", action="correct the list")
    spots = tuple(_names(item if isinstance(item, list) else [item], where, least=1) for item in given)
    for number, spot in enumerate(spots):
        if set(spot) in [set(other) for other in spots[:number]]:
            raise InputError(f"{where} names {' and '.join(spot)} twice", expected="different points: nothing can be measured otherwise", action="correct one")
    return spots


def _names(given: Any, where: str, *, least: int) -> tuple[str, ...]:
    if not isinstance(given, list) or len(given) < least or not all(isinstance(name, str) and name.strip() for name in given):
        raise InputError(f"{where}: {given!r}", expected="a list of names of points", action="write the names in quotes, between brackets")
    names = tuple(name.strip() for name in given)
    for number, name in enumerate(names):
        if name in names[:number]:
            raise InputError(f"{where} names {name!r} twice", expected="every point once", action="remove one")
    return names


def _axis(given: Any, where: str, key: str, expected: str) -> str:
    if given not in AXES:
        shown = f"{key} = {given!r}" if given is not None else f"no `{key}`"
        raise InputError(f"{where} has {shown}", expected=expected, action=f"write {key} = 'horizontal' or 'vertical'")
    return str(given)


def _sign(table: Mapping[str, Any], where: str) -> bool:
    signed = table.get("signed", False)
    if not isinstance(signed, bool):
        raise InputError(f"{where}: signed = {signed!r}", expected="true or false", action="correct it")
    return signed


def _title(name: str, table: Mapping[str, Any], where: str) -> str:
    title = table.get("title", name.replace("_", " "))
    if not isinstance(title, str) or not title.strip():
        raise InputError(f"{where}: title = {title!r}", expected="a few words", action="write them in quotes, or leave the title out")
    return title.strip()


def _check_names(source: str, measures: list[Measure]) -> None:
    seen: set[str] = set()
    for measure in measures:
        if not _NAME.fullmatch(measure.name):
            raise InputError(
                f"{source}: [{measure.kind}.{measure.name}]",
                expected="a name of letters, digits and underscores that starts with a letter: it becomes a column",
                action="rename it and give it a title",
            )
        if measure.name.lower() in seen:
            raise InputError(f"{source}: {measure.name} is declared twice", expected="one measurement a name", action="rename one")
        seen.add(measure.name.lower())


def _pairs(body: Mapping[str, Any], source: str) -> tuple[tuple[str, str], ...] | None:
    if "mirror" not in body:
        return None
    table = body["mirror"]
    if not isinstance(table, Mapping) or "pairs" not in table:
        raise InputError(
            f"{source}: [mirror] without pairs",
            expected="pairs = [[left, right], ...]; pairs = [] if every point keeps its name in a mirrored picture",
            action="name the pairs, or leave [mirror] out: then no picture is flipped",
        )
    asked_of(table, ("pairs",), f"{source}: [mirror]")
    if not isinstance(table["pairs"], list):
        raise InputError(f"{source}: [mirror] pairs = {table['pairs']!r}", expected="a list of pairs", action="write [[left, right], ...]")
    pairs = [_spots(pair, f"{source}: [mirror]", 2, "pairs of names") for pair in table["pairs"]]
    if any(len(spot) != 1 for pair in pairs for spot in pair):
        raise InputError(f"{source}: [mirror] pairs several points at once", expected="pairs of single points", action="name each pair by itself")
    flat = [spot[0] for pair in pairs for spot in pair]
    _names(flat, f"{source}: [mirror]", least=0)
    return tuple((a[0], b[0]) for a, b in pairs)


def _regions(body: Mapping[str, Any], source: str) -> dict[str, tuple[str, ...]]:
    table = body.get("regions", {})
    if not isinstance(table, Mapping):
        raise InputError(f"{source}: regions = {table!r}", expected="[regions] and below it NAME = [points]", action="correct it")
    return {name: _names(points, f"{source}: [regions] {name}", least=1) for name, points in table.items()}
