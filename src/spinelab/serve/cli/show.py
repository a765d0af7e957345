"""What comes back, for a reader at a terminal and for a program."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

import typer

if TYPE_CHECKING:
    from spinelab.core import Model, Result
    from spinelab.report import Comparison, Evaluation, Flag, Variant
    from spinelab.report.content import ComparedHead

COLUMNS: Final = ("balanced_accuracy", "auroc", "accuracy")
"""Metrics of the table on the screen, after the one that ranks; the report has them all."""
_HEADS: Final = ("accuracy", "balanced_accuracy", "precision_macro", "recall_macro", "f1_macro", "most_frequent_share")
"""Metrics of each head of a network with several."""
OWN_COLUMNS: Final = ("weighted_log_loss", "rsna_score")
"""Further metrics, of the tasks that have them."""


def say(text: str = "") -> None:
    """Print a line on stdout."""
    typer.echo(text)


def print_json(body: Any) -> None:
    """Print one JSON document; numbers that JSON has no word for become null."""
    from spinelab.report.files import plain

    typer.echo(json.dumps(plain(body), indent=2, ensure_ascii=False, allow_nan=False))


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table: drawn on a terminal, columns of plain text elsewhere."""
    listed = [tuple(map(str, row)) for row in rows]
    if sys.stdout.isatty():
        from rich import box
        from rich.console import Console
        from rich.table import Table

        drawn = Table(box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False)
        for number, name in enumerate(header):
            drawn.add_column(name, overflow="fold", no_wrap=number > 1 and len(header) > 4)
        for row in listed:
            drawn.add_row(*row)
        Console().print(drawn)
        return
    widths = [max(len(row[i]) for row in (tuple(header), *listed)) for i in range(len(header))]
    for row in (tuple(header), *listed):
        say("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def estimate(value: Any) -> str:
    """Say a value with its interval: ``0.71 (0.63-0.78)``."""
    if value is None or value.value is None:
        return "-"
    text = f"{value.value:.2f}"
    return text if value.lo is None or value.hi is None else f"{text} ({value.lo:.2f}{' to ' if value.lo < 0 else '-'}{value.hi:.2f})"


def comparison(found: Comparison, out: Path) -> None:
    """Print headline, statements, the table of models, flags, and where the report is."""
    say(found.headline)
    say()
    names = list(dict.fromkeys((found.rank_by, *COLUMNS, *OWN_COLUMNS)))
    names = [name for name in names if any(name in v.figures for v in found.variants)]
    rows = [
        (str(v.rank or "-"), v.name, *(estimate(v.figures.get(name)) for name in names), *_cost(v))
        for v in sorted(found.variants, key=lambda v: (v.rank is None, v.rank or 0))
    ]
    constant = found.baseline.get("metrics", {})
    rows.append(("", constant_name(found.baseline), *(estimate(constant.get(name)) for name in names), "", "", ""))
    others = found.baseline.get("constants", {}).items()
    rows += [("", called, *(estimate(figures.get(name)) for name in names), "", "", "") for called, figures in others]
    if found.heads:
        say(f"Head {found.target}, which ranks:")
    table(("rank", "model", *(name.replace("_", " ") for name in names), "answer", "pass", "weights"), rows)
    say()
    for head in found.heads:
        if head.name != found.target:
            _other_head(head)
    _listed("Flags:", [f"{v.name}: {', '.join(dict.fromkeys(flag.code for flag in v.flags))}" for v in found.variants if v.flags])
    _statements(found.data.flags, found.statements)
    say(f"Report: {out / 'report.html'}   (also comparison.json, predictions.csv)")


def _other_head(head: ComparedHead) -> None:
    """Print what every model's head that does not rank reached, what constants reach in it, and its flags."""
    say(f"Head {head.name}, which does not rank ({head.answers} answers to {len(head.classes)} classes):")
    names = (*_HEADS[:-1], *(name for name in OWN_COLUMNS if any(name in found.figures for found in head.models.values())))
    figures = {name: found.figures for name, found in head.models.items()} | head.constants
    table(("model", *(name.replace("_", " ") for name in names)), [(name, *(estimate(of.get(m)) for m in names)) for name, of in figures.items()])
    say()
    flags = {name: dict.fromkeys(flag.code for flag in found.flags) for name, found in head.models.items()}
    _listed(f"Flags of the head {head.name}:", [f"{name}: {', '.join(codes)}" for name, codes in flags.items() if codes])


def _cost(variant: Variant) -> tuple[str, str, str]:
    """Return milliseconds an answer, seconds a pass and the number of weights."""
    answer = "" if variant.predict_ms is None else f"{variant.predict_ms:.1f} ms"
    once = "" if variant.epoch_seconds is None else f"{variant.epoch_seconds:.1f} s"
    return answer, once, f"{variant.parameters:,}" if variant.parameters else ""


def evaluation(found: Evaluation, out: Path) -> None:
    """Print headline, metrics, flags, and where the report is."""
    say(found.headline)
    say()
    constant = {**found.baseline.get("metrics", {}), **_constants(found.variant)}
    rows = [(name.replace("_", " "), estimate(value), estimate(constant.get(name))) for name, value in found.variant.figures.items()]
    others = found.baseline.get("constants", {}).items()
    rows += [(f"{name.replace('_', ' ')}, {called}", "", estimate(value)) for called, figures in others for name, value in figures.items()]
    table(("metric", "model (95 % interval)", "constant answer"), rows)
    say()
    if found.heads:
        heads = [(name, str(head["answers"]), *(estimate(head["metrics"].get(m)) for m in _HEADS)) for name, head in found.heads.items()]
        table(("head", "answers", *(name.replace("_", " ") for name in _HEADS)), heads)
        say()
    _listed("Flags:", [f"{flag.code}: {flag.text}" for flag in found.variant.flags])
    _statements(found.data.flags, found.statements)
    first = ("evaluation.json", "predictions.csv")
    beside = ", ".join([*first, *sorted(path.name for path in out.iterdir() if path.name not in {*first, "report.html"})])
    say(f"Report: {out / 'report.html'}   (also {beside})")


def agreement(found: Mapping[str, Any], out: Path | None) -> None:
    """Print bias, limits, ICC and detectable change of every pair, and of all readers together."""
    from spinelab.core import plural
    from spinelab.experiments import reader_rows

    readers = found["readers"]
    say(f"{plural(found['films'], 'film')} of {plural(found['patients'], 'patient')}, {plural(len(readers), 'reader')}: {', '.join(readers)}.")
    say()
    rows = reader_rows(found)
    names = ("bias", "lower_limit", "upper_limit", "icc_2_1", "icc_3_1", "sem_agreement", "mdc95_agreement")
    shown = [
        (row["measurement"], " and ".join(part for part in (row["a"], row["b"]) if part), str(row["n"]), *(estimate(_figure(row, name)) for name in names))
        for row in rows
    ]
    table(("measurement", "readers", "n", "bias", "lower limit", "upper limit", "ICC(2,1)", "ICC(3,1)", "SEM", "MDC"), shown)
    say()
    _listed("Notes:", [f"{row['measurement']}, {row['a']}{' and ' * bool(row['b'])}{row['b']}: {row['note']}" for row in rows if row["note"]])
    if out is not None:
        say(f"Written: {out / 'agreement.csv'}, {out / 'agreement.json'}")


def _figure(row: Mapping[str, Any], name: str) -> SimpleNamespace:
    return SimpleNamespace(value=row.get(name), lo=row.get(f"{name}_lo"), hi=row.get(f"{name}_hi"))


def constant_name(baseline: Mapping[str, Any]) -> str:
    """Say what answer without looking the last row of the table is about."""
    majority = baseline.get("majority_class")
    return str(baseline.get("name", "the same answer")) if majority is None else f"always {majority!r}"


def _constants(variant: Variant) -> dict[str, Any]:
    """Return the errors that one number for everyone has, by the names of the metrics."""
    from spinelab.experiments.pairing import metric_name

    quantities = variant.measured.quantities if variant.measured is not None else ()
    return {metric_name(q.name, "mae", q.unit): q.constant["mae"] for q in quantities if q.constant}


def model(made: Model, folder: Path) -> None:
    """Print what was trained, on what, from which weights, how precisely."""
    record = made.record
    does = f"tells apart {', '.join(made.classes)}" if made.classes else "measures"
    say(f"{made.name}: a model for {made.task} that {does} ({made.parameters:,} stored numbers).")
    data = record.get("data", {})
    if record.get("phantom") or data.get("phantom"):
        say("Made from phantoms: it says something about the program, nothing about patients.")
    weights, precision = record.get("weights", {}), record.get("precision", {})
    rows = [
        ("trained on", _part(record.get("train"), patients_known=data.get("patients") is not None)),
        ("validated on", _part(record.get("validation"), patients_known=data.get("patients") is not None)),
        ("starting weights", _said(weights)),
        ("precision", _said(precision)),
        ("device", record.get("device")),
        ("passes", f"{record['epochs']}, best {record['best_epoch']} (stopped: {record['stopped']})" if "best_epoch" in record else None),
        ("time", f"{record['seconds']:.0f} s" if "seconds" in record else None),
    ]
    table(("what", "value"), [(name, value) for name, value in rows if value])
    say()
    _listed("About the data:", [flag["text"] for flag in data.get("flags", ())])
    _listed("Notes:", record.get("notes") or ())
    say(f"Model: {folder}   (weights.safetensors, model.json, card.md)")


def _part(part: Mapping[str, Any] | None, *, patients_known: bool) -> str | None:
    from spinelab.core import plural

    if not part:
        return None
    whose = f" of {plural(part['patients'], 'patient')}" if patients_known else ""
    classes = ", ".join(f"{n} {name}" for name, n in part.get("per_class", {}).items())
    return f"{plural(part['examples'], 'examination')}{whose}" + (f": {classes}" if classes else "")


def _said(choice: Mapping[str, Any] | str) -> str | None:
    """Say a choice with its reason, as the pages do; models without a network have neither."""
    from spinelab.report.words import settled

    return str(settled(choice) or "") or None


def baselines(found: Mapping[str, Any]) -> None:
    """Print the classes, and what each answer that needs no picture reaches."""
    from spinelab.core import plural

    patients = "patients not known" if found["patients"] is None else plural(found["patients"], "patient")
    questions = f", {plural(found['questions'], 'question')}" if "questions" in found else ""
    say(
        f"{plural(found['examinations'], 'examination')}, {patients}{questions}"
        + (", phantoms" if found["phantom"] else "")
        + (f"; target {found['target']}" if found["target"] else "")
    )
    if found["classes"]:
        _class_baselines(found)
    if "measured" in found:
        _measured_baselines(found["measured"])
    if "competition" in found:
        _competition_baselines(found["competition"])
    _listed("\nNotes:", found["notes"])


def _class_baselines(found: Mapping[str, Any]) -> None:
    table(
        ("class", "questions" if "questions" in found else "examinations", "patients", "share"),
        [(name, str(c["images"]), str(c["patients"] or "-"), f"{c['share']:.3f}") for name, c in found["classes"].items()],
    )
    say(f"\nAlways answering {found['majority_class']} is right for {found['majority_rate']:.1%} (the majority rate).\n")
    rows = [(name, *(estimate(SimpleNamespace(**row["metrics"][column])) for column in COLUMNS)) for name, row in found["baselines"].items()]
    table(("answer without looking", *(column.replace("_", " ") for column in COLUMNS)), rows)


def _competition_baselines(found: Mapping[str, Any]) -> None:
    parts = tuple(next(iter(found["baselines"].values()))["intervals"])
    say(f"\n{found['metric']}; in-sample, {found['rows_scored']} graded questions")
    rows = [(name, *("-" if row[part] is None else f"{row[part]:.4f}" for part in parts)) for name, row in found["baselines"].items()]
    table(("constant answer", *(part.replace("_", " ") for part in parts)), rows)


def score(found: Mapping[str, Any]) -> None:
    """Print the score of a submission and its parts with intervals, a row each, and beside them the best constant."""
    from spinelab.core import counted, plural

    left_out = f" (without any grade and not scored: {found['studies_not_graded']})" if found["studies_not_graded"] else ""
    say(f"{found['metric']}")
    studies = counted(found["studies"], "[study|studies]")
    say(f"{plural(found['rows_scored'], 'graded question')} of {studies}{left_out}; 95 % intervals resample whole studies.\n")
    answers = {"submission": found["submission"], **found["baselines"]}
    parts = tuple(found["submission"]["intervals"])
    table(("answer", *(part.replace("_", " ") for part in parts)), [(name, *(_to_four(row, part) for part in parts)) for name, row in answers.items()])
    say()
    say(_against(found))


def _to_four(row: Mapping[str, Any], part: str) -> str:
    """Say a figure of the competition, as its table did, with its interval."""
    limits = row["intervals"][part]
    text = "-" if row[part] is None else f"{row[part]:.4f}"
    return text if limits is None else f"{text} ({limits[0]:.3f}-{limits[1]:.3f})"


def _against(found: Mapping[str, Any]) -> str:
    """Say how the submission stands against the best constant, which was made from these very grades."""
    best, gain = found["best_constant"], found["gain"]
    if gain is None or gain["value"] is None:
        return "A part has no graded question, so there is no score."
    limits = "" if gain["lo"] is None else f" ({-gain['hi']:+.4f} to {-gain['lo']:+.4f})"
    better = gain["lo"] is not None and gain["lo"] > 0
    verdict = "The submission is better than a constant answer" if better else "The submission is not shown to be better than a constant answer"
    return f"{verdict}: the difference of its score to that of the best one ({best}, made from these very grades) is {-gain['value']:+.4f}{limits}."


def _measured_baselines(found: Mapping[str, Any]) -> None:
    rows = [(q["title"], f"{q['answer']:.1f} {q['unit']}", str(q["films"]), estimate(SimpleNamespace(**q["mae"]))) for q in found["quantities"].values()]
    if rows:
        table(("quantity", "always answering", "films", "mean absolute error"), rows)
    for unit, shape in found["mean_shape"].items():
        say(f"A mean shape laid over every film: median landmark error {estimate(SimpleNamespace(**shape))} {unit}.")


def results(found: Sequence[Result], out: Path) -> None:
    """Print each finding and measurement, one line each."""
    from spinelab.core import plural
    from spinelab.report.words import chance

    for result in found:
        say(f"{result.study}  ({result.task}, {result.model})")
        for finding in result.findings:
            shares = ", ".join(f"{label}: {chance(share)}" for label, share in finding.probabilities.items())
            say(f"  {_named(finding)}: {finding.label or 'no answer'}" + (f"   ({shares})" if shares else ""))
        for measure in result.measurements:
            value = f"withheld: {measure.withheld}" if measure.value is None else f"{measure.value:z.1f} {measure.unit}"
            limits = f"   (95 %: {measure.interval[0]:z.1f} to {measure.interval[1]:z.1f})" if measure.value is not None and measure.interval else ""
            say(f"  {_named(measure)}: {value}{limits}")
        for note in result.notes:
            say(f"  note: {note}")
    say(f"{plural(len(found), 'examination')}. Report{'s' if len(found) > 1 else ''}: {out}")


def maps(result: Result) -> None:
    """Print each heatmap, and what speaks against it."""
    for one in result.explanations:
        view = f", {one.view}" if one.view else ""
        say(f"  {one.method} for {one.label}{view}: {one.file}" + "".join(f"\n    not to be trusted: {flag}" for flag in one.flags))


def _named(item: Any) -> str:
    return " ".join(part for part in (item.name, item.site, item.side) if part)


def _statements(flags: Iterable[Flag], statements: Iterable[str]) -> None:
    """Print what is known about the data, then what can be said; a sentence that is both is said once."""
    about = [flag.text for flag in flags]
    _listed("About the data:", about)
    _listed("What can be said:", [sentence for sentence in statements if sentence not in about])


def _listed(title: str, sentences: Iterable[str]) -> None:
    unique = list(dict.fromkeys(sentences))
    if not unique:
        return
    say(title)
    for sentence in unique:
        say(f"  - {sentence}")
    say()
