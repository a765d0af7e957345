"""What a reader, a phantom or a model says about a study: one type for all three.

Serialises to ``result.json`` with schema id ``spinelab.result/1``; golden files in ``tests/golden`` guard it.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from spinelab.core.errors import InputError

SCHEMA: Final = "spinelab.result/1"
SIDES: Final = ("left", "right")
"""Always the patient's own sides."""

Interval = tuple[float, float]


def _refuse(given: str, expected: str) -> InputError:
    return InputError(given, expected=expected, action="correct the value where the result is made")


def _check_side(side: str | None) -> None:
    if side is not None and side not in SIDES:
        raise _refuse(f"Side {side!r}", "left, right or none (the patient's own side)")


def _check_interval(interval: Interval | None, what: str) -> None:
    if interval is None:
        return
    if len(interval) != 2 or not all(map(math.isfinite, interval)) or interval[0] > interval[1]:
        raise _refuse(f"{what}: interval {interval}", "two finite numbers, the lower one first")


@dataclass(frozen=True, slots=True)
class SlicePoint:
    """A point on a slice: ``x`` to the right and ``y`` down in pixels of the original slice (centres at integers), and the same in the patient (LPS, mm).

    ``slice_number`` is the number by which files and tables name the slice.
    """

    series: str
    slice_number: int
    x: float
    y: float
    point_mm: tuple[float, float, float]

    def __post_init__(self) -> None:
        if not all(map(math.isfinite, (self.x, self.y, *self.point_mm))):
            raise _refuse(f"({self.x}, {self.y}) on slice {self.slice_number}, {self.point_mm} mm", "finite coordinates; leave an unknown place out")


@dataclass(frozen=True, slots=True)
class Finding:
    """A classification: the label, and the probability of every class.

    ``interval`` bounds the probability of ``label``; ``place`` is where the question was asked, of a question that is asked at a point.
    """

    name: str
    label: str | None
    probabilities: Mapping[str, float] = field(default_factory=dict)
    site: str | None = None
    side: str | None = None
    interval: Interval | None = None
    place: SlicePoint | None = None

    def __post_init__(self) -> None:
        _check_side(self.side)
        _check_interval(self.interval, self.name)
        values = list(self.probabilities.values())
        if values and not (all(math.isfinite(p) and -1e-6 <= p <= 1 + 1e-6 for p in values) and abs(sum(values) - 1) < 1e-3):
            raise _refuse(f"{self.name}: probabilities {dict(self.probabilities)}", "finite values in [0, 1] that add up to 1")
        if values and self.label is not None and self.label not in self.probabilities:
            raise _refuse(f"{self.name}: label {self.label!r}", f"one of {', '.join(self.probabilities)}")


@dataclass(frozen=True, slots=True)
class Measurement:
    """A number with its unit, or the reason why it is withheld."""

    name: str
    value: float | None
    unit: str
    site: str | None = None
    side: str | None = None
    interval: Interval | None = None
    withheld: str | None = None

    def __post_init__(self) -> None:
        _check_side(self.side)
        _check_interval(self.interval, self.name)
        if (self.value is None) == (self.withheld is None):
            raise _refuse(f"{self.name}: value {self.value}, withheld {self.withheld!r}", "either a value or the reason why it is withheld")
        if self.value is not None and not math.isfinite(self.value):
            raise _refuse(f"{self.name}: value {self.value}", "a finite number, or none with the reason why it is withheld")


@dataclass(frozen=True, slots=True)
class Landmark:
    """A named point in pixels of the original image: ``x`` to the right, ``y`` down, pixel centres at integers."""

    name: str
    x: float
    y: float
    confidence: float | None = None

    def __post_init__(self) -> None:
        if not (math.isfinite(self.x) and math.isfinite(self.y)):
            raise _refuse(f"{self.name}: ({self.x}, {self.y})", "finite coordinates; leave an absent landmark out")
        if self.confidence is not None and not 0 <= self.confidence <= 1:
            raise _refuse(f"{self.name}: confidence {self.confidence}", "a value in [0, 1]")


@dataclass(frozen=True, slots=True)
class Mask:
    """A segmented structure, stored beside the result as a file."""

    name: str
    file: str
    site: str | None = None
    side: str | None = None

    def __post_init__(self) -> None:
        _check_side(self.side)


