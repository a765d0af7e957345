"""What tissues look like in an MR sequence: T1, T2 and proton density, and the signal equations of spin echo and inversion recovery.

T1 and T2 at 1.5 T are of the order of published tables (Bojorquez JZ et al., Magn Reson Imaging 2017;35:69-80; Stanisz GJ et al., Magn Reson Med
2005;54:507-512). Fat's T2 is the longer one that it shows in fast spin echo, and fluid's the shorter one of fluid that moves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

TISSUES: Final = {
    "air": (1000.0, 50.0, 0.0),
    "fat": (245.0, 105.0, 0.95),
    "marrow": (400.0, 82.0, 0.72),
    "cortex": (900.0, 12.0, 0.12),
    "nucleus": (1050.0, 112.0, 0.85),
    "worn nucleus": (800.0, 58.0, 0.60),
    "annulus": (850.0, 34.0, 0.45),
    "ligament": (800.0, 24.0, 0.40),
    "fluid": (3600.0, 900.0, 1.0),
    "nerve": (950.0, 78.0, 0.80),
    "muscle": (920.0, 42.0, 0.80),
    "vessel": (1500.0, 25.0, 0.10),
    "organ": (750.0, 62.0, 0.80),
    "kidney": (950.0, 95.0, 0.85),
    "skin": (600.0, 35.0, 0.60),
}
"""T1 in ms, T2 in ms, proton density against water."""
TISSUE_NUMBER: Final = {name: place for place, name in enumerate(TISSUES)}


@dataclass(frozen=True)
class Sequence:
    """A spin echo (``ti_ms`` None) or an inversion recovery: times in ms, field in tesla, echoes in a train."""

    te_ms: float
    tr_ms: float
    ti_ms: float | None = None
    echo_train: int = 1
    field_tesla: float = 1.5


def signals(sequence: Sequence) -> np.ndarray:
    """Return every tissue's signal, in the order of `TISSUES`, as a magnitude.

    Spin echo: PD (1 - exp(-TR/T1)) exp(-TE/T2). Inversion recovery: PD |1 - 2 exp(-TI/T1) + exp(-TR/T1)| exp(-TE/T2). T1 grows with the field's third
    root, fat's hardly.
    """
    t1, t2, density = np.array(list(TISSUES.values())).T
    stretch = (sequence.field_tesla / 1.5) ** np.where(np.arange(len(t1)) == TISSUE_NUMBER["fat"], 0.1, 1 / 3)
    recovered = np.exp(-sequence.tr_ms / (t1 * stretch))
    along = 1 - recovered if sequence.ti_ms is None else np.abs(1 - 2 * np.exp(-sequence.ti_ms / (t1 * stretch)) + recovered)
    found: np.ndarray = density * along * np.exp(-sequence.te_ms / t2)
    return found.astype(np.float32)
