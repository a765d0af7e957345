"""The verbs, for Python: the command line and the notebook call these and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from spinelab.core import (
    DIFFICULTIES,
    Examples,
    Explaining,
    InputError,
    Model,
    Progress,
    Result,
    Run,
    Settings,
    Task,
    TaskError,
    silent,
)
from spinelab.core.explaining import ALL
from spinelab.serve import choices, models, places, unfinished
from spinelab.serve.places import PathLike

if TYPE_CHECKING:
    from spinelab.report import Comparison, Evaluation
    from spinelab.serve.examinations import Examination

MODEL_FILES: Final = ("model.json", "weights.safetensors")
COMPARISON_FILES: Final = ("comparison.json", "experiment.json")
EVALUATION_FILES: Final = ("evaluation.json",)
PHANTOM_NOTE: Final = models.PHANTOM_NOTE
NOT_ITS_OWN: Final = """> Figures in this card are of models that the authors trained, as told beside them.
> What the model in this folder reaches, `spinelab evaluate` tells."""
GLANCED: Final = 20
"""Examinations whose heatmaps are compared with those of random weights unasked; among more, reading would become slower by it."""
RESULT_FILES: Final = ("result.json", "results.csv", "measurements.csv")
READ_ELSEWHERE: Final = "choose another --out, or delete that folder; answers of two readings are never mixed"


def describe_tasks(name: str | None = None) -> list[dict[str, Any]]:
    """Return name, title, question, input, output, source and every setting of one task, or of all."""
    from spinelab import tasks

    found = [tasks.load(name)] if name is not None else [tasks.load(known) for known in tasks.names()]
    return [
        {
            "name": task.name,
            "title": task.title,
            "question": task.question,
            "takes": task.takes,
            "gives": task.gives,
            "source": task.source,
            "settings": task.settings_type().describe(),
        }
        for task in found
    ]


def phantom(
    task: str, out: PathLike, *, n: int = 100, seed: int = 0, difficulty: str = "typical", layout: str | None = None, progress: Progress = silent
) -> Path:
    """Write ``n`` phantoms of known truth and return the folder; in the public data set's own layout, or another ``layout`` that the task can write.

    Raises
    ------
    TaskError
        For an unknown task, difficulty or layout, or a number below 1.
    InputError
        If ``out`` holds other things.
    """
    from spinelab import tasks

    chosen = tasks.load(task)
    if difficulty not in DIFFICULTIES:
        raise TaskError(f"Difficulty {difficulty!r}", expected=", ".join(DIFFICULTIES), action="choose one of these")
    if n < 1 or seed < 0:
        raise TaskError(f"{n} phantoms from seed {seed}", expected="at least 1 phantom, and a seed of 0 or more", action="choose other numbers")
    write = _phantom_writer(chosen, layout)
    folder = places.new_folder(out)
    folder.mkdir(parents=True, exist_ok=True)
    write(folder, n=n, seed=seed, difficulty=difficulty, progress=progress)
    return folder


def _phantom_writer(task: Task, layout: str | None) -> Callable[..., None]:
    """Return what writes a task's phantoms in a layout; raises `TaskError` for one that it cannot write."""
    known = task.phantom_layouts()
    if layout is None:
        return task.write_phantoms
    if layout not in known:
        raise TaskError(
            f"Layout {layout!r} of phantoms of {task.name}",
            expected=", ".join(known) or "no layout: this task writes one alone",
            action="choose one of these" if known else "leave --layout out",
        )
    return known[layout]


def fit(
    task: str,
    data: PathLike,
    out: PathLike,
    *,
    settings: Settings | Mapping[str, Any] | None = None,
    split: str | None = None,
    run: Run | None = None,
) -> Model:
    """Train one model on all the data (a validation part is split off inside, by patient) and write its folder.

    Parameters
    ----------
    out
        The model folder. Checkpoints lie in ``<out>.work`` until the model is written; with ``run.resume`` training goes on from them.
    settings
        Settings of the task, or a mapping that overrides its defaults.
    split
        Which part to learn from, where the data come with splits; by default the training split, never silently the test split.
    """
    from spinelab import experiments, io

    chosen, examples = _examples(task, data)
    run = run or Run()
    settled = choices.settle(chosen.settings_type(), settings)
    folder = places.new_folder(out, ours=MODEL_FILES, data=examples.root, hint="choose another --out; a finished model is never overwritten")
    begun = {"task": chosen.name, "data": str(Path(data).resolve()), "split": split, "settings": settled.to_dict()}
    with unfinished.work_folder(folder, begun, resume=run.resume) as work:
        model = experiments.fit(chosen, examples, settled, replace(run, workdir=run.workdir or work), split=split)
        folder.parent.mkdir(parents=True, exist_ok=True)
        io.save_model(model, folder, _card(chosen))
    return model


