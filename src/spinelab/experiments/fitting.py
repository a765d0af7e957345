"""One model for use: the data are checked first, and what was found goes into the model's record."""

from __future__ import annotations

from spinelab.core import Examples, Model, Run, Settings, Task
from spinelab.experiments.asked import ask
from spinelab.experiments.constant_measures import learnt_constants
from spinelab.experiments.data_check import announce, check_data, with_groups
from spinelab.experiments.data_words import FOR_USE
from spinelab.experiments.named_splits import part_to_learn


def fit(task: Task, examples: Examples, settings: Settings, run: Run, *, split: str | None = None) -> Model:
    """Train one model on all examples; where the data come with splits, on their training split or the one named.

    Patients who share a picture are handed to the task as one, so that whatever it splits off inside is honest. The model's record
    gains ``data`` (digest, classes, patients, flags, phantom or not, split, and what constants were learnt for comparison), so that
    whoever uses the model learns what it was made from.
    """
    part = part_to_learn(examples, split, run.tell)
    settings = task.settled(part.examples, settings)
    quantities, measures = task.quantities(settings), task.route(settings) == "measures"
    asked = ask(task, part.examples, settings)
    examples = asked.examinations
    target = task.target(settings)
    check = check_data(examples, target, run.progress, measures=measures, asked=asked, words=FOR_USE, quantities=quantities, doubts=task.doubts)
    announce(check.summary, run)
    model = task.fit(with_groups(asked.questions, asked.spread(check.groups)), settings, run)
    model = task.complete(model, check.merged(examples), run)
    summary = check.summary
    model.record["data"] = {
        "root": summary.root,
        "digest": summary.digest,
        "patients": summary.patients,
        "images": summary.images,
        "questions": summary.questions,
        "classes": summary.classes,
        "phantom": summary.phantom,
        "facts": summary.facts,
        "flags": [{"code": flag.code, "text": flag.text} for flag in summary.flags],
        "notes": list(summary.notes),
        "remarks": dict(summary.remarks),
    }
    if part.name:
        model.record["data"]["split"] = part.name
    if measures:
        model.record["data"]["constants"] = learnt_constants(quantities, examples, check.sizes)
    return model
