"""The pieces of a printed reading: banners, tables, lists, in the type of a clinical report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from spinelab.core import Finding
from spinelab.report.grades import GRADES_TEXT, Grid
from spinelab.report.pdf_pictures import MM, Figure, first_row_height, grades_table, heat_key, in_rows
from spinelab.report.pdf_type import markup, paragraph, printable, typeset
from spinelab.report.reading import SIDES, Levels, Reading, Row, Strip, shown, symbol
from spinelab.report.serial import LARGER, MEANING, FollowUp
from spinelab.report.words import HEAT_KEY, NONE, chance, likelihood, number, sentence, spoken

INK: Final = "#1f2933"
SOFT: Final = "#52606d"
_RULE: Final = "#c9d0d8"
_STOP: Final = "#8a3200"
_CARE: Final = "#664a00"
_DEEP: Final = "#00507d"
_ALL: Final = ((0, 0), (-1, -1))
"""Every cell of a table."""

Part = Callable[[float], Any]

LEVELS_TEXT: Final = "Count the vertebrae before you rely on a level, or on a measurement that is named after one."


def _little(_width: float) -> float:
    return 14 * MM


@dataclass(frozen=True)
class Heading:
    """A heading, which stays with what follows; a ``wide`` one begins a page of the full width where it would stand beside the film.

    ``room`` is how much of what follows has to fit on its page, in points, by the width.
    """

    text: str
    wide: bool = False
    room: Callable[[float], float] = _little

    def __call__(self, width: float) -> Any:
        made = paragraph(f"<b>{markup(self.text, bold=True)}</b>", 9.5, INK, above=5)
        made.room = self.room(width)
        return made


def head(reading: Reading, origin: str, identity: Sequence[tuple[str, str, str]], *, phantom: bool) -> list[Part]:
    """Return what stands above film and table: what the model learnt from, whether levels are certain, and whose film it is."""
    result = reading.result
    lead = f"<b>Trained on phantoms.</b> {markup(origin)}" if phantom else markup(origin)
    found: list[Part] = [lambda width: _banner(lead, width, "#fff5da" if phantom else "#f5f7f9", "#e69f00" if phantom else "#0072b2")]
    if reading.levels is not None and not reading.levels.certain:
        alarm = f"<b>The levels are not certain.</b> {_sure(reading.levels)}{LEVELS_TEXT}"
        found.append(lambda width: _banner(alarm, width, "#fdeee6", "#d55e00"))
    if reading.refused:
        refused = f"<b>Not read.</b> {markup(reading.refused)}"
        found.append(lambda width: _banner(refused, width, "#fdeee6", "#d55e00"))
    kicker = markup(f"READING · {spoken(result.task).upper()} · {result.model}")
    found.append(lambda _: paragraph(kicker, 7, SOFT))
    found.append(lambda _: paragraph(f"<b>{markup(result.study, bold=True)}</b>", 15, INK))
    if identity:
        found.append(lambda width: _identity(identity, width))
    return found


def measurements(reading: Reading) -> list[Part]:
    """Return the values, what was not measured, and why."""
    found: list[Part] = []
    if reading.rows:
        found += [_heading("Measurements"), lambda width: _values(reading, width)]
        found += [_line(f"{n}  {text}", 6.2, SOFT) for n, text in enumerate(reading.footnotes, 1)]
        found += [_line(SIDES, 6.2, SOFT)] if reading.sided else []
    if reading.withheld:
        found.append(_heading("Not measured, and why"))
        found += [_line(f"<b>{markup(', '.join(one.titles), bold=True)}</b><br/>{markup(one.reason)}", 7.4, _CARE, marked=True) for one in reading.withheld]
    return found


def findings(reading: Reading) -> list[Part]:
    """Return how the vertebrae were named, and every finding."""
    if not reading.findings and reading.levels is None:
        return []
    found: list[Part] = [_heading("Findings")]
    if reading.levels is not None:
        certain = "The vertebrae are named with certainty. " if reading.levels.certain else "The naming of the vertebrae is not certain. "
        found.append(_line(certain + _sure(reading.levels), 7.4))
    return found + [_line(_finding(one, reading.title_of(one)), 7.8, marked=True) for one in reading.findings]


def grades(grid: Grid) -> list[Part]:
    """Return the grades by level and side."""
    return [_heading("Grades by level and side"), _line(GRADES_TEXT, 7, SOFT), lambda width: grades_table(grid, width)]


def pictures(title: str, films: Sequence[Figure], maps: Sequence[Figure], key: Mapping[str, str] = HEAT_KEY) -> list[Part]:
    """Return films, then maps, in rows below a heading and, where there are maps, what they show; a single film stands in a row with its maps."""
    groups = [(*films, *maps)] if len(films) <= 1 else [tuple(films), tuple(maps)]
    if not any(groups):
        return []
    heading = Heading(title, room=lambda width: first_row_height(groups[0], width))
    return [heading, *(heat_key(key) if maps else ()), *(_rows(group) for group in groups if group)]


def _rows(figures: Sequence[Figure]) -> Part:
    return lambda width: in_rows(figures, width)


def listed(title: str, sentences: Sequence[str]) -> list[Part]:
    """Return sentences below a heading."""
    return [_heading(title), *(_line(text, 7.4) for text in sentences)] if sentences else []


def followed(changes: Sequence[FollowUp]) -> list[Part]:
    """Return what has changed since the patient's other films."""
    return [part for one in changes for part in _change(one)]


