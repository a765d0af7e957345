"""From attenuation to the picture on the screen: beam, scatter, blur, quanta, logarithm, 12 bits, window, collimation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from spinelab.phantoms.camera import Floats


@dataclass(frozen=True)
class Exposure:
    """How one film was taken and shown.

    Parameters
    ----------
    quanta
        Photons a detector millimetre squared without a patient.
    scatter
        Scattered over primary radiation behind the patient, after the grid.
    blur_mm
        Standard deviation of detector, focus and motion together, on the detector.
    window
        Lower and upper percentile of the exposed film that become black and white.
    gamma
        Bends the display curve: above 1 is darker.
    edge
        Strength of the edge enhancement that every digital system applies.
    flatten
        Part of the slow brightness changes that is removed for display.
    field
        Collimated field as fractions of rows and columns: top, bottom, left, right.
    field_turn_deg
        Rotation of the collimator.
    black
        Grey level outside the field.
    """

    quanta: float
    scatter: float
    blur_mm: float
    window: tuple[float, float]
    gamma: float
    edge: float
    flatten: float
    field: tuple[float, float, float, float]
    field_turn_deg: float
    black: int = 4


def develop(attenuation: Floats, exposure: Exposure, spacing_mm: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return the 8-bit film of an attenuation map (line integrals on detector pixels of ``spacing_mm``)."""
    shutter = field_mask(attenuation.shape, exposure, spacing_mm)
    signal = _recorded(attenuation, exposure, shutter, spacing_mm, rng)
    return _display(signal, exposure, shutter, spacing_mm)


def develop_stored(
    attenuation: Floats, exposure: Exposure, spacing_mm: float, rng: np.random.Generator, *, wedge: Floats | None = None
) -> tuple[NDArray[np.uint16], tuple[float, float]]:
    """Return the 12-bit picture that a digital system stores for presentation, larger is more attenuation, and its window (centre, width).

    Nothing inside the field is clipped to the window: what a reader sees by turning the window is there.

    Parameters
    ----------
    wedge
        Part of the quanta that a compensating filter (or a lower dose for thinner parts) lets through, by row ``(rows, 1)``; the system
        makes up for it, so that only the noise tells.
    """
    shutter = field_mask(attenuation.shape, exposure, spacing_mm)
    signal = _recorded(attenuation, exposure, shutter, spacing_mm, rng, wedge=wedge)
    inside = shutter > 0.5
    body = _body(signal, inside, above=0.22)
    # The recorded signal of air is 1.
    patient = np.clip((signal - 1) / np.percentile(signal[body] - 1, 85) * 14 - 0.7, 0, 1) * (shutter > 0.98)
    shown = _equalised(signal, exposure, patient, spacing_mm)
    low, high = np.percentile(shown[body][::7], exposure.window)
    low, high = float(low), float(max(high, low + 1e-3))
    grey = (shown - low) / (high - low)
    floor, span = _STORED_RANGE
    # Straight between the window's ends; beyond them ever flatter, so that air and metal still fit into 12 bits.
    value = floor + span * np.clip(grey, 0, 1) + 900 * np.tanh(np.maximum(grey - 1, 0) * span / 900) - 600 * np.tanh(np.maximum(-grey, 0) * span / 600)
    value = np.where(inside, 60 + (value - 60) * patient, exposure.black + 150 * np.clip(shutter, 0, 0.5) * np.clip(grey, 0, 1))
    bend = (exposure.gamma - 1) * 500
    stored: NDArray[np.uint16] = np.clip(np.round(value), 0, 4095).astype(np.uint16)
    return stored, (round(floor + span / 2 + bend), round(span * 1.02))


_STORED_RANGE: Final = (700.0, 2400.0)
"""Grey value where the window begins, and its width, out of 4096."""


