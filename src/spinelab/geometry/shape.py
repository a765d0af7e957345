"""What a set of landmarks usually looks like, and which of them do not fit the others.

A point distribution model (Cootes et al. 1995, "Active shape models - their training and application", Comput Vis Image Underst 61:38-59) as one
Gaussian over all coordinates, which also allows for where on the film, and how large, a patient is. A landmark is judged by
what the others predict for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SHIFT: Final = 0.15
"""Standard deviation of a patient's place on the film, as a share of the film's height, beyond what the training films show."""
SIZE: Final = 0.15
"""Standard deviation of a patient's size, as a share, likewise."""
LEAST_NOISE: Final = 0.004
"""Error of a single landmark, as a share of the film's height, that never counts as a misfit."""
LEAST_SHAPES: Final = 8


@dataclass(frozen=True, eq=False)
class ShapeModel:
    """Mean ``(P, 2)`` and covariance ``(2P, 2P)`` of landmarks in shares of the canvas height."""

    mean: Floats
    covariance: Floats
    mirror: tuple[int, ...] | None = None

    def misfit(self, points: Floats, present: NDArray[np.bool_], height: float) -> Floats:
        """Return how many standard deviations each point ``(P, 2)`` lies from where the other present ones predict it; nan if absent.

        A mirrored patient is judged by the mirrored model, whichever fits better.
        """
        worst = [self._misfit(shape, self._order(present, turned=turned), height) for turned, shape in self._views(points)]
        best = min(worst, key=lambda z: float(np.nansum(z**2)))
        if self.mirror is not None and best is not worst[0]:
            best = best[list(self.mirror)]
        return best

    def disagreement(self, points: Floats, present: NDArray[np.bool_], height: float) -> float:
        """Return how far the present ones among ``points`` ``(P, 2)`` are from any shape of the model: their squared Mahalanobis distance."""
        return min(self._distance(shape, self._order(present, turned=turned), height) for turned, shape in self._views(points))

    def _distance(self, points: Floats, present: NDArray[np.bool_], height: float) -> float:
        centred, precision = self._centred(points, present, height)
        return float(centred @ precision @ centred)

    def _centred(self, points: Floats, present: NDArray[np.bool_], height: float) -> tuple[Floats, Floats]:
        """Return how far the present points are from the mean shape, moved onto it ``(2 n,)``, and their precision ``(2 n, 2 n)``."""
        rows = np.flatnonzero(np.repeat(present, 2))
        apart = (points / height - self.mean).reshape(-1)[rows]
        centred = (apart.reshape(-1, 2) - apart.reshape(-1, 2).mean(axis=0)).reshape(-1)
        precision = np.linalg.inv(self.covariance[np.ix_(rows, rows)] + np.eye(len(rows)) * LEAST_NOISE**2)
        return centred, np.asarray(precision, np.float64)

    def _views(self, points: Floats) -> list[tuple[bool, Floats]]:
        if self.mirror is None:
            return [(False, points)]
        turned = points[list(self.mirror)] * [-1.0, 1.0]
        return [(False, points), (True, turned)]

    def _order(self, present: NDArray[np.bool_], *, turned: bool) -> NDArray[np.bool_]:
        return present[list(self.mirror)] if turned and self.mirror is not None else present

    def _misfit(self, points: Floats, present: NDArray[np.bool_], height: float) -> Floats:
        found = np.full(len(points), np.nan)
        if present.sum() < 3:
            return found
        centred, precision = self._centred(points, present, height)
        pulled = (precision @ centred).reshape(-1, 2)
        for place, landmark in enumerate(np.flatnonzero(present)):
            block = precision[2 * place : 2 * place + 2, 2 * place : 2 * place + 2]
            found[landmark] = float(np.sqrt(max(0.0, pulled[place] @ np.linalg.solve(block, pulled[place]))))
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return the model for JSON; numbers to six digits, which is a thousandth of a pixel."""
        return {"mean": np.round(self.mean, 6).tolist(), "covariance": np.round(self.covariance, 9).tolist(), "mirror": self.mirror}

    @staticmethod
    def from_dict(body: Mapping[str, Any]) -> ShapeModel:
        """Rebuild from `to_dict`."""
        mirror = body.get("mirror")
        return ShapeModel(np.array(body["mean"], np.float64), np.array(body["covariance"], np.float64), None if mirror is None else tuple(mirror))


def fit_shape(points: Floats, present: NDArray[np.bool_], height: float, mirror: Sequence[int] | None = None) -> ShapeModel | None:
    """Fit a model to shapes ``(N, P, 2)`` on canvases of one height; ``None`` where fewer than eight shapes are complete.

    Parameters
    ----------
    mirror
        Which landmark each becomes in a mirrored film. Shapes are turned to face the same way first.
    """
    whole = points[present.all(axis=1)] / height
    if len(whole) < LEAST_SHAPES:
        return None
    centred = whole - whole.mean(axis=1, keepdims=True)
    aligned = _facing_one_way(centred, mirror)
    mean = aligned.mean(axis=0)
    flat = (aligned - mean).reshape(len(aligned), -1)
    covariance = flat.T @ flat / (len(flat) - 1)
    shrink = min(1.0, flat.shape[1] / (10 * len(flat)))
    covariance = (1 - shrink) * covariance + shrink * np.diag(np.diag(covariance))
    return ShapeModel(mean, covariance + _anywhere(mean), None if mirror is None else tuple(mirror))


def _facing_one_way(shapes: Floats, mirror: Sequence[int] | None) -> Floats:
    if mirror is None:
        return shapes
    out = shapes.copy()
    mean = out[0]
    for _ in range(3):
        for row, shape in enumerate(out):
            turned = shape[list(mirror)] * [-1.0, 1.0]
            if ((turned - mean) ** 2).sum() < ((shape - mean) ** 2).sum():
                out[row] = turned
        mean = out.mean(axis=0)
    return out


def _anywhere(mean: Floats) -> Floats:
    """Return the covariance of a shape that may lie anywhere and be of any usual size."""
    across, down = np.zeros_like(mean), np.zeros_like(mean)
    across[:, 0], down[:, 1] = 1.0, 1.0
    size = (mean - mean.mean(axis=0)).reshape(-1)
    shifts = SHIFT**2 * (np.outer(across.reshape(-1), across.reshape(-1)) + np.outer(down.reshape(-1), down.reshape(-1)))
    return np.asarray(shifts + SIZE**2 * np.outer(size, size), np.float64)
