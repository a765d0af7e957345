"""A task that a network answers: four short methods from the task, everything else from here."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from spinelab.core import Examples, Explaining, Explanation, Model, NotSureError, Result, Run, Settings, Sheet, Study, Task, TaskError
from spinelab.train.augment import Augmenter, mild
from spinelab.train.prepared import Prepared
from spinelab.train.settings import TRAINING_ONLY, ImageSettings

if TYPE_CHECKING:
    from torch import Tensor, nn

PREDICTION_BATCH = 32


class NetworkTask(Task):
    """Base of tasks with networks; a subclass gives ``prepare``, ``network``, ``loss`` and ``interpret``.

    ``prepare_version`` belongs to the code of ``prepare``: raise it with every change of what a prepared film looks like, or decoded
    films of before would be used. ``not_of_films`` names the task's own settings that do not change a prepared film.
    """

    prepare_version: ClassVar[int] = 1
    not_of_films: ClassVar[frozenset[str]] = frozenset({"fusion", "target"})

    @abstractmethod
    def prepare(self, study: Study, settings: Settings) -> Prepared:
        """Return what the network is shown; the same code in training and in use."""

    @abstractmethod
    def network(self, settings: Settings, classes: Sequence[str]) -> nn.Module:
        """Return the untrained network: uint8 pixels ``(B, V, S, S)`` and bool availability ``(B, V)`` to logits ``(B, K)``."""

    @abstractmethod
    def loss(self, settings: Settings, counts: Sequence[int]) -> Callable[..., Any]:
        """Return the loss of logits and labels, given the training examples of each class."""

    @abstractmethod
    def interpret(self, probabilities: NDArray[np.float64], model: Model, study_id: str) -> Result:
        """Return the answer for one study from the probabilities ``(K,)``."""

    def probabilities(self, logits: Tensor, settings: Settings) -> NDArray[np.float64]:
        """Return the class probabilities ``(B, K)``: the softmax, unless a task's loss means something else by its logits."""
        return np.asarray(logits.detach().double().softmax(dim=1).cpu().numpy(), np.float64)

    def head_labels(self, examples: Examples, settings: Settings, labels: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return what the loss is given: ``labels`` (N,), or (N, heads) from a task whose network answers several questions about a film."""
        return labels

    def augmenter(self, settings: Settings) -> Augmenter | None:
        """Return how training films are changed, ``None`` where they are shown as they are."""
        return mild if _own(settings).augment == "mild" else None

    def view_names(self, settings: Settings) -> tuple[str, ...]:
        """Return the names of the network's inputs, for heatmaps: ``settings.views`` where there is such a thing, otherwise one without a name."""
        return tuple(getattr(settings, "views", ("",)))

    def preparation(self, settings: Settings) -> dict[str, Any]:
        """Return everything that decides what a prepared film looks like; decoded films are kept under it."""
        aside = TRAINING_ONLY | self.not_of_films
        chosen = {key: value for key, value in settings.to_dict().items() if key not in aside}
        return {"task": self.name, "version": self.prepare_version, "settings": chosen}

    def fit(self, examples: Examples, settings: Settings, run: Run) -> Model:
        """Train one network; the validation part is split off inside, by patient.

        Raises
        ------
        InputError
            If a film cannot be read, or there are fewer than two classes.
        TaskError
            If a device is asked for that is not there, or the loss stops being a number.
        """
        from spinelab.train.fitting import fit

        return fit(self, examples, _own(settings), run)

    def predict(self, model: Model, study: Study) -> Result:
        """Answer for one study; raises `NotSureError` where a view is missing that the network requires."""
        import torch

        prepared = self.prepare(study, model.settings)
        net = self._live(model)
        if not prepared.available.any() or (getattr(net, "requires_all_views", False) and not prepared.available.all()):
            raise NotSureError(
                f"{study.id}: {self._missing(model, prepared.available)}", expected="every view", action="use a model with the view setting hybrid or standard"
            )
        pixels, available = self._batch(net, prepared.pixels[None], prepared.available[None])
        with torch.inference_mode():
            shares = self.probabilities(net(pixels, available), model.settings)
        return self.interpret(shares[0], model, study.id)

    def predict_many(self, model: Model, examples: Examples, run: Run) -> list[Result]:
        """Answer for many, in batches, from the films in the cache.

        A study without a required view, and one that the task refuses, gets a result without findings and a note.
        """
        from spinelab.train.accepted import load_accepted
        from spinelab.train.precision import choose_device

        settings = model.settings
        net = self._live(model).to(choose_device(run))
        prepare = self.prepare
        shown = load_accepted(examples, lambda e: prepare(e.open(), settings), self.preparation(settings), run)
        every = bool(getattr(net, "requires_all_views", False))
        enough = shown.available.all(axis=1) if every else shown.available.any(axis=1)
        results = {i: self._unanswered(model, examples[i].id, str(why)) for i, why in shown.refused.items()}
        for row in np.flatnonzero(~enough):
            name = examples[int(shown.at[row])].id
            results[int(shown.at[row])] = self._unanswered(model, name, f"{self._missing(model, shown.available[row])}.")
        able = np.flatnonzero(enough)
        for start in range(0, len(able), PREDICTION_BATCH):
            rows = able[start : start + PREDICTION_BATCH]
            shares, names = self._shares(net, settings, shown.films[rows], shown.available[rows]), [examples[int(i)].id for i in shown.at[rows]]
            results |= {int(i): replace(self.interpret(p, model, name), study=name) for i, p, name in zip(shown.at[rows], shares, names, strict=True)}
            run.progress(start + len(rows), len(able), "reading")
        return [results[i] for i in range(len(examples))]

    def explain(self, model: Model, study: Study, how: Explaining | None = None) -> list[Explanation]:
        """Return heatmaps of the predicted class for every view that exists, with their checks; by default the one method that costs no more than an answer."""
        from spinelab.train.explaining import explanations

        return explanations(self, self._live(model), model, study, (how or Explaining()).of_one_question(self.name))

    def layers(self, model: Model, study: Study, how: Explaining | None = None) -> list[Sheet]:
        """Return the filters of the network's first layer, and what the last layer of each resolution shows of a study."""
        from spinelab.train.explaining import sheets

        return sheets(self, self._live(model), model, study)

    def _live(self, model: Model) -> nn.Module:
        """Return the network with the model's weights, made on first use."""
        import torch

        if model.network is None:
            net = self.network(model.settings, model.classes)
            try:
                net.load_state_dict({name: torch.from_numpy(np.array(values)) for name, values in model.tensors.items()})
            except RuntimeError as error:
                raise TaskError(
                    f"The weights do not fit a network of {model.name}: {str(error).splitlines()[0]}",
                    expected="weights and settings of one model",
                    action="train the model again with this version",
                ) from error
            model.network = net.to(memory_format=torch.channels_last).eval()
        return model.network  # type: ignore[no-any-return]

    def _shares(self, net: nn.Module, settings: Settings, pixels: NDArray[np.uint8], available: NDArray[np.bool_]) -> NDArray[np.float64]:
        import torch

        with torch.inference_mode():
            return self.probabilities(net(*self._batch(net, pixels, available)), settings)

    def _batch(self, net: nn.Module, pixels: NDArray[np.uint8], available: NDArray[np.bool_]) -> tuple[Tensor, Tensor]:
        import torch

        device = next(net.parameters()).device
        return torch.from_numpy(np.array(pixels)).to(device), torch.from_numpy(np.array(available)).to(device)

    def _missing(self, model: Model, available: NDArray[np.bool_]) -> str:
        names = [view or str(v + 1) for v, view in enumerate(self.view_names(model.settings)) if not available[v]]
        return f"view {', '.join(names)} is missing"

    def _unanswered(self, model: Model, study_id: str, why: str) -> Result:
        return Result(self.name, model.name, study_id, notes=(f"No answer: {why}",))


def _own(settings: Settings) -> ImageSettings:
    if not isinstance(settings, ImageSettings):
        raise TaskError(
            f"Settings of type {type(settings).__name__}", expected="settings that derive from ImageSettings", action="use the task's settings_type"
        )
    return settings
