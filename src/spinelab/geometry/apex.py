"""The apex of a curve: which vertebra or disc it is, and where it lies."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from spinelab.geometry.cobb import Integers, Numbers, as_corners, centres
from spinelab.geometry.lines import Points


def apex_place(points: Points, upper: Integers, lower: Integers, side: Integers) -> Numbers:
    """Return the place (N, K), to half a vertebra, farthest to ``side`` of the line between the centres of the end vertebrae."""
    rows, places = np.arange(len(points))[:, None], np.arange(points.shape[1])
    middle = _without_shifted(points)
    chord = middle[rows, lower] - middle[rows, upper]
    offset = middle[:, None] - middle[rows, upper][:, :, None]
    away = side[..., None] * (offset[..., 0] * chord[..., None, 1] - offset[..., 1] * chord[..., None, 0])
    inside = (places > upper[..., None]) & (places < lower[..., None])
    top = np.where(inside, away, -np.inf).argmax(axis=-1)
    take = np.arange(len(points))[:, None], np.arange(upper.shape[1])[None], np.clip(top, 1, points.shape[1] - 2)
    before, at, after = (away[take[0], take[1], take[2] + step] for step in (-1, 0, 1))
    bend = before - 2 * at + after
    shift = np.where(bend < 0, 0.5 * (before - after) / np.where(bend < 0, bend, -1.0), 0.0)
    between = top + np.clip(np.round(2 * shift) / 2, -0.5, 0.5)
    apex: Numbers = np.where(inside.any(axis=-1), between, (upper + lower) / 2)
    return apex


def _without_shifted(points: Points) -> Points:
    """Return the vertebrae's centres (N, n, 2), one that lies a quarter of a vertebra's width off its neighbours' course put back between them."""
    middle = centres(points)
    width = np.median(np.linalg.norm(points[..., 1, :] - points[..., 0, :], axis=-1), axis=-1)
    between = (middle[:, :-2] + middle[:, 2:]) / 2
    off = np.zeros(middle.shape[:2])
    off[:, 1:-1] = np.linalg.norm(middle[:, 1:-1] - between, axis=-1)
    worst = (off[:, 1:-1] > width[:, None] / 4) & (off[:, 1:-1] >= off[:, :-2]) & (off[:, 1:-1] >= off[:, 2:])
    middle[:, 1:-1] = np.where(worst[..., None], between, middle[:, 1:-1])
    return middle


def apex_point(corners: ArrayLike, apex: ArrayLike) -> Points:
    """Return the centre (..., 2) of the vertebra or disc ``apex`` (...), counted from the top, a half being the disc below; NaN gives NaN."""
    points = as_corners(corners)
    half = np.broadcast_to(np.asarray(apex, dtype=np.float64), points.shape[:-3])
    known = np.isfinite(half)
    places = np.round(2 * np.where(known, half, 0)).astype(np.intp)
    stations = np.empty((*points.shape[:-3], 2 * points.shape[-3] - 1, 2))
    stations[..., ::2, :] = centres(points)
    stations[..., 1::2, :] = (points[..., :-1, 2:, :].sum(axis=-2) + points[..., 1:, :2, :].sum(axis=-2)) / 4
    at = np.take_along_axis(stations, places[..., None, None], axis=-2)[..., 0, :]
    chosen: Points = np.where(known[..., None], at, np.nan)
    return chosen
