"""What is read from a network's maps: the points of a film, how sure each is, and samples of where they could be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from spinelab.nn.heatmaps import HeatmapLoss, locate, probabilities
from spinelab.train.landmark_settings import LandmarkSettings

SAMPLES: Final = 300
"""Sets of points drawn for each film; every angle and distance is measured on each of them."""

Outputs = tuple[Tensor, Tensor]
"""Maps ``(B, C, h, w)`` and global logits ``(B, K)``."""


@dataclass(frozen=True, eq=False)
class Sighting:
    """What was seen on one film, in pixels of the canvas.

    Parameters
    ----------
    points
        ``(P, 2)``; where a landmark is absent, the place where it would have been looked for.
    there
        ``(P,)`` probability that the landmark is on the film.
    share
        ``(P,)`` probability that it is on the film and near the point.
    samples
        ``(S, P, 2)``: sets of points that the maps could mean as well.
    facts
        Whatever else a head knows, for its task: numbers that say how sure the levels are, alternatives.
    """

    points: NDArray[np.float64]
    there: NDArray[np.float64]
    share: NDArray[np.float64]
    samples: NDArray[np.float64]
    facts: dict[str, Any] = field(default_factory=dict)


class Head(Protocol):
    """The meaning of a network's maps."""

    maps: int
    summary: int
    stride: int
    shifts: tuple[tuple[int, int], ...]
    """By how many pixels of the canvas (down, right) a film is moved for further looks at it; whole cells of ``stride``."""

    def criterion(self) -> nn.Module:
        """Return the loss of ``(outputs, landmarks (B, P, 3))``."""

    def unmirrored(self, outputs: Outputs) -> Outputs:
        """Return the outputs for a mirrored film as those of the film itself."""

    def learn(self, truth: NDArray[np.float32], shapes: Sequence[Sequence[int]]) -> dict[str, Any]:
        """Return what the head learns from the training films' landmarks ``(N, P, 3)`` and rows and columns, for JSON."""

    def read(self, views: Sequence[Outputs], calibration: Mapping[str, Any], shapes: Sequence[Sequence[int]]) -> list[Sighting]:
        """Return what is seen on each film of a batch.

        ``views`` are the outputs for the film, as it is, moved and mirrored, all put back in place; ``shapes`` the films' own rows and columns.
        """

    def calibrate(self, seen: Sequence[Sighting], truth: NDArray[np.float32], calibration: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the head learns from held-out films and their landmarks ``(N, P, 3)``, for JSON; ``calibration`` is what `learn` returned."""

    def cuts(self, points: NDArray[np.float64]) -> list[tuple[int, int | None]]:
        """Return from which row up to which (not with it; ``None``: to the end) films with these landmarks ``(P, 2)`` are cut to learn from parts; or none."""

    def learn_parts(self, seen: Sequence[Sighting], truth: NDArray[np.float32]) -> dict[str, Any]:
        """Return what the head learns from such parts of held-out films and landmarks ``(N, P, 3)``, those that were cut off as well, for JSON."""


class HeatmapHead:
    """One map a named landmark."""

    shifts: tuple[tuple[int, int], ...] = ()

    def __init__(self, points: int, mirror: Sequence[int] | None, settings: LandmarkSettings, stride: int) -> None:
        self.maps = self.summary = points
        self.mirror, self.settings, self.stride = None if mirror is None else list(mirror), settings, stride

    def criterion(self) -> nn.Module:
        return HeatmapLoss(self.settings.loss, stride=self.stride, sigma_px=self.settings.sigma)

    def unmirrored(self, outputs: Outputs) -> Outputs:
        maps, absent = outputs
        order = self.mirror if self.mirror is not None else list(range(self.maps))
        return maps.flip(3)[:, order], absent[:, order]

    def learn(self, truth: NDArray[np.float32], shapes: Sequence[Sequence[int]]) -> dict[str, Any]:
        return {}

    def read(self, views: Sequence[Outputs], calibration: Mapping[str, Any], shapes: Sequence[Sequence[int]]) -> list[Sighting]:
        """Average the probability maps of the views: what they disagree about becomes spread."""
        pairs = [probabilities(view, self.settings.loss) for view in views]
        shares, there = (sum(part) / len(pairs) for part in zip(*pairs, strict=True))
        seen = locate(shares, there, self.stride, self.settings.sigma)
        parts = (part.double().cpu().numpy() for part in (seen.points, seen.spread, there, seen.share))
        return [Sighting(point, on, share, drawn(point, spread)) for point, spread, on, share in zip(*parts, strict=True)]

    def calibrate(self, seen: Sequence[Sighting], truth: NDArray[np.float32], calibration: Mapping[str, Any]) -> dict[str, Any]:
        return {}

    def cuts(self, points: NDArray[np.float64]) -> list[tuple[int, int | None]]:
        return []

    def learn_parts(self, seen: Sequence[Sighting], truth: NDArray[np.float32]) -> dict[str, Any]:
        return {}


def drawn(points: NDArray[np.float64], spread: NDArray[np.float64], count: int = SAMPLES) -> NDArray[np.float64]:
    """Draw ``count`` sets of points ``(count, P, 2)`` around ``points`` with covariances ``(P, 2, 2)``; the same for the same points."""
    rng = np.random.default_rng(0x51AB)
    factors = np.linalg.cholesky(spread + 1e-9 * np.eye(2))
    return np.asarray(points + np.einsum("pij,spj->spi", factors, rng.standard_normal((count, *points.shape))), np.float64)
