"""A toy task as test bed: is there a bright square in the film?"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from spinelab.core import Example, Examples, Fact, Finding, Image, Result, Run, Study, setting
from spinelab.train import ImageSettings, NetworkTask, Prepared, cross_entropy

SIDE = 32


@dataclass(frozen=True)
class ToySettings(ImageSettings):
    model: str = setting("simple-cnn", "architecture")
    image_size: int = setting(SIDE, "side", low=32)
    epochs: int = setting(4, "passes", low=1)
    lr: float = setting(3e-3, "learning rate", low=1e-8, high=1e9)
    views: int = setting(1, "films an examination", low=1, high=3)
    mode: str = setting("standard", "how films are joined")
    fusion: str = setting("concat", "how features are joined")


class Toy(NetworkTask):
    name, title, question, takes, gives, source = "toy", "toy", "a square?", "a film", "a label", "made up"
    settings_type = ToySettings
    prepared = 0

    def phantom(self, rng, difficulty="typical"):
        return film_example(0, "square", rng)

    def write_phantoms(self, out, *, n, seed, difficulty="typical", progress=None):
        raise NotImplementedError

    def examples(self, root):
        raise NotImplementedError

    def target(self, settings):
        return "label"

    def prepare(self, study, settings):
        type(self).prepared += 1
        pixels, available = np.zeros((settings.views, SIDE, SIDE), np.uint8), np.zeros(settings.views, bool)
        for image in study.images:
            view = image.view.value
            if view < settings.views:
                pixels[view], available[view] = image.pixels, True
        return Prepared(pixels, available)

    def view_names(self, settings):
        return tuple(str(v) for v in range(settings.views))

    def network(self, settings, classes):
        from spinelab.nn import MultiViewNet, backbone

        return MultiViewNet(
            lambda: backbone(settings.model), views=settings.views, classes=len(classes), dropout=settings.dropout, mode=settings.mode, fusion=settings.fusion
        )

    def loss(self, settings, counts):
        return cross_entropy(counts if settings.sampling == "weighted" else None)

    def interpret(self, probabilities, model, study_id):
        shares = dict(zip(model.classes, map(float, probabilities), strict=True))
        return Result("toy", model.name, study_id, (Finding("label", max(shares, key=shares.__getitem__), shares),))


def film(rng, label):
    pixels = rng.integers(0, 60, size=(SIDE, SIDE)).astype(np.uint8)
    if label == "square":
        y, x = rng.integers(2, SIDE - 12, size=2)
        pixels[y : y + 10, x : x + 10] = 220
    return pixels


def film_example(number, label, rng, views=(0,), patient=None):
    images = tuple(Image(film(rng, label), view=Fact(v, "drawn")) for v in views)
    truth = Result("toy", "truth", f"e{number}", (Finding("label", label),))
    return Example(f"e{number}", truth, lambda: Study(f"e{number}", images), patient=patient or f"p{number}")


def film_examples(n, *, squares=0.5, seed=0, views=(0,), films_a_patient=1):
    rng = np.random.default_rng(seed)
    labels = ["square" if i < round(n * squares) else "none" for i in range(n)]
    items = [film_example(i, label, rng, views, f"p{i // films_a_patient}") for i, label in enumerate(labels)]
    return Examples(tuple(items), Path("toy"))


@pytest.fixture
def toy():
    return Toy()


@pytest.fixture
def make():
    """Return a maker of toy data sets."""
    return film_examples


@pytest.fixture
def settings():
    return ToySettings(weights="scratch")


@pytest.fixture
def run(tmp_path):
    return replace(Run(accelerator="cpu"), cache=tmp_path / "cache")
