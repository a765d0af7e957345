"""What the endplate lines alone say about the labels: slip by subtype, Meyerding grades, and a map of slip features."""

from __future__ import annotations

import io as text_io
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spinelab.core import Examples
from spinelab.geometry import GRADES, SLIP_THRESHOLD_PERCENT, Film
from spinelab.tasks.lumbar_xray.annotations import SUBTYPES
from spinelab.tasks.lumbar_xray.films import measured_example
from spinelab.tasks.lumbar_xray.settings import LumbarXraySettings
from spinelab.tasks.lumbar_xray.slip_model import FEATURES, slip_features

_NEIGHBOURS: Final = 5
_COLOURS: Final = {
    "normal": "#8a8f98",
    "disordered": "#c2410c",
    "left-laterolisthesis": "#0072b2",
    "right-laterolisthesis": "#56b4e9",
    "anterolisthesis": "#d55e00",
    "retrolisthesis": "#009e73",
}


def sections(examples: Examples, settings: LumbarXraySettings) -> list[dict[str, Any]]:
    """Return the sections for the comparison report; empty where no patient has endplate lines."""
    films = [measured_example(e) for e in examples]
    held = [i for i, film in enumerate(films) if film]
    if not held:
        return []
    seen, measured = examples.subset(held), [films[i] for i in held]
    subtypes = seen.labels("subtype")
    found = [_slip_table(subtypes, measured), _grade_table(subtypes, measured)]
    features = np.array([slip_features(film) for film in measured])
    usable = np.isfinite(features[:, : len(FEATURES)]).any(axis=1)
    if usable.sum() >= 3 * _NEIGHBOURS:
        labels = [label for label, ok in zip(seen.labels(settings.finding), usable, strict=True) if ok]
        found.append(_map(features[usable], labels, settings.seed))
    return found


def _slip_table(subtypes: Sequence[str], measured: Sequence[dict[str, Film]]) -> dict[str, Any]:
    rows = []
    for name in [s for s in SUBTYPES if s in subtypes]:
        own = [film for film, subtype in zip(measured, subtypes, strict=True) if subtype == name]
        rows.append([name, len(own), _spread([_greatest(f, "LATERAL") for f in own]), _spread([_greatest(f, "AP") for f in own])])
    unknown = sum(1 for f in measured if "LATERAL" in f and (facing := f["LATERAL"].facing) is not None and facing.anterior is None)
    text = (
        "The greatest slip of any level, in per cent of the endplate below, from the lines drawn on the films: forward or backward on the lateral film, "
        "to either side on the AP film. Median and range over patients."
    )
    if unknown:
        text += (
            f" On {unknown} of {sum('LATERAL' in f for f in measured)} lateral films the side that the patient faces could not be told from the lines, so that "
            "forward and backward are not told apart there."
        )
    return {"title": "Measured slip by subtype", "text": text, "table": {"columns": ["Subtype", "Patients", "Lateral film, %", "AP film, %"], "rows": rows}}


def _grade_table(subtypes: Sequence[str], measured: Sequence[dict[str, Film]]) -> dict[str, Any]:
    counts: dict[str, Counter[int]] = {}
    for film, subtype in zip(measured, subtypes, strict=True):
        grades = [level.grade for level in film["LATERAL"].levels if level.grade is not None] if "LATERAL" in film else []
        if grades:
            counts.setdefault(subtype, Counter())[max(grades)] += 1
    rows = [[name, *(counts[name][grade] for grade in range(len(GRADES)))] for name in SUBTYPES if name in counts]
    above = sum(sum(c for grade, c in counts[name].items() if grade) for name in counts if name == "normal")
    normal = sum(counts.get("normal", Counter()).values())
    text = f"Each patient's highest Meyerding grade on the lateral film; grade 0 is a slip below {SLIP_THRESHOLD_PERCENT:g} %. "
    text += f"{above} of {normal} patients labelled normal measure grade I or more"
    text += ". Lines drawn by hand vary by a few per cent, and the label does not follow this threshold." if above else "."
    return {"title": "Meyerding grades", "text": text, "table": {"columns": ["Subtype", *(f"Grade {g}" for g in GRADES)], "rows": rows}}


def _map(features: NDArray[np.float64], labels: Sequence[str], seed: int) -> dict[str, Any]:
    """Return the t-SNE picture, and in words how far the labels separate among the features themselves."""
    standard = _standardised(features)
    positive = np.array([label != "normal" for label in labels])
    points = _embedded(standard, seed)
    return {
        "title": "Slip features in two dimensions (t-SNE)",
        "text": _words(features, standard, positive),
        "svg": _picture(points, labels),
    }


