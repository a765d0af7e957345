"""Pictures that occur twice: the same bytes, the same pixels, or nearly the same picture.

A near-duplicate passes two tests. A cheap one proposes: the perceptual hash (the signs of the 64 lowest frequencies of a 32 x 32
discrete cosine transform against their median; Zauner 2010, "Implementation and benchmarking of perceptual image hash functions")
differs in few bits and the detail of two thumbnails correlates; or the two share small structures in one arrangement
(`spinelab.experiments.local_features`), however one of them was cropped. A strict one decides: after an affine registration of the two
thumbnails (Evangelidis and Psarakis 2008, enhanced correlation coefficient) their detail agrees almost completely, and what is finest in it agrees place by
place. Films of the same body part, even of the same patient on another day, pass the first and fail the second; re-compressed, resized, brightened, cropped
and slightly turned copies pass both. How the limits were set: ``docs/reference/honesty.md``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from spinelab.experiments.local_features import NO_STRUCTURES, Structures, overlays, structures

HASH_BITS_APART: Final = 18
CANDIDATE_CORRELATION: Final = 0.40
SAME_CORRELATION: Final = 0.90
SAME_PLACES: Final = 0.82
"""Correlation of the finest detail within a small window, in the median over the picture, that copies have: a bright column in a dark frame lies alike in the
films of many patients, the grain of the bone does not."""
NEIGHBOURS: Final = 12
"""How many most similar pictures are registered to each picture at the most."""
_SIDE: Final = 96
_LEAST_OVERLAP: Final = 0.6
_WINDOW: Final = 12
_FINEST: Final = 2.0
"""Side of that window, and standard deviation of the blur that is taken off to leave the finest detail, both in pixels of a thumbnail."""
_STRUCTURE: Final = 1.0
"""Variance of the finest detail in grey values below which a window shows nothing to compare."""


@dataclass(frozen=True, eq=False)
class Fingerprint:
    """What is remembered of a picture: digests of file and pixels, a perceptual hash, a detail thumbnail, and where it has which small structures.

    ``slice_of`` marks the middle slice of a volume: only an equal one is a copy of it. Middle slices of two patients who lie in one scanner are as alike
    as two copies of a film, which the limits were set on.
    """

    example: int
    view: str
    file: str
    file_digest: str
    pixel_digest: str
    hash: NDArray[np.bool_]
    detail: NDArray[np.float32]
    structures: Structures
    slice_of: bool = False


@dataclass(frozen=True)
class Duplicate:
    """Two pictures that are the same (``exact``) or nearly so (``near``, ``mirrored``, ``negative``)."""

    a: int
    b: int
    file_a: str
    file_b: str
    kind: str
    similarity: float


def fingerprint(example: int, view: str, path: Path | None, picture: NDArray[np.uint8], *, slice_of: bool = False) -> Fingerprint:
    """Return the fingerprint of one greyscale picture (rows, columns)."""
    file_digest = ""
    if path is not None:
        with path.open("rb") as file:
            file_digest = hashlib.file_digest(file, "sha256").hexdigest()
    pixel_digest = hashlib.sha256(str(picture.shape).encode() + np.ascontiguousarray(picture).tobytes()).hexdigest()
    small = cv2.resize(picture, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    detail = (small - cv2.GaussianBlur(small, (0, 0), _SIDE / 16)).astype(np.float32)
    return Fingerprint(
        example,
        view,
        str(path) if path else "",
        file_digest,
        pixel_digest,
        perceptual_hash(small),
        detail,
        NO_STRUCTURES if slice_of else structures(picture),
        slice_of,
    )


def perceptual_hash(thumbnail: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return 64 bits that survive re-compression, resizing and changes of brightness and contrast."""
    frequencies = cv2.dct(cv2.resize(thumbnail, (32, 32), interpolation=cv2.INTER_AREA))[:8, :8].ravel()
    return np.asarray(frequencies > np.median(frequencies[1:]))


