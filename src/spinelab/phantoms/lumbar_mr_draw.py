"""Paint a drawn lumbar spine: for any points of the patient, the signal of every tissue there, with soft edges of a pixel's width."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from spinelab.phantoms.lumbar_mr_anatomy import FORAMEN_AT_MM, LUMBARISED, ROOT_MM, SACRALISED, SIDES, LumbarSpine, foramen_front
from spinelab.phantoms.lumbar_mr_tissue import TISSUE_NUMBER

F32 = NDArray[np.floating[Any]]
"""float32 for speed."""

_GRID_MM: Final = 2.0
_NEAR: Final = (31.0, -46.0, 50.0)
"""Half width, front and back of the block around the spine that is painted in detail."""
_RECESS_EDGE_MM: Final = 12.5


@dataclass(frozen=True, eq=False)
class Frame:
    """Patient millimetres to the spine's own coordinates, by a table over the midsagittal plane."""

    spine: LumbarSpine
    origin: tuple[float, float]
    along: F32
    behind: F32

    def locate(self, points: F32) -> tuple[F32, F32, F32]:
        """Return r, a, s of points (n, 3), each (n,)."""
        u = ((points[:, 1] - self.origin[0]) / _GRID_MM).reshape(1, -1)
        v = ((points[:, 2] - self.origin[1]) / _GRID_MM).reshape(1, -1)
        width = 16384
        pad = -u.shape[1] % width
        u, v = (np.pad(c, ((0, 0), (0, pad)), mode="edge").reshape(-1, width).astype(np.float32) for c in (u, v))
        s, a = (cv2.remap(table, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE).reshape(-1)[: len(points)] for table in (self.along, self.behind))
        bow, phase = self.spine.sideways
        r = points[:, 0] - np.float32(bow) * np.sin(s / np.float32(95.0) + np.float32(phase)) if bow else points[:, 0]
        return r, a, s


def frame_of(spine: LumbarSpine) -> Frame:
    """Find, for a grid of the midsagittal plane, the nearest point of the spine's curve by Newton's method."""
    s_known, y_known, z_known, lean_known = spine.path
    y = np.arange(-150.0, 130.0, _GRID_MM)
    z = np.arange(-170.0, 190.0, _GRID_MM)
    ys, zs = np.meshgrid(y, z)
    s = np.interp(zs, z_known, s_known)
    bend = np.gradient(np.radians(lean_known), s_known)
    for _ in range(10):
        lean = np.radians(np.interp(s, s_known, lean_known))
        dy, dz = ys - np.interp(s, s_known, y_known), zs - np.interp(s, s_known, z_known)
        off = dz * np.cos(lean) - dy * np.sin(lean)
        behind = dy * np.cos(lean) + dz * np.sin(lean)
        s = s + np.clip(off / np.maximum(1 + np.interp(s, s_known, bend) * behind, 0.35), -8, 8)
    lean = np.radians(np.interp(s, s_known, lean_known))
    dy, dz = ys - np.interp(s, s_known, y_known), zs - np.interp(s, s_known, z_known)
    return Frame(spine, (float(y[0]), float(z[0])), s.astype(np.float32), (dy * np.cos(lean) + dz * np.sin(lean)).astype(np.float32))


class Painter:
    """Tissues laid over each other, the later over the earlier, in as many sequences as there are rows of ``signals``.

    Parameters
    ----------
    signals
        (sequences, tissues).
    image
        (sequences, points), painted on.
    edge_mm
        Width over which one tissue turns into the next.
    """

    def __init__(self, signals: F32, image: F32, edge_mm: float) -> None:
        self.signals, self.image, self.edge = signals, image, np.float32(edge_mm)

    def paint(self, inside_mm: F32, tissue: str, at: NDArray[np.intp] | None = None) -> None:
        """Lay a tissue over the points that lie inside: ``inside_mm`` is the distance to its edge, negative outside."""
        touched = np.flatnonzero(inside_mm > -0.5 * self.edge)
        if touched.size == 0:
            return
        cover = np.minimum(np.float32(0.5) + inside_mm[touched] / self.edge, 1)
        where = touched if at is None else at[touched]
        for row, signal in zip(self.image, self.signals[:, TISSUE_NUMBER[tissue]], strict=True):
            part = row[where]
            part += cover * (signal - part)
            row[where] = part


