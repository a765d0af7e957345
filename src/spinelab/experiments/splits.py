"""Folds that keep a patient on one side, with every class in every fold."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spinelab.core import InputError, plural


@dataclass(frozen=True, eq=False)
class Split:
    """Positions of the training and test examinations of one fold of one repeat."""

    repeat: int
    fold: int
    train: NDArray[np.int64]
    test: NDArray[np.int64]


def grouped_folds(labels: Sequence[str], groups: Sequence[str], *, folds: int, repeats: int, seed: int) -> list[Split]:
    """Return repeated, patient-grouped, class-stratified k-fold splits.

    Raises
    ------
    InputError
        If a class has fewer patients than folds, or all of them are held out at once: some model would be tested on a class that it never met.
    """
    _require_patients(labels, groups, folds, f"{folds} folds", "use fewer folds (--folds) or collect more patients of that class")
    splits = [
        Split(repeat, fold, train, test) for repeat in range(repeats) for fold, (train, test) in enumerate(_stratified(labels, groups, folds, seed + repeat))
    ]
    _require_met(splits, labels)
    return splits


def grouped_holdout(labels: Sequence[str], groups: Sequence[str], *, fraction: float, repeats: int, seed: int) -> list[Split]:
    """Return ``repeats`` random splits that hold out ``fraction`` of the patients, rounded to whole patients.

    Raises
    ------
    InputError
        If the share is none, a class has fewer than two patients, all held-out patients would be of one class, or all patients of a class would be held out.
    """
    _require_share(fraction)
    _require_patients(labels, groups, 2, "a hold-out", "collect more patients of that class or leave the class out")
    splits = [Split(repeat, 0, *_held_out(labels, groups, fraction, seed + repeat)) for repeat in range(repeats)]
    _require_met(splits, labels)
    for split in splits:
        held = {labels[int(i)] for i in split.test}
        if len(held) < 2:
            number = len({groups[int(i)] for i in split.test})
            raise InputError(
                f"A hold-out of {fraction:g} is {plural(number, 'patient')} of {len(set(groups))}, of class {held.pop()!r} alone",
                expected="held-out patients of two classes or more",
                action="hold out more (--holdout), or use --folds, by which everyone is held out once",
            )
    return splits


def banded_splits(values: Sequence[float], groups: Sequence[str], *, folds: int, holdout: float | None, repeats: int, seed: int) -> list[Split]:
    """Return patient-grouped splits for measured values: thirds of the values are dealt out like classes; an unknown value is a band of its own.

    Where no third has as many films as there are parts, films are dealt out whatever their values.

    Raises
    ------
    InputError
        If there are fewer patients than folds, or the hold-out is no share.
    """
    parts = folds if holdout is None else 2
    if len(set(groups)) < parts:
        raise InputError(f"{len(set(groups))} patients", expected=f"at least {parts} for {parts} parts", action="use fewer folds (--folds) or more patients")
    bands = bands_of(values)
    if holdout is not None:
        _require_share(holdout)
        return [Split(repeat, 0, *_held_out(bands, groups, holdout, seed + repeat)) for repeat in range(repeats)]
    if max(Counter(bands).values()) < parts:
        bands = [""] * len(bands)
    made = [(repeat, _stratified(bands, groups, parts, seed + repeat)) for repeat in range(repeats)]
    return [Split(repeat, fold, *splits[fold]) for repeat, splits in made for fold in range(parts)]


def bands_of(values: Sequence[float]) -> list[str]:
    """Return ``low``, ``middle`` or ``high`` for each value by thirds, ``unknown`` for nan."""
    numbers = np.asarray(values, dtype=np.float64)
    known = np.isfinite(numbers)
    if not known.any():
        return ["unknown"] * len(numbers)
    low, high = np.quantile(numbers[known], [1 / 3, 2 / 3])
    return ["unknown" if not k else "low" if v <= low else "middle" if v <= high else "high" for v, k in zip(numbers, known, strict=True)]


def _held_out(labels: Sequence[str], groups: Sequence[str], fraction: float, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the positions to learn from and those to hold out.

    The patients stand class after class, the rarest class first and each class shuffled, and every (1 / fraction)-th is held out: so the
    number is the share asked for, every class loses its share to within one patient, and at most half of a class (rounded up) is held out.
    """
    rarity = {label: place for place, label in enumerate(patients_per_class(labels, groups))}
    rarest: dict[str, int] = {}
    for label, group in zip(labels, groups, strict=True):
        rarest[group] = min(rarity[label], rarest.get(group, len(rarity)))
    order = np.random.default_rng(seed).permutation(sorted(rarest))
    row = sorted(order.tolist(), key=rarest.__getitem__)
    number = min(max(1, round(fraction * len(row))), len(row) // 2)
    chosen = {row[k * len(row) // number] for k in range(number)}
    held = np.array([g in chosen for g in groups])
    return np.flatnonzero(~held).astype(np.int64), np.flatnonzero(held).astype(np.int64)


def _stratified(labels: Sequence[str], groups: Sequence[str], parts: int, seed: int) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    from sklearn.model_selection import StratifiedGroupKFold

    splitter = StratifiedGroupKFold(n_splits=parts, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The least populated class", category=UserWarning)
        return [(train.astype(np.int64), test.astype(np.int64)) for train, test in splitter.split(np.zeros(len(labels)), list(labels), list(groups))]


def patients_per_class(labels: Sequence[str], groups: Sequence[str]) -> dict[str, int]:
    """Return the number of different patients of every class, rarest first."""
    counts = {label: len({g for g, other in zip(groups, labels, strict=True) if other == label}) for label in sorted(set(labels))}
    return dict(sorted(counts.items(), key=lambda item: item[1]))


def _require_met(splits: Sequence[Split], labels: Sequence[str]) -> None:
    """Refuse splits of which one leaves a class to nobody to learn from; patients who stand for several classes can be held out for another one's sake."""
    for split in splits:
        unmet = sorted(set(labels) - {labels[int(i)] for i in split.train})
        if unmet:
            raise InputError(
                f"In one split all patients of class {unmet[0]!r} are held out at once",
                expected="patients of every class to learn from; here some patients have several classes",
                action="choose another --seed or number of --folds, or collect more patients of that class",
            )


def _require_share(fraction: float) -> None:
    if not 0 < fraction <= 0.5:
        raise InputError(f"Hold-out fraction {fraction}", expected="a value above 0 and at most 0.5", action="choose another --holdout")


def _require_patients(labels: Sequence[str], groups: Sequence[str], least: int, purpose: str, action: str) -> None:
    counts = patients_per_class(labels, groups)
    if len(counts) < 2:
        raise InputError(
            f"Only one class ({next(iter(counts), 'none')})",
            expected="at least two classes",
            action="add examples of another class; there is nothing to tell apart",
        )
    rarest, patients = next(iter(counts.items()))
    if patients < least:
        raise InputError(
            f"Class {rarest!r} has {patients} patient{'s' * (patients != 1)}", expected=f"at least {least} patients a class for {purpose}", action=action
        )
