"""What can be said of measurements, each sentence computed from its figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from spinelab.core import counted
from spinelab.evaluation.types import Estimate
from spinelab.experiments.disputed import disputed_words
from spinelab.report.measured import Measured, MeasuredQuantity
from spinelab.report.reading import SYMBOLS
from spinelab.report.words import estimate, lower_start

MOST_TOLD: Final = 4
"""Quantities up to which each is told in words; of more, the best and the worst."""


def amount(value: float | None, unit: str, *, signed: bool = False) -> str:
    """Return ``2.6°``, ``+0.4 mm`` or ``12 px``."""
    if value is None:
        return "not known"
    digits = 0 if unit == "px" and abs(value) >= 10 else 2 if unit == "1" or (unit == "mm" and abs(value) < 1) else 1
    symbol = SYMBOLS.get(unit, f" {unit}")
    return f"{value:{'+' if signed else ''}.{digits}f}{symbol}"


def percent(share: Estimate) -> str:
    """Return ``93 % (88 to 96 %)``."""
    if share.value is None:
        return "not known"
    text = f"{100 * share.value:.0f} %"
    return text if share.lo is None or share.hi is None else f"{text} ({100 * share.lo:.0f} to {100 * share.hi:.0f} %)"


def with_limits(value: Estimate, unit: str) -> str:
    """Return ``2.6° (95 % interval 2.3 to 2.9)``."""
    if value.lo is None or value.hi is None:
        return f"{amount(value.value, unit)} (no interval can be given)"
    symbol = SYMBOLS.get(unit, f" {unit}")
    return f"{amount(value.value, unit)} (95 % interval {amount(value.lo, unit).removesuffix(symbol)} to {amount(value.hi, unit)})"


def _quantities(count: int) -> str:
    return counted(count, "more [quantity|quantities]")


def lower_first(title: str) -> str:
    """Return a title as it stands inside a sentence; a name such as ``PI`` or ``Cobb`` keeps its capitals."""
    return title if title.startswith("Cobb") else lower_start(title)


def in_words(measured: Measured) -> list[MeasuredQuantity]:
    """Return the quantities that sentences are about: those in pixels are left out where they are known in millimetres too."""
    in_mm = {q.name for q in measured.quantities if q.unit == "mm" and q.paired.any()}
    return [q for q in measured.quantities if not (q.unit == "px" and q.name in in_mm)]


def main_quantity(measured: Measured) -> MeasuredQuantity | None:
    """Return the quantity that the headline is about: the first one with answers and truths."""
    return next((q for q in measured.quantities if q.paired.any()), None)


def headline(model: str, measured: Measured) -> str:
    """Return how well the first quantity is measured, beside what a constant reaches, and how often its interval held."""
    q = main_quantity(measured)
    if q is None:
        return _landmarks_only(model, measured)
    mae, gain = q.figure("mae"), q.constant.get("gain")
    doubtful = gain is not None and not (gain.lo is not None and gain.lo > 0) and mae.value != 0
    said = f"{model} measures the {lower_first(q.title)} with a mean absolute error of {with_limits(mae, q.unit)}, median {_median(q)}"
    if q.constant:
        said += f"; always answering {amount(q.constant['answer'], q.unit)} has {amount(q.constant['mae'].value, q.unit)}"
    held = q.of_interval("coverage")
    said += f"; its intervals hold the truth on {percent(held)} of the films" if held.value is not None else "; it states no intervals"
    return f"Cannot tell: {said}, so it is not shown to measure better than one number for everyone." if doubtful else f"{said}."


def _median(q: MeasuredQuantity) -> str:
    return amount(q.figure("median_absolute_error").value, q.unit)


def _landmarks_only(model: str, measured: Measured) -> str:
    median = measured.metrics.get("landmark_median_px")
    if median is None or measured.landmarks is None:
        return f"{model} measured nothing whose truth is known."
    constant = next((row for row in measured.landmarks.rows if row["kind"] == "constant"), None)
    return f"{model} places landmarks with a median error of {with_limits(median, 'px')}{_beside(constant, 'px')}."


def statements(measured: Measured) -> list[str]:
    """Return what a reader must know of the measurements besides headline and flags."""
    smape = measured.metrics.get("smape_percent")
    told = [_others(measured), _coverage(measured), _withheld(measured)]
    if smape is not None:
        told.append(f"SMAPE of the three angles as the AASCE challenge counts it: {with_limits(smape, '%')}.")
    told += [naming_in_words(measured.levels), disputed_words((measured.levels or {}).get("disputed")), _landmarks(measured), _source(measured)]
    return [sentence for sentence in told if sentence]


def _others(measured: Measured) -> str:
    others = [q for q in in_words(measured) if q.paired.any()][1:]
    if not others:
        return ""
    if len(others) > MOST_TOLD:
        return f"It measures {_quantities(len(others))}; their errors stand in the table."
    told = [f"{lower_first(q.title)} {with_limits(q.figure('mae'), q.unit)}" for q in others]
    return f"Mean absolute errors: {'; '.join(told)}."


def _coverage(measured: Measured) -> str:
    stated = [(q, q.of_interval("coverage")) for q in in_words(measured)]
    known = sorted(((q, held, held.value) for q, held in stated if held.value is not None), key=lambda item: item[2])
    if not stated:
        return ""
    if not known:
        return "No intervals were stated: nothing says how sure a single value is."
    if len(known) > MOST_TOLD:
        (low, held_low, _), (high, held_high, _) = known[0], known[-1]
        ends = f"least often for {lower_first(low.title)}, {percent(held_low)}, most often for {lower_first(high.title)}, {percent(held_high)}"
        return f"Intervals that state 95 % held the truth {ends}."
    return f"Intervals that state 95 % held the truth: {'; '.join(f'{lower_first(q.title)} on {percent(held)} of the films' for q, held, _ in known)}."


def _withheld(measured: Measured) -> str:
    some = [q for q in in_words(measured) if q.withheld]
    if not some:
        return ""
    told = "; ".join(f"{lower_first(q.title)} on {sum(q.withheld.values())} ({reasons(q)})" for q in some[:MOST_TOLD])
    more = f"; and {_quantities(len(some) - MOST_TOLD)}, in the table" if len(some) > MOST_TOLD else ""
    return f"Withheld, and in no error above: {told}{more}."


def reasons(q: MeasuredQuantity) -> str:
    """Return why values of a quantity are missing, each reason with its number of films where there are several."""
    if len(q.withheld) == 1:
        return next(iter(q.withheld))
    return ", ".join(f"{why}: {films}" for why, films in q.withheld.items())


def _shifted(films: int, off: int) -> str:
    """Return of how many of the films with a shifted column it is shifted by one level."""
    if films == 1:
        return f"on the other film it is {'one level' if off else 'more than one level'} off"
    return f"of the other {films} films {off} {'is' if off == 1 else 'are'} one level off"


def naming_in_words(levels: Mapping[str, Any] | None) -> str:
    """Return how often levels carry their own names, and how far off the others are; empty without levels."""
    if levels is None:
        return ""
    wrong = {shift: count for shift, count in levels["film_off_by"].items() if shift != "0"}
    one = wrong.get("+1", 0) + wrong.get("-1", 0)
    off = f", and {_shifted(sum(wrong.values()), one)}" if wrong else ""
    said = (
        f"All levels are named right on {percent(estimate(levels['all_right']))} of the films."
        f" The column is numbered right, give or take single vertebrae, on {percent(estimate(levels['numbered_right']))}{off}."
    )
    if levels["unanswered"]:
        said += f" {levels['unanswered']} films without any vertebra found are not counted."
    certainty = levels.get("certainty")
    if certainty is None:
        return f"{said} No certainty of the naming was stated."
    stated, came = estimate(certainty["stated"]), estimate(certainty["came_true"])
    return f"{said} The stated certainty averages {100 * (stated.value or 0):.0f} %, and {percent(came)} came true."


def _landmarks(measured: Measured) -> str:
    if measured.landmarks is None or main_quantity(measured) is None:
        return ""
    rows = {row["kind"]: row for row in measured.landmarks.rows}
    every, constant = rows["all"], rows.get("constant")
    unit = "mm" if estimate(every["mm"]["median"]).value is not None else "px"
    missed = f"; {every['missed']} of {every['present']} landmarks were not found" if every["missed"] else ""
    return f"Landmarks lie {with_limits(estimate(every[unit]['median']), unit)} from the truth in the median{_beside(constant, unit)}{missed}."


def _beside(constant: Mapping[str, Any] | None, unit: str) -> str:
    """Return what a mean shape reaches, as the end of a sentence."""
    return f"; a mean shape laid over every film has {amount(estimate(constant[unit]['median']).value, unit)}" if constant else ""


def _source(measured: Measured) -> str:
    source = next((q.constant["source"] for q in measured.quantities if q.constant), "")
    return f"The constants are {source}." if source else ""


def paired_words(a: str, b: str, q: MeasuredQuantity, difference: Estimate, p_holm: float | None) -> str:
    """Return the difference of two models' absolute errors in words."""
    if difference.value is None:
        return f"{a} and {b} have no film in common on which both measured."
    if difference.lo is None or difference.hi is None:
        return f"{a} and {b} differ by {amount(difference.value, q.unit, signed=True)}, and no interval can be given."
    span = f"{amount(difference.value, q.unit, signed=True)} ({amount(difference.lo, q.unit, signed=True)} to {amount(difference.hi, q.unit, signed=True)})"
    if difference.lo <= 0 <= difference.hi:
        return f"{a} and {b} cannot be distinguished in the {lower_first(q.title)}: their absolute errors differ by {span}."
    if p_holm is None or p_holm >= 0.05:
        corrected = "" if p_holm is None else f" (Holm p = {p_holm:.3f})"
        return f"{a} and {b} cannot be distinguished in the {lower_first(q.title)} after correction for the number of tests{corrected}: {span}."
    ahead, behind = (a, b) if difference.value < 0 else (b, a)
    return f"{ahead} measures the {lower_first(q.title)} better than {behind}: their absolute errors differ by {span}."


def routes(variants: Sequence[tuple[str, str]]) -> str:
    """Return in words which models measure and then decide, and which classify the picture; nothing where all go one way."""
    measuring, classifying = ([name for name, route in variants if (route == "measures") is wanted] for wanted in (True, False))
    if not measuring or not classifying:
        return ""
    return (
        f"{_list(measuring)} {_verb(measuring, 'measures', 'measure')} and then {_verb(measuring, 'decides', 'decide')}; {_list(classifying)} "
        f"{_verb(classifying, 'classifies', 'classify')} the picture without measuring. All are judged on the same examinations."
    )


def _list(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _verb(names: Sequence[str], one: str, many: str) -> str:
    return one if len(names) == 1 else many