def _recorded(attenuation: Floats, exposure: Exposure, shutter: Floats, spacing_mm: float, rng: np.random.Generator, *, wedge: Floats | None = None) -> Floats:
    """Return the log signal behind the patient: beam, scatter, blur, quanta, logarithm, 12 bits."""
    primary = np.exp(-attenuation) * shutter
    # Thin parts scatter little: the ratio of scattered to primary radiation rises with thickness.
    source = primary * np.clip(attenuation / 4, 0, 1) ** 3
    beam = primary + exposure.scatter * _spread(source, 45 / spacing_mm)
    beam = cv2.GaussianBlur(beam, (0, 0), max(exposure.blur_mm / spacing_mm, 0.3))
    per_pixel = exposure.quanta * spacing_mm**2 * (1.0 if wedge is None else wedge)
    counted = rng.poisson(np.minimum(beam * per_pixel, 1e9)).astype(np.float32)
    # The scintillator spreads each quantum over its neighbours, so noise is grain and not salt.
    counted = cv2.GaussianBlur(counted, (0, 0), 0.45)
    return _twelve_bit(-np.log(np.maximum(counted, 0.5) / per_pixel).astype(np.float32))


def field_mask(shape: tuple[int, ...], exposure: Exposure, spacing_mm: float) -> Floats:
    """Return 1 inside the collimated field and nearly 0 outside, with the penumbra of its edge."""
    top, bottom, left, right = exposure.field
    centre = np.array([(left + right) / 2 * shape[1], (top + bottom) / 2 * shape[0]])
    half = np.array([(right - left) / 2 * shape[1], (bottom - top) / 2 * shape[0]])
    angle = np.deg2rad(exposure.field_turn_deg)
    x = np.arange(shape[1], dtype=np.float32)[None, :] - centre[0]
    y = np.arange(shape[0], dtype=np.float32)[:, None] - centre[1]
    across, along = np.abs(np.cos(angle) * x + np.sin(angle) * y), np.abs(np.cos(angle) * y - np.sin(angle) * x)
    edge = np.minimum(half[0] - across, half[1] - along) * spacing_mm
    open_ = np.clip(edge / 1.5 + 0.5, 0, 1)
    shutter: Floats = (0.004 + 0.996 * open_).astype(np.float32)
    return shutter


def marker(shape: tuple[int, int], letter: str, at: tuple[float, float], size: float) -> Floats:
    """Return the attenuation of a lead letter whose lower left corner is at ``at`` (column, row), ``size`` pixels high."""
    drawn = np.zeros(shape, dtype=np.uint8)
    thickness = max(1, round(size / 7))
    cv2.putText(drawn, letter, (round(at[0]), round(at[1])), cv2.FONT_HERSHEY_SIMPLEX, size / 22.0, 255, thickness, cv2.LINE_AA)
    lead: Floats = drawn.astype(np.float32) / 255 * 5.0
    return lead


def grain(rng: np.random.Generator, shape: tuple[int, int], spacing_mm: float, fine_mm: float, stretch: float = 1.0) -> NDArray[np.float32]:
    """Return a texture of zero mean and unit spread with structures of ``fine_mm``, ``stretch`` times as long as wide."""
    noise = rng.standard_normal(shape, dtype=np.float32)
    sigma = max(fine_mm / spacing_mm, 0.35)
    fine: NDArray[np.float32] = cv2.GaussianBlur(noise, (0, 0), sigmaX=sigma, sigmaY=sigma * stretch)
    fine -= cv2.GaussianBlur(fine, (0, 0), 3 * sigma)
    fine /= max(float(fine.std()), 1e-6)
    return fine


def clouds(rng: np.random.Generator, shape: tuple[int, int], spacing_mm: float) -> NDArray[np.float32]:
    """Return slow mottle, about zero mean and unit spread, as faeces, fat and vessels make it."""
    total = np.zeros(shape, dtype=np.float32)
    for size_mm, weight in ((45.0, 1.0), (18.0, 0.6), (7.0, 0.35)):
        cells = (max(int(shape[0] * spacing_mm / size_mm), 2) + 2, max(int(shape[1] * spacing_mm / size_mm), 2) + 2)
        noise = rng.standard_normal(cells, dtype=np.float32)
        total += weight * cv2.resize(noise, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)
    return total


