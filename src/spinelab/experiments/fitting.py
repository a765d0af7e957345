"""One model for use: the data are checked first, and what was found goes into the model's record."""

from __future__ import annotations

from spinelab.core import Examples, Model, Run, Settings, Task
from spinelab.experiments.data_check import announce, check_data


def fit(task: Task, examples: Examples, settings: Settings, run: Run) -> Model:
    """Train one model on all examples.

    The model's record gains ``data`` (digest, classes, patients, flags, phantom or not), so that whoever uses the model learns
    what it was made from.
    """
    check = check_data(examples, task.target(settings), run.progress)
    announce(check.summary, run)
    model = task.fit(examples, settings, run)
    summary = check.summary
    model.record["data"] = {
        "root": summary.root,
        "digest": summary.digest,
        "patients": summary.patients,
        "images": summary.images,
        "classes": summary.classes,
        "phantom": summary.phantom,
        "facts": summary.facts,
        "flags": [{"code": flag.code, "text": flag.text} for flag in summary.flags],
        "notes": list(summary.notes),
    }
    return model
