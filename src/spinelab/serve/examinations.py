"""Which examinations lie under a path: one file, one series, or many."""

from __future__ import annotations

import logging
import os
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from spinelab import io
from spinelab.core import Explanation, Heatmap, InputError, NotSureError, Settings, SpinelabError, Study, counted, plural
from spinelab.io.archive import headers_in
from spinelab.io.dicom_header import open_header
from spinelab.io.dicom_spacing import PROJECTIONS
from spinelab.io.header_texts import header_texts
from spinelab.io.read import study_id
from spinelab.io.sniff import kind_of
from spinelab.report import summaries

_VIEW_MARK: Final = re.compile(r"(?:Y[01]|[-_ ](?:AP|PA|LA|LAT|LATERAL))$", re.IGNORECASE)
"""How file names end that differ only in the view: ``0001-F-037Y0`` and ``0001-F-037Y1``, ``anna_ap`` and ``anna_lateral``."""

_VIEW_FOLDERS: Final = ("ap", "pa", "la", "lat", "lateral")
_PICTURES: Final = (*PROJECTIONS, "US")
"""Modalities whose files are pictures of their own; a model of one picture answers for each."""
_EXPORTED: Final = ("OT", "SC", "HC", "XC", "")
"""What films that were scanned or exported call themselves, if anything; beside slices they are screenshots, and a model's own reader gets all of them."""
_NOT_READ: Final = (".bmp", ".gif", ".webp", ".jp2", ".j2k", ".heic", ".heif", ".avif")
"""How pictures are called that no reader takes."""

_OFFICE: Final = (".xlsx", ".xlsm", ".ods", ".docx", ".odt", ".pptx", ".odp")
"""How tables and texts are called that are zip archives by their content, such as the table of subjects beside the films: no examination."""

Reader = Callable[[Any], Study]
"""Reads an examination from a path; a model's own reader takes the list of its files as well."""

_PART: Final = "_images"
"""How the folder of a data set's part ends, such as ``test_images``, beside tables that begin alike: ``test_series_descriptions.csv``."""

_STUDY: Final = "study "
"""How the key of the files of one DICOM study begins."""

_BROKEN: Final = "study in "
"""How the key of a study begins of which no file can be read; its folder follows."""

_DIRECTORY: Final = "dicomdir"
"""A list of DICOM files, not a picture."""

_RESULT: Final = "result.json"
"""The file beside which a reading of this program writes its pictures."""
_SCHEMA: Final = b'"spinelab.result'
"""What such a file says of itself."""


@dataclass(frozen=True, eq=False)
class Examination:
    """A name, how to open what it names, the files that it is read from, and whom the user says that it shows."""

    name: str
    open: Callable[[], Study]
    files: tuple[Path, ...] = ()
    patient: str | None = None


class Reopened(Mapping[str, Study]):
    """Studies that are opened when asked for; only the last one is kept, so that a folder of many fits into memory."""

    def __init__(self, examinations: Mapping[str, Examination], names: Collection[str]) -> None:
        self._examinations = {name: examinations[name] for name in names}
        self._last: tuple[str, Study] | None = None
        self._closed = set[str]()

    def close(self, name: str) -> None:
        """Open a study no more: the program failed at it."""
        self._closed.add(name)

    def __getitem__(self, name: str) -> Study:
        if name in self._closed:
            raise KeyError(name)
        if self._last is None or self._last[0] != name:
            self._last = name, replace(self._examinations[name].open(), id=name)
        return self._last[1]

    def __iter__(self) -> Iterator[str]:
        return iter(self._examinations)

    def __len__(self) -> int:
        return len(self._examinations)


class Shown(Mapping[str, Study]):
    """Studies as the page shows them; one that the task declines to read is shown as it is."""

    def __init__(self, studies: Reopened, shown: Callable[[Study], Study]) -> None:
        self._studies, self._shown = studies, shown

    def __getitem__(self, name: str) -> Study:
        study = self._studies[name]
        try:
            return self._shown(study)
        except SpinelabError:
            return study

    def __iter__(self) -> Iterator[str]:
        return iter(self._studies)

    def __len__(self) -> int:
        return len(self._studies)


