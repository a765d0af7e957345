"""``spinelab --help``: wall time of a fresh process, beside an empty Python and beside ``import torch``. Goal: at most half a second."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

GOAL_S = 0.5
REPEATS = 9


def seconds(*command: str, repeats: int = REPEATS) -> float:
    """Median wall time; the first run warms the file cache and is not counted."""
    times = []
    for _ in range(repeats + 1):
        started = time.perf_counter()
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        times.append(time.perf_counter() - started)
    return statistics.median(times[1:])


def main() -> int:
    python = sys.executable
    shown = seconds(python, "-m", "spinelab", "--help")
    print(f"python -c pass       {seconds(python, '-c', 'pass'):.3f} s")
    print(f"python -c 'import torch' {seconds(python, '-c', 'import torch', repeats=2):.3f} s")
    print(f"spinelab --help takes {shown:.3f} s, goal {GOAL_S} s")
    return int(shown > GOAL_S)


if __name__ == "__main__":
    raise SystemExit(main())
