"""Decoded films, kept: each examination is decoded once into uint8 and read back from a memory map.

A pack is one file: a line of JSON (schema, shape, one key and availability an examination), zeros up to a page, then the pixels.
Packs are written aside and renamed, so a reader never meets half a pack; one that was cut short afterwards is found by its size.
"""

from __future__ import annotations

import errno
import hashlib
import json
import mmap
import os
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from spinelab.core import Example, InputError, Progress, SpinelabError, silent

DECODING: Final = "decoding films"
"""What progress says while films are decoded, which happens once however many folds there are."""
SCHEMA: Final = "spinelab.images/1"
SUFFIX: Final = ".films"
PACK_EXAMPLES: Final = 512
"""Examinations a pack: what a killed run has decoded so far is lost only since the last full pack."""
STALE_S: Final = 24 * 3600.0


class PreparedFilms(Protocol):
    """What a task's ``prepare`` gives: uint8 ``(V, H, W)``, bool ``(V,)``, and if it likes ``facts`` that JSON can hold (a film's own size)."""

    @property
    def pixels(self) -> NDArray[np.uint8]: ...
    @property
    def available(self) -> NDArray[np.bool_]: ...


class Films(Sequence[NDArray[np.uint8]]):
    """Films of many examinations ``(N, V, H, W)``, read-only, from one or several memory maps; indexed by a number, slice or array.

    ``facts`` holds what each film's preparation noted, in the same order.
    """

    def __init__(
        self,
        packs: Sequence[np.memmap[Any, np.dtype[np.uint8]]],
        pack: NDArray[np.int64],
        row: NDArray[np.int64],
        facts: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        self._packs, self._pack, self._row, self.facts = packs, pack, row, list(facts)
        self.shape = (len(pack), *(packs[0].shape[1:] if packs else (0, 0, 0)))
        self.dtype = np.dtype(np.uint8)

    def __reduce__(self) -> tuple[Any, ...]:
        """Cross to another process as file names, not as pixels."""
        return _reopen, ([str(pack.filename) for pack in self._packs], self._pack, self._row, self.facts)

    def __len__(self) -> int:
        return len(self._pack)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, int | np.integer):
            return self._packs[self._pack[index]][self._row[index]]
        pack, row = self._pack[index], self._row[index]
        if len(self._packs) == 1:
            return self._packs[0][row]
        out = np.empty((len(pack), *self.shape[1:]), np.uint8)
        for number in np.unique(pack):
            rows = pack == number
            out[rows] = self._packs[number][row[rows]]
        return out

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:  # noqa: FBT001  (numpy's own signature)
        return np.asarray(self[np.arange(len(self))], dtype=dtype)


def _reopen(files: Sequence[str], pack: NDArray[np.int64], row: NDArray[np.int64], facts: Sequence[Mapping[str, Any]]) -> Films:
    return Films([_reopened(Path(name)) for name in files], pack, row, facts)


def _reopened(path: Path) -> np.memmap[Any, np.dtype[np.uint8]]:
    try:
        kept = _open(path)
    except OSError:
        kept = None
    if kept is None:
        raise InputError(f"{path} is gone or damaged", expected="decoded films that stay while they are used", action="run again: they are decoded anew")
    return kept.pixels


@dataclass(frozen=True)
class _Pack:
    path: Path
    pixels: np.memmap[Any, np.dtype[np.uint8]]
    keys: list[str]
    available: NDArray[np.bool_]
    facts: list[dict[str, Any]]


class ImageCache:
    """Decoded films in a folder, by content.

    Parameters
    ----------
    folder
        Where packs lie; the user's cache folder by default.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder if folder is not None else _default_folder()

    def keys(self, examples: Sequence[Example], prepare_key: Mapping[str, Any]) -> list[str]:
        """Return one key an examination: SHA-256 of the bytes of its files, of its views, and of how it is prepared."""
        preparation = json.dumps(prepare_key, sort_keys=True)
        files = dict.fromkeys(path for example in examples for path in example.files.values())
        with ThreadPoolExecutor(max_workers=_workers()) as pool:
            digests = dict(zip(files, pool.map(file_digest, files), strict=True))
            return list(pool.map(lambda example: _key(example, preparation, digests), examples))

    def load(
        self,
        examples: Sequence[Example],
        prepare: Callable[[Example], PreparedFilms],
        prepare_key: Mapping[str, Any],
        progress: Progress = silent,
        *,
        keys: Sequence[str] | None = None,
    ) -> tuple[Films, NDArray[np.bool_]]:
        """Return the films ``(N, V, S, S)`` of these examinations and which exist ``(N, V)``; decode those not yet kept.

        Raises
        ------
        InputError
            If a file cannot be decoded (it is named), or the folder cannot be written.
        """
        wanted = list(keys) if keys is not None else self.keys(examples, prepare_key)
        folder = self.folder / _short(json.dumps(prepare_key, sort_keys=True))
        packs = list(_packs(folder))
        kept = {key for pack in packs for key in pack.keys}
        missing = {key: example for key, example in zip(wanted, examples, strict=True) if key not in kept}
        packs += self._decode(folder, missing, prepare, progress)
        return _gather(packs, wanted)

    def _decode(self, folder: Path, missing: Mapping[str, Example], prepare: Callable[[Example], PreparedFilms], progress: Progress) -> Iterator[_Pack]:
        names, done = list(missing), 0
        with ThreadPoolExecutor(max_workers=_workers()) as pool:
            for start in range(0, len(names), PACK_EXAMPLES):
                part = names[start : start + PACK_EXAMPLES]
                films: list[PreparedFilms] = []
                for film in pool.map(lambda key: _prepared(missing[key], prepare), part):
                    films.append(film)
                    done += 1
                    progress(done, len(names), DECODING)
                yield _write(folder, part, films)


def _default_folder() -> Path:
    import platformdirs

    return Path(platformdirs.user_cache_dir("spinelab")) / "images"


def _workers() -> int:
    return max(1, min(16, os.cpu_count() or 1))


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


_seen_files: dict[tuple[Any, ...], str] = {}


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file's bytes; a file that did not change in any way that the system notices is read once a process."""
    try:
        state = path.stat()
        identity = (str(path), state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns)
        if identity not in _seen_files:
            with path.open("rb") as stream:
                _seen_files[identity] = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: {error.strerror or error}", expected="a readable file", action="check the path and its permissions"
        ) from error
    return _seen_files[identity]


