"""Augmentation that is searched and not fixed by hand: short trainings, judged on the validation part alone, within minutes that are given.

Trials are proposed by Optuna's TPE (Bergstra et al., NIPS 2011;24) and stopped early by its median rule. The history lies beside the checkpoints as
lines of JSON, so that an interrupted search goes on. Whether the best is better than no augmentation is judged by White's reality check (Econometrica
2000;68:1097-1126), which knows that the best of many was chosen.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from spinelab.core import Examples, Run
from spinelab.nn import start_from
from spinelab.train.batches import PlainBatches, TrainingBatches
from spinelab.train.families import FAMILIES, Strengths, augmenter
from spinelab.train.fitting import VALIDATION_BATCH, Material, digest, material_of, train
from spinelab.train.loop import Loop, Plan
from spinelab.train.precision import choose_device, choose_precision
from spinelab.train.search_words import Trial, record_of
from spinelab.train.seeds import seeded
from spinelab.train.settings import ImageSettings

if TYPE_CHECKING:
    import optuna

    from spinelab.train.task import NetworkTask

STEP: Final = 0.25
"""Distance between the strengths that are tried; 0 is one of them."""
REFERENCES: Final = 2
"""Trials without augmentation: the second sees the films in another order, which tells how much chance does."""
STARTUP_TRIALS: Final = 6
"""Trials drawn at random before the sampler learns from them."""
FILE: Final = "search.jsonl"


@dataclass(frozen=True)
class Budget:
    """How long is searched: minutes in all, most trials (0: as many as fit), passes a trial."""

    minutes: float
    trials: int
    epochs: int


@dataclass(frozen=True)
class Found:
    """The strengths to train with, and the history for the model's record."""

    best: Strengths
    record: dict[str, Any]


def search(task: NetworkTask, examples: Examples, settings: ImageSettings, run: Run, budget: Budget) -> Found:
    """Search the strengths of the six families on the validation part that the fit itself would split off.

    The test patients of a comparison have no part in it: they are not among ``examples``. With a work folder the history is kept there, and with
    ``run.resume`` an interrupted search of the same data and settings goes on, and a finished one is not repeated; minutes spent count. `forget` ends that.
    """
    with seeded(settings.seed):
        ground = _Ground.of(task, examples, settings, run, budget)
    if not len(ground.material.split.validation):
        return Found(Strengths(), record_of([], 0.0, budget.minutes, None, why=ground.material.split.why or "no validation part"))
    study = _study(ground, run)
    _close_interrupted(study)
    spent = sum(_seconds(t) for t in study.trials)
    while _goes_on(study, spent, budget):
        spent += _one_trial(study, ground, run, budget, spent)
    trials = [_trial(t) for t in study.trials if t.state.name != "WAITING"]
    groups = [ground.material.examples[int(i)].group for i in ground.material.split.validation]
    record = record_of(trials, spent, budget.minutes, groups, seed=settings.seed, importance=_importance(study))
    return Found(Strengths.of(record["best"]), record)


def forget(run: Run) -> None:
    """Remove the history from the work folder: after the training that used what was found, not before it."""
    if run.workdir is not None:
        (run.workdir / FILE).unlink(missing_ok=True)


@dataclass(eq=False)
class _Ground:
    """What every trial shares: films, parts, the network at its start."""

    task: NetworkTask
    settings: ImageSettings
    budget: Budget
    material: Material
    net: nn.Module
    start: dict[str, Tensor]
    criterion: Callable[[Tensor, Tensor], Tensor]
    device: str
    precision: str
    job: str = field(default="")

    @staticmethod
    def of(task: NetworkTask, examples: Examples, settings: ImageSettings, run: Run, budget: Budget) -> _Ground:
        device = choose_device(run)
        precision = choose_precision(settings.precision, device)["lightning"]
        classes = task.classes(examples, settings)
        net = task.network(settings, classes)
        material, _ = material_of(task, examples, settings, run, classes, every_view=bool(getattr(net, "requires_all_views", False)))
        start_from(net, settings.weights, run.weights)
        net = net.to(memory_format=torch.channels_last)
        start = {name: tensor.detach().clone() for name, tensor in net.state_dict().items()}
        criterion = task.loss(settings, list(material.counts(material.drawn).values()))
        job = digest({"task": task.name, "settings": settings.to_dict(), "data": material.digest, "epochs": budget.epochs})
        return _Ground(task, settings, budget, material, net, start, criterion, device, precision, job)


