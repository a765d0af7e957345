"""Decoded films: once, by content, whole or not at all."""

import copy
import errno
import os
import pickle
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from spinelab.core import Example, Fact, Finding, Image, InputError, Result, Study
from spinelab.io import cache as module
from spinelab.io.cache import ImageCache

HOW = {"task": "t", "version": 1, "image_size": 4}


@dataclass(frozen=True)
class Films:
    pixels: np.ndarray
    available: np.ndarray


class Prepare:
    """Counts what it decodes; a film is its file's first byte."""

    def __init__(self):
        self.seen = []

    def __call__(self, example):
        self.seen.append(example.id)
        film = np.full((1, 4, 4), example.files[""].read_bytes()[0], np.uint8)
        return Films(film, np.array([True]))


def an_example(path):
    return Example(path.stem, Result("t", "truth", path.stem, (Finding("label", "a"),)), lambda: None, files={"": path})


@pytest.fixture
def examples(tmp_path):
    paths = [tmp_path / f"f{i}.raw" for i in range(5)]
    for i, path in enumerate(paths):
        path.write_bytes(bytes([i + 10, 1, 2]))
    return [an_example(path) for path in paths]


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "cache"


def packs(folder):
    return sorted(folder.rglob("*.films"))


def test_decodes_once_and_gives_back_the_same_films_in_the_order_asked(examples, folder):
    prepare = Prepare()
    films, available = ImageCache(folder).load(examples, prepare, HOW)
    assert films.shape == (5, 1, 4, 4)
    assert available.tolist() == [[True]] * 5
    again, _ = ImageCache(folder).load(examples[::-1], prepare, HOW)
    assert sorted(prepare.seen) == [e.id for e in examples]
    np.testing.assert_array_equal(np.asarray(again)[::-1], np.asarray(films))
    assert [int(again[i][0, 0, 0]) for i in range(5)] == [14, 13, 12, 11, 10]


def test_films_cannot_be_written_to(examples, folder):
    films, _ = ImageCache(folder).load(examples, Prepare(), HOW)
    with pytest.raises(ValueError, match="read-only"):
        films[0][0, 0, 0] = 1


def test_a_fold_and_the_whole_share_what_is_decoded(examples, folder):
    prepare = Prepare()
    ImageCache(folder).load(examples[:3], prepare, HOW)
    films, _ = ImageCache(folder).load([examples[4], examples[0], examples[3]], prepare, HOW)
    assert sorted(prepare.seen) == [e.id for e in examples]
    assert films[np.array([0, 1, 2])][:, 0, 0, 0].tolist() == [14, 10, 13]
    assert films[1:][:, 0, 0, 0].tolist() == [10, 13]
    assert len(packs(folder)) == 2


def test_a_film_edited_in_place_is_decoded_again(examples, folder):
    prepare = Prepare()
    ImageCache(folder).load(examples, prepare, HOW)
    path = examples[2].files[""]
    before = path.stat()
    path.write_bytes(bytes([99, 1, 2]))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    films, _ = ImageCache(folder).load(examples, prepare, HOW)
    assert int(films[2][0, 0, 0]) == 99
    assert prepare.seen.count("f2") == 2
    assert prepare.seen.count("f1") == 1


def test_a_file_of_several_examples_is_read_once(tmp_path, folder, monkeypatch):
    path, seen = tmp_path / "shared.raw", []
    path.write_bytes(b"123")
    usual = module.file_digest
    monkeypatch.setattr(module, "file_digest", lambda path: seen.append(path) or usual(path))
    keys = ImageCache(folder).keys([an_example(path), replace(an_example(path), files={"a": path, "b": path})], HOW)
    assert seen == [path]
    assert len(set(keys)) == 2


def test_another_preparation_or_view_is_another_film(examples, folder):
    cache = ImageCache(folder)
    first, view = examples[0], replace(examples[0], files={"AP": examples[0].files[""]})
    assert cache.keys([first], HOW) != cache.keys([first], {**HOW, "image_size": 8})
    assert cache.keys([first], HOW) != cache.keys([view], HOW)
    copy = replace(first, id="copy")
    assert cache.keys([first], HOW) == cache.keys([copy], HOW)


def test_examples_without_files_are_known_by_their_pixels(folder):
    def drawn(level):
        image = Image(np.full((4, 4), level, np.uint8), view=Fact("AP", "drawn"))
        return Example(f"d{level}", Result("t", "truth", "d"), lambda: Study("d", (image,)))

    keys = ImageCache(folder).keys([drawn(1), drawn(2), drawn(1)], HOW)
    assert keys[0] == keys[2] != keys[1]


