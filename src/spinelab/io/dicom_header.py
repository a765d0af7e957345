"""A DICOM header whose every access either answers or refuses by the name of the tag."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, Final, TypeVar

from spinelab.core import Fact, InputError, plural
from spinelab.io.gate import decoding

T = TypeVar("T")
Made = dict[Hashable, Any]
"""What was made of elements, by what it is and their bytes."""

DEFLATED: Final = "1.2.840.10008.1.2.1.99"
HEAD_BYTES: Final = 64 * 1024
"""Bytes of a file that are read at once: the header of nearly every slice ends before."""

_PIXELS: Final = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
_ENCODING: Final = -1
"""Under this number stand byte order and character set, by which bytes become values."""
_KEPT_BYTES: Final = 1024
"""Longer elements are not compared with those of other headers."""
_OWN_MEANING: Final = ("SQ", "UN")
"""Value representations whose bytes alone do not tell the value."""
_EXPECTED: Final = "a complete DICOM object (PS3.10)"
_ACTION: Final = "export it again from the archive, or check it with a DICOM validator"


@dataclass(frozen=True, eq=False)
class Header:
    """A pydicom data set, or an item of one of its sequences, and the file name used in messages.

    Parameters
    ----------
    made
        What was made of the elements of headers that are read together: slices of a series repeat nearly all of theirs, byte by byte.
    stored
        The elements as they are stored, by tag: what two headers have to have in common to share what is made; ``None`` where bytes do not tell.
    pixels_at
        File and position at which the pixel data begin, where they were not read with the header.
    """

    dataset: Any
    name: str
    made: Made | None = None
    stored: Mapping[int, Hashable] = field(default_factory=dict)
    pixels_at: tuple[Path, int] | None = None

    def once(self, what: Hashable, keywords: Sequence[str], make: Callable[[], T]) -> T:
        """Return what ``make`` makes of these elements and of nothing else; made once for all headers that hold the same bytes there."""
        if self.made is None:
            return make()
        elements = [self.stored.get(_number(keyword) or 0, ()) for keyword in keywords]
        if None in elements:
            return make()
        key = (what, self.stored[_ENCODING], *keywords, *elements)
        if key not in self.made:
            self.made[key] = make()
        found: T = self.made[key]
        return found

    def whole(self) -> Header:
        """Return the object with its pixel data, which are read from the file now; nothing keeps them but what is returned."""
        if self.pixels_at is None:
            return self
        from pydicom import Dataset
        from pydicom.filereader import read_dataset

        path, position = self.pixels_at
        implicit, little = self.dataset.original_encoding
        with decoding("pydicom", self.name, expected=_EXPECTED, action=_ACTION), path.open("rb") as stream:
            stream.seek(position)
            rest = read_dataset(stream, implicit, little)
        if len(rest) == 0:
            raise _without_elements(self.name)
        dataset = Dataset({**dict(self.dataset.items()), **dict(rest.items())})
        dataset.file_meta = self.dataset.file_meta
        dataset.set_original_encoding(implicit, little, self.dataset.original_character_set)
        return Header(dataset, self.name)

    def value(self, keyword: str) -> Any:
        """Return the decoded value, or ``None`` where the element is absent or empty."""
        return self.once("value", (keyword,), lambda: self._value(keyword))

    def _value(self, keyword: str) -> Any:
        with decoding("pydicom", f"{self.name}: {tag(keyword)}", expected="a readable element", action="correct or remove the element"):
            value = self.dataset.get(keyword)
            empty = value is None or (hasattr(value, "__len__") and len(value) == 0)
        return None if empty else value

    def text(self, keyword: str) -> str | None:
        """Return the value as text without padding; several values are joined with a backslash."""
        return self.once("text", (keyword,), lambda: self._text(keyword))

    def _text(self, keyword: str) -> str | None:
        value = self.value(keyword)
        if value is None:
            return None
        parts = list(value) if isinstance(value, Sequence) and not isinstance(value, str | bytes) else [value]
        text = "\\".join(str(part) for part in parts).strip(" \0")
        return text or None

    def numbers(self, keyword: str, count: int | None = None) -> tuple[float, ...] | None:
        """Return the value as numbers, refusing text and, where ``count`` is given, a wrong number of them."""
        return self.once(("numbers", count), (keyword,), lambda: self._numbers(keyword, count))

    def _numbers(self, keyword: str, count: int | None) -> tuple[float, ...] | None:
        value = self.value(keyword)
        if value is None:
            return None
        parts = list(value) if isinstance(value, Sequence) and not isinstance(value, str | bytes) else [value]
        try:
            numbers = tuple(float(part) for part in parts)
        except (TypeError, ValueError):
            numbers = ()
        if not numbers or (count is not None and len(numbers) != count):
            raise self.refusal(keyword, plural(count, "number") if count is not None else "one or more numbers")
        return numbers

    def number(self, keyword: str) -> float | None:
        """Return the first of the element's finite numbers."""
        numbers = self.numbers(keyword)
        if numbers is None:
            return None
        if not math.isfinite(numbers[0]):
            raise self.refusal(keyword, "a finite number")
        return numbers[0]

    def integer(self, keyword: str) -> int | None:
        """Return the value as a whole number."""
        number = self.number(keyword)
        if number is not None and number != int(number):
            raise self.refusal(keyword, "a whole number")
        return None if number is None else int(number)

    def items(self, keyword: str) -> list[Header]:
        """Return the items of a sequence; an absent sequence has none."""
        value = self.value(keyword)
        if value is None:
            return []
        if not isinstance(value, Sequence) or isinstance(value, str | bytes):
            raise self.refusal(keyword, "a sequence of items")
        return [Header(item, self.name) for item in value]

    def fact(self, keyword: str) -> Fact:
        """Return the text of an element with its source, unknown where the element is absent or empty."""
        return self.once("fact", (keyword,), lambda: self._fact(keyword))

    def _fact(self, keyword: str) -> Fact:
        text = self.text(keyword)
        return Fact(text, f"DICOM {tag(keyword)}" if text is not None else f"DICOM {tag(keyword)} absent or empty")

    def refusal(self, keyword: str, expected: str) -> InputError:
        """Return the error that names an element and the value that it has."""
        shown = str(self.dataset.get(keyword))[:80]
        return InputError(f"{self.name}: {tag(keyword)} is {shown}", expected=expected, action="correct the element, or export the object again")

    @cached_property
    def syntax(self) -> str:
        """UID of the transfer syntax, empty where the file has no meta information."""
        meta = getattr(self.dataset, "file_meta", None)
        if meta is None:
            return ""
        with decoding("pydicom", f"{self.name}: {tag('TransferSyntaxUID')}", expected="a transfer syntax", action="export the object again"):
            return str(meta.get("TransferSyntaxUID", "")).strip(" \0")


