"""Arguments and options that several commands share: one wording each."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from spinelab.core import Progress, Run

TaskName = Annotated[str, typer.Argument(metavar="TASK", help="The clinical question; `spinelab tasks` lists them.")]
Data = Annotated[Path, typer.Option("--data", metavar="DIR", help="Folder of labelled examinations; for `images` also a manifest CSV.")]
ModelName = Annotated[str, typer.Argument(metavar="MODEL", help="A model folder, or builtin:NAME.")]
Out = Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder to write, new or empty.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout and nothing else.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on from where an interrupted run stopped.")]
Set = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change one setting; may be repeated.")]
Split = Annotated[str | None, typer.Option("--split", metavar="NAME", help="Use this split of data that come with splits, such as test.")]
Explain = Annotated[
    str | None,
    typer.Option(
        "--explain",
        metavar="METHODS",
        help="Heatmaps of a network: hirescam, gradcam, scorecam, integrated-gradients, occlusion, rollout (commas between them), all, or none. "
        "By default the quick one.",
    ),
]
SettingsFile = Annotated[Path | None, typer.Option("--settings", metavar="FILE.toml", help="Settings from a TOML file; --set goes over it.")]

_MACHINE = "Machine"
Weights = Annotated[
    Path | None,
    typer.Option(
        "--weights",
        metavar="PATH",
        help="Pretrained weights from a local .safetensors file, or a folder with one an architecture, instead of the hub.",
        rich_help_panel=_MACHINE,
    ),
]
Cache = Annotated[Path | None, typer.Option("--cache", metavar="DIR", help="Where decoded images are kept between runs.", rich_help_panel=_MACHINE)]
Accelerator = Annotated[str, typer.Option("--accelerator", help="auto, cpu, gpu, ... as Lightning names them.", rich_help_panel=_MACHINE)]
Devices = Annotated[str, typer.Option("--devices", help="How many devices, or auto.", rich_help_panel=_MACHINE)]
Nodes = Annotated[int, typer.Option("--nodes", min=1, help="How many machines.", rich_help_panel=_MACHINE)]
Strategy = Annotated[str, typer.Option("--strategy", help="auto, ddp, fsdp, ... as Lightning names them.", rich_help_panel=_MACHINE)]


def chosen_settings(words: list[str] | None, file: Path | None) -> dict[str, Any]:
    """Put ``--set`` over ``--settings``."""
    from spinelab.serve import choices

    return {**(choices.read_settings_file(file) if file else {}), **choices.parse_set(words or ())}


def _note(sentence: str) -> None:
    """Say at once what must be known before training goes on."""
    typer.echo(f"Note: {sentence}", err=True)


def make_run(progress: Progress, *, resume: bool = False, weights: Path | None = None, cache: Path | None = None, **machine: Any) -> Run:
    """Gather the circumstances of a run; refuse a file of weights that is not there and a number of devices that is none."""
    from spinelab.core import Run, TaskError
    from spinelab.serve import places

    devices = machine.pop("devices", "1")
    if devices != "auto" and not (devices.isdecimal() and int(devices) > 0):
        raise TaskError(f"--devices {devices}", expected="a number from 1 up, or auto", action="use --devices 1")
    return Run(
        progress=progress,
        tell=_note,
        resume=resume,
        weights=None if weights is None else places.existing(weights, "a file of pretrained weights"),
        cache=cache,
        devices=devices if devices == "auto" else int(devices),
        **machine,
    )
