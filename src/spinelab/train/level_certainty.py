"""How sure the names of levels are, where every landmark has a map of its own: what the first network says, held against what came true.

The first network sees the whole film and so can tell one vertebra from the next; the second one sees a vertebra from near and cannot.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spinelab.train.certainty import learn_certainty
from spinelab.train.landmark_head import HeatmapHead, Sighting
from spinelab.train.landmark_settings import LandmarkSettings

SAME_VERTEBRA: Final = 0.4
"""Distance of a level's middle from the true one, in depths of its endplate, up to which it is the same vertebra: the next one is about 1 away."""

Levels = Mapping[str, tuple[int, int]]
"""Names of the levels and the positions of the two ends of each one's endplate."""


class LevelHead(HeatmapHead):
    """One map a named landmark, some of which are ends of endplates whose level can be mistaken."""

    def __init__(self, points: int, mirror: Sequence[int] | None, settings: LandmarkSettings, stride: int, levels: Levels) -> None:
        super().__init__(points, mirror, settings, stride)
        self.levels = levels

    def calibrate(self, seen: Sequence[Sighting], truth: NDArray[np.float32], calibration: Mapping[str, Any]) -> dict[str, Any]:
        """Learn from held-out films how often all their levels were right, and from both kinds of films how that goes with the confidence."""
        rows = [self._film(one, true) for one, true in zip(seen, truth, strict=True)]
        known = [row for row in rows if row is not None]
        learnt = learn_certainty([share for share, _ in known], [right for _, right in known])
        return {"levels": learnt} if learnt else {}

    def _film(self, seen: Sighting, truth: NDArray[np.float32]) -> tuple[float, bool] | None:
        """Return the confidence in the least sure level of a film, and whether all of them are right; ``None`` where it shows none."""
        there = {name: list(ends) for name, ends in self.levels.items() if min(seen.there[list(ends)]) >= 0.5 and truth[list(ends), 2].all()}
        if not there:
            return None
        first = np.asarray(seen.facts.get("first_share", seen.share))
        apart = [
            float(np.linalg.norm((seen.points[e] - truth[e, :2]).mean(axis=0)) / np.linalg.norm(truth[e[0], :2] - truth[e[1], :2])) for e in there.values()
        ]
        return min(float(first[e].min()) for e in there.values()), max(apart) <= SAME_VERTEBRA
