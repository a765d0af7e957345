"""How far it is and how long it will take: a bar on a terminal, a line now and then elsewhere, always on stderr."""

from __future__ import annotations

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

        def progress(done: float, total: float, text: str) -> None:
            bars.update(bar, completed=done, total=total, description=text)

        yield progress


class Lines:
    """Progress as plain lines, at most one in fifteen seconds."""

    def __init__(self) -> None:
        self._started = self._last = time.monotonic()

    def __call__(self, done: float, total: float, text: str) -> None:
        now = time.monotonic()
        if now - self._last < SECONDS_BETWEEN_LINES:
            return
        self._last = now
        share = done / total if total else 0.0
        left = f", about {duration((now - self._started) * (1 - share) / share)} left" if share > 0 else ""
        sys.stderr.write(f"{share:4.0%} {text}{left}\n")
        sys.stderr.flush()


def duration(seconds: float) -> str:
    """Say a time in the two largest units: ``45 s``, ``3 min 20 s``, ``2 h 5 min``."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
