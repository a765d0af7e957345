"""Crops a second from the DICOM files of lumbar MRI examinations, first reading and from the cache, beside cropping file by file with pydicom; peak memory."""

from __future__ import annotations

import resource
import tempfile
import time
from pathlib import Path

import numpy as np

from spinelab import tasks
from spinelab.core import Examples
from spinelab.io.cache import ImageCache
from spinelab.tasks.lumbar_mri.phantom import write_phantoms
from spinelab.tasks.lumbar_mri.settings import LumbarMriSettings

STUDIES, GOAL = 6, 1.0
"""Phantom studies, and how many times as fast as the plain way the first reading has to be."""


def plain(rows: Examples, settings: LumbarMriSettings) -> int:
    """Crop as course projects do: open the marked slice's file for each coordinate, cut a square, resize."""
    import cv2
    import pydicom

    made = 0
    for row in rows:
        assert row.of is not None
        mark = row.of.facts["targets"].value[next(i for i, t in enumerate(row.of.facts["targets"].value) if row.id.endswith(t.question.column))].mark
        header = pydicom.dcmread(row.of.facts["folder"].value / mark.series / f"{mark.instance}.dcm")
        pixels, half = header.pixel_array, round(settings.crop_mm / float(header.PixelSpacing[0]) / 2)
        padded = np.pad(pixels, half)
        crop = padded[round(mark.y) : round(mark.y) + 2 * half, round(mark.x) : round(mark.x) + 2 * half]
        cv2.resize(crop.astype(np.float32), (settings.image_size,) * 2)
        made += 1
    return made


def main() -> int:
    task, settings = tasks.load("lumbar-mri"), LumbarMriSettings()
    with tempfile.TemporaryDirectory() as folder:
        write_phantoms(Path(folder) / "data", n=STUDIES, seed=1, difficulty="typical")
        rows = task.asked(task.examples(Path(folder) / "data"), settings)
        begun = time.perf_counter()
        count = plain(rows, settings)
        by_file = count / (time.perf_counter() - begun)
        speeds = []
        for _ in ("first", "kept"):
            begun = time.perf_counter()
            ImageCache(Path(folder) / "cache").load(rows, lambda row: task.prepare(row.open(), settings), task.preparation(settings))
            speeds.append(len(rows) / (time.perf_counter() - begun))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"crops a second: {speeds[0]:.0f} from files (3 slices each, hung and in mm), {speeds[1]:.0f} from the cache; file by file {by_file:.0f} (1 slice)")
    print(f"peak memory {peak:.0f} MB; first reading {speeds[0] / by_file:.2f} times the plain way (goal {GOAL})")
    return int(speeds[0] < GOAL * by_file)


if __name__ == "__main__":
    raise SystemExit(main())
