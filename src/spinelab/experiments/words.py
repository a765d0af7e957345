"""The comparison's sentences, each computed from its figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from spinelab.evaluation.types import Estimate
from spinelab.report.content import DataSummary, Pair, Variant

METRIC_WORDS: Mapping[str, str] = {
    "balanced_accuracy": "balanced accuracy",
    "auroc": "AUROC",
    "mcc": "Matthews correlation",
    "cohen_kappa": "Cohen's kappa",
    "quadratic_kappa": "quadratic kappa",
    "accuracy": "accuracy",
}


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
    """Return the rarest class with its number of patients, or of images where patients are not known."""
    known = data.patients is not None
    unit = "patients" if known else "images"
    label, counts = min(data.classes.items(), key=lambda item: item[1][unit] or 0)
    number = counts[unit] or 0
    return f"the rarest class, {label}, has {number} {unit[:-1] if number == 1 else unit}" + ("" if known else " (patients are not known)")


def headline(variants: Sequence[Variant], pairs: Sequence[Pair], data: DataSummary, baseline: Mapping[str, object], rank_by: str) -> str:
    """Return the answer in words: who is ahead, how sure that is, and what the rarest class and the majority rate are."""
    metric = METRIC_WORDS.get(rank_by, rank_by)
    ranked = sorted((v for v in variants if v.rank is not None), key=lambda v: v.rank or 0)
    context = f"{rarest(data).capitalize()}; always answering {baseline['majority_class']!r} is right for {float(str(baseline['majority_share'])):.0%}."
    return f"{origin(data)}{_verdict(variants, ranked, pairs, metric, rank_by)} {context}"


def origin(data: DataSummary) -> str:
    """Return what stands before any figure made from phantoms."""
    return "On digital phantoms, not patients: " if data.phantom else ""


def _verdict(variants: Sequence[Variant], ranked: Sequence[Variant], pairs: Sequence[Pair], metric: str, rank_by: str) -> str:
    if not ranked:
        collapsed = sum(has(v, "collapsed") for v in variants)
        every = "The model" if len(variants) == 1 else f"All {len(variants)} models"
        return (
            f"{every} collapsed to one answer: nothing was learnt."
            if collapsed == len(variants)
            else "No model could be ranked: each failed or collapsed to one answer."
        )
    best = ranked[0]
    score = say(best.metrics[rank_by])
    if all(has(v, "not-better-than-chance") for v in ranked):
        return f"Cannot tell: no model is shown to do better than guessing (the highest {metric} is {score}, {best.name})."
    rivals = [v.name for v in ranked[1:] if not _told_apart(pairs, best.name, v.name)]
    if len(ranked) == 1:
        return f"{best.name} reaches a {metric} of {score}."
    if not rivals:
        return f"{best.name} is ahead of every other ranked model with a {metric} of {score}."
    return f"{best.name} has the highest {metric}, {score}, but {_listing(rivals)} cannot be distinguished from it on these data."


def _told_apart(pairs: Sequence[Pair], a: str, b: str) -> bool:
    return any(p.distinguishable for p in pairs if {p.a, p.b} == {a, b})


def has(variant: Variant, code: str) -> bool:
    """Return whether a variant carries a flag."""
    return any(flag.code == code for flag in variant.flags)


def _listing(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def pair_words(a: str, b: str, metric: str, difference: Estimate, p_holm: float | None, p_t_holm: float | None, *, distinguishable: bool) -> str:
    """Return one sentence on the difference between two models."""
    word = METRIC_WORDS.get(metric, metric)
    if difference.value is None:
        return f"{a} and {b}: no difference in {word} can be computed."
    low, high = difference.lo, difference.hi
    limits = f"{low:+.3f} to {high:+.3f}" if low is not None and high is not None else "the same in every resample"
    span = f"{difference.value:+.3f} ({limits})"
    if not distinguishable and p_holm is None:
        return f"{a} and {b} are not distinguishable on these data: difference in {word} {span}, and no test can be made."
    if not distinguishable:
        includes = low is None or high is None or low <= 0 <= high
        reason = "the interval includes zero" if includes else f"not after correction for the number of pairs (Holm p = {p_holm:.3f})"
        return f"{a} and {b} are not distinguishable on these data: difference in {word} {span}, {reason}."
    ahead, behind = (a, b) if difference.value > 0 else (b, a)
    doubt = (
        f"; the corrected resampled t-test, which counts the luck of the split as well, does not confirm it (p = {p_t_holm:.3f})"
        if p_t_holm is not None and p_t_holm >= 0.05
        else ""
    )
    return f"{ahead} is better than {behind}: difference in {word} {span}{doubt}."


def statements(variants: Sequence[Variant], pairs: Sequence[Pair], data: DataSummary, design: Mapping[str, object]) -> tuple[str, ...]:
    """Return everything a reader must know besides the headline, most serious first."""
    told = [flag.text for flag in data.flags]
    for code, verb in (("collapsed", "collapsed"), ("failed", "failed")):
        names = [v.name for v in variants if has(v, code)]
        if names:
            told.append(f"{_listing(names)} {verb} and {'is' if len(names) == 1 else 'are'} not ranked.")
    behind = [v.name for v in variants if has(v, "not-better-than-majority")]
    if behind:
        told.append(f"Accuracy not shown to exceed the majority rate: {_listing(behind)}.")
    scratch = [v.name for v in variants if has(v, "weights-scratch")]
    if scratch:
        told.append(
            f"Trained from scratch, because pretrained weights were not available: {_listing(scratch)}. Published figures mostly used pretrained weights."
        )
    if design.get("positive"):
        told.append(f"Sensitivity, precision and average precision are about {design['positive']}.")
    told += _declined(design)
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


def _declined(design: Mapping[str, object]) -> list[str]:
    unanswered = design.get("unanswered")
    if not isinstance(unanswered, Mapping) or not any(unanswered.values()):
        return []
    counts = ", ".join(f"{name} {count}" for name, count in unanswered.items() if count)
    return [
        f"Examinations that a model declined to answer: {counts}. All figures are over the {design.get('compared')} examinations that every model answered."
    ]