@pytest.mark.parametrize(
    "harm", [lambda raw: raw[:-1], lambda raw: raw[:100], lambda raw: b"", lambda raw: raw.replace(b"spinelab.images/1", b"spinelab.images/9")]
)
def test_a_damaged_pack_is_made_again(examples, folder, harm):
    prepare = Prepare()
    ImageCache(folder).load(examples, prepare, HOW)
    (pack,) = packs(folder)
    pack.write_bytes(harm(pack.read_bytes()))
    films, _ = ImageCache(folder).load(examples, prepare, HOW)
    assert len(prepare.seen) == 10
    assert int(films[4][0, 0, 0]) == 14
    assert pack not in packs(folder)


def test_films_that_are_gone_in_another_process_are_told_and_never_exchanged(examples, folder, monkeypatch):
    monkeypatch.setattr(module, "PACK_EXAMPLES", 2)
    films, _ = ImageCache(folder).load(examples, Prepare(), HOW)
    sent = pickle.dumps(films)
    assert np.asarray(pickle.loads(sent))[:, 0, 0, 0].tolist() == [10, 11, 12, 13, 14]  # noqa: S301
    packs(folder)[0].unlink()
    with pytest.raises(InputError, match="is gone or damaged"):
        pickle.loads(sent)  # noqa: S301


@pytest.mark.parametrize("number", [errno.EMFILE, errno.EACCES, errno.EIO])
def test_a_pack_that_cannot_be_opened_now_is_not_deleted(examples, folder, monkeypatch, number):
    prepare = Prepare()
    ImageCache(folder).load(examples, prepare, HOW)
    (pack,) = packs(folder)
    usual = Path.open

    def refusing(self, *args, **kwargs):
        if self == pack:
            raise OSError(number, "no")
        return usual(self, *args, **kwargs)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", refusing)
        ImageCache(folder).load(examples, prepare, HOW)
    assert pack in packs(folder)


def test_what_a_killed_process_left_is_not_read_and_swept_later(examples, folder):
    ImageCache(folder).load(examples[:1], Prepare(), HOW)
    place = packs(folder)[0].parent
    fresh, stale = place / "a.part", place / "b.part"
    for part in (fresh, stale):
        part.write_bytes(b"half")
    old = time.time() - 2 * module.STALE_S
    os.utime(stale, (old, old))
    ImageCache(folder).load(examples, Prepare(), HOW)
    assert fresh.exists()
    assert not stale.exists()


def test_two_writers_of_the_same_films_do_no_harm(examples, folder):
    place = folder / module._short(module.json.dumps(HOW, sort_keys=True))
    keys = ImageCache(folder).keys(examples, HOW)
    for _ in range(2):
        module._write(place, keys, [Prepare()(e) for e in examples])
    prepare = Prepare()
    films, _ = ImageCache(folder).load(examples, prepare, HOW)
    assert not prepare.seen
    assert np.asarray(films)[:, 0, 0, 0].tolist() == [10, 11, 12, 13, 14]


def test_a_full_disk_is_told_with_folder_and_bytes(examples, folder, monkeypatch):
    def full(*_args, **_kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module, "_fill", full)
    with pytest.raises(InputError, match=r"disk is full.*\d+ free bytes") as refusal:
        ImageCache(folder).load(examples, Prepare(), HOW)
    assert str(folder) in str(refusal.value)
    assert not packs(folder)


def test_a_folder_that_is_a_file_is_told(examples, tmp_path):
    (tmp_path / "cache").write_text("not a folder")
    with pytest.raises(InputError, match="cannot be kept"):
        ImageCache(tmp_path / "cache").load(examples, Prepare(), HOW)


def test_the_file_that_cannot_be_decoded_is_named(examples, folder):
    def refuse(example):
        raise InputError("the picture ends early", expected="a whole picture", action="copy it again")

    with pytest.raises(InputError, match=r"f0\.raw: the picture ends early"):
        ImageCache(folder).load(examples, refuse, HOW)


def test_a_file_that_is_gone_is_named(examples, folder):
    examples[3].files[""].unlink()
    with pytest.raises(InputError, match=r"f3\.raw cannot be read"):
        ImageCache(folder).load(examples, Prepare(), HOW)


def test_films_cross_to_another_process_as_file_names(examples, folder):
    films, _ = ImageCache(folder).load(examples, Prepare(), HOW)
    raw = pickle.dumps(films)
    assert str(packs(folder)[0]).encode() in raw
    np.testing.assert_array_equal(np.asarray(copy.copy(films)), np.asarray(films))  # goes through the same protocol


def test_default_folder_is_the_users_own(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert ImageCache().folder.name == "images"
    assert ImageCache(Path("x")).folder == Path("x")


def test_progress_counts_what_is_decoded(examples, folder):
    calls = []
    ImageCache(folder).load(examples, Prepare(), HOW, lambda done, total, text: calls.append((done, total)))
    assert calls == [(i + 1, 5) for i in range(5)]