def find_duplicates(prints: Sequence[Fingerprint], progress: Callable[[float, float, str], None] | None = None) -> list[Duplicate]:
    """Return every pair of pictures that is the same or nearly so, exact ones first."""
    found = []
    ways: dict[str, Callable[[NDArray[np.float32]], NDArray[np.float32]]] = {
        "near": lambda d: d,
        "mirrored": lambda d: np.ascontiguousarray(d[:, ::-1]),
        "negative": lambda d: -d,
    }
    exact = _exact_pairs(prints)
    found += [_duplicate(prints, i, j, "exact", 1.0) for i, j in exact]
    copies = {j for _, j in exact}
    seen: set[tuple[int, int]] = set()
    films = [i for i, p in enumerate(prints) if not p.slice_of and i not in copies]
    for done, (kind, change) in enumerate(ways.items()):
        candidates = [(films[i], films[j]) for i, j in _candidates([prints[f] for f in films], change, hashed=kind == "near")]
        candidates = [pair for pair in candidates if pair not in seen]
        for count, (i, j) in enumerate(candidates):
            if progress is not None:
                progress(done + count / len(candidates), len(ways), "looking for copies of a picture")
            similarity = same_picture(prints[i].detail, change(prints[j].detail))
            if similarity is not None:
                seen.add((i, j))
                found.append(_duplicate(prints, i, j, kind, similarity))
    found += _recropped(prints, films, seen)
    return sorted(found, key=lambda d: (d.kind != "exact", -d.similarity, d.file_a, d.file_b))


def _recropped(prints: Sequence[Fingerprint], films: Sequence[int], seen: Collection[tuple[int, int]]) -> Iterator[Duplicate]:
    """Yield copies that only their small structures show, beside those that are known."""
    position = {film: place for place, film in enumerate(films)}
    known = {(position[i], position[j]) for i, j in seen}
    for overlay in overlays([prints[i].structures for i in films], known):
        i, j = films[overlay.a], films[overlay.b]
        similarity = same_picture(prints[i].detail, prints[j].detail, overlay.warp)
        if similarity is not None:
            yield _duplicate(prints, i, j, "near", similarity)


def _duplicate(prints: Sequence[Fingerprint], i: int, j: int, kind: str, similarity: float) -> Duplicate:
    return Duplicate(prints[i].example, prints[j].example, prints[i].file, prints[j].file, kind, round(similarity, 3))


def _exact_pairs(prints: Sequence[Fingerprint]) -> list[tuple[int, int]]:
    """Return pairs of equal bytes or pixels; of many equal pictures, each with the first only."""
    first: dict[str, int] = {}
    pairs = []
    for position, p in enumerate(prints):
        keys = [k for k in (p.file_digest, p.pixel_digest) if k]
        known = next((first[k] for k in keys if k in first), None)
        if known is not None:
            pairs.append((known, position))
        for key in keys:
            first.setdefault(key, position)
    return pairs


def _candidates(prints: Sequence[Fingerprint], change: Callable[[NDArray[np.float32]], NDArray[np.float32]], *, hashed: bool) -> list[tuple[int, int]]:
    """Return pairs worth registering: similar in detail and, where the hash survives the change, in hash."""
    if len(prints) < 2:
        return []
    details = np.stack([_unit(p.detail) for p in prints])
    changed = np.stack([_unit(change(p.detail)) for p in prints])
    hashes = np.stack([p.hash for p in prints])
    pairs = set()
    for i in range(len(prints)):
        similar = changed @ details[i]
        similar[i] = -1
        if hashed:
            similar[(hashes != hashes[i]).sum(axis=1) > HASH_BITS_APART] = -1
        for j in np.argsort(-similar)[:NEIGHBOURS]:
            if similar[j] >= CANDIDATE_CORRELATION:
                pairs.add((min(i, int(j)), max(i, int(j))))
    return sorted(pairs)


def _unit(detail: NDArray[np.float32]) -> NDArray[np.float32]:
    flat = detail.ravel() - detail.mean()
    norm = float(np.linalg.norm(flat))
    unit: NDArray[np.float32] = flat / norm if norm > 1e-3 else np.zeros_like(flat)
    return unit


