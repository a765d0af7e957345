"""Pictures with named points, in whichever of three layouts they come."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from spinelab import io
from spinelab.core import Example, Examples, Fact, InputError, Landmark, Result, Study, counted, noted, plural
from spinelab.phantoms import is_phantom
from spinelab.tasks.landmarks import csv_files
from spinelab.tasks.landmarks.annotation import LAYOUT, Annotated, Book
from spinelab.tasks.landmarks.coco import is_coco, read_coco, read_splits
from spinelab.tasks.landmarks.csv_files import read_csv
from spinelab.tasks.landmarks.declaration import FILE, Declaration
from spinelab.tasks.landmarks.labelme import PATIENTS, is_labelme, load, read_labelme
from spinelab.tasks.landmarks.measure import measurements
from spinelab.tasks.landmarks.pictures import Header, look, opened, outside, spacing_for
from spinelab.tasks.landmarks.toml_file import read_declaration

TASK_NAME: Final = "landmarks"


@dataclass(frozen=True, eq=False)
class DeclaredExamples(Examples):
    """A data set that says itself what its points are and what is measured between them."""

    declaration: Declaration = field(default_factory=Declaration)


@dataclass(frozen=True, eq=False)
class _Found:
    """An annotation with its picture."""

    annotated: Annotated
    path: Path
    header: Header


def examples(root: Path) -> DeclaredExamples:
    """Read a data set: a CSV of points, a COCO keypoints file, labelme files, or a folder that holds one of these.

    Raises
    ------
    InputError
        If there is none of these or more than one, a line of it cannot be used, x and y look swapped, or no picture remains.
    """
    root = Path(root)
    book = _book(root)
    home = root if root.is_dir() else root.parent
    declaration = _declaration(home, book)
    found, notes = _pictures(book)
    _refuse_resized(found)
    found, more = _inside(found)
    notes = [*book.notes, *notes, *more]
    bare = [f.annotated.name for f in found if not any(name in f.annotated.points for name in declaration.landmarks)]
    notes += noted(bare, "[picture with no point in it was|pictures with no point in them were] left out.")
    items, remarks = _examples([f for f in found if f.annotated.name not in set(bare)], declaration)
    notes += remarks + _about(book, declaration, items)
    if not items:
        raise InputError(f"{root}: no picture with a point remains. {' '.join(notes)[:600]}".strip(), expected=LAYOUT, action="correct what is named")
    return DeclaredExamples(tuple(items), home, phantom=is_phantom(home), notes=tuple(notes), declaration=declaration)


def _book(root: Path) -> Book:
    if not root.exists():
        raise InputError(f"{root} does not exist", expected=LAYOUT, action="check the path")
    if root.is_file():
        return _file(root)
    if (root / csv_files.FILE).is_file():
        return read_csv(root / csv_files.FILE)
    try:
        inside = sorted(p for p in root.rglob("*") if p.is_file() and p.suffix.lower() in (".csv", ".json") and not p.name.startswith("."))
    except OSError as error:
        raise InputError(f"{root} cannot be listed ({error.strerror})", expected="a readable folder", action="check the permissions") from error
    tables = [p for p in inside if p.suffix.lower() == ".csv" and p.parent == root]
    bodies = [(p, load(p)) for p in inside if p.suffix.lower() == ".json"]
    sets = [p for p, body in bodies if is_coco(body)]
    single = [(p, body) for p, body in bodies if isinstance(body, Mapping) and is_labelme(body)]
    if single:
        tables = [p for p in tables if p.name != PATIENTS]
    if not tables:
        _refuse_broken(root, [p for p, body in bodies if body is None])
    if len(sets) > 1 and not (single or tables):
        return read_splits(root, sets)
    kinds = [str(p.relative_to(root)) for p in (*tables, *sets)] + ([plural(len(single), "labelme file")] if single else [])
    if len(kinds) != 1:
        given = f"{root} holds {', '.join(kinds[:5])}: which one is meant?" if kinds else f"{root} holds no annotation that can be read"
        raise InputError(given, expected=LAYOUT, action="give the file itself" if kinds else "check the folder, or name the CSV landmarks.csv")
    if single:
        return read_labelme(root, single)
    return read_csv(tables[0]) if tables else read_coco(sets[0])


def _refuse_broken(root: Path, broken: Sequence[Path]) -> None:
    """Refuse files that may be annotations and cannot be read: their pictures would pass for unmarked ones."""
    if broken:
        raise InputError(
            f"{plural(len(broken), 'JSON file')} in {root} cannot be read, such as {broken[0].relative_to(root)}",
            expected="JSON, as UTF-8",
            action="export it again, or move it away if it is no annotation",
        )


def _file(path: Path) -> Book:
    if path.suffix.lower() != ".json":
        return read_csv(path)
    body = load(path)
    if isinstance(body, Mapping) and is_labelme(body):
        return read_labelme(path.parent, [(path, body)])
    return read_coco(path)


def _declaration(home: Path, book: Book) -> Declaration:
    """Return what ``measurements.toml`` declares, in the data's folder or the one above; only the points where there is none."""
    for folder in (home, home.parent):
        if (folder / FILE).is_file():
            return read_declaration(folder / FILE).with_landmarks(book.names, FILE)
    return Declaration(book.names)


