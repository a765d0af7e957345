"""An examination: images and signals with their geometry, and facts with their origin.

A fact that the file does not state is *unknown*: its value is ``None`` and its source says why.
Nothing here has a default spacing, orientation, sex or age.

Axes, signs and units: ``docs/conventions.md``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spinelab.core.errors import InputError

AXES: Final = ("YX", "YXC", "ZYX", "TYX", "TYXC")
"""Meanings of the array axes: slice (Z), frame (T), row (Y), column (X), colour (C)."""

SEXES: Final = ("F", "M", "O")
VIEWS: Final = ("AP", "PA", "LATERAL", "OBLIQUE", "AXIAL", "SAGITTAL", "CORONAL")
SPACING_LIMITS_MM: Final = (0.001, 50.0)
NORMAL_PRESACRAL: Final = 24
"""Vertebrae above the sacrum: seven cervical, twelve thoracic and five lumbar ones."""


@dataclass(frozen=True, slots=True)
class Fact:
    """A value and where it came from.

    ``value is None`` means *not known*; ``source`` then says what was looked at in vain.
    """

    value: Any
    source: str

    @property
    def known(self) -> bool:
        return self.value is not None


def unknown(reason: str) -> Fact:
    """Return a fact that is not known, with the reason."""
    return Fact(None, reason)


_NOT_STATED: Final = Fact(None, "not stated")


@dataclass(frozen=True, eq=False)
class Image:
    """One picture, cine loop or volume as measured values, never as display values.

    Parameters
    ----------
    pixels
        Array whose axes are named by ``axes``; read-only afterwards. Greyscale is stored so that larger is
        brighter (MONOCHROME1 is inverted by the reader).
    axes
        One of ``YX``, ``YXC``, ``ZYX``, ``TYX``, ``TYXC``.
    spacing_mm
        Millimetres between neighbouring samples along the spatial axes in array order, ``(row, column)`` or
        ``(slice, row, column)``; unknown unless the file states it.
    affine
        4x4 matrix from voxel index ``(column, row, slice, 1)`` to patient millimetres in LPS; unknown unless the
        file states the orientation.
    modality, view
        DICOM modality code and projection (one of ``VIEWS``).
    unit
        Physical unit of the values (``HU``) or ``None``.
    window
        Centre and width for display, in the unit of the pixels, if the file gives one.
    facts
        Anything else the file states, by DICOM keyword or plain name.
    source
        The file or folder it was read from.
    """

    pixels: NDArray[Any]
    axes: str = "YX"
    spacing_mm: Fact = _NOT_STATED
    affine: Fact = _NOT_STATED
    modality: Fact = _NOT_STATED
    view: Fact = _NOT_STATED
    unit: str | None = None
    window: tuple[float, float] | None = None
    facts: Mapping[str, Fact] = field(default_factory=dict)
    source: str = ""

    def __post_init__(self) -> None:
        if self.axes not in AXES:
            raise InputError(f"Image axes {self.axes!r}", expected=f"one of {', '.join(AXES)}", action="name the axes")
        if self.pixels.ndim != len(self.axes) or self.pixels.size == 0:
            raise InputError(
                f"{self.source or 'Image'}: pixels of shape {self.pixels.shape}",
                expected=f"a non-empty array with axes {self.axes}",
                action="check how the file was read",
            )
        if self.axes.endswith("C") and self.pixels.shape[-1] not in (3, 4):
            raise InputError(f"{self.source}: {self.pixels.shape[-1]} colour channels", expected="3 or 4", action="convert the file to RGB or greyscale")
        self._check_spacing()
        self._check_affine()
        self.pixels.setflags(write=False)

    def _check_spacing(self) -> None:
        spacing = self.spacing_mm.value
        if spacing is None:
            return
        spatial = sum(axis in "ZYX" for axis in self.axes)
        low, high = SPACING_LIMITS_MM
        if len(spacing) != spatial or not all(math.isfinite(s) and low <= s <= high for s in spacing):
            raise InputError(
                f"{self.source}: spacing {spacing} mm",
                expected=f"{spatial} finite values between {low} and {high} mm, or none",
                action="correct the header, or leave the spacing out so that it is unknown",
            )

    def _check_affine(self) -> None:
        affine = self.affine.value
        if affine is None:
            return
        if np.shape(affine) != (4, 4) or not np.all(np.isfinite(affine)) or abs(np.linalg.det(np.asarray(affine)[:3, :3])) < 1e-9:
            raise InputError(f"{self.source}: orientation matrix {affine}", expected="a finite, invertible 4x4 matrix", action="correct the header")

    @property
    def shape_yx(self) -> tuple[int, int]:
        """Rows and columns."""
        y = self.axes.index("Y")
        return int(self.pixels.shape[y]), int(self.pixels.shape[y + 1])

    def plane(self, index: int) -> NDArray[Any]:
        """Return one slice or frame; an image whose files are read slice by slice reads no other one for it."""
        found: NDArray[Any] = self.pixels[index]
        return found


@dataclass(frozen=True, eq=False)
class Signal:
    """Samples over time, ``(samples, channels)``, at ``rate_hz``."""

    samples: NDArray[Any]
    rate_hz: float
    channels: tuple[str, ...]
    units: tuple[str, ...]
    source: str = ""

    def __post_init__(self) -> None:
        if self.samples.ndim != 2 or self.samples.shape[1] != len(self.channels) or len(self.units) != len(self.channels):
            raise InputError(
                f"{self.source or 'Signal'}: {self.samples.shape} samples, {len(self.channels)} channels, {len(self.units)} units",
                expected="(samples, channels) with one name and one unit a channel",
                action="check the column names",
            )
        if not (math.isfinite(self.rate_hz) and self.rate_hz > 0):
            raise InputError(f"{self.source}: rate {self.rate_hz} Hz", expected="a positive sampling rate", action="give the sampling rate")
        self.samples.setflags(write=False)


@dataclass(frozen=True, eq=False)
class Study:
    """One examination of one patient.

    Parameters
    ----------
    id
        Name of the examination, as it appears in reports.
    images, signals
        What was recorded; at least one of either.
    patient
        Identifier used to keep one patient's films on one side of a split.
    sex
        ``F``, ``M`` or ``O``.
    age_years
        Age at the examination.
    facts
        Further facts about the examination (``site``, scores, ...).
    """

    id: str
    images: tuple[Image, ...] = ()
    signals: tuple[Signal, ...] = ()
    patient: Fact = _NOT_STATED
    sex: Fact = _NOT_STATED
    age_years: Fact = _NOT_STATED
    facts: Mapping[str, Fact] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.images and not self.signals and not self.facts:
            raise InputError(f"Study {self.id!r} is empty", expected="at least one image, signal or fact", action="check the path")
        if self.sex.known and self.sex.value not in SEXES:
            raise InputError(f"Sex {self.sex.value!r} ({self.sex.source})", expected="F, M or O", action="correct it or leave it out")
        age = self.age_years.value
        if age is not None and not (math.isfinite(age) and 0 <= age <= 130):
            raise InputError(f"Age {age} ({self.age_years.source})", expected="0 to 130 years", action="correct it or leave it out")
