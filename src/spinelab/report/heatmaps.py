"""Maps of where a model looked: drawn, written beside a result, and what their checks found, in words."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from spinelab.core import LANDMARK_MAPS, Explanation, Heatmap, Result
from spinelab.report.files import write_bytes
from spinelab.report.pictures import film, overlay, overlay_png, size
from spinelab.report.words import HEAT_KEY, LANDMARK_KEY, chance, number

PAGE_PX: Final = 900
"""Longest side of a map on the page of a reading."""
PRINT_PX: Final = 600
"""Longest side of a map in print: more than 250 dots an inch at its usual size."""
FILE_PX: Final = 448
"""Least longest side of a map in a file of its own; smaller pictures are enlarged by a whole number."""

NAME_LENGTH: Final = 100
"""Letters of a map's file name: a slice number is not cut off."""


@dataclass(frozen=True, slots=True)
class Told:
    """What is said beside a map: ``verdict`` in few words with ``sign`` (``stop``, ``yes`` or ``note``), why it is not to be trusted, and what was found."""

    verdict: str
    sign: str
    against: tuple[str, ...]
    found: tuple[str, ...]

    @property
    def short(self) -> str:
        """Return the verdict with its reasons, for a page where there is little room."""
        return f"{self.verdict}: {' '.join(self.against)}" if self.against else self.verdict


def told(explanation: Explanation) -> Told | None:
    """Return what is said beside a map; nothing for a map that no facts came with."""
    facts = explanation.facts
    if not facts:
        return None
    found = [
        _place(explanation),
        _fineness(facts.get("cell_px")),
        _in_patient(facts.get("where")),
        _random_weights(facts.get("weights")),
        _inside(facts.get("inside")),
        _curves(facts.get("curves")),
    ]
    checks = sum(bool(facts.get(name)) for name in ("weights", "inside", "curves"))
    if explanation.flags:
        return Told("Not to be trusted", "stop", explanation.flags, tuple(filter(None, found)))
    if not checks:
        return Told("Not checked", "note", (), tuple(filter(None, found)))
    return Told(f"{'One check' if checks == 1 else f'{checks} checks'}, none against it", "yes", (), tuple(filter(None, found)))


def heat_pictures(explanations: Sequence[Explanation], *, side: int = PAGE_PX) -> list[dict[str, Any]]:
    """Return heatmaps over their films, for a page."""
    return [
        {"film": film(e.picture, side=side), "overlay": overlay(e, side=side), "view": e.view, "method": e.method, "label": e.label, "told": told(e)}
        | {"caption": caption_of(e), "edges": edges_of(e), "seen": _seen(e)}
        | size(e.picture, side=side)
        for e in explanations
    ]


def key_of(explanations: Sequence[Explanation]) -> Mapping[str, str]:
    """Return what these maps show, in words: what spoke for an answer, or where landmarks were seen."""
    return LANDMARK_KEY if all(one.method == LANDMARK_MAPS for one in explanations) else HEAT_KEY


def caption_of(explanation: Explanation) -> str:
    """Return method, the answer that is explained and, where it is known, its probability."""
    probability = explanation.facts.get("probability")
    if explanation.method == LANDMARK_MAPS:
        return "where landmarks were seen"
    return f"{explanation.method} for {explanation.label}" + ("" if probability is None else f", probability {chance(probability)}")


def _seen(explanation: Explanation) -> str:
    """Return how the picture beside a map relates to what the network saw."""
    turned = (explanation.facts.get("where") or {}).get("turned_back")
    return "hung as usual; the network saw it mirrored" if turned else "as the network saw it"


def edges_of(explanation: Explanation) -> tuple[str, str] | None:
    """Return where the left and the right edge of a map's picture point to in the patient, such as R and L; ``None`` where that is not known."""
    found = (explanation.facts.get("where") or {}).get("edges")
    return None if found is None else (str(found[0]), str(found[1]))


