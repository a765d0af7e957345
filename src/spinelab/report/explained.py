"""The page about the inside of one network and one film: every map with its checks, curves, filters and layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from spinelab.core import Explanation, Result, Sheet
from spinelab.report.figures import BLUE, GREY, INK, ORANGE, drawing, plain_axis, svg
from spinelab.report.files import write_bytes, write_text
from spinelab.report.grades import grid_of
from spinelab.report.heatmaps import heat_pictures, with_maps
from spinelab.report.material import origin_and_facts
from spinelab.report.pages import render
from spinelab.report.pictures import png, png_uri
from spinelab.report.words import number, picture_word


def write_explained(
    result: Result, maps: Sequence[Explanation], sheets: Sequence[Sheet], folder: Path, *, phantom_model: bool, model_summary: Mapping[str, Any]
) -> Result:
    """Write ``report.html``, ``result.json``, a PNG a map and a PNG a sheet; return the result that tells of the maps.

    Raises
    ------
    InputError
        When the disk is full or the folder cannot be written; finished files are kept.
    """
    told = with_maps(result, maps, folder)
    write_text(folder / "result.json", told.to_json())
    for n, sheet in enumerate(sheets, 1):
        write_bytes(folder / f"layer-{n}.png", png(sheet.picture))
    origin, facts = origin_and_facts(result, phantom_model=phantom_model, summary=model_summary)
    page = render(
        "explained.html",
        r=told,
        grid=grid_of(told),
        origin=origin,
        phantom=phantom_model,
        summary=facts,
        heats=heat_pictures(maps),
        word=picture_word(None, maps),
        curves=[_panel(n, one) for n, one in enumerate(maps, 1) if one.facts.get("curves")],
        weights=[_weights_row(one) for one in maps if one.facts.get("weights")],
        sheets=[{"title": s.title, "text": s.text, "picture": png_uri(s.picture), **_shape(s.picture)} for s in sheets],
    )
    write_text(folder / "report.html", page)
    return told


def _shape(picture: NDArray[np.uint8]) -> dict[str, int]:
    return {"width": picture.shape[1], "height": picture.shape[0]}


def _panel(n: int, one: Explanation) -> dict[str, Any]:
    """Return the curves of one map: probability while what it shows is taken away, and while it is put back."""
    found = one.facts["curves"]
    share = np.asarray(found["fractions"])
    key = f"curves-{n}"
    with drawing(key, 2.7, 2.2) as figure:
        axes = figure.add_subplot()
        axes.plot(share, found["insertion"], color=BLUE, label="put back")
        axes.plot(share, found["deletion"], color=ORANGE, label="taken away", linestyle="--")
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1.02)
        axes.legend(loc="best", labelcolor=INK)
        plain_axis(axes, "share of the pixels, hottest first", f"probability of {_short(one.label)}")
        axes.axhline(found["insertion"][-1], color=GREY, linewidth=0.8, linestyle=":")
        chart: Markup = svg(figure, key, f"Deletion and insertion curves of {one.method}")
    areas = f"Area put back {found['insertion_auc']:.2f} (noise {found['chance'][1]:.2f}), taken away {found['deletion_auc']:.2f} ({found['chance'][0]:.2f})"
    return {"title": one.method + (f", {one.view}" if one.view else ""), "text": areas, "svg": chart}


def _weights_row(one: Explanation) -> dict[str, Any]:
    found = one.facts["weights"]
    steps = [f"{100 * share:.0f} % of the layers: {number(value, 2)}" for share, value in zip(found["replaced"], found["correlation"], strict=True)]
    return {"method": one.method + (f", {one.view}" if one.view else ""), "steps": steps, "passed": found["depends_on_weights"]}


def _short(label: str) -> str:
    return label if len(label) <= 18 else f"{label[:16]}…"