@dataclass(frozen=True, slots=True)
class Heatmap:
    """Where a model looked, without the pixels: those lie in ``file`` beside the result, the map drawn over the picture that the model saw.

    ``size`` is (columns, rows) of that picture and ``peak`` (x, y) in it, ``None`` for an empty map. ``share_inside`` is the part of the map inside the
    anatomy or lesion, ``area_inside`` what a map that says nothing would have. ``random_weights_similarity`` is the rank correlation with the map of a
    network that has learnt nothing. ``cell_px`` is the side of the cells that the map was enlarged from, in pixels of the picture, where it was. ``flags``
    are sentences against the map. What was not checked is ``None``. Of a slice, ``series`` and ``slice_number`` say which it is, and ``peak_mm`` where the
    peak lies in the patient (LPS). ``noise_aucs`` are both areas, deletion and insertion, of each map of noise that the map was held against.
    """

    method: str
    label: str
    view: str
    file: str
    size: tuple[int, int]
    peak: tuple[int, int] | None
    probability: float | None = None
    share_inside: float | None = None
    area_inside: float | None = None
    peak_inside: bool | None = None
    deletion_auc: float | None = None
    insertion_auc: float | None = None
    random_weights_similarity: float | None = None
    cell_px: float | None = None
    flags: tuple[str, ...] = ()
    series: str | None = None
    slice_number: int | None = None
    peak_mm: tuple[float, float, float] | None = None
    noise_aucs: tuple[tuple[float, float], ...] | None = None

    def __post_init__(self) -> None:
        areas = (self.share_inside, self.area_inside, self.deletion_auc, self.insertion_auc)
        numbers = (self.probability, *areas, self.random_weights_similarity, self.cell_px)
        if not all(value is None or math.isfinite(value) for value in numbers):
            raise _refuse(f"{self.method} for {self.label}: {numbers}", "finite numbers, or none where something was not checked")


@dataclass(frozen=True)
class Result:
    """Everything that one author says about one study."""

    task: str
    model: str
    study: str
    findings: tuple[Finding, ...] = ()
    measurements: tuple[Measurement, ...] = ()
    landmarks: tuple[Landmark, ...] = ()
    masks: tuple[Mask, ...] = ()
    notes: tuple[str, ...] = ()
    explanations: tuple[Heatmap, ...] = ()

    def finding(self, name: str, *, site: str | None = None, side: str | None = None) -> Finding | None:
        """Return the finding with this name, site and side, or ``None``."""
        return next((f for f in self.findings if (f.name, f.site, f.side) == (name, site, side)), None)

    def measured(self, name: str, unit: str) -> tuple[Measurement, ...]:
        """Return every measurement of this name and unit: one, or one a site and side."""
        return tuple(m for m in self.measurements if (m.name, m.unit) == (name, unit))

    def value(self, name: str, unit: str) -> float | None:
        """Return the number of a quantity that is measured once, wherever; ``None`` where it is absent, withheld, or measured at several places."""
        found = self.measured(name, unit)
        return found[0].value if len(found) == 1 else None

    def to_dict(self) -> dict[str, Any]:
        """Return the body of ``result.json``; ``explanations`` is left out where there are none, and so is the ``place`` of a finding that has none."""
        body = {key: value for key, value in asdict(self).items() if key != "explanations" or value}
        body["findings"] = [{key: value for key, value in one.items() if key != "place" or value} for one in body["findings"]]
        return {"schema": SCHEMA, **{key: list(value) if isinstance(value, tuple) else value for key, value in body.items()}}

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    @staticmethod
    def from_dict(body: Mapping[str, Any]) -> Result:
        """Rebuild a result; raises `InputError` if ``body`` is not ``spinelab.result/1``."""
        if not isinstance(body, Mapping) or body.get("schema") != SCHEMA:
            found = body.get("schema") if isinstance(body, Mapping) else type(body).__name__
            raise InputError(f"A result with schema {found!r}", expected=SCHEMA, action="use a result.json written by this version of spinelab")
        try:
            return Result(
                task=body["task"],
                model=body["model"],
                study=body["study"],
                findings=tuple(Finding(**_placed(_tupled(f))) for f in body.get("findings", ())),
                measurements=tuple(Measurement(**_tupled(m)) for m in body.get("measurements", ())),
                landmarks=tuple(Landmark(**p) for p in body.get("landmarks", ())),
                masks=tuple(Mask(**m) for m in body.get("masks", ())),
                notes=tuple(body.get("notes", ())),
                explanations=tuple(Heatmap(**_tupled(e)) for e in body.get("explanations", ())),
            )
        except (KeyError, TypeError) as error:
            raise InputError(
                f"A result that lacks or misnames a field: {error}", expected=f"the fields of {SCHEMA}", action="compare it with docs/reference/result.md"
            ) from error


_TUPLES: Final = ("interval", "size", "peak", "flags", "peak_mm", "noise_aucs", "point_mm")


def at_several_places(results: Iterable[Result]) -> set[tuple[str, str]]:
    """Return the name and unit of each measurement of which some result has several, told apart by site and side.

    Of any other one, such as a curve's angle, site and side say where it was found, and belong to the answer.
    """
    counted = (Counter((one.name, one.unit) for one in result.measurements) for result in results)
    return {key for counts in counted for key, count in counts.items() if count > 1}


def _tupled(body: Mapping[str, Any]) -> dict[str, Any]:
    """Turn intervals, places and pairs of areas, lists in JSON, back into tuples."""
    lists = {key: value for key, value in body.items() if key in _TUPLES and value is not None}
    return {**body, **{key: tuple(tuple(one) if isinstance(one, list) else one for one in value) for key, value in lists.items()}}


def _placed(body: Mapping[str, Any]) -> dict[str, Any]:
    """Turn the place of a finding back into a point."""
    place = body.get("place")
    return {**body, "place": None if place is None else SlicePoint(**_tupled(place))}
