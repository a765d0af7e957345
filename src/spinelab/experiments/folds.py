"""One fold of one variant: trained, tried on held-out patients, and kept on disk so that it is never done twice."""

from __future__ import annotations

import json
import shutil
import zipfile
import zlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spinelab.core import Examples, Explaining, Explanation, InputError, Model, NotSureError, Result, Run, Settings
from spinelab.experiments.bench import AnswerClock, Bench, CaseFile, FoldResult
from spinelab.experiments.course import Leg
from spinelab.experiments.declined import declined
from spinelab.experiments.side_by_side import SHARED, anatomy_of, chosen, opened_once
from spinelab.experiments.splits import Split
from spinelab.report.files import plain

FOLD_SCHEMA: Final = "spinelab.fold/1"
_RESULTS: Final = "results.json"
_HEAD: Final = "head_"
"""Before the name of a head that is not judged: its probabilities among the arrays."""


_DAMAGED: Final = (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile, zlib.error)
"""What files that were cut short or overwritten raise when they are read."""


def run_fold(bench: Bench, settings: Settings, split: Split, *, folder: Path, leg: Leg, explain: bool) -> FoldResult:
    """Return a fold's result, from disk if it is finished there, and otherwise by training."""
    others = bench.other_heads(settings)
    stored = _load(folder, split, others)
    if stored is not None:
        return stored
    task = bench.task
    workdir = folder.parent / f"{folder.name}.training"
    workdir.mkdir(parents=True, exist_ok=True)
    model = task.fit(bench.training(split), settings, replace(leg.begin("training"), workdir=workdir, resume=True))
    held_out = bench.examples.subset(split.test)
    clock = AnswerClock(leg.begin("answering"))
    results = task.predict_many(model, held_out, clock.run)
    predict_ms = clock.milliseconds(len(held_out))
    probabilities = probability_table(results, bench.classes, bench.target)
    cases = _cases(bench, model, split, held_out, probabilities, leg.begin("drawing heatmaps")) if explain and bench.target else ()
    leg.end()
    kept = tuple(results) if task.route(settings) == "measures" else ()
    heads = {name: probability_table(results, classes, name) for name, classes in others.items()}
    why = declined(results, probabilities) if bench.target else {}
    result = FoldResult(split, probabilities, model.record, model.parameters, predict_ms, cases, kept, heads, why)
    _save(result, folder)
    shutil.rmtree(workdir, ignore_errors=True)
    return result


def probability_table(results: Sequence[Result], classes: Sequence[str], target: str) -> NDArray[np.float64]:
    """Return (n, K) probabilities of ``target``; rows are NaN where no answer was given, and a label without probabilities counts in full."""
    table = np.full((len(results), len(classes)), np.nan)
    for row, result in zip(table, results, strict=True):
        finding = result.finding(target)
        if finding is not None and finding.probabilities:
            row[:] = [finding.probabilities.get(c, 0.0) for c in classes]
        elif finding is not None and finding.label in classes:
            row[:] = [float(c == finding.label) for c in classes]
    return table


