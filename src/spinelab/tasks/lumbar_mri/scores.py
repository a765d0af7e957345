"""The competition's score and the weighted log loss of any model's answers, beside what the best constant reaches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spinelab.core import Judgement
from spinelab.evaluation.cluster import Resamples
from spinelab.evaluation.resampling import Distribution, ratio
from spinelab.evaluation.rsna import COLUMNS, GRADES, SCORES, RsnaLabels, rsna_distributions, weighted_losses
from spinelab.evaluation.rsna_baselines import CONSTANTS, rsna_constant
from spinelab.evaluation.types import Estimate, Predictions
from spinelab.tasks.lumbar_mri.questions import facts_of, question_of_row
from spinelab.tasks.lumbar_mri.targets import DESCRIPTIONS, GRADE_NAMES, QUESTIONS

LOSS: Final = "weighted_log_loss"
GAIN: Final = "weighted_log_loss_gain"


@dataclass(frozen=True, eq=False)
class Answers:
    """Answers laid out as a competition's table: labels and kinds of series (studies, 25), and probabilities (repeats, studies, 25, 3)."""

    labels: RsnaLabels
    patients: tuple[str, ...]
    probabilities: NDArray[np.float64]
    series: NDArray[np.str_]
    """On which each question was marked or, where that is not known, is usually answered."""

    @cached_property
    def losses(self) -> NDArray[np.float64]:
        """Weighted log loss of every answer and its weight, (2, repeats, studies, 25); 0 where no grade was given."""
        return np.stack([np.stack(weighted_losses(self.labels, table)) for table in self.probabilities], axis=1)


def tables_of(answers: Mapping[str, Predictions | Answers], series: Mapping[str, str] | None = None) -> dict[str, Answers]:
    """Return the tables of the models that answered with grades, by name; those that are laid out already as they are.

    ``series`` is the kind of series on which each question was marked.
    """
    laid_out = {name: found if isinstance(found, Answers) else answers_of(found, series) for name, found in answers.items()}
    return {name: found for name, found in laid_out.items() if found is not None}


def answers_of(predictions: Predictions, series: Mapping[str, str] | None = None) -> Answers | None:
    """Return the table of a model's answers; ``None`` where something else than grades was answered. Questions without an answer count as not graded."""
    if predictions.classes != GRADE_NAMES:
        return None
    rows = [question_of_row(name) for name in predictions.images]
    studies = tuple(dict.fromkeys(study for study, _ in rows))
    place = {study: i for i, study in enumerate(studies)}
    patient = {study: group for (study, _), group in zip(rows, predictions.patients, strict=True)}
    grades = np.full((len(studies), len(COLUMNS)), -1, dtype=np.int8)
    table = np.full((len(predictions.probabilities), len(studies), len(COLUMNS), len(GRADES)), 1 / len(GRADES))
    at = [place[study] for study, _ in rows], [question.place for _, question in rows]
    grades[at] = predictions.truth
    table[:, at[0], at[1]] = predictions.probabilities
    kinds = np.tile(np.array([question.series for question in QUESTIONS]), (len(studies), 1))
    kinds[at] = [(series or {}).get(name, question.series) for name, (_, question) in zip(predictions.images, rows, strict=True)]
    return Answers(RsnaLabels(studies, grades), tuple(patient[study] for study in studies), table, kinds)


def judge(predictions: Predictions, *, bootstraps: int, seed: int = 0) -> Judgement:
    """Return score, its parts and the weighted log loss of all questions together, each with an interval over examinations, and those of constants.

    The constants are made from the grades that are judged, which favours them. What is gained is over the one with the lowest loss.
    """
    answers = answers_of(predictions)
    if answers is None:
        return Judgement()
    own = _scores(answers, bootstraps, seed)
    constants = {name: _scores(constant_answers(answers, name), bootstraps, seed) for name in CONSTANTS}
    best = min(constants, key=lambda name: constants[name][LOSS].value)
    gain = _less(constants[best][LOSS], own[LOSS])
    metrics = _estimates(own) | {GAIN: gain}
    flags = {} if gain.lo is not None and gain.lo > 0 else {"not-better-than-prior": _no_gain(own[LOSS].estimate(), constants[best][LOSS].value, best)}
    return Judgement(metrics, flags=flags, constants={said_constant(name): _estimates(found) for name, found in constants.items()})


def _estimates(figures: Mapping[str, Distribution]) -> dict[str, Estimate]:
    return {name: found.estimate() for name, found in figures.items() if not np.isnan(found.value)}


def said_constant(name: str) -> str:
    """Return how a constant answer is called in a table."""
    return name.replace("-", " ").replace("weighted frequencies", "frequencies weighted 1, 2, 4,")


def _no_gain(own: Estimate, constant: float, name: str) -> str:
    limits = f" ({own.lo:.3f} to {own.hi:.3f})" if own.lo is not None and own.hi is not None else ""
    return f"Weighted log loss {own.value:.3f}{limits}: not shown to be lower than the {constant:.3f} of a constant answer ({said_constant(name)})."


