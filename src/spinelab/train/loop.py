"""The training loop: one Lightning module for every task's network."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psutil
import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn

from spinelab.core import Progress, TaskError
from spinelab.train import checkpoint as checkpoints
from spinelab.train.batches import Batch, Handfuls, TrainingBatches
from spinelab.train.seeds import epoch_seed
from spinelab.train.settings import TrainingSettings

PROGRESS_S: Final = 0.25
HANDFUL: Final = 8
WRITING_SHARE: Final = 0.1
"""Largest share of the time that may go into writing checkpoints; a pass shorter than that is not written."""


_PLAIN: Final = frozenset({"_current_fx_name", "_steps", "_shown"})


@dataclass(frozen=True)
class Plan:
    """What the loop is told besides the network.

    ``job`` identifies the checkpoints in ``workdir``. ``direct`` (one device, no loss scaling) steps the optimiser here instead of through
    Lightning, which takes handfuls of batches then. ``spool`` is where the first of several processes leaves its outcome for the
    process that started them.
    """

    settings: TrainingSettings
    job: str
    workdir: Path | None
    progress: Progress
    validates: bool
    direct: bool = True
    spool: Path | None = None


class Loop(LightningModule):  # type: ignore[misc]  # Lightning is not followed by mypy
    """Trains a network, keeps its best weights, and can go on from a checkpoint.

    The state after a pass depends on the settings, the data and the number of the pass alone, so a resumed fit equals an
    uninterrupted one.
    """

    def __init__(self, net: nn.Module, criterion: Callable[[Tensor, Tensor], Tensor], batches: TrainingBatches, plan: Plan) -> None:
        super().__init__()
        self.net, self.criterion, self.batches, self.plan = net, criterion, batches, plan
        self.automatic_optimization = not plan.direct
        self.history: list[dict[str, float]] = []
        self.best: dict[str, Tensor] = {}
        self.best_epoch, self.best_loss, self.stopped = 0, math.inf, "last-epoch"
        self.seconds_before, self.peak_memory_mb = 0.0, 0.0
        self.weights: dict[str, Any] = {}
        self._answers: list[tuple[Tensor, Tensor]] = []
        self._restored: checkpoints.Checkpoint | None = None
        self._started = self._epoch_started = self._shown = time.perf_counter()
        self._written, self._writing_s = self._started, 0.0

    def __setattr__(self, name: str, value: Any) -> None:
        """Store plain attributes plainly: Lightning notes the running hook's name some 40 times a step, and a module's own way costs a tenth of it."""
        if name in _PLAIN:
            object.__setattr__(self, name, value)
        else:
            super().__setattr__(name, value)

    @property
    def epoch(self) -> int:
        """Passes finished, those before an interruption included."""
        return len(self.history)

    def resume(self, saved: checkpoints.Checkpoint) -> None:
        """Continue from a checkpoint; the optimiser follows when it is made."""
        self._restored = saved
        self.net.load_state_dict(saved.part("model"))
        self.best = saved.part("best")
        facts = saved.facts
        self.history, self.best_epoch, self.stopped = facts["history"], facts["best_epoch"], facts["stopped"]
        self.best_loss = math.inf if facts["best_loss"] is None else facts["best_loss"]
        self.seconds_before, self.batches.epoch = facts["seconds"], len(self.history)
        self.peak_memory_mb, self.weights = facts["peak_memory_mb"], facts["weights"]

    def configure_optimizers(self) -> torch.optim.Optimizer:
        self.optimizer = _optimizer(self.net, self.plan.settings)
        self.schedule = _schedule(self.optimizer, self.plan.settings, validates=self.plan.validates)
        if self._restored is not None:
            facts = self._restored.facts
            checkpoints.restore_optimizer(self.optimizer, self._restored.part("optimizer"), facts["groups"])
            if self.schedule is not None:
                self.schedule.load_state_dict(facts["schedule"])
        return self.optimizer

    def on_fit_start(self) -> None:
        self.batches.rank, self.batches.world = self.global_rank, self.trainer.world_size
        scaler = getattr(self.trainer.precision_plugin, "scaler", None)
        if self._restored is not None and scaler is not None and self._restored.facts["scaler"]:
            scaler.load_state_dict(self._restored.facts["scaler"])

    def on_train_epoch_start(self) -> None:
        self._epoch_started = time.perf_counter()
        self._sum, self._steps = torch.zeros((), device=self.device), 0
        torch.manual_seed(epoch_seed(self.plan.settings.seed, self.epoch, self.global_rank))

    def on_fit_end(self) -> None:
        if self.plan.spool is not None and self.global_rank == 0:
            checkpoints.save(self.plan.spool, self.state())

    @property
    def feed(self) -> TrainingBatches | Handfuls:
        """What Lightning iterates."""
        return Handfuls(self.batches, HANDFUL) if self.plan.direct else self.batches

    def training_step(self, batch: Any, _number: int) -> Tensor | None:
        if not self.plan.direct:
            return self._loss(batch)
        for one in batch:
            self._step(one)
        return None

    def _step(self, batch: Batch) -> None:
        self.optimizer.zero_grad()
        torch.autograd.backward(self._loss(batch))
        if self.plan.settings.gradient_clip > 0:
            nn.utils.clip_grad_norm_(self.net.parameters(), self.plan.settings.gradient_clip)
        self.optimizer.step()
        # Autocast keeps 16-bit copies of the weights until its context ends; these are of before the step.
        torch.clear_autocast_cache()

    def _loss(self, batch: Batch) -> Tensor:
        loss = self._judge(batch)
        self._sum.add_(loss.detach())
        self._steps += 1
        if time.perf_counter() - self._shown > PROGRESS_S:
            self._show()
        return loss

    def _judge(self, batch: Batch) -> Tensor:
        pixels, available, labels = batch
        own = getattr(self.net, "training_loss", None)
        loss: Tensor = own(pixels, available, labels, self.criterion) if own is not None else self.criterion(self.net(pixels, available), labels)
        return loss

    def validation_step(self, batch: Batch, _number: int) -> None:
        pixels, available, labels = batch
        self._answers.append((self.net(pixels, available).float(), labels))

    def on_train_epoch_end(self) -> None:
        self._show()
        row = self._row()
        self.history.append(row)
        self.batches.epoch = self.epoch
        judged = row.get("validation_loss", row["train_loss"])
        if not self.plan.validates or judged < self.best_loss:
            self.best_loss, self.best_epoch = judged, self.epoch
            self._keep()
        if isinstance(self.schedule, torch.optim.lr_scheduler.ReduceLROnPlateau):
            self.schedule.step(judged)
        elif self.schedule is not None:
            self.schedule.step()
        if self.plan.validates and self.epoch - self.best_epoch >= getattr(self.plan.settings, "patience", math.inf):
            self.stopped, self.trainer.should_stop = "early", True
        self.peak_memory_mb = max(self.peak_memory_mb, _memory_mb(self.device))
        self._checkpoint()

    def _row(self) -> dict[str, float]:
        row: dict[str, float] = {"epoch": self.epoch + 1, "train_loss": float(self._sum) / max(1, self._steps) / int(getattr(self.net, "added_losses", 1))}
        if self._answers:
            logits, labels = (torch.cat(part) for part in zip(*self._answers, strict=True))
            self._answers = []
            loss = float(self.criterion(logits, labels))
            row["validation_loss"] = float(self.trainer.strategy.broadcast(loss))
            row["validation_accuracy"] = _accuracy(self.criterion, logits, labels)
        row["lr"] = float(self.optimizer.param_groups[0]["lr"])
        row["seconds"] = time.perf_counter() - self._epoch_started
        if not all(map(math.isfinite, row.values())):
            raise _not_finite(self.epoch, self.plan.settings)
        return row

    def _keep(self) -> None:
        """Remember the weights of now as the best so far."""
        for name, tensor in self.net.state_dict().items():
            if name in self.best:
                self.best[name].copy_(tensor)
            else:
                self.best[name] = tensor.detach().to("cpu", copy=True)

    def _show(self) -> None:
        """Tell how far training is, and stop a loss that is no number any more."""
        self._shown = time.perf_counter()
        mean = float(self._sum) / max(1, self._steps)
        if not math.isfinite(mean):
            raise _not_finite(self.epoch, self.plan.settings)
        self.plan.progress(self.progress(), 1.0, f"epoch {self.epoch + 1} of {self.plan.settings.epochs}, loss {mean:.3f}")

    def progress(self) -> float:
        """Return how much of the training is over, 0 to 1."""
        return (self.epoch + self._steps / max(1, len(self.batches))) / self.plan.settings.epochs

    def _checkpoint(self) -> None:
        since = time.perf_counter() - self._written
        if self.plan.workdir is None or self.global_rank != 0 or self._writing_s > WRITING_SHARE * since:
            return
        begun = time.perf_counter()
        checkpoints.save(self.plan.workdir, self.state())
        self._written = time.perf_counter()
        self._writing_s = self._written - begun

    def state(self) -> checkpoints.Checkpoint:
        """Return where the fit stands."""
        quantities, groups = checkpoints.optimizer_tensors(self.optimizer)
        tensors = {f"model.{name}": tensor for name, tensor in self.net.state_dict().items()}
        tensors |= {f"best.{name}": tensor for name, tensor in self.best.items()}
        tensors |= {f"optimizer.{name}": tensor for name, tensor in quantities.items()}
        scaler = getattr(self.trainer.precision_plugin, "scaler", None)
        facts = {
            "history": self.history,
            "best_epoch": self.best_epoch,
            "best_loss": self.best_loss if math.isfinite(self.best_loss) else None,
            "stopped": self.stopped,
            "seconds": self.seconds,
            "peak_memory_mb": self.peak_memory_mb,
            "weights": self.weights,
            "groups": groups,
            "schedule": _plain(self.schedule.state_dict()) if self.schedule is not None else None,
            "scaler": scaler.state_dict() if scaler is not None else None,
        }
        return checkpoints.Checkpoint(self.plan.job, tensors, facts)

    @property
    def seconds(self) -> float:
        """Time spent in training, that before an interruption included."""
        return self.seconds_before + time.perf_counter() - self._started


def _accuracy(criterion: Callable[[Tensor, Tensor], Tensor], logits: Tensor, labels: Tensor) -> float:
    """Return the share of right answers; a loss that means something else by logits tells it by its own ``accuracy``."""
    own = getattr(criterion, "accuracy", None)
    return float(own(logits, labels)) if own is not None else float((logits.argmax(dim=1) == labels).float().mean())


def _optimizer(net: nn.Module, settings: TrainingSettings) -> torch.optim.Optimizer:
    weights = [p for p in net.parameters() if p.requires_grad]
    if settings.optimizer == "sgd":
        return torch.optim.SGD(weights, lr=settings.first_lr, momentum=0.9, weight_decay=settings.weight_decay)
    kind = torch.optim.AdamW if settings.optimizer == "adamw" else torch.optim.Adam
    return kind(weights, lr=settings.first_lr, weight_decay=settings.weight_decay)


def _schedule(optimizer: torch.optim.Optimizer, settings: TrainingSettings, *, validates: bool) -> Any:
    kind = getattr(settings, "scheduler", "none")
    if kind == "cosine":
        return torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=settings.epochs)
    if kind == "plateau" and validates:
        return torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=max(1, getattr(settings, "patience", 2) // 2))
    return None


def _plain(state: dict[str, Any]) -> dict[str, Any]:
    """Keep what JSON can hold; the rest is made again from the settings."""
    return {key: value for key, value in state.items() if isinstance(value, int | float | str | list | None)}


def _memory_mb(device: torch.device) -> float:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    return float(psutil.Process().memory_info().rss) / 2**20


def _not_finite(epoch: int, settings: TrainingSettings) -> TaskError:
    network = getattr(settings, "model", "the network")
    return TaskError(
        f"The loss of {network} is not a finite number any more in epoch {epoch + 1} (lr={settings.first_lr:g}, precision={settings.precision})",
        expected="a loss that falls",
        action=f"choose a smaller learning rate, such as lr={settings.lr / 10:g}, or gradient_clip=1; with 16-bit precision try precision=32",
    )
