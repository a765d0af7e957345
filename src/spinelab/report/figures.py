"""The look of every figure, and the way from matplotlib to SVG that sits inside a page."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from markupsafe import Markup, escape

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE: Final = "#0072B2"
ORANGE: Final = "#D55E00"
GREEN: Final = "#009E73"
GREY: Final = "#6B7280"
FAINT: Final = "#D4D8DE"
INK: Final = "#1F2933"
"""Okabe and Ito's colours, told apart with every common colour blindness, and three greys."""

_STYLE: Final[dict[str, Any]] = {
    "svg.fonttype": "none",
    "font.size": 8.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#9AA3AE",
    "axes.labelcolor": INK,
    "axes.linewidth": 0.7,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#EBEDF0",
    "grid.linewidth": 0.6,
    "xtick.color": "#52606D",
    "ytick.color": "#52606D",
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "legend.frameon": False,
    "legend.fontsize": 8.0,
    "legend.handlelength": 1.8,
    "lines.linewidth": 1.6,
    "lines.solid_capstyle": "round",
    "path.simplify": True,
    "path.simplify_threshold": 0.2,
}

_MARGINS_IN: Final = (0.56, 0.1, 0.42, 0.08)
"""Room left, right, below and above the axes: fixed, for it is a third faster than letting matplotlib find it, and panels line up."""

_CHARACTERS: Final = 4
"""Characters of a number on the upright axis, such as ``0.75``, for which there is room."""
_CHARACTER_IN: Final = 0.075

_UNUSED: Final = re.compile(r"<metadata>.*?</metadata>\s*|<\?xml.*?\?>\s*|<!DOCTYPE.*?>\s*|<!--.*?-->\s*", re.DOTALL)
_FAMILY: Final = re.compile(r"(font-family: )'[^;\"]*")
_SHORTHAND: Final = re.compile(r"font: (?:(\w+) )?([\d.]+)px '[^;\"]*")
_PATH: Final = re.compile(r' d="([^"]*)"')
_LONG_DECIMAL: Final = re.compile(r"(\.\d\d)\d+")


@contextmanager
def drawing(key: str, width_in: float, height_in: float) -> Iterator[Figure]:
    """Give a figure in the report's style; without pyplot, so no window, no state and no limit on open figures."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context({**_STYLE, "svg.hashsalt": key}):
        figure = Figure(figsize=(width_in, height_in))
        left, right, low, high = _MARGINS_IN
        figure.subplots_adjust(left / width_in, low / height_in, 1 - right / width_in, 1 - high / height_in, hspace=0.16)
        yield figure


def svg(figure: Figure, key: str, alt: str) -> Markup:
    """Return the figure as inline SVG: text stays text in the page's own font, identifiers are the figure's own, no date, no link.

    ``key`` has to differ between the figures of a page. Must be called inside `drawing`.
    """
    out = io.StringIO()
    figure.savefig(out, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return inline(out.getvalue(), key, alt)


def inline(text: str, key: str, alt: str) -> Markup:
    """Return a trusted SVG document so that it can stand in a page among others."""
    text = _UNUSED.sub("", text).strip()
    text = re.sub(r'<style type="text/css">\*\{stroke-linejoin[^<]*</style>', "", text)
    text = _SHORTHAND.sub(lambda found: f"font-weight: {found[1] or 'normal'}; font-size: {found[2]}px; font-family: inherit", text)
    text = _FAMILY.sub(r"\1inherit", text)
    text = _PATH.sub(_short_path, text)
    text = re.sub(r">\s+<", "><", text)
    text = _own_identifiers(text, re.sub(r"\W+", "-", key))
    head, body = text.split(">", 1)
    size = re.search(r'viewBox="[\d.-]+ [\d.-]+ ([\d.]+) ([\d.]+)"', head)
    width = f' style="max-width: {float(size[1]) * 4 / 3:.0f}px"' if size else ""
    head = re.sub(r'\s(?:width|height|version|style|role|aria-label|xmlns(?::\w+)?)="[^"]*"', "", head)
    body = body.replace("xlink:href=", "href=")
    return Markup(f'{head} class="chart" role="img" aria-label="{escape(alt)}"{width}>{body}')  # noqa: S704 - trusted by contract; alt is escaped


def plain_axis(axes: Axes, x: str, y: str) -> None:
    """Name the axes, once all is drawn; longer numbers push the margin out, so that the name of the upright axis is never cut."""
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    if y:
        _make_room(axes)


def _make_room(axes: Axes) -> None:
    low, high = sorted(axes.get_ylim())
    shown = [place for place in axes.get_yticks() if low <= place <= high]
    longest = max(map(len, axes.yaxis.get_major_formatter().format_ticks(shown)), default=0)
    figure = axes.get_figure(root=True)
    if figure is not None and longest > _CHARACTERS:
        figure.subplots_adjust(left=figure.subplotpars.left + (longest - _CHARACTERS) * _CHARACTER_IN / figure.get_figwidth())


def _short_path(found: re.Match[str]) -> str:
    """Write a path on one line and to a hundredth of a point."""
    coordinates = _LONG_DECIMAL.sub(r"\1", " ".join(found[1].split()))
    return f' d="{coordinates}"'


def _own_identifiers(text: str, key: str) -> str:
    """Drop identifiers that nothing refers to and prefix the others, so that no two figures of a page share one."""
    used = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', text))
    text = re.sub(r'\sid="([^"]*)"', lambda found: f' id="{key}-{found[1]}"' if found[1] in used else "", text)
    return re.sub(r'(url\(#|href="#)', rf"\g<1>{key}-", text)