def constant_answers(answers: Answers, name: str) -> Answers:
    """Return the same table answered by one of the constants; one repeat, since each would be the same."""
    constant = rsna_constant(answers.labels, name)
    return replace(answers, probabilities=np.broadcast_to(constant, (1, *answers.probabilities.shape[1:])))


def _scores(answers: Answers, bootstraps: int, seed: int) -> dict[str, Distribution]:
    """Return every figure, averaged over the repeats."""
    repeats = [rsna_distributions(answers.labels, table, patients=answers.patients, bootstraps=bootstraps, seed=seed) for table in answers.probabilities]
    found = {_key(name): _mean([repeat[name] for repeat in repeats]) for name in SCORES}
    everything = np.ones(answers.labels.grades.shape, dtype=bool)
    return found | {LOSS: _pooled(answers, [everything], bootstraps, seed)[0]}


def _key(part: str) -> str:
    """Return how a figure of the competition is called among the metrics."""
    return "rsna_score" if part == "score" else f"rsna_loss_{part}"


def _mean(found: list[Distribution]) -> Distribution:
    return Distribution(float(np.mean([f.value for f in found])), np.mean([f.samples for f in found], axis=0), found[0].patients)


def _pooled(answers: Answers, groups: Sequence[NDArray[np.bool_]], bootstraps: int, seed: int) -> list[Distribution]:
    """Return the log loss of the graded questions of each group together, each weighted by its true grade, over the same resamples of patients."""
    drawn = Resamples.of(answers.patients, bootstraps=bootstraps, seed=seed)
    sums = np.stack([(answers.losses * inside).sum(axis=3) for inside in groups], axis=3)
    loss, weight = np.moveaxis(drawn.totals(np.moveaxis(sums, 2, 0)), 1, 0)
    return [drawn.distribution(column) for column in ratio(loss, weight).mean(axis=1).T]


def _less(constant: Distribution, own: Distribution) -> Estimate:
    """Return by how much a model's loss is lower, over the same resamples."""
    return Distribution(constant.value - own.value, constant.samples - own.samples, own.patients).estimate()


def score_table(tables: Mapping[str, Answers], *, bootstraps: int) -> dict[str, Any]:
    """Return the table of the competition's figures: a row a model, then a row a constant."""
    some = next(iter(tables.values()))
    rows = {**tables, **{said_constant(name): constant_answers(some, name) for name in CONSTANTS}}
    scored = {name: {k: d.estimate() for k, d in _scores(table, bootstraps, 0).items()} for name, table in rows.items()}
    keys = [LOSS, *map(_key, SCORES)]
    columns = ("answers", "weighted log loss, all questions", "score", *(part.replace("_", " ") for part in SCORES if part != "score"))
    return {"columns": columns, "rows": [(name, *(said(figures[key]) for key in keys)) for name, figures in scored.items()]}


def said(estimate: Estimate) -> str:
    """Return a figure with its interval, as a cell of a table."""
    if estimate.value is None:
        return "not defined"
    if estimate.lo is None or estimate.hi is None:
        return f"{estimate.value:.3f}"
    return f"{estimate.value:.3f} ({estimate.lo:.3f} to {estimate.hi:.3f})"


def per_question_table(tables: Mapping[str, Answers], *, bootstraps: int) -> dict[str, Any]:
    """Return accuracy and weighted log loss by condition, level, side and kind of series: a row a group, two columns a model."""
    some = next(iter(tables.values()))
    groups = _groups(some)
    inside = list(groups.values())
    losses = [_pooled(found, inside, bootstraps, 0) for found in tables.values()]
    rows = []
    for number, ((fact, group), chosen) in enumerate(groups.items()):
        graded = chosen & (some.labels.grades >= 0)
        row: list[Any] = [fact, group, int(graded.sum()), _share_of_most(some.labels.grades[graded])]
        for found, loss in zip(tables.values(), losses, strict=True):
            row += [_accuracy(found, graded), said(loss[number].estimate())]
        rows.append(tuple(row))
    heads = [part for name in tables for part in (f"{name}: accuracy", f"{name}: weighted log loss")]
    return {"columns": ("by", "group", "questions", "share of the most frequent grade", *heads), "rows": rows}


def _groups(answers: Answers) -> dict[tuple[str, str], NDArray[np.bool_]]:
    """Return which questions share a fact, by fact and its value; the plane is that of the series on which each was marked."""
    found: dict[tuple[str, str], NDArray[np.bool_]] = {}
    for question in QUESTIONS:
        for fact, value in facts_of(question).items():
            if fact != "plane":
                found.setdefault((fact, str(value.value)), np.zeros(answers.series.shape, dtype=bool))[:, question.place] = True
    return found | {("plane", kind): answers.series == kind for kind in DESCRIPTIONS}


def _share_of_most(grades: NDArray[np.int8]) -> str:
    return f"{np.bincount(grades).max() / grades.size:.2f}" if grades.size else "–"


def _accuracy(answers: Answers, graded: NDArray[np.bool_]) -> str:
    """Return the share of right answers, the mean of the repeats."""
    right = (answers.probabilities.argmax(axis=3) == answers.labels.grades)[:, graded]
    return f"{right.mean():.2f}" if right.size else "–"
