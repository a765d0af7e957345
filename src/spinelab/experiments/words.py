"""The comparison's sentences, each computed from its figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from spinelab.core import plural
from spinelab.evaluation.types import Estimate
from spinelab.report.content import DataSummary, Pair, Variant
from spinelab.report.words import MAIN_METRICS, lower_start, metric

METRIC_WORDS: Mapping[str, str] = {
    "balanced_accuracy": "balanced accuracy",
    "auroc": "AUROC",
    "mcc": "Matthews correlation",
    "cohen_kappa": "Cohen's kappa",
    "quadratic_kappa": "quadratic kappa",
    "accuracy": "accuracy",
}


MOST_REASONS: Final = 6
"""Reasons for no answer that are told in words."""
MOST_PAIRS: Final = 6
"""Pairs of models up to which every difference is told in words."""


def say(estimate: Estimate) -> str:
    """Return ``0.71 (95 % interval 0.66-0.76)``."""
    if estimate.value is None:
        return "not defined"
    if estimate.lo is None or estimate.hi is None:
        return f"{estimate.value:.2f} (no interval can be given)"
    return f"{estimate.value:.2f} (95 % interval {estimate.lo:.2f} to {estimate.hi:.2f})"


def rarest(data: DataSummary) -> str:
    """Return the rarest class with its number of patients, or of images (questions) where patients are not known."""
    known = data.patients is not None
    key, unit = ("patients", "patients") if known else ("images", data.counted)
    label, counts = min(data.classes.items(), key=lambda item: item[1][key] or 0)
    number = counts[key] or 0
    return f"the rarest class, {label}, has {number} {unit[:-1] if number == 1 else unit}" + ("" if known else " (patients are not known)")


def origin(data: DataSummary) -> str:
    """Return what stands before any figure made from phantoms."""
    return "On digital phantoms, not patients: " if data.phantom else ""


def constants(baseline: Mapping[str, Any]) -> str:
    """Return what answers reach that need no picture, in the main metrics that a task judges them by; nothing where it judges none."""
    told = [f"{name} ({', '.join(_main_figures(figures))})" for name, figures in baseline.get("constants", {}).items()]
    return f"Answers without a picture, made from these very data, which favours them: {'; '.join(told)}." if told else ""


def _main_figures(figures: Mapping[str, Estimate]) -> list[str]:
    return [f"{lower_start(metric(name).title)} {figures[name].value:.2f}" for name in MAIN_METRICS if name in figures and figures[name].value is not None]


def has(variant: Variant, code: str) -> bool:
    """Return whether a variant carries a flag."""
    return any(flag.code == code for flag in variant.flags)


def listing(names: Sequence[str]) -> str:
    """Return names as they stand in a sentence: ``a, b and c``."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def statements(variants: Sequence[Variant], pairs: Sequence[Pair], data: DataSummary, design: Mapping[str, object]) -> tuple[str, ...]:
    """Return everything a reader must know besides the headline, most serious first."""
    told = [flag.text for flag in data.flags]
    for code, verb in (("collapsed", "collapsed"), ("failed", "failed")):
        names = [v.name for v in variants if has(v, code)]
        if names:
            told.append(f"{listing(names)} {verb} and {'is' if len(names) == 1 else 'are'} not ranked.")
    behind = [v.name for v in variants if has(v, "not-better-than-majority")]
    if behind:
        told.append(f"Accuracy not shown to exceed the majority rate: {listing(behind)}.")
    scratch = [v.name for v in variants if has(v, "weights-scratch")]
    if scratch:
        told.append(
            f"Trained from scratch, because pretrained weights were not available: {listing(scratch)}. Published figures mostly used pretrained weights."
        )
    if design.get("positive"):
        told.append(f"Sensitivity, precision and average precision are about {design['positive']}.")
    told += _declined(design, data.noun)
    told += _pairs_told(variants, pairs)
    told += [f"{v.name}: {note}" for v in variants for note in v.notes]
    return tuple(dict.fromkeys(told))


def _pairs_told(variants: Sequence[Variant], pairs: Sequence[Pair]) -> list[str]:
    """Return the sentences on pairs of ranked models; of many, those with the first-ranked one."""
    ranked = {v.name: v.rank for v in variants if v.rank is not None}
    between = [p for p in pairs if p.a in ranked and p.b in ranked]
    if len(between) <= MOST_PAIRS:
        return [p.text for p in between]
    first = [p for p in between if 1 in (ranked[p.a], ranked[p.b])]
    return [*(p.text for p in first), f"The other {len(between) - len(first)} pairs of ranked models stand in the table of pairwise tests."]


def _declined(design: Mapping[str, Any], noun: str) -> list[str]:
    unanswered = design.get("unanswered")
    if not isinstance(unanswered, Mapping) or not any(unanswered.values()):
        return []
    counts = ", ".join(f"{name} {count}" for name, count in unanswered.items() if count)
    left_out, compared = list(design.get("left_out", ())), int(design.get("compared", 0))
    who = "other model" if left_out else "model"
    told = [
        f"{noun.capitalize()}s that a model did not answer: {counts}. All figures are over the {plural(compared, noun)} that every {who} answered.",
        *_reasons(design.get("unanswered_why", ()), noun),
    ]
    if left_out:
        whose = "their" if len(left_out) > 1 else "its"
        told.append(f"{' and '.join(left_out)} declined more than half: {whose} classes are not judged, so that the others keep their {noun}s.")
    return told


def _reasons(reasons: Sequence[Mapping[str, Any]], noun: str) -> list[str]:
    """Return why some were not answered, the most frequent reason first; what was found in the data is told by flags of the data."""
    reasons = [reason for reason in reasons if not reason["in_data"]]
    told = [f"{_whose(r)}{counted_of(r['count'], r['examinations'], noun)} not answered{_example(r)}: {r['why']}." for r in reasons[:MOST_REASONS]]
    more = len(reasons) - MOST_REASONS
    return [*told, f"{plural(more, 'more reason')} stand{'s' * (more == 1)} in the JSON."] if more > 0 else told


def _example(reason: Mapping[str, Any]) -> str:
    """Return which one a reason is told of; its words may have numbers of it."""
    return f" ({'such as ' * (reason['count'] > 1)}{reason['example']})"


def _whose(reason: Mapping[str, Any]) -> str:
    """Return whose reason it is, where several models are compared."""
    return f"{reason['model']}: " if "model" in reason else ""


def counted_of(count: int, examinations: int, noun: str) -> str:
    """Return how many items of how many examinations, with the verb: ``1 question of 1 examination is``."""
    whose = f" of {plural(examinations, 'examination')}" if noun != "examination" else ""
    return f"{plural(count, noun)}{whose} {'is' if count == 1 else 'are'}"
