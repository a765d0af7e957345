"""The reading as a PDF for print and archive: A4, the film with its lines as vectors, text that can be searched."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from spinelab.report import pdf_parts as parts
from spinelab.report.film_drawing import COLOURS, DASHES, LEGEND, WIDTHS, Mark
from spinelab.report.films import Film
from spinelab.report.grades import Grid
from spinelab.report.pdf_pictures import MM, Figure
from spinelab.report.pdf_type import printable, typeset
from spinelab.report.reading import Reading
from spinelab.report.serial import FollowUp
from spinelab.report.words import HEAT_KEY

if TYPE_CHECKING:
    from reportlab.pdfgen.canvas import Canvas

PAGE: Final = (210 * MM, 297 * MM)
MARGIN: Final = 13 * MM
FOOT: Final = 17 * MM
_GAP: Final = 6 * MM
_FOOT_PT: Final = 7
_LINE: Final = 0.55
"""Points a CSS pixel of line width: a printed film is smaller than one on the screen."""

Part = Callable[[float], Any]
"""Makes a piece of the page for a width in points."""


@dataclass(frozen=True)
class Sheet:
    """What is printed about one film."""

    reading: Reading
    film: Film | None
    origin: str
    phantom: bool
    summary: dict[str, Any]
    identity: tuple[tuple[str, str, str], ...] = ()
    notes: tuple[str, ...] = ()
    changes: tuple[FollowUp, ...] = ()
    order: tuple[str, ...] = ()
    unknown: tuple[tuple[str, str], ...] = ()
    measures: bool = True
    maps: tuple[Figure, ...] = ()
    heat_key: Mapping[str, str] = field(default_factory=lambda: HEAT_KEY)
    pictures: tuple[Figure, ...] = ()
    """Of an answer without measurements: its films or slices."""
    title: str = ""
    """What stands above these and the maps."""
    grid: Grid | None = None
    """Its grades, where they have a table."""


@dataclass(frozen=True)
class _Frame:
    page: int
    left: float
    top: float
    width: float
    bottom: float


def reading_pdf(sheet: Sheet) -> bytes:
    """Return the PDF: one page where the film's column leaves room for everything, else more."""
    from reportlab import rl_config
    from reportlab.pdfgen.canvas import Canvas

    # Text in place of bytes would cost half the time and a quarter more space; no mail system needs it today.
    rl_config.useA85 = 0
    result = sheet.reading.result
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=PAGE, pageCompression=1)
    canvas.setTitle(printable(f"{result.study}: {result.task}"))
    canvas.setAuthor("spinelab")
    canvas.setCreator("spinelab")
    canvas.setSubject(printable(("Trained on phantoms. " if sheet.phantom else "") + sheet.origin))
    canvas.setKeywords([printable(result.task), printable(result.model)])
    wide = PAGE[0] - 2 * MARGIN
    head, top = _stack(parts.head(sheet.reading, sheet.origin, sheet.identity, phantom=sheet.phantom), MARGIN, PAGE[1] - MARGIN, wide)
    first = _Frame(0, MARGIN, top - 3 * MM, wide, FOOT)
    picture, first = _film_box(sheet.film, first)
    placed = _flow(_measured(sheet) if sheet.measures else _answered(sheet), first)
    pages = 1 + max((frame.page for frame, *_ in placed), default=0)
    for page in range(pages):
        if page == 0:
            for piece, x, y in head:
                piece.drawOn(canvas, x, y)
            if sheet.film is not None and picture is not None:
                _draw_film(canvas, sheet.film, picture)
        for frame, piece, y in placed:
            if frame.page == page:
                piece.drawOn(canvas, frame.left, y)
        _foot(canvas, sheet, page + 1, pages)
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def _measured(sheet: Sheet) -> list[Part]:
    """Return what stands beside and below the film, in the order of the page."""
    return [
        *parts.measurements(sheet.reading),
        *parts.listed("Other films of this patient", sheet.order),
        *parts.findings(sheet.reading),
        *parts.listed("Notes", sheet.notes),
        *parts.followed(sheet.changes),
        *parts.pictures("Heatmap" if len(sheet.maps) == 1 else "Heatmaps", (), sheet.maps, sheet.heat_key),
        *_ending(sheet),
    ]


def _answered(sheet: Sheet) -> list[Part]:
    """Return an answer without measurements, in the order of its page."""
    return [
        *(parts.findings(sheet.reading) if sheet.grid is None else parts.grades(sheet.grid)),
        *parts.measurements(sheet.reading),
        *parts.pictures(sheet.title, sheet.pictures, sheet.maps),
        *parts.listed("Notes", sheet.notes),
        *_ending(sheet),
    ]


