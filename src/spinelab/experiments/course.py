"""How far a comparison is, as one whole: all that is still to be trained, answered and drawn counts in the time that is left."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Final

from spinelab.core import Run
from spinelab.io.cache import DECODING

USUAL: Final = {"training": 0.8, "answering": 0.1, "drawing heatmaps": 0.1}
"""The parts of a fold, and their shares of its time until one fold was seen."""
FIGURES: Final = 0.05
"""Share of the whole that is kept for what no fold does: half of it for figures and intervals, half for the page."""


class Course:
    """The folds of a comparison, its figures, the folds of the learning curve, its page, one after the other.

    Parameters
    ----------
    folds, extra
        How many folds the comparison has, and the curve; one that learns from a part of the patients counts as that part.
    """

    def __init__(self, run: Run, folds: float, extra: float = 0.0) -> None:
        self.run, self.total = run, (folds + extra) / (1 - FIGURES)
        self._folds, self._figures = folds, self.total * FIGURES / 2
        self.curve_begins = folds + self._figures
        self._page_begins = self.curve_begins + extra
        self._seconds = dict.fromkeys(USUAL, 0.0)

    def figures(self, share: float, text: str) -> None:
        """Tell what share of the figures is there, and what comes next."""
        self.run.progress(self._folds + share * self._figures, self.total, text)

    def page(self) -> None:
        """Tell that nothing but the page is left to be done."""
        self.run.progress(self._page_begins, self.total, "writing the report")

    def shares(self) -> dict[str, float]:
        """Return what share of a fold's time each of its parts takes, as seen so far."""
        whole = sum(self._seconds.values())
        return {part: seconds / whole for part, seconds in self._seconds.items()} if whole else USUAL

    def took(self, part: str, seconds: float) -> None:
        """Note what a part of a fold took."""
        self._seconds[part] += seconds


class Leg:
    """One fold of a course: its parts in their order, told as progress of the whole that never goes back. Decoding, which is done once, does not advance it.

    Parameters
    ----------
    begins, length
        Folds before this one, and how many it counts for.
    """

    def __init__(self, course: Course, begins: float, length: float, text: str) -> None:
        self._course, self._begins, self._length, self._text = course, begins, length, text
        self._shares = course.shares()
        self._part, self._since, self._base, self._reached = "", 0.0, 0.0, 0.0

    def begin(self, part: str) -> Run:
        """End the part before, and return the circumstances of the next one."""
        self.end()
        self._part, self._since = part, time.perf_counter()
        self._tell(0.0)
        return replace(self._course.run, progress=self._progress)

    def end(self) -> None:
        """End the last part."""
        if self._part:
            self._course.took(self._part, time.perf_counter() - self._since)
            self._base += self._shares[self._part]
        self._part = ""

    def _progress(self, done: float, of: float, what: str) -> None:
        share = done / of if of else 0.0
        if what.endswith(DECODING):
            self._say(f"{DECODING}, {share:.0%} of them done")
        else:
            self._tell(share)

    def _tell(self, share: float) -> None:
        self._reached = max(self._reached, self._base + share * self._shares[self._part])
        self._say(self._part)

    def _say(self, what: str) -> None:
        self._course.run.progress(self._begins + self._length * self._reached, self._course.total, f"{self._text}: {what}")
