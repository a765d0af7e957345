"""SRS-Schwab sagittal modifiers and Roussouly types, with the shares of sampled landmark sets that fall into each class.

Every function takes arrays (...) and returns class numbers (...), -1 where a value needed is NaN; `shares` turns samples of them into
probabilities by class name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from spinelab.core import InputError
from spinelab.geometry.cobb import Integers

SCHWAB_GRADES: Final = ("0", "+", "++")
SCHWAB_LIMITS: Final[Mapping[str, tuple[float, float]]] = {"pi_ll": (10.0, 20.0), "sva": (40.0, 95.0), "pt": (20.0, 30.0)}
"""Where grades + and ++ begin, in degrees and (SVA) millimetres."""

ROUSSOULY_TYPES: Final = ("1 or 2", "3", "3 anteverted", "4")
_LOW_SS_DEG, _HIGH_SS_DEG = 35.0, 45.0
_ANTEVERTED_PT_DEG, _LOW_PI_DEG = 5.0, 50.0


def schwab(parameter: str, values: ArrayLike) -> Integers:
    """Return the SRS-Schwab sagittal modifier as a place in `SCHWAB_GRADES`: 0, + or ++.

    PI-LL: 0 below 10 degrees, + to 20, ++ above. SVA: 0 below 40 mm, + to 95, ++ above. PT: 0 below 20 degrees, + to 30, ++ above.
    A negative value is grade 0. SVA must be in millimetres: without pixel spacing there is no such grade.

    Parameters
    ----------
    parameter
        ``pi_ll``, ``sva`` (mm) or ``pt``.

    Raises
    ------
    InputError
        Another parameter.

    Notes
    -----
    Schwab F et al., Scoliosis Research Society-Schwab adult spinal deformity classification: a validation study, Spine 37:1077-1082, 2012.
    """
    if parameter not in SCHWAB_LIMITS:
        raise InputError(f"No SRS-Schwab modifier for {parameter!r}", expected=", ".join(SCHWAB_LIMITS), action="choose one")
    value = np.asarray(values, dtype=np.float64)
    moderate, marked = SCHWAB_LIMITS[parameter]
    grade = (value >= moderate).astype(np.intp) + (value > marked)
    return np.where(np.isnan(value), -1, grade)


def roussouly(ss_deg: ArrayLike, pt_deg: ArrayLike | None = None) -> Integers:
    """Return the Roussouly type of standing posture as a place in `ROUSSOULY_TYPES`, as far as SS and PT tell it.

    SS below 35 degrees: type 1 or 2. From 35 to 45: type 3. Above 45: type 4. With PT: ``3 anteverted`` instead of 3 or 4 where the
    pelvis leans forward although PI is low - PT of 5 degrees or less and PI = PT + SS of 50 or less, this program's cut for what
    Laouissat et al. describe by means (PI 48 +- 6, PT 4 +- 3, SS above 35) without stating one.

    What cannot be told: types 1 and 2 differ in where the apex of the lordosis lies (centre of L5, or lower edge of L4) and in the number
    of vertebrae in lordosis; endplates of L1, L4 and S1 alone show neither, so they are one class here.

    Notes
    -----
    Roussouly P et al., Spine 30:346-353, 2005; Laouissat F et al., Eur Spine J 27:2002-2011, 2018. Meant for spines without deformity.
    """
    ss = np.asarray(ss_deg, dtype=np.float64)
    kind = np.where(ss < _LOW_SS_DEG, 0, np.where(ss <= _HIGH_SS_DEG, 1, 3)).astype(np.intp)
    unknown = np.isnan(ss)
    if pt_deg is not None:
        pt = np.asarray(pt_deg, dtype=np.float64)
        kind = np.where((kind > 0) & (pt <= _ANTEVERTED_PT_DEG) & (pt + ss <= _LOW_PI_DEG), 2, kind)
        unknown = unknown | np.isnan(pt)
    return np.where(unknown, -1, kind)


def lordosis_apex(l4_slope_deg: ArrayLike) -> Integers:
    """Return where the apex of the lordosis lies against the upper endplate of L4: 0 below it, 1 at it (within 2 degrees of level), 2 above; -1 unknown.

    The apex is where the spine stands level. ``l4_slope_deg`` is SS - L4-S1: how far that endplate falls forward. It is all that
    endplates of L1, L4 and S1 tell about the apex.
    """
    slope = np.asarray(l4_slope_deg, dtype=np.float64)
    place = np.where(slope < -2.0, 0, np.where(slope <= 2.0, 1, 2)).astype(np.intp)
    return np.where(np.isnan(slope), -1, place)


def shares(classes: ArrayLike, names: Sequence[str]) -> dict[str, float]:
    """Return the probability of every class that samples give, by name; unknown samples (-1) are left out, and with none known all are NaN.

    Half a sample is added to each class (Jeffreys), because n samples without a class say that it is rare, and not that it cannot be.

    Raises
    ------
    InputError
        A class number without a name.
    """
    numbers = np.asarray(classes).reshape(-1)
    known = numbers[numbers >= 0]
    if known.size and known.max() >= len(names):
        raise InputError(f"Class number {known.max()}", expected=f"at most {len(names) - 1}", action="give the names that belong to these classes")
    counts = np.bincount(known.astype(np.intp), minlength=len(names))
    whole = known.size + len(names) / 2
    return {name: float((count + 0.5) / whole) if known.size else float("nan") for name, count in zip(names, counts, strict=True)}
