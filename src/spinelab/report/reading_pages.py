"""Pages, PDFs and tables of measuring results: a film's own, the overview of many, and what changed between films of a patient."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any, Final

from markupsafe import Markup

from spinelab.core import Explanation, Fact, Image, Quantity, Result, SpinelabError, Study
from spinelab.report.files import write_bytes, write_text
from spinelab.report.film_drawing import COLOURS, DASHES, LEGEND, WIDTHS
from spinelab.report.films import Film, measured_film, svg_mark, thumbnail
from spinelab.report.heatmaps import heat_pictures, key_of, with_maps
from spinelab.report.material import Material, Measuring
from spinelab.report.pages import render
from spinelab.report.pdf import Sheet, reading_pdf
from spinelab.report.pdf_pictures import map_figures
from spinelab.report.reading import SIDES, SYMBOLS, Reading, read_result, refusal, short_title, shown
from spinelab.report.serial import MEANING, FollowUp, Series, find_series
from spinelab.report.tables import changes_csv, measurements_csv
from spinelab.report.visits import Visit

MAX_THUMBNAILS: Final = 1000
"""Films with a picture on the overview; more would make a page that no browser opens."""

_EXPLAINED: Final = (
    "An interval holds the true value on 95 of 100 films like those on which it was adjusted; on other films it may hold it less often. "
    "“Usual” is the range of the people named in the footnote, not a target of treatment."
)
_SEXES: Final = {"F": "female", "M": "male", "O": "other"}


@dataclass(frozen=True, slots=True)
class Compared:
    """What a film's page says of other films of its patient."""

    changes: tuple[FollowUp, ...] = ()
    order: tuple[str, ...] = ()

    @staticmethod
    def of(study: str, series: Sequence[Series]) -> Compared:
        """Return what is known of a film against the others."""
        own = [one for one in series if study in dict(one.films)]
        return Compared(tuple(change for one in own for change in one.since(study)), tuple(remark for one in own for remark in one.remarks))


