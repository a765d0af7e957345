"""One fit, from examples to a model: decode, split, resample, train, record."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from lightning.pytorch import Trainer
from numpy.typing import NDArray
from torch import Tensor, nn

from spinelab.core import Examples, InputError, Model, Run, TaskError, counted
from spinelab.core.versions import versions
from spinelab.io.cache import ImageCache
from spinelab.nn import start_from
from spinelab.train import checkpoint as checkpoints
from spinelab.train.augment import mild
from spinelab.train.batches import Films, PlainBatches, TrainingBatches
from spinelab.train.loop import Loop, Plan
from spinelab.train.precision import choose_device, choose_precision, device_name
from spinelab.train.quiet import quiet
from spinelab.train.sampling import resample
from spinelab.train.seeds import seeded
from spinelab.train.settings import ImageSettings, TrainingSettings
from spinelab.train.split import Split, validation_split

if TYPE_CHECKING:
    from spinelab.train.task import NetworkTask

VALIDATION_BATCH = 64


@dataclass(frozen=True, eq=False)
class Material:
    """What a fit learns from: the examples, their films and the parts they are split into."""

    examples: Examples
    classes: tuple[str, ...]
    films: Films
    labels: NDArray[np.int64]
    keys: list[str]
    split: Split
    drawn: NDArray[np.int64]

    @property
    def digest(self) -> str:
        """SHA-256 of every example's name, label and content."""
        rows = sorted(zip((e.id for e in self.examples), self.labels.tolist(), self.keys, strict=True))
        return hashlib.sha256(json.dumps(rows).encode()).hexdigest()

    def counts(self, positions: NDArray[np.int64]) -> dict[str, int]:
        """Return examples a class."""
        tally = Counter(self.labels[positions].tolist())
        return {name: tally[code] for code, name in enumerate(self.classes)}

    def part(self, positions: NDArray[np.int64]) -> dict[str, Any]:
        """Return a part's size for the record."""
        patients = len({self.examples[int(i)].group for i in positions})
        return {"examples": len(positions), "patients": patients, "per_class": self.counts(positions)}


def fit(task: NetworkTask, examples: Examples, settings: ImageSettings, run: Run) -> Model:
    """Train one network; see `spinelab.train.NetworkTask.fit`."""
    device = choose_device(run)
    precision = choose_precision(settings.precision, device)
    with seeded(settings.seed):
        classes = task.classes(examples, settings)
        _require_classes(classes)
        net = task.network(settings, classes)
        material, notes = material_of(task, examples, settings, run, classes, every_view=bool(getattr(net, "requires_all_views", False)))
        direct = strategy_of(run) == "auto" and precision["used"] != "16"
        loop = _loop(task, net, material, settings, run, direct=direct)
        begin(loop, settings, run)
        validation = PlainBatches(material.films, material.split.validation, batch_size=VALIDATION_BATCH) if loop.plan.validates else None
        train(loop, validation, run, device, precision["lightning"])
    if material.split.why is not None:
        notes.append(material.split.why[0].upper() + material.split.why[1:] + ".")
    record = _record(loop, material, settings) | {
        "device": device_name(device),
        "accelerator": device,
        "precision": {key: precision[key] for key in ("asked", "used", "why")},
        "weights": loop.weights,
        "notes": [*notes, *examples.notes],
    }
    if run.workdir is not None:
        checkpoints.remove(run.workdir)
    tensors = {name: tensor.numpy() for name, tensor in loop.best.items()}
    return Model(task.name, settings, classes, tensors, record, task.preparation(settings))


def _require_classes(classes: Sequence[str]) -> None:
    if len(classes) < 2:
        raise InputError(
            f"Only one class to learn: {', '.join(classes) or 'none'}", expected="examples of at least two classes", action="add examples of another class"
        )


def material_of(
    task: NetworkTask, examples: Examples, settings: ImageSettings, run: Run, classes: tuple[str, ...], *, every_view: bool
) -> tuple[Material, list[str]]:
    """Return films, labels and parts, and what must be said of them; the same settings and data give the same parts."""
    cache, how = ImageCache(run.cache), task.preparation(settings)
    keys = cache.keys(examples, how)
    pixels, available = cache.load(examples, lambda example: task.prepare(example.open(), settings), how, run.progress, keys=keys)
    codes = {name: code for code, name in enumerate(classes)}
    labels = np.array([codes[label] for label in examples.labels(task.target(settings))], dtype=np.int64)
    shown = available.all(axis=1) if every_view else available.any(axis=1)
    whole, left_out = np.flatnonzero(shown), np.flatnonzero(~shown)
    notes = []
    if len(left_out):
        why = "with a missing view [was|were] left out: this network requires every view." if every_view else "without a picture [was|were] left out."
        notes.append(counted(len(left_out), f"[example|examples] {why}"))
    groups = examples.groups()
    split = validation_split(labels[whole], [groups[i] for i in whole], settings.validation_fraction, settings.seed)
    split = replace(split, train=whole[split.train], validation=whole[split.validation])
    drawn = split.train[resample(labels[split.train], settings.sampling, seed=settings.seed)]
    if len(np.unique(labels[drawn])) < 2:
        raise InputError("Fewer than two classes are left to train on", expected="examples of two classes with every view", action="add examples")
    films = Films(pixels, available, task.head_labels(examples, settings, labels), task.augmenter(settings) or mild)
    return Material(examples, classes, films, labels, keys, split, drawn), notes


