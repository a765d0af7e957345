"""What a reading of many examinations has finished: kept beside its folder until the end, so that an interrupted one goes on."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

from spinelab.core import Explaining, InputError, Model, Reference, Result, counted
from spinelab.io.cache import file_digest
from spinelab.report import Visit
from spinelab.serve.examinations import Examination

FILE: Final = "finished.jsonl"
"""A line an examination whose files are written."""


@dataclass(frozen=True)
class Finished:
    """What is kept of an examination besides its files: the answer, whose it is, what is usual, and its picture for the page of all."""

    result: Result
    visit: Visit
    references: Mapping[str, Reference]
    picture: str


class Journal:
    """The finished examinations of a reading, by name.

    Parameters
    ----------
    path
        The file; lines that an earlier reading left in it are taken up.
    listed
        The examinations that are read.
    places
        Name to the folder in which its files lie.

    Raises
    ------
    InputError
        If an examination was read that is no longer there.
    """

    def __init__(self, path: Path, listed: Iterable[Examination], places: Mapping[str, Path]) -> None:
        self._path, self._places, self._files = path, places, {one.name: one.files for one in listed}
        self._lines = _read(path)
        gone = [name for name in self._lines if name not in places]
        if gone:
            raise InputError(
                counted(gone, "[examination of the interrupted reading is|examinations of the interrupted reading are] not there any more"),
                expected="the examinations that it was begun with, or more of them",
                action="bring them back, or read into another --out",
            )
        self._write()

    def finished(self, name: str) -> Finished | None:
        """Return what is kept of an examination; nothing where it was not finished, or its files have another content or place now."""
        line = self._lines.get(name)
        if line is None:
            return None
        place = self._places[name]
        if (line["content"], line["folder"]) != (self._content(name), place.name) or not (place / "result.json").is_file():
            del self._lines[name]
            shutil.rmtree(place, ignore_errors=True)
            return None
        result = Result.from_dict(json.loads((place / "result.json").read_text(encoding="utf-8")))
        visit = Visit(line["patient"], None if line["day"] is None else date.fromisoformat(line["day"]), line["sex"], line["age_years"])
        return Finished(result, visit, {quantity: Reference(**usual) for quantity, usual in line["references"].items()}, line["picture"])

    def add(self, name: str, visit: Visit, references: Mapping[str, Reference], picture: str) -> None:
        """Keep an examination whose files are all written; one of which a file cannot be read is not kept, and is tried again."""
        content = self._content(name)
        if content is None:
            return
        day = None if visit.day is None else visit.day.isoformat()
        self._lines[name] = {
            "content": content,
            "folder": self._places[name].name,
            "patient": visit.patient,
            "day": day,
            "sex": visit.sex,
            "age_years": visit.age_years,
            "references": {quantity: asdict(usual) for quantity, usual in references.items()},
            "picture": picture,
        }
        with self._path.open("a", encoding="utf-8") as file:
            file.write(_line(name, self._lines[name]))

    def _content(self, name: str) -> str | None:
        """Return the digest of an examination's files; nothing where one of them cannot be read."""
        try:
            return content_of(self._files[name])
        except InputError:
            return None

    def _write(self) -> None:
        """Write the lines anew: the last one may have been cut off."""
        self._path.write_text("".join(_line(name, line) for name, line in self._lines.items()), encoding="utf-8")


def _line(name: str, line: Mapping[str, Any]) -> str:
    return json.dumps({"name": name, **line}) + "\n"


def _read(path: Path) -> dict[str, dict[str, Any]]:
    """Return the lines by name; one that was cut off does not count."""
    found: dict[str, dict[str, Any]] = {}
    for text in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
        try:
            line = json.loads(text)
        except ValueError:
            continue
        found[line.pop("name")] = line
    return found


def content_of(files: Iterable[Path]) -> str:
    """Return a digest of the content of files, wherever they lie."""
    return hashlib.sha256("\n".join(map(file_digest, files)).encode()).hexdigest()


def begun_with(model: Model, how: Explaining | None, films: Path | None, *, serial: bool) -> dict[str, Any]:
    """Return what a reading is begun with and goes on with only, JSON-able: program, model, settings, heatmaps and what the user states of the films."""
    from spinelab import __version__

    return {
        "program": __version__,
        "task": model.task,
        "model": f"{model.name} ({_model_digest(model)[:12]})",
        "settings": model.settings.to_dict(),
        "explain": None if how is None else [", ".join(how.methods) or "default", ", ".join(how.checks)],
        "films": None if films is None else content_of([films])[:12],
        "serial": serial,
    }


def _model_digest(model: Model) -> str:
    """Return a digest of everything that a model answers by."""
    digest = hashlib.sha256(json.dumps([model.task, model.classes, model.record, model.preprocessing], sort_keys=True, default=str).encode())
    for name, tensor in sorted(model.tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tensor.shape}".encode())
        digest.update(tensor.tobytes())
    return digest.hexdigest()
