"""Maps with their checks: what a task asks for, and what a report draws."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from spinelab.core import Explaining, Explanation, InputError, TaskError
from spinelab.core.explaining import ALL, CHECKS
from spinelab.explain.altering import occlusion, scorecam
from spinelab.explain.attention import attention_rollout
from spinelab.explain.checks import Curves, Inside, Randomisation, curves, glance, inside, randomisation
from spinelab.explain.gradients import attributions, integrated_gradients
from spinelab.explain.hirescam import fine_layers, hirescam
from spinelab.explain.scoring import BLACK
from spinelab.nn.cam import EVERY, cam_layers, cell_px, gradcam, transformer_of

METHODS: Final[Mapping[str, Callable[..., tuple[NDArray[np.float32], Tensor]]]] = {
    "HiResCAM": hirescam,
    "Grad-CAM": gradcam,
    "Score-CAM": scorecam,
    "integrated gradients": integrated_gradients,
    "occlusion": occlusion,
    "attention rollout": attention_rollout,
}

LAYERS: Final = {"HiResCAM": fine_layers, "Grad-CAM": cam_layers, "Score-CAM": cam_layers, "attention rollout": cam_layers}
"""Which layers' cells a map of each of these methods is enlarged from."""
MANY_PASSES: Final = ("Score-CAM", "occlusion")
FAINT: Final = 0.2
"""Highest value of a map below which it is flagged: the methods' maps reach 1, but for attention that is spread evenly."""
FRAME_AT: Final = 0.5
"""Share of a map on that frame above which it is flagged."""


@dataclass(frozen=True, eq=False)
class Subject:
    """A network and the one study that it is asked about.

    Parameters
    ----------
    net
        Takes pixels and availability, gives logits.
    pixels, available
        uint8 ``(V, rows, columns)`` or ``(V, slices, rows, columns)`` and bool ``(V,)``, as from ``prepare``.
    classes
        Names of the logits, all heads of them.
    views
        Names of the inputs.
    columns
        The logits of the head that is explained; all of them by default.
    model
        What reports call the network.
    anatomy
        Mask shaped as the pixels, where it is known what should be looked at.
    shares
        From logits ``(B, K)`` to probabilities, where they are no softmax.
    """

    net: nn.Module
    pixels: NDArray[np.uint8]
    available: NDArray[np.bool_]
    classes: Sequence[str]
    views: Sequence[str] = ("",)
    columns: slice = field(default_factory=lambda: EVERY)
    model: str = ""
    anatomy: NDArray[np.bool_] | None = None
    shares: Callable[[Tensor], NDArray[np.float64]] | None = None

    def __post_init__(self) -> None:
        if self.pixels.ndim not in {3, 4} or self.pixels.dtype != np.uint8 or self.available.shape != self.pixels.shape[:1] or not self.available.any():
            given = f"Films {self.pixels.dtype} {self.pixels.shape}, availability {self.available.shape}"
            raise InputError(given, expected="uint8 (views, rows, columns), one of them there", action="give what the task's prepare method gives")
        if len(self.views) != len(self.pixels):
            raise InputError(
                f"{len(self.views)} names for {len(self.pixels)} inputs", expected="a name each", action="name every input, with '' if it has none"
            )

    def tensors(self) -> tuple[Tensor, Tensor]:
        """Return pixels and availability as the network takes them, on its device."""
        device = next(self.net.parameters()).device
        return torch.from_numpy(np.array(self.pixels[None])).to(device), torch.from_numpy(np.array(self.available[None])).to(device)


