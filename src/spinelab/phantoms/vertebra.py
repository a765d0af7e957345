"""One vertebra: its size, its pose, the points that readers mark on it, and the solids that a ray passes through."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from spinelab.phantoms.camera import Camera, Floats
from spinelab.phantoms.solids import Cylinder, Ellipsoid, Integrated, Solid

SOFT: Final = 0.0205
"""Attenuation of soft tissue per mm at an effective energy of about 65 keV."""
CORTEX: Final = 0.019
"""What compact bone, partly filled, attenuates more than soft tissue, per mm."""
CANCELLOUS: Final = 0.0062
"""The same for cancellous bone of a young adult."""


@dataclass(frozen=True, eq=False)
class Vertebra:
    """A vertebral body in patient LPS millimetres.

    Parameters
    ----------
    level
        ``T1`` ... ``L5``, ``S1`` ...
    centre_mm
        Centre of the body.
    axes
        Columns are the vertebra's own left, posterior and superior directions.
    half_width_mm, half_depth_mm
        Mean of both endplates; the lower one is larger by twice ``taper``.
    height_mm
        Anterior and posterior height.
    pedicle_mm
        Distance of a pedicle from the midline, its width and its height.
    """

    level: str
    centre_mm: Floats
    axes: Floats
    half_width_mm: float
    half_depth_mm: float
    height_mm: tuple[float, float]
    pedicle_mm: tuple[float, float, float]
    taper: float = 0.02
    hollow_mm: float = 1.8
    waist: float = 0.10

    def local(self, plate: str, left: Floats | float, back: Floats | float) -> Floats:
        """Return points of an endplate's rim plane in local mm; ``left`` and ``back`` are -1 to 1."""
        sign, scale = (1, 1 - self.taper) if plate == "upper" else (-1, 1 + self.taper)
        y = back * self.half_depth_mm * scale
        return np.stack([left * self.half_width_mm * scale, y, sign * self.half_height(y)], axis=-1)

    def half_height(self, y: Floats | float) -> Floats | float:
        """Return half the height at a depth ``y`` in local mm."""
        front, rear = self.height_mm
        return (front + rear) / 4 + y / self.half_depth_mm * (rear - front) / 4

    def world(self, local_mm: Floats) -> Floats:
        """Return local millimetres as patient LPS."""
        return self.centre_mm + np.asarray(local_mm) @ self.axes.T

    def point(self, plate: str, left: Floats | float, back: Floats | float) -> Floats:
        """Return points of an endplate in patient LPS; see `local`."""
        return self.world(self.local(plate, left, back))

    def direction(self, plate: str) -> Floats:
        """Return the unit vector along an endplate from its front to its back."""
        along = self.point(plate, 0, 1) - self.point(plate, 0, -1)
        return along / np.linalg.norm(along)

    def ends(self, plate: str, camera: Camera, across: tuple[float, float]) -> Floats:
        """Return the two ends of an endplate on a film, ``(2, 2)``, image left first.

        The ends are the outermost points of the projected rim along the line between the rim's own left and right
        (``across`` = (1, 0)) or front and back ((0, 1)) points, which is where a reader sees them.
        """
        angle = np.linspace(0, 2 * np.pi, 120, endpoint=False)
        power = 2 / SECTION
        left = np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** power
        back = np.sign(np.sin(angle)) * np.abs(np.sin(angle)) ** power
        rim = camera.project(self.point(plate, left, back))
        one, other = camera.project(np.stack([self.point(plate, -across[0], -across[1]), self.point(plate, *across)]))
        along = rim @ (other - one)
        ends = rim[[int(along.argmin()), int(along.argmax())]]
        return ends if ends[0, 0] <= ends[1, 0] else ends[::-1]

    def body(self, density: float) -> Integrated:
        """Return the body as a solid; ``density`` is 1 for a young adult's bone."""
        grow = 1 + abs(self.taper)
        half = (self.half_width_mm * grow + 0.5, self.half_depth_mm * grow + 0.5, max(self.height_mm) / 2 + 0.8)
        return Integrated(self.centre_mm, half, self.axes, density=_Bone(self, density), step_mm=0.9)


SECTION: Final = 2.5
"""Exponent of the superellipse that a body's cross-section is."""


@dataclass(frozen=True, eq=False)
class _Bone:
    """Attenuation inside a vertebral body: a shell, denser endplates that are hollow in the middle, cancellous bone, a waist."""

    vertebra: Vertebra
    density: float

    def __call__(self, x: Floats, y: Floats, z: Floats) -> Floats:
        v = self.vertebra
        rim = np.asarray(v.half_height(y), dtype=np.float32)
        level = np.clip(z / rim, -1, 1)
        narrowing = (1 - v.waist * (1 - level * level)) * (1 - v.taper * level)
        across, along = np.abs(x) / (v.half_width_mm * narrowing), y / (v.half_depth_mm * narrowing)
        # The back wall is hollowed towards the canal, except at the rims, so that the marked corners stay outermost.
        along = np.abs(along + np.where(along > 0, 0.10 * (1 - level * level) * np.maximum(1 - across, 0), 0))
        out = across * across * np.sqrt(across) + along * along * np.sqrt(along)
        radial = (1 - out) * (v.half_depth_mm / SECTION)
        plate = rim - v.hollow_mm * np.maximum(1 - out, 0) - np.abs(z)
        wall = _ramp(radial / 0.5 + 0.5) * _ramp(plate / 0.5 + 0.5)
        compact = np.maximum(_ramp((0.9 - radial) / 0.6), _ramp((1.3 - plate) / 0.6))
        cancellous = CANCELLOUS * self.density * (1 + 0.35 * level * level)
        loss: Floats = wall * (cancellous + (CORTEX * (0.45 + 0.55 * self.density) - cancellous) * compact)
        return loss


