"""What is found wrong with an examination once it is open."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Doubt:
    """One thing that is wrong with an examination.

    Parameters
    ----------
    about
        The question (or examination) by its name.
    what
        The same words for every such case: cases are counted by them.
    detail
        What is said of this case alone.
    left_out
        Whether the question can be neither learnt from nor answered; otherwise it is kept as it is.
    """

    about: str
    what: str
    detail: str = ""
    left_out: bool = False

    @property
    def example(self) -> str:
        """The case as it is named in a sentence."""
        return f"{self.about}: {self.detail}" if self.detail else self.about
