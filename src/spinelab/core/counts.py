"""Counts in words: how many of what, in the singular or the plural, and which."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

_EITHER: Final = re.compile(r"\[([^\[\]|]*)\|([^\[\]|]*)\]")
_SHOWN: Final = 3


def plural(count: int, noun: str) -> str:
    """Return ``1 question`` or ``2 questions``."""
    return f"{count} {noun}{'s' * (count != 1)}"


def counted(cases: int | Sequence[str], words: str) -> str:
    """Return how many cases, and ``words`` with the first of each ``[is|are]`` for a single case and the second for any other number.

    Where the cases are given by name, the first few stand in brackets before the first colon of the words, without one at their end.

    Examples
    --------
    >>> counted(1, "[film lies|films lie] outside")
    '1 film lies outside'
    >>> counted(["a.png", "b.png"], "[film states|films state] no spacing: [its|their] distances are in pixels.")
    '2 films state no spacing (a.png, b.png): their distances are in pixels.'
    """
    count = cases if isinstance(cases, int) else len(cases)
    sentence = f"{count} {_EITHER.sub(lambda either: either[1 if count == 1 else 2], words)}"
    if isinstance(cases, int):
        return sentence
    at = sentence.find(":") if ":" in sentence else len(sentence.rstrip("."))
    return f"{sentence[:at]} ({', '.join(cases[:_SHOWN])}{', ...' * (count > _SHOWN)}){sentence[at:]}"


def noted(names: Sequence[str], words: str) -> list[str]:
    """Return the note that counts and names these cases, as `counted` words it; none for no case."""
    return [counted(names, words)] if names else []
