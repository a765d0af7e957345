"""What one reading leaves behind: a result a study, a table of all, and pages with the film, the answer and what is not known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from spinelab.core import Explanation, InputError, Quantity, Reference, Result, Stroke, Study
from spinelab.report.files import folder_names, write_bytes, write_text
from spinelab.report.films import data_uri
from spinelab.report.grades import grid_of
from spinelab.report.heatmaps import heat_pictures, with_maps
from spinelab.report.pages import render
from spinelab.report.pdf import Sheet, reading_pdf
from spinelab.report.pdf_pictures import Figure, map_figures
from spinelab.report.pictures import film_jpeg, size
from spinelab.report.reading import read_result
from spinelab.report.reading_pages import Measuring, Writer, unknown_facts
from spinelab.report.serial import Visit
from spinelab.report.tables import results_csv
from spinelab.report.words import settled

_SIDE_PX: Final = 900
"""Longest side of a film in a reading, where detail matters more than the size of the page."""

_PHANTOM_ORIGIN: Final = "This model has learnt from drawings, not from patients: what it says about a patient is no evidence."


def write_results(  # noqa: PLR0913 - everything that a report can show
    results: Sequence[Result],
    folder: Path,
    *,
    studies: Mapping[str, Study] | None = None,
    explanations: Mapping[str, Sequence[Explanation]] | None = None,
    phantom_model: bool,
    model_summary: Mapping[str, Any] | None = None,
    quantities: Sequence[Quantity] = (),
    titles: Mapping[str, str] | None = None,
    drawings: Mapping[str, Sequence[Stroke]] | None = None,
    references: Mapping[str, Mapping[str, Reference]] | None = None,
    visits: Mapping[str, Visit] | None = None,
    files: Mapping[str, str] | None = None,
    agreement: Mapping[str, Mapping[str, Any]] | None = None,
    one_patient: bool = False,
) -> Path:
    """Write what a model said about one study or many; return the path of the page to open.

    One study: ``result.json``, ``report.html``, the same for print in ``report.pdf``, and a PNG a heatmap. Several: a subfolder with these for each,
    and above them ``results.csv`` and ``report.html``, one row a study. ``studies``, ``explanations`` and ``drawings`` are looked up by the result's study,
    one at a time, so that a mapping that reads when asked keeps no more than one study in memory.

    A task that measures (``quantities``) gets the page of a measured film and, for several, ``measurements.csv``; ``changes.csv`` where a patient has
    films of several days.

    Parameters
    ----------
    model_summary
        Facts about the model for the page (data, patients, digest, weights, ...); ``origin``, if there, is the page's first
        line where the model was trained on patients.
    quantities, drawings, references
        What the task measures, in order, those for comparison after the others; by study the strokes over the film, and the usual range by the quantity's name.
    titles
        What findings are called, by name, where the name does not say it; a task that classifies has none.
    visits
        By study the patient and the date, for films of one patient on several days.
    files
        By study the file that it was read from, for the table.
    agreement
        By column of a quantity the held-out agreement of the model; of it ``mdc``, what the errors of two films add to their difference, is used.
    one_patient
        Whether all films are of one patient, although the files do not say so.

    Raises
    ------
    InputError
        When there is no result, or the disk is full or the folder cannot be written; finished files are kept.
    """
    if not results:
        raise InputError("No result to write", expected="at least one study that was read", action="check the path that was read")
    origin, summary = origin_and_facts(results[0], phantom_model=phantom_model, summary=model_summary or {})
    names = folder_names(result.study for result in results)
    if len(results) > 1:
        write_text(folder / "results.csv", results_csv(results, names, titles or {}))
    if quantities:
        ordered = tuple(sorted(quantities, key=lambda q: q.comparison))
        measuring = Measuring(ordered, drawings or {}, references or {}, visits or {}, files or {}, agreement or {}, one_patient, titles or {})
        return Writer(folder, measuring, studies or {}, explanations or {}, origin, summary, phantom_model).write(results, names)
    for result in results:
        place = folder / names[result.study] if len(results) > 1 else folder
        seen = (explanations or {}).get(result.study, ())
        write_text(place / "result.json", with_maps(result, seen, place).to_json())
        answer = _Answer(result, (studies or {}).get(result.study), seen)
        page = render("result.html", r=result, origin=origin, phantom=phantom_model, summary=summary, **answer.page())
        write_text(place / "report.html", page)
        write_bytes(place / "report.pdf", reading_pdf(answer.sheet(origin, summary, phantom=phantom_model, titles=titles or {})))
    if len(results) == 1:
        return folder / "report.html"
    return write_text(folder / "report.html", render("results.html", results=results, folders=names, origin=origin, phantom=phantom_model, summary=summary))


def origin_and_facts(result: Result, *, phantom_model: bool, summary: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the first line, which says what the model learned from, and the other facts."""
    facts = {key: settled(value) for key, value in summary.items() if key != "origin" and value not in (None, "", (), [], {})}
    if phantom_model:
        return _PHANTOM_ORIGIN, facts
    return str(summary.get("origin") or f"Model {result.model}. Its training data are listed at the end of this page; it is no medical device."), facts


class _Answer:
    """An answer without measurements with its films and maps, for the page and for print."""

    def __init__(self, result: Result, study: Study | None, maps: Sequence[Explanation]) -> None:
        self.result, self.maps = result, maps
        self.films, notes = _films(study)
        self.notes = (*result.notes, *notes)
        self.grid = grid_of(result)
        self.unknown = unknown_facts(study)

    def page(self) -> dict[str, Any]:
        """Return grades, films, maps, notes and what the study does not tell."""
        films = [{"view": f.title, "how": f.text, "film": data_uri(f.jpeg), "width": f.width, "height": f.height} for f in self.films]
        return {"grid": self.grid, "films": films, "heats": heat_pictures(self.maps), "unknown": self.unknown, "notes": self.notes}

    def sheet(self, origin: str, summary: dict[str, Any], *, phantom: bool, titles: Mapping[str, str]) -> Sheet:
        """Return the same for print."""
        reading = read_result(self.result, (), {}, titles)
        told = tuple(note for note in self.notes if not reading.refused or reading.refused not in note)
        maps = tuple(map_figures(self.maps, bare=not self.films))
        return Sheet(
            reading,
            None,
            origin,
            phantom,
            (),
            told,
            (),
            (),
            tuple(self.unknown),
            summary,
            measures=False,
            maps=maps,
            pictures=tuple(self.films),
            grid=self.grid,
        )


def _films(study: Study | None) -> tuple[list[Figure], list[str]]:
    from spinelab.io import to_uint8

    films: list[Figure] = []
    notes: list[str] = []
    for n, image in enumerate(study.images if study is not None else (), 1):
        name = str(image.view.value or "") or f"image {n}"
        try:
            picture = to_uint8(image)
        except InputError as error:
            notes.append(f"{name} is not shown: {error.given}")
            continue
        how = image.facts["shown_as"].value if "shown_as" in image.facts else "as recorded"
        shown = size(picture, side=_SIDE_PX)
        films.append(Figure(film_jpeg(picture, side=_SIDE_PX), shown["width"], shown["height"], name, how))
    return films, notes
