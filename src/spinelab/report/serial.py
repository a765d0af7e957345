"""Serial films of one patient: how they differ, beside the difference that the error of placing landmarks makes by itself."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final

from spinelab.core import Measurement, Quantity, Result, plural
from spinelab.geometry import convex_side
from spinelab.report.reading import levels
from spinelab.report.visits import Visit, contradictions

LARGER: Final = "larger than landmark error"
WITHIN: Final = "within landmark error"
UNKNOWN: Final = "landmark error not known: no statement"
DOUBTED: Final = "sex or age contradict each other: no statement"
MEANING: Final = (
    "Landmark error is what placing the landmarks on two films adds to their difference, in 95 of 100 cases: the larger one of what the intervals of both "
    "films allow, and of what the errors on held-out films give, where these are known. That the patient stands differently the next time is not in it, so a "
    "patient who has not changed can differ by more. To tell change takes the differences between two films of unchanged patients who stood up anew."
)
"""What the verdicts say, and what they do not."""


@dataclass(frozen=True, slots=True)
class _Dated:
    visit: Visit
    day: date
    film: Result


@dataclass(frozen=True, slots=True)
class Change:
    """One quantity on two films.

    ``mdc_films`` is the 95 % half-width of the difference, from the two intervals in quadrature; ``mdc_held_out`` what the model's errors on
    held-out films give for it. The larger one of those known decides ``verdict``; neither holds what standing again adds.
    """

    name: str
    column: str
    title: str
    unit: str
    earlier: float
    later: float
    difference: float
    mdc_films: float | None
    mdc_held_out: float | None
    verdict: str

    @property
    def mdc(self) -> float | None:
        """Return the difference that has to be exceeded."""
        known = [m for m in (self.mdc_films, self.mdc_held_out) if m is not None]
        return max(known) if known else None


@dataclass(frozen=True)
class FollowUp:
    """Two films of a patient, in the order of their dates."""

    earlier: str
    later: str
    earlier_day: date
    later_day: date
    changes: tuple[Change, ...]
    remarks: tuple[str, ...]

    @property
    def interval(self) -> str:
        """Return the time between the films in words."""
        days = (self.later_day - self.earlier_day).days
        return plural(days, "day") if days < 60 else f"{days / 30.4375:.0f} months" if days < 730 else f"{days / 365.25:.1f} years"


@dataclass(frozen=True)
class Series:
    """The films of one patient; ``follow_ups`` has each film with the one before it, and the last with the first."""

    patient: str
    films: tuple[tuple[str, date | None], ...]
    follow_ups: tuple[FollowUp, ...]
    remarks: tuple[str, ...]

    def since(self, study: str) -> tuple[FollowUp, ...]:
        """Return what is known of a film against earlier ones."""
        return tuple(one for one in self.follow_ups if one.later == study)


def find_series(
    results: Sequence[Result],
    visits: Mapping[str, Visit],
    quantities: Sequence[Quantity],
    *,
    agreement: Mapping[str, Mapping[str, Any]],
    one_patient: bool,
) -> list[Series]:
    """Return the patients with several films that were answered.

    Films belong together where their files name the same patient or, with ``one_patient``, because the user says so.
    """
    groups: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        patient = visits.get(result.study, Visit()).patient
        if result.measurements and (one_patient or patient is not None):
            groups["" if one_patient else str(patient)].append(result)
    stated = sorted({visit.patient for visit in visits.values() if visit.patient is not None})
    whose = stated[0] if stated else "one patient, as the user states"
    return [_series(key or whose, films, visits, quantities, agreement) for key, films in groups.items() if len(films) > 1]


def half_width(before: Measurement, after: Measurement) -> float | None:
    """Return the 95 % half-width of a difference, from both intervals in quadrature (independent errors); ``None`` without both."""
    if before.interval is None or after.interval is None:
        return None
    return math.hypot(*((one[1] - one[0]) / 2 for one in (before.interval, after.interval)))


def _series(
    patient: str, films: Sequence[Result], visits: Mapping[str, Visit], quantities: Sequence[Quantity], agreement: Mapping[str, Mapping[str, Any]]
) -> Series:
    days = {film.study: day for film in films if (day := visits.get(film.study, Visit()).day) is not None}
    dated = sorted((_Dated(visits[film.study], days[film.study], film) for film in films if film.study in days), key=lambda one: one.day)
    undated = [film for film in films if film.study not in days]
    remarks = contradictions({film.study: visits.get(film.study, Visit()) for film in films})
    if undated:
        them = "it" if len(undated) == 1 else "them"
        remarks.append(f"Order unknown: no date is stated for {', '.join(f.study for f in undated)}. No change is claimed for {them}.")
    if len(set(days.values())) < len(dated):
        remarks.append("Films of one day are not compared with each other: which came first is not known.")
    compared, said = _without_copies(dated)
    remarks += said
    pairs: dict[tuple[str, str], tuple[_Dated, _Dated]] = {}
    for n, one in enumerate(compared):
        before = next((other for other in reversed(compared[:n]) if other.day < one.day), None)
        if before is not None:
            pairs[before.film.study, one.film.study] = before, one
    if compared and compared[0].day < compared[-1].day:
        pairs[compared[0].film.study, compared[-1].film.study] = compared[0], compared[-1]
    order = (*((one.film.study, one.day) for one in dated), *((film.study, None) for film in undated))
    return Series(patient, order, tuple(_compare(a, b, quantities, agreement) for a, b in pairs.values()), tuple(remarks))


def _without_copies(dated: Sequence[_Dated]) -> tuple[list[_Dated], list[str]]:
    """Return the films that are compared, of copies of a picture the first, and what is said of copies; those of different dates are not compared at all."""
    same: dict[object, list[_Dated]] = defaultdict(list)
    for one in dated:
        same[_seen(one.film)].append(one)
    kept, said = [], []
    for copies in same.values():
        names = " and ".join(one.film.study for one in copies)
        if len({one.day for one in copies}) > 1:
            said.append(f"{names} are the same picture, and state different dates: which one is right is not known, and no change is claimed for it.")
            continue
        kept.append(copies[0])
        if len(copies) > 1:
            said.append(f"{names} are the same picture, which is compared once.")
    return sorted(kept, key=lambda one: one.day), said


def _seen(film: Result) -> object:
    """Return what two films have in common, to the last digit, only where they are the same picture."""
    points = tuple((point.name, point.x, point.y) for point in film.landmarks)
    return points, tuple((one.name, one.unit, one.site, one.side, one.value) for one in film.measurements)


def _compare(before: _Dated, after: _Dated, quantities: Sequence[Quantity], agreement: Mapping[str, Mapping[str, Any]]) -> FollowUp:
    first, second = before.film, after.film
    remarks = []
    if any(known is not None and not known.certain for known in (levels(first), levels(second))):
        remarks.append("The levels of one of the films are not certain: values named after vertebrae may belong to different ones.")
    doubted = bool(contradictions({first.study: before.visit, second.study: after.visit}))
    if doubted:
        remarks.append("The files of these two films contradict each other in sex or age: differences between different people mean nothing.")
    changes: list[Change] = []
    for quantity in (q for q in quantities if q.unit != "px"):
        old, new = _values(first, quantity), _values(second, quantity)
        mirrored = _other_side_of_picture(first, second, old, new)
        pairs, remark = ([], mirrored) if mirrored else _paired(old, new)
        changes += [_change(a, b, quantity, _held_out(first, second, quantity, agreement), doubted=doubted) for a, b in pairs]
        if remark:
            remarks.append(f"{quantity.title}: {remark}.")
    return FollowUp(first.study, second.study, before.day, after.day, tuple(changes), tuple(remarks))


def _other_side_of_picture(first: Result, second: Result, old: Sequence[Measurement], new: Sequence[Measurement]) -> str:
    """Return why one curve on two films is not compared though the patient's side is stated on neither; empty where nothing speaks against it."""
    if len(old) != 1 or len(new) != 1 or old[0].side or new[0].side:
        return ""
    before, after = (convex_side({p.name: (p.x, p.y) for p in film.landmarks}, one.site) for film, one in ((first, old[0]), (second, new[0])))
    if before is None or after is None or before == after:
        return ""
    return (
        f"convex to the {before} of the picture, then to the {after}, and neither file states the patient's side: one of the films may be mirrored, or it is "
        "another curve, so that no change is stated"
    )