class Explained(Mapping[str, Sequence[Explanation]]):
    """Heatmaps that are made when asked for; none where the model declines to show any. What they say without their pixels is kept in ``told``."""

    def __init__(self, studies: Reopened, explain: Callable[[Study], Sequence[Explanation]]) -> None:
        self._studies, self._explain = studies, explain
        self.told: dict[str, tuple[Heatmap, ...]] = {}

    def __getitem__(self, name: str) -> Sequence[Explanation]:
        try:
            found = self._explain(self._studies[name])
        except NotSureError:
            return ()
        self.told[name] = summaries(found)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._studies)

    def __len__(self) -> int:
        return len(self._studies)


def find(source: Path, settings: Settings) -> list[Examination]:
    """Return the examinations under a path, in the order of their names.

    DICOM files of one study are one examination, with broken files beside them; every other picture, volume or archive is one of its own. Models that
    look at several films (``settings.views``) get films of one study together, and pictures whose names differ only in the view; models of one picture
    answer for each film. Models that need more than the general reader gives (``settings.read_study``, called with a path or the files of one study) are
    given what their own reader makes of an examination, and may name the only one in a folder (``settings.study_name``). An examination in a part of a data
    set (``test_images`` beside its tables) is named as if that part alone was read; those that would share a name keep the part before it.
    Pictures that an earlier reading wrote are left out, as those are that no reader takes, and links to folders; the log says how many.

    Raises
    ------
    InputError
        If a folder holds nothing but such pictures, or a folder in it that may not be read.
    """
    read: Reader = getattr(settings, "read_study", io.read)
    if source.is_file():
        return [Examination(study_id(source), partial(read, source), (source,))]
    groups: dict[str, list[Path]] = defaultdict(list)
    together = len(getattr(settings, "views", ())) > 1
    lone = () if together else _PICTURES if hasattr(settings, "read_study") else (*_PICTURES, *_EXPORTED)
    inside = _inside(source)
    files = _files(inside)
    foreign = [path for path in files if not _own(path)]
    _tell_left_out(source, len(files) - len(foreign), of=len(files))
    _tell_not_read(source, inside)
    _tell_not_followed(source)
    for path in foreign:
        groups[_key(path, source, lone, together=together)].append(path)
    groups = _with_unreadable(groups, headers=read is not io.read)
    parts = _parts(source)
    if len(groups) <= 1:
        alone: Callable[[Path], str] = getattr(settings, "study_name", lambda folder: folder.resolve().name)
        every = [path for paths in groups.values() for path in paths]
        folder = _part_of(every, source, parts)
        opened = partial(read, folder) if foreign == files else partial(_open, every, source, read)
        return [Examination(alone(folder), opened, tuple(every))]
    named = _named(groups, source, parts, together=together)
    return [Examination(name, partial(_open, paths, source, read), tuple(paths)) for name, paths in named.items()]


def _with_unreadable(groups: Mapping[str, list[Path]], *, headers: bool) -> dict[str, list[Path]]:
    """Put files of no known content, such as empty ones, to the only DICOM study in whose folder they lie: they are broken slices, no examination.

    So are, with ``headers``, headers without pixels that name no study; a model's own reader leaves them out and says so.
    Those in a folder beside the folders of studies are one examination together, which is then refused under that folder's name.
    """
    places = _study_places(groups)
    inside: dict[Path, set[str]] = defaultdict(set)
    for key, paths in groups.items():
        if key.startswith(_STUDY):
            for folder in {path.parent for path in paths}:
                inside[folder].add(key)
                inside[_study_folder(folder, places)].add(key)
    found: dict[str, list[Path]] = defaultdict(list)
    for key, paths in groups.items():
        broken = not _kind(paths[0]) or (headers and _is_bare_header(paths[0]))
        if key.startswith(_STUDY) or len(paths) > 1 or not broken:
            found[key] += paths
            continue
        folder = paths[0].parent
        whole = _study_folder(folder, places)
        around = inside.get(folder) or inside.get(whole) or ({f"{_BROKEN}{whole}"} if whole.parent in places else set())
        found[next(iter(around)) if len(around) == 1 else key] += paths
    return {key: sorted(paths) for key, paths in found.items()}


def _study_places(groups: Mapping[str, list[Path]]) -> frozenset[Path]:
    """Return the folders that hold a folder a study: those whose series have a folder each show where, else those of several files."""
    studies = [paths for key, paths in groups.items() if key.startswith(_STUDY) and len(paths) > 1]
    of_series = [paths for paths in studies if len({path.parent for path in paths}) > 1]
    return frozenset(_folder_of(paths).parent for paths in of_series or studies)