class MeasuredPages:
    """Pages, PDFs and tables of measuring results, film by film.

    A film is compared with those of its patient that were added before; where later ones change what is to be said, its page is written once more at the end.
    """

    def __init__(self, material: Material, measuring: Measuring) -> None:
        self._material = material
        self._measuring = replace(measuring, quantities=tuple(sorted(measuring.quantities, key=lambda q: q.comparison)))
        self._pictured = 1 < len(material.names) <= MAX_THUMBNAILS
        self._rows: list[dict[str, Any]] = []
        self._compared: dict[str, Compared] = {}

    def add(self, result: Result) -> str:
        """Write page, PDF, result and heatmaps of one film; return its picture for the overview, nothing where there is none."""
        compared = Compared.of(result.study, self._series([*self._of_same_patient(result), result]))
        film = self._write_film(result, compared)
        self._compared[result.study] = compared
        picture = thumbnail(film) if film is not None and self._pictured else ""
        self._rows.append(self._overview_row(result, picture))
        return picture

    def take_up(self, result: Result, picture: str) -> None:
        """Add a film whose files were written before an interruption; its page is written anew at the end where other films of its patient have a say."""
        self._compared[result.study] = Compared()
        self._rows.append(self._overview_row(result, picture if self._pictured else ""))

    def finish(self, results: Sequence[Result]) -> None:
        """Write the pages that later films have changed, the tables, and the overview."""
        m, folder = self._measuring, self._material.folder
        series = self._series(results)
        for result in results:
            compared = Compared.of(result.study, series)
            if compared != self._compared[result.study]:
                self._write_film(result, compared)
        write_text(folder / "measurements.csv", measurements_csv(results, m.quantities, m.titles, visits=m.visits, files=m.files))
        if series:
            write_text(folder / "changes.csv", changes_csv(series))
        write_text(folder / "report.html", self._overview(results, series))

    def _series(self, results: Sequence[Result]) -> list[Series]:
        m = self._measuring
        return find_series(results, m.visits, m.quantities, agreement=m.agreement, one_patient=m.one_patient)

    def _of_same_patient(self, result: Result) -> list[Result]:
        """Return the films of a patient that were added before."""
        if self._measuring.one_patient:
            return [row["result"] for row in self._rows]
        patient = self._patient(result)
        return [row["result"] for row in self._rows if patient is not None and self._patient(row["result"]) == patient]

    def _patient(self, result: Result) -> str | None:
        return self._measuring.visits.get(result.study, Visit()).patient

    def _write_film(self, result: Result, compared: Compared) -> Film | None:
        place, maps = self._material.place(result), self._material.maps(result)
        study, film, notes = self._open(result)
        write_text(place / "result.json", with_maps(result, maps, place).to_json())
        sheet = self._sheet(result, study, film, compared, notes, maps)
        write_text(place / "report.html", self._page(sheet, maps))
        write_bytes(place / "report.pdf", reading_pdf(sheet))
        return film

    def _sheet(self, result: Result, study: Study | None, film: Film | None, compared: Compared, notes: Sequence[str], maps: Sequence[Explanation]) -> Sheet:
        """Return what page and PDF say."""
        reading = read_result(result, self._measuring.quantities, self._measuring.references.get(result.study, {}), self._measuring.titles)
        told = (note for note in result.notes if not reading.refused or reading.refused not in note)
        return Sheet(
            reading,
            film,
            **self._material.about(result),
            identity=tuple(_identity(study, film)),
            notes=tuple(dict.fromkeys((*told, *notes))),
            changes=compared.changes,
            order=compared.order,
            unknown=tuple(unknown_facts(study)),
            maps=tuple(map_figures(maps)),
            heat_key=key_of(maps),
        )

    def _open(self, result: Result) -> tuple[Study | None, Film | None, list[str]]:
        """Return the study, its film and what cannot be shown; a film that cannot be opened again keeps its page."""
        try:
            study = self._material.studies.get(result.study)
            if study is None:
                return None, None, []
            film, notes = measured_film(study, self._measuring.drawings.get(result.study, ()))
        except SpinelabError as error:
            return None, None, [f"The film is not shown: {error.given}"]
        return study, film, notes

    def _page(self, sheet: Sheet, maps: Sequence[Explanation]) -> str:
        film = sheet.film
        return render(
            "reading.html",
            r=sheet.reading.result,
            reading=sheet.reading,
            film=film,
            marks=[] if film is None else [svg_mark(mark, film.drawing) for mark in film.drawing.marks],
            swatches=_swatches(),
            script=_script(),
            origin=sheet.origin,
            phantom=sheet.phantom,
            identity=sheet.identity,
            notes=sheet.notes,
            changes=sheet.changes,
            order=sheet.order,
            unknown=sheet.unknown,
            summary=sheet.summary,
            heats=heat_pictures(maps),
            heat_key=key_of(maps),
            explained=_EXPLAINED,
            meaning=MEANING,
            sides=SIDES,
        )

    def _overview_row(self, result: Result, picture: str) -> dict[str, Any]:
        reading: Reading = read_result(result, self._measuring.quantities, {}, self._measuring.titles)
        return {"study": result.study, "folder": self._material.names[result.study], "picture": picture, "result": result, "refused": reading.refused} | {
            "levels": reading.levels,
            "findings": [(reading.title_of(finding), finding) for finding in reading.findings],
        }

    def _overview(self, results: Sequence[Result], series: Sequence[Series]) -> str:
        columns = _columns(results, self._measuring.quantities)
        rows = [row | {"cells": [_cell(row["result"], quantity) for quantity in columns]} for row in self._rows]
        return render(
            "readings.html",
            rows=rows,
            columns=[(short_title(quantity), quantity.title, SYMBOLS.get(quantity.unit, quantity.unit).strip()) for quantity in columns],
            pictures=self._pictured,
            refused=sum(bool(row["refused"]) for row in rows),
            uncertain=sum(row["levels"] is not None and not row["levels"].certain for row in rows),
            series=series,
            meaning=MEANING,
            task=results[0].task,
            model=results[0].model,
            **self._material.about(results[0]),
        )