def facts(title: str, told: Sequence[tuple[str, Any]]) -> list[Part]:
    """Return facts below a heading."""
    return [_heading(title), *(_fact(name, sentence(value)) for name, value in told)] if told else []


def _sure(levels: Levels) -> str:
    return "" if levels.probability is None else f"The probability that every vertebra has its right name is {chance(levels.probability)}. "


def _finding(one: Finding, title: str) -> str:
    where = " ".join(part for part in (one.site, one.side) if part)
    label = one.label if one.label is not None else "no answer"
    words = f"{markup(f'{title} {where}'.strip())}: <b>{markup(label, bold=True)}</b>"
    if one.label is not None and one.label in one.probabilities:
        probability = one.probabilities[one.label]
        limits = f", {number(one.interval[0], 2)} to {number(one.interval[1], 2)}" if one.interval else ""
        words += markup(f", {likelihood(probability)} (probability {chance(probability)}{limits})")
    others = [f"{label}: {chance(p)}" for label, p in one.probabilities.items() if label != one.label]
    return words + (f'<br/><font color="{SOFT}">{markup(", ".join(others))}</font>' if others else "")


def _values(reading: Reading, width: float) -> Any:
    usual = bool(reading.footnotes)
    shares = (0.165, 0.375, 0.215, 0.245) if usual else (0.24, 0.5, 0.26)
    header = ["Value", "Measurement", "95 % interval", *(["Usual range"] if usual else [])]
    columns = [share * width for share in shares]
    rows: list[list[Any]] = [[paragraph(text, 6.5, SOFT, right=n == 0) for n, text in enumerate(header)]]
    rows += [_value_row(row, columns, usual=usual) for row in reading.rows]
    return _table(rows, columns)


def _value_row(row: Row, columns: Sequence[float], *, usual: bool) -> list[Any]:
    where = f' <font color="{SOFT}">{markup(row.where)}</font>' if row.where else ""
    name = [paragraph(f"<b>{markup(row.title, bold=True)}</b>{where}", 8, INK)]
    if row.how:
        name.append(paragraph(markup(row.how), 6.6, SOFT))
    cells = [
        paragraph(f"<b>{markup(row.value, bold=True)}</b>{_unit(row.unit)}", 11.5, INK, right=True),
        name,
        paragraph(markup(row.interval or "not known"), 8, INK),
    ]
    if not usual:
        return cells
    if not row.usual or row.strip is None:
        return [*cells, paragraph("no range", 6.8, SOFT)]
    standing = paragraph(markup(row.standing), 6.6, _STOP if row.outside else SOFT)
    usual_range = f'{markup(row.usual)}<super rise="2.5" size="5.5">{row.footnote}</super>'
    return [*cells, [paragraph(usual_range, 8, INK), _strip(row.strip, columns[3] - 6), standing]]


def _unit(unit: str) -> str:
    """Return markup of a unit behind a large value; a sign of degrees is part of the number."""
    return markup(unit, bold=True) if unit == "°" else f'<font size="7.5">{markup(unit)}</font>'


def _strip(strip: Strip, width: float) -> Any:
    from reportlab.graphics.shapes import Circle, Drawing, Line, Rect
    from reportlab.lib.colors import HexColor

    drawing = Drawing(width, 7)
    drawing.add(Rect(strip.low * width, 1, (strip.high - strip.low) * width, 5, fillColor=HexColor("#d7dee6"), strokeColor=None))
    if strip.lo is not None and strip.hi is not None:
        drawing.add(Line(strip.lo * width, 3.5, strip.hi * width, 3.5, strokeColor=HexColor(_DEEP), strokeWidth=0.9))
    drawing.add(Circle(strip.value * width, 3.5, 1.7, fillColor=HexColor(_DEEP), strokeColor=None))
    return drawing


