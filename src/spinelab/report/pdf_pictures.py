"""Pictures of a printed reading: films and maps in rows, each with what it is and what is said about it; grades in a table."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spinelab.core import Explanation
from spinelab.report.grades import Cell, Grid
from spinelab.report.heatmaps import PRINT_PX, Told, caption_of, edges_of, told
from spinelab.report.pdf_type import markup, paragraph
from spinelab.report.pictures import HEAT_STOPS, for_print, jpeg, print_overlay
from spinelab.report.words import chance, picture_word, spoken

MM: Final = 72 / 25.4
HIGH: Final = 82 * MM
"""Most height of a picture: a tall film and its words stay on one page."""
WIDE: Final = 57 * MM
"""About the width of a picture."""

_GAP: Final = 4 * MM
_WORDS: Final = 32 * MM
"""About the height of the words around a picture."""
_SIGNS: Final = {"stop": "#8a3200", "yes": "#1b6e3c", "note": "#52606d"}
_SOFT: Final = "#52606d"
_INK: Final = "#1f2933"

Part = Callable[[float], Any]


@dataclass(frozen=True, eq=False)
class Figure:
    """A picture as it is printed: a JPEG and its size in pixels, its name, what it is, what is said about it, and the letters at its left and right edge."""

    jpeg: bytes
    width: int
    height: int
    title: str
    text: str
    told: Told | None = None
    edges: tuple[str, str] | None = None


def map_figures(maps: Sequence[Explanation], *, bare: bool = False) -> list[Figure]:
    """Return maps over their films with the same words as on the page; ``bare`` puts the film as the model saw it before the maps of each view."""
    found: list[Figure] = []
    view = None
    for one in maps:
        if bare and one.view != view:
            found.append(_printed(for_print(one.picture, side=PRINT_PX), one, "as the model saw it", None))
        view = one.view
        found.append(_printed(print_overlay(one, side=PRINT_PX), one, caption_of(one), told(one)))
    return found


def _printed(picture: NDArray[np.uint8], one: Explanation, text: str, words: Told | None) -> Figure:
    return Figure(jpeg(picture), picture.shape[1], picture.shape[0], one.view or picture_word(None, [one]).capitalize(), text, words, edges_of(one))


def heat_key(key: Mapping[str, str]) -> list[Part]:
    """Return what a map shows, and its colours from low to high."""
    words = f"{key['shows']}. {key['beware']}"
    return [lambda _: paragraph(markup(words), 7.4, _SOFT), lambda _: _colours()]


def first_row_height(figures: Sequence[Figure], width: float) -> float:
    """Return about how high the first row is, in points, so that a heading stays with it."""
    across = _across(width)
    column = (width - _GAP * (across - 1)) / across
    return max((figure.height * _scale(figure, column) for figure in figures[:across]), default=0.0) + _WORDS


def in_rows(figures: Sequence[Figure], width: float) -> Any:
    """Return the figures in rows as wide as the page; a row is never cut in two."""
    from reportlab.platypus.tables import Table

    across = _across(width)
    rows = [[_row(figures[at : at + across], across, width)] for at in range(0, len(figures), across)]
    return Table(rows, colWidths=[width], style=_bare(above=3, below=5), hAlign="LEFT")


def _row(figures: Sequence[Figure], across: int, width: float) -> Any:
    """Return one row: names, which end at one height, pictures, and what is said about them."""
    from reportlab.platypus.tables import Table

    column = (width - _GAP * (across - 1)) / across
    empty = [""] * (across - len(figures))
    rows = [[*(part(figure, column) for figure in figures), *empty] for part in (_names, _picture, _words)]
    style = [*_bare(above=0, below=1.5), ("VALIGN", (0, 0), (-1, 0), "BOTTOM"), ("RIGHTPADDING", (0, 0), (-2, -1), _GAP)]
    return Table(rows, colWidths=[column + _GAP] * (across - 1) + [column], style=style, hAlign="LEFT")


def _bare(*, above: float, below: float) -> list[tuple[Any, ...]]:
    room = {"LEFTPADDING": 0, "RIGHTPADDING": 0, "TOPPADDING": above, "BOTTOMPADDING": below}
    return [("VALIGN", (0, 0), (-1, -1), "TOP"), *((name, (0, 0), (-1, -1), points) for name, points in room.items())]


def _across(width: float) -> int:
    return max(1, round((width + _GAP) / (WIDE + _GAP)))


def _scale(figure: Figure, width: float) -> float:
    return min(width / figure.width, HIGH / figure.height)


def _names(figure: Figure, _width: float) -> list[Any]:
    return [paragraph(f"<b>{markup(figure.title, bold=True)}</b>", 7.4, _INK), paragraph(markup(figure.text), 6.8, _SOFT)]


def _words(figure: Figure, _width: float) -> list[Any]:
    """Return what is said beside a map: the verdict, why it is not to be trusted, and what was found."""
    if figure.told is None:
        return []
    verdict = paragraph(f"<b>{markup(figure.told.verdict, bold=True)}</b>", 7.2, _SIGNS[figure.told.sign])
    against = [paragraph(f"<b>{markup(text, bold=True)}</b>", 6.8, _SIGNS["stop"]) for text in figure.told.against]
    return [verdict, *against, *(paragraph(markup(text), 6.8, _SOFT) for text in figure.told.found)]


def _picture(figure: Figure, width: float) -> Any:
    """Return the picture with the letters of its edges on a dark ground, so that they are read on bright fat as well."""
    from reportlab.platypus.flowables import Flowable

    scale = _scale(figure, width)
    wide, high = figure.width * scale, figure.height * scale

    class Picture(Flowable):  # type: ignore[misc]
        def wrap(self, *_room: float) -> tuple[float, float]:
            return wide, high

        def draw(self) -> None:
            from reportlab.lib.utils import ImageReader

            self.canv.drawImage(ImageReader(io.BytesIO(figure.jpeg)), 0, 0, wide, high)
            for letter, x in zip(figure.edges or (), (2.5, wide - 10.5), strict=False):
                self.canv.setFillColor("#000000", alpha=0.7)
                self.canv.roundRect(x, high / 2 - 4.5, 8, 10, 1.5, stroke=0, fill=1)
                self.canv.setFillColor("#ffffff", alpha=1)
                self.canv.setFont("Helvetica-Bold", 8)
                self.canv.drawCentredString(x + 4, high / 2 - 2.2, letter)

    return Picture()


def _colours() -> Any:
    from reportlab.graphics.shapes import Drawing, Rect, String
    from reportlab.lib.colors import Color, HexColor

    drawing = Drawing(150, 9)
    drawing.add(String(0, 2, "low", fontName="Helvetica", fontSize=6.8, fillColor=HexColor(_SOFT)))
    wide = 90 / len(HEAT_STOPS)
    for n, (red, green, blue) in enumerate(HEAT_STOPS):
        drawing.add(Rect(16 + n * wide, 1, wide + 0.2, 6, fillColor=Color(red / 255, green / 255, blue / 255), strokeColor=None))
    drawing.add(String(110, 2, "high", fontName="Helvetica", fontSize=6.8, fillColor=HexColor(_SOFT)))
    return drawing


def grades_table(grid: Grid, width: float) -> Any:
    """Return grades by level and side; the higher a grade, the darker its cell."""
    from reportlab.lib.colors import Color
    from reportlab.platypus.tables import Table

    names = [f"{spoken(name).capitalize()}{f', {side}' if side else ''}" for name, side in grid.columns]
    rows: list[list[Any]] = [[paragraph(text, 6.8, _SOFT) for text in ("Level", *names)]]
    rows += [[paragraph(f"<b>{markup(site, bold=True)}</b>", 8, _INK), *(_grade(cell) for cell in cells)] for site, cells in grid.rows]
    style: list[tuple[Any, ...]] = [("VALIGN", (0, 0), (-1, -1), "MIDDLE"), ("GRID", (0, 0), (-1, -1), 0.4, "#c9d0d8")]
    for row, (_, cells) in enumerate(grid.rows, 1):
        shaded = [(column, cell.height) for column, cell in enumerate(cells, 1) if cell is not None and cell.height > 0]
        style += [("BACKGROUND", (column, row), (column, row), Color(0.835, 0.369, 0, alpha=0.12 + 0.33 * height)) for column, height in shaded]
    first = 14 * MM
    return Table(rows, colWidths=[first, *([(width - first) / len(names)] * len(names))], repeatRows=1, style=style, hAlign="LEFT")


def _grade(cell: Cell | None) -> Any:
    if cell is None:
        return ""
    if cell.label is None or cell.probability is None:
        return paragraph(markup(cell.label or "withheld"), 7.4, _SOFT)
    return paragraph(f'<b>{markup(cell.label, bold=True)}</b> <font color="{_SOFT}">{markup(chance(cell.probability))}</font>', 7.8, _INK)
