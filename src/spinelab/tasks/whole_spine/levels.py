"""How certain the names of T4, T12, L1 and L4 are, as a finding and in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from spinelab.core import Finding
from spinelab.geometry import LATERAL_LANDMARKS

if TYPE_CHECKING:
    from spinelab.train.landmark_reading import Reading

COUNTED: Final = ("T4", "T12", "L1", "L4")
"""Levels that look like their neighbours and are named by counting; C2, T1 and S1 have a look or a place of their own."""
ANCHORS: Final = (("S_1", "S_2"), ("C2_1", "C2_2"))
"""Ends of the spine from which they can be counted."""
SURE: Final = 0.8
"""Certainty from which the names are called certain."""


def positions() -> dict[str, tuple[int, int]]:
    """Return where the two ends of each counted level stand among the 26 landmarks."""
    return {level: (LATERAL_LANDMARKS.index(f"{level}_1"), LATERAL_LANDMARKS.index(f"{level}_2")) for level in COUNTED}


def certainties(reading: Reading, learnt: Mapping[str, Any]) -> dict[str, float]:
    """Return the probability that each counted level on the film is named right; nothing where no end of the spine is there to count from."""
    from spinelab.tasks.whole_spine.piece import first_share
    from spinelab.train.certainty import certainty_of

    found, share = reading.found(), first_share(reading.facts, reading.share)
    if not any(set(anchor) <= set(found) for anchor in ANCHORS):
        return {}
    return {level: certainty_of(float(share[list(ends)].min()), learnt) for level, ends in positions().items() if reading.present[list(ends)].all()}


def finding(reading: Reading, learnt: Mapping[str, Any]) -> Finding | None:
    """Return whether the levels are certain, by the least sure of them; without a probability where they cannot be counted, ``None`` where there are none."""
    if not any(f"{level}_1" in reading.found() for level in COUNTED):
        return None
    known = certainties(reading, learnt)
    if not known:
        return Finding("levels", "uncertain")
    least = min(known.values())
    return Finding("levels", "certain" if least >= SURE else "uncertain", {"certain": least, "uncertain": 1 - least})


def words(reading: Reading, learnt: Mapping[str, Any]) -> str:
    """Return a sentence on the names of the levels; empty where none of them is on the film."""
    said = finding(reading, learnt)
    if said is None:
        return ""
    if not said.probabilities:
        return "Names of the levels: neither the sacrum nor C2 was found to count from, so every level may be another one."
    rests = f"held against {learnt['films']} held-out films" if learnt else "by the network's own word, which no held-out films were there to check"
    doubtful = [f"{level} ({chance:.0%})" for level, chance in certainties(reading, learnt).items() if chance < SURE]
    more = (
        f" Not certain: {', '.join(doubtful)} could be a neighbour, and what needs {'it' if len(doubtful) == 1 else 'them'} is then wrong." if doubtful else ""
    )
    return f"Names of the levels: right with a certainty of {said.probabilities['certain']:.0%} ({rests}).{more}"
