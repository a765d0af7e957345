"""Named points from COCO keypoints, https://cocodataset.org/#format-data: pixel centres at whole numbers, visibility 0 is absent."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from spinelab.core import Fact, InputError, counted, noted
from spinelab.io.tables import spacing_of
from spinelab.io.text import read_text
from spinelab.tasks.landmarks.annotation import FACTS, Annotated, Book, Point, in_order, number, size_of, stated

SPLITS: Final = ("train", "val", "test")
_EXPECTED: Final = "a COCO keypoints file: images, annotations with keypoints x, y, v, and categories with the names of their keypoints"


def is_coco(body: object) -> bool:
    """Tell whether a JSON file's content has the parts of a COCO data set."""
    return isinstance(body, Mapping) and all(isinstance(body.get(key), list) for key in ("images", "annotations", "categories"))


def read_coco(path: Path) -> Book:
    """Read one file. With several categories a point is called ``CATEGORY KEYPOINT``; two objects of a category in a picture are refused.

    Annotations of categories without keypoints (boxes, outlines) are left out and told.

    ``patient``, ``spacing_mm``, ``sex``, ``age``, ``site`` and ``split`` are understood in an image's entry, though COCO does not define them.
    """
    try:
        body = json.loads(read_text(path, _EXPECTED))
    except (json.JSONDecodeError, RecursionError) as error:
        raise InputError(f"{path} is no JSON: {error}", expected=_EXPECTED, action="export it again") from error
    if not is_coco(body):
        raise InputError(f"{path} is no COCO data set", expected=_EXPECTED, action="export it as COCO keypoints")
    categories = _categories(path, body)
    images = _images(path, body)
    points: dict[Any, dict[str, Point]] = {}
    seen: set[tuple[Any, Any]] = set()
    others = _without_keypoints(body)
    for place, entry in enumerate(body["annotations"]):
        where = f"{path.name} annotations[{place}]"
        if _left_out(entry, others):
            continue
        image, category = _of(entry, "image_id", images, where), _of(entry, "category_id", categories, where)
        if (image, category) in seen:
            raise InputError(
                f"{where}: a second object of one category in {images[image]['file_name']}",
                expected="one object of a category in a picture: the points of two cannot be told apart by name",
                action="give the objects different categories (L4, L5, ...), or crop a picture for each",
            )
        seen.add((image, category))
        points.setdefault(image, {}).update(_points(entry, categories[category], where))
    annotated = tuple(_annotated(path, images[image], found) for image, found in points.items())
    bare = [images[i]["file_name"] for i in images if i not in points]
    notes = [f"{path.name}: {note}" for note in noted(bare, "[picture has no annotation and was|pictures have no annotation and were] left out.")]
    left = [others[entry["category_id"]] for entry in body["annotations"] if _left_out(entry, others)]
    if left:
        words = counted(len(left), "[annotation is of a category without keypoints and was|annotations are of a category without keypoints and were] left out")
        notes.append(f"{path.name}: {words}: {', '.join(sorted(set(left)))}.")
    if not annotated:
        raise InputError(f"{path} holds no annotation", expected=_EXPECTED, action="annotate the pictures")
    names = in_order(name for category in categories.values() for name in category)
    return Book(path, annotated, names, (path.parent, path.parent / "images", path.parent.parent / "images", path.parent.parent), tuple(notes))


def read_splits(root: Path, files: Sequence[Path]) -> Book:
    """Read one file a split, such as ``train.json`` and ``val.json``; a picture's split is told by the file's name, unless its entry names one.

    Raises
    ------
    InputError
        If the names do not tell which file is which split, or a picture stands in two files.
    """
    found = [[split for split in SPLITS if split in path.stem.lower()] for path in files]
    if any(len(one) != 1 for one in found) or len({one[0] for one in found}) < len(files):
        raise InputError(
            f"{root} holds {', '.join(str(path.relative_to(root)) for path in files[:5])}: which one is meant?",
            expected=f"one COCO file, or one a split whose names say {', '.join(SPLITS)}",
            action="give the file itself, or name the files after their splits",
        )
    books = [read_coco(path) for path in files]
    pictures: dict[str, Annotated] = {}
    for book, (split,) in zip(books, found, strict=True):
        for one in book.pictures:
            if one.name in pictures:
                raise InputError(f"{one.where}: {one.name} stands in {pictures[one.name].where} too", expected="a picture in one split", action="remove one")
            pictures[one.name] = replace(one, facts={"split": Fact(split, f"name of {book.source.name}"), **one.facts})
    folders, notes = in_order(str(folder) for book in books for folder in book.folders), tuple(note for book in books for note in book.notes)
    return Book(root, tuple(pictures.values()), in_order(name for book in books for name in book.names), tuple(map(Path, folders)), notes)


