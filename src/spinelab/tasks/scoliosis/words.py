"""What a reader of an AP film has to know besides the numbers: curves in words, sides, and how certain the levels are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from spinelab.core import Image
from spinelab.geometry import THORACOLUMBAR, clinical_curves
from spinelab.tasks.scoliosis.measure import corners_of, found_levels

if TYPE_CHECKING:
    from spinelab.train.landmark_reading import Reading

WORTH_SAYING: Final = 0.05
"""Probability from which another numbering is mentioned."""
_STEPS: Final = {-2: "two levels higher", -1: "one level higher", 1: "one level lower", 2: "two levels lower"}


def notes(reading: Reading, image: Image) -> tuple[str, ...]:
    """Return the sentences, the most important first."""
    found = reading.found()
    levels = found_levels(found)
    return (*_levels(reading, levels), *_curves(reading, levels, _sides(image)), _sides_words(image))


def _levels(reading: Reading, levels: tuple[str, ...]) -> list[str]:
    said = []
    absent = [level for level in THORACOLUMBAR if level not in levels]
    if absent:
        said.append(f"Not found on the film: {', '.join(absent)}.")
    unseen = [THORACOLUMBAR[level] for level in reading.facts.get("between", ())]
    if unseen:
        said.append(f"Not seen clearly, and put where the column goes on: {', '.join(unseen)}.")
    certainty = reading.facts.get("certainty")
    if certainty is not None:
        others = {int(shift): p for shift, p in reading.facts.get("alternatives", {}).items() if int(shift) and p >= WORTH_SAYING}
        ways = "; ".join(f"every vertebra could be {_STEPS[shift]} than named ({p:.0%})" for shift, p in sorted(others.items(), key=lambda item: -item[1]))
        said.append(f"Names of the levels: right with a certainty of {certainty:.0%}{'; ' + ways if ways else ''}. The angles do not depend on the names.")
    return said


def _curves(reading: Reading, levels: tuple[str, ...], sides: tuple[str, str]) -> list[str]:
    if len(levels) < len(THORACOLUMBAR):
        return []
    curves = [c for c in clinical_curves(corners_of(reading.found(), levels), levels) if c.scoliotic]
    if not curves:
        return ["No curve of 10 degrees or more by the clinical rule."]
    words = [
        f"{c.region} {c.upper_name} to {c.lower_name}, {c.cobb_deg:.0f} degrees, apex {c.apex_name}, convex to {sides[c.convexity == 'right']}" for c in curves
    ]
    return [f"Curves by the clinical rule: {'; '.join(words)}. Which are structural takes bending films."]


def _sides(image: Image) -> tuple[str, str]:
    """Return what the left and the right side of the picture are called: the patient's side where the file states it."""
    orientation = image.facts.get("PatientOrientation")
    stated = (
        str(orientation.value).replace("[", "").replace("'", "").split("\\")[0].split(",")[0].strip() if orientation is not None and orientation.known else ""
    )
    if stated.startswith("L"):
        return "the patient's right", "the patient's left"
    if stated.startswith("R"):
        return "the patient's left", "the patient's right"
    return "the left of the picture", "the right of the picture"


def _sides_words(image: Image) -> str:
    if _sides(image)[0].startswith("the patient"):
        return "Sides are the patient's own, by the orientation that the file states."
    return "Sides are those of the picture: the file does not state which side of the patient is on its left."
