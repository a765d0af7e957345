"""``slip-logistic``: the label from measured slip, by logistic regression; no pixel is looked at.

The lines are drawn by the annotators who also gave the label, and they draw them where they see a slip. The model is
therefore an optimistic reference for what measuring can reach, not a reader of bare films.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spinelab.core import Examples, Finding, InputError, Model, NotSureError, Result, counted, noted
from spinelab.geometry import LEVELS, SLIP_THRESHOLD_PERCENT, VERTEBRAE, Film
from spinelab.tasks.lumbar_xray.films import measured_example
from spinelab.tasks.lumbar_xray.settings import SLIP_MODEL, LumbarXraySettings
from spinelab.tasks.lumbar_xray.truth import TASK_NAME, grades, slip_measurements

_LATERAL: Final = ("slip_percent", "slip_size_percent", "disc_angle_deg", "disc_height_ratio")
_AP: Final = ("slip_percent", "slip_size_percent", "disc_angle_deg")
FEATURES: Final = (
    *(f"LATERAL {level} {name}" for level in LEVELS for name in _LATERAL),
    *(f"LATERAL {vertebra} wedge_deg" for vertebra in VERTEBRAE),
    "LATERAL lordosis_deg",
    *(f"LATERAL greatest {name}" for name in ("forward slip", "backward slip", "slip size")),
    *(f"AP {level} {name}" for level in LEVELS[:4] for name in _AP),
    *(f"AP {vertebra} wedge_deg" for vertebra in VERTEBRAE),
    *(f"AP greatest {name}" for name in ("offset to the left", "offset to the right", "offset size")),
)
INDICATORS: Final = ("LATERAL lines absent", "LATERAL facing unknown", "AP lines absent")
DRAWN_NOTE: Final = (
    "Measured from endplate lines that came with the films, not found in them: it reads no pixels. In BUU-LSPINE the annotators who drew the lines also gave "
    "the label, which makes this model's figures optimistic."
)
_INVERSE_PENALTY: Final = 1.0


def slip_features(measured: Mapping[str, Film]) -> NDArray[np.float64]:
    """Return the values of `FEATURES` and `INDICATORS` for one patient; NaN where a film or a sign is missing."""
    lateral, frontal = measured.get("LATERAL"), measured.get("AP")
    values = [
        *_film_values(lateral, LEVELS, _LATERAL),
        np.nan if lateral is None or lateral.lordosis_deg is None else lateral.lordosis_deg,
        *_greatest(lateral),
        *_film_values(frontal, LEVELS[:4], _AP),
        *_greatest(frontal),
    ]
    facing_unknown = lateral is not None and lateral.facing is not None and lateral.facing.anterior is None
    return np.array([*values, lateral is None, facing_unknown, frontal is None], float)


def feature_table(examples: Examples, views: Sequence[str]) -> NDArray[np.float64]:
    """Return the features of every example ``(n, features)``, from the lines of these views."""
    return np.array([slip_features({v: f for v, f in measured_example(e).items() if v in views}) for e in examples])


def fit_slip_model(examples: Examples, settings: LumbarXraySettings, classes: Sequence[str], target: str) -> Model:
    """Fit on examples with endplate lines; imputation and scaling are learnt from these examples alone.

    Raises
    ------
    InputError
        If the lines of no patient are known, or only one class is left.
    """
    started = time.perf_counter()
    table = feature_table(examples, settings.views)
    blind = [e.id for e, row in zip(examples, table, strict=True) if not np.isfinite(row[: len(FEATURES)]).any()]
    seen = examples.subset([i for i, e in enumerate(examples) if e.id not in set(blind)])
    labels = np.array([classes.index(label) for label in seen.labels(target)]) if len(seen) else np.array([], int)
    if len(set(labels)) < 2:
        raise InputError(
            f"slip-logistic has endplate lines for {len(seen)} of {len(examples)} patients, of {counted(len(set(labels)), '[class|classes]')}",
            expected="lines for patients of at least two classes",
            action="add the CSV files, or choose a network",
        )
    features = feature_table(seen, settings.views)
    impute = _medians(features)
    filled = np.where(np.isfinite(features), features, impute)
    mean, scale = filled.mean(axis=0), filled.std(axis=0)
    scale[scale < 1e-9] = 1.0
    coef, intercept = _regression((filled - mean) / scale, labels, len(classes), settings)
    return Model(
        task=TASK_NAME,
        settings=settings,
        classes=tuple(classes),
        tensors={"coef": coef, "intercept": intercept, "impute": impute, "mean": mean, "scale": scale},
        record=_record(seen, target, classes, blind, time.perf_counter() - started, settings),
        preprocessing={"features": [*FEATURES, *INDICATORS], "slip_threshold_percent": SLIP_THRESHOLD_PERCENT, "views": list(settings.views)},
    )


def slip_probabilities(model: Model, features: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the class probabilities ``(n, K)`` of feature rows ``(n, features)``."""
    t = model.tensors
    filled = np.where(np.isfinite(features), features, t["impute"])
    logits = (filled - t["mean"]) / t["scale"] @ t["coef"].T + t["intercept"]
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities: NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return probabilities


