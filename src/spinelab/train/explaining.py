"""What a network task shows of where its network looked: the network, the study and the head that is asked, put before `spinelab.explain`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from spinelab.core import Explaining, Explanation, Image, InputError, Model, NotSureError, Sheet, Study
from spinelab.explain import Subject, feature_maps, first_layer_filters, wanted_maps

if TYPE_CHECKING:
    from torch import Tensor, nn

    from spinelab.train.task import NetworkTask


def explanations(task: NetworkTask, net: nn.Module, model: Model, study: Study, how: Explaining) -> list[Explanation]:
    """Return the maps of the answer to one study, one a method and available view; inputs without a name of their own share that of the first."""
    subject, column = subject_of(task, net, model, study, how.regions)
    if "curves" in how.checks and column is not None:
        # a threshold is no class: there is no probability to lose or to win back
        how = replace(how, checks=tuple(check for check in how.checks if check != "curves"))
    named = task.view_names(model.settings)
    return [one.explanation() for one in wanted_maps(subject, how, class_index=column) if one.view in named]


def subject_of(
    task: NetworkTask, net: nn.Module, model: Model, study: Study, regions: Mapping[str, NDArray[np.bool_]] | None = None
) -> tuple[Subject, int | None]:
    """Return what is asked about one study, and the logit to explain where that is not simply the highest: the threshold of an ordinal head."""
    prepared = task.prepare(study, model.settings)
    named = tuple(task.view_names(model.settings))
    views = (*named, *(f"channel {n + 1}" for n in range(len(named), len(prepared.pixels))))
    head = getattr(net, "columns", {}).get(task.target(model.settings)) or slice(0, len(model.classes))
    first, wide = head.start or 0, (head.stop or len(model.classes)) - (head.start or 0)
    subject = Subject(
        net,
        prepared.pixels,
        prepared.available,
        (*[""] * first, *model.classes),
        views,
        columns=head,
        anatomy=_anatomy(task, model, study, regions or {}, prepared.pixels.shape),
    )
    if wide == len(model.classes):
        return subject, None
    grade = max(1, int(_shares(task, subject, model).argmax()))
    at_least = [f"{name} or more" for name in model.classes[1:]]

    def cumulative(logits: Tensor) -> NDArray[np.float64]:
        grades = task.probabilities(logits, model.settings)[:, : len(model.classes)]
        reached = np.cumsum(grades[:, ::-1], axis=1)[:, ::-1][:, 1:]
        return np.concatenate([np.zeros((len(grades), first)), reached], axis=1)

    return replace(subject, classes=(*[""] * first, *at_least), shares=cumulative), first + grade - 1


def sheets(task: NetworkTask, net: nn.Module, model: Model, study: Study) -> list[Sheet]:
    """Return the filters of the first layer, and what layers show of a study, in the order of the network."""
    subject, _ = subject_of(task, net, model, study)
    found = []
    for n, filters in enumerate(first_layer_filters(net)):
        inputs = len(filters.values) // filters.of
        shown = replace(filters, values=filters.values[::inputs]) if inputs > 1 else filters
        side = filters.values.shape[-1]
        text = f"{filters.of} filters of {filters.values.shape[-2]} × {side} pixels" + (f", that of the first of {inputs} inputs each" if inputs > 1 else "")
        whose = f", network {n + 1}" if n else ""
        title = f"Filters of the first layer ({filters.layer}){whose}"
        found.append(Sheet(title, f"{text}; middle grey is zero.", shown.mosaic(enlarge=max(1, 48 // side), signed=True)))
    for maps in feature_maps(net, *subject.tensors()):
        rows, columns = maps.values.shape[1:]
        text = f"The {len(maps.values)} of {maps.of} channels that vary most, {rows} × {columns} each, from its own darkest to its own brightest."
        found.append(Sheet(f"Layer {maps.layer}", text, maps.mosaic(enlarge=max(1, 96 // max(rows, columns)))))
    return found


def _shares(task: NetworkTask, subject: Subject, model: Model) -> NDArray[np.float64]:
    import torch

    with torch.inference_mode():
        return task.probabilities(subject.net(*subject.tensors()), model.settings)[0, : len(model.classes)]


def _anatomy(task: NetworkTask, model: Model, study: Study, regions: Mapping[str, NDArray[np.bool_]], shape: Sequence[int]) -> NDArray[np.bool_] | None:
    """Return the regions where the network sees them: masks take the way of the films, through the task's own preparation."""
    if not regions:
        return None
    images = [_masked(image, regions.get(str(image.view.value or ""), regions.get("") if len(study.images) == 1 else None)) for image in study.images]
    try:
        seen: Any = task.prepare(replace(study, images=tuple(images)), model.settings).pixels
    except (InputError, NotSureError):
        return None
    mask: NDArray[np.bool_] = seen > 127
    return mask if mask.any() and mask.shape == tuple(shape) else None


def _masked(image: Image, mask: NDArray[np.bool_] | None) -> Image:
    shape = image.shape_yx
    white = np.zeros(shape, np.uint8) if mask is None or mask.shape != tuple(shape) else np.where(mask, np.uint8(255), np.uint8(0))
    return Image(white, spacing_mm=image.spacing_mm, view=image.view, facts=image.facts, source=image.source)