def uid(text: str) -> Any:
    """Return a pydicom UID of whatever text a file holds there, without pydicom's comments on its form."""
    from pydicom.config import IGNORE
    from pydicom.uid import UID

    return UID(text, validation_mode=IGNORE)


@cache
def tag(keyword: str) -> str:
    """Return a keyword with its tag, as facts and messages name it: ``PixelSpacing (0028,0030)``."""
    number = _number(keyword)
    return keyword if number is None else f"{keyword} ({number >> 16:04X},{number & 0xFFFF:04X})"


@cache
def _number(keyword: str) -> int | None:
    """Return the tag of a keyword; ``None`` for a word that is none."""
    from pydicom.datadict import tag_for_keyword

    number: int | None = tag_for_keyword(keyword)
    return number


def _stored(dataset: Any) -> dict[int, Hashable]:
    """Return the elements of a data set that was just read, as they are stored."""
    found: dict[int, Hashable] = {int(number): _same_by(element) for number, element in dataset.items()}
    found[_ENCODING] = (*dataset.original_encoding, str(dataset.original_character_set))
    return found


def _same_by(element: Any) -> Hashable:
    """Return what makes an element the same as another one's; ``None`` where its bytes alone do not tell its value."""
    if not element.is_raw or element.length > _KEPT_BYTES or (element.VR or _implicit_kind(element.tag)) in _OWN_MEANING:
        return None
    return element.VR, element.value


