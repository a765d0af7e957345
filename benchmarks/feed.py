"""Images a second that reach the training step at 224 x 224: our decoded films against MONAI's PersistentDataset. Goal: at least 5 times."""

from __future__ import annotations

import json
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from spinelab.core import Example, Finding, Result
from spinelab.io.cache import ImageCache
from spinelab.train import Prepared, letterbox
from spinelab.train.batches import Films, TrainingBatches

N, SIDE, BATCH, ROUNDS = 256, 224, 32, 7


def write_films(folder: Path) -> list[Path]:
    rng = np.random.default_rng(0)
    paths = [folder / f"{i}.jpg" for i in range(N)]
    for path in paths:
        coarse = rng.integers(0, 256, (40, 20)).astype(np.uint8)
        cv2.imwrite(str(path), cv2.resize(coarse, (500, 1000), interpolation=cv2.INTER_CUBIC))
    return paths


def ours(paths: list[Path], folder: Path) -> Callable[[], int]:
    examples = [Example(p.stem, Result("bench", "truth", p.stem, (Finding("label", "a"),)), lambda: None, files={"": p}) for p in paths]

    def prepare(example: Example) -> Prepared:
        film = letterbox(cv2.imread(str(example.files[""]), cv2.IMREAD_GRAYSCALE), SIDE)
        return Prepared(film[None], np.ones(1, bool))

    pixels, available = ImageCache(folder).load(examples, prepare, {"bench": 1})
    batches = TrainingBatches(Films(pixels, available, np.zeros(N, np.int64)), np.arange(N), batch_size=BATCH, seed=0, augment=False)
    return lambda: sum(len(batch[0]) for batch in batches)


def monais(paths: list[Path], folder: Path) -> Callable[[], int]:
    from monai.data import DataLoader, PersistentDataset
    from monai.transforms import Compose, EnsureType, Lambda, NormalizeIntensity, ScaleIntensity

    read = Lambda(lambda path: letterbox(cv2.imread(path, cv2.IMREAD_GRAYSCALE), SIDE)[None])
    steps = Compose([read, EnsureType(), ScaleIntensity(), NormalizeIntensity(subtrahend=0.449, divisor=0.226)])
    data = PersistentDataset([str(p) for p in paths], transform=steps, cache_dir=folder)
    loader = DataLoader(data, batch_size=BATCH, shuffle=True, num_workers=0)
    return lambda: sum(len(batch) for batch in loader)


def seconds(feed: Callable[[], int]) -> float:
    begun = time.process_time()
    assert feed() == N
    return time.process_time() - begun


def main() -> None:
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        (folder / "films").mkdir()
        paths = write_films(folder / "films")
        feeds = {"ours": ours(paths, folder / "ours"), "monai": monais(paths, folder / "monai")}
        times: dict[str, list[float]] = {name: [] for name in feeds}
        for feed in feeds.values():
            feed()
        for _ in range(ROUNDS):
            for name, feed in feeds.items():
                times[name].append(seconds(feed))
    rate = {name: N / statistics.median(values) for name, values in times.items()}
    ratio = rate["ours"] / rate["monai"]
    detail = {f"{name}_images_per_s": round(value) for name, value in rate.items()}
    print(json.dumps({"benchmark": "feed", "ratio": round(ratio, 1), "goal": ">= 5", "met": ratio >= 5, "detail": detail}))


if __name__ == "__main__":
    main()
