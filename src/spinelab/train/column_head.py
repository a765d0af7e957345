"""Vertebrae of a spine seen from the front, read from the column's maps: found first, then named together, with how sure the names are."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from spinelab.geometry.column import Candidates, Column, find_columns
from spinelab.geometry.framing import Framing, fit_framing
from spinelab.geometry.misplaced import Neighbours, fit_neighbours
from spinelab.nn.column_maps import CORNERS, OFFSET_UNIT_PX, ColumnLoss, channels
from spinelab.nn.heatmaps import centres
from spinelab.train.canvas import place
from spinelab.train.certainty import PART, ceiling, fit_logistic, log_odds, logistic
from spinelab.train.column_samples import learn_error
from spinelab.train.landmark_head import SAMPLES, Outputs, Sighting
from spinelab.train.landmark_reading import ON_FILM
from spinelab.train.landmark_settings import LandmarkSettings
from spinelab.train.misplaced_vertebrae import learn_limits

LEAST_SHARE: Final = 0.02
"""Height of the map of centres from which a peak is a candidate."""
PEAK_CELLS: Final = (5, 7)
"""Rows and columns of cells in which a candidate is the highest."""
VOTE_CELLS: Final = (1, 2)
"""Cells above and below, left and right of a peak whose offsets are averaged."""
APART: Final = (3 / 52, 1 / 52)
"""Down or up and sideways, as shares of the canvas's height: how far a film is moved for each further look. About a vertebra, so that its place on the
canvas gives no name away."""
FLIPPED: Final = (1, 0, 3, 2)
BETWEEN_SHARE: Final = 0.05
"""Confidence of a vertebra that was not seen, but lies between two that were."""
BETWEEN_SPREAD: Final = 0.15
"""Standard deviation of its corners, as a share of the distance to its neighbours."""
LEAST_NAMED: Final = 20
"""Held-out films below which nothing is learnt about how often the names are right."""
MISSING: Final = 2
"""Place of the number of missing levels among the features of a film."""
LEAST_SHOWN: Final = 5
"""Levels that such a part of a held-out film shows at least."""
TEMPERATURES: Final = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0, 32.0, 48.0, 64.0, 96.0)
FRAMING_WEIGHTS: Final = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 0.8)
UNLEARNT: Final = {"temperature": 8.0, "framing_weight": 0.1}

Floats = NDArray[np.float64]


class ColumnHead:
    """Maps of levels, centres and corners; landmarks are the corners of every level, four each."""

    def __init__(self, levels: int, settings: LandmarkSettings, stride: int) -> None:
        self.levels, self.settings, self.stride = levels, settings, stride
        self.maps, self.summary = channels(levels), levels
        down, right = (max(1, round(share * settings.rows / stride)) * stride for share in APART)
        self.shifts: tuple[tuple[int, int], ...] = tuple(itertools.product((-down, down), (-right, right)))

    def criterion(self) -> nn.Module:
        return ColumnLoss(self.levels, stride=self.stride, sigma_px=self.settings.sigma)

    def unmirrored(self, outputs: Outputs) -> Outputs:
        """Return the maps of a mirrored film as those of the film: offsets change side and sign."""
        maps, absent = outputs
        maps = maps.flip(3)
        offsets = maps[:, self.levels + 1 :].reshape(len(maps), CORNERS, 2, *maps.shape[-2:])[:, list(FLIPPED)].clone()
        offsets[:, :, 0] *= -1
        return torch.cat([maps[:, : self.levels + 1], offsets.flatten(1, 2)], dim=1), absent

    def learn(self, truth: NDArray[np.float32], shapes: Sequence[Sequence[int]]) -> dict[str, Any]:
        """Return where on the film the levels of the training films lie, and what neighbours are to each other."""
        middle = _middles(truth, self.levels)
        heights = np.stack([self._heights(row, shape) for row, shape in zip(middle, shapes, strict=True)])
        learnt = {"framing": fit_framing(heights), "neighbours": fit_neighbours(_corners(truth, self.levels))}
        return {name: one.to_dict() for name, one in learnt.items() if one is not None}

    def read(self, views: Sequence[Outputs], calibration: Mapping[str, Any], shapes: Sequence[Sequence[int]]) -> list[Sighting]:
        levels = torch.stack([v[0][:, : self.levels].float().flatten(2).log_softmax(2) for v in views]).mean(0)
        shape = views[0][0].shape
        levels = levels.reshape(shape[0], self.levels, *shape[-2:])
        share = torch.stack([v[0][:, self.levels].float().sigmoid() for v in views]).mean(0)
        offsets = torch.stack([v[0][:, self.levels + 1 :].float() for v in views]) * OFFSET_UNIT_PX
        return [self._film(levels[i], share[i], offsets[:, i].reshape(len(views), CORNERS, 2, *shape[-2:]), calibration, shapes[i]) for i in range(shape[0])]

    def _film(self, levels: Tensor, share: Tensor, offsets: Tensor, calibration: Mapping[str, Any], shape: Sequence[int]) -> Sighting:
        seen, spread = self._candidates(levels, share, offsets)
        columns = find_columns(seen)
        points, there = np.zeros((self.levels, CORNERS, 2)), np.zeros(self.levels)
        samples = np.zeros((SAMPLES, self.levels, CORNERS, 2))
        if not columns:
            nothing = np.zeros(self.levels * CORNERS)
            return Sighting(points.reshape(-1, 2), nothing, nothing, samples.reshape(SAMPLES, -1, 2))
        evidence = np.array([[c.score, self._framing(seen, c, calibration, shape)] for c in columns])
        chances = _chances(evidence, calibration)
        best = columns[int(chances.argmax())]
        points[best.levels], there[best.levels] = seen.corners[best.chosen], seen.share[best.chosen]
        noise = np.random.default_rng(0x51AB).standard_normal((SAMPLES, len(best.levels), CORNERS, 2))
        samples[:, best.levels] = seen.corners[best.chosen] + noise * spread[best.chosen]
        between = _between(best.levels)
        _interpolate(points, samples, best.levels, between)
        between += self._beyond(points, samples, best.levels, shape)
        there[between] = BETWEEN_SHARE
        found = np.isin(np.arange(self.levels), [*best.levels, *between]).astype(np.float64)
        facts = self._facts(columns, chances, evidence, best, seen, calibration) | {"between": between}
        return Sighting(points.reshape(-1, 2), np.repeat(found, CORNERS), np.repeat(there, CORNERS), samples.reshape(SAMPLES, -1, 2), facts)

    def _candidates(self, levels: Tensor, share: Tensor, offsets: Tensor) -> tuple[Candidates, Floats]:
        """Return every peak of the map of centres, from top to bottom, and how far its votes for its corners are apart."""
        rows, columns = share.shape
        highest = functional.max_pool2d(share[None, None], PEAK_CELLS, 1, (PEAK_CELLS[0] // 2, PEAK_CELLS[1] // 2))[0, 0]
        peaks = torch.nonzero((share >= highest) & (share > LEAST_SHARE)).tolist()
        cells = centres(rows, columns, self.stride, share.device)
        corners, spread, shares, fits = [], [], [], []
        for y, x in peaks:
            near = (slice(max(0, y - VOTE_CELLS[0]), y + VOTE_CELLS[0] + 1), slice(max(0, x - VOTE_CELLS[1]), x + VOTE_CELLS[1] + 1))
            weight = share[near] / share[near].sum()
            votes = offsets[:, :, :, near[0], near[1]].permute(0, 3, 4, 1, 2) + cells[near][None, :, :, None]
            mean = (votes * weight[None, :, :, None, None]).sum(dim=(1, 2)).mean(dim=0)
            apart = ((votes - mean) ** 2 * weight[None, :, :, None, None]).sum(dim=(1, 2)).mean(dim=0).sqrt()
            corners.append(mean.double().cpu().numpy())
            spread.append(apart.double().cpu().numpy())
            shares.append(float(share[y, x]))
            fits.append(levels[:, near[0], near[1]].flatten(1).logsumexp(dim=1).clamp_min(-16).double().cpu().numpy())
        order = np.argsort([c.mean(axis=0)[1] for c in corners])
        stacked = [np.array(part, dtype=np.float64) for part in (corners, shares, fits, spread)]
        if not len(order):
            return Candidates(np.zeros((0, CORNERS, 2)), np.zeros(0), np.zeros((0, self.levels))), np.zeros((0, CORNERS, 2))
        a, b, c, d = (part[order] for part in stacked)
        return Candidates(a, b, c), d

    def _heights(self, middle: Floats, shape: Sequence[int]) -> Floats:
        """Return canvas points ``(n, 2)`` as shares of the film's height."""
        where = place((int(shape[0]), int(shape[1])), self.settings.rows, self.settings.columns)
        return np.asarray((where.to_film(middle)[:, 1] + 0.5) / shape[0], np.float64)

    def _beyond(self, points: Floats, samples: Floats, levels: NDArray[np.intp], shape: Sequence[int]) -> list[int]:
        """Continue the column by one level where just the first or the last is missing, and its place is on the film; return those added."""
        where = place((int(shape[0]), int(shape[1])), self.settings.rows, self.settings.columns)
        added: list[int] = []
        for end, next_to in ((0, 1), (self.levels - 1, self.levels - 2)):
            if end in levels or next_to not in levels or len(levels) < 2:
                continue
            new = 2 * points[next_to] - points[2 * next_to - end]
            if 0 <= float(where.to_film(new.mean(axis=0))[1]) < shape[0]:
                apart = float(np.linalg.norm(new.mean(axis=0) - points[next_to].mean(axis=0)))
                noise = np.random.default_rng([0x51AB, end]).standard_normal((len(samples), CORNERS, 2))
                points[end], samples[:, end] = new, new + BETWEEN_SPREAD * apart * noise
                added.append(end)
        return added

    def _framing(self, seen: Candidates, column: Column, calibration: Mapping[str, Any], shape: Sequence[int]) -> float:
        if "framing" not in calibration:
            return 0.0
        heights = self._heights(seen.corners[column.chosen].mean(axis=1), shape)
        return Framing.from_dict(calibration["framing"]).log_evidence(heights, column.levels)

    def _facts(
        self, columns: Sequence[Column], chances: Floats, evidence: Floats, best: Column, seen: Candidates, calibration: Mapping[str, Any]
    ) -> dict[str, Any]:
        chance = float(chances.max())
        gaps = int(best.levels[-1] - best.levels[0] + 1 - len(best.levels))
        features = [
            log_odds(chance),
            float(seen.share[best.chosen].min()),
            float(self.levels - len(best.levels)),
            float(gaps),
        ]
        ways = [{"shift": c.shift - best.shift, "levels": c.levels.tolist(), "middle": seen.corners[c.chosen].mean(axis=1).tolist()} for c in columns]
        return {
            "alternatives": {c.shift - best.shift: float(p) for c, p in zip(columns, chances, strict=True)},
            "certainty": _certainty(features, chance, calibration),
            "features": features,
            "evidence": evidence.tolist(),
            "columns": ways,
        }

    def calibrate(self, seen: Sequence[Sighting], truth: NDArray[np.float32], calibration: Mapping[str, Any]) -> dict[str, Any]:
        """Learn from held-out films what evidence about the names is worth, how often they are right, how far vertebrae are off, and what is implausible."""
        learnt, true = self._names(seen, truth), _corners(truth, self.levels)
        error = learn_error([self._sampled(s) for s in seen], true)
        if error is not None:
            learnt["error"] = error.to_dict()
        if "neighbours" not in calibration:
            return learnt
        return learnt | learn_limits([self._column(s) for s in seen], true, Neighbours.from_dict(calibration["neighbours"]))

    def cuts(self, points: Floats) -> list[tuple[int, int | None]]:
        """Return the part above one vertebra and the part below another, others on every film; none of a film on which a corner is missing."""
        rows = points.reshape(self.levels, CORNERS, 2)[..., 1].mean(axis=1)
        if not np.isfinite(rows).all():
            return []
        rng = np.random.default_rng([0xC075, round(float(rows.sum()))])
        above, below = rng.integers(LEAST_SHOWN, self.levels - PART + 1), rng.integers(PART, self.levels - LEAST_SHOWN + 1)
        ends = [round(float(rows[level - 1 : level + 1].mean())) for level in (above, below)]
        return [(0, ends[0]), (ends[1], None)]

    def learn_parts(self, seen: Sequence[Sighting], truth: NDArray[np.float32]) -> dict[str, Any]:
        """Learn how certain the names on parts of films are, where `PART` levels or more are missing."""
        rows = [(s.facts, middle) for s, middle in zip(seen, _middles(truth, self.levels), strict=True) if s.facts and s.facts["features"][MISSING] >= PART]
        named = [_agreement(next(way for way in facts["columns"] if way["shift"] == 0), middle) == 1 for facts, middle in rows]
        if len(rows) < LEAST_NAMED or len(set(named)) < 2:
            return {}
        return {"part_certainty": fit_logistic(np.array([facts["features"] for facts, _ in rows]), np.array(named)), "parts_learnt": len(rows)}

    def _names(self, seen: Sequence[Sighting], truth: NDArray[np.float32]) -> dict[str, Any]:
        rows = [(s.facts, _middles(t[None], self.levels)[0]) for s, t in zip(seen, truth, strict=True) if s.facts]
        rows = [(facts, middle) for facts, middle in rows if np.isfinite(middle).all()]
        if len(rows) < LEAST_NAMED:
            return {}
        right = [int(np.argmax([_agreement(way, middle) for way in facts["columns"]])) for facts, middle in rows]
        weights = _weigh([np.array(facts["evidence"]) for facts, _ in rows], right)
        learnt: dict[str, Any] = dict(weights)
        chances = [_chances(np.array(facts["evidence"]), weights) for facts, _ in rows]
        named = [_agreement(facts["columns"][int(c.argmax())], middle) == 1 for (facts, middle), c in zip(rows, chances, strict=True)]
        features = [[log_odds(float(c.max())), *facts["features"][1:]] for (facts, _), c in zip(rows, chances, strict=True)]
        if len(set(named)) == 2:
            learnt["certainty"] = fit_logistic(np.array(features), np.array(named))
        return learnt | {"films_learnt": len(rows)}

    def _column(self, seen: Sighting) -> tuple[Floats, int]:
        """Return the corners ``(n, 4, 2)`` of the levels that were found, and the first of these levels."""
        there = self._found(seen)
        return seen.points.reshape(self.levels, CORNERS, 2)[there], int(there[0]) if len(there) else 0

    def _sampled(self, seen: Sighting) -> tuple[Floats, Floats]:
        """Return the corners ``(n, 4, 2)`` of the levels that were found and their samples ``(S, n, 4, 2)``."""
        return self._column(seen)[0], seen.samples.reshape(-1, self.levels, CORNERS, 2)[:, self._found(seen)]

    def _found(self, seen: Sighting) -> NDArray[np.intp]:
        return np.flatnonzero(seen.there.reshape(self.levels, CORNERS).min(axis=1) >= ON_FILM)


