"""One fit of a landmark network: decode, hold patients out, train, and measure on those patients how wrong it is."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray
from torch import nn

from spinelab.core import Examples, InputError, Model, Run
from spinelab.core.versions import versions
from spinelab.geometry.shape import fit_shape
from spinelab.io.cache import ImageCache
from spinelab.nn.landmark_net import landmark_net
from spinelab.train import checkpoint as checkpoints
from spinelab.train.batches import TrainingBatches, TrainingFilms
from spinelab.train.canvas import Changes
from spinelab.train.fitting import begin, digest, strategy_of, train
from spinelab.train.landmark_batches import LandmarkFilms
from spinelab.train.landmark_calibration import calibrate
from spinelab.train.landmark_loop import LandmarkLoop
from spinelab.train.landmark_reading import FIRST, SECOND
from spinelab.train.landmark_settings import LandmarkSettings
from spinelab.train.landmark_truth import on_canvas, on_film
from spinelab.train.loop import Plan
from spinelab.train.precision import choose_device, choose_precision, device_name
from spinelab.train.seeds import seeded
from spinelab.train.split import some_patients

if TYPE_CHECKING:
    from spinelab.train.landmark_task import LandmarkTask

STAGES: Final = ("first", "second")
LEAST_HELD_OUT: Final = 8
"""Patients below which nothing is held out: an interval from fewer would promise nothing."""


@dataclass(frozen=True, eq=False)
class Material:
    """Films and landmarks of a fit, and the positions that train and that are held out."""

    examples: Examples
    names: tuple[str, ...]
    pixels: Any
    truth: NDArray[np.float32]
    keys: list[str]
    train: NDArray[np.int64]
    held_out: NDArray[np.int64]

    @property
    def digest(self) -> str:
        """SHA-256 of every example's name, landmarks and content."""
        points = hashlib.sha256(np.ascontiguousarray(self.truth).tobytes()).hexdigest()
        return hashlib.sha256(json.dumps([points, sorted(zip((e.id for e in self.examples), self.keys, strict=True))]).encode()).hexdigest()

    def part(self, positions: NDArray[np.int64]) -> dict[str, Any]:
        """Return a part's size for the record."""
        return {"examples": len(positions), "patients": len({self.examples[int(i)].group for i in positions})}


def fit_landmarks(task: LandmarkTask, examples: Examples, settings: LandmarkSettings, run: Run) -> Model:
    """Train one network; see `spinelab.train.LandmarkTask.fit`."""
    device = choose_device(run)
    precision = choose_precision(settings.precision, device)
    with seeded(settings.seed):
        names = task.landmark_names(examples, settings)
        declared = task.declared(examples, settings)
        mirror = task.mirror(names, declared)
        material = _material(task, examples, settings, run, names)
        direct = strategy_of(run) == "auto" and precision["used"] != "16"
        loops, spent = [], []
        for stage in _stages(task, material, settings, mirror):
            loops.append(_loop(stage, task, material, run, direct=direct))
            begin(loops[-1], stage.settings, run.inside(stage.name))
            before = loops[-1].epoch
            train(loops[-1], None, run, device, precision["lightning"])
            spent.append(round(loops[-1].seconds, 3))
            if run.workdir is not None and loops[-1].epoch > before:
                checkpoints.save(run.workdir / stage.name, loops[-1].state())
    loop, tensors = loops[0], {prefix + name: t.numpy() for prefix, one in zip((FIRST, SECOND), loops, strict=False) for name, t in one.best.items()}
    record = _record(loops, spent, material, settings) | {
        "device": device_name(device),
        "accelerator": device,
        "precision": {key: precision[key] for key in ("asked", "used", "why")},
        "weights": loop.weights,
        "landmarks": list(names),
        "mirror": None if mirror is None else list(mirror),
        "declared": declared,
        "notes": [*_notes(loops, material, settings, mirror), *examples.notes],
    }
    shape = _shape(material, settings, mirror)
    record["shape"] = None if shape is None else shape.to_dict()
    model = Model(task.name, settings, task.classes(examples, settings), tensors, record, task.preparation(settings))
    record["calibration"] = {
        "head": task.head_of(model).learn(material.truth[material.train], [material.pixels.facts[int(i)]["shape"] for i in material.train])
    }
    if len(material.held_out):
        record |= calibrate(task, model, examples.subset(material.held_out), material.pixels[material.held_out], _facts(material), run)
    if run.workdir is not None:
        for name in STAGES:
            checkpoints.remove(run.workdir / name)
    return model


def _facts(material: Material) -> list[Any]:
    return [material.pixels.facts[int(i)] for i in material.held_out]


def _material(task: LandmarkTask, examples: Examples, settings: LandmarkSettings, run: Run, names: tuple[str, ...]) -> Material:
    cache, how = ImageCache(run.cache), task.preparation(settings)
    keys = cache.keys(examples, how)
    pixels, _ = cache.load(examples, lambda example: task.prepare(example.open(), settings), how, run.progress, keys=keys)
    truth = np.stack([on_canvas(on_film(e.truth.landmarks, names), facts["shape"], settings) for e, facts in zip(examples, pixels.facts, strict=True)])
    if not truth[..., 2].any():
        raise InputError(f"{examples.root}: no landmark lies on any film", expected="films with landmarks", action="check the coordinates")
    held_out = hold_out(examples.groups(), settings.calibration_fraction, settings.seed)
    return Material(examples, names, pixels, truth, keys, np.flatnonzero(~held_out), np.flatnonzero(held_out))