def same_picture(a: NDArray[np.float32], b: NDArray[np.float32], start: NDArray[np.float64] | None = None) -> float | None:
    """Return the correlation of two detail thumbnails after affine registration where they show one picture; ``None`` where they do not.

    ``start`` ``(2, 3)`` maps shares of the first picture's width and height to those of the second; by default they are taken to lie alike.
    """
    registered = _registered(a, b, start)
    if registered is None:
        return None
    moved, inside = registered
    similarity = _correlation(a[inside], moved[inside])
    alike = similarity >= SAME_CORRELATION and _correlation_by_place(a, moved, inside) >= SAME_PLACES
    return similarity if alike else None


def _registered(a: NDArray[np.float32], b: NDArray[np.float32], start: NDArray[np.float64] | None) -> tuple[NDArray[np.float32], NDArray[np.bool_]] | None:
    """Return the second thumbnail laid on the first and where it lies; ``None`` where they do not register."""
    if a.std() < 1e-3 or b.std() < 1e-3:
        return None
    warp = np.eye(2, 3, dtype=np.float32) if start is None else _in_pixels(start)
    stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 40, 1e-4)
    try:
        _, warp = cv2.findTransformECC(a, b, warp, cv2.MOTION_AFFINE, stop, None, 5)
    except cv2.error:  # the two do not converge: not the same picture
        return None
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    moved = cv2.warpAffine(b, warp, a.shape[::-1], flags=flags)
    inside = cv2.warpAffine(np.ones_like(b), warp, a.shape[::-1], flags=flags) > 0.99
    return (moved.astype(np.float32), inside) if inside.mean() >= _LEAST_OVERLAP else None


def _correlation(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    x, y = a - a.mean(), b - b.mean()
    norm = float(np.linalg.norm(x) * np.linalg.norm(y))
    return float(x @ y) / norm if norm > 1e-6 else 0.0


def _correlation_by_place(a: NDArray[np.float32], b: NDArray[np.float32], inside: NDArray[np.bool_]) -> float:
    """Return the median over the picture of the correlation of the finest detail in the window around each pixel; 0 where nothing shows any."""
    x, y = (one - cv2.GaussianBlur(one, (0, 0), _FINEST) for one in (a, b))
    weight = inside.astype(np.float32)
    share = np.maximum(cv2.blur(weight, (_WINDOW, _WINDOW)), 1e-6)

    def mean(values: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(cv2.blur(values * weight, (_WINDOW, _WINDOW)) / share)

    mean_x, mean_y = mean(x), mean(y)
    variance_x, variance_y = mean(x * x) - mean_x**2, mean(y * y) - mean_y**2
    shown = inside & (variance_x > _STRUCTURE) & (variance_y > _STRUCTURE)
    if not shown.any():
        return 0.0
    covariance = mean(x * y) - mean_x * mean_y
    return float(np.median(covariance[shown] / np.sqrt(variance_x[shown] * variance_y[shown])))


def _in_pixels(warp: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return a map of shares as one of the thumbnails' pixels, whose centres lie half a pixel from their edges."""
    shift = _SIDE * warp[:, 2] + 0.5 * warp[:, :2].sum(axis=1) - 0.5
    return np.column_stack([warp[:, :2], shift]).astype(np.float32)


def merge_groups(groups: Sequence[str], duplicates: Sequence[Duplicate]) -> list[str]:
    """Return groups in which patients that share a picture are one, so that no split can separate the copies."""
    parent = {g: g for g in groups}

    def root(group: str) -> str:
        while parent[group] != group:
            parent[group] = parent[parent[group]]
            group = parent[group]
        return group

    for duplicate in duplicates:
        a, b = root(groups[duplicate.a]), root(groups[duplicate.b])
        if a != b:
            parent[max(a, b)] = min(a, b)
    return [root(g) for g in groups]