def _study_folder(folder: Path, places: Collection[Path]) -> Path:
    """Return the folder of the study in which a folder lies, where studies have one each; else the folder itself."""
    return next((one for one in (folder, *folder.parents) if one.parent in places), folder)


def _named(groups: Mapping[str, list[Path]], source: Path, parts: Collection[Path], *, together: bool) -> dict[str, list[Path]]:
    """Return the files of each examination by its name, of which no two are alike."""
    short = [_name(key, paths, _part_of(paths, source, parts), together=together) for key, paths in groups.items()]
    times = Counter(short)
    named: dict[str, list[Path]] = {}
    for (key, paths), by_part in zip(groups.items(), short, strict=True):
        name = by_part if times[by_part] == 1 else _name(key, paths, source, together=together)
        named[name if name not in named else paths[0].relative_to(source).as_posix()] = paths
    return named


def _parts(source: Path) -> frozenset[Path]:
    """Return the folders of a data set's parts, as in the layout of the RSNA's competitions: each has a table beside it that begins with the part's name."""
    tables = [path.name for path in source.glob("*.csv")]
    folders = (path for path in source.glob(f"*{_PART}") if path.is_dir())
    return frozenset(path for path in folders if any(name.startswith(f"{path.name.removesuffix(_PART)}_") for name in tables))


def _part_of(paths: Sequence[Path], source: Path, parts: Collection[Path]) -> Path:
    """Return the part of a data set that all files of an examination lie in, or the folder that is read."""
    return next((part for part in parts if all(part in path.parents for path in paths)), source) if paths else source


def lone_files(found: Iterable[Examination], source: Path) -> dict[str, str]:
    """Return, by name, the file of each examination that is one file: its path below the folder that is read, ``source`` or the folder that it lies in."""
    folder = source if source.is_dir() else source.parent
    return {one.name: one.files[0].relative_to(folder).as_posix() for one in found if len(one.files) == 1}


def _files(inside: Iterable[Path]) -> list[Path]:
    """Return what is a picture, a volume or an archive by content, or claims to be one by name; what cannot be opened may be one."""
    return [p for p in inside if p.suffix.lower() not in _OFFICE and (p.name.lower().endswith(io.IMAGE_SUFFIXES) or _kind(p) != "")]


def _inside(source: Path) -> list[Path]:
    """Return the files under a folder, without hidden ones; raises `InputError` for a folder among them that may not be read, for films may lie in it."""
    found = sorted(source.rglob("*"))
    closed = next((p for p in found if p.is_dir() and not os.access(p, os.R_OK | os.X_OK)), None)
    if closed is not None:
        action = "change its permissions, or move it away"
        raise InputError(f"The folder {closed} may not be read by this user", expected="folders that can be read", action=action)
    return [p for p in found if p.is_file() and not p.name.startswith(".") and p.name.lower() != _DIRECTORY]


def _kind(path: Path) -> str | None:
    """Return what a file is by its content, ``None`` where it cannot be opened: whoever reads it says why, and the other files are read."""
    try:
        return kind_of(path, str(path))
    except InputError:
        return None


def _is_bare_header(path: Path) -> bool:
    """Return whether a file is a DICOM header that names no study and has no pixels."""
    if _kind(path) != "dicom" or header_texts(path, "StudyInstanceUID") != ("",):
        return False
    try:
        return open_header(path, str(path), pixels=False).pixels_at is None
    except InputError:
        return False


def _own(path: Path) -> bool:
    """Return whether an earlier reading wrote a picture: it lies beside that reading's answer."""
    answer = path.parent / _RESULT
    return path.suffix.lower() == ".png" and answer.is_file() and _SCHEMA in answer.read_bytes()


def _tell_left_out(source: Path, left_out: int, *, of: int) -> None:
    if left_out and left_out == of:
        raise InputError(
            f"{source} holds nothing but {plural(left_out, 'picture')} of an earlier reading, beside {_RESULT}",
            expected="films",
            action="give the folder of the films",
        )
    if left_out:
        logging.getLogger(__name__).warning("%s: left out %s of earlier readings, beside %s", source, plural(left_out, "picture"), _RESULT)