def _spread(primary: Floats, sigma_px: float) -> Floats:
    """Blur widely, on a small copy."""
    factor = max(int(sigma_px / 4), 1)
    size = (max(primary.shape[1] // factor, 2), max(primary.shape[0] // factor, 2))
    small = cv2.resize(primary, size, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), sigma_px / factor, borderType=cv2.BORDER_REPLICATE)
    whole: Floats = cv2.resize(small, (primary.shape[1], primary.shape[0]), interpolation=cv2.INTER_LINEAR)
    return whole


def _twelve_bit(signal: Floats) -> Floats:
    """Quantise the log signal as a detector does: 4096 steps over ten units of attenuation; air is at 1."""
    return np.round(np.clip(signal + 1, 0, 10) * 409.5) / 409.5


def _display(signal: Floats, exposure: Exposure, shutter: Floats, spacing_mm: float) -> NDArray[np.uint8]:
    inside = shutter > 0.5
    body = _body(signal, inside)
    shown = _flattened(signal, exposure, inside, body, spacing_mm, reach=(3.5, 3.0))
    low, high = np.percentile(shown[body], exposure.window)
    grey = np.clip((shown - low) / max(high - low, 1e-3), 0, 1) ** exposure.gamma
    # An S-shaped film curve: soft shoulders instead of clipped ones.
    grey = 0.55 * grey + 0.45 * grey * grey * (3 - 2 * grey)
    level = np.where(inside, 255 * grey, exposure.black + 255 * grey * np.clip(shutter, 0, 0.5) * 0.4)
    picture: NDArray[np.uint8] = np.clip(np.round(level), 0, 255).astype(np.uint8)
    return picture


def _flattened(
    signal: Floats, exposure: Exposure, inside: NDArray[np.bool_], body: NDArray[np.bool_], spacing_mm: float, *, reach: tuple[float, float]
) -> Floats:
    """Take out part of the slow changes, ``reach`` below and above the usual signal, and enhance edges."""
    usual = float(np.median(signal[body]))
    filled = np.where(inside, signal, usual).astype(np.float32)
    slow = _spread(np.clip(filled, usual - reach[0], usual + reach[1]), 32 / spacing_mm)
    fine = cv2.GaussianBlur(filled, (0, 0), 2.2 / spacing_mm)
    shown: Floats = filled - exposure.flatten * (slow - usual) + exposure.edge * (filled - fine)
    return shown


def _equalised(signal: Floats, exposure: Exposure, patient: Floats, spacing_mm: float) -> Floats:
    """Take out part of the slow changes inside the patient, whose edge makes no halo, and enhance edges of two sizes."""
    weight = patient.astype(np.float32)
    slow = _spread(signal * weight, 30 / spacing_mm) / np.maximum(_spread(weight, 30 / spacing_mm), 0.02)
    usual = float(np.median(signal[weight > 0.5]))
    fine, middle = (cv2.GaussianBlur(signal, (0, 0), size / spacing_mm) for size in (2.2, 8.0))
    shown: Floats = signal - exposure.flatten * (slow - usual) + exposure.edge * (signal - fine) + 0.6 * exposure.edge * np.clip(fine - middle, -0.5, 0.5)
    return shown


def _body(signal: Floats, inside: NDArray[np.bool_], above: float = 0.62) -> NDArray[np.bool_]:
    """Return where the patient is, as a display system finds it: behind the skin edge, in the middle of the field, not under lead.

    ``above`` is the least signal as a part of that of thick regions.
    """
    middle = np.zeros_like(inside)
    rows, columns = inside.shape
    middle[rows // 12 : rows - rows // 12, columns // 8 : columns - columns // 8] = True
    region = inside & middle
    thick = float(np.percentile(signal[region], 85))
    return region & (signal > above * thick) & (signal < 1.5 * thick)
