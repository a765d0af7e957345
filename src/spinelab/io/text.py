"""Text files, read with a clear word where they cannot be."""

from __future__ import annotations

from pathlib import Path

from spinelab.core import InputError


def read_text(path: Path, expected: str, *, kind: str = "UTF-8", when_empty: str = "write or export it again") -> str:
    """Return a text file's content, without a byte order mark.

    Parameters
    ----------
    expected
        What the file has to be.
    kind
        What it is to be saved as where it cannot be read.
    when_empty
        What to do where it is empty.

    Raises
    ------
    InputError
        If it cannot be read or is empty.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        said = f"{path} cannot be read as text: line {line} is not UTF-8 (byte {error.object[error.start]:#04x})"
        raise InputError(said, expected=expected, action=f"save it as {kind}; other encodings are not guessed, for they would change names") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read as text: {error}", expected=expected, action="check the path and its permissions") from error
    if not text.strip():
        raise InputError(f"{path} is empty", expected=expected, action=when_empty)
    return text
