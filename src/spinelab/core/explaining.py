"""Maps of where a model looked: which are wanted, what they are, and what is kept of them without their pixels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spinelab.core.errors import TaskError
from spinelab.core.result import Heatmap

METHODS: Final[Mapping[str, str]] = {
    "hirescam": "HiResCAM",
    "gradcam": "Grad-CAM",
    "scorecam": "Score-CAM",
    "integrated-gradients": "integrated gradients",
    "occlusion": "occlusion",
    "rollout": "attention rollout",
}
"""Word on the command line -> name of the method."""

LANDMARK_MAPS: Final = "landmark maps"
"""The method of a model that measures: its own heatmaps, the highest of all landmarks at each place."""

ALL: Final = "all"
NONE: Final = "none"
CHECKS: Final = ("glance", "weights", "curves")
"""``glance``: is the map of a network of random weights different (one more map); ``weights``: the same layer by layer, for three such networks;
``curves``: does the answer depend on what the map shows (about 140 passes)."""


@dataclass(frozen=True, eq=False)
class Explaining:
    """Which maps are wanted of a model, and how they are checked.

    Parameters
    ----------
    methods
        Values of `METHODS`, or ``("all",)`` for all that suit the network. By default the quick one: attention rollout for a transformer, HiResCAM
        otherwise.
    checks
        Some of `CHECKS`.
    regions
        By view a mask in pixels of the original picture: the anatomy, or a lesion that was drawn. Where it is known, each map says how much of it lies inside.
    questions
        Which questions are explained, of a task that asks many of one examination, as the task reads them: ``L4/L5 left foraminal``. By default
        the task chooses.
    """

    methods: tuple[str, ...] = ()
    checks: tuple[str, ...] = ("glance",)
    regions: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)
    questions: tuple[str, ...] = ()

    def of_one_question(self, task: str) -> Explaining:
        """Return these wishes, for a task that asks one question of an examination.

        Raises
        ------
        TaskError
            If questions are named, for there is nothing to choose among.
        """
        if self.questions:
            raise TaskError(
                f"--question {self.questions[0]!r} for {task}",
                expected="no question by name: this task asks one of an examination",
                action="leave --question out",
            )
        return self

    @staticmethod
    def chosen(text: str | None, *, option: str = "--explain") -> Explaining | None:
        """Return what a user asked for: words of `METHODS` with commas, ``all``, ``none``, or nothing for the default; ``option`` is what the user set.

        Raises
        ------
        TaskError
            For a word that names no method.
        """
        if text is None:
            return Explaining()
        words = [word.strip().lower() for word in text.split(",") if word.strip()]
        if words == [NONE]:
            return None
        unknown = [word for word in words if word not in {*METHODS, ALL}]
        if unknown or not words:
            raise TaskError(
                f"{option} {text!r}", expected=f"some of {', '.join(METHODS)} with commas between them, or all, or none", action="choose among these"
            )
        methods = (ALL,) if ALL in words else tuple(dict.fromkeys(METHODS[word] for word in words))
        return Explaining(methods, ("glance", "curves"))


@dataclass(frozen=True, eq=False)
class Explanation:
    """A heatmap over an image: ``heat`` (rows, columns) in [0, 1] over ``picture`` (rows, columns) uint8.

    ``facts`` is what was found about the map itself (`spinelab.explain.AttentionMap.facts`), JSON-able; ``where`` among them says, of a slice, in which
    ``series`` it lies, its ``slice`` number, and where in the patient the map is highest, ``peak_mm``.
    """

    method: str
    label: str
    picture: NDArray[np.uint8]
    heat: NDArray[np.float32]
    view: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def peak(self) -> tuple[int, int] | None:
        """Return where the map is highest, ``x`` to the right and ``y`` down in pixels of the picture; ``None`` for an empty map."""
        if not np.any(self.heat):
            return None
        row, column = np.unravel_index(int(np.argmax(self.heat)), self.heat.shape)
        return int(column), int(row)

    @property
    def flags(self) -> tuple[str, ...]:
        """Return why the map should not be believed, in sentences; none where nothing speaks against it."""
        return tuple(map(str, self.facts.get("flags", ())))

    def summary(self, file: str) -> Heatmap:
        """Return everything but the pixels, for `Result.explanations`; ``file`` is the picture that lies beside the result."""
        inside, areas, weights, where = (self.facts.get(key) or {} for key in ("inside", "curves", "weights", "where"))
        rows, columns = self.heat.shape[:2]
        return Heatmap(
            method=self.method,
            label=self.label,
            view=self.view,
            file=file,
            size=(columns, rows),
            peak=self.peak,
            probability=self.facts.get("probability"),
            share_inside=inside.get("share"),
            area_inside=inside.get("area"),
            peak_inside=inside.get("peak_inside"),
            deletion_auc=areas.get("deletion_auc"),
            insertion_auc=areas.get("insertion_auc"),
            noise_aucs=None if "noise" not in areas else tuple((float(away), float(back)) for away, back in areas["noise"]),
            random_weights_similarity=weights["correlation"][-1] if weights else None,
            cell_px=self.facts.get("cell_px"),
            flags=self.flags,
            series=where.get("series"),
            slice_number=where.get("slice"),
            peak_mm=None if self.peak is None or not where else tuple(where["peak_mm"]),
        )


@dataclass(frozen=True, eq=False)
class Sheet:
    """A picture of the inside of a network, uint8: filters, or what a layer shows of a film."""

    title: str
    text: str
    picture: NDArray[np.uint8]
