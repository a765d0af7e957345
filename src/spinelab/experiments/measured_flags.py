"""Flags of a measuring model, from its agreement with the truth."""

from __future__ import annotations

from typing import Final

import numpy as np

from spinelab.experiments.measured_words import amount, in_words, percent, reasons
from spinelab.report.content import Flag
from spinelab.report.measured import Measured, MeasuredQuantity

STATED: Final = 0.95
"""What every interval claims to hold (docs/conventions.md)."""
BIAS_SHARE: Final = 0.5
"""Share of the mean absolute error from which a bias that is not zero is worth a flag: half of the error could be subtracted."""
LEAST_BIAS: Final = {"deg": 0.5, "mm": 0.5}
"""Bias by unit below which it means nothing to a patient, however sure it is."""
WIDE_SHARE: Final = 0.5
"""Share of the range of 95 % of the truths from which intervals are wide: they tell little more than that the patient is a patient."""
LEAST_RIGHT: Final = 0.90
"""Share of films with rightly named levels below which a level must not be taken from an answer unchecked."""
MOST_WITHHELD: Final = 0.05


def of_measured(measured: Measured) -> list[Flag]:
    """Return every flag that the figures raise; one a kind, with all quantities concerned."""
    told = in_words(measured)
    judged = [q for q in told if q.paired.any()]
    found = [
        _flag("not-better-than-constant", "Not shown to measure better than one number for everyone", [_against_constant(q) for q in judged]),
        _flag("under-covered", "Intervals that state 95 % hold the truth less often", [_coverage(q) for q in judged]),
        _flag("biased", "The answers are shifted to one side, by at least half of their error", [_bias(q) for q in judged]),
        _flag("wide-intervals", "Intervals are on average wider than half of the range in which 95 % of these truths lie", [_width(q) for q in judged]),
        _flag("often-withheld", "No value was given on more than one film in twenty", [_withheld(q) for q in told]),
    ]
    return [flag for flag in (*found, _levels(measured)) if flag is not None]


def _flag(code: str, text: str, about: list[str | None]) -> Flag | None:
    told = [one for one in about if one is not None]
    return Flag(code, f"{text}: {'; '.join(told)}.") if told else None


def _against_constant(q: MeasuredQuantity) -> str | None:
    gain = q.constant.get("gain")
    if gain is None or gain.value is None or (gain.lo is not None and gain.lo > 0):
        return None
    mae = q.figure("mae").value
    if mae == 0:
        return None
    return f"{q.title} ({amount(mae, q.unit)}, always {amount(q.constant['answer'], q.unit)} has {amount(q.constant['mae'].value, q.unit)})"


def _coverage(q: MeasuredQuantity) -> str | None:
    held = q.of_interval("coverage")
    if held.value is None or held.hi is None or held.hi >= STATED:
        return None
    return f"{q.title} on {percent(held)} of the films"


def _bias(q: MeasuredQuantity) -> str | None:
    bias, mae = q.limit("bias"), q.figure("mae").value
    if bias.value is None or bias.lo is None or bias.hi is None or mae is None:
        return None
    if bias.lo <= 0 <= bias.hi or abs(bias.value) < max(BIAS_SHARE * mae, LEAST_BIAS.get(q.unit, 0.0)):
        return None
    return f"{q.title} by {amount(bias.value, q.unit, signed=True)} ({amount(bias.lo, q.unit, signed=True)} to {amount(bias.hi, q.unit, signed=True)})"


def _width(q: MeasuredQuantity) -> str | None:
    width, known = q.of_interval("mean_width").value, q.truth[np.isfinite(q.truth)]
    low, high = np.quantile(known, [0.025, 0.975])
    if width is None or high <= low or width <= WIDE_SHARE * (high - low):
        return None
    return f"{q.title} {amount(width, q.unit)} of {amount(float(high - low), q.unit)}"


def _withheld(q: MeasuredQuantity) -> str | None:
    withheld, known = sum(q.withheld.values()), int(np.isfinite(q.truth).sum())
    if known == 0 or withheld <= MOST_WITHHELD * known:
        return None
    return f"{q.title} on {withheld} of {known} ({reasons(q)})"


def _levels(measured: Measured) -> Flag | None:
    right = measured.metrics.get("levels_right")
    if right is None or right.value is None or right.value >= LEAST_RIGHT:
        return None
    return Flag("levels-uncertain", f"All levels carry their right names on {percent(right)} of the films: check the level before it is used.")
