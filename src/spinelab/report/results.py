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
from spinelab.report.material import Material, Measuring
from spinelab.report.pages import render
from spinelab.report.pdf import Sheet, reading_pdf
from spinelab.report.pdf_pictures import Figure, map_figures
from spinelab.report.pictures import film_jpeg, size
from spinelab.report.reading import read_result, refusal
from spinelab.report.reading_pages import MeasuredPages, unknown_facts
from spinelab.report.tables import results_csv
from spinelab.report.visits import Visit
from spinelab.report.words import picture_word, pictures_title

_SIDE_PX: Final = 900
"""Longest side of a film in a reading, where detail matters more than the size of the page."""


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
    measuring = Measuring(tuple(quantities), drawings or {}, references or {}, visits or {}, files or {}, agreement or {}, one_patient, titles or {})
    names = folder_names(result.study for result in results)
    writer = ResultWriter(Material(folder, names, studies or {}, explanations or {}, phantom_model, model_summary or {}), measuring)
    for result in results:
        writer.add(result)
    return writer.finish()


class ResultWriter:
    """Writes the same film by film: `add` the files of one, so that an interruption loses nothing, and `finish` the tables and the overview of many.

    Of a film that was added only its answer and a thumbnail are kept.
    """

    def __init__(self, material: Material, measuring: Measuring) -> None:
        self._material, self._titles, self._results = material, measuring.titles, list[Result]()
        self._pages = MeasuredPages(material, measuring) if measuring.quantities else FoundPages(material, measuring.titles)

    def add(self, result: Result) -> str:
        """Write the files of one study, its answer first: heatmaps may take long; return its picture for the overview, or nothing."""
        write_text(self._material.place(result) / "result.json", result.to_json())
        picture = self._pages.add(result)
        self._results.append(result)
        return picture

    def take_up(self, result: Result, picture: str) -> None:
        """Add a study whose files were written before an interruption; ``picture`` is what `add` returned."""
        self._pages.take_up(result, picture)
        self._results.append(result)

    def finish(self) -> Path:
        """Write what stands above the studies, if there are several; return the path of the page to open."""
        if self._material.several:
            write_text(self._material.folder / "results.csv", results_csv(self._results, self._material.names, self._titles))
            self._pages.finish(self._results)
        return self._material.folder / "report.html"


class FoundPages:
    """Pages and PDFs of findings: films, answers and heatmaps."""

    def __init__(self, material: Material, titles: Mapping[str, str]) -> None:
        self._material, self._titles = material, titles

    def add(self, result: Result) -> str:
        """Write page, PDF, result and heatmaps of one study; a film that was refused is not shown, and the overview has no pictures."""
        material = self._material
        place, maps = material.place(result), material.maps(result)
        answer = _Answer(result, None if refusal(result) else material.studies.get(result.study), maps)
        write_text(place / "result.json", with_maps(result, maps, place).to_json())
        write_text(place / "report.html", render("result.html", r=result, **material.about(result), **answer.page()))
        write_bytes(place / "report.pdf", reading_pdf(answer.sheet(material.about(result), self._titles)))
        return ""

    def take_up(self, result: Result, picture: str) -> None:
        """Leave a study as it was written before an interruption."""

    def finish(self, results: Sequence[Result]) -> None:
        """Write the overview."""
        material = self._material
        page = render("results.html", results=results, folders=material.names, **material.about(results[0]))
        write_text(material.folder / "report.html", page)


class _Answer:
    """An answer without measurements with its films and maps, for the page and for print."""

    def __init__(self, result: Result, study: Study | None, maps: Sequence[Explanation]) -> None:
        self.result, self.maps = result, maps
        self.films, notes = _films(study)
        self.word = picture_word(study, maps)
        self.title = pictures_title(self.word, len(self.films), maps=bool(maps))
        self.notes = (*result.notes, *notes)
        self.grid = grid_of(result)
        self.unknown = unknown_facts(study)

    def page(self) -> dict[str, Any]:
        """Return grades, films, maps, notes and what the study does not tell."""
        films = [{"view": f.title, "how": f.text, "film": data_uri(f.jpeg), "width": f.width, "height": f.height} for f in self.films]
        return {"grid": self.grid, "films": films, "heats": heat_pictures(self.maps), "unknown": self.unknown, "notes": self.notes} | {
            "word": self.word,
            "title": self.title,
        }

    def sheet(self, about: Mapping[str, Any], titles: Mapping[str, str]) -> Sheet:
        """Return the same for print; ``about`` is what every page says of the model."""
        reading = read_result(self.result, (), {}, titles)
        return Sheet(
            reading,
            None,
            **about,
            notes=tuple(note for note in self.notes if not reading.refused or reading.refused not in note),
            unknown=tuple(self.unknown),
            measures=False,
            maps=tuple(map_figures(self.maps, bare=not self.films)),
            title=self.title,
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