def _words(features: NDArray[np.float64], standard: NDArray[np.float64], positive: NDArray[np.bool_]) -> str:
    from sklearn.metrics import roc_auc_score, silhouette_score

    start = (
        f"t-SNE of {standard.shape[1]} standardised slip features of {len(standard)} patients, coloured by the label; axes have no unit, and distances between "
        "far groups mean nothing. The figures are computed on the features, not on the picture. "
    )
    if positive.sum() < 2 or (~positive).sum() < 2:
        return start + "Too few patients of one class to say how far the classes separate."
    silhouette = float(silhouette_score(standard, positive))
    neighbours = float(roc_auc_score(positive, _neighbour_share(standard, positive)))
    largest = features[:, [FEATURES.index("LATERAL greatest slip size"), FEATURES.index("AP greatest offset size")]]
    # A film that is not there shows no slip.
    single = float(roc_auc_score(positive, np.where(np.isfinite(largest), largest, 0).max(axis=1)))
    judged = "nearly separate" if neighbours >= 0.95 else "overlap in part" if neighbours >= 0.8 else "overlap widely" if neighbours >= 0.6 else "are mixed"
    clusters = "form clusters of their own" if silhouette >= 0.25 else "form no clusters of their own"
    return (
        start + f"Normal and disordered {judged}: whether a patient is disordered is told by the {_NEIGHBOURS} most similar other patients with AUROC "
        f"{neighbours:.2f}, and by the greatest slip of any level alone with AUROC {single:.2f}, where .5 is chance. The two classes {clusters} (silhouette "
        f"{silhouette:.2f}; 1 would be two tight groups). The lines were drawn by those who gave the label, so these figures are optimistic."
    )


def _standardised(features: NDArray[np.float64]) -> NDArray[np.float64]:
    held = features[:, np.isfinite(features).any(axis=0)]
    filled = np.where(np.isfinite(held), held, np.nanmedian(held, axis=0))
    spread = filled.std(axis=0)
    varying: NDArray[np.float64] = ((filled - filled.mean(axis=0)) / np.where(spread > 0, spread, 1))[:, spread > 0]
    return varying


def _neighbour_share(standard: NDArray[np.float64], positive: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return for each patient the share of positives among the nearest others."""
    squares = (standard**2).sum(axis=1)
    distances = squares[:, None] + squares[None] - 2 * standard @ standard.T
    np.fill_diagonal(distances, np.inf)
    nearest = np.argpartition(distances, _NEIGHBOURS, axis=1)[:, :_NEIGHBOURS]
    share: NDArray[np.float64] = positive[nearest].mean(axis=1)
    return share


def _embedded(standard: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    from sklearn.manifold import TSNE

    perplexity = min(30.0, (len(standard) - 1) / 3)
    embedded: NDArray[np.float64] = TSNE(perplexity=perplexity, init="pca", learning_rate="auto", random_state=seed).fit_transform(standard)
    return embedded


def _picture(points: NDArray[np.float64], labels: Sequence[str]) -> str:
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "spinelab-slip", "font.family": "sans-serif"}):
        figure = Figure(figsize=(6.4, 4.4), layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.add_subplot()
        order = [name for name in _COLOURS if name in labels]
        for name in order:
            chosen = np.array([label == name for label in labels])
            axes.scatter(points[chosen, 0], points[chosen, 1], s=16, c=_COLOURS[name], label=f"{name} ({int(chosen.sum())})", alpha=0.8, linewidths=0)
        axes.set_xticks([])
        axes.set_yticks([])
        axes.set_xlabel("first t-SNE dimension")
        axes.set_ylabel("second t-SNE dimension")
        axes.spines[["top", "right"]].set_visible(False)
        figure.legend(loc="outside right upper", frameon=False, fontsize=9)
        drawn = text_io.StringIO()
        figure.savefig(drawn, format="svg", metadata={"Date": None})
    return drawn.getvalue()[drawn.getvalue().index("<svg") :]


def _greatest(film: dict[str, Film], view: str) -> float | None:
    sizes = [level.slip_size_percent for level in film[view].levels if level.slip_size_percent is not None] if view in film else []
    return max(sizes) if sizes else None


def _spread(values: Sequence[float | None]) -> str:
    known = [v for v in values if v is not None]
    return f"{np.median(known):.1f} ({min(known):.1f} to {max(known):.1f})" if known else "not measured"