@cache
def _implicit_kind(number: int) -> str:
    """Return the value representation where the file does not state it; one that depends on other elements counts as unknown."""
    from pydicom.datadict import dictionary_has_tag, dictionary_VR

    kind = str(dictionary_VR(number)) if dictionary_has_tag(number) else "UN"
    return "UN" if " or " in kind else kind


def looks_like_dicom(head: bytes) -> bool:
    """Tell from a file's first bytes whether it is DICOM, with the preamble or (group 0002 or 0008 first) without."""
    if head[128:132] == b"DICM":
        return True
    group, element = int.from_bytes(head[:2], "little"), int.from_bytes(head[2:4], "little")
    return len(head) >= 8 and group in (0x0002, 0x0008) and element <= 0x0100 and head[:8].count(0) >= 2


def open_header(path: Path, name: str, *, pixels: bool = True) -> Header:
    """Read a DICOM file, without its pixel data if so asked."""
    with path.open("rb") as stream:
        header = header_of(stream.read(HEAD_BYTES), path, name)
    return header.whole() if pixels else header


def header_of(head: bytes, path: Path, name: str, made: Made | None = None) -> Header:
    """Return the header of a file whose first `HEAD_BYTES` were read; it is opened again only where the header is longer than that.

    Pixel data are read by `Header.whole`. ``made`` is shared by headers that are read together.
    """
    if DEFLATED.encode() in head:
        _refuse_deflated(path, name)
    found = _header_in(head, name)
    if found is None:
        _refuse_deflated(path, name)
        with path.open("rb") as stream:
            found = _until_pixels(stream, name)
    dataset, position = found
    if len(dataset) == 0 and position is None:
        raise _without_elements(name)
    stored = {} if made is None else _stored(dataset)
    return Header(dataset, name, made, stored, None if position is None else (path, position))


def _without_elements(name: str) -> InputError:
    return InputError(f"{name} holds no DICOM elements", expected=_EXPECTED, action=_ACTION)


def _header_in(head: bytes, name: str) -> tuple[Any, int | None] | None:
    """Return the header and where the pixels begin; ``None`` where the file is longer and its first bytes do not hold all of the header."""
    complete = len(head) < HEAD_BYTES
    try:
        dataset, position = _until_pixels(BytesIO(head), name)
    except InputError:
        if complete:
            raise
        return None
    return (dataset, position) if complete or position is not None else None


def _until_pixels(stream: BinaryIO, name: str) -> tuple[Any, int | None]:
    """Read the elements before the pixel data, and return where these begin; ``None`` where there are none."""
    from pydicom.filereader import read_partial

    reached = []

    def at_pixels(number: int, _kind: str | None, _length: int) -> bool:
        if number in _PIXELS:
            reached.append(number)
        return bool(reached)

    with decoding("pydicom", name, expected=_EXPECTED, action=_ACTION):
        dataset = read_partial(stream, at_pixels, force=True)
    return dataset, stream.tell() if reached else None


def _refuse_deflated(path: Path, name: str) -> None:
    """Refuse a data set that pydicom would inflate without a limit."""
    from pydicom.filereader import read_file_meta_info

    with path.open("rb") as stream:
        has_preamble = stream.read(132)[128:] == b"DICM"
    if not has_preamble:
        return
    with decoding("pydicom", name, expected=_EXPECTED, action=_ACTION):
        syntax = str(read_file_meta_info(path).get("TransferSyntaxUID", ""))
    if syntax == DEFLATED:
        raise InputError(
            f"{name} is stored as Deflated Explicit VR Little Endian ({DEFLATED}), whose size is unknown until it is unpacked",
            expected="a transfer syntax that states its size",
            action="convert it first, for example with `dcmconv +te in.dcm out.dcm`",
        )
