"""The history of the search in a report: best so far against minutes, and a table with what was found and whether it means anything."""

from __future__ import annotations

import io as text_io
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

_COLOURS: Final = ("#1F5FA8", "#C2570C", "#2E7D4F", "#7A3E9D", "#A33A3A", "#4C6472")
_TITLE: Final = "Searched augmentation"
_TEXT: Final = (
    "Before each training, strengths of six families (noise injection, pixelation, translation, cropping, resizing, zoom; 0 is off) were searched by short "
    "trainings judged on the validation part of the training patients alone. Lines: the lowest mean log loss on those films so far; dots: single trials; "
    "dashed: no augmentation. p is how often the best of as many worthless combinations does as well by chance (White's reality check). "
)


def searches(records: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """Return one section on the searches of all models and folds, nothing where none was made."""
    found = [(name, fold + 1, record["search"]) for name, fits in records.items() for fold, record in enumerate(fits) if record.get("search")]
    if not found:
        return []
    won = sum(bool(search["found"]) for _, _, search in found)
    verdict = f"In {won} of {len(found)} searches the best was better than no augmentation beyond chance. " if len(found) > 1 else ""
    text = _TEXT + verdict + " ".join(dict.fromkeys(search["words"] for _, _, search in found[:1]))
    section: dict[str, Any] = {"title": _TITLE, "text": text, "table": {"columns": list(_COLUMNS), "rows": [_row(*one) for one in found]}}
    if any(search["trials"] for _, _, search in found):
        section["svg"] = _picture(found)
    return [section]


_COLUMNS: Final = ("Model", "Fit", "Minutes", "Trials", "Stopped early", "Best strengths", "Log loss", "Without", "Gain (95 %)", "p", "Beyond chance")


def _row(name: str, fit: int, search: Mapping[str, Any]) -> list[Any]:
    gain = search.get("gain")
    best = ", ".join(f"{family} {value:g}" for family, value in search["best"].items() if value) or "none"
    told = f"{gain['value']:.3f} ({gain['lo']:.3f} to {gain['hi']:.3f})" if gain else ""
    figures = [f"{search[key]:.3f}" if search.get(key) is not None else "" for key in ("best_value", "without")]
    chance = f"{gain['p']:.3g}" if gain else ""
    return [
        name,
        fit,
        f"{search['seconds'] / 60:.1f}",
        len(search["trials"]),
        search["pruned"],
        best,
        *figures,
        told,
        chance,
        "yes" if search["found"] else "no",
    ]


def _picture(found: Sequence[tuple[str, int, Mapping[str, Any]]]) -> str:
    """Draw the lowest loss so far of every search against its minutes."""
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    names = list(dict.fromkeys(name for name, _, _ in found))
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "spinelab-search", "font.family": "sans-serif"}):
        figure = Figure(figsize=(6.4, 3.4), layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.add_subplot()
        for name, fit, search in found:
            colour = _COLOURS[names.index(name) % len(_COLOURS)]
            trials = [t for t in search["trials"] if t["value"] is not None]
            minutes = np.cumsum([t["seconds"] for t in search["trials"]])[[t["value"] is not None for t in search["trials"]]] / 60
            values = np.array([t["value"] for t in trials], dtype=np.float64)
            whole = np.array([t["state"] == "complete" for t in trials], dtype=bool)
            if not whole.any():
                continue
            axes.scatter(minutes, values, s=8, c=np.where(whole, colour, "none"), edgecolors=colour, linewidths=0.6, alpha=0.6)
            so_far = np.minimum.accumulate(np.where(whole, values, np.inf))
            axes.step(minutes[np.isfinite(so_far)], so_far[np.isfinite(so_far)], where="post", color=colour, linewidth=1.4, label=name if fit == 1 else None)
            if search.get("without") is not None:
                axes.axhline(search["without"], color=colour, linewidth=0.7, linestyle=(0, (4, 3)), alpha=0.7)
        axes.set_xlabel("Minutes of search (open dots: stopped early)")
        axes.set_ylabel("Validation log loss")
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, fontsize=8)
        drawn = text_io.StringIO()
        figure.savefig(drawn, format="svg", metadata={"Date": None})
    return drawn.getvalue()[drawn.getvalue().index("<svg") :]
