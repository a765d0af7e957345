"""What the competition's table of series says about an examination that lies beside it without coordinates."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Final

from spinelab.core import Fact, InputError
from spinelab.io.mr_series import SeriesKind
from spinelab.io.mr_slices import MrSeries
from spinelab.tasks.lumbar_mri.tables import Series, read_series

_TABLES: Final = "*_series_descriptions.csv"


def study_folder(folder: Path) -> Path:
    """Return the one study's folder in a folder of images, where a table beside it names that study; else the folder as it is."""
    inside = [path for path in folder.iterdir() if not path.name.startswith(".")]
    alone = len(inside) == 1 and inside[0].is_dir() and not stated_kinds(folder)[0]
    return inside[0] if alone and stated_kinds(inside[0])[0] else folder


def stated_kinds(folder: Path) -> tuple[dict[str, Fact], list[str]]:
    """Return what tables in the parent folders of a study call its series, by series number, and why a table was not used."""
    folder = folder.resolve()
    stated: dict[str, Fact] = {}
    notes = []
    for path in [table for place in (folder.parent, folder.parent.parent) for table in sorted(place.glob(_TABLES))]:
        try:
            rows = _table(path, path.stat().st_mtime_ns).get(folder.name, {})
        except InputError as error:
            notes.append(f"{path.name} was not used: {error}")
        else:
            stated |= {name: Fact(row.description, path.name) for name, row in rows.items()}
    return stated, notes


@lru_cache(maxsize=4)
def _table(path: Path, _changed_ns: int) -> Mapping[str, Mapping[str, Series]]:
    """Return a table that may tell of thousands of examinations, read once for all of them; again if it was changed."""
    return read_series(path)


def stated_kind(stated: dict[str, Fact], key: str, series: MrSeries) -> Fact | None:
    """Return what is stated of a series, which is known by its folder's name or the last number of its SeriesInstanceUID."""
    by_folder = stated.get(Path(key).name)
    if by_folder is not None:
        return by_folder
    uid = series.slices[0].header.text("SeriesInstanceUID") or ""
    return stated.get(uid.rpartition(".")[2])


def contradiction(key: str, stated: str | None, kind: SeriesKind) -> list[str]:
    """Return a note where the table calls a series one thing and its header says another; none where either is silent."""
    if stated is None or kind.description in (None, stated):
        return []
    return [f"series {key} is called {stated}, but its header says {kind.reason}"]