def _loop(task: NetworkTask, net: nn.Module, material: Material, settings: ImageSettings, run: Run, *, direct: bool) -> Loop:
    counts = list(material.counts(material.drawn).values())
    criterion: Callable[[Tensor, Tensor], Tensor] = task.loss(settings, counts)
    batches = TrainingBatches(material.films, material.drawn, batch_size=settings.batch_size, seed=settings.seed, augment=task.augmenter(settings) is not None)
    job = {"task": task.name, "settings": settings.to_dict(), "classes": material.classes, "data": material.digest}
    plan = Plan(settings, digest(job), run.workdir, run.progress, validates=len(material.split.validation) > 0, direct=direct)
    return Loop(net.to(memory_format=torch.channels_last), criterion, batches, plan)


def digest(body: Any) -> str:
    """Return the SHA-256 of what JSON can hold."""
    return hashlib.sha256(json.dumps(body, sort_keys=True, default=str).encode()).hexdigest()


def begin(loop: Loop, settings: TrainingSettings, run: Run) -> None:
    """Continue from a checkpoint of this very job, or start from pretrained weights or from scratch."""
    saved = checkpoints.load(run.workdir, loop.plan.job) if run.resume and run.workdir is not None else None
    if saved is not None:
        loop.resume(saved)
    else:
        loop.weights = dict(start_from(loop.net, settings.weights, run.weights))


def train(loop: Loop, validation: PlainBatches | None, run: Run, device: str, precision: str) -> None:
    """Run the loop to its end."""
    settings = loop.plan.settings
    left = settings.epochs - loop.epoch
    if left <= 0 or loop.stopped in ("early", "minutes"):
        return
    with quiet(), tempfile.TemporaryDirectory(prefix="spinelab-") as folder:
        strategy = strategy_of(run)
        if strategy != "auto":
            loop.plan = replace(loop.plan, spool=Path(folder))
        trainer = Trainer(
            accelerator=device,
            devices=run.devices,
            num_nodes=run.nodes,
            strategy=strategy,
            precision=precision,
            max_epochs=left,
            gradient_clip_val=None if loop.plan.direct else settings.gradient_clip or None,
            num_sanity_val_steps=0,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            default_root_dir=folder,
        )
        finished = loop.epoch
        trainer.fit(loop, loop.feed, validation)
        if loop.epoch == finished:
            _collect(loop, Path(folder))
    loop.net.to("cpu")
    run.progress(1, 1, f"trained, best epoch {loop.best_epoch}")


def strategy_of(run: Run) -> str:
    """Return Lightning's strategy; by default several devices of one machine are fed by processes that live as long as the fit."""
    if run.strategy != "auto" or (run.devices == 1 and run.nodes == 1):
        return run.strategy
    return "ddp_spawn_find_unused_parameters_true" if run.nodes == 1 else "ddp_find_unused_parameters_true"


def _collect(loop: Loop, spool: Path) -> None:
    """Take over what the training processes left."""
    outcome = checkpoints.load(spool, loop.plan.job)
    if outcome is None:
        raise TaskError("The training processes ended without an outcome", expected="one outcome", action="try --devices 1, and report this")
    loop.resume(outcome)


def _record(loop: Loop, material: Material, settings: ImageSettings) -> dict[str, Any]:
    split, everything = material.split, np.concatenate([material.split.train, material.split.validation])
    train = material.part(split.train) | {"drawn": len(material.drawn), "drawn_per_class": material.counts(material.drawn)}
    return {
        "history": loop.history,
        "epochs": loop.epoch,
        "best_epoch": loop.best_epoch,
        "stopped": loop.stopped,
        "seconds": round(loop.seconds, 3),
        "peak_memory_mb": round(loop.peak_memory_mb, 1),
        "seed": settings.seed,
        "train": train,
        "validation": material.part(split.validation),
        "patients": material.part(everything)["patients"],
        "images": material.counts(everything),
        "phantom": material.examples.phantom,
        "data_digest": material.digest,
        "versions": versions(),
    }