def _change(one: FollowUp) -> list[Part]:
    found: list[Part] = [_heading(f"Change since {one.earlier_day}", wide=True), _line(f"Against {one.earlier}, {one.interval} before. {MEANING}", 7, SOFT)]
    if one.changes:
        found.append(lambda width: _changes(one, width))
    return [*found, *(_line(remark, 7, _CARE) for remark in one.remarks)]


def _changes(one: FollowUp, width: float) -> Any:
    columns = [share * width for share in (0.32, 0.11, 0.11, 0.13, 0.13, 0.2)]
    header = ("Measurement", "Then", "Now", "Difference", "Landmark error", "Verdict")
    rows: list[list[Any]] = [[paragraph(text, 6.5, SOFT, right=0 < n < 5) for n, text in enumerate(header)]]
    for c in one.changes:
        gain = f"{'+' if c.difference > 0 else ''}{shown(c.difference, c.unit)}"
        figures = [shown(c.earlier, c.unit), shown(c.later, c.unit), gain, *([] if c.mdc is None else [shown(c.mdc, c.unit)])]
        figures = [f"{figure}{symbol(c.unit)}" for figure in figures] + ([NONE] if c.mdc is None else [])
        verdict = paragraph(c.verdict, 6.8, _DEEP if c.verdict == LARGER else SOFT)
        rows.append([paragraph(markup(c.title), 7.4, INK), *(paragraph(markup(text), 7.4, INK, right=True) for text in figures), verdict])
    return _table(rows, columns)


def _table(rows: Sequence[Sequence[Any]], columns: Sequence[float]) -> Any:
    from reportlab.platypus.tables import Table

    style = [
        ("VALIGN", *_ALL, "TOP"),
        *_padding(left=0, above=2.2, below=2.6),
        ("LINEBELOW", (0, 0), (-1, 0), 0.8, "#9aa3ae"),
        ("LINEBELOW", (0, 1), (-1, -1), 0.4, _RULE),
    ]
    return Table([list(row) for row in rows], colWidths=list(columns), repeatRows=1, style=style, hAlign="LEFT")


def _identity(identity: Sequence[tuple[str, str, str]], width: float) -> Any:
    cells = [[paragraph(markup(name.capitalize()), 6.2, SOFT), paragraph(f"<b>{markup(value, bold=True)}</b>", 8, INK)] for name, value, _ in identity]
    cells = [[*cell, paragraph(markup(more), 5.8, SOFT)] if more else cell for cell, (*_, more) in zip(cells, identity, strict=True)]
    return _plain_table([cells], _shares(identity, width))


def _shares(identity: Sequence[tuple[str, str, str]], width: float) -> list[float]:
    """Return column widths that keep every value on one line where the page is wide enough; what is left goes to the columns with a source."""
    from reportlab.pdfbase.pdfmetrics import stringWidth

    needed = [max(stringWidth(*reversed(typeset(printable(value), bold=True)), 8), stringWidth(name, "Helvetica", 6.2)) + 12 for name, value, _ in identity]
    needed = [min(one, width / 3) for one in needed]  # one long value must not leave the others without room
    if sum(needed) > width:
        return [width * one / sum(needed) for one in needed]
    longest = [len(more) for *_, more in identity]
    spare = width - sum(needed)
    total = sum(longest) or 1
    return [one + (spare * letters / total if sum(longest) else 0) for one, letters in zip(needed, longest, strict=True)]


def _plain_table(rows: list[list[Any]], columns: list[float]) -> Any:
    from reportlab.platypus.tables import Table

    return Table(rows, colWidths=columns, style=[("VALIGN", *_ALL, "TOP"), *_padding(left=0, above=0, below=0)], hAlign="LEFT")


def _banner(text: str, width: float, back: str, edge: str) -> Any:
    from reportlab.platypus.tables import Table

    style = [("BACKGROUND", *_ALL, back), ("LINEBEFORE", (0, 0), (0, -1), 3, edge), *_padding(left=7, above=4, below=5)]
    return Table([[paragraph(text, 8.2, INK)]], colWidths=[width], style=style, hAlign="LEFT")


def _padding(*, left: float, above: float, below: float) -> list[tuple[Any, ...]]:
    """Return the room inside the cells of a table, in points."""
    sides = {"LEFTPADDING": left, "RIGHTPADDING": 6, "TOPPADDING": above, "BOTTOMPADDING": below}
    return [(name, *_ALL, room) for name, room in sides.items()]


def _fact(name: str, text: str) -> Part:
    return _line(f"<b>{markup(spoken(name).capitalize(), bold=True)}</b>: {markup(text)}", 6.8, SOFT, marked=True)


def _heading(text: str, *, wide: bool = False) -> Part:
    return Heading(text, wide)


def _line(text: str, size: float, colour: str = INK, *, marked: bool = False) -> Part:
    return lambda _: paragraph(text if marked else markup(text), size, colour)
