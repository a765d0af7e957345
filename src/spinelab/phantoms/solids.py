"""Solids that attenuate X-rays, each of which can say how much a ray loses in it.

Attenuations are *extra* to the soft tissue that the solid replaces, per millimetre: bone is positive, fat and gas negative.
Convex solids give the exact chord; a vertebral body, whose section changes with height, is integrated along the ray.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from spinelab.phantoms.camera import Box, Camera, Floats

_CORNERS = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], dtype=np.float64)
Rays = tuple[Floats, Floats, Floats]


def _everywhere(x: Floats, _y: Floats, _z: Floats) -> Floats:
    return np.ones_like(x)


class Solid(Protocol):
    """Anything that can be added to a film."""

    def add_to(self, film: Floats, camera: Camera) -> None:
        """Add the attenuation along every ray to ``film``."""


@dataclass(frozen=True, eq=False)
class _Boxed:
    """A solid inside an oriented box: centre, axes (columns are the local axes in LPS) and half sizes in mm."""

    centre_mm: Floats
    half_mm: tuple[float, float, float]
    axes: Floats = field(default_factory=lambda: np.eye(3))

    def add_to(self, film: Floats, camera: Camera) -> None:
        box = camera.box(self.centre_mm + (_CORNERS * self.half_mm) @ self.axes.T)
        if box is not None:
            y0, y1, x0, x1 = box
            film[y0:y1, x0:x1] += self.loss(*self._local(camera, box))

    def _local(self, camera: Camera, box: Box) -> tuple[Floats, Rays]:
        origin = ((camera.source_mm - self.centre_mm) @ self.axes).astype(np.float32)
        return origin, camera.rays(box, self.axes)

    def loss(self, origin: Floats, rays: Rays) -> Floats:
        raise NotImplementedError


def _length(rays: Rays) -> Floats:
    return np.sqrt(rays[0] ** 2 + rays[1] ** 2 + rays[2] ** 2)


def _crossing(origin: Floats, rays: Rays, radii: tuple[float, ...]) -> tuple[Floats, Floats]:
    """Return where rays meet the middle of their chord and half its extent, both as fractions of the ray.

    With two radii the solid is an endless elliptic cylinder along the third axis.
    """
    scaled = [(origin[k] / r, rays[k] / r) for k, r in enumerate(radii)]
    # A ray along the axis of a cylinder never meets its wall: a tiny slant stands for none.
    square = np.maximum(sum(d * d for _, d in scaled), np.float32(1e-12))
    middle = -sum(o * d for o, d in scaled) / square
    nearest = sum((o + middle * d) ** 2 for o, d in scaled)
    return middle, np.sqrt(np.maximum(1 - nearest, 0) / square)


@dataclass(frozen=True, eq=False)
class Ellipsoid(_Boxed):
    """An ellipsoid with a denser shell of ``shell_mm``; without a shell ``core`` fills it."""

    core: float = 0.0
    cortex: float = 0.0
    shell_mm: float = 0.0

    def loss(self, origin: Floats, rays: Rays) -> Floats:
        outer = _crossing(origin, rays, self.half_mm)[1]
        length = 2 * _length(rays)
        if self.shell_mm <= 0:
            return self.core * outer * length
        radii = tuple(max(r - self.shell_mm, 0.2 * r) for r in self.half_mm)
        inner = _crossing(origin, rays, radii)[1]
        return (self.cortex * outer + (self.core - self.cortex) * inner) * length


@dataclass(frozen=True, eq=False)
class Cylinder(_Boxed):
    """An elliptic cylinder along its third axis with a denser wall; its ends are open."""

    core: float = 0.0
    cortex: float = 0.0
    shell_mm: float = 0.0

    def loss(self, origin: Floats, rays: Rays) -> Floats:
        along = np.where(np.abs(rays[2]) < 1e-3, np.float32(1e-3), rays[2])
        ends = (-self.half_mm[2] - origin[2]) / along, (self.half_mm[2] - origin[2]) / along
        near, far = np.minimum(*ends), np.maximum(*ends)
        total = np.zeros_like(along)
        for inset, weight in ((0.0, self.cortex), (self.shell_mm, self.core - self.cortex)):
            radii = (max(self.half_mm[0] - inset, 0.3), max(self.half_mm[1] - inset, 0.3))
            middle, half = _crossing(origin, rays, radii)
            total += weight * np.maximum(np.minimum(middle + half, far) - np.maximum(middle - half, near), 0) * (half > 0)
        return total * _length(rays)


@dataclass(frozen=True, eq=False)
class ShellPatch(_Boxed):
    """A part of an ellipsoidal shell, such as the iliac wing.

    ``part`` tells from local coordinates in mm how much of the shell is there, 0 to 1.
    """

    thickness_mm: float = 5.0
    density: float = 0.0
    part: Callable[[Floats, Floats, Floats], Floats] = _everywhere

    def loss(self, origin: Floats, rays: Rays) -> Floats:
        middle, outer = _crossing(origin, rays, self.half_mm)
        radii = tuple(r - self.thickness_mm for r in self.half_mm)
        centre, inner = _crossing(origin, rays, radii)
        hollow = inner > 0
        total = np.zeros_like(middle)
        for first, last in ((middle - outer, centre - inner), (centre + inner, middle + outer)):
            begin = np.where(hollow, first, middle - outer)
            end = np.where(hollow, last, middle)
            at = (begin + end) / 2
            total += self.part(*(origin[k] + at * rays[k] for k in range(3))) * np.maximum(end - begin, 0)
        return self.density * total * _length(rays)


@dataclass(frozen=True, eq=False)
class Integrated(_Boxed):
    """Any density inside a box, integrated along each ray at steps of about ``step_mm``."""

    density: Callable[[Floats, Floats, Floats], Floats] = _everywhere
    step_mm: float = 1.0

    def loss(self, origin: Floats, rays: Rays) -> Floats:
        near = np.full(rays[0].shape, -np.inf, dtype=np.float32)
        far = np.full(rays[0].shape, np.inf, dtype=np.float32)
        for k in range(3):
            along = np.where(np.abs(rays[k]) < 1e-3, np.float32(1e-3), rays[k])
            ends = (-self.half_mm[k] - origin[k]) / along, (self.half_mm[k] - origin[k]) / along
            near, far = np.maximum(near, np.minimum(*ends)), np.minimum(far, np.maximum(*ends))
        hit = far > near
        total = np.zeros(rays[0].shape, dtype=np.float32)
        if not hit.any():
            return total
        start, extent = near[hit], (far - near)[hit]
        chord = extent * _length(rays)[hit]
        steps = max(int(np.ceil(float(chord.max()) / self.step_mm)), 2)
        at = start + extent * ((np.arange(steps, dtype=np.float32)[:, None] + np.float32(0.5)) / np.float32(steps))
        values = self.density(*(origin[k] + at * rays[k][hit] for k in range(3)))
        total[hit] = values.mean(axis=0) * chord
        return total


@dataclass(frozen=True, eq=False)
class Tube:
    """A bent rod with a cortex, such as a rib: points ``(n, 3)`` and radii ``(n,)`` in mm."""

    points_mm: Floats
    radii_mm: Floats
    core: float
    cortex: float
    shell_mm: float

    def add_to(self, film: Floats, camera: Camera) -> None:
        layer = np.zeros(film.shape, dtype=np.float32)
        at = camera.project(self.points_mm)
        for k in range(len(at) - 1):
            self._segment(layer, camera, at, k)
        film += layer

    def _segment(self, layer: Floats, camera: Camera, at: Floats, k: int) -> None:
        scale = camera.magnification(self.points_mm[k]) / camera.spacing_mm
        reach = int(np.ceil(max(self.radii_mm[k : k + 2]) * scale)) + 1
        box = camera.clip(np.minimum(at[k], at[k + 1]), np.maximum(at[k], at[k + 1]), reach)
        if box is None:
            return
        y0, y1, x0, x1 = box
        step = at[k + 1] - at[k]
        x, y = np.arange(x0, x1, dtype=np.float32)[None, :] - at[k, 0], np.arange(y0, y1, dtype=np.float32)[:, None] - at[k, 1]
        part = np.clip((x * step[0] + y * step[1]) / max(float(step @ step), 1e-6), 0, 1)
        distance = ((x - part * step[0]) ** 2 + (y - part * step[1]) ** 2) / scale**2
        radius = self.radii_mm[k] + part * (self.radii_mm[k + 1] - self.radii_mm[k])
        chord = self.cortex * np.sqrt(np.maximum(radius**2 - distance, 0))
        chord += (self.core - self.cortex) * np.sqrt(np.maximum((radius - self.shell_mm) ** 2 - distance, 0))
        layer[y0:y1, x0:x1] = np.maximum(layer[y0:y1, x0:x1], 2 * chord / self._slant(camera, k))

    def _slant(self, camera: Camera, k: int) -> float:
        """Return the sine between rod and ray, held away from zero where the rod is seen end on."""
        along = self.points_mm[k + 1] - self.points_mm[k]
        cosine = abs(along @ camera.forward) / max(float(np.linalg.norm(along)), 1e-6)
        return max(float(np.sqrt(max(1 - cosine**2, 0.0))), 0.35)


@dataclass(frozen=True, eq=False)
class Together:
    """Overlapping solids of one tissue: each ray loses what it loses in the one that it crosses farthest, so that overlaps do not count twice."""

    members: Sequence[Solid]

    def add_to(self, film: Floats, camera: Camera) -> None:
        union = np.zeros(film.shape, dtype=np.float32)
        for member in self.members:
            layer = np.zeros(film.shape, dtype=np.float32)
            member.add_to(layer, camera)
            np.maximum(union, layer, out=union)
        film += union


def smooth_step(x: Floats) -> Floats:
    """Return a step from 0 to 1 at 0 that takes about four units."""
    return 1 / (1 + np.exp(-np.clip(x, -20, 20)))


def ray_sum(solids: list[Solid], camera: Camera, *, coarse: int = 1) -> NDArray[np.float32]:
    """Return the attenuation of all solids along every ray of the film.

    ``coarse`` computes on pixels that many times as large, for solids that have no fine detail.
    """
    small = camera.coarser(coarse) if coarse > 1 else camera
    film = np.zeros(small.shape, dtype=np.float32)
    for solid in solids:
        solid.add_to(film, small)
    if coarse == 1:
        return film
    whole: NDArray[np.float32] = cv2.resize(film, (film.shape[1] * coarse, film.shape[0] * coarse), interpolation=cv2.INTER_LINEAR)
    return whole[: camera.shape[0], : camera.shape[1]]
