"""Zip archives: read like folders, refused where they are dangerous."""

import io as stdio
import stat
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture

from spinelab import io
from spinelab.core import InputError
from spinelab.io.archive import headers_in


@pytest.fixture
def archive(tmp_path):
    def write(entries, name="case.zip", compression=zipfile.ZIP_DEFLATED):
        with zipfile.ZipFile(tmp_path / name, "w", compression) as out:
            for entry, content in entries.items():
                out.writestr(entry, content)
        return tmp_path / name

    return write


def png(value=5):
    stream = stdio.BytesIO()
    Picture.fromarray(np.full((8, 9), value, np.uint8)).save(stream, "PNG")
    return stream.getvalue()


def test_headers_are_read_without_unpacking(write_series, archive, monkeypatch):
    folder = write_series([(0, 0, 0), (0, 0, 3)])
    files = [p.read_bytes() for p in sorted(folder.iterdir())]
    path = archive({"a": files[0], "sub/b": files[1], "c.png": png(), "d.txt": "text", "e": files[0][:140]})
    monkeypatch.setattr(tempfile, "TemporaryDirectory", lambda **_: pytest.fail("the archive was unpacked"))
    found = headers_in(path, "case", "Modality", "PatientName")
    assert len(found) == 3
    assert {modality for modality, _ in found[:2]} == {io.read(folder).images[0].modality.value}
    with pytest.raises(InputError, match="outside the archive"):
        headers_in(archive({"../a": files[0]}), "case", "Modality")


def test_series_in_a_zip_equals_the_folder(write_series, archive):
    folder = write_series([(0, 0, 3 * i) for i in range(4)])
    path = archive({f"study/{p.name}": p.read_bytes() for p in folder.iterdir()})
    before = set(Path(tempfile.gettempdir()).glob("spinelab-*"))
    study = io.read(path)
    assert study.id == "case"
    assert np.array_equal(study.images[0].pixels, io.read(folder).images[0].pixels)
    assert study.images[0].source.startswith(str(path))
    assert set(Path(tempfile.gettempdir()).glob("spinelab-*")) <= before


def test_one_picture_in_a_zip(archive):
    study = io.read(archive({"a/film.png": png(), "__MACOSX/a/._film.png": b"x", "readme.txt": "hello"}))
    assert study.images[0].pixels.shape == (8, 9)
    assert "readme.txt" in study.facts["not_read"].value[0]


@pytest.mark.parametrize("name", ["../evil.png", "/etc/evil.png", "a/../../evil.png", "..\\evil.png", "C:/evil.png"])
def test_paths_that_leave_the_archive(archive, name):
    with pytest.raises(InputError, match="outside the archive"):
        io.read(archive({name: png()}))


def test_bomb(archive):
    with pytest.raises(InputError, match="like a bomb"):
        io.read(archive({"a.dcm": b"\0" * (20 * 2**20)}))


def test_stated_size_over_the_limit(archive, monkeypatch):
    from spinelab.io import archive as limits

    monkeypatch.setattr(limits, "MAX_BYTES", 100)
    with pytest.raises(InputError, match="unpacks to"):
        io.read(archive({"a.png": png() * 3}))


def test_nested_archive(archive):
    with pytest.raises(InputError, match="archive in the archive"):
        io.read(archive({"inner.zip": b"PK\x03\x04"}))


def test_link(tmp_path):
    entry = zipfile.ZipInfo("link.png")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as out:
        out.writestr(entry, "/etc/passwd")
    with pytest.raises(InputError, match="is a link"):
        io.read(tmp_path / "a.zip")


def test_encrypted(archive):
    path = archive({"a.png": png()})
    raw = bytearray(path.read_bytes())
    raw[6] |= 1
    raw[raw.rindex(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(raw)
    with pytest.raises(InputError, match="encrypted"):
        io.read(path)


def test_empty_truncated_and_without_images(archive, tmp_path):
    with pytest.raises(InputError, match="no image"):
        io.read(archive({}))
    with pytest.raises(InputError, match="no image"):
        io.read(archive({"a.txt": "text"}))
    path = archive({"a.png": png(), "b.png": png(7)})
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(InputError, match="cannot be decoded"):
        io.read(path)


def test_two_files_of_one_name(tmp_path):
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(tmp_path / "a.zip", "w") as out:
        out.writestr("a.png", png())
        out.writestr("a.png", png(9))
    with pytest.raises(InputError, match="cannot be decoded"):
        io.read(tmp_path / "a.zip")


def test_wrong_checksum(archive):
    path = archive({"a.png": png()}, compression=zipfile.ZIP_STORED)
    raw = bytearray(path.read_bytes())
    raw[60] ^= 0xFF
    path.write_bytes(raw)
    with pytest.raises(InputError):
        io.read(path)


def test_read_image_refuses_archives_and_folders(archive, tmp_path):
    for path in (archive({"a.png": png()}), tmp_path):
        with pytest.raises(InputError, match="folder or an archive"):
            io.read_image(path)
