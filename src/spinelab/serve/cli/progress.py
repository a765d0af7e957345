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
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(elapsed_when_finished=True),
    )
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        bar = bars.add_task("starting", total=None)
        stage = Stage()

        def progress(done: float, total: float, text: str) -> None:
            if stage.begins(done, total):
                bars.reset(bar, total=total, description=text)
            bars.update(bar, completed=done, total=total, description=text)

        yield progress


class Stage:
    """Tells when another piece of work begins: what was known about the speed of the last one is of no use for it."""

    def __init__(self) -> None:
        self._done, self._total = math.inf, math.nan

    def begins(self, done: float, total: float) -> bool:
        new = done < self._done or total != self._total
        self._done, self._total = done, total
        return new


class Lines:
    """Progress as plain lines, at most one in fifteen seconds."""

    def __init__(self) -> None:
        self._last = time.monotonic()
        self._stage = Stage()
        self._from, self._since = 0.0, self._last

    def __call__(self, done: float, total: float, text: str) -> None:
        now = time.monotonic()
        if self._stage.begins(done, total):
            self._from, self._since = done, now
        if now - self._last < SECONDS_BETWEEN_LINES:
            return
        self._last = now
        share = done / total if total else 0.0
        sys.stderr.write(f"{share:4.0%} {text}{self._left(done, total, now)}\n")
        sys.stderr.flush()

    def _left(self, done: float, total: float, now: float) -> str:
        """Say how long the rest takes at the speed so far, once there is one."""
        if done <= self._from:
            return ""
        return f", about {duration((now - self._since) * (total - done) / (done - self._from))} left"


def duration(seconds: float) -> str:
    """Say a time in the two largest units: ``45 s``, ``3 min 20 s``, ``2 h 5 min``."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
