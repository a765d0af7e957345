"""Type of a printed reading: which font has a text's letters, paragraphs."""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape


def typeset(text: str, *, bold: bool = False) -> tuple[str, str]:
    """Return the font that has the letters of a text, and the text as that font writes it.

    Helvetica, which every reader of PDFs has, wherever its letters (Windows-1252) suffice; else DejaVu Sans, embedded.
    """
    plain = text.replace("−", "–").replace("\u202f", "\u00a0")
    try:
        plain.encode("cp1252")
    except UnicodeEncodeError:
        if _wide_font():
            return "DejaVuSans", text
        plain = plain.encode("cp1252", "replace").decode("cp1252")
    return ("Helvetica-Bold" if bold else "Helvetica"), plain


def paragraph(text: str, size: float, colour: str, *, right: bool = False, above: float = 0) -> Any:
    """Return a paragraph of marked-up text; ``size`` and the room ``above`` it in points."""
    from reportlab.platypus.paragraph import Paragraph

    return Paragraph(text, _style(size, colour, right, above))


@cache
def _style(size: float, colour: str, right: bool, above: float) -> Any:  # noqa: FBT001 - the key of a cache
    from reportlab.lib.enums import TA_LEFT, TA_RIGHT
    from reportlab.lib.styles import ParagraphStyle

    return ParagraphStyle(
        "text", fontName="Helvetica", fontSize=size, leading=1.24 * size, textColor=colour, alignment=TA_RIGHT if right else TA_LEFT, borderPadding=0,
        splitLongWords=1, spaceBefore=above,
    )  # fmt: skip


def markup(text: str, *, bold: bool = False) -> str:
    """Return markup of a plain text in a font that has its letters."""
    font, written = typeset(printable(str(text)), bold=bold)
    clean = escape(written)
    return clean if font.startswith("Helvetica") else f'<font name="{font}">{clean}</font>'


def printable(text: str) -> str:
    """Return a text without control characters and without what UTF-8 cannot hold (file names that were not UTF-8 on disk)."""
    whole = text.encode("utf-8", "replace").decode("utf-8")
    return "".join(letter for letter in whole if letter >= " " or letter in "\t\n")


@cache
def _wide_font() -> bool:
    """Register DejaVu Sans, which comes with matplotlib; ``False`` where it cannot be found."""
    from reportlab.pdfbase.pdfmetrics import registerFont
    from reportlab.pdfbase.ttfonts import TTFont

    found = importlib.util.find_spec("matplotlib")
    path = Path(found.origin).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf" if found is not None and found.origin else None
    if path is None or not path.is_file():
        return False
    registerFont(TTFont("DejaVuSans", str(path)))
    return True
