"""Where things are read from and written to: checked before any work is done."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from tempfile import TemporaryDirectory

from spinelab.core import InputError

PathLike = str | os.PathLike[str]

_DISK: dict[int, tuple[str, str]] = {
    errno.ENOSPC: (
        "the disk is full",
        "free some space, or choose a folder on another disk; finished work is kept; fit, read and compare go on from it with --resume",
    ),
    errno.EDQUOT: (
        "the disk quota is used up",
        "free some space, or choose a folder on another disk; finished work is kept; fit, read and compare go on from it with --resume",
    ),
    errno.EACCES: ("permission denied", "choose a folder that you may read and write, or change its permissions"),
    errno.EPERM: ("the operation is not permitted", "choose a folder that you may read and write, or change its permissions"),
    errno.EROFS: ("the file system is read-only", "choose a folder on a disk that can be written"),
    errno.ENOTDIR: ("a part of the path is a file, not a folder", "correct the path"),
    errno.EISDIR: ("a folder stands where a file is expected", "correct the path"),
    errno.ENAMETOOLONG: ("the name is too long", "choose a shorter name"),
    errno.ENOENT: ("no such file or folder", "check the path; it may have been moved while spinelab was running"),
    errno.EIO: ("the disk reports a read or write error", "check the disk; finished work is kept"),
}


def explain_os_error(error: OSError) -> InputError | None:
    """Turn a disk's refusal into a message for the user; ``None`` if it is not about a disk."""
    if error.errno not in _DISK:
        return None
    reason, action = _DISK[error.errno]
    where = f"{error.filename}: " if error.filename else ""
    return InputError(f"{where}{reason}", expected="a place that can be read and written", action=action)


def existing(path: PathLike, what: str) -> Path:
    """Return the path if it is there and may be read."""
    found = Path(path).expanduser()
    if not found.exists():
        raise InputError(f"{found} does not exist", expected=what, action=_nearest(found))
    if not os.access(found, os.R_OK | (os.X_OK if found.is_dir() else 0)):
        raise InputError(f"{found} may not be read by this user", expected=what, action="change its permissions, or copy it to a place that you may read")
    return found


def _nearest(missing: Path) -> str:
    parent = missing.parent
    while not parent.exists() and parent != parent.parent:
        parent = parent.parent
    inside = sorted(p.name for p in parent.iterdir()) if parent.is_dir() and os.access(parent, os.R_OK | os.X_OK) else []
    listed = ", ".join(inside[:6]) + (f" and {len(inside) - 6} more" if len(inside) > 6 else "")
    return f"check the path; {parent.resolve()} exists and holds {listed or 'nothing'}"


def new_folder(path: PathLike, *, ours: tuple[str, ...] = (), reuse: bool = False, data: Path | None = None, hint: str = "") -> Path:
    """Return a folder that can be written: absent, empty, or (with ``reuse``) one that earlier work of the same kind left.

    Parameters
    ----------
    ours
        Names of which any one tells that a folder was written by the same command.
    reuse
        Whether such a folder may be written to again.
    data
        The input, which must lie apart from the output.
    hint
        What to do about a folder that holds earlier work.
    """
    folder = Path(path).expanduser()
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file", expected="a folder, new or empty", action="choose another --out")
    if data is not None:
        _check_apart(folder, data)
    inside = sorted(p.name for p in folder.iterdir()) if folder.is_dir() else []
    earlier = any(name in ours for name in inside)
    if inside and not earlier:
        raise InputError(
            f"{folder} already holds other things ({', '.join(inside[:4])}{', ...' if len(inside) > 4 else ''})",
            expected="a folder that is new or empty",
            action="choose another --out, so that nothing of yours is mixed up or overwritten",
        )
    if earlier and not reuse:
        raise InputError(f"{folder} already holds earlier work", expected="a folder that is new or empty", action=hint or "choose another --out")
    _check_writable(folder)
    return folder


def _check_writable(folder: Path) -> None:
    """Refuse a place where nothing can be written, before any work is done: permissions alone do not tell of a disk that is full or read-only."""
    nearest = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    try:
        with TemporaryDirectory(prefix=".spinelab-", dir=nearest):
            pass
    except OSError as error:
        reason, action = _DISK.get(error.errno or 0, (error.strerror or str(error), "choose another --out"))
        raise InputError(f"--out {folder} cannot be written: {reason}", expected="a place that can be written", action=action) from error


def _check_apart(folder: Path, data: Path) -> None:
    """Refuse an output folder inside the data, where it would be read as data the next time."""
    source = data.resolve() if data.is_dir() else None
    if source is not None and (folder.resolve() == source or source in folder.resolve().parents):
        raise InputError(f"--out {folder} lies inside the data {data}", expected="two separate folders", action="choose an --out outside the data")


def default_out(task: str, data: Path) -> Path:
    """Return ``./spinelab-<task>-<name of the data>``."""
    resolved = data.resolve()
    name = resolved.stem if resolved.is_file() and resolved.stem != "manifest" else (resolved.parent if resolved.is_file() else resolved).name
    return Path(f"spinelab-{task}-{name or 'data'}")
