"""Write phantoms to disk: films, tables, the truth and the marker by which readers know that no patient is in it.

Everything is written so that the same seed gives the same bytes.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from spinelab.core import InputError, Result

MARKER: Final = "PHANTOM.json"
JPG_QUALITY: Final = 92
_EPOCH: Final = (2000, 1, 1, 0, 0, 0)


def write_jpg(path: Path, pixels: NDArray[np.uint8]) -> None:
    """Write an 8-bit greyscale film as JPG; it states no spacing, as the public films do not."""
    encoded, body = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, JPG_QUALITY])
    if not encoded:
        raise InputError(f"{path}: the film could not be written as JPG", expected="8-bit pixels", action="report this as a bug")
    path.write_bytes(body.tobytes())


def write_table(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write an ``.xlsx`` with one sheet, without the moment of writing."""
    import openpyxl

    book = openpyxl.Workbook()
    sheet = book.active
    for row in (header, *rows):
        sheet.append(list(row))
    raw = io.BytesIO()
    book.save(raw)
    path.write_bytes(_timeless(raw.getvalue()))


def write_truth(out: Path, results: Iterable[Result]) -> None:
    """Write ``truth.json``, a list of results."""
    body = [result.to_dict() for result in results]
    (out / "truth.json").write_text(json.dumps(body, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def write_marker(out: Path, *, task: str, n: int, seed: int, difficulty: str, facts: Mapping[str, Any] | None = None) -> None:
    """Write ``PHANTOM.json``."""
    from spinelab import __version__

    body = {"generator": "spinelab", "task": task, "version": __version__, "n": n, "seed": seed, "difficulty": difficulty, **(facts or {})}
    (out / MARKER).write_text(json.dumps(body, indent=1) + "\n", encoding="utf-8")


def is_phantom(folder: Path) -> bool:
    """Return whether a data set carries the marker; a damaged marker is refused, for it must not pass for patients' data."""
    marker = folder / MARKER
    if not marker.is_file():
        return False
    try:
        return bool(json.loads(marker.read_text(encoding="utf-8"))["generator"])
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f"{marker} is damaged", expected="the marker that `spinelab phantom` wrote", action="make the phantoms again") from error


def _timeless(archive: bytes) -> bytes:
    """Return a workbook with every date in and around its parts set to a fixed one."""
    import re

    stamp = b"2000-01-01T00:00:00Z"
    result = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as old, zipfile.ZipFile(result, "w", zipfile.ZIP_DEFLATED) as new:
        for name in sorted(old.namelist()):
            body = old.read(name)
            if name == "docProps/core.xml":
                body = re.sub(rb"(<dcterms:(?:created|modified)[^>]*>)[^<]*", rb"\g<1>" + stamp, body)
            part = zipfile.ZipInfo(name, date_time=_EPOCH)
            part.compress_type = zipfile.ZIP_DEFLATED
            new.writestr(part, body)
    return result.getvalue()