def summaries(explanations: Sequence[Explanation]) -> tuple[Heatmap, ...]:
    """Return everything but the pixels, with the file that each map is written to."""
    return tuple(e.summary(_file_name(n, e)) for n, e in enumerate(explanations, 1))


def with_maps(result: Result, explanations: Sequence[Explanation], place: Path) -> Result:
    """Write each map as a PNG into ``place`` and return the result that tells of them.

    Raises
    ------
    InputError
        When the disk is full or the folder cannot be written.
    """
    kept = summaries(explanations)
    for one, explanation in zip(kept, explanations, strict=True):
        write_bytes(place / one.file, overlay_png(explanation, least=FILE_PX, edges=edges_of(explanation)))
    return replace(result, explanations=kept)


def _file_name(n: int, explanation: Explanation) -> str:
    words = "-".join(part for part in (explanation.method, explanation.view) if part)
    return f"map-{n}-{re.sub(r'[^a-z0-9]+', '-', words.lower()).strip('-')[:NAME_LENGTH]}.png"


def _place(explanation: Explanation) -> str:
    if explanation.peak is None:
        return ""
    (x, y), (rows, columns) = explanation.peak, explanation.heat.shape[:2]
    across, down = ("left", "middle", "right")[min(2, 3 * x // columns)], ("upper", "middle", "lower")[min(2, 3 * y // rows)]
    where = "the middle" if across == down == "middle" else f"the {down} {across}" if across != "middle" else f"the {down} middle"
    return f"Highest at x {x}, y {y} of {columns} × {rows} pixels: {where} of the picture."


def _fineness(cell_px: float | None) -> str:
    return "" if cell_px is None else f"Drawn from cells of {number(cell_px, 0 if float(cell_px).is_integer() else 1)} pixels."


def _in_patient(where: Mapping[str, Any] | None) -> str:
    """Say in which slice a map lies, where its highest point is in the patient, and whether the network saw it the other way round."""
    if not where:
        return ""
    found = f"{where['description']}, series {where['series']}, slice {where['slice']}"
    if where["peak_mm"] is not None:
        at = ", ".join(number(value, 1) for value in where["peak_mm"])
        found += f": the highest point lies at {at} mm (LPS: to the patient's left, back and head)"
    return found + (". It hangs as usual here; the network saw it mirrored, as if it were on the left." if where["turned_back"] else ".")


def _random_weights(weights: Mapping[str, Any] | None) -> str:
    if not weights:
        return ""
    likeness = number(float(weights["correlation"][-1]), 2)
    if weights.get("depends_on_weights"):
        return f"A network that has learnt nothing gives another map (likeness {likeness}; not to be trusted from 0.80)."
    return f"A network that has learnt nothing gives nearly the same map (likeness {likeness}; not to be trusted from 0.80)."


def _inside(inside: Mapping[str, Any] | None) -> str:
    if not inside:
        return ""
    where = "inside" if inside["peak_inside"] else "outside"
    return f"{inside['share']:.0%} of the map lies in the marked region, which is {inside['area']:.0%} of the picture; the highest point lies {where}."


def _curves(curves: Mapping[str, Any] | None) -> str:
    if not curves:
        return ""
    away, back = curves["deletion_auc"] < curves["chance"][0], curves["insertion_auc"] > curves["chance"][1]
    verdict = "more" if curves["better_than_chance"] else "not clearly more"
    if curves["better_than_chance"] and not (away and back):
        verdict = f"more (while it is {'put back, not while it is taken away' if back else 'taken away, not while it is put back'})"
    return (
        f"The answer depends on what the map shows {verdict} than on places drawn by chance: mean probability {curves['deletion_auc']:.2f} while it is taken "
        f"away (by chance {curves['chance'][0]:.2f}), {curves['insertion_auc']:.2f} while it is put back ({curves['chance'][1]:.2f})."
    )
