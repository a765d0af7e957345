"""Vertebral slip, disc and wedge angles of the lumbar spine from endplate lines.

Endplates are an array ``(n, 2, 2)`` of lines, ends, and x, y in pixels: L1 upper, L1 lower, ... L5 lower (10 lines), then the upper
endplate of S1 (11 lines, lateral films). A line of NaN is an endplate that was not drawn; only what needs it is withheld.

Signs: slip is positive forward (anterolisthesis), lateral offset positive to the patient's left, disc and wedge angles positive where
they open forward (lateral film) or to the patient's left (AP film). Definitions: Meyerding HW, Surg Gynecol Obstet 54:371-377 (1932) for
the slip in per cent of the endplate below and its grades; the checks are drawn by hand in ``tests/geometry/test_slip.py``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from spinelab.core import InputError, plural
from spinelab.geometry.lines import Points, down_axis, ends_left_to_right, offset_along, turn_deg

VERTEBRAE: Final = ("L1", "L2", "L3", "L4", "L5")
LEVELS: Final = ("L1/L2", "L2/L3", "L3/L4", "L4/L5", "L5/S1")
LINES: Final = (*(f"{v} {plate}" for v in VERTEBRAE for plate in ("upper", "lower")), "S1 upper")
"""Names of the endplate lines, in order."""

GRADES: Final = ("0", "I", "II", "III", "IV", "V")
SLIP_THRESHOLD_PERCENT: Final = 5.0
"""Below this a slip is grade 0: about 2 mm on a 37 mm endplate, what two careful readers differ by when they set the corners."""

_LORDOSIS_MEAN_DEG: Final = {11: 55.0, 10: 35.0}
_LORDOSIS_SD_DEG: Final = 20.0
"""Mean lumbar lordosis to S1 and to the lower endplate of L5, and a spread that is wide on purpose (standing adults: 60 +- 10, Vialle et al.,
J Bone Joint Surg Am 87:260-267, 2005; lying patients and slips have less)."""
FACING_CONFIDENCE: Final = 0.95
"""Below this the side that the patient faces is unknown."""

Side = Literal["left", "right"]


@dataclass(frozen=True, slots=True)
class Facing:
    """The image side to which the patient faces on a lateral film, or ``None``, with the probability that the better guess is right."""

    anterior: Side | None
    confidence: float
    source: str


@dataclass(frozen=True, slots=True)
class Level:
    """One disc level on one film. ``None`` means not measurable there.

    ``slip_percent`` is signed; ``slip_size_percent`` is its size, which is known even where the sign is not. On an AP film both are the
    lateral offset. ``slip_mm`` and ``disc_height_mm`` need the pixel spacing.
    """

    name: str
    slip_percent: float | None = None
    slip_size_percent: float | None = None
    disc_angle_deg: float | None = None
    disc_height_ratio: float | None = None
    slip_mm: float | None = None
    disc_height_mm: float | None = None

    @property
    def grade(self) -> int | None:
        """Meyerding grade 0 to 5 of the size of the slip."""
        return None if self.slip_size_percent is None else meyerding_grade(self.slip_size_percent)


@dataclass(frozen=True, slots=True)
class Film:
    """Everything measured on one film: ``wedge_deg`` by vertebra, ``lordosis_deg`` from L1 to the last endplate (lateral film, signed)."""

    levels: tuple[Level, ...]
    wedge_deg: dict[str, float | None]
    facing: Facing | None = None
    lordosis_deg: float | None = None

    def level(self, name: str) -> Level:
        """Return the level with this name; a level that was not drawn is one with nothing measured."""
        return next((level for level in self.levels if level.name == name), Level(name))


def meyerding_grade(slip_percent: float) -> int:
    """Return the Meyerding grade: 0 below `SLIP_THRESHOLD_PERCENT`, I to 25 %, II to 50 %, III to 75 %, IV to 100 %, V beyond (spondyloptosis)."""
    size = abs(slip_percent)
    if size < SLIP_THRESHOLD_PERCENT:
        return 0
    return 1 + sum(size > limit for limit in (25, 50, 75, 100))


def slip_direction(slip_percent: float | None, view: Literal["LATERAL", "AP"]) -> str | None:
    """Return the name of the listhesis, ``normal`` below the threshold, ``None`` where the sign is not known."""
    if slip_percent is None:
        return None
    if abs(slip_percent) < SLIP_THRESHOLD_PERCENT:
        return "normal"
    forward, back = ("anterolisthesis", "retrolisthesis") if view == "LATERAL" else ("left-laterolisthesis", "right-laterolisthesis")
    return forward if slip_percent > 0 else back


def measure_lateral(endplates: Points, *, anterior: Side | None = None, spacing_mm: tuple[float, float] | None = None) -> Film:
    """Measure a lateral film.

    The slip is the offset of the upper vertebra's posterior-inferior corner from the posterior-superior corner of the vertebra below, along
    that upper endplate, in per cent of its length. The side the patient faces is taken from ``anterior`` or inferred (`infer_facing`); where
    it stays unknown, signed values are withheld and the size is that of the offset between the endplates' middles.

    Parameters
    ----------
    endplates
        10 or 11 lines, see the module.
    anterior
        Image side to which the patient faces, if known from elsewhere.
    spacing_mm
        Millimetres between rows and between columns, if known.
    """
    lines = _checked(endplates, spacing_mm)
    facing = Facing(anterior, 1.0, "given") if anterior else infer_facing(lines)
    sign = {"right": 1, "left": -1, None: 0}[facing.anterior]
    ordered = lines[:, ::-1] if sign < 0 else lines
    lordosis = turn_deg(_along(lines[0]), _along(lines[-1]))
    return Film(
        levels=tuple(_level(name, ordered, i, sign, in_mm=spacing_mm is not None) for i, name in enumerate(LEVELS[: (len(lines) - 1) // 2])),
        wedge_deg={v: _signed(turn_deg(_along(lines[2 * i]), _along(lines[2 * i + 1])), sign) for i, v in enumerate(VERTEBRAE)},
        facing=facing,
        lordosis_deg=_signed(lordosis, sign),
    )


def measure_frontal(endplates: Points, *, spacing_mm: tuple[float, float] | None = None) -> Film:
    """Measure an AP film shown as usual, with the patient's right on the image left; offsets are between the endplates' middles."""
    lines = _checked(endplates, spacing_mm)[:10]
    return Film(
        levels=tuple(_level(name, lines, i, 1, in_mm=spacing_mm is not None, frontal=True) for i, name in enumerate(LEVELS[:4])),
        wedge_deg={v: _finite(turn_deg(_along(lines[2 * i]), _along(lines[2 * i + 1]))) for i, v in enumerate(VERTEBRAE)},
    )


def infer_facing(endplates: Points) -> Facing:
    """Infer the side to which the patient faces from the lordosis and the tilt of the lowest endplate against the lumbar axis.

    Both cues are read as angles that would be about +55 degrees if the patient faced right and -55 if left (+-35 without S1), with a standard
    deviation of 20; the confidence is the posterior probability at even odds from the mean of the two log likelihood ratios. Tilting the film
    changes nothing. A flat back, or cues that disagree, end below `FACING_CONFIDENCE`: unknown.
    """
    lines = ends_left_to_right(endplates)
    usable = [i for i in range(len(lines)) if np.isfinite(lines[i]).all()]
    first, last = usable[0], usable[-1]
    axis = down_axis(lines)
    lordosis = turn_deg(_along(lines[first]), _along(lines[last]))
    # The lowest endplate's tilt against the lumbar axis is about two thirds of the lordosis.
    tilt = 1.5 * turn_deg(np.array([axis[1], -axis[0]]), _along(lines[last]))
    mean = _LORDOSIS_MEAN_DEG[11 if last == 10 else 10]
    log_ratio = 2 * mean * (lordosis + tilt) / 2 / _LORDOSIS_SD_DEG**2
    right = 1 / (1 + math.exp(-max(-30.0, min(30.0, log_ratio))))
    confidence = max(right, 1 - right)
    side: Side = "right" if right >= 0.5 else "left"
    return Facing(side if confidence >= FACING_CONFIDENCE else None, confidence, "lordosis and tilt of the lowest endplate")


def _level(name: str, lines: Points, index: int, sign: int, *, in_mm: bool, frontal: bool = False) -> Level:
    """Measure level ``index``; ends run backwards to forwards (or patient's right to left), or image left to right where ``sign`` is 0."""
    above, below = lines[2 * index + 1], lines[2 * index + 2]
    if not math.isfinite(above.sum() + below.sum()):
        return Level(name)
    middles = 100 * (offset_along(_middle(above), below) - 0.5)
    slip = middles if frontal or sign == 0 else 100 * offset_along(above[0], below)
    length = math.hypot(*_along(below))
    # Both endplates' mean direction, turned a quarter, is the disc's own up-down direction.
    mean_direction = _along(above) / math.hypot(*_along(above)) + _along(below) / length
    across = np.array([-mean_direction[1], mean_direction[0]]) / math.hypot(*mean_direction)
    height = abs(float((_middle(below) - _middle(above)) @ across))
    # Seen by a patient who faces left, the same forward opening turns the other way.
    angle = turn_deg(_along(above), _along(below))
    return Level(
        name,
        slip_percent=slip if sign else None,
        slip_size_percent=abs(slip),
        disc_angle_deg=angle * sign if sign else None,
        disc_height_ratio=height / length,
        slip_mm=slip * length / 100 if in_mm and sign else None,
        disc_height_mm=height if in_mm else None,
    )


def _along(line: Points) -> Points:
    along: Points = line[1] - line[0]
    return along


def _middle(line: Points) -> Points:
    middle: Points = (line[0] + line[1]) / 2
    return middle


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _signed(value: float, sign: int) -> float | None:
    return value * sign if sign and math.isfinite(value) else None


def _checked(endplates: Points, spacing_mm: tuple[float, float] | None) -> Points:
    """Return the lines with ends left to right, in millimetres if the spacing is known."""
    lines = np.array(endplates, float)
    if lines.shape not in {(10, 2, 2), (11, 2, 2)}:
        raise _refuse(f"Endplates of shape {lines.shape}", "10 or 11 lines of two points")
    lines[~np.isfinite(lines).all(axis=(1, 2))] = np.nan
    drawn = np.isfinite(lines).all(axis=(1, 2))
    if drawn.sum() < 2:
        raise _refuse(plural(int(drawn.sum()), "endplate line"), "at least two")
    if spacing_mm is not None:
        lines = lines * np.array([spacing_mm[1], spacing_mm[0]])
    if np.any(np.hypot(*(lines[drawn, 1] - lines[drawn, 0]).T) == 0):
        raise _refuse("An endplate line whose two ends are the same point", "two different points")
    bodies = lines[:10].reshape(5, 4, 2).mean(axis=1)
    bodies = bodies[np.isfinite(bodies).all(axis=1)]
    if np.hypot(*np.ptp(lines[drawn].mean(axis=1), axis=0)) == 0 or np.any(np.diff(bodies @ down_axis(lines)) <= 0):
        raise _refuse("Endplate lines that do not follow one another down the spine", "L1 upper, L1 lower, ... L5 lower and, on a lateral film, S1 upper")
    return ends_left_to_right(lines)


def _refuse(given: str, expected: str) -> InputError:
    return InputError(given, expected=expected, action="check the endplate lines of this film")
