"""Examinations that are asked several questions: split by examination, judged by question."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from spinelab.core import Examples, Settings, Task
from spinelab.experiments.splits import Split


@dataclass(frozen=True, eq=False)
class Asked:
    """Questions about examinations.

    Parameters
    ----------
    examinations
        Those that are asked anything.
    questions
        One example a question; the examinations themselves where each is one question.
    place
        (questions,) position of each one's examination.
    labels
        One an examination: of several questions the last class in the order of the classes, the highest grade of grades. Empty where nothing is classified.
    burden
        One an examination: the mean place of its questions' classes, by which splits are balanced where there are several.
    """

    examinations: Examples
    questions: Examples
    place: NDArray[np.int64]
    labels: tuple[str, ...]
    burden: tuple[float, ...] = ()

    @property
    def several(self) -> bool:
        """Whether an examination is asked more than one thing."""
        return self.questions is not self.examinations

    def question_labels(self, target: str) -> list[str]:
        """Return the class of every question."""
        return self.questions.labels(target) if self.several else list(self.labels)

    def spread(self, values: Sequence[str]) -> list[str]:
        """Return what is known of each examination for each of its questions."""
        return [values[i] for i in self.place] if self.several else list(values)

    def split(self, split: Split) -> Split:
        """Return a split of the examinations as one of their questions."""
        if not self.several:
            return split
        train, test = (np.flatnonzero(np.isin(self.place, part)) for part in (split.train, split.test))
        return replace(split, train=train, test=test)


def one_question(examples: Examples, target: str) -> Asked:
    """Return examinations that are one question each."""
    return Asked(examples, examples, np.arange(len(examples)), tuple(examples.labels(target) if target else ()))


def ask(task: Task, examples: Examples, settings: Settings) -> Asked:
    """Return what a task asks about these examinations."""
    target = task.target(settings)
    examples = task.labelled(examples, settings)
    questions = task.asked(examples, settings)
    if questions is examples:
        return one_question(examples, target)
    names = task.classes(questions, settings)
    ranks: dict[str, list[int]] = defaultdict(list)
    owners = [question.of.id if question.of is not None else question.id for question in questions]
    for owner, label in zip(owners, questions.labels(target), strict=True):
        ranks[owner].append(names.index(label))
    some = examples.subset([i for i, example in enumerate(examples) if example.id in ranks])
    position = {example.id: i for i, example in enumerate(some)}
    place = np.array([position[owner] for owner in owners], dtype=np.int64)
    labels = tuple(names[max(ranks[example.id])] for example in some)
    burden = tuple(fmean(ranks[example.id]) for example in some)
    return Asked(some, questions, place, labels, burden)