def _without_keypoints(body: Mapping[str, Any]) -> dict[Any, str]:
    """Return the names of the categories that have no keypoints, by id."""
    return {c["id"]: str(c.get("name")) for c in body["categories"] if isinstance(c, Mapping) and _is_id(c.get("id")) and not c.get("keypoints")}


def _is_id(value: object) -> bool:
    return isinstance(value, int | str)


def _left_out(entry: Any, others: Mapping[Any, str]) -> bool:
    """Return whether an annotation is of a category without keypoints."""
    return isinstance(entry, Mapping) and _is_id(entry.get("category_id")) and entry["category_id"] in others


def _categories(path: Path, body: Mapping[str, Any]) -> dict[Any, tuple[str, ...]]:
    """Return the names of the points of each category that has any."""
    listed = [c for c in body["categories"] if isinstance(c, Mapping) and c.get("keypoints")]
    if not listed:
        raise InputError(f"{path}: no category names its keypoints", expected=_EXPECTED, action="export keypoints, not boxes or outlines alone")
    found: dict[Any, tuple[str, ...]] = {}
    for category in listed:
        if not _is_id(category.get("id")):
            given = f"{path}: the category {str(category.get('name'))!r} has no id"
            raise InputError(given, expected="an id, a number or a text, of every category", action="export it again")
        names = tuple(str(name) for name in category["keypoints"])
        found[category.get("id")] = names if len(listed) == 1 else tuple(f"{category.get('name')} {name}" for name in names)
    flat = [name for names in found.values() for name in names]
    repeated = [name for place, name in enumerate(flat) if name in flat[:place]]
    if repeated:
        raise InputError(f"{path}: two keypoints are called {repeated[0]!r}", expected="different names", action="rename one of them")
    return found


def _images(path: Path, body: Mapping[str, Any]) -> dict[Any, Mapping[str, Any]]:
    found: dict[Any, Mapping[str, Any]] = {}
    for place, entry in enumerate(body["images"]):
        if not isinstance(entry, Mapping) or not isinstance(entry.get("file_name"), str) or not _is_id(entry.get("id")):
            raise InputError(f"{path.name} images[{place}] has no id or file_name", expected=_EXPECTED, action="export it again")
        if entry["id"] in found:
            raise InputError(f"{path.name} images[{place}]: a second image with id {entry['id']!r}", expected="one id an image", action="export it again")
        found[entry["id"]] = entry
    return found


def _of(entry: Any, key: str, known: Mapping[Any, Any], where: str) -> Any:
    value = entry.get(key) if isinstance(entry, Mapping) else None
    if not _is_id(value) or value not in known:
        what = "an image of the file" if key == "image_id" else "a category with keypoints"
        raise InputError(f"{where}: {key} {value!r}", expected=what, action="export the file again, or remove the annotation")
    return value


def _points(entry: Mapping[str, Any], names: tuple[str, ...], where: str) -> dict[str, Point]:
    flat = entry.get("keypoints")
    if not isinstance(flat, list) or len(flat) != 3 * len(names):
        given = f"{len(flat)} numbers" if isinstance(flat, list) else "no keypoints"
        raise InputError(f"{where}: {given}", expected=f"{3 * len(names)}: x, y, v of {len(names)} points", action="export the file again")
    found = {}
    for place, name in enumerate(names):
        x, y, v = (number(value, where, f"{name} {axis}") for value, axis in zip(flat[3 * place : 3 * place + 3], "xyv", strict=True))
        if v not in (0, 1, 2):
            raise InputError(f"{where}: visibility of {name} is {v:g}", expected="0 (absent), 1 (hidden, position marked) or 2 (seen)", action="correct it")
        if v:
            found[name] = (x, y)
    return found


def _annotated(path: Path, image: Mapping[str, Any], points: Mapping[str, Point]) -> Annotated:
    where = f"{path.name} image {image['id']!r}"
    said = {key: None if image.get(key) is None else str(image[key]).strip() for key in ("patient", "spacing_mm", *FACTS)}
    facts, size = stated(said, where, path.name), size_of(image.get("width"), image.get("height"))
    return Annotated(str(image["file_name"]), points, where, said["patient"] or None, spacing_of(said["spacing_mm"] or "", where), facts, size)