def _pictures(book: Book) -> tuple[list[_Found], list[str]]:
    """Return the annotations whose picture is there and can be looked at; the others are told."""
    found, missing, unread, seen = [], [], [], dict[Path, str]()
    for annotated in book.pictures:
        path = next((folder / annotated.name for folder in book.folders if (folder / annotated.name).is_file()), None)
        if path is None:
            missing.append(annotated.name)
            continue
        same = seen.setdefault(path.resolve(), annotated.name)
        if same != annotated.name:
            raise InputError(
                f"{annotated.where}: {annotated.name} and {same} are the same picture", expected="one name a picture", action="join the two under one name"
            )
        try:
            found.append(_Found(annotated, path, look(path)))
        except InputError as error:
            unread.append(f"{annotated.name} ({error.given})")
    if not found:
        raise InputError(
            f"{book.source}: none of its {len(book.pictures)} pictures can be read, such as {(missing + unread)[0]}",
            expected=f"paths from {' or '.join(str(folder) for folder in book.folders[:2])}",
            action="bring the pictures, or correct their names",
        )
    notes = noted(missing, "[picture of the annotation is not there and was|pictures of the annotation are not there and were] left out.")
    notes += noted(unread, "[picture cannot be read and was|pictures cannot be read and were] left out.")
    used = {f.path.resolve() for f in found} | {(book.folders[0] / name).resolve() for name in missing}
    return found, notes + noted(_strangers(used), "[picture has no annotation and was|pictures have no annotation and were] left out.")


def _strangers(used: set[Path]) -> list[str]:
    """Return pictures beside the annotated ones that the annotation does not name."""
    folders = {path.parent for path in used if path.is_file()}
    inside = [p for folder in sorted(folders) for p in sorted(folder.iterdir())]
    return [p.name for p in inside if p.is_file() and p.name.lower().endswith(io.IMAGE_SUFFIXES) and p.resolve() not in used]


def _inside(found: Sequence[_Found]) -> tuple[list[_Found], list[str]]:
    """Take points outside their picture for absent, after asking whether x and y are swapped or given as parts of the picture."""
    beyond = [(f, name) for f in found for name, at in f.annotated.points.items() if f.header.size is not None and outside(at, f.header.size)]
    _refuse_swapped(found, {f.annotated.name for f, _ in beyond})
    _refuse_parts(found)
    if not beyond:
        return list(found), []
    drop: dict[str, set[str]] = {}
    for f, name in beyond:
        drop.setdefault(f.annotated.name, set()).add(name)
    kept = []
    for f in found:
        points = {name: at for name, at in f.annotated.points.items() if name not in drop.get(f.annotated.name, ())}
        kept.append(replace(f, annotated=replace(f.annotated, points=points)))
    named = [f"{name} of {f.annotated.name}" for f, name in beyond]
    return kept, noted(named, "[point lies outside its picture and counts|points lie outside their picture and count] as absent.")


