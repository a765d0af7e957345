# ruff: noqa: E501
"""A made-up comparison: synthetic answers, hand-made words; every optional part can be left out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from spinelab.core import Explanation
from spinelab.evaluation.types import Estimate, Predictions
from spinelab.report.content import Case, Comparison, DataSummary, Evaluation, Flag, LearningCurve, Pair, Variant

NAMES = (
    "densenet121",
    "resnet18",
    "mobilenetv2",
    "simple-cnn",
    "slip features + logistic regression",
    "efficientnet_b0 with a very long name indeed",
    "vit-tiny",
    "always",
)
METRICS = (
    "balanced_accuracy",
    "auroc",
    "accuracy",
    "sensitivity",
    "specificity",
    "mcc",
    "f1",
    "f1_macro",
    "brier",
    "log_loss",
    "cohen_kappa",
    "average_precision",
)


def make_predictions(rng: np.random.Generator, classes: tuple[str, ...], n: int, skill: float, repeats: int = 2) -> Predictions:
    truth = np.random.default_rng(5).choice(len(classes), size=n, p=np.linspace(3, 1, len(classes)) / np.linspace(3, 1, len(classes)).sum())
    logits = rng.normal(size=(repeats, n, len(classes))) + skill * np.eye(len(classes))[truth]
    weights = np.exp(logits - logits.max(axis=2, keepdims=True))
    return Predictions(
        classes=classes,
        images=tuple(f"AP/{i:04d}.jpg" for i in range(n)),
        patients=tuple(f"P{i // 2:03d}" for i in range(n)),
        truth=truth.astype(np.int64),
        probabilities=weights / weights.sum(axis=2, keepdims=True),
        folds=np.tile(np.arange(n) // 2 % 5, (repeats, 1)).astype(np.int64),
    )


def make_explanation(seed: int, view: str = "AP", side: int = 224) -> Explanation:
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:side, 0 : int(side * 0.75)]
    spine = np.exp(-(((x - side * 0.375 - 12 * np.sin(y / 40)) / 16) ** 2)) * (0.7 + 0.3 * np.cos(y / 7))
    picture = np.clip(40 + 150 * spine + rng.normal(0, 6, x.shape), 0, 255).astype(np.uint8)
    heat = np.exp(-(((x - side * 0.4) / 30) ** 2 + ((y - rng.uniform(60, 170)) / 35) ** 2)).astype(np.float32)
    return Explanation("Grad-CAM", "curved", picture, heat, view)


def make_variant(n: int, *, classes: tuple[str, ...], patients: int, cases: int, rng: np.random.Generator, repeats: int = 2) -> Variant:
    skill = 2.6 - 0.45 * n
    value = 0.86 - 0.05 * n
    metrics = {
        name: Estimate(value - 0.01 * k if name != "brier" else 0.14 + 0.02 * n, value - 0.06 - 0.01 * k, value + 0.05 - 0.01 * k)
        for k, name in enumerate(METRICS)
    }
    flags = [Flag("weights-scratch", "No pretrained weights could be had: trained from scratch.")]
    if n in {1, 2}:
        flags.append(Flag("not-distinguishable", f"Its difference from {NAMES[0]} is 0.03 (−0.02 to 0.08)."))
    if n == 3:
        flags = [Flag("collapsed", "It answers “straight” to 97 % of the examinations."), Flag("not-better-than-majority", "Accuracy 0.61, majority 0.60.")]
    history = [
        tuple(
            {"epoch": e, "train_loss": 0.7 * np.exp(-e / 8) + 0.02 * f, "validation_loss": 0.45 + 0.25 * np.exp(-e / 5) + 0.004 * e + 0.03 * f, "lr": 1e-4}
            for e in range(25)
        )
        for f in range(5)
    ]
    return Variant(
        name=NAMES[n],
        settings={"model": NAMES[n], "sampling": "weighted" if n % 2 else "none"},
        all_settings={"model": NAMES[n], "sampling": "weighted" if n % 2 else "none", "epochs": 30, "lr": 1e-4, "views": ("AP", "LATERAL")},
        metrics=metrics,
        flags=tuple(flags),
        predictions=make_predictions(rng, classes, patients * 2, skill, repeats),
        rank=None if n == 3 else n + 1,
        histories=tuple(history),
        parameters=11_177_538 // (n + 1),
        fit_seconds=512.4 * (n + 1),
        predict_ms=14.2,
        peak_memory_mb=1834.0,
        device="CPU, 2 cores",
        precision="bf16",
        weights="scratch",
        cases=tuple(
            Case(
                ("best", "typical", "worst")[i % 3],
                f"AP/{i:04d}.jpg",
                classes[1],
                classes[1] if i % 3 < 2 else classes[0],
                0.97 - 0.44 * (i % 3),
                (make_explanation(i),),
            )
            for i in range(cases)
        ),
        notes=("Stopped after 25 epochs.",) if n == 0 else (),
    )


def make_pair(a: str, b: str, difference: float) -> Pair:
    told = difference > 0.06
    return Pair(
        a, b, "balanced_accuracy", Estimate(difference, difference - 0.055, difference + 0.05), 0.004, 0.024, 0.03, 0.18, 0.21, 0.84, 0.0004, 0.0024, told,
        f"{a} is better by {difference:.2f}." if told else f"{a} and {b} cannot be told apart on these data.",
    )  # fmt: skip


def make_data(classes: tuple[str, ...], patients: int, *, known: bool = True, phantom: bool = False) -> DataSummary:
    return DataSummary(
        root="/home/somebody/secret/films-2024",
        digest="sha256:9f2c4e1ab07d",
        patients=patients if known else None,
        images=patients * 2,
        examinations=patients * 2,
        classes={
            name: {"images": max(2, patients * 2 // len(classes) - 7 * k), "patients": max(1, patients // len(classes) - 3 * k) if known else None}
            for k, name in enumerate(classes)
        },
        duplicates=({"a": "AP/0001.jpg", "b": "AP/0002.jpg", "kind": "near", "same_patient": False, "same_label": True, "similarity": 0.984},),
        leaks=({"a": "AP/0001.jpg", "b": "AP/0002.jpg", "kind": "near", "same_patient": False, "same_label": True, "similarity": 0.984},),
        shortcuts=({"fact": "image height", "auroc": 0.71, "lo": 0.62, "hi": 0.8},),
        facts={
            "sex": {"F": 162, "M": 89, "unknown": 0},
            "age_years": {"median": 14.5, "from": 9, "to": 61, "unknown": 12},
            "site": None,
            "sizes": "940 × 2,080 to 1,410 × 3,010",
        },
        flags=(Flag("duplicates-across-patients", "1 pair of pictures is nearly the same under two patients."),),
        notes=("3 files were left out: they could not be decoded.",),
        phantom=phantom,
    )


def make_comparison(
    variants: int = 4,
    classes: tuple[str, ...] = ("straight", "curved"),
    patients: int = 60,
    cases: int = 3,
    *,
    bare: bool = False,
    phantom: bool = False,
    failed: int | None = None,
) -> Comparison:
    rng = np.random.default_rng(1)
    made = [make_variant(n, classes=classes, patients=patients, cases=0 if bare else cases, rng=rng) for n in range(variants)]
    if failed is not None:
        text = "Training failed: the loss became infinite in fold 2."
        made[failed] = Variant(NAMES[failed], {"model": NAMES[failed]}, {"model": NAMES[failed]}, {}, (Flag("failed", text),), None, None)
    pairs = [make_pair(NAMES[i], NAMES[j], 0.03 * (j - i)) for i in range(variants) for j in range(i + 1, variants)]
    curve = LearningCurve(
        NAMES[0], (12, 25, 50, 100, 200), tuple(Estimate(v, v - 0.08, v + 0.06) for v in (0.6, 0.66, 0.72, 0.79, 0.81)), "balanced_accuracy",
        tuple(Estimate(v, v - 0.09, v + 0.07) for v in (0.52, 0.6, 0.7, 0.78, 0.8)),
    )  # fmt: skip
    return Comparison(
        task="images",
        title="Films in a folder",
        question="Which class does a film belong to?",
        target="label",
        headline=f"{NAMES[0]} ranks first with a balanced accuracy of 0.86 (0.80 to 0.91), but {NAMES[1]} cannot be told apart from it on these 251 patients; the rarest class has 49.",
        statements=("A constant answer reaches an accuracy of 0.60 and a balanced accuracy of 0.50.", "simple-cnn has collapsed: it gives one answer to nearly everyone.", "No pretrained weights could be had; every network was trained from scratch."),
        rank_by="balanced_accuracy",
        variants=tuple(made),
        baseline={"majority_class": classes[0], "metrics": {"balanced_accuracy": Estimate(1 / len(classes)), "accuracy": Estimate(0.6, 0.54, 0.66), "auroc": Estimate(0.5), "mcc": Estimate(None)}},
        pairs=() if bare else tuple(pairs),
        data=make_data(classes, patients, known=not bare, phantom=phantom),
        design={"folds": 5, "repeats": 2, "seed": 0, "level": 0.95, "bootstraps": 50, "seconds": 3120.4, "command": "spinelab compare images --data films --folds 5"},
        versions={"spinelab": "0.1.0", "python": "3.11.9", "torch": "2.15.0"},
        learning_curve=None if bare else curve,
        analysis=()
        if bare
        else (
            {"title": "Slip features", "text": "Slip in percent of the endplate.", "svg": '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 300 60"><rect id="r" width="300" height="20" fill="#0072B2"/></svg>'},
            {"title": "Published figures", "text": "Other data, other patients.", "table": [{"model": "SimpleCNN", "published accuracy": 0.85}, {"model": "ResNet-18", "published accuracy": 0.8}]},
        ),
    )  # fmt: skip


def make_evaluation(**changes: Any) -> Evaluation:
    classes = ("straight", "curved")
    rng = np.random.default_rng(2)
    groups = tuple(
        {
            "fact": fact,
            "value": value,
            "patients": n,
            "examinations": 2 * n,
            "metrics": {"balanced_accuracy": Estimate(v, v - 0.1, v + 0.08), "auroc": Estimate(v + 0.04)},
            "note": note,
        }
        for fact, value, n, v, note in (
            ("sex", "F", 40, 0.81, ""),
            ("sex", "M", 20, 0.76, ""),
            ("age_years", "under 40", 55, 0.8, ""),
            ("age_years", "40 and over", 5, None, "too few for an interval"),
        )
        if v is not None
    )
    body: dict[str, Any] = {
        "task": "images",
        "title": "Films in a folder",
        "question": "Which class does a film belong to?",
        "target": "label",
        "model": "resnet18",
        "headline": "On 60 patients of another folder the model reaches a balanced accuracy of 0.86 (0.80 to 0.91).",
        "statements": ("A constant answer reaches 0.50.",),
        "variant": make_variant(0, classes=classes, patients=60, cases=3, rng=rng, repeats=1),
        "baseline": {"majority_class": "straight", "metrics": {"balanced_accuracy": Estimate(0.5), "accuracy": Estimate(0.6)}},
        "data": make_data(classes, 60),
        "subgroups": groups,
        "trained_on": {"patients": 251, "images": 481, "digest": "sha256:77aa"},
        "versions": {"spinelab": "0.1.0"},
    }
    return Evaluation(**{**body, **changes})


@pytest.fixture
def comparison_of():
    return make_comparison


@pytest.fixture
def evaluation_of():
    return make_evaluation


@pytest.fixture
def explanation_of():
    return make_explanation