def answer(model: Model, measured: Mapping[str, Film], study: str) -> Result:
    """Answer from measured films, with the measurements behind the answer.

    Raises
    ------
    NotSureError
        If no film has endplate lines.
    """
    settings = model.settings
    used = {v: f for v, f in measured.items() if v in getattr(settings, "views", ())}
    if not used:
        raise NotSureError(
            f"{study} has no endplate lines",
            expected="a CSV of endplate lines beside the film, with 10 rows (AP) or 11 rows (lateral) x1,y1,x2,y2,class",
            action="add it, or read the film with a network: slip-logistic measures drawn lines and cannot see",
        )
    probabilities = slip_probabilities(model, slip_features(used)[None])[0]
    return Result(
        task=model.task,
        model=SLIP_MODEL,
        study=study,
        findings=(
            Finding(
                settings.finding,  # type: ignore[attr-defined]
                model.classes[int(probabilities.argmax())],
                dict(zip(model.classes, map(float, probabilities), strict=True)),
            ),
            *grades(used.get("LATERAL")),
        ),
        measurements=slip_measurements(used),
        notes=(DRAWN_NOTE,),
    )


def _film_values(film: Film | None, levels: Sequence[str], names: Sequence[str]) -> list[float]:
    if film is None:
        return [np.nan] * (len(levels) * len(names) + len(VERTEBRAE))
    values = [getattr(film.level(level), name) for level in levels for name in names] + [film.wedge_deg[v] for v in VERTEBRAE]
    return [np.nan if value is None else value for value in values]


def _greatest(film: Film | None) -> list[float]:
    """Return the greatest positive slip, negative slip and size of any level."""
    levels = film.levels if film else ()
    signed = [level.slip_percent for level in levels if level.slip_percent is not None]
    sizes = [level.slip_size_percent for level in levels if level.slip_size_percent is not None]
    return [max(0.0, *signed) if signed else np.nan, max(0.0, *(-s for s in signed)) if signed else np.nan, max(sizes) if sizes else np.nan]


def _medians(features: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return each column's median; 0 for a column that nobody has."""
    held = np.isfinite(features).any(axis=0)
    medians = np.zeros(features.shape[1])
    medians[held] = np.nanmedian(features[:, held], axis=0)
    return medians


def _regression(
    standardised: NDArray[np.float64], labels: NDArray[np.int64], n_classes: int, settings: LumbarXraySettings
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return coefficients ``(K, features)`` and intercepts ``(K,)`` of a softmax; a class without examples gets probability (nearly) 0."""
    from sklearn.linear_model import LogisticRegression

    from spinelab.train.sampling import resample

    rows = resample(labels, settings.sampling, seed=settings.seed)
    balanced = "balanced" if settings.sampling == "weighted" else None
    fitted = LogisticRegression(C=_INVERSE_PENALTY, max_iter=5000, class_weight=balanced).fit(standardised[rows], labels[rows])
    coef, intercept = np.zeros((n_classes, standardised.shape[1])), np.full(n_classes, -50.0)
    if len(fitted.classes_) == 2:
        # A logistic in w is a softmax in -w/2 and +w/2.
        coef[fitted.classes_] = np.vstack([-fitted.coef_, fitted.coef_]) / 2
        intercept[fitted.classes_] = np.concatenate([-fitted.intercept_, fitted.intercept_]) / 2
    else:
        coef[fitted.classes_], intercept[fitted.classes_] = fitted.coef_, fitted.intercept_
    return coef, intercept


def _record(seen: Examples, target: str, classes: Sequence[str], blind: list[str], seconds: float, settings: LumbarXraySettings) -> dict[str, Any]:
    from importlib import metadata

    labels = seen.labels(target)
    notes = [DRAWN_NOTE, *noted(blind, "[patient|patients] without endplate lines [was|were] not learnt from.")]
    return {
        "history": [],
        "stopped": "converged",
        "seconds": round(seconds, 3),
        "seed": settings.seed,
        "patients": len(set(seen.groups())),
        "images": {name: labels.count(name) for name in classes},
        "phantom": seen.phantom,
        "device": "cpu",
        "precision": {"asked": settings.precision, "used": "64", "why": "a regression on some fifty numbers"},
        "weights": {"asked": "scratch", "used": "scratch", "why": "asked for: a regression has no pretrained weights", "source": None},
        "versions": {name: metadata.version(name) for name in ("spinelab", "scikit-learn", "numpy")},
        "notes": notes,
    }
