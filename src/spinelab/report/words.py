"""Names, explanations and number formats: how a report says things."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from spinelab.core import Explanation, Study
from spinelab.evaluation.types import Estimate

NONE: Final = "–"
"""Stands where there is no figure."""

HEAT_KEY: Final[Mapping[str, str]] = {
    "shows": "A heatmap shows which regions spoke for the named answer",
    "beware": "It shows attention, not a diagnosis; its brightness cannot be compared between films.",
}
"""What stands above heatmaps, before and after their colours."""

LANDMARK_KEY: Final[Mapping[str, str]] = {
    "shows": "A heatmap shows where the network saw landmarks",
    "beware": "The marks on the film are where it placed them; brightness cannot be compared between films.",
}
"""The same above the heatmaps of a model that measures."""


SLICED: Final = ("MR", "CT", "PT")
"""Modalities whose pictures are slices; those of all others are called films."""


def picture_word(study: Study | None, maps: Sequence[Explanation] = ()) -> str:
    """Return what the pictures of an examination are called, ``film`` or ``slice``: by the modality, where none is stated by where the maps lie."""
    stated = {image.modality.value for image in study.images if image.modality.known} if study is not None else set()
    sliced = bool(stated & {*SLICED}) if stated else any("where" in one.facts for one in maps)
    return "slice" if sliced else "film"


def pictures_title(word: str, pictures: int, *, maps: bool) -> str:
    """Return the heading over pictures and maps.

    >>> pictures_title("slice", 3, maps=True)
    'Slices and heatmap'
    """
    return f"{word.capitalize()}{'s' * (pictures > 1)}{' and heatmap' if maps else ''}"


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric's title, what it means, and whether smaller is better."""

    title: str
    meaning: str
    smaller_is_better: bool = False


METRICS: Final[Mapping[str, Metric]] = {
    "balanced_accuracy": Metric(
        "Balanced accuracy", "The share of right answers in each class, averaged over the classes. A constant answer reaches 1 / number of classes, never more."
    ),
    "auroc": Metric(
        "AUROC",
        "The chance that an examination of the class gets a higher probability than one of another class; 0.5 is guessing. "
        "More than two classes: each against the rest, averaged.",
    ),
    "accuracy": Metric("Accuracy", "The share of right answers. Read it beside the majority baseline: with a rare class, a constant answer scores high."),
    "sensitivity": Metric(
        "Sensitivity", "Of the examinations that have the condition, the share that the model finds. More than two classes: averaged over them."
    ),
    "specificity": Metric(
        "Specificity", "Of the examinations without the condition, the share that the model calls free of it. More than two classes: averaged over them."
    ),
    "mcc": Metric(
        "MCC", "Matthews correlation between answer and truth: 1 is perfect, 0 is guessing, −1 is always wrong. It does not exist for a constant answer."
    ),
    "f1": Metric("F1", "Harmonic mean of precision and sensitivity."),
    "f1_macro": Metric("F1 (macro)", "F1 of each class, averaged over the classes, so that a rare class counts as much as a frequent one."),
    "f1_micro": Metric("F1 (micro)", "F1 over all answers together; with one label an examination it equals accuracy."),
    "f1_weighted": Metric("F1 (weighted)", "F1 of each class, averaged with the class's frequency as weight."),
    "brier": Metric("Brier score", "Mean squared distance between the probabilities and what was true; 0 is perfect.", smaller_is_better=True),
    "log_loss": Metric("Log loss", "How surprised the model's probabilities are by the truth; confident wrong answers cost most.", smaller_is_better=True),
    "average_precision": Metric("Average precision", "Area under the precision–recall curve; a model that guesses reaches the share of the class."),
    "precision": Metric("Precision", "Of the examinations that the model calls positive, the share that is."),
    "precision_macro": Metric("Precision (macro)", "Precision of each class, averaged over the classes."),
    "precision_micro": Metric("Precision (micro)", "Precision over all answers together; with one label an examination it equals accuracy."),
    "precision_weighted": Metric("Precision (weighted)", "Precision of each class, averaged with the class's frequency as weight."),
    "recall_micro": Metric("Recall (micro)", "Recall over all truths together; with one label an examination it equals accuracy."),
    "recall_weighted": Metric("Recall (weighted)", "Recall of each class, averaged with the class's frequency as weight; it equals accuracy."),
    "recall": Metric("Recall", "Another word for sensitivity."),
    "recall_macro": Metric("Recall (macro)", "Recall of each class, averaged over the classes; the same as balanced accuracy."),
    "weighted_log_loss": Metric(
        "Weighted log loss", "Log loss of all questions together, weighted 1, 2, 4 by the true grade: severe counts four times.", smaller_is_better=True
    ),
    "weighted_log_loss_gain": Metric(
        "Gain over the best constant", "By how much the weighted log loss is lower than that of the best constant answer; above 0 the pictures were of use."
    ),
    "rsna_score": Metric("RSNA score", "The competition's score: the mean of its four weighted log losses.", smaller_is_better=True),
    "rsna_loss_spinal": Metric("RSNA, canal", "Weighted log loss of the canal's grades.", smaller_is_better=True),
    "rsna_loss_foraminal": Metric("RSNA, foramina", "Weighted log loss of the foramina's grades, left and right together.", smaller_is_better=True),
    "rsna_loss_subarticular": Metric("RSNA, recesses", "Weighted log loss of the recesses' grades, left and right together.", smaller_is_better=True),
    "rsna_loss_any_severe_spinal": Metric(
        "RSNA, any severe canal", "Weighted log loss of whether any level's canal is severely narrow.", smaller_is_better=True
    ),
    "cohen_kappa": Metric("Cohen's kappa", "Agreement with the truth beyond what chance would give; 0 is chance, 1 is perfect."),
    "quadratic_kappa": Metric("Quadratic kappa", "Kappa for ordered classes: an answer two classes away counts four times as wrong as one class away."),
}

