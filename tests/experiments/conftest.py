"""A task without a network: it learns the mean grey of each class, or answers one class, or guesses, in a millisecond."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from spinelab.core import Example, Examples, Fact, Finding, Image, Model, NotSureError, Result, Run, Settings, Study, Task, TaskError, setting


@dataclass(frozen=True)
class ToySettings(Settings):
    model: str = setting("mean", "how it learns", choices=("mean", "constant", "guess", "fold-constant", "broken", "shy"))
    seed: int = setting(0, "seed")


class Toy(Task):
    name, title, question, takes, gives, source = "toy", "Toy", "bright or dark?", "arrays", "label", "here"
    settings_type = ToySettings

    def __init__(self) -> None:
        self.fits: list[tuple[str, frozenset[str]]] = []
        self.before_fit: Callable[[], None] = lambda: None

    def phantom(self, rng, difficulty="typical"):
        raise NotImplementedError

    def write_phantoms(self, out, *, n, seed, difficulty="typical", progress=None):
        raise NotImplementedError

    def examples(self, root):
        raise NotImplementedError

    def target(self, settings):
        return "label"

    def fit(self, examples, settings, run):
        self.before_fit()
        self.fits.append((settings.model, frozenset(examples.groups())))
        if settings.model == "broken":
            raise TaskError("The loss became NaN", expected="a finite loss", action="lower the learning rate")
        labels = np.array(examples.labels("label"))
        classes = tuple(sorted(set(labels)))
        grey = np.array([e.open().images[0].pixels.mean() for e in examples])
        means = np.array([grey[labels == c].mean() for c in classes])
        record = {"history": [{"epoch": 1, "train_loss": 1.0, "validation_loss": 1.0}], "seconds": 0.1, "weights": {"asked": "scratch", "used": "scratch"}}
        return Model(
            "toy", settings, classes, {"means": means, "n": np.array([len(labels)]), "counts": np.array([(labels == c).sum() for c in classes])}, record
        )

    def predict(self, model, study):
        grey = float(study.images[0].pixels.mean())
        if model.settings.model == "shy" and study.id.endswith("7"):
            raise NotSureError("No view", expected="a view", action="bring it")
        k = len(model.classes)
        if model.settings.model in ("mean", "shy"):
            p = np.exp(-np.abs(grey - model.tensors["means"]) / 8)
        elif model.settings.model == "guess":
            p = np.random.default_rng(int(grey * 1e6)).random(k)
        else:
            which = int(model.tensors["n"][0]) % 2 if model.settings.model == "fold-constant" else int(model.tensors["counts"].argmax())
            p = np.where(np.arange(k) == which, 0.9, 0.1 / max(1, k - 1))
        p = p / p.sum()
        finding = Finding("label", model.classes[int(p.argmax())], dict(zip(model.classes, map(float, p), strict=True)))
        return Result("toy", model.name, study.id, findings=(finding,))

    def predict_many(self, model, examples, run):
        results = []
        for example in examples:
            try:
                results.append(self.predict(model, example.open()))
            except NotSureError as refusal:
                results.append(Result("toy", model.name, example.id, findings=(Finding("label", None),), notes=(str(refusal),)))
        return results


def _study(name: str, pixels: np.ndarray) -> Study:
    return Study(name, images=(Image(pixels.copy()),))


def toy_examples(
    patients: int = 40,
    films: int = 2,
    separation: float = 30.0,
    seed: int = 0,
    classes: tuple[str, ...] = ("dark", "bright"),
    shares: tuple[float, ...] = (0.5, 0.5),
) -> Examples:
    """Noise pictures whose mean grey depends on the class, ``films`` a patient."""
    rng = np.random.default_rng(seed)
    items = []
    for p in range(patients):
        label = classes[int(np.searchsorted(np.cumsum(shares), (p + 0.5) / patients))]
        grey = 100 + separation * classes.index(label)
        for f in range(films):
            low = rng.normal(0, 25, (12, 12)).repeat(4, 0).repeat(4, 1)
            low -= low.mean()
            pixels = np.clip(grey + rng.normal(0, 12) + low + rng.normal(0, 4, low.shape), 0, 255).astype(np.uint8)
            name = f"p{p:03d}f{f}"
            truth = Result("toy", "reader", name, findings=(Finding("label", label),))
            facts = {"sex": Fact("FM"[p % 2], "made up"), "age_years": Fact(float(20 + 37 * p % 60), "made up")}
            items.append(Example(name, truth, partial(_study, name, pixels), f"patient{p:03d}", {}, facts))
    return Examples(tuple(items), Path("toy-data"))


@pytest.fixture
def toy() -> Toy:
    return Toy()


@pytest.fixture
def make_examples():
    return toy_examples


@pytest.fixture
def quick_run() -> Run:
    return Run()


@pytest.fixture
def relabel():
    def change(examples: Examples, index: int, **changes) -> Examples:
        items = list(examples.items)
        items[index] = replace(items[index], **changes)
        return replace(examples, items=tuple(items))

    return change
