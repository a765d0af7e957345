"""``spinelab tasks``, ``doctor`` and ``phantom``: what there is, what this machine can do, and data to try it on."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from spinelab.serve.cli import options, show


def tasks(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Explain this one, with every setting.")] = None,
    as_json: options.AsJson = False,
) -> None:
    """List the clinical questions; with a name, explain one."""
    from spinelab.serve import api

    found = api.describe_tasks(name)
    if as_json:
        show.print_json(found if name is None else found[0])
    elif name is None:
        show.table(("task", "question"), [(task["name"], task["question"]) for task in found])
        show.say("\n`spinelab tasks NAME` explains one, with every setting.")
    else:
        _explain(found[0])


def _explain(task: dict[str, Any]) -> None:
    show.say(f"{task['name']}: {task['title']}\n")
    show.table(("", ""), [(key, task[of]) for key, of in (("question", "question"), ("input", "takes"), ("output", "gives"), ("source", "source"))])
    show.say("\nSettings (--set key=value):")
    show.table(
        ("setting", "default", "type or choices", "what it does"),
        [(s["name"], str(s["default"]), ", ".join(map(str, s["choices"])) or s["type"], s["help"]) for s in task["settings"]],
    )


def doctor(as_json: options.AsJson = False) -> None:
    """Look at this machine: versions, devices, codecs, disk, hub, and what will be slow here."""
    from spinelab.serve import doctor as examination
    from spinelab.serve.cli.progress import shown

    with shown():
        found = examination.examine()
    if as_json:
        show.print_json(found)
        return
    for title, lines in examination.in_words(found):
        show.say(title)
        for line in lines:
            show.say(f"  {line}")


def phantom(
    task: options.TaskName,
    out: options.Out,
    n: Annotated[int, typer.Option("-n", "--number", min=1, help="How many to draw: films or examinations; of some patients there are several films.")] = 100,
    seed: Annotated[int, typer.Option("--seed", min=0, help="The same seed draws the same phantoms.")] = 0,
    difficulty: Annotated[str, typer.Option("--difficulty", metavar="easy|typical|hard", help="How hard they are to tell apart.")] = "typical",
    layout: Annotated[
        str | None,
        typer.Option("--layout", metavar="NAME", help="Layout of the files, where a task has several; scoliosis: aasce (as it is), dicom (12-bit films)."),
    ] = None,
) -> None:
    """Draw phantoms of known truth, written in the public data set's own layout, or in another with --layout."""
    from spinelab.core import plural
    from spinelab.serve import api
    from spinelab.serve.cli.progress import shown

    with shown() as progress:
        folder = api.phantom(task, out, n=n, seed=seed, difficulty=difficulty, layout=layout, progress=progress)
    show.say(f"{plural(n, f'{difficulty} phantom')} of {task}, seed {seed}: {folder}")
    show.say("Phantoms test the program. They are no evidence about patients.")