def _ramp(x: Floats) -> Floats:
    return np.minimum(np.maximum(x, 0), 1)


def turned(x_deg: float, y_deg: float = 0.0, z_deg: float = 0.0) -> Floats:
    """Return the rotation whose columns are a vertebra's left, posterior and superior directions.

    ``x_deg`` tilts the upper endplate forwards, ``y_deg`` lifts the left side, ``z_deg`` turns about the vertebra's own long axis.
    """
    x, y, z = np.deg2rad([x_deg, y_deg, z_deg])
    forward = np.array([[1, 0, 0], [0, np.cos(x), -np.sin(x)], [0, np.sin(x), np.cos(x)]])
    side = np.array([[np.cos(y), 0, -np.sin(y)], [0, 1, 0], [np.sin(y), 0, np.cos(y)]])
    axial = np.array([[np.cos(z), -np.sin(z), 0], [np.sin(z), np.cos(z), 0], [0, 0, 1]])
    rotation: Floats = side @ forward @ axial
    return rotation


def arch(v: Vertebra, density: float, *, left_behind_mm: float = 0.0, lumbar: bool = True) -> list[Solid]:
    """Return pedicles, articular and transverse processes, laminae and the spinous process.

    ``left_behind_mm`` is how far the arch stays behind a body that slipped forwards through a defect of the isthmus.
    """
    size = v.half_width_mm / 24.0
    rear = v.half_depth_mm
    out, width, height = v.pedicle_mm
    back = rear + left_behind_mm
    parts = Parts(v, density)
    for side in (1, -1):
        parts.pedicle((side * out, rear + 5 * size, 0.16 * v.height_mm[1]), (width / 2, height / 2, 7 * size), -side * 1.4 * (width - 3))
        parts.knob((side * (out + 2.5), back + 14 * size, 14 * size), (5.0, 5.0, 9.5), (12, side * 6, 0))
        parts.knob((side * (out - 2.0), back + 19 * size, -14 * size), (5.0, 4.5, 9.5), (8, side * -6, 0))
        parts.knob((side * 9.5 * size, back + 20 * size, -4 * size), (9.5, 3.2, 9.0), (18, 0, side * -28))
        if lumbar:
            parts.knob((side * (out + 15.5 * size), back + 8 * size, 2.5 * size), (14.5, 3.6, 5.2), (0, side * 6, side * 18))
        else:
            parts.knob((side * (out + 11 * size), back + 14 * size, 5 * size), (10.0, 4.0, 5.5), (0, side * 8, side * 30))
    drop = (-16, 15) if lumbar else (-24, 42)
    parts.knob((0, back + 33 * size, drop[0] * 0.6 * size), (3.4, 15.0, 9.0 if lumbar else 6.0), (drop[1], 0, 0))
    return parts.made


class Parts:
    """Collects pieces of an arch, given in the vertebra's own millimetres.

    Radii of knobs are those of a vertebra 48 mm wide and grow with it, unless ``size`` says how large they are.
    """

    def __init__(self, vertebra: Vertebra, density: float, *, size: float | None = None) -> None:
        self.vertebra, self.made = vertebra, list[Solid]()
        self.size = vertebra.half_width_mm / 24.0 if size is None else size
        self.core, self.cortex = 0.006 * density, CORTEX * (0.4 + 0.6 * density)

    def knob(self, at: tuple[float, float, float], radii: tuple[float, float, float], turn_deg: tuple[float, float, float]) -> None:
        half = (radii[0] * self.size, radii[1] * self.size, radii[2] * self.size)
        axes = self.vertebra.axes @ turned(*turn_deg)
        self.made.append(Ellipsoid(self.vertebra.world(np.array(at)), half, axes, core=self.core, cortex=self.cortex, shell_mm=1.0))

    def pedicle(self, at: tuple[float, float, float], half: tuple[float, float, float], inward_deg: float) -> None:
        """Add a short tube from the body backwards; end on it is the oval of the AP film."""
        axes = (self.vertebra.axes @ turned(0, 0, inward_deg))[:, [0, 2, 1]]
        centre = self.vertebra.world(np.array(at))
        self.made.append(Cylinder(centre, half, axes, core=self.core, cortex=0.95 * self.cortex, shell_mm=1.3))
