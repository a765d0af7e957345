"""``spinelab fit``, ``read`` and ``explain``: making a model, using it, and looking into it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spinelab.serve.cli import options, show

if TYPE_CHECKING:
    from spinelab.core import Result


def fit(
    task: options.TaskName,
    data: options.Data,
    out: Annotated[Path, typer.Option("--out", metavar="MODEL", help="Model folder to write, new or empty.")],
    sets: options.Set = None,
    settings: options.SettingsFile = None,
    split: options.Split = None,
    resume: options.Resume = False,
    weights: options.Weights = None,
    cache: options.Cache = None,
    accelerator: options.Accelerator = "auto",
    devices: options.Devices = "1",
    nodes: options.Nodes = 1,
    strategy: options.Strategy = "auto",
    as_json: options.AsJson = False,
) -> None:
    """Train one model on all the data (of data with splits: on the training split) and write its folder."""
    from spinelab.serve import api
    from spinelab.serve.cli.progress import shown

    with shown() as progress:
        run = options.make_run(progress, resume=resume, weights=weights, cache=cache, accelerator=accelerator, devices=devices, nodes=nodes, strategy=strategy)
        made = api.fit(task, data, out, settings=options.chosen_settings(sets, settings), split=split, run=run)
    if as_json:
        show.print_json({"model": out, "task": made.task, "settings": made.settings.to_dict(), "classes": made.classes, "record": made.record})
    else:
        show.model(made, out)


def read(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="An image, DICOM file or series, a zip, or a folder of examinations.")],
    model: Annotated[str, typer.Option("--model", metavar="MODEL", help="A model folder, or builtin:NAME.")],
    out: options.Out,
    serial: Annotated[bool, typer.Option("--serial", help="All films are of one patient: show what changed, by the dates in the files.")] = False,
    films: Annotated[
        Path | None,
        typer.Option("--films", metavar="FILE.csv", help="What the files do not state: a CSV with image and any of patient, date, age_years, sex, spacing_mm."),
    ] = None,
    explain: options.Explain = None,
    resume: options.Resume = False,
    as_json: options.AsJson = False,
) -> None:
    """Read examinations with a model: findings and measurements as report.html, report.pdf and result.json."""
    from spinelab.serve import api, readings
    from spinelab.serve.cli.progress import shown

    with shown() as progress:
        found = api.read(path, model, out, serial=serial, films=films, explain=explain, run=options.make_run(progress, resume=resume))
    if as_json:
        show.print_json([result.to_dict() for result in found])
    else:
        _say_origin(found)
        show.results(found, out)
    failed = readings.failures(found)
    if failed:
        typer.echo(f"{failed} of {len(found)} examinations {readings.INTERNAL}; please report it with the messages above.", err=True)
        raise typer.Exit(1)


def explain(
    model: options.ModelName,
    path: Annotated[Path, typer.Argument(metavar="PATH", help="One image, DICOM file or series, or a zip.")],
    out: options.Out,
    methods: Annotated[str, typer.Option("--methods", metavar="METHODS", help="As --explain of `spinelab read`.")] = "all",
    question: Annotated[
        list[str] | None,
        typer.Option(
            "--question",
            metavar="WORDS",
            help="Explain this question of a task that asks many, such as 'L4/L5 left foraminal'; may be repeated. By default the three most probably severe.",
        ),
    ] = None,
    mask: Annotated[
        Path | None,
        typer.Option(
            "--mask",
            metavar="FILE",
            help="Say how much of each map lies inside this mask of the anatomy or a lesion: .png, .nii or .npy of the film's own size, 0 outside.",
        ),
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """Look into a network: every heatmap of one film with all its checks, the filters of the first layer, what its layers show."""
    from spinelab.serve import api

    found = api.explain(path, model, out, methods=methods, questions=question or (), mask=mask)
    if as_json:
        show.print_json(found.to_dict())
    else:
        _say_origin([found])
        show.results([found], out)
        show.maps(found)


def _say_origin(found: Sequence[Result]) -> None:
    """Say on the first line that the model learnt from phantoms, if it did."""
    from spinelab.serve import api

    if any(api.PHANTOM_NOTE in result.notes for result in found):
        show.say(api.PHANTOM_NOTE)