def unknown_facts(study: Study | None) -> list[tuple[str, str]]:
    """Return each fact that the study does not state, with where it was looked for."""
    if study is None:
        return []
    facts = {"patient": study.patient, "sex": study.sex, "age": study.age_years, **study.facts}
    for n, image in enumerate(study.images, 1):
        where = f" of image {n}" if len(study.images) > 1 else ""
        facts |= {f"pixel size{where}": image.spacing_mm, f"view{where}": image.view, f"orientation{where}": _orientation(image)}
    return [(name, fact.source) for name, fact in facts.items() if not fact.known]


def _orientation(image: Image) -> Fact:
    """Return what tells which side is which: of a radiograph whose header states it, where its rows and columns run to; else the place in the patient."""
    stated = image.facts.get("PatientOrientation")
    return stated if stated is not None and stated.known and not image.affine.known else image.affine


def _identity(study: Study | None, film: Film | None) -> list[tuple[str, str, str]]:
    """Return who was filmed, when and how, as (name, value, source), without what is not known."""
    if study is None:
        return []
    day = Visit.of(study).day
    age = study.age_years.value
    stated = [
        ("patient", study.patient.value, ""),
        ("sex", _SEXES.get(str(study.sex.value)) if study.sex.known else None, ""),
        ("age", None if age is None else f"{age:.0f} years" if age >= 10 else f"{age:.1f} years", ""),
        ("date of the film", None if day is None else str(day), ""),
        ("view", film.view if film is not None else None, ""),
    ]
    stated += film.facts if film is not None else ()
    return [(name, str(value), source) for name, value, source in stated if value]


def _columns(results: Sequence[Result], quantities: Sequence[Quantity]) -> list[Quantity]:
    """Return the columns of the overview: lengths in pixels only where some film has them and not the millimetres."""

    def in_pixels_only(quantity: Quantity) -> bool:
        in_mm = [q for q in quantities if q.name == quantity.name and q.unit == "mm"]
        return any(_value(r, quantity) and not any(_value(r, q) for q in in_mm) for r in results if not refusal(r))

    return [q for q in quantities if q.unit != "px" or in_pixels_only(q)]


def _value(result: Result, quantity: Quantity) -> bool:
    return any(one.value is not None for one in result.measured(quantity.name, quantity.unit))


def _cell(result: Result, quantity: Quantity) -> dict[str, str]:
    found = result.measured(quantity.name, quantity.unit)
    one = next((m for m in found if m.value is not None), found[0] if found else None)
    if one is None or one.value is None:
        return {"value": "", "interval": "", "withheld": one.withheld or "" if one is not None else "not in the model's answer"}
    interval = "" if one.interval is None else " to ".join(shown(limit, quantity.unit) for limit in one.interval)
    return {"value": shown(one.value, quantity.unit), "interval": interval, "withheld": ""}


def _swatches() -> dict[str, dict[str, Any]]:
    return {
        role: {
            "colour": COLOURS[role],
            "width": WIDTHS[role],
            "dash": " ".join(map(str, DASHES.get(role, ()))),
            "meaning": meaning,
            "point": role == "landmark",
        }
        for role, meaning in LEGEND.items()
    }


@cache
def _script() -> dict[str, Any]:
    """Return the page's only script and its digest, by which the page allows it and no other."""
    text = (files("spinelab.report") / "templates" / "reading.js").read_text(encoding="utf-8").strip()
    digest = base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
    return {"text": Markup(text), "digest": f"sha256-{digest}"}  # noqa: S704 - a file of this package
