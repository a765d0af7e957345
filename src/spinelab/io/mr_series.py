"""Which plane and which weighting an MR series has, from its header, with the reason; nothing is guessed from pixels or file names.

Weighting comes from the sequence's times first (an MR physicist's rule of thumb for spin echoes: short TE and short TR is T1, long TE is T2, an inversion
that nulls fat is STIR), and from the words of SeriesDescription and ProtocolName second. Where both speak and contradict each other, or neither
speaks, the weighting is unknown and the source says what was seen.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from spinelab.core import Fact, Image, unknown
from spinelab.geometry.planes import OBLIQUE_BEYOND_DEG, degrees_from, nearest_plane, plane_of
from spinelab.io.dicom_facts import PLANE_WORDS, named

WEIGHTINGS: Final = ("T1", "T2", "STIR", "PD")

T1_TE_MS: Final = 30.0
"""Longest echo time of a T1-weighted spin echo."""
T1_TR_MS: Final = 1200.0
"""Longest repetition time of a T1-weighted spin echo; T1 inversion recovery (T1 FLAIR) takes longer and says so by its inversion time."""
T1_LEAST_TR_MS: Final = 200.0
"""Shortest repetition time of a T1-weighted spin echo; localizers and other fast gradient echoes, which may not say so, take less."""
T2_TE_MS: Final = 60.0
T2_TR_MS: Final = 900.0
"""Shortest times of a T2-weighted spin echo; 3D sequences that flip the magnetisation back have a TR of about 1000 ms."""
STIR_TI_MS: Final = (80.0, 260.0)
"""Inversion times that null fat, from 0.2 T to 3 T."""
FLAIR_TI_MS: Final = (500.0, 3000.0)

LEANING_DEG: Final = 60.0
"""Angle to the plane that a description names up to which it is believed; the disc L5/S1 seldom leans more."""

_TIMES: Final = ("EchoTime", "RepetitionTime", "InversionTime")
_TEXTS: Final = ("SeriesDescription", "ProtocolName")
_WORDS: Final = {
    "STIR": r"stir|tirm|irfse|ir_?tse",
    "T1": r"t1w?i?(?!\d)|flair_?t1",
    "T2": r"t2w?i?(?!\d|\s?\*|_?star)",
    "PD": r"pdw?|proton|dp",
}
_SCOUT: Final = r"locali[sz]er|scout|survey"
_FAT: Final = r"fs|fat_?-?\s?sat|fatsat|spair|spir|stir|tirm|dixon_?w|water|we"


@dataclass(frozen=True, slots=True)
class SeriesKind:
    """What a series is.

    Parameters
    ----------
    plane
        ``SAGITTAL``, ``AXIAL``, ``CORONAL`` or ``OBLIQUE``.
    weighting
        One of `WEIGHTINGS`.
    fat_suppressed
        True where fat is said to be dark.
    """

    plane: Fact
    weighting: Fact
    fat_suppressed: Fact

    @property
    def description(self) -> str | None:
        """Name of the series in the RSNA 2024 layout, ``None`` for one that it does not have."""
        names = {
            ("SAGITTAL", "T1"): "Sagittal T1",
            ("SAGITTAL", "T2"): "Sagittal T2/STIR",
            ("SAGITTAL", "STIR"): "Sagittal T2/STIR",
            ("AXIAL", "T2"): "Axial T2",
        }
        return names.get((self.plane.value, self.weighting.value))

    @property
    def reason(self) -> str:
        """One sentence: plane and weighting, each with what it was taken from."""
        plane = f"{str(self.plane.value).lower()} ({self.plane.source})" if self.plane.known else f"plane not known ({self.plane.source})"
        weighting = f"{self.weighting.value} ({self.weighting.source})" if self.weighting.known else f"weighting not known ({self.weighting.source})"
        return f"{plane}; {weighting}"


def series_kind(image: Image) -> SeriesKind:
    """Return what an image of an MR examination is, as far as its file states it."""
    stated = {key: str(fact.value) for key, fact in image.facts.items() if fact.known}
    if image.modality.known and image.modality.value != "MR":
        other = unknown(f"not MR: modality {image.modality.value}")
        return SeriesKind(plane_fact(image), other, other)
    return SeriesKind(plane_fact(image), weighting(stated), fat_suppression(stated))


def plane_fact(image: Image) -> Fact:
    """Return the plane from the orientation; where none is stated, from the words that the reader took the view from."""
    affine = image.affine
    if affine.known and "placeholder" in affine.source:
        return unknown(f"the orientation is probably a placeholder ({affine.source})")
    if affine.known:
        name, degrees = plane_of(affine.value)
        reason = f"{affine.source}: {degrees:.0f} degrees from {nearest_plane(affine.value).lower()}{_isotropic(image)}"
        return _described_plane(image, reason) or Fact(name, reason)
    if image.view.value in ("SAGITTAL", "AXIAL", "CORONAL", "OBLIQUE"):
        return Fact(image.view.value, image.view.source)
    return unknown(f"{affine.source}; {image.view.source}")


def _described_plane(image: Image, reason: str) -> Fact | None:
    """Return the plane that the description names, if the slices lean towards it though another is nearer, as axial slices along the disc L5/S1 often do."""
    for key in _TEXTS:
        stated = image.facts.get(key)
        if stated is None or not stated.known or (plane := named(str(stated.value), PLANE_WORDS)) is None:
            continue
        degrees = degrees_from(image.affine.value, plane)
        return Fact(plane, f"{key} {stated.value!r}; {reason}, {degrees:.0f} from {plane.lower()}") if OBLIQUE_BEYOND_DEG < degrees <= LEANING_DEG else None
    return None


def _isotropic(image: Image) -> str:
    """Say that a volume with equal spacings has no plane of its own but the one that it is stored in."""
    spacing = image.spacing_mm.value
    same = image.axes == "ZYX" and spacing is not None and max(spacing) <= 1.2 * min(spacing)
    return "; voxels of equal sides: the plane that it is stored in" if same else ""


def weighting(stated: Mapping[str, str]) -> Fact:
    """Return the weighting from header elements by DICOM keyword, as text; several values are joined with a backslash.

    Looked at: ScanningSequence, EchoTime, RepetitionTime, InversionTime (ms), SeriesDescription, ProtocolName, and ImageType, by which a localizer is told.
    """
    scout = next((key for key in (*_TEXTS, "ImageType") if _word(_SCOUT, stated.get(key, ""))), None)
    if scout is not None:
        return unknown(f"a localizer ({scout} {stated[scout]!r})")
    return _of_times_and_words(stated)


def _of_times_and_words(stated: Mapping[str, str]) -> Fact:
    """Return the weighting by the times and then the words of a series that is no localizer."""
    by_times, times = _from_times(stated)
    by_words, words = _from_words(stated)
    if by_times is None and by_words is None:
        return unknown("; ".join(part for part in (times, words) if part))
    if by_words is None:
        return Fact(by_times, times)
    if by_times is None:
        return Fact(by_words, f"{words}; {times}" if times else words)
    if by_times == by_words:
        return Fact(by_times, f"{times}; {words}")
    if by_words == "STIR" and by_times == "T2":
        return Fact("STIR", f"{words}; {times}, no inversion time against it")
    return unknown(f"contradiction: {words}, but {times}")


def _from_times(stated: Mapping[str, str]) -> tuple[str | None, str]:
    """Return what the sequence's times say (``None``: nothing), and the words for it."""
    te, tr, ti = (_number(stated.get(key)) for key in _TIMES)
    sequence = set(re.findall(r"[A-Z]+", stated.get("ScanningSequence", "").upper()))
    shown = ", ".join(f"{name} {value:g} ms" for name, value in (("TE", te), ("TR", tr), ("TI", ti)) if value is not None)
    if te is None or tr is None:
        return None, f"EchoTime or RepetitionTime not stated{f' ({shown})' if shown else ''}"
    if "GR" in sequence:
        return None, f"gradient echo, {shown}: the times alone do not say"
    if ti or "IR" in sequence:
        return _of_inversion(te, tr, ti, shown)
    return _of_spin_echo(te, tr, shown)


