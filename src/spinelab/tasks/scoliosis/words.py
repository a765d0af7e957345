"""What a reader of an AP film has to know besides the numbers: curves in words, sides, and how certain the levels are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, Literal

from spinelab.core import Image
from spinelab.geometry import THORACOLUMBAR, clinical_curves
from spinelab.tasks.scoliosis import measure, position, scale
from spinelab.train import film_scale
from spinelab.train.landmark_film import head_below, runs_to

if TYPE_CHECKING:
    from spinelab.train.landmark_reading import Reading

WORTH_SAYING: Final = 0.05
"""Probability from which another numbering is mentioned."""
_COUNTS: Final = ("no level", "one level", "two levels", "three levels", "four levels")


def notes(reading: Reading, image: Image) -> tuple[str, ...]:
    """Return the sentences, the most important first."""
    found = reading.found()
    levels = measure.found_levels(found)
    doubt = scale.distorted(found, reading.spacing)
    curves = [] if doubt else _curves(reading, levels, _sides(image))
    size = film_scale.notes(image, "Distances are", angles=not doubt) if reading.spacing.known else ()
    return (*position.notes(reading), *_levels(reading, levels), *curves, _sides_words(image), *size)


def _levels(reading: Reading, levels: tuple[str, ...]) -> list[str]:
    said = []
    absent = [level for level in THORACOLUMBAR if level not in levels]
    if absent:
        known = position.names_certain(reading)
        said.append(f"Not found on the film: {measure.spans(absent)}." if known else f"No vertebra was named {measure.spans(absent)}; the names may be wrong.")
    unseen = reading.facts.get("between", ())
    if unseen:
        said.append(f"Not seen clearly, and put where the column goes on: {_named(unseen)}.")
    certainty = reading.facts.get("certainty")
    if certainty is not None:
        ways = "".join(f"; {way}" for way in _other_ways(reading))
        no_angle = absent or position.withheld(reading, "cobb_max") or scale.distorted(reading.found(), reading.spacing)
        whole = "" if no_angle else " The largest angle does not depend on the names."
        said.append(f"Names of the levels: right with a certainty of {certainty:.0%}{ways}.{whole}")
    return said


def _other_ways(reading: Reading) -> list[str]:
    """Return the other numberings that are worth saying, the likeliest first."""
    columns = {int(way["shift"]): way for way in reading.facts.get("columns", ())}
    others = [(p, shift) for shift, p in _shares(reading).items() if shift and p >= WORTH_SAYING]
    return [f"{_other_way(columns.get(0), columns.get(shift), shift)} ({p:.0%})" for p, shift in sorted(others, reverse=True)]


def _shares(reading: Reading) -> dict[int, float]:
    """Return the probabilities of the numberings beside the certainty that held-out films taught: none above it, all together at most 1.

    What is left of 1 are single vertebrae that are named otherwise.
    """
    chances = {int(shift): float(p) for shift, p in reading.facts.get("alternatives", {}).items()}
    named, certainty = chances.get(0, 1.0), float(reading.facts["certainty"])
    factor = min(certainty / named, (1 - certainty) / (1 - named)) if 0 < named < 1 else 1.0
    return {shift: factor * p for shift, p in chances.items()}


def _steps(shift: int) -> str:
    """Return in words by how many levels a numbering is another."""
    count = abs(shift)
    return f"{_COUNTS[count] if count < len(_COUNTS) else f'{count} levels'} {'higher' if shift < 0 else 'lower'}"


def _other_way(named: Mapping[str, Any] | None, other: Mapping[str, Any] | None, shift: int) -> str:
    """Return in words how another numbering differs; it may rename a part of the column only, skip a level, or take a vertebra for none."""
    whole = f"every vertebra could be {_steps(shift)} than named"
    if named is None or other is None:
        return whole
    names = dict(zip(map(tuple, other["middle"]), other["levels"], strict=True))
    ways = {level: names.pop(tuple(middle), None) for middle, level in zip(named["middle"], named["levels"], strict=True)}
    moved = [level for level, way in ways.items() if way == level + shift]
    gone = [level for level, way in ways.items() if way is None]
    also = [level for level, way in ways.items() if way not in {None, level, level + shift}]
    if len(moved) == len(ways) and not names:
        return whole
    said = [f"{_named(moved)} could be {_steps(shift)} than named"] if moved else ["the vertebrae could be counted otherwise"]
    said += [f"{_named(also)} yet otherwise"] if also else []
    said += [f"{_named(gone)} no vertebra of the column"] if gone else []
    said += ["and a vertebra counted that was passed over"] if names else []
    return ", ".join(said)


def _named(levels: Iterable[int]) -> str:
    return measure.spans([THORACOLUMBAR[level] for level in sorted(levels)])


def _curves(reading: Reading, levels: tuple[str, ...], sides: tuple[str, str]) -> list[str]:
    if len(levels) < len(THORACOLUMBAR):
        return []
    curves = [c for c in clinical_curves(measure.corners_of(reading.found(), levels) * measure.scale(reading.spacing.value), levels) if c.scoliotic]
    if not curves:
        return ["No curve of 10 degrees or more by the clinical rule."]
    angles = ["angle withheld" if position.no_end(reading, (c.upper_name, c.lower_name)) else f"{c.cobb_deg:.0f} degrees" for c in curves]
    words = [
        f"{c.region} {c.upper_name} to {c.lower_name}, {angle}, apex {c.apex_name}, convex to {sides[c.convexity == 'right']}"
        for c, angle in zip(curves, angles, strict=True)
    ]
    return [f"Curves by the clinical rule: {'; '.join(words)}. Which are structural takes bending films."]


def patient_side(image: Image, picture: Literal["left", "right"]) -> str | None:
    """Return which side of the patient lies on that side of the picture; ``None`` where the file does not state it, or an orientation that cannot be."""
    stated = runs_to(image)[0]
    if not stated.startswith(("L", "R")) or head_below(image):
        return None
    # The file states where the rows of the picture run to: the side that lies on its right.
    return "left" if stated.startswith("L") == (picture == "right") else "right"


def _sides(image: Image) -> tuple[str, str]:
    """Return what the left and the right side of the picture are called: the patient's side where the file states it."""
    left, right = patient_side(image, "left"), patient_side(image, "right")
    return f"the patient's {left}" if left else "the left of the picture", f"the patient's {right}" if right else "the right of the picture"


def _sides_words(image: Image) -> str:
    if patient_side(image, "left") is not None:
        return "Sides are the patient's own, by the orientation that the file states."
    if head_below(image):
        return "Sides are those of the picture: by the orientation that the file states this would be upside down."
    return "Sides are those of the picture: the file does not state which side of the patient is on its left."
