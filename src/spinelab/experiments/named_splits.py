"""The splits that a data set comes with: which part is used when, chosen by name and always said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from spinelab.core import Example, Examples, TaskError, plural

FACT: Final = "split"
"""The fact of an example that names its part of the data."""
TEST: Final = ("test", "testing")
TRAINING: Final = ("training", "train")


@dataclass(frozen=True)
class Part:
    """The examples that are used, and the name of their split; ``""`` where the data have none, or all are used."""

    examples: Examples
    name: str = ""


def part_to_try(examples: Examples, asked: str | None, tell: Callable[[str], None]) -> Part:
    """Return the part to try a model on: the one asked for, else the test split, else everything.

    Raises
    ------
    TaskError
        If the data have no split of the name that was asked for; those that they have are listed.
    """
    counts = splits_of(examples)
    if asked is not None:
        return _named(examples, asked, counts)
    chosen = next((name for name in TEST if name in counts), None)
    if chosen is not None:
        return _told(examples, chosen, counts, tell, "only it is evaluated")
    if counts:
        tell(f"The data have no split called test, only {_listed(counts)}: all is evaluated.")
    return Part(examples)


def part_to_learn(examples: Examples, asked: str | None, tell: Callable[[str], None]) -> Part:
    """Return the part to learn from: the one asked for, else the training split, else whatever is not the test split.

    Raises
    ------
    TaskError
        If the data have no split of the name that was asked for, or if the test split is all there is.
    """
    counts = splits_of(examples)
    if asked is not None:
        return _named(examples, asked, counts)
    if not counts:
        return Part(examples)
    if len(counts) == 1 and not set(counts) & set(TEST):
        return Part(examples, next(iter(counts)))
    chosen = next((name for name in TRAINING if name in counts), None)
    if chosen is not None:
        return _told(examples, chosen, counts, tell, "only it is learnt from")
    rest = [i for i, e in enumerate(examples) if split_of(e) not in TEST]
    if not rest:
        raise TaskError(f"{examples.root} holds the test split only", expected="examinations to learn from", action="say --split test if these are meant")
    if len(rest) < len(examples):
        tell(f"The data have the splits {_listed(counts)}. The test split is left out.")
    return Part(_noted(examples.subset(rest), "everything but test", len(examples)), "not test") if len(rest) < len(examples) else Part(examples)


def split_of(example: Example) -> str:
    """Return the name of an example's split, ``""`` where it has none."""
    fact = example.facts.get(FACT)
    return "" if fact is None or fact.value is None else str(fact.value)


def splits_of(examples: Examples) -> dict[str, int]:
    """Return the number of examples of each split; nothing where no example names one."""
    counts = Counter(split_of(e) for e in examples)
    return dict(counts) if set(counts) - {""} else {}


def _named(examples: Examples, asked: str, counts: dict[str, int]) -> Part:
    if asked not in counts:
        raise TaskError(
            f"{examples.root} has no split {asked!r}",
            expected=_listed(counts) if counts else "no --split: these data come without splits",
            action="name one that is there with --split" if counts else "leave --split out",
        )
    return _only(examples, asked)


def _told(examples: Examples, name: str, counts: dict[str, int], tell: Callable[[str], None], use: str) -> Part:
    if len(counts) > 1:
        tell(f"The data have the splits {_listed(counts)}. Of these {name} was chosen, and {use}; --split names another.")
    return _only(examples, name)


def _only(examples: Examples, name: str) -> Part:
    positions = [i for i, e in enumerate(examples) if split_of(e) == name]
    return Part(_noted(examples.subset(positions), name, len(examples)), name)


def _noted(part: Examples, name: str, total: int) -> Examples:
    return replace(part, notes=(*part.notes, f"Split used: {name} ({len(part)} of {total} examinations)."))


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{name or 'no name'} ({plural(count, 'examination')})" for name, count in sorted(counts.items()))