def hold_out(groups: Sequence[str], fraction: float, seed: int) -> NDArray[np.bool_]:
    """Return which examples are held out: all films of a random share of the patients, none where that would be too few."""
    count = round(fraction * len(set(groups)))
    if count < LEAST_HELD_OUT:
        return np.zeros(len(groups), dtype=bool)
    chosen = some_patients(groups, count, [seed, 0xCA1B])
    return np.array([group in chosen for group in groups])


@dataclass(frozen=True, eq=False)
class Stage:
    """One network of a fit, with what it is shown, its passes and minutes, and from where to where in the whole training (0 to 1) it goes."""

    name: str
    net: nn.Module
    criterion: nn.Module
    films: TrainingFilms
    settings: LandmarkSettings
    begins: float = 0.0
    ends: float = 1.0


def _stages(task: LandmarkTask, material: Material, settings: LandmarkSettings, mirror: Sequence[int] | None) -> list[Stage]:
    head, refiner = task.head(material.names, mirror, settings), task.refiner(material.names, mirror, settings)
    limits = Changes(turn_deg=settings.turn_deg, shift=settings.shift, zoom=settings.zoom, crop=settings.crop, flip=settings.flip and mirror is not None)
    films = LandmarkFilms(material.pixels, material.truth, limits, mirror, settings.detail)
    net = landmark_net(settings.model, head.maps, head.summary)
    if refiner is None:
        return [Stage(STAGES[0], net, head.criterion(), films, settings)]
    own = replace(settings, minutes=settings.minutes * (1 - settings.refine_share))
    near = replace(settings, minutes=settings.minutes * settings.refine_share, epochs=settings.refine_epochs or settings.epochs)
    second = refiner.films(material.pixels, material.truth, limits, mirror)
    turn = 1 - settings.refine_share
    return [
        Stage(STAGES[0], net, head.criterion(), films, own, ends=turn),
        Stage(STAGES[1], refiner.network(), refiner.criterion(), second, near, begins=turn),
    ]


def _loop(stage: Stage, task: LandmarkTask, material: Material, run: Run, *, direct: bool) -> LandmarkLoop:
    import torch

    settings = stage.settings
    batches = TrainingBatches(stage.films, material.train, batch_size=settings.batch_size, seed=settings.seed, augment=True)
    job = {"task": task.name, "stage": stage.name, "settings": settings.to_dict(), "names": material.names, "data": material.digest}

    def progress(done: float, total: float, text: str) -> None:
        run.progress(stage.begins + (stage.ends - stage.begins) * done / total, 1.0, f"{stage.name} network, {text}")

    plan = Plan(settings, digest(job), run.inside(stage.name).workdir, progress, validates=False, direct=direct)
    return LandmarkLoop(stage.net.to(memory_format=torch.channels_last), stage.criterion, batches, plan)


def _shape(material: Material, settings: LandmarkSettings, mirror: Sequence[int] | None) -> Any:
    truth = material.truth[material.train].astype(np.float64)
    return fit_shape(truth[..., :2], truth[..., 2] > 0, float(settings.rows), mirror)


def _notes(loops: Sequence[LandmarkLoop], material: Material, settings: LandmarkSettings, mirror: Sequence[int] | None) -> list[str]:
    said = []
    if mirror is None and settings.flip:
        said.append("No film was mirrored while training: which landmarks swap in a mirrored film is not declared.")
    for stage, loop in zip(STAGES, loops, strict=False):
        if loop.stopped == "minutes":
            own = loop.landmark_settings
            which = f"Training of the {stage} network" if len(loops) > 1 else "Training"
            said.append(f"{which} was ended after {loop.epoch} of {own.epochs} passes by its limit of {own.minutes:g} minute{'s' * (own.minutes != 1)}.")
    if not len(material.held_out):
        said.append("No patients were held out to learn how wrong the model is: its answers have no intervals.")
    return said


def _record(loops: Sequence[LandmarkLoop], spent: Sequence[float], material: Material, settings: LandmarkSettings) -> dict[str, Any]:
    loop = loops[0]
    return {
        "history": loop.history,
        "stages": [
            {"epochs": one.epoch, "stopped": one.stopped, "seconds": seconds, "history": one.history} for one, seconds in zip(loops, spent, strict=True)
        ],
        "epochs": loop.epoch,
        "best_epoch": loop.best_epoch,
        "stopped": "minutes" if any(one.stopped == "minutes" for one in loops) else loop.stopped,
        "seconds": round(sum(spent), 3),
        "peak_memory_mb": round(loop.peak_memory_mb, 1),
        "seed": settings.seed,
        "train": material.part(material.train),
        "validation": material.part(material.held_out),
        "patients": len(set(material.examples.groups())),
        "images": len(material.examples),
        "phantom": material.examples.phantom,
        "data_digest": material.digest,
        "versions": versions(),
    }
