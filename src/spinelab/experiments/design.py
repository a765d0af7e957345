"""What a comparison is made of, checked before it starts and remembered so that it can be resumed."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from spinelab.core import InputError, TaskError
from spinelab.experiments.flags import CHANCE
from spinelab.experiments.splits import Split, banded_splits, grouped_folds, grouped_holdout

_IDENTITY: Final = "experiment.json"
_NOUNS: Final = {"data": "other data", "folds": "other folds", "repeats": "other repeats", "holdout": "another hold-out"}
"""What differs, in words; whatever is not here is a word of its own with `another` before it."""
_ERROR: Final = re.compile(r"\w+_mae(_\w+)?|landmark_median_(px|mm)")


@dataclass(frozen=True)
class Design:
    """How often and on what the models are tried.

    ``holdout`` replaces the folds by one random split that holds out this share of the patients (where nothing is classified, ``repeats`` of them).
    Without ``rank_by`` it is balanced accuracy or, for models that only measure, the mean absolute error of the first quantity. ``split`` names the part of
    the data to use, where they come with splits.
    """

    folds: int = 5
    repeats: int = 1
    holdout: float | None = None
    seed: int = 0
    rank_by: str | None = None
    bootstraps: int = 2000
    learning_curve: bool = True
    split: str | None = None

    def __post_init__(self) -> None:
        if self.rank_by is not None and self.rank_by not in CHANCE and not _ERROR.fullmatch(self.rank_by):
            raise TaskError(
                f"Ranking by {self.rank_by!r}",
                expected=f"one of {', '.join(CHANCE)}, which a constant answer cannot win, or an error such as cobb_max_mae_deg",
                action="choose another --rank-by",
            )
        for name, least in (("folds", 2), ("repeats", 1)):
            if getattr(self, name) < least:
                raise TaskError(f"{name} = {getattr(self, name)}", expected=f"at least {least}", action=f"choose another --{name}")

    def splits(self, labels: list[str], groups: list[str]) -> list[Split]:
        """Return the splits, every patient on one side of each.

        Repeated hold-outs are refused: models are compared on the examinations that all of them answer in every repeat, and few are held out in each.
        """
        if self.holdout is not None and self.repeats > 1:
            raise TaskError(
                f"--holdout {self.holdout:g} with --repeats {self.repeats}",
                expected="one hold-out, or folds that are repeated: by these everyone is held out once a repeat",
                action="use --folds with --repeats, or leave --repeats out",
            )
        if self.holdout is not None:
            return grouped_holdout(labels, groups, fraction=self.holdout, repeats=self.repeats, seed=self.seed)
        return grouped_folds(labels, groups, folds=self.folds, repeats=self.repeats, seed=self.seed)

    def splits_by_size(self, values: list[float], groups: list[str]) -> list[Split]:
        """Return the splits where there are no classes: each part holds small, middle and large values alike."""
        return banded_splits(values, groups, folds=self.folds, holdout=self.holdout, repeats=self.repeats, seed=self.seed)


def claim_folder(out: Path, identity: dict[str, Any], *, resume: bool) -> None:
    """Take ``out`` for this comparison, or take it up again.

    Raises
    ------
    InputError
        If it holds something else, or a comparison of other data, folds or seed, or a comparison and ``resume`` is false.
    """
    known = out / _IDENTITY
    if known.is_file():
        _check_same(out, _identity(known), identity, resume=resume)
        return
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out} exists and is not a comparison", expected="a new or empty folder", action="choose another --out")
    out.mkdir(parents=True, exist_ok=True)
    temporary = out / (_IDENTITY + ".writing")
    temporary.write_text(json.dumps(identity, indent=1), encoding="utf-8")
    temporary.replace(known)


def _identity(known: Path) -> dict[str, Any]:
    """Return what a comparison was begun with."""
    try:
        before = json.loads(known.read_text(encoding="utf-8"))
    except ValueError:
        before = None
    if not isinstance(before, dict):
        raise InputError(f"{known} is damaged", expected="what the comparison was begun with, as it was written", action="choose another --out")
    return before


def _check_same(out: Path, before: dict[str, Any], identity: dict[str, Any], *, resume: bool) -> None:
    changed = [key for key in identity if before.get(key) != identity[key]]
    if changed:
        raise InputError(
            f"{out} holds a comparison with {', '.join(_NOUNS.get(key, f'another {key}') for key in changed)}",
            expected="the same task, data, target, folds, hold-out and seed",
            action="choose another --out, or go back to the earlier ones",
        )
    if not resume:
        raise InputError(
            f"{out} already holds this comparison",
            expected="a new folder, or --resume",
            action="add --resume to continue where it stopped, or choose another --out",
        )
