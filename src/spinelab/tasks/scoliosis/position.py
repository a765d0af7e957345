"""Vertebrae that may be misplaced: which, in words, and what follows for the names of the levels and for the angles."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from spinelab.core import Finding
from spinelab.geometry import THORACOLUMBAR
from spinelab.geometry.misplaced import MISCOUNTED, Fault, Neighbours, find_faults
from spinelab.tasks.scoliosis import measure
from spinelab.train.misplaced_vertebrae import most_certain

if TYPE_CHECKING:
    from spinelab.train.landmark_reading import Reading

FINDING: Final = "position"
IMPLAUSIBLE: Final = "implausible"
SURE: Final = 0.8
"""Certainty from which the names of the levels are called certain."""
NO_END: Final = ("order", "outline", "missed")
"""Kinds of faults at which no angle can end: the endplates are none, or another vertebra should have been the end."""
_TITLES: Final = {quantity.name: quantity.title for quantity in measure.QUANTITIES}


@dataclass(frozen=True, slots=True)
class Misplaced:
    """A vertebra with something implausible about it, and its neighbours above and below, empty where there is none."""

    level: str
    above: str
    below: str
    fault: Fault

    @property
    def no_end(self) -> tuple[str, ...]:
        """Return the levels that no angle can end at because of it."""
        if self.fault.kind not in NO_END:
            return ()
        return (self.level,) if self.fault.kind == "outline" else (self.above, self.level)


def judged(reading: Reading, learnt: Mapping[str, Any]) -> Reading:
    """Return the reading with ``misplaced`` and the ``ends`` of its angles among the facts, and a certainty of the names that allows for a miscounted vertebra.

    ``learnt`` is what the model's calibration holds of its head. A model that learnt nothing about neighbours judges by order, outlines and crossings alone.
    """
    found, spacing = reading.found(), reading.spacing.value
    levels = measure.found_levels(found)
    if len(levels) < 2:
        return reading
    neighbours = Neighbours.from_dict(learnt["neighbours"]) if "neighbours" in learnt else None
    facts: dict[str, Any] = {"misplaced": implausible(found, spacing, neighbours)}
    places = measure.places(found, spacing, reading.shape[0])
    facts["ends"] = {name: tuple(place.site.split("-")) for name, place in places.items() if not measure.absent(name, levels)}
    facts["ends"] |= dict.fromkeys(measure.BALANCE, (THORACOLUMBAR[0], THORACOLUMBAR[-1]))
    if "certainty" in reading.facts and _miscounted(facts["misplaced"]):
        facts["certainty"] = min(reading.facts["certainty"], most_certain(learnt))
    return replace(reading, facts=reading.facts | facts)


def implausible(points: Mapping[str, NDArray[np.float64]], spacing_mm: tuple[float, float] | None, learnt: Neighbours | None) -> tuple[Misplaced, ...]:
    """Return what is implausible about the vertebrae of a film, from top to bottom; ``points`` are corners in pixels by name.

    Where nothing is learnt about neighbours, or a level between is absent, by order, outlines and crossings alone.
    """
    levels = measure.found_levels(points)
    if len(levels) < 2:
        return ()
    neighbours = learnt if measure.joined(levels) else None
    faults = find_faults(measure.corners_of(points, levels) * measure.scale(spacing_mm), neighbours, THORACOLUMBAR.index(levels[0]))
    named = ("", *levels, "")
    return tuple(Misplaced(named[f.place + 1], named[f.place], named[f.place + 2], f) for f in faults)


def certainty(reading: Reading) -> float:
    """Return the probability that every vertebra has its right name."""
    return float(reading.facts.get("certainty", 0.0))


def names_certain(reading: Reading) -> bool:
    """Return whether the names of the levels are called certain."""
    return certainty(reading) >= SURE


def misplaced(reading: Reading) -> tuple[Misplaced, ...]:
    """Return what is implausible, from top to bottom."""
    found: tuple[Misplaced, ...] = reading.facts.get("misplaced", ())
    return found


def findings(reading: Reading) -> tuple[Finding, ...]:
    """Return a finding for each vertebra that may be misplaced."""
    return tuple(Finding(FINDING, IMPLAUSIBLE, site=level) for level in dict.fromkeys(one.level for one in misplaced(reading)))


def withheld(reading: Reading, quantity: str) -> str:
    """Return why an angle, or a line between two vertebrae, has nothing to end at; empty where nothing speaks against it."""
    return no_end(reading, reading.facts.get("ends", {}).get(quantity, ()))


def no_end(reading: Reading, levels: Collection[str]) -> str:
    """Return why no angle can end at one of these levels; empty where nothing speaks against it."""
    return next((f"{one.level} may be misplaced: {words(one)}" for one in misplaced(reading) if set(one.no_end) & set(levels)), "")


def notes(reading: Reading) -> list[str]:
    """Return a sentence for each vertebra that may be misplaced, which angles end at one, and what it means for the names."""
    found = misplaced(reading)
    levels = list(dict.fromkeys(one.level for one in found))
    said = [f"Check {level} on the film, it may be misplaced: {'; '.join(words(one) for one in found if one.level == level)}." for level in levels]
    ends = {name: two for name, two in reading.facts.get("ends", {}).items() if name not in measure.BALANCE}
    doubtful = [_TITLES[name] for name, two in ends.items() if set(two) & set(levels) and not withheld(reading, name)]
    if doubtful:
        said.append(f"Not certain, because an end vertebra may be misplaced: {', '.join(doubtful)}.")
    if counted := _miscounted(found):
        said.append(f"If a vertebra was missed or counted twice at {', '.join(counted)}, the names on one side of it are one level off.")
    return said


def words(one: Misplaced) -> str:
    """Return what is implausible about a vertebra as a reader of films says it: ``it is ...``."""
    fault, above = one.fault, one.above
    times = f"{fault.amount:.1f} times as far from {above}"
    around = "as the vertebrae around are from each other"
    side = "right" if fault.amount > 0 else "left"
    return {
        "order": f"it does not lie below {above}",
        "outline": "its four corners form no quadrilateral",
        "crossing": f"its upper endplate crosses the lower endplate of {above}",
        "missed": f"it is {times} {around}, and a vertebra may have been missed between them",
        "twice": f"it is only {times} {around}, and one vertebra may have been counted twice",
        "near": f"it is only {times} {around}",
        "slid": f"it is {times}, and {fault.below:.1f} times as far from {one.below}, {around}: too {'high' if fault.amount < fault.below else 'low'}",
        "height": f"it is {fault.amount:.1f} times as high as its neighbours: an endplate may be another one's, or the body is deformed",
        "width": f"it is {fault.amount:.1f} times as wide as its neighbours",
        "wedge": f"it is wedged by {abs(fault.amount):.0f} degrees more than its neighbours, higher on the {side} of the picture: "
        "a corner may be wrong, or the body is deformed",
        "tilt": f"it is turned by {abs(fault.amount):.0f} degrees against the course of its neighbours, lower on the {side} of the picture",
        "aside": f"it lies {abs(fault.amount):.0%} of its width off the course of its neighbours, to the {side} of the picture, unless it has slipped sideways",
    }[fault.kind]


def _miscounted(found: tuple[Misplaced, ...]) -> list[str]:
    """Return between which vertebrae one may have been missed or counted twice."""
    return list(dict.fromkeys(f"{one.above}/{one.level}" for one in found if one.fault.kind in MISCOUNTED))