def _between(levels: NDArray[np.intp]) -> list[int]:
    """Return the levels that are missing between the first and the last one."""
    return sorted(set(range(int(levels[0]), int(levels[-1]) + 1)) - set(levels.tolist()))


def _interpolate(points: Floats, samples: Floats, levels: NDArray[np.intp], between: Sequence[int]) -> None:
    """Put the levels between others where they belong, with a spread to match."""
    for level in between:
        above, below = int(levels[levels < level].max()), int(levels[levels > level].min())
        part = (level - above) / (below - above)
        points[level] = (1 - part) * points[above] + part * points[below]
        apart = float(np.linalg.norm(points[below].mean(axis=0) - points[above].mean(axis=0))) / (below - above)
        noise = np.random.default_rng([0x51AB, level]).standard_normal((len(samples), CORNERS, 2))
        samples[:, level] = points[level] + BETWEEN_SPREAD * apart * noise


def _corners(truth: NDArray[np.float32], levels: int) -> Floats:
    """Return the corners ``(N, L, 4, 2)`` of landmarks ``(N, 4 L, 3)``; nan where one is not on the film."""
    corners = truth.reshape(len(truth), levels, CORNERS, 3).astype(np.float64)
    return np.where(corners[..., 2:] < ON_FILM, np.nan, corners[..., :2])