def read(
    path: PathLike,
    model: PathLike | Model,
    out: PathLike | None = None,
    *,
    serial: bool = False,
    films: PathLike | None = None,
    explain: str | None = None,
    run: Run | None = None,
) -> list[Result]:
    """Read one examination or a folder of many, and answer for each.

    Parameters
    ----------
    path
        A file, a zip, a DICOM series, or a folder of examinations.
    model
        A model folder, ``builtin:NAME``, or a model in memory.
    out
        Where to write ``result.json``, ``report.html``, a PNG a heatmap and, of a model that measures, ``report.pdf``; a subfolder each where
        there are many, with ``measurements.csv`` above them. Among many the files of a film are written as soon as it is read, so that an
        interruption loses none of them. Nothing is written without it.
    serial
        The films are of one patient, although the files do not say so. Films that name the same patient are compared in any case.
    films
        A CSV with what the files do not state: the column ``image`` and any of `spinelab.serve.stated.COLUMNS`.
    explain
        Which heatmaps: words of `spinelab.core.explaining.METHODS` with commas between them, ``all`` or ``none``; by default the one that costs
        no more than an answer.
    run
        With ``run.resume`` an interrupted reading of several examinations goes on: those that were finished with the same model, settings and
        content of their files are not read again.

    Returns
    -------
    results
        One an examination; with ``out`` they tell of the heatmaps that were written.
    """
    from spinelab.serve import journal, readings

    how, run = Explaining.chosen(explain), run or Run()
    source = places.existing(path, "an image, a DICOM file or series, a zip, or a folder of examinations")
    folder = None if out is None else _reading_folder(Path(out).expanduser(), source, resume=run.resume)
    loaded, task = models.load(model)
    listed = _listed(source, loaded, films, serial=serial)
    if how is not None and explain is None and len(listed) > GLANCED:
        how = replace(how, checks=())
    reading = readings.Reading(task, loaded, listed, one_patient=serial)
    if folder is None:
        return list(reading.answers(run.progress))
    if len(listed) == 1:
        return reading.written(folder, source, how, run.progress)
    begun = journal.begun_with(loaded, how, None if films is None else Path(films), serial=serial)
    with unfinished.work_folder(folder, begun, resume=run.resume) as work:
        return reading.written(folder, source, how, run.progress, work)


def _reading_folder(out: Path, source: Path, *, resume: bool) -> Path:
    """Return where a reading goes: a new folder or, to go on in it, that of an interrupted one."""
    begun = unfinished.is_begun(out)
    if begun and not resume:
        raise InputError(
            f"{out} holds an interrupted reading",
            expected="a folder that is new or empty",
            action=f"add --resume to go on with it, or delete it and {unfinished.folder_of(out).name} beside it to begin anew",
        )
    ours = tuple(path.name for path in out.iterdir()) if begun and out.is_dir() else RESULT_FILES
    return places.new_folder(out, ours=ours, reuse=begun, data=source, hint=READ_ELSEWHERE)


def _listed(source: Path, model: Model, films: PathLike | None, *, serial: bool) -> list[Examination]:
    """Return the examinations under a path with what a table states of them; those of several patients are refused where they are said to be of one."""
    from spinelab.serve import examinations, readings, stated

    listed = examinations.find(source, model.settings)
    if films is not None:
        listed = stated.with_table(listed, places.existing(films, "a CSV about the films"), source)
    if serial:
        readings.check_one_patient(examinations.patients(listed), len(listed))
    return listed


def explain(
    path: PathLike, model: PathLike | Model, out: PathLike, *, methods: str = ALL, questions: Sequence[str] = (), mask: PathLike | None = None
) -> Result:
    """Answer for one examination and look into the network: every map with all its checks, the filters of its first layer, what its layers show.

    Parameters
    ----------
    out
        Where to write ``report.html``, ``result.json`` and the pictures.
    methods
        As in `read`.
    questions
        Which questions, of a task that asks many of one examination: ``("L4/L5 left foraminal",)``. By default the task chooses.

    mask
        A picture of the film's own size, not 0 inside the anatomy or a lesion: every map says how much of it lies there. One film at a time.

    Raises
    ------
    InputError
        If there are several examinations under the path, or the mask does not fit the film.
    TaskError
        If the model has nothing to look into, or is not asked such a question.
    """
    from spinelab import report
    from spinelab.serve import examinations, masks

    how = Explaining.chosen(methods, option="--methods")
    source = places.existing(path, "an image, a DICOM file or series, or a zip")
    folder = places.new_folder(out, ours=RESULT_FILES, data=source, hint=READ_ELSEWHERE)
    loaded, task = models.load(model)
    found = examinations.find(source, loaded.settings)
    if len(found) != 1 or how is None:
        given = f"{source}: {len(found)} examinations" if how else "No map to make"
        raise InputError(given, expected="one examination and one map or more", action="give one film or study; `spinelab read` takes many")
    study = replace(found[0].open(), id=found[0].name)
    regions = {} if mask is None else {"": masks.read_mask(mask, study)}
    how = replace(how, checks=("weights", "curves"), questions=tuple(questions), regions=regions)
    result = models.with_origin(loaded, task.predict(loaded, study))
    maps = task.explain(loaded, study, how)
    if regions:
        masks.check_laid_over(maps, loaded)
    sheets = task.layers(loaded, study, how)
    if not maps and not sheets:
        raise TaskError(f"{loaded.name} has no network to look into", expected="a model that is a network", action="choose another model")
    return report.write_explained(result, maps, sheets, folder, phantom_model=models.of_phantoms(loaded), model_summary=models.summary(loaded))