def _ending(sheet: Sheet) -> list[Part]:
    return [*parts.facts("What is not known", sheet.unknown), *parts.facts("The model", tuple(sheet.summary.items()))]


def _stack(pieces: Sequence[Part], left: float, top: float, width: float) -> tuple[list[tuple[Any, float, float]], float]:
    """Return pieces one below the other, with their corners, and where they end."""
    placed = []
    for part in pieces:
        piece = part(width)
        _, height = piece.wrap(width, top - FOOT)
        top -= height
        placed.append((piece, left, top))
        top -= 1.6 * MM
    return placed, top


def _film_box(film: Film | None, frame: _Frame) -> tuple[tuple[float, float, float, float] | None, _Frame]:
    """Return where the film goes (left, bottom, width, height) and the column that is left for words; below the film where it is broad."""
    if film is None:
        return None, frame
    aspect, room = film.drawing.frame[2] / film.drawing.frame[3], frame.top - frame.bottom - 7 * MM
    if aspect > 1.05:
        height = min(frame.width / aspect, 0.5 * room)
        return (frame.left, frame.top - height, height * aspect, height), _Frame(0, frame.left, frame.top - height - 9 * MM, frame.width, frame.bottom)
    wide = min(room * aspect, 76 * MM)
    box = (frame.left, frame.top - wide / aspect, wide, wide / aspect)
    return box, _Frame(0, frame.left + wide + _GAP, frame.top, frame.width - wide - _GAP, frame.bottom)


def _flow(body: Sequence[Part], frame: _Frame) -> list[tuple[_Frame, Any, float]]:
    """Return every piece with its frame and height above the page's foot; what does not fit goes on, on whole pages."""
    placed: list[tuple[_Frame, Any, float]] = []
    y, waiting = frame.top, list(body)
    rest: list[Any] = []
    while waiting or rest:
        if not rest and getattr(waiting[0], "wide", False) and frame.width < PAGE[0] - 2 * MARGIN - 1:
            frame = _next(frame)
            y = frame.top
        piece = rest.pop(0) if rest else waiting.pop(0)(frame.width)
        fresh = y > frame.top - 1
        y -= 0 if fresh else piece.getSpaceBefore()
        fitting = _fitting(piece, frame.width, y - frame.bottom, fresh=fresh)
        if not fitting:
            frame, rest = _next(frame), [piece, *rest]
            y = frame.top
            continue
        piece, rest = fitting[0], [*fitting[1:], *rest]
        y -= piece.wrap(frame.width, y - frame.bottom)[1]
        placed.append((frame, piece, y))
        y -= 0.8 * MM
    return placed


def _fitting(piece: Any, width: float, room: float, *, fresh: bool) -> list[Any]:
    """Return the piece, or its halves of which the first fits into ``room``; nothing where it has to wait for the next page (never on a ``fresh`` one)."""
    _, height = piece.wrap(width, room)
    below = getattr(piece, "room", 0.0)
    if height + below <= room:
        return [piece]
    halves = [] if below else piece.split(width, room)
    return list(halves) if len(halves) > 1 else [piece] if fresh else []


def _next(frame: _Frame) -> _Frame:
    return _Frame(frame.page + 1, MARGIN, PAGE[1] - MARGIN, PAGE[0] - 2 * MARGIN, FOOT)


def _foot(canvas: Canvas, sheet: Sheet, page: int, pages: int) -> None:
    number = f"spinelab   |   page {page} of {pages}"
    font, text = foot_text(sheet, PAGE[0] - 2 * MARGIN - canvas.stringWidth(number, "Helvetica", _FOOT_PT) - _GAP)
    canvas.setFillColor(parts.SOFT)
    canvas.setFont(font, _FOOT_PT)
    canvas.drawString(MARGIN, 9 * MM, text)
    canvas.setFont("Helvetica", _FOOT_PT)
    canvas.drawRightString(PAGE[0] - MARGIN, 9 * MM, number)


def foot_text(sheet: Sheet, room: float) -> tuple[str, str]:
    """Return what stands below a page, and its font: the longer one of the names of study and model is cut until it fits into ``room`` points."""
    from reportlab.pdfbase.pdfmetrics import stringWidth

    result = sheet.reading.result
    study, model = printable(result.study), printable(result.model)
    cut = {"study": "", "model": ""}
    while True:
        told = f"{study}{cut['study']}   |   {printable(result.task)}, {model}{cut['model']}" + ("   |   Trained on phantoms" if sheet.phantom else "")
        font, text = typeset(told)
        if stringWidth(text, font, _FOOT_PT) <= room or not (study or model):
            return font, text
        if len(study) >= len(model):
            study, cut["study"] = study[:-1], "..."
        else:
            model, cut["model"] = model[:-1], "..."