def ellipse(u: F32, v: F32, half_u: Any, half_v: Any) -> F32:
    """Return the distance to an ellipse's edge in mm, negative outside: 0 on the edge, elsewhere no more than the true one."""
    return np.asarray((1 - np.sqrt(np.square(u / half_u) + np.square(v / half_v))) * np.minimum(half_u, half_v), np.float32)


def steep_ellipse(u: F32, v: F32, half_u: Any, half_v: Any) -> F32:
    """Return the same with an edge equally sharp all around, for flat ellipses whose ends matter."""
    q = np.sqrt(np.square(u / half_u) + np.square(v / half_v)) + np.float32(1e-6)
    return np.asarray((1 - q) * np.maximum(np.sqrt(np.square(u) + np.square(v)) / q, np.minimum(half_u, half_v)), np.float32)


def box(u: F32, v: F32, half_u: Any, half_v: Any, power: float = 4.0) -> F32:
    """Return about the distance to the edge of a rounded box in mm, negative outside."""
    if power == 4:  # several times as fast as the general power
        q = np.sqrt(np.sqrt(np.square(np.square(u / half_u)) + np.square(np.square(v / half_v))))
    else:
        q = np.power(np.power(np.abs(u) / half_u, power) + np.power(np.abs(v) / half_v, power), 1 / power)
    return np.asarray((1 - q) * np.minimum(half_u, half_v), np.float32)


def paint_slice(spine: LumbarSpine, frame: Frame, points: F32, across: tuple[tuple[F32, float], ...], signals: F32, edge_mm: float) -> F32:
    """Return the signal (sequences, n) of a slice whose middle lies at ``points`` (n, 3) in LPS mm.

    ``across`` holds shifts in mm and weights, through the slice's thickness: what is near the spine is averaged over them, the trunk
    changes little within a slice and is painted once.
    """
    r, a, s = frame.locate(points)
    image = np.repeat(signals[:, TISSUE_NUMBER["fat"], None], len(points), axis=1)
    _trunk(Painter(signals, image, edge_mm), spine, r, a, s, points)
    half_width, front, back = _NEAR
    near = np.flatnonzero((np.abs(r) < half_width) & (a > front) & (a < back))
    if near.size:
        bed, averaged = image[:, near], np.zeros((len(signals), near.size), np.float32)
        for shift, weight in across:
            local = _Local(Painter(signals, bed.copy(), edge_mm), spine, *frame.locate(points[near] + shift))
            local.column()
            local.arches()
            local.canal()
            local.foramina()
            local.metal()
            averaged += np.float32(weight) * local.painter.image
        image[:, near] = averaged
    return image


def _trunk(painter: Painter, spine: LumbarSpine, r: F32, a: F32, s: F32, points: F32) -> None:
    """Paint muscles, vessels, bowel and kidneys, skin and the air around."""
    top = (s - np.float32(spine.discs[4, 0])) / 150
    wide = np.abs(r)
    bowel = box(wide, a + 124, 140, 52, 4)
    painter.paint(bowel, "organ")
    loops = np.sin(r / 9 + spine.seed % 7) * np.sin(a / 11 + np.float32(2) * np.sin(s / 19)) * np.sin(s / 13 + r / 31) - 0.25
    painter.paint(np.minimum(bowel, loops * 8), "fat")
    painter.paint(np.minimum(ellipse(wide - 68, a + 34, 22, 18), (s - np.float32(spine.discs[2, 0])) / 3), "kidney")
    back = box(wide - 30, a - 28, 29, 18.5, 4)
    painter.paint(back, "muscle")
    streaks = np.sin(r * 0.5 + 2 * np.sin(s * 0.06) + 1.7 * np.sin(a * 0.23)) * np.sin(a * 0.45 + 2.2 * np.sin(r * 0.17) + spine.seed % 5) - (
        1.02 - 0.55 * spine.fatty
    )
    painter.paint(np.minimum(back, streaks * 5), "fat")
    painter.paint(ellipse(wide - 13, a - 31, 0.6 + 3.0 * spine.fatty, 13), "fat")
    painter.paint(ellipse(wide - (37 - 9 * top), a + 14, 12 - 9 * top, 17 - 11 * top), "muscle")
    painter.paint(ellipse(wide - 68, a - 1, 17, 9), "muscle")
    above_fork = s - np.float32(spine.discs[1, 0] + 12)
    ahead = np.float32(spine.depth_mm)
    painter.paint(np.minimum(ellipse(r - 9, a + ahead + 11, 8.5, 8.5), above_fork), "vessel")
    painter.paint(np.minimum(ellipse(r + 13, a + ahead + 8, 10, 7.5), above_fork), "vessel")
    painter.paint(np.minimum(ellipse(wide - 8 + np.clip(above_fork, -45, 0) * 0.4, a + ahead + 9, 7, 7), -above_fork), "vessel")
    known, y, _, _ = spine.path
    behind = max(float(np.interp(spine.discs[2, 0], known, y)) + 76, float(y[known > -40].max()) + 42)
    skin = points[:, 1] - np.float32(behind) + np.square(r) / 700
    painter.paint(skin + 2.0, "skin")
    painter.paint(skin, "air")