def _tell_not_read(source: Path, inside: Iterable[Path]) -> None:
    """Say which pictures are left out because no reader takes them; they would be missed in the table otherwise."""
    found = [path for path in inside if path.suffix.lower() in _NOT_READ and _kind(path) == ""]
    if found:
        said = "%s: left out %s of a format that cannot be read, such as %s; save them as PNG, without loss"
        logging.getLogger(__name__).warning(said, source, plural(len(found), "picture"), found[0].name)


def _tell_not_followed(source: Path) -> None:
    """Say which folders are links: what they lead to is not read, for it may lie among the others already, or lead back."""
    links = sorted(path for root, folders, _ in os.walk(source) for path in (Path(root) / name for name in folders) if path.is_symlink())
    shown = [path.relative_to(source).as_posix() for path in links if not path.name.startswith(".")]
    if shown:
        words = counted(shown, "[folder is a link and was|folders are links and were] not read: give the [folder that it leads|folders that they lead] to")
        logging.getLogger(__name__).warning("%s: %s", source, words)


def _key(path: Path, source: Path, lone: Collection[str], *, together: bool) -> str:
    """Return what the files of one examination have in common; DICOM files of a modality in ``lone`` are one each."""
    if _kind(path) == "dicom":
        uid, modality = header_texts(path, "StudyInstanceUID", "Modality")
        return f"{_STUDY}{uid}" if uid and modality not in lone else f"file {path}"
    if together and _VIEW_MARK.search(path.stem):
        return f"films {_without_view(path.relative_to(source)).lower()}"
    return f"file {path}"


def _without_view(path: Path) -> str:
    """Return the name that the films of one patient share, with its folder; a folder a view does not count."""
    folder = path.parent.parent if path.parent.name.lower() in _VIEW_FOLDERS else path.parent
    return (folder / _VIEW_MARK.sub("", path.stem)).as_posix()


def patients(found: Iterable[Examination]) -> set[str]:
    """Return the patients whom the user or the headers name, those in archives as well, without decoding anything."""
    named: set[str] = set()
    for one in found:
        named |= {one.patient or "", *_patients_of(one.files)}
    return named - {""}


def _patients_of(files: Sequence[Path]) -> set[str]:
    """Return whom the first DICOM file of an examination names, or the files of an archive; an archive that is refused names nobody."""
    for path in files:
        kind = _kind(path)
        if kind == "dicom":
            return set(header_texts(path, "PatientID"))
        if kind == "zip":
            with suppress(InputError):
                return {patient for (patient,) in headers_in(path, str(path), "PatientID")}
    return set()


def _name(key: str, paths: list[Path], source: Path, *, together: bool) -> str:
    """Return the path of a lone file, the folder of several (the first one where nothing but the whole holds them), or what their names have in common."""
    if key.startswith(_BROKEN):
        return Path(key.removeprefix(_BROKEN)).relative_to(source).as_posix()
    first = paths[0].relative_to(source)
    if len(paths) == 1:
        return (first.parent / study_id(first)).as_posix()
    if together and _VIEW_MARK.search(first.stem):
        return _without_view(first)
    folder = _folder_of(paths).relative_to(source)
    if folder != Path():
        return folder.as_posix()
    return first.parts[0] if len(first.parts) > 1 else first.with_suffix("").as_posix()


def _folder_of(paths: Sequence[Path]) -> Path:
    """Return the deepest folder that holds all files: a study's, where each of its series has one of its own."""
    return Path(os.path.commonpath([path.parent for path in paths]))


def _open(paths: list[Path], source: Path, read: Reader) -> Study:
    """Open the files of one examination: as the folder that holds nothing else, or film by film."""
    folder = _folder_of(paths)
    if len(paths) > 1 and folder != source and _files(_inside(folder)) == paths:
        return read(folder)
    if read is not io.read:
        return read(paths)
    studies = [io.read(path) for path in paths]
    patients = {study.patient.value for study in studies if study.patient.known}
    if len(patients) > 1:
        raise InputError(
            f"{', '.join(p.name for p in paths[:3])} name {len(patients)} patients",
            expected="one patient an examination",
            action="put them into separate folders",
        )
    return replace(studies[0], images=tuple(image for study in studies for image in study.images))
