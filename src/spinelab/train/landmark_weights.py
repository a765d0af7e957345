"""The live networks of a landmark model, made from its stored weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from spinelab.core import Model, TaskError
from spinelab.nn.landmark_net import landmark_net
from spinelab.train.landmark_reading import FIRST, SECOND

if TYPE_CHECKING:
    from spinelab.train.landmark_task import LandmarkTask


def networks(task: LandmarkTask, model: Model) -> tuple[nn.Module, nn.Module | None]:
    """Return the first network and, where the task has one, the second.

    Raises
    ------
    TaskError
        If the weights are those of other networks.
    """
    head, settings = task.head_of(model), task.own(model.settings)
    refiner = task.refiner(task.names_of(model), model.record.get("mirror"), settings)
    first = _with_weights(landmark_net(settings.model, head.maps, head.summary), model, FIRST)
    return first, None if refiner is None else _with_weights(refiner.network(), model, SECOND)


def _with_weights(net: nn.Module, model: Model, prefix: str) -> nn.Module:
    own = {name.removeprefix(prefix): torch.from_numpy(np.array(values)) for name, values in model.tensors.items() if name.startswith(prefix)}
    try:
        net.load_state_dict(own)
    except RuntimeError as error:
        raise TaskError(
            f"The weights do not fit a network of {model.name}: {str(error).splitlines()[0]}",
            expected="weights and settings of one model",
            action="train the model again with this version",
        ) from error
    return net.to(memory_format=torch.channels_last).eval()
