"""Templates into pages: everything that came from a file is escaped, nothing is loaded from elsewhere."""

from __future__ import annotations

from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from spinelab.report import words
from spinelab.report.content import FLAGS
from spinelab.report.documents import folder_name
from spinelab.report.grades import GRADES_TEXT
from spinelab.report.layout import Scale, table
from spinelab.report.measured_page import as_share, told
from spinelab.report.reading import shown, symbol


def render(template: str, **context: Any) -> str:
    """Return the page."""
    return _environment().get_template(template).render(**context)


@cache
def _environment() -> Environment:
    made = Environment(loader=PackageLoader("spinelab.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    formats = (
        words.number,
        words.interval,
        words.p_value,
        words.count,
        words.duration,
        words.sentence,
        words.spoken,
        words.estimate,
        words.metric,
        words.metrics_to_explain,
        words.likelihood,
    )
    made.filters |= {function.__name__: function for function in formats}
    made.filters |= {"chance": _chance, "folder_name": folder_name, "as_table": table, "shown": shown, "symbol": symbol}
    made.filters |= {"as_share": as_share, "in_unit": told, "lower_start": words.lower_start}
    made.globals |= {"FLAGS": FLAGS, "GRADES_TEXT": GRADES_TEXT, "HEAT_KEY": words.HEAT_KEY, "SEVERITY": words.SEVERITY, "percent": _percent}
    return made


def _chance(probability: float, digits: int = 2) -> str:
    """Return a probability that a narrow column does not break between its sign and its number: ``> 0.99``."""
    return words.chance(probability, digits).replace(" ", "\N{NO-BREAK SPACE}")


def _percent(scale: Scale, value: float) -> float:
    return scale.percent(value)
