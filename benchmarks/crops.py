"""Crops a second from the DICOM files of lumbar MRI examinations, first reading and from the cache, beside cropping file by file with pydicom; peak memory."""

from __future__ import annotations

import resource
import shutil
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from spinelab import tasks
from spinelab.core import Examples
from spinelab.io.cache import ImageCache
from spinelab.tasks.lumbar_mri.phantom import write_phantoms
from spinelab.tasks.lumbar_mri.settings import LumbarMriSettings

STUDIES, ROUNDS, GOAL = 6, 5, 1.0
"""Phantom studies, how often each way reads them (the best counts: other programs only slow down), and how many times as fast as the plain way with the same
three slices the first reading has to be."""


def plain(rows: Examples, settings: LumbarMriSettings, beside: int = 0) -> int:
    """Crop as course projects do: open the marked slice's file for each coordinate, cut a square, resize; and so many on each side by their numbers."""
    import cv2
    import pydicom

    made = 0
    for row in rows:
        assert row.of is not None
        mark = row.of.facts["targets"].value[next(i for i, t in enumerate(row.of.facts["targets"].value) if row.id.endswith(t.question.column))].mark
        for number in range(mark.instance - beside, mark.instance + beside + 1):
            path = row.of.facts["folder"].value / mark.series / f"{number}.dcm"
            if not path.is_file():
                continue
            header = pydicom.dcmread(path)
            pixels, half = header.pixel_array, round(settings.crop_mm / float(header.PixelSpacing[0]) / 2)
            padded = np.pad(pixels, half)
            crop = padded[round(mark.y) : round(mark.y) + 2 * half, round(mark.x) : round(mark.x) + 2 * half]
            cv2.resize(crop.astype(np.float32), (settings.image_size,) * 2)
        made += 1
    return made


def seconds(work: Callable[[], object]) -> float:
    """Return how long something takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def main() -> int:
    task, settings = tasks.load("lumbar-mri"), LumbarMriSettings()
    took: dict[str, list[float]] = {"plain": [], "plain, 3 slices": [], "first": [], "kept": []}
    with tempfile.TemporaryDirectory() as folder:
        drawn = Path(folder) / "drawn"
        write_phantoms(drawn, n=STUDIES, seed=1, difficulty="typical")
        for number in range(ROUNDS):
            root = shutil.copytree(drawn, Path(folder) / f"data {number}")  # files that nobody has read yet
            rows = task.asked(task.examples(root), settings)
            cache = ImageCache(Path(folder) / f"cache {number}")
            load = partial(cache.load, rows, lambda row: task.prepare(row.open(), settings), task.preparation(settings))
            took["plain"].append(seconds(partial(plain, rows, settings)))
            took["first"].append(seconds(load))
            took["plain, 3 slices"].append(seconds(partial(plain, rows, settings, beside=1)))
            took["kept"].append(seconds(load))
    speed = {way: len(rows) / min(times) for way, times in took.items()}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"crops a second, best of {ROUNDS}: {speed['first']:.0f} from files (3 slices each, hung and in mm), {speed['kept']:.0f} from the cache")
    print(f"file by file: {speed['plain']:.0f} (1 slice each), {speed['plain, 3 slices']:.0f} (3 slices each, neighbours by number)")
    print(f"first reading: {speed['first'] / speed['plain']:.2f} times as fast as plain with 1 slice")
    print(f"first reading: {speed['first'] / speed['plain, 3 slices']:.2f} times as fast as plain with the same 3 slices (goal {GOAL})")
    print(f"peak memory {peak:.0f} MB")
    return int(speed["first"] < GOAL * speed["plain, 3 slices"])


if __name__ == "__main__":
    raise SystemExit(main())