def _study(ground: _Ground, run: Run) -> optuna.Study:
    """Return the study, from the work folder where it may go on; a history of another job is not continued."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    path = None if run.workdir is None else run.workdir / FILE
    storage = None
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not run.resume:
            path.unlink(missing_ok=True)
        lock = optuna.storages.journal.JournalFileOpenLock(str(path))
        storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(path), lock_obj=lock))
    pruner = optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=max(1, ground.budget.epochs // 3))
    return optuna.create_study(study_name=ground.job, storage=storage, pruner=pruner, load_if_exists=True)


def _close_interrupted(study: optuna.Study) -> None:
    import optuna

    for trial in study.get_trials(states=(optuna.trial.TrialState.RUNNING,)):
        study.tell(trial.number, state=optuna.trial.TrialState.FAIL)


def _done(study: optuna.Study) -> list[Any]:
    """Return the trials that came to an end of their own; those that were cut or interrupted do not count."""
    return [t for t in study.trials if t.state.name in ("COMPLETE", "PRUNED")]


def _goes_on(study: optuna.Study, spent: float, budget: Budget) -> bool:
    """Say whether another trial fits: a whole one, as long as the first was; of given trials, until they are done."""
    done = _done(study)
    if (budget.trials and len(done) >= budget.trials) or any(t.user_attrs.get("cut") for t in study.trials):
        return False
    # A trial may be stopped early, so half of the first one's time is worth beginning.
    return spent + 0.5 * (_seconds(done[0]) if done else 0.0) < 60 * budget.minutes


def _one_trial(study: optuna.Study, ground: _Ground, run: Run, budget: Budget, spent: float) -> float:
    """Train once; return the seconds that it took."""
    import optuna

    states = optuna.trial.TrialState
    done = _done(study)
    reference = len(done) if len(done) < REFERENCES else None
    if reference is not None and not study.get_trials(states=(states.WAITING,)):
        study.enqueue_trial(dict.fromkeys(FAMILIES, 0.0))
    # One sampler a trial, seeded by what is done: a search that was interrupted proposes what it would have proposed.
    study.sampler = optuna.samplers.TPESampler(seed=ground.settings.seed + len(done), n_startup_trials=STARTUP_TRIALS + REFERENCES)
    trial = study.ask()
    strengths = Strengths(**{name: trial.suggest_float(name, 0.0, 1.0, step=STEP) for name in FAMILIES})
    watch = _Watch(trial, 60 * budget.minutes - spent, prunes=reference is None)
    run.progress(spent, 60 * budget.minutes, f"searching augmentation, trial {len(done) + 1}: {strengths}")
    _short_training(ground, strengths, watch, ground.settings.seed + (reference or 0), run)
    if watch.state == "complete":
        study.tell(trial, watch.best)
    else:
        trial.set_user_attr("cut", watch.state == "cut")
        study.tell(trial, state=states.PRUNED if watch.state == "pruned" else states.FAIL)
    return watch.seconds


def _short_training(ground: _Ground, strengths: Strengths, watch: _Watch, seed: int, run: Run) -> None:
    change = augmenter(strengths)
    films = ground.material.films if change is None else replace(ground.material.films, augmenter=change)
    settings = replace(ground.settings, epochs=ground.budget.epochs, patience=ground.budget.epochs, seed=seed)
    with seeded(seed):
        ground.net.load_state_dict(ground.start)
        batches = TrainingBatches(films, ground.material.drawn, batch_size=settings.batch_size, seed=seed, augment=change is not None)
        direct = ground.precision != "16-mixed"
        plan = Plan(settings, ground.job, None, lambda _d, _t, _w: None, validates=True, direct=direct)
        loop = _TrialLoop(ground.net, ground.criterion, batches, plan, watch)
        validation = PlainBatches(films, ground.material.split.validation, batch_size=VALIDATION_BATCH)
        alone = replace(run, devices=1, nodes=1, strategy="auto", workdir=None, progress=lambda _d, _t, _w: None)
        train(loop, validation, alone, ground.device, ground.precision)


class _TrialLoop(Loop):
    """A loop that asks after each pass whether the trial is worth going on with."""

    def __init__(self, net: nn.Module, criterion: Callable[[Tensor, Tensor], Tensor], batches: TrainingBatches, plan: Plan, watch: _Watch) -> None:
        super().__init__(net, criterion, batches, plan)
        self.watch = watch

    def on_train_epoch_end(self) -> None:
        logits, labels = (torch.cat(part) for part in zip(*self._answers, strict=True))
        losses = nn.functional.cross_entropy(logits, labels, reduction="none").double().cpu().numpy()
        super().on_train_epoch_end()
        if self.watch.sees(losses, last=self.epoch >= self.plan.settings.epochs):
            self.trainer.should_stop = True

    def _keep(self) -> None:
        """Keep no weights: only the losses matter."""


class _Watch:
    """Follows one trial: its best pass, what it took, and why it ended."""

    def __init__(self, trial: optuna.Trial, seconds_left: float, *, prunes: bool) -> None:
        self.trial, self.seconds_left, self.prunes = trial, seconds_left, prunes
        self.best, self.state, self.curve = float("inf"), "cut", list[float]()
        self._started = time.perf_counter()

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self._started

    def sees(self, losses: NDArray[np.float64], *, last: bool) -> bool:
        """Take the losses (validation films,) of one pass; return whether to stop."""
        mean = float(losses.mean())
        self.curve.append(round(mean, 6))
        if mean < self.best:
            self.best = mean
            self.trial.set_user_attr("losses", np.round(losses, 5).tolist())
        self.trial.set_user_attr("curve", self.curve)
        self.trial.set_user_attr("seconds", round(self.seconds, 3))
        self.trial.report(self.best, len(self.curve))
        if last:
            self.state = "complete"
        elif self.prunes and self.trial.should_prune():
            self.state = "pruned"
        elif self.seconds * (len(self.curve) + 1) / len(self.curve) > self.seconds_left:
            self.state = "cut"
        else:
            return False
        return True


def _seconds(trial: Any) -> float:
    return float(trial.user_attrs.get("seconds", 0.0))


def _trial(trial: Any) -> Trial:
    """Return what is kept of a finished trial."""
    states = {"COMPLETE": "complete", "PRUNED": "pruned"}
    return Trial(
        number=trial.number,
        strengths={name: float(trial.params.get(name, 0.0)) for name in FAMILIES},
        state=states.get(trial.state.name, "cut"),
        curve=tuple(trial.user_attrs.get("curve", ())),
        losses=tuple(trial.user_attrs.get("losses", ())),
        seconds=_seconds(trial),
    )


def _importance(study: optuna.Study) -> dict[str, float]:
    """Return how much of the spread between trials each family explains (functional ANOVA), where there are enough trials to say."""
    import optuna

    complete = study.get_trials(states=(optuna.trial.TrialState.COMPLETE,))
    if len(complete) < 12 or np.ptp(_values(complete)) == 0:
        return {}
    found = optuna.importance.get_param_importances(study, evaluator=optuna.importance.FanovaImportanceEvaluator(seed=0))
    return {name: round(float(share), 3) for name, share in found.items()}


def _values(trials: Sequence[Any]) -> NDArray[np.float64]:
    return np.array([t.value for t in trials], dtype=np.float64)