def evaluate(
    model: PathLike | Model, data: PathLike, out: PathLike, *, split: str | None = None, explain: str | None = None, run: Run | None = None
) -> Evaluation:
    """Try a model on another folder of examinations with a known truth; writes ``evaluation.json``, ``predictions.csv`` and ``report.html``.

    Parameters
    ----------
    out
        Of a model that measures also ``agreement.csv``, of one that places landmarks ``landmarks.csv``.
    split
        Which part to use, where the data come with splits; by default the test split, or everything if there is none of that name.
    explain
        Which heatmaps tell where the model looked, as in `read`, where the truth tells where it should.
    """
    from spinelab import experiments

    how = Explaining.chosen(explain)
    loaded, task = models.load(model)
    source = places.existing(data, task.takes)
    folder = places.new_folder(out, ours=EVALUATION_FILES, data=source, hint="choose another --out; a finished evaluation is never overwritten")
    return experiments.evaluate(task, loaded, task.examples(source), out=folder, run=run or Run(), split=split, explaining=how)


def compare(  # noqa: PLR0913 - the design of an experiment
    task: str,
    data: PathLike,
    out: PathLike | None = None,
    *,
    vary: Mapping[str, Sequence[Any]],
    settings: Settings | Mapping[str, Any] | None = None,
    folds: int = 5,
    repeats: int = 1,
    holdout: float | None = None,
    resume: bool = False,
    seed: int = 0,
    rank_by: str | None = None,
    learning_curve: bool = True,
    split: str | None = None,
    run: Run | None = None,
) -> Comparison:
    """Train several models on the same folds, kept apart by patient, and say which is better and how sure that is.

    Parameters
    ----------
    data
        A folder in the task's layout; for ``images`` also a manifest CSV.
    out
        Where ``report.html``, ``comparison.json`` and ``predictions.csv`` go; ``./spinelab-<task>-<data>`` unless given.
    vary
        Settings to vary, each with its values; every combination is one model.
    folds, repeats
        Each patient is held out once a repeat.
    holdout
        Share of the patients held out once, instead of folds.
    resume
        Go on where an interrupted comparison stopped; no finished fold is repeated.
    rank_by
        The metric that ranks: balanced accuracy unless given, and the mean absolute error of the first quantity where models only
        measure; ``cobb_max_mae_deg`` ranks by that error.
    learning_curve
        Also train the best model on fewer patients, to show whether more would help.
    split
        Which part to use, where the data come with splits; by default the training split.
    """
    from spinelab import experiments

    design = experiments.Design(folds=folds, repeats=repeats, holdout=holdout, seed=seed, rank_by=rank_by, learning_curve=learning_curve, split=split)
    chosen = _task(task)
    settled = choices.settle(chosen.settings_type(), settings)
    varied = choices.settle_vary(settled, vary, settings if isinstance(settings, Mapping) else {})
    source = places.existing(data, chosen.takes)
    folder = _comparison_folder(places.default_out(task, source) if out is None else out, source, resume=resume)
    examples = chosen.examples(source)
    return experiments.compare(chosen, examples, out=folder, settings=settled, vary=varied, design=design, resume=resume, run=run or Run())


def _comparison_folder(out: PathLike, source: Path, *, resume: bool) -> Path:
    """Return where a comparison goes: a new folder or, to go on in it, that of an interrupted one."""
    hint = "add --resume to continue it, or choose another --out"
    return places.new_folder(out, ours=COMPARISON_FILES, reuse=resume, data=source, hint=hint)


def baselines(task: str, data: PathLike, *, settings: Settings | Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return what constants and chance reach on these labels; nothing is trained."""
    from spinelab import experiments

    chosen, examples = _examples(task, data)
    return experiments.baselines(chosen, examples, choices.settle(chosen.settings_type(), settings))


def score(task: str, submission: PathLike, data: PathLike) -> dict[str, Any]:
    """Return what a file of answers in the layout of the task's competition reaches in its score, beside constants; no model is needed.

    Parameters
    ----------
    submission
        Of `lumbar-mri` a ``submission.csv``: ``row_id,normal_mild,moderate,severe``, from this program or any other.
    data
        The true answers: of `lumbar-mri` ``train.csv``, the folder that holds it, or the competition's ``solution.csv``.

    Raises
    ------
    TaskError
        If the task has no competition's layout.
    InputError
        If one of the files cannot be used, or they are not about the same examinations.
    """
    chosen = _task(task)
    return chosen.score(places.existing(submission, "a file of answers in the competition's layout"), places.existing(data, "the file of the true answers"))


def _task(name: str) -> Task:
    from spinelab import tasks

    return tasks.load(name)


def _examples(name: str, data: PathLike) -> tuple[Task, Examples]:
    task = _task(name)
    return task, task.examples(places.existing(data, task.takes))


def _card(task: Task) -> str:
    """Return the task's own card with a word on whose figures it holds, for every model folder."""
    return f"{NOT_ITS_OWN}\n\n{models.card_of(task)}"
