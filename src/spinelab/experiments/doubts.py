"""What a task found wrong with examinations once they were open: counted, with an example of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from spinelab.core import Doubt, Example, Study, plural
from spinelab.experiments.words import counted_of
from spinelab.report.content import Flag


@dataclass(frozen=True)
class Doubts:
    """Every doubt with the name of its examination, in the order in which they were found."""

    found: list[tuple[str, Doubt]] = field(default_factory=list)

    def looking(self, doubts: Callable[[Example, Study], Sequence[Doubt]] | None) -> Callable[[Example, Study], None]:
        """Return what keeps the doubts about every examination that it is shown."""

        def look(example: Example, study: Study) -> None:
            self.found.extend((example.id, doubt) for doubt in (doubts(example, study) if doubts is not None else ()))

        return look

    @property
    def left_out(self) -> dict[str, str]:
        """Why a question cannot be asked, by its name."""
        return {doubt.about: doubt.what for _, doubt in self.found if doubt.left_out}

    @property
    def remarks(self) -> dict[str, str]:
        """What is wrong, by the name of the question or examination."""
        told: dict[str, list[str]] = {}
        for _, doubt in self.found:
            told.setdefault(doubt.about, []).append(f"{doubt.what} ({doubt.detail})" if doubt.detail else doubt.what)
        return {about: "; ".join(sentences) for about, sentences in told.items()}

    def flags(self, noun: str) -> Iterator[Flag]:
        """Yield a flag for each thing that is wrong, what is left out first; ``noun`` is what the task calls an item."""
        for what, cases in self._by_reason(left_out=True).items():
            said = counted_of(len(cases), len({owner for owner, _ in cases}), noun)
            yield Flag("left-out", f"{said} left out: {what} (such as {cases[0][1].example}).")
        for what, cases in self._by_reason(left_out=False).items():
            owners = plural(len({owner for owner, _ in cases}), "examination")
            kept = "it is" if len(cases) == 1 else "they are"
            text = f"{what[0].upper()}{what[1:]}: {plural(len(cases), 'case')} in {owners}, kept as {kept} (such as {cases[0][1].example})."
            yield Flag("doubtful", text)

    def _by_reason(self, *, left_out: bool) -> dict[str, list[tuple[str, Doubt]]]:
        reasons: dict[str, list[tuple[str, Doubt]]] = {}
        for owner, doubt in self.found:
            if doubt.left_out is left_out:
                reasons.setdefault(doubt.what, []).append((owner, doubt))
        return reasons
