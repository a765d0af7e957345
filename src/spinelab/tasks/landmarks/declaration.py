"""What is measured between named points: the small file ``measurements.toml``, read and checked.

[angle.l4_s1]
lines = [["L4 back", "L4 front"], ["S1 back", "S1 front"]]
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final

from spinelab.core import InputError, Quantity

Spot = tuple[str, ...]
"""A point, or several whose mean position is meant."""

AXES: Final = ("horizontal", "vertical")
SHAPES: Final = ("lines", "corner", "axis", "pair", "offset")
FILE: Final = "measurements.toml"


@dataclass(frozen=True)
class Measure:
    """One angle or distance.

    ``shape``: ``lines`` (angle between two directed lines, spots a, b, c, d), ``corner`` (angle at the second of three spots), ``axis``
    (angle between a line and the picture's ``along``), ``pair`` (distance of two spots, or its part ``along`` an axis), ``offset``
    (distance of the first spot from the line through the other two). ``signed``: counter-clockwise as displayed for angles; the second
    spot to the right of the first, or below it, for a distance along an axis.
    """

    name: str
    shape: str
    spots: tuple[Spot, ...]
    title: str
    along: str = ""
    signed: bool = False

    @property
    def kind(self) -> str:
        """``angle`` or ``distance``."""
        return "angle" if self.shape in ("lines", "corner", "axis") else "distance"

    @property
    def units(self) -> tuple[str, ...]:
        """Units it is given in: degrees; or millimetres where the spacing is known, and pixels."""
        return ("deg",) if self.kind == "angle" else ("mm", "px")

    @property
    def points(self) -> tuple[str, ...]:
        """Names of the points that it needs, each once."""
        return tuple(dict.fromkeys(name for spot in self.spots for name in spot))

    @property
    def how(self) -> str:
        """The construction in words."""
        said = [spot_name(spot) for spot in self.spots]
        sign = {"angle": ", counter-clockwise positive", "distance": ", positive to the right or downwards"}[self.kind] if self.signed else ""
        return {
            "lines": "angle between the directions {0} to {1} and {2} to {3}",
            "corner": "angle at {1} between {0} and {2}",
            "axis": "angle between the line from {0} to {1} and the picture's " + self.along,
            "pair": f"{self.along} distance from {{0}} to {{1}}".strip(),
            "offset": "distance of {0} from the line through {1} and {2}",
        }[self.shape].format(*said) + sign


@dataclass(frozen=True)
class Declaration:
    """Points, what is measured between them, which of them swap in a left-right flip, and the regions of the report.

    ``pairs`` is ``None`` where the file says nothing of flips: then no picture is flipped. An empty tuple means that every point keeps
    its name in a flipped picture.
    """

    landmarks: tuple[str, ...] = ()
    measures: tuple[Measure, ...] = ()
    pairs: tuple[tuple[str, str], ...] | None = None
    regions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def quantities(self) -> tuple[Quantity, ...]:
        """Every measure in every unit it is given in."""
        return tuple(Quantity(m.name, unit, m.title, m.how) for m in self.measures for unit in m.units)

    @property
    def flips(self) -> bool:
        """Whether a flipped picture is still a picture of the same kind."""
        return self.pairs is not None

    def swapped(self) -> dict[str, str]:
        """Return the name of every point in a flipped picture."""
        there = dict(self.pairs or ())
        return {name: there.get(name, {b: a for a, b in there.items()}.get(name, name)) for name in self.landmarks}

    def with_landmarks(self, names: Sequence[str], source: str) -> Declaration:
        """Return the declaration for points that the data name, in the declared order if there is one.

        Raises
        ------
        InputError
            If a measure, pair or region names a point that is not among them.
        """
        unknown = [name for name in self.landmarks if name not in names]
        if unknown:
            raise _unknown(source, "landmarks", unknown[0], names)
        chosen = self.landmarks or tuple(names)
        wanted = [(f"{m.kind}.{m.name}", m.points) for m in self.measures]
        wanted += [("mirror.pairs", pair) for pair in self.pairs or ()] + [(f"regions.{name}", points) for name, points in self.regions.items()]
        for where, points in wanted:
            for point in points:
                if point not in chosen:
                    raise _unknown(source, where, point, chosen)
        return replace(self, landmarks=chosen)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON can hold it; it travels in the record of a model."""
        body: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return body

    @staticmethod
    def from_dict(body: Mapping[str, Any]) -> Declaration:
        """Rebuild it from `to_dict`; raises `InputError` for anything else."""
        try:
            measures = tuple(Measure(**{**m, "spots": tuple(map(tuple, m["spots"]))}) for m in body["measures"])
            pairs = None if body["pairs"] is None else tuple((str(a), str(b)) for a, b in body["pairs"])
            regions = {name: tuple(points) for name, points in body["regions"].items()}
            return Declaration(tuple(body["landmarks"]), measures, pairs, regions)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise InputError(f"A stored declaration that cannot be read: {error}", expected="what training wrote", action="train the model again") from error


def spot_name(spot: Spot) -> str:
    """Return a point's name, or how the mean of several is called."""
    return spot[0] if len(spot) == 1 else f"the middle of {' and '.join(spot)}" if len(spot) == 2 else f"the mean of {', '.join(spot)}"


def _unknown(source: str, where: str, point: str, names: Iterable[str]) -> InputError:
    import difflib

    known = list(names)
    close = difflib.get_close_matches(point, known, n=1)
    listed = ", ".join(known[:12]) + (f" and {len(known) - 12} more" if len(known) > 12 else "")
    return InputError(
        f"{source}: [{where}] names a point {point!r} that is not there",
        expected=f"points of the data: {listed}",
        action=f"write {close[0]!r} if that is meant" if close else "correct the name",
    )


def asked_of(body: Mapping[str, Any], allowed: Sequence[str], where: str) -> None:
    """Refuse keys that nothing reads, with the one that was probably meant."""
    import difflib

    for key in body:
        if key not in allowed:
            close = difflib.get_close_matches(key, allowed, n=1)
            raise InputError(
                f"{where}: unknown entry {key!r}",
                expected=f"only {', '.join(allowed)}",
                action=f"write {close[0]!r} if that is meant" if close else "remove or rename it",
            )
