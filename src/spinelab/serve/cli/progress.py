"""How far it is and how long it will take: a bar on a terminal, a line now and then elsewhere, always on stderr."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Final

from spinelab.core import Progress

SECONDS_BETWEEN_LINES: Final = 15.0


@contextmanager
def shown() -> Iterator[Progress]:
    """Show progress while the block runs; whatever libraries print meanwhile goes to stderr, so that stdout holds the answer only."""
    with redirect_stdout(sys.stderr):
        if sys.stderr.isatty():
            with _bar() as progress:
                yield progress
        else:
            yield Lines()


@contextmanager
def _bar() -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn(), TextColumn("{task.fields[left]}"))
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        bar = bars.add_task("starting", total=None, left="")
        stage = Stage()

        def progress(done: float, total: float, text: str) -> None:
            if stage.begins(done, total, time.monotonic()):
                bars.reset(bar, total=total, description=text)
            bars.update(bar, completed=done, total=total, description=text, left=stage.left(time.monotonic()))

        yield progress


class Stage:
    """A piece of work: tells when another one begins, and how long the rest takes at the speed so far, for that of the one before is of no use.

    Time in which it is told of and does not advance, as while films are decoded once for all that comes, is no part of that speed.
    """

    def __init__(self) -> None:
        self._done, self._total = math.inf, math.nan
        self._from, self._since, self._told = 0.0, 0.0, 0.0
        self._stands = False

    def begins(self, done: float, total: float, now: float) -> bool:
        """Note how far it is at a time in seconds, and return whether that is another piece of work."""
        new = done < self._done or total != self._total
        self._stands = not new and done == self._done
        if new:
            self._from, self._since = done, now
        elif self._stands:
            self._since += now - self._told
        self._done, self._total, self._told = done, total, now
        return new

    def left(self, now: float) -> str:
        """Say how long the rest takes, once there is a speed; nothing while it stands, and where nothing is left, for what comes next tells its own time."""
        if self._stands or not self._from < self._done < self._total:
            return ""
        share = (self._total - self._done) / (self._done - self._from)
        return f"about {duration(max(1.0, (now - self._since) * share))} left"


class Lines:
    """Progress as plain lines, at most one in fifteen seconds."""

    def __init__(self) -> None:
        self._last = time.monotonic()
        self._stage = Stage()

    def __call__(self, done: float, total: float, text: str) -> None:
        now = time.monotonic()
        self._stage.begins(done, total, now)
        if now - self._last < SECONDS_BETWEEN_LINES:
            return
        self._last = now
        share, left = done / total if total else 0.0, self._stage.left(now)
        sys.stderr.write(f"{share:4.0%} {text}{', ' * bool(left)}{left}\n")
        sys.stderr.flush()


def duration(seconds: float) -> str:
    """Say a time in the two largest units: ``45 s``, ``3 min 20 s``, ``2 h 5 min``."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
