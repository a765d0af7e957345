"""A DICOM header whose every access either answers or refuses by the name of the tag."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from spinelab.core import Fact, InputError
from spinelab.io.gate import decoding

DEFLATED: Final = "1.2.840.10008.1.2.1.99"
_EXPECTED: Final = "a complete DICOM object (PS3.10)"
_ACTION: Final = "export it again from the archive, or check it with a DICOM validator"


@dataclass(frozen=True, eq=False)
class Header:
    """A pydicom data set, or an item of one of its sequences, and the file name used in messages."""

    dataset: Any
    name: str

    def value(self, keyword: str) -> Any:
        """Return the decoded value, or ``None`` where the element is absent or empty."""
        with decoding("pydicom", f"{self.name}: {tag(keyword)}", expected="a readable element", action="correct or remove the element"):
            value = self.dataset.get(keyword)
            empty = value is None or (hasattr(value, "__len__") and len(value) == 0)
        return None if empty else value

    def text(self, keyword: str) -> str | None:
        """Return the value as text without padding; several values are joined with a backslash."""
        value = self.value(keyword)
        if value is None:
            return None
        parts = list(value) if isinstance(value, Sequence) and not isinstance(value, str | bytes) else [value]
        text = "\\".join(str(part) for part in parts).strip(" \0")
        return text or None

    def numbers(self, keyword: str, count: int | None = None) -> tuple[float, ...] | None:
        """Return the value as numbers, refusing text and, where ``count`` is given, a wrong number of them."""
        value = self.value(keyword)
        if value is None:
            return None
        parts = list(value) if isinstance(value, Sequence) and not isinstance(value, str | bytes) else [value]
        try:
            numbers = tuple(float(part) for part in parts)
        except (TypeError, ValueError):
            numbers = ()
        if not numbers or (count is not None and len(numbers) != count):
            raise self.refusal(keyword, f"{count if count is not None else 'one or more'} number(s)")
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
        text = self.text(keyword)
        return Fact(text, f"DICOM {tag(keyword)}" if text is not None else f"DICOM {tag(keyword)} absent or empty")

    def refusal(self, keyword: str, expected: str) -> InputError:
        """Return the error that names an element and the value that it has."""
        shown = str(self.dataset.get(keyword))[:80]
        return InputError(f"{self.name}: {tag(keyword)} is {shown}", expected=expected, action="correct the element, or export the object again")

    @property
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


def tag(keyword: str) -> str:
    """Return a keyword with its tag, as facts and messages name it: ``PixelSpacing (0028,0030)``."""
    from pydicom.datadict import tag_for_keyword

    number = tag_for_keyword(keyword)
    return keyword if number is None else f"{keyword} ({number >> 16:04X},{number & 0xFFFF:04X})"


def looks_like_dicom(head: bytes) -> bool:
    """Tell from a file's first bytes whether it is DICOM, with the preamble or (group 0002 or 0008 first) without."""
    if head[128:132] == b"DICM":
        return True
    group, element = int.from_bytes(head[:2], "little"), int.from_bytes(head[2:4], "little")
    return len(head) >= 8 and group in (0x0002, 0x0008) and element <= 0x0100 and head[:8].count(0) >= 2


def open_header(path: Path, name: str, *, pixels: bool = True) -> Header:
    """Read a DICOM file, without its pixel data if so asked."""
    import pydicom

    _refuse_deflated(path, name)
    with decoding("pydicom", name, expected=_EXPECTED, action=_ACTION):
        dataset = pydicom.dcmread(path, force=True, stop_before_pixels=not pixels)
    if len(dataset) == 0:
        raise InputError(f"{name} holds no DICOM elements", expected=_EXPECTED, action=_ACTION)
    return Header(dataset, name)


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
