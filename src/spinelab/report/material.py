"""What the files of a reading are made from, besides the answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from spinelab.core import Explanation, Quantity, Reference, Result, Stroke, Study
from spinelab.report.reading import refusal
from spinelab.report.visits import Visit
from spinelab.report.words import settled

_PHANTOM_ORIGIN: Final = "This model has learnt from drawings, not from patients: what it says about a patient is no evidence."


@dataclass(frozen=True, eq=False)
class Measuring:
    """What a measuring task adds to its results: see `write_results`."""

    quantities: tuple[Quantity, ...] = ()
    drawings: Mapping[str, Sequence[Stroke]] = field(default_factory=dict)
    references: Mapping[str, Mapping[str, Reference]] = field(default_factory=dict)
    visits: Mapping[str, Visit] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    agreement: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    one_patient: bool = False
    titles: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Material:
    """Where the files go, and what is shown in them.

    Parameters
    ----------
    names
        Study -> its folder's name below ``folder``; a study alone lies in ``folder`` itself.
    studies, explanations
        By study, looked up when its page is written.
    phantom
        Whether the model learnt from phantoms.
    model
        Facts about the model: see `write_results`.
    """

    folder: Path
    names: Mapping[str, str]
    studies: Mapping[str, Study]
    explanations: Mapping[str, Sequence[Explanation]]
    phantom: bool
    model: Mapping[str, Any]

    @property
    def several(self) -> bool:
        """Whether there is an overview above the studies."""
        return len(self.names) > 1

    def place(self, result: Result) -> Path:
        """Return the folder of a study."""
        return self.folder / self.names[result.study] if self.several else self.folder

    def maps(self, result: Result) -> Sequence[Explanation]:
        """Return the heatmaps of an answer; a film that was refused has none."""
        return () if refusal(result) else self.explanations.get(result.study, ())

    def about(self, result: Result) -> dict[str, Any]:
        """Return what every page says of the model: ``origin``, ``summary``, ``phantom``."""
        origin, summary = origin_and_facts(result, phantom_model=self.phantom, summary=self.model)
        return {"origin": origin, "summary": summary, "phantom": self.phantom}


def origin_and_facts(result: Result, *, phantom_model: bool, summary: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the first line, which says what the model learned from, and the other facts."""
    facts = {key: settled(value) for key, value in summary.items() if key != "origin" and value not in (None, "", (), [], {})}
    if phantom_model:
        return _PHANTOM_ORIGIN, facts
    return str(summary.get("origin") or f"Model {result.model}. Its training data are listed at the end of this page; it is no medical device."), facts