class _Local:
    """The block around the spine, with every point's level and its place in it."""

    def __init__(self, painter: Painter, spine: LumbarSpine, r: F32, a: F32, s: F32) -> None:
        self.painter, self.spine, self.r, self.a, self.s = painter, spine, r, a, s
        discs = spine.discs
        edges = (discs[1:, 0] + discs[:-1, 0]) / 2
        self.place = np.searchsorted(edges, s)
        self.dz: F32 = s - discs[self.place, 0].astype(np.float32)
        self.half: F32 = (discs[self.place, 1] / 2).astype(np.float32)
        self.right = (r < 0).astype(np.intp)
        self.wide: F32 = np.abs(r)

    def paint(self, inside: F32, tissue: str, only: NDArray[np.bool_] | None = None) -> None:
        where = None if only is None else np.flatnonzero(only)
        self.painter.paint(inside if where is None else inside[where], tissue, where)

    def of_level(self, values: list[float], elsewhere: tuple[float, float]) -> F32:
        """Return a size by level (L1/L2 first) at every point; the two discs above L1/L2 have sizes of their own."""
        table = np.array([*values[::-1], *elsewhere], np.float32)
        return table[self.place]

    def of_side(self, name: str, elsewhere: float) -> F32:
        """Return a size by level and side at every point."""
        rows = [[getattr(level, name)[side] for side in SIDES] for level in self.spine.levels[::-1]]
        return np.array([*rows, [elsewhere] * 2, [elsewhere] * 2], np.float32)[self.place, self.right]

    def column(self) -> None:
        """Paint bodies with their cortical shell, sacrum, and discs with ring and nucleus."""
        spine = self.spine
        depth, width = np.float32(spine.depth_mm), np.float32(spine.half_width_mm)
        in_body = (np.abs(self.dz) - self.half).clip(0)
        waist = np.minimum(in_body / 5, 1.0) * 1.8
        lumbarised = spine.transition == LUMBARISED
        sacral = np.clip(-self.s - (28 if lumbarised else 14), 0, 60)
        half_depth = (depth - waist - sacral * 0.28) / 2
        back = np.minimum(0.0, 0.4 - 0.08 * sacral)
        shape = box(self.wide, self.a + half_depth - back, width - waist - sacral * 0.1, half_depth, 2.3)
        inside = np.where(self.s < 0, shape, np.minimum(shape, np.abs(self.dz) - self.half))
        inside = np.where(self.s < 0, np.minimum(shape, -self.s), inside)
        self.paint(inside + 0.7, "cortex")
        self.paint(inside - 0.5, "marrow")
        vein = np.minimum(ellipse(self.wide, self.a + 1, 3.5, 8), 0.9 - np.abs(in_body - 13) - 0.12 * np.abs(self.a)) * 0.5
        self.paint(vein, "nucleus", self.s > 0)
        for middle, thick in ((-30.0, 4.0 if lumbarised else 1.8), (-54.0, 1.0)):
            self.paint(np.minimum(shape, thick - np.abs(self.s - middle)), "annulus")
        if lumbarised:
            core = box(self.wide, self.a + np.float32(0.5 * depth), np.float32(0.55 * width), np.float32(0.28 * depth), 2.2)
            self.paint(np.minimum(core, 2.4 - np.abs(self.s + 30)) * 0.4, "nucleus")
        begins = {LUMBARISED: -32.0, SACRALISED: 14.0}.get(spine.transition or "", -6.0)
        wings = np.minimum(box(self.wide - 36, self.a + 6, 24, 20, 2.5), np.float32(begins) - self.s)
        self.paint(wings, "marrow")
        self.footprint = shape
        self._discs(shape)

    def _discs(self, shape: F32) -> None:
        wear = self.of_level([level.wear for level in self.spine.levels], (0.15, 0.1))
        bulge = self._bulge()
        reach = np.where(self.a > -6, bulge, np.float32(0.8))
        disc = np.minimum(shape + reach, self.half - np.abs(self.dz))
        # Between the recesses the disc's back is straight: it is what their depth is measured from.
        straight = np.minimum(np.minimum(bulge - self.a, self.a + 8), np.minimum(12.8 - self.wide, self.half - np.abs(self.dz)))
        self.paint(np.maximum(disc, straight), "annulus", self.s > 0)
        centre = self.a + np.float32(self.spine.depth_mm * 0.52)
        core = np.minimum(
            box(self.wide, centre, np.float32(self.spine.half_width_mm * 0.62), np.float32(self.spine.depth_mm * 0.31), 2.2), self.half * 0.78 - np.abs(self.dz)
        )
        fresh = (self.s > 0) & (wear < 0.45)
        self.paint(core * 0.4, "nucleus", fresh)
        self.paint(core * 0.4, "worn nucleus", (self.s > 0) & ~fresh & (wear < 0.85))
        self.paint(np.minimum(core, 0.2 - np.abs(self.dz)) * 0.5, "annulus", fresh)

    def _bulge(self) -> F32:
        """Return how far the disc stands behind the bodies at every point."""
        return self.of_level([level.bulge_mm for level in self.spine.levels], (0.2, 0.0))

    def _at_disc(self, tall: float) -> F32:
        """Return 1 at the disc and 0 away from it, flat in the middle."""
        found: F32 = np.exp(-np.power(np.abs(self.dz) / np.float32(tall), 4))
        return found

    def arches(self) -> None:
        """Paint pedicles, facets with their joint, laminae, spinous processes and the muscles' bed behind them."""
        spine = self.spine
        above = self.dz - self.half
        tall = np.float32(spine.bodies[:5, 1].mean())
        pedicle_at = np.where(self.dz > 0, above - np.float32(0.68) * tall, self.dz + self.half + np.float32(0.32) * tall)
        pedicle = np.minimum(box(self.wide - 15.5, pedicle_at, 4.6, 7.3, 2.4), np.minimum(self.a + 6, 14 - self.a))
        self._bone(pedicle, self.s > -16)
        recess = self.of_side("recess_mm", 5.0) + self._bulge()
        bulk = np.sqrt(np.clip(1 - np.power(np.abs(self.dz - 1.0) / 11.0, 3), 0.01, 1))
        leaning = 0.25 * self.dz
        lower = ellipse(self.wide - 18.0, self.a - (recess + 0.5 + 8 * bulk) + leaning, 5.8 * bulk, 8.0 * bulk)
        upper = ellipse(self.wide - 14.0, self.a - (recess + 15.0) + leaning, 6.2 * bulk, 7.0 * bulk)
        across = np.abs((self.wide - 16.0) * 0.75 + (self.a - (recess + 11.5) + leaning) * 0.62)
        joint = np.minimum(0.5 - across, ellipse(self.wide - 16.0, self.a - (recess + 11.5) + leaning, 6.5 * bulk, 6.5 * bulk))
        lumbar = self.s > -14
        self._bone(lower, lumbar)
        self._bone(upper, lumbar)
        self.paint(joint, "fluid", lumbar)
        lamina = np.minimum(1.8 - np.abs(self.a - 19.5 + self.wide * 0.35), np.minimum(13.5 - self.wide, 9.5 - np.abs(self.dz - 15.0)))
        self._bone(lamina, lumbar)
        spinous = np.minimum(box(self.a - 32, self.dz - 10.5 + (self.a - 32) * 0.25, 12.0, 8.5, 4), 3.2 - self.wide)
        self._bone(spinous, lumbar)
        between = np.minimum(box(self.a - 31, self.dz + 7, 11, 6.0, 4), 2.2 - self.wide)
        self.paint(between, "muscle", lumbar)

    def _bone(self, inside: F32, only: NDArray[np.bool_]) -> None:
        self.paint(inside, "cortex", only)
        self.paint(inside - 1.0, "marrow", only)

    def canal(self) -> None:
        """Paint the canal's fat, the yellow ligament, the recesses and the dural sac with its roots."""
        spine = self.spine
        levels = spine.levels
        at_disc = self._at_disc(6.5)
        bulge = self._bulge() * at_disc
        sac_depth = 14.0 + (self.of_level([lv.sac_depth_mm for lv in levels], (13.5, 13.5)) - 14.0) * at_disc
        sac_width = 17.5 + (self.of_level([lv.sac_width_mm for lv in levels], (17.0, 17.0)) - 17.5) * at_disc
        tail = np.clip(1 + (self.s + 6) / 70, 0.0, 1.0)
        sac_depth, sac_width = (np.maximum(size * np.where(self.s < -6, tail, 1), 0.5) for size in (sac_depth, sac_width))
        front = bulge + np.where(self.s < 5, 0.6 + 2.5 * (1 - at_disc), 0.6 + 1.2 * (1 - at_disc))
        recess = 6.0 + (self.of_side("recess_mm", 5.0) - 6.0) * at_disc
        middle = front + sac_depth / 2
        behind = front + sac_depth
        apex = behind + 0.8 + np.maximum(16.5 - behind, 0.5) * (1 - 0.9 * at_disc)
        side = np.clip((self.wide / np.float32(8.0)) ** 1.5, 0, 1)
        wall = apex + (bulge + recess - apex) * side
        room = np.minimum(np.minimum(self.a - bulge, wall - self.a), _RECESS_EDGE_MM - self.wide)
        ligament = np.minimum(np.minimum(self.a - bulge, np.maximum(wall + 3.6, 16.5 - 0.3 * self.wide) - self.a), 12.5 - self.wide)
        self.paint(np.minimum(ligament, 13.0 - np.abs(self.dz)), "ligament", self.s > -12)
        self.paint(room, "fat", self.s > -70)
        # The root on its way to the next foramen lies in the recess and is flattened with it.
        half = np.minimum(np.float32(1.5), recess * 0.45)
        self.paint(ellipse(self.wide - (sac_width / 2 + 2.0), self.a - bulge - recess / 2, 1.9, half), "nerve", (self.s > -40) & (self.s < spine.discs[5, 0]))
        self.paint(np.minimum(0.5 - np.abs(self.a - bulge - 0.2), np.minimum(7.0 - self.wide, self.s + 40)), "ligament")
        self._sac(middle, sac_depth, sac_width)

    def _sac(self, middle: F32, depth: F32, width: F32) -> None:
        sac = steep_ellipse(self.wide, self.a - middle, width / 2, depth / 2)
        only = np.flatnonzero((sac > -1.5) & (self.s > -68))
        if only.size == 0:
            return
        at = only
        self.painter.paint(sac[only] + np.float32(0.6), "ligament", at)
        self.painter.paint(sac[only], "fluid", at)
        r, a, s = self.r[only], self.a[only] - middle[only], self.s[only]
        inside, half_depth, half_width = sac[only], depth[only] / 2, width[only] / 2
        below = np.float32(self.spine.conus_mm) - s
        cord = np.minimum(ellipse(r, a - 0.5, 4.3 - 0.09 * np.clip(below + 30, 0, 40), 3.6 - 0.08 * np.clip(below + 30, 0, 40)), -below)
        self.painter.paint(cord, "nerve", at)
        rng = np.random.default_rng(self.spine.seed)
        for number in range(14):
            across, deep = rng.uniform(-0.78, 0.78), rng.uniform(0.05, 0.72)
            sway = np.float32(0.12 * np.sin(number)) * np.sin(s / 23 + number)
            ends = s - np.float32(-60 + 7.5 * number)
            root = 0.85 - np.hypot(r - (across + sway) * half_width, a - deep * half_depth)
            root = np.minimum(np.minimum(root, inside), np.minimum(ends, below + 6))
            self.painter.paint(np.asarray(root, np.float32), "nerve", at)

    def foramina(self) -> None:
        """Paint the foramina: fat between body and facet, as wide as drawn at the root, and the root, flattened where there is no room."""
        spine = self.spine
        only = np.flatnonzero((self.wide > 11.0) & (self.wide < 27.0) & (self.s > -4))
        if only.size == 0:
            return
        a, at = self.a[only], only
        dz, half, wide = self.dz[only], self.half[only], self.wide[only]
        width = self.of_side("foramen_mm", 9.0)[only]
        rows = [[foramen_front(level, side) for side in SIDES] for level in spine.levels[::-1]]
        front = np.array([*rows, [-1.5] * 2, [-1.5] * 2], np.float32)[self.place[only], self.right[only]]
        tall = np.float32(spine.bodies[:5, 1].mean())
        low, high = -half - 1.6 + 2.5, half + np.float32(0.68) * tall - 7.0
        upward = np.clip((dz - low) / np.maximum(high - low, 1), -0.5, 1.5)
        waist = width * np.clip(0.55 + 0.75 * upward, 0.5, 1.0)
        rounded = np.sqrt(1 - np.square(np.clip((np.abs(2 * upward - 1) - 0.55) / 0.45, 0, 1)))
        across = np.minimum(wide - 11.0, 25.0 - wide)
        pars = ellipse(wide - 16.5, a - front - width - 5.0, 6.5, 5.0)
        wall = np.minimum(pars, np.minimum(dz - low + 3, high - dz + 1))
        self.painter.paint(wall, "cortex", at)
        self.painter.paint(wall - 1.1, "marrow", at)
        ridge = np.minimum(self.footprint[only] + 3.0 + np.maximum(front, 0), np.minimum(np.minimum(wide - 11.0, 19.5 - wide), 4.5 - np.abs(dz)))
        self.painter.paint(np.minimum(np.minimum(ridge, front - a), a + 7.0), "annulus", at)
        corner = np.minimum(np.minimum(front - a, a + 9.0), np.minimum(np.minimum(wide - 11.0, 20.0 - wide), np.minimum(high - dz + 1, dz - half)))
        self.painter.paint(corner, "cortex", at)
        self.painter.paint(corner - 0.9, "marrow", at)
        middle = front + width / 2
        fat = np.minimum(across, np.minimum(np.minimum(dz - low, high - dz), waist * rounded / 2 - np.abs(a - middle)))
        self.painter.paint(fat, "fat", at)
        flat = np.minimum(np.float32(ROOT_MM), width) / 2
        taller = np.minimum(np.square(np.float32(ROOT_MM / 2)) / flat, np.float32(4.2))
        root = np.minimum(ellipse(a - middle, dz - half - 6.5, flat, taller), 9.5 - np.abs(wide - np.float32(FORAMEN_AT_MM + 1.5)))
        self.painter.paint(root, "nerve", at)
        vein = np.minimum(0.9 - np.hypot(a - middle - 0.25 * width, dz - low - 4.5), 20.0 - wide)
        self.painter.paint(np.asarray(vein, np.float32), "vessel", at)

    def metal(self) -> None:
        """Paint pedicle screws and their rods: no signal in and around them, and what was shifted out of there heaped up along the readout."""
        spine = self.spine
        if not spine.screws:
            return
        bloom = np.float32(spine.bloom_mm)
        heights = [float(middle + 0.18 * tall) for middle, tall in spine.bodies[list(spine.screws)]]
        along = np.min([np.abs(self.s - height) for height in heights], axis=0)
        inward = np.clip(5.0 - self.a, 0, 40) * 0.22
        shaft = np.minimum(3.0 - np.hypot(along, self.wide - (15.5 - inward)), np.minimum(self.a + 27, 27 - self.a))
        head = 6.5 - np.sqrt(np.square(along) + np.square(self.wide - 16.5) + np.square(self.a - 25))
        rod = np.minimum(2.8 - np.hypot(self.wide - 16.5, self.a - 27), np.minimum(self.s - heights[0] + 8, heights[-1] + 8 - self.s))
        inside = np.maximum(np.maximum(shaft, head), rod) + bloom
        heaped = np.minimum(inside + 1.6, np.float32(1.6) - np.abs(inside + 0.4)) * np.where(self.a > 27, np.float32(1.0), np.float32(0.3))
        self.paint(heaped, "fluid")
        self.paint(inside, "air")