def _key(example: Example, preparation: str, digests: Mapping[Path, str]) -> str:
    digest = hashlib.sha256(preparation.encode())
    for view, path in sorted(example.files.items()):
        digest.update(f"|{view}={digests[path]}".encode())
    if not example.files:
        for image in example.open().images:
            digest.update(f"|{image.view.value}={image.pixels.dtype}{image.pixels.shape}".encode())
            digest.update(np.ascontiguousarray(image.pixels).tobytes())
    return digest.hexdigest()


def _prepared(example: Example, prepare: Callable[[Example], PreparedFilms]) -> PreparedFilms:
    try:
        return prepare(example)
    except SpinelabError as error:
        names = [str(path) for path in example.files.values()]
        if any(name in error.given for name in [*names, example.id]):
            raise
        raise type(error)(f"{', '.join(names) or example.id}: {error.given}", expected=error.expected, action=error.action) from error


def _packs(folder: Path) -> Iterator[_Pack]:
    for path in sorted(folder.glob(f"*{SUFFIX}")) if folder.is_dir() else ():
        try:
            pack = _open(path)
        except OSError:  # too many open files, a disk that does not answer: it says nothing of the pack
            continue
        if pack is not None:
            yield pack
        else:
            path.unlink(missing_ok=True)


def _open(path: Path) -> _Pack | None:
    """Return a pack, or ``None`` where it is damaged or cut short; raises `OSError` where it cannot be looked at."""
    try:
        with path.open("rb") as stream:
            header = json.loads(stream.readline(64 * 1024 * 1024))
            shape, offset = tuple(header["shape"]), int(header["offset"])
            whole = header["schema"] == SCHEMA and path.stat().st_size == offset + int(np.prod(shape)) and len(header["keys"]) == shape[0]
            if not whole:
                return None
            pixels = np.memmap(stream, np.uint8, "r", offset, shape)
        facts = list(header.get("facts") or [{}] * shape[0])
        return _Pack(path, pixels, list(header["keys"]), np.array(header["available"], dtype=bool).reshape(shape[:2]), facts)
    except (ValueError, KeyError, TypeError):
        return None


def _write(folder: Path, keys: list[str], films: Sequence[PreparedFilms]) -> _Pack:
    shape = (len(films), *films[0].pixels.shape)
    if any(film.pixels.shape != shape[1:] for film in films):
        raise InputError("Prepared films of different shapes", expected="one shape for all", action="correct the task's prepare method")
    available, facts = [film.available.tolist() for film in films], [dict(getattr(film, "facts", {})) for film in films]
    header: dict[str, Any] = {"schema": SCHEMA, "shape": shape, "keys": keys, "available": available, "facts": facts, "offset": 0}
    length = len(json.dumps(header)) + 20
    header["offset"] = -(-length // mmap.ALLOCATIONGRANULARITY) * mmap.ALLOCATIONGRANULARITY
    total = header["offset"] + int(np.prod(shape))
    target = folder / f"{uuid.uuid4().hex}{SUFFIX}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _sweep(folder)
        _fill(target, (json.dumps(header) + "\n").encode().ljust(header["offset"], b"\0"), films)
        pack = _open(target)
    except OSError as error:
        raise _cannot_write(folder, total, error) from error
    if pack is None:
        raise InputError(f"{target} is damaged right after writing", expected="a disk that keeps what it is given", action="check the disk, or choose --cache")
    return pack


def _fill(target: Path, header: bytes, films: Sequence[PreparedFilms]) -> None:
    handle, name = tempfile.mkstemp(dir=target.parent, suffix=".part")
    aside = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(header)
            for film in films:
                stream.write(np.ascontiguousarray(film.pixels).data)
        aside.replace(target)
    finally:
        aside.unlink(missing_ok=True)


def _sweep(folder: Path) -> None:
    """Remove what killed processes left more than a day ago."""
    for part in folder.glob("*.part"):
        try:
            if time.time() - part.stat().st_mtime > STALE_S:
                part.unlink(missing_ok=True)
        except FileNotFoundError:
            continue


def _cannot_write(folder: Path, needed: int, error: OSError) -> InputError:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    return InputError(
        f"Decoded films cannot be kept in {folder}: {'the disk is full' if full else error.strerror or error}",
        expected=f"a writable folder with {needed:,} free bytes",
        action="free some space, or choose another folder with --cache",
    )


def _gather(packs: Sequence[_Pack], wanted: Sequence[str]) -> tuple[Films, NDArray[np.bool_]]:
    where = {key: (number, row) for number, pack in enumerate(packs) for row, key in enumerate(pack.keys)}
    places = np.array([where[key] for key in wanted], dtype=np.int64).reshape(-1, 2)
    used = np.unique(places[:, 0])
    maps = [packs[number].pixels for number in used]
    available = np.array([packs[number].available[row] for number, row in places], dtype=bool)
    facts = [packs[number].facts[row] for number, row in places]
    return Films(maps, np.searchsorted(used, places[:, 0]), places[:, 1], facts), available
