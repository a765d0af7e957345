"""What is wrong with an examination of the RSNA 2024 layout once it is open: questions that no picture shows, and what contradicts itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from spinelab.core import Doubt, Example, Study
from spinelab.tasks.lumbar_mri.places import Place, Target, exchanged, out_of_order
from spinelab.tasks.lumbar_mri.questions import row_id
from spinelab.tasks.lumbar_mri.tables import COORDINATES_FILE, SERIES_FILE


def doubts(example: Example, study: Study) -> Iterator[Doubt]:
    """Yield why graded questions of a marked examination cannot be asked, and what is kept although it is doubtful."""
    targets, places = example.facts.get("targets"), study.facts.get("places")
    if targets is None or places is None:
        return
    yield from _contradictions(example.id, study, places.value)
    if all(target.mark is None for target in targets.value):
        return
    placed = {place.target.question for place in places.value}
    for target in targets.value:
        if target.grade is not None and target.question not in placed:
            what, detail = _why(target, study, example.facts["folder"].value)
            yield Doubt(row_id(example.id, target.question), what, detail, left_out=True)


def _contradictions(name: str, study: Study, places: tuple[Place, ...]) -> Iterator[Doubt]:
    stated = study.facts.get("series_contradicted")
    for told in stated.value if stated is not None else ():
        yield Doubt(name, f"what {SERIES_FILE} calls a series and what its header says contradict each other", told)
    for pair in exchanged(places):
        yield Doubt(name, "the left mark of a pair lies to the right of the right one", pair)
    for pair in out_of_order(places):
        yield Doubt(name, "the mark of a lower level lies higher than that of the level above", pair)


def _why(target: Target, study: Study, folder: Path) -> tuple[str, str]:
    """Return why a graded question has no place in a picture, and what is said of this one alone."""
    mark = target.mark
    if mark is None:
        return f"{COORDINATES_FILE} holds no usable mark", ""
    image = next((image for image in study.images if image.facts["series_id"].value == mark.series), None)
    if image is None and not (folder / mark.series).is_dir():
        return "marked on a series that has no folder", f"series {mark.series}"
    if image is None:
        return "marked on a series that cannot be used", _why_unusable(study, mark.series, folder)
    if mark.instance not in image.facts["instance_numbers"].value:
        return "marked on a slice that is not there", f"slice {mark.instance} of series {mark.series}"
    rows, columns = image.shape_yx
    return "marked outside of the picture", f"{mark.x:.0f}, {mark.y:.0f} of {columns} x {rows}"


def _why_unusable(study: Study, series: str, folder: Path) -> str:
    """Return the reader's reason; of paths only what lies in the study's folder, for a path can name a person."""
    told = study.facts.get("series_left_out")
    why = next((text for text in (told.value if told is not None else ()) if text.startswith(f"series {series} ")), f"series {series}")
    return why.replace(f"{folder}/", "")