def _cases(bench: Bench, model: Model, split: Split, examples: Examples, table: NDArray[np.float64], run: Run) -> tuple[CaseFile, ...]:
    """Return the best, the typical and the worst answer of this fold, and those that every model explains, with heatmaps."""
    truth = [bench.classes.index(label) for label in examples.labels(bench.target)]
    of_truth = table[np.arange(len(truth)), truth]
    answered = np.flatnonzero(np.isfinite(of_truth))
    if answered.size == 0:
        return ()
    order = answered[np.argsort(of_truth[answered])]
    wanted = [("worst", order[0]), ("typical", order[len(order) // 2]), ("best", order[-1])]
    if split.repeat == 0:
        shared = set(chosen(bench))
        wanted += [(SHARED, at) for at in answered if int(split.test[at]) in shared]
    cases = []
    for done, (kind, position) in enumerate(wanted):
        run.progress(done, len(wanted), "drawing heatmaps")
        example = opened_once(examples[int(position)])
        checks = ("glance", "curves") if kind == SHARED else ("glance",)
        try:
            maps = bench.task.explain(model, example.open(), Explaining(checks=checks, regions=anatomy_of(bench.task, example)))
        except NotSureError:
            continue
        if maps:
            cases.append(CaseFile(kind, int(position), float(of_truth[position]), tuple(maps)))
    return tuple(cases)


def _save(result: FoldResult, folder: Path) -> None:
    """Write into a temporary folder and rename it: a fold on disk is a finished one."""
    temporary = folder.with_name(folder.name + ".writing")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    arrays: dict[str, NDArray[Any]] = {"test": result.split.test, "train": result.split.train, "probabilities": result.probabilities}
    arrays |= {f"{_HEAD}{name}": table for name, table in result.heads.items()}
    cases = []
    for c, case in enumerate(result.cases):
        cases.append({"kind": case.kind, "position": case.position, "probability_of_truth": case.probability_of_truth, "maps": []})
        for m, shown in enumerate(case.explanations):
            arrays[f"picture_{c}_{m}"], arrays[f"heat_{c}_{m}"] = shown.picture, shown.heat.astype(np.float16)
            cases[-1]["maps"].append({"method": shown.method, "label": shown.label, "view": shown.view, "facts": plain(shown.facts)})  # type: ignore[attr-defined]
    body = {
        "schema": FOLD_SCHEMA,
        "repeat": result.split.repeat,
        "fold": result.split.fold,
        "parameters": result.parameters,
        "predict_ms": result.predict_ms,
        "record": result.record,
        "cases": cases,
        "declined": result.declined,
    }
    if result.results:
        (temporary / _RESULTS).write_text(json.dumps([r.to_dict() for r in result.results], allow_nan=False), encoding="utf-8")
    np.savez_compressed(temporary / "arrays.npz", **arrays)  # type: ignore[arg-type]
    (temporary / "fold.json").write_text(json.dumps(body, indent=1), encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    temporary.replace(folder)


def _load(folder: Path, split: Split, heads: Collection[str] = ()) -> FoldResult | None:
    """Return a finished fold with the answers of these other heads; ``None`` where it is not on disk.

    Raises
    ------
    InputError
        If it is damaged, of another split, or was kept by a version that did not keep the answers of every head.
    """
    if not (folder / "fold.json").is_file():
        return None
    try:
        body = json.loads((folder / "fold.json").read_text(encoding="utf-8"))
        with (folder / "arrays.npz").open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            stored = {name: arrays[name] for name in arrays.files}
        cases = tuple(_case(stored, c, case) for c, case in enumerate(body["cases"]))
        written = folder / _RESULTS
        answers = tuple(Result.from_dict(r) for r in json.loads(written.read_text(encoding="utf-8"))) if written.is_file() else ()
        others = {name: stored[f"{_HEAD}{name}"] for name in heads if f"{_HEAD}{name}" in stored}
        why = {int(place): reason for place, reason in body.get("declined", {}).items()}
        result = FoldResult(split, stored["probabilities"], body["record"], body["parameters"], body["predict_ms"], cases, answers, others, why)
    except _DAMAGED as error:
        raise InputError(
            f"{folder} is damaged: {error}", expected="a finished fold", action="delete that folder and run again with --resume; only that fold is repeated"
        ) from error
    if not np.array_equal(stored["test"], split.test):
        raise InputError(
            f"{folder} holds another split of the data", expected="the same data, folds and seed", action="choose another --out, or delete the folder"
        )
    missing = [name for name in heads if name not in result.heads]
    if missing:
        raise InputError(
            f"{folder} has no answers of the head {', '.join(missing)}: an older version kept it",
            expected="the answers of every head",
            action="delete that folder and run again with --resume; only that fold is repeated",
        )
    return result


def _case(stored: Mapping[str, NDArray[Any]], c: int, case: Mapping[str, Any]) -> CaseFile:
    maps = tuple(
        Explanation(m["method"], m["label"], stored[f"picture_{c}_{i}"], stored[f"heat_{c}_{i}"].astype(np.float32), m["view"], m.get("facts", {}))
        for i, m in enumerate(case["maps"])
    )
    return CaseFile(case["kind"], case["position"], case["probability_of_truth"], maps)


def fold_folder(out: Path, key: str, split: Split) -> Path:
    """Return where a fold's result lies."""
    return out / "folds" / key / f"repeat{split.repeat}-fold{split.fold}"