def _middles(truth: NDArray[np.float32], levels: int) -> Floats:
    """Return the centres ``(N, L, 2)`` of landmarks ``(N, 4 L, 3)``; nan where a corner is not on the film."""
    return np.asarray(_corners(truth, levels).mean(axis=2), np.float64)


def _certainty(features: Sequence[float], chance: float, calibration: Mapping[str, Any]) -> float:
    """Return how certain the names are, by what was learnt from whole films or, where many levels are missing, from parts of films.

    Never more than as many films, all right, would allow; of a model that does not remember how many there were, as it was fitted.
    """
    part = features[MISSING] >= PART and "part_certainty" in calibration
    learnt = calibration.get("part_certainty" if part else "certainty")
    films = calibration.get("parts_learnt" if part else "films_learnt")
    stated = chance if learnt is None else logistic(features, learnt)
    return stated if films is None else min(stated, ceiling(films))


def _agreement(way: Mapping[str, Any], middle: Floats) -> float:
    """Return the share of a column's vertebrae that lie nearest to the true vertebra of their name."""
    found, levels = np.array(way["middle"]), np.array(way["levels"])
    nearest = ((found[:, None] - middle[None]) ** 2).sum(axis=2).argmin(axis=1)
    return float((nearest == levels).mean())


def _chances(evidence: Floats, weights: Mapping[str, Any]) -> Floats:
    """Return the probability of each numbering from its score and its framing."""
    temperature = float(weights.get("temperature", UNLEARNT["temperature"]))
    score = evidence[:, 0] / temperature + float(weights.get("framing_weight", UNLEARNT["framing_weight"])) * evidence[:, 1]
    odds = np.exp(score - score.max())
    return np.asarray(odds / odds.sum(), np.float64)


def _weigh(evidence: Sequence[Floats], right: Sequence[int]) -> dict[str, float]:
    """Return the temperature of the scores and the weight of the framing under which the right numberings are most likely."""

    def surprise(temperature: float, weight: float) -> float:
        how = {"temperature": temperature, "framing_weight": weight}
        return -sum(math.log(_chances(e, how)[r] + 1e-6) for e, r in zip(evidence, right, strict=True))

    temperature, weight = min(((t, w) for t in TEMPERATURES for w in FRAMING_WEIGHTS), key=lambda pair: surprise(*pair))
    return {"temperature": temperature, "framing_weight": weight}
