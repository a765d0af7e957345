"""The fifteen sagittal parameters of a lateral whole-spine film, for patients who face either way.

Points are ``(..., 2)`` x, y in pixels or millimetres (x to the right, y down); any number of sampled landmark sets is measured in one
call. A parameter is measured where all its landmarks (`NEEDS`) are given, and left out otherwise. Constructions and signs, with
their sources, are in ``docs/reference/angles.md``;
the list is Table 2 of Noh SH et al., Bioengineering 11:481, 2024.

Three measures carry all angles, each against the film's own vertical, with forward being where the patient faces:

- the *slope* of an endplate, positive where its front end is lower;
- the *lean* of a line upwards, positive where its upper end is in front;
- SS is a slope and PT the lean from the femoral heads to the sacrum, turned round, so that PI = PT + SS holds by construction.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from spinelab.core import InputError, Quantity
from spinelab.geometry.cobb import Numbers
from spinelab.geometry.lines import Points

LATERAL_LANDMARKS: Final = (
    *("FH_1", "FH_2", "S_1", "S_2", "L1_1", "L1_2", "L4_1", "L4_2", "T4_1", "T4_2", "T12_1", "T12_2", "T1", "T1_1", "T1_2"),
    *("C7", "C7_1", "C7_2", "C7_3", "C2_1", "C2_2", "ODT", "FM_1", "FM_2", "Forehead", "Jaw"),
)
"""The 26 landmarks: ``_1`` is the front end of an endplate, ``_2`` its back end (FH_1, FH_2: the two femoral heads)."""

_HIPS, _SACRUM = ("FH_1", "FH_2"), ("S_1", "S_2")
_L1, _L4, _T4, _T12 = ("L1_1", "L1_2"), ("L4_1", "L4_2"), ("T4_1", "T4_2"), ("T12_1", "T12_2")
_T1, _C7, _C2 = ("T1_1", "T1_2"), ("C7_1", "C7_2"), ("C2_1", "C2_2")

NEEDS: Final[Mapping[str, tuple[str, ...]]] = {
    "pi": (*_HIPS, *_SACRUM),
    "pt": (*_HIPS, *_SACRUM),
    "ss": _SACRUM,
    "ll": (*_L1, *_SACRUM),
    "l4_s1": (*_L4, *_SACRUM),
    "tk": (*_T4, *_T12),
    "tpa": ("T1", *_HIPS, *_SACRUM),
    "cbva": ("Forehead", "Jaw"),
    "c2_c7": (*_C2, *_C7),
    "t1_slope": _T1,
    "ts_cl": (*_T1, *_C2, *_C7),
    "odha": ("ODT", *_HIPS),
    "pi_ll": (*_HIPS, *_SACRUM, *_L1),
    "ssa": ("C7", *_SACRUM),
    "sva": ("C7", "S_2"),
}
"""The landmarks that each parameter needs. Which way the patient faces is taken from all front and back points that are given."""
PARAMETERS: Final = tuple(NEEDS)

FRONT_AND_BACK: Final = (_SACRUM, _L1, _L4, _T4, _T12, _T1, _C7, _C2, ("FM_1", "FM_2"))
"""The pairs of a front and a back point that vote on which way the patient faces."""

_TITLES: Final = {
    "pi": (
        "Pelvic incidence",
        "between the line from the centre of the femoral heads to the middle of S1's upper endplate and that endplate's perpendicular",
    ),
    "pt": (
        "Pelvic tilt",
        "between the line from the centre of the femoral heads to the middle of S1's upper endplate and the vertical; positive backwards",
    ),
    "ss": ("Sacral slope", "between the upper endplate of S1 and the horizontal"),
    "ll": ("Lumbar lordosis L1-S1", "between the upper endplates of L1 and S1; lordosis positive"),
    "l4_s1": ("Lordosis L4-S1", "between the upper endplates of L4 and S1; lordosis positive"),
    "tk": ("Thoracic kyphosis T4-T12", "between the upper endplate of T4 and the lower endplate of T12; kyphosis positive"),
    "tpa": ("T1 pelvic angle", "between the lines from the centre of the femoral heads to the centre of T1 and to the middle of the upper endplate of S1"),
    "cbva": ("Chin-brow vertical angle", "between the line from chin to forehead and the vertical; positive with the gaze down"),
    "c2_c7": ("Cervical lordosis C2-C7", "between the lower endplates of C2 and C7; lordosis positive"),
    "t1_slope": ("T1 slope", "between the upper endplate of T1 and the horizontal; positive forward and down"),
    "ts_cl": ("T1 slope minus cervical lordosis", "T1 slope - C2-C7 lordosis"),
    "odha": ("Odontoid-hip axis angle", "between the line from the centre of the femoral heads to the odontoid and the vertical; positive forward"),
    "pi_ll": ("Pelvic incidence minus lumbar lordosis", "PI - LL"),
    "ssa": ("Spino-sacral angle", "between the line from the middle of the upper endplate of S1 to the centre of C7 and the endplate, measured in front"),
    "sva": ("Sagittal vertical axis", "horizontal distance from the back upper corner of S1 to the plumb line of the centre of C7; positive forward"),
}

SAGITTAL_QUANTITIES: Final = (
    *(Quantity(name, "deg", title, how) for name, (title, how) in _TITLES.items() if name != "sva"),
    *(Quantity("sva", unit, *_TITLES["sva"]) for unit in ("mm", "px")),
)
"""The fifteen parameters as a task declares them; SVA in millimetres and in pixels."""


def _vectors(points: Mapping[str, ArrayLike], pair: tuple[str, str]) -> Points:
    return np.asarray(points[pair[0]], dtype=np.float64) - np.asarray(points[pair[1]], dtype=np.float64)


def facing_votes(points: Mapping[str, ArrayLike]) -> Numbers:
    """Return the mean vote (...) of all front and back pairs in [-1, 1]: 1 where all say that the patient faces the image's right, -1 the left.

    Every pair has one vote whatever its length, so no single misplaced point decides. NaN points do not vote.

    Raises
    ------
    InputError
        No pair of `FRONT_AND_BACK` is given.
    """
    votes = [np.sign(_vectors(points, pair)[..., 0]) for pair in FRONT_AND_BACK if pair[0] in points and pair[1] in points]
    if not votes:
        raise InputError(
            "No endplate with a front and a back point", expected="such as S_1 and S_2", action="give `facing`: 1 for the image's right, -1 for its left"
        )
    cast = np.stack(np.broadcast_arrays(*votes))
    known = np.isfinite(cast)
    mean: Numbers = np.where(known, cast, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    return mean


def facing_side(points: Mapping[str, ArrayLike]) -> Numbers:
    """Return 1 (...) where the patient faces the image's right, -1 for its left, NaN where the votes are even.

    Raises
    ------
    InputError
        As `facing_votes`.
    """
    votes = facing_votes(points)
    side: Numbers = np.where(votes == 0, np.nan, np.sign(votes))
    return side


def sagittal_parameters(points: Mapping[str, ArrayLike], facing: ArrayLike | None = None) -> dict[str, Numbers]:
    """Return every parameter whose landmarks are given, in the order of `PARAMETERS`: degrees, and SVA in the unit of the points.

    Parameters
    ----------
    points
        Landmark to x, y (..., 2); names as in `LATERAL_LANDMARKS`, others are ignored. Shapes must broadcast. NaN gives NaN.
    facing
        1 (the image's right) or -1 (...); by default the vote of all front and back points, film by film.

    Notes
    -----
    Where no endplate has both ends, the side that the patient faces is unknown and, without ``facing``, every parameter is left out;
    where the votes are even the values are NaN.

    Raises
    ------
    InputError
        A point is no x, y.
    """
    given = {name: _as_points(name, value) for name, value in points.items() if name in LATERAL_LANDMARKS}
    wanted = [name for name in PARAMETERS if all(landmark in given for landmark in NEEDS[name])]
    if not wanted or (facing is None and not any(front in given and back in given for front, back in FRONT_AND_BACK)):
        return {}
    side = facing_side(given) if facing is None else np.asarray(facing, dtype=np.float64)
    body = {name: np.stack(np.broadcast_arrays(side * xy[..., 0], -xy[..., 1]), axis=-1) for name, xy in given.items()}
    return {name: _HOW[name](body) for name in wanted}


def _as_points(name: str, value: ArrayLike) -> Points:
    xy = np.asarray(value, dtype=np.float64)
    if xy.ndim < 1 or xy.shape[-1] != 2:
        raise InputError(f"{name}: shape {xy.shape}", expected="(..., 2) as x, y", action="give x and y of each point")
    return xy


# Below, points are in the patient's own frame: forward, up.
_Body = Mapping[str, Points]


def _middle(body: _Body, pair: tuple[str, str]) -> Points:
    centre: Points = (body[pair[0]] + body[pair[1]]) / 2
    return centre


def _slope(body: _Body, pair: tuple[str, str]) -> Numbers:
    """Return by how many degrees an endplate falls towards its front end."""
    along = body[pair[0]] - body[pair[1]]
    slope: Numbers = np.degrees(np.arctan2(-along[..., 1], along[..., 0]))
    return slope


def _lean(low: Points, high: Points) -> Numbers:
    """Return by how many degrees the line from ``low`` to ``high`` leans forward from the vertical."""
    up = high - low
    lean: Numbers = np.degrees(np.arctan2(up[..., 0], up[..., 1]))
    return lean


def _turned(degrees: Numbers) -> Numbers:
    """Bring a difference of directions into [-180, 180)."""
    wrapped: Numbers = (degrees + 180.0) % 360.0 - 180.0
    return wrapped


def _pt(body: _Body) -> Numbers:
    return -_lean(_middle(body, _HIPS), _middle(body, _SACRUM))


def _ss(body: _Body) -> Numbers:
    return _slope(body, _SACRUM)


def _lordosis(body: _Body, upper: tuple[str, str], lower: tuple[str, str]) -> Numbers:
    return _turned(_slope(body, lower) - _slope(body, upper))


def _pi(body: _Body) -> Numbers:
    incidence: Numbers = _pt(body) + _ss(body)
    return incidence


def _ll(body: _Body) -> Numbers:
    return _lordosis(body, _L1, _SACRUM)


def _ssa(body: _Body) -> Numbers:
    return _turned(90.0 + _ss(body) - _lean(_middle(body, _SACRUM), body["C7"]))


def _tpa(body: _Body) -> Numbers:
    return _turned(_lean(_middle(body, _HIPS), body["T1"]) + _pt(body))


def _ts_cl(body: _Body) -> Numbers:
    mismatch: Numbers = _slope(body, _T1) - _lordosis(body, _C2, _C7)
    return mismatch


def _pi_ll(body: _Body) -> Numbers:
    mismatch: Numbers = _pi(body) - _ll(body)
    return mismatch


def _sva(body: _Body) -> Numbers:
    forward: Numbers = body["C7"][..., 0] - body["S_2"][..., 0]
    return forward


_HOW: Final[Mapping[str, Callable[[_Body], Numbers]]] = {
    "pi": _pi,
    "pt": _pt,
    "ss": _ss,
    "ll": _ll,
    "l4_s1": lambda body: _lordosis(body, _L4, _SACRUM),
    "tk": lambda body: -_lordosis(body, _T4, _T12),
    "tpa": _tpa,
    "cbva": lambda body: _lean(body["Jaw"], body["Forehead"]),
    "c2_c7": lambda body: _lordosis(body, _C2, _C7),
    "t1_slope": lambda body: _slope(body, _T1),
    "ts_cl": _ts_cl,
    "odha": lambda body: _lean(_middle(body, _HIPS), body["ODT"]),
    "pi_ll": _pi_ll,
    "ssa": _ssa,
    "sva": _sva,
}
