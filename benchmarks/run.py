"""Run every benchmark of this folder, one after the other, and print one table.

A benchmark is a script that prints what it measured, says it in one sentence on its last line, and leaves with 0 when the goal is met.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
LIMIT_S = 300
"""A benchmark should need a minute; one that hangs is stopped."""


def run(script: Path) -> tuple[str, str, float, str]:
    """Return name, verdict, seconds and last line of one benchmark."""
    print(f"--- {script.stem}", flush=True)
    started = time.perf_counter()
    try:
        done = subprocess.run([sys.executable, str(script)], stdout=subprocess.PIPE, text=True, timeout=LIMIT_S, check=False)
    except subprocess.TimeoutExpired:
        return script.stem, "stopped", float(LIMIT_S), f"no end after {LIMIT_S} s"
    print(done.stdout, end="", flush=True)
    lines = [line for line in done.stdout.splitlines() if line.strip()]
    return script.stem, "met" if done.returncode == 0 else "missed", time.perf_counter() - started, lines[-1].strip() if lines else "(nothing printed)"


def main() -> int:
    wanted = sys.argv[1:]
    scripts = [p for p in sorted(HERE.glob("*.py")) if p != Path(__file__) and not p.name.startswith("_") and (not wanted or p.stem in wanted)]
    rows = [run(script) for script in scripts]
    width = max((len(name) for name, *_ in rows), default=0)
    print("\nbenchmark".ljust(width + 1), "  goal     seconds  result")
    for name, verdict, seconds, line in rows:
        print(f"{name:<{width}}  {verdict:<8} {seconds:7.1f}  {line}")
    return int(any(verdict != "met" for _, verdict, _, _ in rows))


if __name__ == "__main__":
    raise SystemExit(main())
