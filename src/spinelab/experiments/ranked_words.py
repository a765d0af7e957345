"""The comparison's headline and the sentences on pairs: who is ahead in the metric that ranks, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from spinelab.core import plural
from spinelab.evaluation.types import Estimate
from spinelab.experiments.flags import CHANCE
from spinelab.experiments.rank import Ranking
from spinelab.experiments.words import has, listing, origin, rarest
from spinelab.report.content import DataSummary, Pair, Variant
from spinelab.report.words import estimate


def headline(variants: Sequence[Variant], pairs: Sequence[Pair], data: DataSummary, baseline: Mapping[str, object], ranking: Ranking) -> str:
    """Return the answer in words: who is ahead, how sure that is, and what the rarest class and the majority rate are."""
    ranked = sorted((v for v in variants if v.rank is not None), key=lambda v: v.rank or 0)
    return f"{origin(data)}{_verdict(variants, ranked, pairs, ranking)} {_context(data, baseline, ranking)}"


def _context(data: DataSummary, baseline: Mapping[str, Any], ranking: Ranking) -> str:
    if not ranking.measures:
        rare = rarest(data)
        return f"{rare[0].upper()}{rare[1:]}; always answering {baseline['majority_class']!r} is right for {float(str(baseline['majority_share'])):.0%}."
    number = plural(data.patients, "patient") if data.patients is not None else f"{plural(data.examinations, 'examination')} (patients are not known)"
    floor = estimate(dict(baseline.get("metrics") or {}).get(ranking.metric))
    beside = f"; {baseline['name']} has {ranking.say(floor)}" if floor.value is not None else ""
    return f"There are {number}{beside}."


def _verdict(variants: Sequence[Variant], ranked: Sequence[Variant], pairs: Sequence[Pair], ranking: Ranking) -> str:
    if not ranked:
        every = all(has(v, "collapsed") for v in variants)
        return _all_collapsed(variants) if every else "No model could be ranked: each failed, collapsed to one answer or declined too many examinations."
    best = ranked[0]
    metric, score = ranking.word, ranking.say(best.figures[ranking.metric])
    extreme = "lowest" if ranking.measures else "highest"
    if all(_doubtful(v, ranking) for v in ranked):
        rival = "one number for everyone" if ranking.measures else "guessing"
        return f"Cannot tell: no model is shown to do better than {rival} (the {extreme} {metric} is {score}, {best.name})."
    rivals = [v.name for v in ranked[1:] if not _told_apart(pairs, best.name, v.name)]
    if len(ranked) == 1:
        return f"{best.name} reaches a {metric} of {score}."
    if not rivals:
        return f"{best.name} is ahead of every other ranked model with a {metric} of {score}."
    return f"{best.name} has the {extreme} {metric}, {score}, but {listing(rivals)} cannot be distinguished from it on these data."


def _all_collapsed(variants: Sequence[Variant]) -> str:
    """Return what is said where every model gives (nearly) one answer; that none learnt anything only where none is better than chance in any metric."""
    who = "The model" if len(variants) == 1 else "Both models" if len(variants) == 2 else f"All {len(variants)} models"
    learnt = [v.name for v in variants if _above_chance(v)]
    if not learnt:
        return f"{who} collapsed to one answer: nothing was learnt."
    given = {v.predictions.classes[int(np.bincount(v.predictions.answers.ravel()).argmax())] for v in variants if v.predictions is not None}
    answer = f"{given.pop()!r}" if len(given) == 1 else "one class"
    verb, be = ("answers", "is") if len(variants) == 1 else ("answer", "are")
    return f"{who} {verb} nearly always {answer} and {be} not ranked. Better than chance in some metric: {listing(learnt)}."


def _above_chance(variant: Variant) -> bool:
    """Return whether the interval of some metric that a constant cannot win lies above what guessing reaches."""
    if variant.predictions is None:
        return False
    limits = {name: variant.metrics[name].lo for name in CHANCE if name in variant.metrics}
    return any(lo is not None and lo > CHANCE[name](len(variant.predictions.classes)) for name, lo in limits.items())


def _doubtful(variant: Variant, ranking: Ranking) -> bool:
    """Return whether a model is not shown to do better than guessing, or than one number for everyone, in what ranks."""
    q, measured = ranking.quantity, variant.measured
    if not ranking.measures or q is None or measured is None:
        return has(variant, "not-better-than-chance") and not ranking.measures
    own = next((m for m in measured.quantities if (m.name, m.unit) == (q.name, q.unit)), None)
    gain = None if own is None else own.constant.get("gain")
    return gain is not None and not (gain.lo is not None and gain.lo > 0) and variant.figures[ranking.metric].value != 0


def _told_apart(pairs: Sequence[Pair], a: str, b: str) -> bool:
    return any(p.distinguishable for p in pairs if {p.a, p.b} == {a, b})


def pair_words(a: str, b: str, ranking: Ranking, difference: Estimate, p_holm: float | None, p_t_holm: float | None, *, distinguishable: bool) -> str:
    """Return one sentence on the difference between two models."""
    word = ranking.word
    if difference.value is None:
        return f"{a} and {b}: no difference in {word} can be computed."
    low, high = difference.lo, difference.hi
    limits = f"{ranking.signed(low)} to {ranking.signed(high)}" if low is not None and high is not None else "the same in every resample"
    span = f"{ranking.signed(difference.value)} ({limits})"
    if not distinguishable and p_holm is None:
        return f"{a} and {b} are not distinguishable on these data: difference in {word} {span}, and no test can be made."
    if not distinguishable:
        includes = low is None or high is None or low <= 0 <= high
        reason = "the interval includes zero" if includes else f"no longer shown after correction for the number of pairs (Holm p = {p_holm:.3f})"
        return f"{a} and {b} are not distinguishable on these data: difference in {word} {span}, {reason}."
    ahead, behind = (a, b) if (difference.value > 0) is not ranking.measures else (b, a)
    doubt = (
        f"; the corrected resampled t-test, which counts the luck of the split as well, does not confirm it (p = {p_t_holm:.3f})"
        if p_t_holm is not None and p_t_holm >= 0.05
        else ""
    )
    return f"{ahead} is better than {behind}: difference in {word} {span}{doubt}."
