"""``spinelab compare``, ``evaluate``, ``baselines``, ``score`` and ``agreement``: which model is better, and how sure that is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from spinelab.serve.cli import options, show


def compare(
    task: options.TaskName,
    data: options.Data,
    vary: Annotated[list[str], typer.Option("--vary", metavar="KEY=A,B,C", help="Setting to vary and its values; may be repeated (all combinations).")],
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Folder to write; ./spinelab-TASK-DATA unless given.")] = None,
    folds: Annotated[int, typer.Option("--folds", help="Parts into which the patients are divided; each is held out once.")] = 5,
    repeats: Annotated[int, typer.Option("--repeats", help="How often that is done with other parts.")] = 1,
    holdout: Annotated[float | None, typer.Option("--holdout", metavar="SHARE", help="Hold out this share of the patients once, instead of folds.")] = None,
    resume: options.Resume = False,
    sets: options.Set = None,
    settings: options.SettingsFile = None,
    rank_by: Annotated[
        str | None,
        typer.Option(
            "--rank-by", metavar="METRIC", help="The metric that ranks: balanced_accuracy, or of measurements the first error, such as cobb_max_mae_deg."
        ),
    ] = None,
    learning_curve: Annotated[bool, typer.Option("--learning-curve/--no-learning-curve", help="Train the best model on fewer patients too.")] = True,
    split: options.Split = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Draws the parts and the first weights.")] = 0,
    weights: options.Weights = None,
    cache: options.Cache = None,
    accelerator: options.Accelerator = "auto",
    devices: options.Devices = "1",
    nodes: options.Nodes = 1,
    strategy: options.Strategy = "auto",
    as_json: options.AsJson = False,
) -> None:
    """Train several models on the same patients, fairly, and say which is better or that the data cannot tell."""
    from spinelab.serve import api, choices, places
    from spinelab.serve.cli.progress import shown

    folder = places.default_out(task, data) if out is None else out
    if out is None:
        typer.echo(f"No --out given: writing to {folder}", err=True)
    with shown() as progress:
        run = options.make_run(progress, resume=resume, weights=weights, cache=cache, accelerator=accelerator, devices=devices, nodes=nodes, strategy=strategy)
        found = api.compare(
            task,
            data,
            folder,
            vary=choices.parse_vary(vary),
            settings=options.chosen_settings(sets, settings),
            folds=folds,
            repeats=repeats,
            holdout=holdout,
            resume=resume,
            seed=seed,
            rank_by=rank_by,
            learning_curve=learning_curve,
            split=split,
            run=run,
        )
    if as_json:
        show.print_json(json.loads((folder / "comparison.json").read_text(encoding="utf-8")))
    else:
        show.comparison(found, folder)


def evaluate(
    model: options.ModelName,
    data: options.Data,
    out: options.Out,
    split: options.Split = None,
    explain: options.Explain = None,
    cache: options.Cache = None,
    as_json: options.AsJson = False,
) -> None:
    """Try a model on another site's folder; writes evaluation.json, predictions.csv and report.html."""
    from spinelab.serve import api
    from spinelab.serve.cli.progress import shown

    with shown() as progress:
        found = api.evaluate(model, data, out, split=split, explain=explain, run=options.make_run(progress, cache=cache))
    if as_json:
        show.print_json(json.loads((out / "evaluation.json").read_text(encoding="utf-8")))
    else:
        show.evaluation(found, out)


def baselines(
    task: options.TaskName,
    data: options.Data,
    sets: options.Set = None,
    settings: options.SettingsFile = None,
    as_json: options.AsJson = False,
) -> None:
    """Say what constant answers and chance reach on these labels; nothing is trained."""
    from spinelab.serve import api
    from spinelab.serve.cli.progress import shown

    with shown():
        found = api.baselines(task, data, settings=options.chosen_settings(sets, settings))
    if as_json:
        show.print_json(found)
    else:
        show.baselines(found)


def score(
    task: options.TaskName,
    submission: Annotated[Path, typer.Argument(metavar="SUBMISSION.csv", help="Answers in the layout of the task's competition, of any program.")],
    data: Annotated[Path, typer.Option("--data", metavar="PATH", help="The true answers: train.csv, the folder that holds it, or solution.csv.")],
    as_json: options.AsJson = False,
) -> None:
    """Score a competition's submission file, exactly as the competition did, beside what constants reach."""
    from spinelab.serve import api

    found = api.score(task, submission, data)
    if as_json:
        show.print_json(found)
    else:
        show.score(found)


def agreement(
    readers: Annotated[Path, typer.Argument(metavar="READERS.csv", help="A row a film and reader: image, reader and a column a measurement.")],
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Folder to write, new or empty; nothing is written without it.")] = None,
    as_json: options.AsJson = False,
) -> None:
    """Say how well several readers agree, in pairs and together; writes agreement.json and agreement.csv."""
    from spinelab.serve.agreement import agreement as agree

    found = agree(readers, out)
    if as_json:
        show.print_json(found)
    else:
        show.agreement(found, out)