def _of_inversion(te: float, tr: float, ti: float | None, shown: str) -> tuple[str | None, str]:
    if not ti:
        return None, f"inversion recovery, {shown}, without an inversion time that says which"
    if STIR_TI_MS[0] <= ti <= STIR_TI_MS[1] and tr > T1_TR_MS:
        return "STIR", f"{shown}: inversion recovery that nulls fat"
    if FLAIR_TI_MS[0] <= ti <= FLAIR_TI_MS[1]:
        return ("T1", f"{shown}: T1 inversion recovery") if te <= T1_TE_MS else (None, f"{shown}: inversion recovery that nulls fluid")
    return None, f"inversion recovery, {shown}: neither fat nor fluid is nulled"


def _of_spin_echo(te: float, tr: float, shown: str) -> tuple[str | None, str]:
    if te <= T1_TE_MS and tr < T1_LEAST_TR_MS:
        return None, f"{shown}: too short a repetition for a spin echo"
    if te <= T1_TE_MS:
        return ("T1", f"{shown}: short echo, short repetition") if tr <= T1_TR_MS else ("PD", f"{shown}: short echo, long repetition")
    if te >= T2_TE_MS and tr >= T2_TR_MS:
        return "T2", f"{shown}: long echo"
    return None, f"{shown}: between the weightings"


def _from_words(stated: Mapping[str, str]) -> tuple[str | None, str]:
    """Return what the description says: STIR before T2, and nothing if T1 and T2 are both named."""
    for key in _TEXTS:
        text = stated.get(key)
        if not text:
            continue
        found = [name for name, pattern in _WORDS.items() if _word(pattern, text)]
        if "STIR" in found:
            return "STIR", f"{key} {text!r}"
        if len(found) == 1:
            return found[0], f"{key} {text!r}"
        if found:
            return None, f"{key} {text!r} names {' and '.join(found)}"
    absent = not any(stated.get(key) for key in _TEXTS)
    return None, "no SeriesDescription or ProtocolName" if absent else f"SeriesDescription {stated.get('SeriesDescription', '')!r} names no weighting"


def fat_suppression(stated: Mapping[str, str]) -> Fact:
    """Return whether fat is said to be suppressed; unknown where nothing is said, for silence does not mean bright fat."""
    for key in _TEXTS:
        if _word(_FAT, stated.get(key, "")):
            return Fact(value=True, source=f"{key} {stated[key]!r}")
    if weighting(stated).value == "STIR":
        return Fact(value=True, source=weighting(stated).source)
    return unknown("not stated")


def _word(pattern: str, text: str) -> bool:
    """Return whether a pattern stands in the text with no letter or digit before or after it."""
    return re.search(rf"(?<![a-z0-9])(?:{pattern})(?![a-z0-9])", text.lower()) is not None


def _number(text: str | None) -> float | None:
    """Return the first of an element's numbers."""
    try:
        value = float((text or "").split("\\")[0])
    except ValueError:
        return None
    return value if np.isfinite(value) else None
