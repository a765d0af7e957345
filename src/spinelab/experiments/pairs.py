"""Every pair of models on the same examinations: the paired difference, and tests corrected for the number of pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from spinelab.evaluation import corrected_resampled_t, delong_test, fold_values, holm, mcnemar, paired_difference
from spinelab.evaluation.types import Estimate, Predictions
from spinelab.experiments.design import Design
from spinelab.experiments.error_columns import errors_of, paired_error
from spinelab.experiments.rank import Ranking
from spinelab.experiments.ranked_words import pair_words
from spinelab.experiments.splits import Split
from spinelab.report.content import Pair, Variant


@dataclass(frozen=True)
class _Tests:
    difference: Estimate
    bootstrap: float | None
    resampled_t: float | None
    mcnemar: float | None
    delong: float | None


def compare_pairs(variants: Sequence[Variant], splits: Sequence[Split], design: Design, ranking: Ranking) -> list[Pair]:
    """Return every pair of models that gave answers, with Holm's correction over all pairs of each test.

    Two models are *distinguishable* if the 95 % interval of their paired difference in the ranking metric (patient-clustered
    bootstrap) excludes zero and its p-value survives Holm's correction. The corrected resampled t-test (Nadeau and Bengio 2003),
    which also counts the luck of the split, McNemar's and DeLong's tests are reported beside it. Where an error ranks, the difference is
    that of the errors film by film, on the films that both measured.
    """
    usable = [v for v in variants if (v.measured if ranking.measures else v.predictions) is not None and ranking.metric in v.figures]
    chosen = list(combinations(usable, 2))
    tests = [_error_test(a, b, design, ranking) if ranking.measures else _test(a, b, splits, design, ranking.metric) for a, b in chosen]
    adjusted = {name: holm([getattr(t, name) for t in tests]) for name in ("bootstrap", "resampled_t", "mcnemar", "delong")}
    return [_pair(a, b, test, {name: p[i] for name, p in adjusted.items()}, ranking) for i, ((a, b), test) in enumerate(zip(chosen, tests, strict=True))]


def _test(a: Variant, b: Variant, splits: Sequence[Split], design: Design, metric: str) -> _Tests:
    pa, pb = _answers(a), _answers(b)
    difference, p = paired_difference(pa, pb, metric, bootstraps=design.bootstraps, seed=design.seed)
    return _Tests(difference, p, _resampled_t(pa, pb, splits, metric), _mcnemar(pa, pb), _delong(pa, pb))


def _error_test(a: Variant, b: Variant, design: Design, ranking: Ranking) -> _Tests:
    assert a.measured is not None  # noqa: S101 - callers pass variants that measured
    assert b.measured is not None  # noqa: S101
    difference, p, t = paired_error(a.measured, b.measured, errors_of(a.measured, ranking), errors_of(b.measured, ranking), design)
    return _Tests(difference, p, t, None, None)


def _answers(variant: Variant) -> Predictions:
    assert variant.predictions is not None  # noqa: S101 - callers pass variants with answers
    return variant.predictions


def _resampled_t(a: Predictions, b: Predictions, splits: Sequence[Split], metric: str) -> float | None:
    """Return the p-value over folds, ``None`` where there are fewer than three or the metric is undefined in some."""
    differences = fold_values(a, metric) - fold_values(b, metric)
    if np.isfinite(differences).sum() < 3:
        return None
    ratio = float(np.mean([len(s.test) / len(s.train) for s in splits]))
    return corrected_resampled_t(differences, test_fraction_ratio=ratio)[1]


def _mcnemar(a: Predictions, b: Predictions) -> float | None:
    """Return the exact p-value over patients with one examination each; with repeats, the answer is that of the mean probability.

    Where patients have several, there is none: the test takes every examination for an independent patient.
    """
    if len(set(a.patients)) < len(a.patients):
        return None
    right_a, right_b = (p.mean_probabilities.argmax(axis=1) == p.truth for p in (a, b))
    return mcnemar(right_a, right_b)


def _delong(a: Predictions, b: Predictions) -> float | None:
    """Return the p-value for two classes, with a patient's examinations as one cluster."""
    if len(a.classes) != 2 or len(set(a.truth.tolist())) < 2:
        return None
    return delong_test(a.truth, a.mean_probabilities[:, 1], b.mean_probabilities[:, 1], groups=a.patients)[1]


def _excludes_zero(difference: Estimate) -> bool:
    """Return whether the interval excludes zero; without limits, every resample gave the same difference."""
    if difference.lo is None or difference.hi is None:
        return difference.value is not None and abs(difference.value) > 1e-9
    return difference.lo > 0 or difference.hi < 0


def _pair(a: Variant, b: Variant, test: _Tests, adjusted: dict[str, float | None], ranking: Ranking) -> Pair:
    p_holm = adjusted["bootstrap"]
    distinguishable = _excludes_zero(test.difference) and p_holm is not None and p_holm < 0.05
    text = pair_words(a.name, b.name, ranking, test.difference, p_holm, adjusted["resampled_t"], distinguishable=distinguishable)
    return Pair(
        a=a.name,
        b=b.name,
        metric=ranking.metric,
        difference=test.difference,
        p_bootstrap=test.bootstrap,
        p_bootstrap_holm=p_holm,
        p_resampled_t=test.resampled_t,
        p_resampled_t_holm=adjusted["resampled_t"],
        p_mcnemar=test.mcnemar,
        p_mcnemar_holm=adjusted["mcnemar"],
        p_delong=test.delong,
        p_delong_holm=adjusted["delong"],
        distinguishable=distinguishable,
        text=text,
    )