MAIN_METRICS: Final = (
    "balanced_accuracy",
    "weighted_log_loss",
    "rsna_score",
    "auroc",
    "accuracy",
    "sensitivity",
    "specificity",
    "mcc",
    "f1",
    "f1_macro",
    "brier",
)
"""Columns of the ranked table, in this order, where they exist; the others follow in the table of all metrics."""

_STATISTICS: Final[Mapping[str, tuple[str, str]]] = {
    "mae": ("Mean absolute error", "The mean distance of the measured value from the true one."),
    "median_ae": ("Median absolute error", "Half of the measured values are nearer to the true one than this."),
    "median": ("Median error", "Half of the landmarks are nearer to the true ones than this."),
    "bias": ("Bias", "The mean of measured minus true value: 0 is none."),
    "coverage": ("Coverage", "The share of films whose stated 95 % interval holds the true value: it should be 0.95."),
}
_MEASUREMENT: Final = re.compile(rf"(\w+?)_({'|'.join(_STATISTICS)})(?:_(deg|mm|px|percent))?")

SEVERITY: Final[Mapping[str, str]] = {
    "collapsed": "stop",
    "failed": "stop",
    "ignores-the-picture": "note",
    "not-better-than-majority": "stop",
    "not-better-than-prior": "stop",
    "not-better-than-chance": "stop",
    "not-better-than-constant": "stop",
    "under-covered": "stop",
    "levels-uncertain": "stop",
    "biased": "care",
    "wide-intervals": "care",
    "often-withheld": "care",
    "training-data": "stop",
    "duplicates-across-patients": "stop",
    "conflicting-labels": "stop",
    "shortcut": "stop",
    "class-never-answered": "care",
    "not-distinguishable": "care",
    "marked-twice": "care",
    "left-out": "care",
    "doubtful": "care",
    "too-few-patients": "care",
    "patients-unknown": "care",
    "duplicates": "care",
    "phantom-data": "care",
    "weights-scratch": "note",
    "mixed-precision": "note",
    "not-trained-to-the-end": "care",
}
"""How loud a flag is: ``stop`` (do not use the figure without understanding this), ``care``, ``note``."""

_USED: Final[Mapping[str, str]] = {
    "scratch": "trained from scratch",
    "imagenet": "started from ImageNet weights",
    "file": "started from given weights",
    "32": "32 bits",
    "bf16": "16 bits (bf16)",
    "16": "16 bits",
}
"""What was used of weights and precision, as a page says it."""

_LIKELIHOOD: Final = (
    (0.95, "very likely"),
    (0.80, "likely"),
    (0.60, "more likely than not"),
    (0.40, "undecided"),
    (0.20, "less likely than not"),
    (0.05, "unlikely"),
)


def metric(name: str) -> Metric:
    """Return what is known about a metric or, as in ``sensitivity[normal]``, about a metric of one class; an unknown one is called by its own name."""
    if name in METRICS:
        return METRICS[name]
    base, bracket, label = name.partition("[")
    if bracket and base in METRICS and label.endswith("]"):
        known = METRICS[base]
        return Metric(f"{known.title.removesuffix(' (macro)')}, {label[:-1]}", "", known.smaller_is_better)
    return _of_measurement(name) or Metric(name.replace("_", " ").strip().capitalize() or name, "")


def _of_measurement(name: str) -> Metric | None:
    """Return the metric of a measurement, named ``<quantity>_<statistic>_<unit>``, or ``None``."""
    found = _MEASUREMENT.fullmatch(name)
    if found is None:
        return None
    what, statistic, unit = found.groups()
    title, meaning = _STATISTICS[statistic]
    sign = {"deg": " (°)", "percent": " (%)"}.get(unit or "", f" ({unit})" if unit else "")
    return Metric(f"{title}, {spoken(what)}{sign}", meaning, smaller_is_better=statistic not in ("coverage", "bias"))