def _refuse_resized(found: Sequence[_Found]) -> None:
    """Refuse pictures of another size than those that were marked: the points would lie beside what they name."""
    other = [f for f in found if f.header.size and f.annotated.size and f.header.size != f.annotated.size]
    if not other:
        return
    (columns, rows), marked = other[0].header.size or (0, 0), other[0].annotated.size or (0, 0)
    turned = marked == (rows, columns)
    raise InputError(
        f"{other[0].annotated.where}: {plural(len(other), 'picture')} of another size than was marked, such as {other[0].annotated.name}"
        f" ({columns} x {rows} pixels, marked at {marked[0]} x {marked[1]})",
        expected="the pictures that were marked, of the size that the annotation states" + (" and turned as EXIF says" if turned else ""),
        action="save the pictures upright and mark these" if turned else "bring the pictures in their first size, or scale the points and the stated size",
    )


def _refuse_swapped(found: Sequence[_Found], beyond: set[str]) -> None:
    """Refuse data of which most pictures with points outside have all of them inside once x and y are exchanged."""
    suspects = [f for f in found if f.annotated.name in beyond and f.header.size is not None]
    swapped = [f for f in suspects if f.header.size and not any(outside((y, x), f.header.size) for x, y in f.annotated.points.values())]
    if suspects and 2 * len(swapped) > len(suspects):
        first = swapped[0].annotated
        raise InputError(
            f"{first.where}: points of {plural(len(swapped), 'picture')}, such as {first.name}, lie outside, and would lie inside with x and y exchanged",
            expected="x counts columns to the right, y counts rows downwards",
            action="exchange the two columns",
        )


def _refuse_parts(found: Sequence[_Found]) -> None:
    """Refuse coordinates that are all between 0 and 1: parts of the picture's size, not pixels."""
    flat = [value for f in found for at in f.annotated.points.values() for value in at]
    if len(flat) >= 6 and all(0 <= value <= 1 for value in flat):
        raise InputError(
            f"{found[0].annotated.where} and all others: every coordinate lies between 0 and 1",
            expected="pixels of the original picture",
            action="multiply x by the picture's width and y by its height",
        )


def _examples(found: Sequence[_Found], declaration: Declaration) -> tuple[list[Example], list[str]]:
    items, remarks = [], []
    for f in found:
        spacing, remark = spacing_for(f.path, f.header, f.annotated)
        remarks += [remark] if remark else []
        at = f.annotated.points
        points = tuple(Landmark(name, *at[name]) for name in declaration.landmarks if name in at)
        name = f.annotated.name
        truth = Result(TASK_NAME, "reader", name, measurements=measurements(points, spacing, declaration), landmarks=points)
        patient = f.annotated.patient or (str(f.header.patient.value) if f.header.patient.known else None)
        facts: dict[str, Fact] = {**f.annotated.facts, "spacing_mm": spacing}
        items.append(opened(Example(name, truth, _never, patient, {"": f.path}, facts)))
    return items, noted(remarks, "[picture states|pictures state] another spacing than the table: the file's own was used.")


def _never() -> Study:
    raise InputError("An example without a file", expected="an example made by `examples`", action="report this as a bug")


def _about(book: Book, declaration: Declaration, items: Sequence[Any]) -> list[str]:
    """Return what a reader of the report has to know about the declaration."""
    notes = []
    ignored = [name for name in book.names if name not in declaration.landmarks]
    if ignored:
        notes.append(f"Points that {FILE} does not list were left out: {', '.join(ignored)}.")
    if not declaration.flips:
        notes.append(f"No picture is flipped while training, because {FILE} does not say which points swap in a mirrored picture ([mirror] pairs).")
    if declaration.measures and any(m.kind == "distance" for m in declaration.measures):
        bare = sum(not item.facts["spacing_mm"].known for item in items)
        if bare:
            notes.append(counted(bare, f"of {plural(len(items), 'picture')} [states|state] no pixel spacing: [its|their] distances are in pixels only."))
    rare = [name for name in declaration.landmarks if not any(p.name == name for item in items for p in item.truth.landmarks)]
    if rare and items:
        raise InputError(f"{book.source}: {rare[0]!r} is in no picture", expected="every point in at least one picture", action="leave the point out")
    return notes
