"""Where foramina and recesses lie, seen from the canal: learnt level by level from training coordinates, in the local frame of the spine.

The frame of a level has its origin in the canal point and three axes: to the patient's left (along the normal of the sagittal stack), towards the back,
and along the spine towards the head (from the neighbouring canal points). Offsets are medians in mm. The right side's are those of the left
mirrored: marks on sagittal slices lie on whole slices, and both sides together halve that error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spinelab.tasks.lumbar_mri.targets import LEVEL_NAMES, QUESTIONS, Question

Floats = NDArray[np.float64]

LEAST_MARKS: Final = 3
"""Marks from which a median is told."""


def frames(canal: Mapping[str, Floats], left: Floats) -> dict[str, Floats]:
    """Return the axes (3, 3) of every level that has a canal point: rows left, back, head.

    One level alone takes the head's direction from the patient (LPS z).
    """
    names = [name for name in LEVEL_NAMES if name in canal]
    points = np.array([canal[name] for name in names])
    found = {}
    for place, name in enumerate(names):
        above, below = points[max(0, place - 1)], points[min(len(names) - 1, place + 1)]
        head = above - below if len(names) > 1 else np.array([0.0, 0.0, 1.0])
        head = head - (head @ left) * left
        head /= np.linalg.norm(head)
        found[name] = np.stack([left, np.cross(head, left), head])
    return found


def straightened(canal: Mapping[str, Floats], left: Floats) -> dict[str, Floats]:
    """Return canal points whose place from side to side was smoothed by a straight line over their heights: each was seen on whole slices only."""
    names = [name for name in LEVEL_NAMES if name in canal]
    if len(names) < 3:
        return dict(canal)
    points = np.array([canal[name] for name in names])
    across, height = points @ left, points[:, 2]
    fitted = np.polyval(np.polyfit(height - height.mean(), across, 1), height - height.mean())
    return {name: point + (line - at) * left for name, point, line, at in zip(names, points, fitted, across, strict=True)}


def learn_offsets(studies: Sequence[tuple[Mapping[str, Floats], Floats, Mapping[int, Floats]]]) -> dict[str, Any]:
    """Return the offset of every question (its column) from its level's canal point, for JSON.

    Each study gives its canal points by level, the direction to the left, and the marked points by the question's place.
    """
    seen: dict[tuple[str, str], list[Floats]] = {}
    for canal, left, marked in studies:
        axes, smooth = frames(canal, left), straightened(canal, left)
        for place, point in marked.items():
            question = QUESTIONS[place]
            if question.side is not None and question.level in axes:
                offset = axes[question.level] @ (point - smooth[question.level])
                seen.setdefault((question.finding, question.level), []).append(offset * [_sign(question), 1, 1])
    found = {}
    for question in QUESTIONS:
        own = seen.get((question.finding, question.level), [])
        if question.side is not None and len(own) >= LEAST_MARKS:
            middle = np.median(own, axis=0)
            spread = float(np.median(np.linalg.norm(np.array(own) - middle, axis=1)))
            found[question.column] = {"offset_mm": (middle * [_sign(question), 1, 1]).tolist(), "spread_mm": spread, "marks": len(own)}
    return found


def place_all(canal: Mapping[str, Floats], left: Floats, offsets: Mapping[str, Any]) -> dict[int, Floats]:
    """Return LPS mm of every question whose level was found and whose offset is known, by its place among the 25."""
    axes, smooth = frames(canal, left), straightened(canal, left)
    found = {}
    for question in QUESTIONS:
        if question.level not in canal:
            continue
        if question.side is None:
            found[question.place] = np.asarray(canal[question.level], np.float64)
        elif question.column in offsets:
            found[question.place] = smooth[question.level] + axes[question.level].T @ np.array(offsets[question.column]["offset_mm"])
    return found


def _sign(question: Question) -> float:
    return -1.0 if question.side == "right" else 1.0