def _draw_film(canvas: Canvas, film: Film, box: tuple[float, float, float, float]) -> None:
    from reportlab.lib.utils import ImageReader

    left, bottom, width, height = box
    drawing, (x0, y0, wide, _) = film.drawing, film.drawing.frame
    scale = width / wide
    canvas.saveState()
    clip = canvas.beginPath()
    clip.rect(left, bottom, width, height)
    canvas.clipPath(clip, stroke=0)
    canvas.setFillColor("#000000")
    canvas.rect(left, bottom, width, height, stroke=0, fill=1)
    at = left - (x0 + 0.5) * scale, bottom + height + (y0 + 0.5 - drawing.height) * scale
    canvas.drawImage(ImageReader(io.BytesIO(film.jpeg)), *at, drawing.width * scale, drawing.height * scale)
    for mark in drawing.printed:
        points = [(left + (x - x0) * scale, bottom + height - (y - y0) * scale) for x, y in mark.points]
        _draw_mark(canvas, mark, points, max(0.78 * drawing.text_px * scale, 5.0))
    canvas.restoreState()
    _draw_legend(canvas, [role for role in drawing.roles if role != "comparison"], left, bottom - 3.6 * MM, width)


def _draw_mark(canvas: Canvas, mark: Mark, points: Sequence[tuple[float, float]], text_pt: float) -> None:
    canvas.setStrokeColor(COLOURS[mark.role])
    canvas.setFillColor(COLOURS[mark.role])
    canvas.setLineWidth(WIDTHS[mark.role] * _LINE)
    canvas.setDash([dash * _LINE for dash in DASHES.get(mark.role, ())])
    if mark.shape == "dot":
        canvas.circle(*points[0], 1.1, stroke=0, fill=1)
    elif mark.shape == "ring":
        canvas.circle(*points[0], 2.6, stroke=1, fill=0)
    elif mark.shape == "text":
        _draw_text(canvas, mark, points[0], text_pt)
    else:
        path = canvas.beginPath()
        path.moveTo(*points[0])
        for point in points[1:]:
            path.lineTo(*point)
        if mark.closed:
            path.close()
        canvas.drawPath(path, stroke=1, fill=0)


def _draw_text(canvas: Canvas, mark: Mark, at: tuple[float, float], text_pt: float) -> None:
    """Draw a text on a dark ground, so that it is read on bright bone as well."""
    font, text = typeset(printable(mark.text), bold=True)
    wide = canvas.stringWidth(text, font, text_pt)
    x = at[0] - (wide if mark.leftward else 0)
    canvas.setFillColor("#000000", alpha=0.7)
    canvas.roundRect(x - 1.2, at[1] - 0.6 * text_pt, wide + 2.4, 1.2 * text_pt, 1.5, stroke=0, fill=1)
    canvas.setFillColor(COLOURS[mark.role], alpha=1)
    canvas.setFont(font, text_pt)
    canvas.drawString(x, at[1] - 0.35 * text_pt, text)


def _draw_legend(canvas: Canvas, roles: Sequence[str], left: float, y: float, width: float) -> None:
    canvas.saveState()
    x = left
    canvas.setFont("Helvetica", 6.5)
    for role in roles:
        needed = 8 * MM + canvas.stringWidth(LEGEND[role], "Helvetica", 6.5) + 3 * MM
        if x + needed > left + width + 3 * MM and x > left:
            x, y = left, y - 3.2 * MM
        canvas.setFillColor("#16191d")
        canvas.rect(x, y - 0.6, 6 * MM, 2.4 * MM, stroke=0, fill=1)
        canvas.setStrokeColor(COLOURS[role])
        canvas.setFillColor(COLOURS[role])
        canvas.setDash([dash * _LINE for dash in DASHES.get(role, ())])
        canvas.setLineWidth(1)
        middle = y - 0.6 + 1.2 * MM
        canvas.circle(x + 3 * MM, middle, 1.2, stroke=0, fill=1) if role == "landmark" else canvas.line(x + 0.8 * MM, middle, x + 5.2 * MM, middle)
        canvas.setFillColor(parts.SOFT)
        canvas.drawString(x + 7 * MM, y + 0.3, LEGEND[role])
        x += needed
    canvas.restoreState()