@dataclass(frozen=True, eq=False)
class AttentionMap:
    """Where a network looked on one film, in the film's own orientation, and what was found about the map itself.

    ``heat`` is in [0, 1] and shaped as ``picture``; ``probability`` is that of ``label`` among the head's classes; ``unaccounted`` is, for integrated
    gradients, the share of the score that the pixels do not add up to. ``cell_px`` is the side of the feature maps' cells in pixels of the film.
    """

    method: str
    label: str
    view: str
    picture: NDArray[np.uint8]
    heat: NDArray[np.float32]
    probability: float
    model: str = ""
    weights: Randomisation | None = None
    inside: Inside | None = None
    curves: Curves | None = None
    unaccounted: float | None = None
    cell_px: float | None = None

    @property
    def on_frame(self) -> float:
        """Share of the map on the black frame that fills a film up to a square: rows and columns at its edges without a grey level above `BLACK`."""
        seen = self.picture > BLACK
        total = float(self.heat.sum(dtype=np.float64))
        if total <= 0 or not seen.any():
            return 0.0
        within = np.ones(seen.shape, bool)
        for axis in range(seen.ndim):
            lines = np.flatnonzero(seen.any(axis=tuple(other for other in range(seen.ndim) if other != axis)))
            outside = np.ones(seen.shape[axis], bool)
            outside[lines[0] : lines[-1] + 1] = False
            within[tuple(outside if other == axis else slice(None) for other in range(seen.ndim))] = False
        return float(self.heat[~within].sum(dtype=np.float64)) / total

    @property
    def flags(self) -> tuple[str, ...]:
        """Sentences about why the map should not be believed; none if nothing speaks against it."""
        found = []
        if not self.heat.any():
            found.append("The map is empty: nothing on the film speaks for this answer.")
        elif self.heat.max() < FAINT:
            found.append(f"The map points nowhere: it varies by {self.heat.max():.0%} of its highest value over the film.")
        if self.weights is not None and not self.weights.depends_on_weights:
            found.append("The map hardly changes when the network's weights are random: it does not show what was learnt.")
        if self.curves is not None and not self.curves.better_than_chance:
            found.append("Covering what the map shows changes the answer not clearly more than covering places drawn by chance.")
        if self.inside is not None and self.heat.any() and self.inside.share < self.inside.area:
            found.append("Less of the map lies on the anatomy than of a map that says nothing.")
        if self.on_frame > FRAME_AT:
            found.append(f"{self.on_frame:.0%} of the map lies on the black frame around the film, where there is nothing to see.")
        if self.unaccounted is not None and abs(self.unaccounted) > 0.05:
            found.append(f"The pixels' parts miss the score by {abs(self.unaccounted):.0%}.")
        return tuple(found)

    def facts(self) -> dict[str, Any]:
        """Return everything but the pictures, JSON-able."""
        body: dict[str, Any] = {"model": self.model, "probability": self.probability, "on_frame": self.on_frame, "flags": list(self.flags)}
        if self.weights is not None:
            body["weights"] = asdict(self.weights) | {"depends_on_weights": self.weights.depends_on_weights}
        if self.inside is not None:
            body["inside"] = asdict(self.inside)
        if self.curves is not None:
            areas = {"deletion_auc": self.curves.deletion_auc, "insertion_auc": self.curves.insertion_auc, "chance": list(self.curves.chance)}
            body["curves"] = asdict(self.curves) | areas | {"better_than_chance": self.curves.better_than_chance}
        if self.cell_px is not None:
            body["cell_px"] = self.cell_px
        if self.unaccounted is not None:
            body["unaccounted"] = self.unaccounted
        return body

    def explanation(self, *, slice_index: int | None = None) -> Explanation:
        """Return what a report draws; of a volume the slice where the map peaks, unless one is named."""
        method = f"{self.method} of {self.model}" if self.model else self.method
        if self.heat.ndim == 2:
            return Explanation(method, self.label, self.picture, self.heat, self.view, self.facts())
        at = slice_index if slice_index is not None else int(np.unravel_index(int(self.heat.argmax()), self.heat.shape)[0])
        return Explanation(method, self.label, self.picture[at], self.heat[at], self.view, self.facts() | {"slice": at})


def methods_for(net: nn.Module) -> tuple[str, ...]:
    """Return the methods that suit a network: attention rollout only where there is attention."""
    return tuple(name for name in METHODS if name != "attention rollout" or transformer_of(net) is not None)


def usual_method(net: nn.Module) -> str:
    """Return the method that takes no more than a pass and its slopes: attention rollout for a transformer, HiResCAM for other networks."""
    return "attention rollout" if transformer_of(net) is not None else "HiResCAM"


def wanted_maps(subject: Subject, how: Explaining, *, class_index: int | None = None) -> list[AttentionMap]:
    """Return the maps that a user asked for; the regions of ``how`` are laid over the subject by the task, not here.

    Methods of many passes are compared with one network of random weights only, unless that one is suspiciously alike.
    """
    names = how.methods or (usual_method(subject.net),)
    names = methods_for(subject.net) if ALL in names else names
    lighter = tuple("glance" if check == "weights" else check for check in how.checks)
    return [
        one
        for name in names
        for one in attention_maps(subject, (name,), class_index=class_index, checks=lighter if name in MANY_PASSES else how.checks, anatomy=subject.anatomy)
    ]