def metrics_to_explain(names: Iterable[str]) -> list[str]:
    """Return the metrics that the glossary explains: those shown, a metric of one class under its own name."""
    bases = (name if name in METRICS else name.partition("[")[0] for name in names)
    return [name for name in dict.fromkeys(bases) if name in METRICS]


def likelihood(probability: float) -> str:
    """Return a probability in words: the bounds are 0.95, 0.80, 0.60, 0.40, 0.20 and 0.05."""
    return next((words for bound, words in _LIKELIHOOD if probability >= bound), "very unlikely")


def chance(probability: float, digits: int = 2) -> str:
    """Return a probability with a fixed number of decimals; one that would be rounded to 0 or 1 keeps its distance: ``< 0.01``, ``> 0.99``."""
    least = 10.0**-digits
    if 0 <= probability < least / 2:
        return f"< {least:.{digits}f}"
    return f"> {1 - least:.{digits}f}" if 1 - least / 2 < probability <= 1 else number(probability, digits)


def estimate(value: Any) -> Estimate:
    """Return an `Estimate` from one, from ``{"value", "lo", "hi"}``, from a number or from ``None``; what is not finite is ``None``."""
    if isinstance(value, Estimate):
        parts: tuple[Any, ...] = (value.value, value.lo, value.hi)
    elif isinstance(value, Mapping):
        parts = tuple(value.get(key) for key in ("value", "lo", "hi"))
    else:
        parts = (value, None, None)
    return Estimate(*(_finite(part) for part in parts))


def number(value: float | None, digits: int = 3) -> str:
    """Return a fixed number of decimals with a true minus sign, or a dash."""
    finite = _finite(value)
    if finite is None:
        return NONE
    text = f"{finite:.{digits}f}"
    return text.replace("-", "−") if float(text) else text.lstrip("-")


def interval(value: Estimate, digits: int = 3) -> str:
    """Return ``0.71 to 0.84``, or nothing where no interval can be given."""
    return "" if value.lo is None or value.hi is None else f"{number(value.lo, digits)} to {number(value.hi, digits)}"


def p_value(value: float | None) -> str:
    """Return a p-value as journals print it."""
    if _finite(value) is None or value is None:
        return NONE
    return "< 0.001" if value < 0.001 else number(value, 3 if value < 0.1 else 2)


def count(value: float | None) -> str:
    """Return a whole number in groups of three, with thin spaces."""
    return NONE if value is None else f"{round(value):,}".replace(",", "\u202f")


def duration(seconds: float | None) -> str:
    """Return a duration in the unit that fits."""
    finite = _finite(seconds)
    if finite is None:
        return NONE
    if finite < 60:
        return f"{finite:.1f} s" if finite < 10 else f"{finite:.0f} s"
    minutes = round(finite / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def sentence(value: Any) -> str:  # noqa: PLR0911 - one line a type
    """Return a fact, a count or a nested collection on one line, for people."""
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Estimate):
        limits = interval(value)
        return f"{number(value.value)} ({limits})" if limits else number(value.value)
    if isinstance(value, Mapping):
        return ", ".join(f"{spoken(key)} {sentence(item)}" for key, item in value.items()) or "none"
    if isinstance(value, list | tuple | set | frozenset):
        return ", ".join(map(sentence, value)) or "none"
    if isinstance(value, float):
        return NONE if not math.isfinite(value) else f"{value:.4g}"
    return str(value)


def settled(choice: Any) -> Any:
    """Return in words what was asked for, what was used and why (weights, precision): ``trained from scratch, as asked``; any other fact as it is."""
    if not (isinstance(choice, Mapping) and {"asked", "used", "why"} <= choice.keys()):
        return choice
    used, why = str(choice["used"]), choice["why"]
    found = _USED.get(used, used)
    if why == "asked for":
        return f"{found}, as asked"
    instead = f" although {choice['asked']} weights were asked for" if used == "scratch" != choice["asked"] else ""
    source = f" ({choice['source']})" if choice.get("source") else ""
    return f"{found}{instead}: {why}{source}"


def lower_start(title: str) -> str:
    """Return a title as it stands inside a sentence; names in capitals keep them."""
    return title[:1].lower() + title[1:] if title[1:2].islower() else title


def spoken(key: Any) -> str:
    """Return a key of the program as words."""
    return str(key).replace("_", " ")


def _finite(value: Any) -> float | None:
    if value is None or isinstance(value, str):
        return None
    return float(value) if math.isfinite(value) else None