def _paired(old: Sequence[Measurement], new: Sequence[Measurement]) -> tuple[list[tuple[Measurement, Measurement]], str]:
    """Return which values belong together, and what has to be said about it; a curve that changed its side is not the same curve."""
    if len(old) == len(new) == 1:
        if old[0].side != new[0].side:
            known = old[0].side and new[0].side
            why = f"its side changed from {old[0].side} to {new[0].side}" if known else "its side is known of one of the films only"
            return [], f"{why}, so that no change is stated"
        moved = f"measured at {old[0].site or 'a place not stated'}, then at {new[0].site or 'a place not stated'}" if old[0].site != new[0].site else ""
        return [(old[0], new[0])], moved
    places = {(one.site, one.side): one for one in old}
    pairs = [(places[one.site, one.side], one) for one in new if (one.site, one.side) in places]
    return pairs, "measured on one of the films only" if len(pairs) < max(len(old), len(new)) else ""


def _values(result: Result, quantity: Quantity) -> list[Measurement]:
    return [one for one in result.measured(quantity.name, quantity.unit) if one.value is not None]


def _held_out(first: Result, second: Result, quantity: Quantity, agreement: Mapping[str, Mapping[str, Any]]) -> float | None:
    """Return what held-out errors add to a difference; of a length learnt in pixels alone, in the millimetres a pixel of both films (root mean square)."""
    if quantity.unit != "mm" or quantity.column in agreement:
        return _number(agreement.get(quantity.column, {}).get("mdc"))
    mdc = _number(agreement.get(replace(quantity, unit="px").column, {}).get("mdc"))
    scales = [scale for film in (first, second) if (scale := _mm_per_px(film, quantity)) is not None]
    return None if mdc is None or len(scales) < 2 else mdc * math.hypot(*scales) / math.sqrt(2)


def _mm_per_px(film: Result, quantity: Quantity) -> float | None:
    """Return a film's millimetres a pixel by a length that it gives in both; ``None`` where that cannot be told."""
    length, pixels = film.value(quantity.name, "mm"), film.value(quantity.name, "px")
    return length / pixels if length and pixels else None


def _change(old: Measurement, new: Measurement, quantity: Quantity, held_out: float | None, *, doubted: bool) -> Change:
    earlier, later = float(old.value or 0.0), float(new.value or 0.0)
    films = half_width(old, new)
    known = [m for m in (films, held_out) if m is not None]
    verdict = DOUBTED if doubted else UNKNOWN if not known else LARGER if abs(later - earlier) > max(known) else WITHIN
    where = ", ".join(part for part in (new.site, new.side) if part)
    title = f"{quantity.title}, {where}" if where else quantity.title
    return Change(quantity.name, quantity.column, title, quantity.unit, earlier, later, later - earlier, films, held_out, verdict)


def _number(value: Any) -> float | None:
    """Return a figure of a model's record, which may be a number or an estimate with its limits."""
    value = value.get("value") if isinstance(value, Mapping) else value
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None
