"""Pedicle screws and rods, in the places where spines are fused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from spinelab.phantoms.solids import Ellipsoid, Solid, Tube
from spinelab.phantoms.vertebra import Vertebra

TITANIUM: Final = 0.085
"""What a titanium alloy attenuates more than soft tissue, per mm."""

# First and last instrumented level and how often: short lumbar, long to the sacrum, thoracic, thoracolumbar, cervical.
_CONSTRUCTS: Final = (
    ("L4", "S1", 0.22),
    ("L3", "L5", 0.16),
    ("L2", "S1", 0.14),
    ("T10", "S1", 0.18),
    ("T4", "L2", 0.12),
    ("T11", "L3", 0.10),
    ("C4", "C7", 0.08),
)


def draw_implants(rng: np.random.Generator, levels: Sequence[str]) -> tuple[str, ...]:
    """Return the instrumented levels from the top down; at times one in the middle is spared."""
    weights = np.array([share for *_, share in _CONSTRUCTS])
    first, last, _ = _CONSTRUCTS[int(rng.choice(len(_CONSTRUCTS), p=weights / weights.sum()))]
    known = [*levels, "S1"]
    last = last if last in known else "S1"
    span = known[known.index(first) : known.index(last) + 1] if first in known else known[-3:]
    spared = int(rng.integers(1, len(span) - 1)) if len(span) > 3 and rng.random() < 0.4 else None
    return tuple(level for k, level in enumerate(span) if k != spared)


def screws_and_rods(rng: np.random.Generator, spine: Mapping[str, Vertebra], levels: Sequence[str], scale: float) -> list[Solid]:
    """Return screws, their heads, and a rod a side."""
    made: list[Solid] = []
    thick = float(rng.uniform(0.85, 1.1)) * (0.62 if levels[0][0] == "C" else 1.0)
    for side in (1, -1):
        heads = []
        for level in levels:
            v = spine[level]
            out, rear, height = side * v.pedicle_mm[0], v.half_depth_mm, 0.16 * v.height_mm[1]
            reach = float(rng.uniform(-0.45, 0.15)) * v.half_depth_mm
            entry = v.world(np.array([out * 1.15, rear + 24 * scale * v.half_width_mm / 24, height]))
            tip = v.world(np.array([out * 0.62, reach, height + rng.normal(0, 1.0)]))
            made.append(Tube(np.array([entry, tip]), np.array([3.0, 2.2]) * thick, core=TITANIUM, cortex=TITANIUM, shell_mm=0.0))
            head = entry + 4.5 * thick * v.axes[:, 1]
            made.append(Ellipsoid(head, (5.6 * thick, 6.4 * thick, 6.0 * thick), v.axes, core=TITANIUM))
            heads.append(head + 2.0 * v.axes[:, 1])
        made.append(_rod(np.array(heads), 2.75 * thick, float(rng.uniform(6, 14))))
    return made


def _rod(heads: np.ndarray, radius: float, beyond_mm: float) -> Tube:
    """Return a rod through the screw heads, bent smoothly between them, that stands out at both ends."""
    first, last = heads[0] - heads[1], heads[-1] - heads[-2]
    ends = [heads[0] + beyond_mm * first / np.linalg.norm(first), heads[-1] + beyond_mm * last / np.linalg.norm(last)]
    points = np.array([ends[0], *heads, ends[1]])
    along = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    fine = np.linspace(0, along[-1], max(int(along[-1] / 6), 4))
    curve = np.stack([np.interp(fine, along, points[:, k]) for k in range(3)], axis=1)
    curve[1:-1] = (curve[:-2] + 2 * curve[1:-1] + curve[2:]) / 4
    return Tube(curve, np.full(len(curve), radius), core=TITANIUM, cortex=TITANIUM, shell_mm=0.0)