def attention_maps(
    subject: Subject,
    methods: Sequence[str] | None = None,
    *,
    class_index: int | None = None,
    checks: Sequence[str] = (),
    anatomy: NDArray[np.bool_] | None = None,
    seed: int = 0,
) -> list[AttentionMap]:
    """Return a map a method and available input, with the checks that are asked for.

    Parameters
    ----------
    methods
        Names in `METHODS`; by default the network's `usual_method`.
    class_index
        The logit to explain; by default the answer of the subject's head.
    checks
        ``glance`` (is the map of random weights different; one more map), ``weights`` (the same layer by layer; about a dozen maps) and ``curves``
        (does the answer depend on what the map shows; about 140 passes). Where a map lies is checked whenever a mask is given.
    anatomy
        Mask shaped as the subject's pixels: the spine, or a lesion that was drawn.

    Raises
    ------
    TaskError
        If a method or check does not exist, or does not suit the network.
    """
    names = (usual_method(subject.net),) if methods is None else methods
    for given, known in ((names, tuple(METHODS)), (checks, CHECKS)):
        unknown = [name for name in given if name not in known]
        if unknown:
            raise TaskError(f"{', '.join(unknown)}", expected=f"some of {', '.join(known)}", action="choose among these")
    return [one for name in names for one in _maps(subject, name, class_index, checks, anatomy, seed)]


def gallery(subjects: Mapping[str, Subject], methods: Sequence[str] | None = None, *, class_index: int | None = None) -> list[Explanation]:
    """Return the maps of several networks on the same study, to be drawn side by side: model by model, in the order given.

    Methods that do not suit a network are left out for it; by default each has its `usual_method`. With ``class_index`` all explain the
    same class; by default each explains its own answer.
    """
    found = []
    for name, subject in subjects.items():
        suited = None if methods is None else [method for method in methods if method in methods_for(subject.net)]
        found += [m.explanation() for m in attention_maps(replace(subject, model=name), suited, class_index=class_index)]
    return found


def on_original(heat: NDArray[np.float32], rows: int, columns: int) -> NDArray[np.float32]:
    """Return a map of a film that was fitted into a square, proportions kept, centred on black, laid over the original film."""
    import cv2

    side = max(heat.shape)
    scale = side / max(rows, columns)
    height, width = max(1, round(rows * scale)), max(1, round(columns * scale))
    top, left = (side - height) // 2, (side - width) // 2
    return np.asarray(cv2.resize(heat[top : top + height, left : left + width], (columns, rows), interpolation=cv2.INTER_LINEAR), np.float32)


def _maps(subject: Subject, name: str, class_index: int | None, checks: Sequence[str], anatomy: NDArray[np.bool_] | None, seed: int) -> list[AttentionMap]:
    pixels, available = subject.tensors()
    method = functools.partial(METHODS[name], columns=subject.columns)
    heat, logits = method(subject.net, pixels, available, class_index)
    first = subject.columns.start or 0
    column = class_index if class_index is not None else int(logits[0, subject.columns].argmax()) + first
    whole = AttentionMap(
        name,
        subject.classes[column],
        "",
        subject.pixels[0],
        heat[0, 0],
        _probability(subject, logits, column),
        subject.model,
        weights=_compared(method, subject.net, (pixels, available), column, heat, checks, seed),
        curves=curves(subject.net, pixels, available, heat[0], column, seed=seed, columns=subject.columns) if "curves" in checks else None,
        unaccounted=_unaccounted(subject.net, pixels, available, column) if name == "integrated gradients" else None,
        cell_px=cell_px(LAYERS[name](subject.net, pixels, available), pixels.shape[2:]) if name in LAYERS else None,
    )
    return [
        replace(
            whole,
            view=view,
            picture=subject.pixels[v],
            heat=heat[0, v],
            inside=inside(heat[0, v], anatomy[v]) if anatomy is not None and anatomy[v].any() else None,
        )
        for v, view in enumerate(subject.views)
        if subject.available[v]
    ]


def _probability(subject: Subject, logits: Tensor, column: int) -> float:
    if subject.shares is not None:
        return float(subject.shares(logits)[0, column])
    among = logits[0, subject.columns].detach().double().softmax(dim=0)
    return float(among[column - (subject.columns.start or 0)])


def _compared(
    method: Callable[..., Any], net: nn.Module, film: tuple[Tensor, Tensor], column: int, heat: NDArray[np.float32], checks: Sequence[str], seed: int
) -> Randomisation | None:
    """Return the comparison with random weights that was asked for: the thorough one where both are."""
    if "weights" in checks:
        return randomisation(method, net, *film, column, seed=seed)
    return glance(method, net, *film, column, heat, seed=seed) if "glance" in checks else None


def _unaccounted(net: nn.Module, pixels: Tensor, available: Tensor, column: int) -> float:
    shares, gap, _ = attributions(net, pixels, available, column)
    size = float(np.abs(shares).sum())
    return float(gap[0]) / size if size > 0 else 0.0
