"""Pictures that share places: a copy that was cropped, stretched or windowed anew keeps its small structures, wherever they now lie.

Structures are described by SIFT (Lowe 2004, Int J Comput Vis 60:91-110) on the picture with its contrast evened out, and looked for in all other pictures at
once. Two pictures with many structures in common are proposed as copies, with the affine map that lays one on the other; whether they are copies is decided
elsewhere, pixel by pixel.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

LONGEST_SIDE: Final = 448
"""Pixels to which a picture is shrunk before structures are looked for."""
MOST_POINTS: Final = 200
"""Structures of one picture, the most prominent first."""
MOST_IN_ALL: Final = 400_000
"""Structures of all pictures together; of many pictures, each gives fewer."""
LEAST_SHARED: Final = 12
"""Structures of a picture whose nearest neighbour lies in one other picture, from which the two are compared."""
LEAST_ALIGNED: Final = 10
"""Structures that one affine map has to lay on each other."""
_SEEN_CHECKS: Final = 32
_TREES: Final = 4
_NEAREST: Final = 4
_SEED: Final = 0
_CONTRAST: Final = (3.0, (4, 4))
_RATIO: Final = 0.8
"""Lowe's: how much nearer than the second best the best match of a structure has to be."""
_TOLERANCE: Final = 0.006
"""Distance from its place, as a share of the picture, at which a structure still counts as aligned."""

_KD_TREE: Final = 1


@dataclass(frozen=True, eq=False)
class Structures:
    """Places ``(n, 2)`` x, y as shares of a picture's width and height, and descriptors uint8 ``(n, 128)``; the most prominent first."""

    places: NDArray[np.float32]
    descriptors: NDArray[np.uint8]

    def most(self, count: int) -> Structures:
        """Return the most prominent ones."""
        return Structures(self.places[:count], self.descriptors[:count])


NO_STRUCTURES: Final = Structures(np.zeros((0, 2), np.float32), np.zeros((0, 128), np.uint8))


@dataclass(frozen=True, eq=False)
class Overlay:
    """Two pictures that may be copies, and the affine map ``(2, 3)`` from shares of the first to shares of the second."""

    a: int
    b: int
    warp: NDArray[np.float64]


def structures(picture: NDArray[np.uint8]) -> Structures:
    """Return the most prominent structures of a greyscale picture (rows, columns); none of an even one."""
    scale = min(1.0, LONGEST_SIDE / max(picture.shape))
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else picture
    even = cv2.createCLAHE(*_CONTRAST).apply(np.ascontiguousarray(small))
    points, found = cv2.SIFT.create(nfeatures=MOST_POINTS).detectAndCompute(even, None)
    if not points:
        return NO_STRUCTURES
    order = np.argsort([-p.response for p in points], kind="stable")[:MOST_POINTS]
    places = (np.array([p.pt for p in points], np.float32)[order] + 0.5) / even.shape[::-1]
    return Structures(places.astype(np.float32), found[order].astype(np.uint8))


def overlays(pictures: Sequence[Structures], known: Collection[tuple[int, int]] = ()) -> Iterator[Overlay]:
    """Yield every two pictures that share structures in one affine arrangement, those with most in common first.

    ``known`` are pairs that were found otherwise, the earlier picture first: they are not laid on each other again.
    """
    pictures = [one.most(MOST_IN_ALL // max(1, len(pictures))) for one in pictures]
    for (a, b), shared in _shared(pictures).most_common():
        if shared < LEAST_SHARED:
            return
        warp = None if (a, b) in known else _laid_on(pictures[a], pictures[b])
        if warp is not None:
            yield Overlay(a, b, warp)


def _shared(pictures: Sequence[Structures]) -> Counter[tuple[int, int]]:
    """Return for two pictures how many structures of either have their nearest neighbour in the other.

    The trees of the search are drawn by chance, from the one generator that the library has; begun anew here, so that the same pictures give the same counts.
    """
    owner = np.repeat(np.arange(len(pictures)), [len(one.places) for one in pictures])
    if len(set(owner.tolist())) < 2 or len(owner) < _NEAREST:
        return Counter()
    everything = np.concatenate([one.descriptors for one in pictures]).astype(np.float32)
    matcher = cv2.FlannBasedMatcher({"algorithm": _KD_TREE, "trees": _TREES}, {"checks": _SEEN_CHECKS})
    matcher.add([everything])
    cv2.setRNGSeed(_SEED)
    matcher.train()
    shared: Counter[tuple[int, int]] = Counter()
    for own, near in zip(owner.tolist(), matcher.knnMatch(everything, k=_NEAREST), strict=True):
        other = next((int(owner[m.trainIdx]) for m in near if owner[m.trainIdx] != own), own)
        if other != own:
            shared[min(own, other), max(own, other)] += 1
    return shared


def _laid_on(a: Structures, b: Structures) -> NDArray[np.float64] | None:
    """Return the affine map that lays most structures of one picture on those of the other; ``None`` where too few agree."""
    pairs = cv2.BFMatcher().knnMatch(a.descriptors.astype(np.float32), b.descriptors.astype(np.float32), k=2)
    kept = [pair[0] for pair in pairs if len(pair) == 2 and pair[0].distance < _RATIO * pair[1].distance]
    if len(kept) < LEAST_ALIGNED:
        return None
    source, target = a.places[[m.queryIdx for m in kept]], b.places[[m.trainIdx for m in kept]]
    warp, aligned = cv2.estimateAffine2D(source, target, ransacReprojThreshold=_TOLERANCE)
    if warp is None or int(aligned.sum()) < LEAST_ALIGNED:
        return None
    return np.asarray(warp, np.float64)
