"""A measuring result as a reader needs it: values with interval and usual range, what was not measured and why, and how sure the levels are."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from spinelab.core import Finding, Measurement, Quantity, Reference, Result
from spinelab.report.words import number, spoken

LEVEL_FINDINGS: Final = ("levels", "level_naming")
"""Names of the finding that says whether the vertebrae are named with certainty: label ``certain`` or ``uncertain``."""

CERTAIN: Final = "certain"
SYMBOLS: Final = {"deg": "°", "1": "", "%": " %"}
REFUSED: Final = "No answer: "
"""How the note of a film begins that was refused."""

SIDES: Final = "Left and right are the patient's own."

_NARROW: Final = 12
"""Letters of a title that fits over a narrow column."""
_ABBREVIATION: Final = 4
_DIGITS: Final = {"1": 2, "px": 0}
_NOT_SAID: Final = "the model's answer does not mention it"


@dataclass(frozen=True, slots=True)
class Asked:
    """What is looked for in a result: a quantity of the task, or a measurement that the task did not announce, in any unit."""

    name: str
    unit: str
    title: str
    how: str


@dataclass(frozen=True, slots=True)
class Strip:
    """Usual range, interval and value on one axis, as shares of its length."""

    low: float
    high: float
    value: float
    lo: float | None
    hi: float | None


@dataclass(frozen=True, slots=True)
class Row:
    """One measurement in words."""

    name: str
    title: str
    where: str
    how: str
    value: str
    unit: str
    interval: str
    usual: str
    footnote: int | None
    standing: str
    outside: bool
    strip: Strip | None


@dataclass(frozen=True, slots=True)
class Withheld:
    """Measurements that share the reason why there is no value."""

    titles: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Levels:
    """Whether the vertebrae are named with certainty; ``probability`` is that of *certain*, if it was given."""

    certain: bool
    label: str
    probability: float | None


@dataclass(frozen=True)
class Reading:
    """What page and PDF say about one film."""

    result: Result
    rows: tuple[Row, ...]
    withheld: tuple[Withheld, ...]
    findings: tuple[Finding, ...]
    levels: Levels | None
    footnotes: tuple[str, ...]
    refused: str
    titles: Mapping[str, str] = field(default_factory=dict)

    def title_of(self, finding: Finding) -> str:
        """Return what a finding is called."""
        return self.titles.get(finding.name, spoken(finding.name).capitalize())

    @property
    def unanswered(self) -> tuple[str, ...]:
        """Return the titles of the findings without an answer."""
        return tuple(self.title_of(finding) for finding in self.findings if finding.label is None)

    @property
    def sided(self) -> bool:
        """Whether a side is named, so that the reader has to be told whose left and right are meant."""
        return any(m.side for m in self.result.measurements) or any(f.side for f in self.result.findings)


def read_result(result: Result, quantities: Sequence[Quantity], references: Mapping[str, Reference], titles: Mapping[str, str] | None = None) -> Reading:
    """Return a result in the order of ``quantities``; whatever else it measured follows, and what it should have measured is listed as missing.

    ``titles`` are what findings are called, by name.
    """
    announced = [Asked(q.name, q.unit, q.title, q.how) for q in quantities]
    asked = [*announced, *_unasked(result, quantities)]
    found = [(quantity, one) for quantity in asked for one in result.measured(quantity.name, quantity.unit)]
    lengths = {(q.name, m.site, m.side): m for q, m in found if q.unit == "px" and m.value is not None}
    in_mm = {(q.name, m.site, m.side) for q, m in found if q.unit == "mm" and m.value is not None}
    footnotes: list[str] = []
    rows = []
    for quantity, one in found:
        key = (quantity.name, one.site, one.side)
        if one.value is None or (quantity.unit == "px" and key in in_mm):
            continue
        pixels = lengths.get(key) if quantity.unit == "mm" else None
        rows.append(_row(quantity, one, _usable(references.get(quantity.name), quantity), footnotes, pixels))
    return Reading(
        result,
        tuple(rows),
        _withheld(found, [q for q in announced if not result.measured(q.name, q.unit)], in_mm) if not refusal(result) else (),
        tuple(f for f in result.findings if f.name not in LEVEL_FINDINGS),
        levels(result),
        tuple(footnotes),
        refusal(result),
        titles or {},
    )


def levels(result: Result) -> Levels | None:
    """Return how certain the naming of the vertebrae is; ``None`` where the result does not say."""
    finding = next((f for f in result.findings if f.name in LEVEL_FINDINGS), None)
    if finding is None:
        return None
    return Levels(finding.label == CERTAIN, finding.label or "not stated", finding.probabilities.get(CERTAIN))


def refusal(result: Result) -> str:
    """Return why a film got no answer, or nothing."""
    if result.findings or result.measurements or result.landmarks:
        return ""
    return next((note.removeprefix(REFUSED) for note in result.notes if note.startswith(REFUSED)), "The model gave no answer.")


def shown(value: float, unit: str) -> str:
    """Return a value with the digits that its unit deserves."""
    return number(value, _DIGITS.get(unit, 1))


def symbol(unit: str) -> str:
    """Return the unit as it is written behind a number."""
    return SYMBOLS.get(unit, f" {unit}")


def short_title(quantity: Quantity) -> str:
    """Return a title for a narrow column: ``PI``, ``L4-S1``, ``Cobb max``. Another title stays where it is short already."""
    spelled, parts = re.findall(r"\w+", quantity.title.lower()), quantity.name.split("_")
    if all(part not in spelled or any(map(str.isdigit, part)) for part in parts) and max(map(len, parts)) <= _ABBREVIATION:
        return "-".join(parts).upper()
    if len(quantity.title) <= _NARROW:
        return quantity.title
    joined = " ".join(part.upper() if any(map(str.isdigit, part)) else part for part in parts)
    return joined[:1].upper() + joined[1:]


def heading(quantity: Asked, one: Measurement | None = None) -> str:
    """Return the title of a measurement with its site and side."""
    return ", ".join(part for part in (quantity.title, *(_where(one) if one is not None else ())) if part)


def _unasked(result: Result, quantities: Sequence[Quantity]) -> list[Asked]:
    known = {(q.name, q.unit) for q in quantities}
    others = dict.fromkeys((m.name, m.unit) for m in result.measurements if (m.name, m.unit) not in known)
    return [Asked(name, unit, spoken(name).capitalize(), "") for name, unit in others]


def _where(one: Measurement) -> tuple[str, ...]:
    return tuple(part for part in (one.site, one.side) if part)


def _usable(reference: Reference | None, quantity: Asked) -> Reference | None:
    """A range of lengths is in millimetres; pixels cannot be compared with it."""
    return None if quantity.unit == "px" else reference


def _row(quantity: Asked, one: Measurement, reference: Reference | None, footnotes: list[str], pixels: Measurement | None) -> Row:
    value = one.value if one.value is not None else 0.0
    limits = one.interval
    standing, outside = _standing(value, limits, reference)
    also = f"; {shown(pixels.value, 'px')} px on the film" if pixels is not None and pixels.value is not None else ""
    return Row(
        name=quantity.name,
        title=quantity.title,
        where=", ".join(_where(one)),
        how=quantity.how + also,
        value=shown(value, quantity.unit),
        unit=symbol(quantity.unit),
        interval="" if limits is None else f"{shown(limits[0], quantity.unit)} to {shown(limits[1], quantity.unit)}",
        usual="" if reference is None else f"{shown(reference.low, quantity.unit)} to {shown(reference.high, quantity.unit)}",
        footnote=None if reference is None else _footnote(reference, footnotes),
        standing=standing,
        outside=outside,
        strip=None if reference is None else _strip(value, limits, reference),
    )


def _footnote(reference: Reference, footnotes: list[str]) -> int:
    text = f"The range of {100 * reference.share:g} % of {reference.population}. {reference.source}"
    if text not in footnotes:
        footnotes.append(text)
    return footnotes.index(text) + 1


def _standing(value: float, limits: tuple[float, float] | None, reference: Reference | None) -> tuple[str, bool]:
    """Say where the value stands; an interval that crosses the border leaves it open."""
    if reference is None:
        return "", False
    place = "below" if value < reference.low else "above" if value > reference.high else "inside"
    crosses = limits is not None and any(limits[0] < border < limits[1] for border in (reference.low, reference.high))
    return (f"{place}; the interval crosses the limit" if crosses else place), place != "inside" and not crosses


def _strip(value: float, limits: tuple[float, float] | None, reference: Reference) -> Strip:
    lo, hi = limits if limits is not None else (None, None)
    parts = [reference.low, reference.high, value, *(limits or ())]
    spread = max(max(parts) - min(parts), 1e-9)
    left, length = min(parts) - 0.12 * spread, 1.24 * spread

    def share(position: float) -> float:
        return round(float((position - left) / length), 4)

    return Strip(share(reference.low), share(reference.high), share(value), None if lo is None else share(lo), None if hi is None else share(hi))


def _withheld(found: Sequence[tuple[Asked, Measurement]], missing: Sequence[Asked], in_mm: set[tuple[str, str | None, str | None]]) -> tuple[Withheld, ...]:
    """Return what has no value, grouped by the reason; of a length that is given in either unit, pixels are not missed."""
    reasons: dict[str, list[str]] = {}
    for quantity, one in found:
        if one.withheld is None or (quantity.unit == "px" and (quantity.name, one.site, one.side) in in_mm):
            continue
        unit = " in mm" if quantity.unit == "mm" and _in_pixels(found, quantity, one) else ""
        reasons.setdefault(one.withheld, []).append(heading(quantity, one) + unit)
    for quantity in missing:
        if quantity.unit != "px" or not any(q.name == quantity.name and m.value is not None for q, m in found):
            reasons.setdefault(_NOT_SAID, []).append(quantity.title)
    return tuple(Withheld(tuple(dict.fromkeys(titles)), reason) for reason, titles in reasons.items())


def _in_pixels(found: Sequence[tuple[Asked, Measurement]], quantity: Asked, one: Measurement) -> bool:
    return any(q.unit == "px" and q.name == quantity.name and (m.site, m.side) == (one.site, one.side) and m.value is not None for q, m in found)
