"""Where things may be read and written."""

import errno
from pathlib import Path

import pytest

from spinelab.core import InputError
from spinelab.serve import places


def test_a_new_or_empty_folder_is_taken(tmp_path: Path) -> None:
    assert places.new_folder(tmp_path / "new") == tmp_path / "new"
    assert not (tmp_path / "new").exists()
    (tmp_path / "empty").mkdir()
    assert places.new_folder(tmp_path / "empty") == tmp_path / "empty"


def test_a_folder_with_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.docx").touch()
    with pytest.raises(InputError, match=r"thesis\.docx"):
        places.new_folder(tmp_path, ours=("comparison.json",), reuse=True)


def test_earlier_work_is_taken_up_only_when_asked(tmp_path: Path) -> None:
    (tmp_path / "experiment.json").touch()
    with pytest.raises(InputError, match="add --resume"):
        places.new_folder(tmp_path, ours=("experiment.json",), hint="add --resume")
    assert places.new_folder(tmp_path, ours=("experiment.json",), reuse=True) == tmp_path


def test_a_place_that_cannot_be_written_is_refused_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be written: a part of the path is a file"):
        places.new_folder(tmp_path / "file" / "deep" / "out")

    def closed(path: str, *_: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system", path)

    monkeypatch.setattr("os.mkdir", closed)
    with pytest.raises(InputError, match="out cannot be written: the file system is read-only"):
        places.new_folder(tmp_path / "deep" / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="is a file"):
        places.new_folder(tmp_path / "file")


@pytest.mark.parametrize("inside", [".", "out", "a/b/out", "a/../out"])
def test_output_lies_apart_from_the_data(tmp_path: Path, inside: str) -> None:
    data = tmp_path / "data"
    data.mkdir()
    with pytest.raises(InputError, match="lies inside the data"):
        places.new_folder(data / inside, data=data)
    assert places.new_folder(tmp_path / "data-out", data=data)


def test_a_link_into_the_data_is_inside(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (tmp_path / "link").symlink_to(data)
    with pytest.raises(InputError, match="lies inside the data"):
        places.new_folder(tmp_path / "link" / "out", data=data)


def test_a_missing_path_names_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "films").mkdir()
    with pytest.raises(InputError, match="holds films"):
        places.existing(tmp_path / "flims" / "deep", "a folder")


@pytest.mark.parametrize(
    ("data", "expected"), [("films", "spinelab-images-films"), ("films/manifest.csv", "spinelab-images-films"), ("films/night.csv", "spinelab-images-night")]
)
def test_the_default_output_is_named_after_task_and_data(tmp_path: Path, data: str, expected: str) -> None:
    (tmp_path / "films").mkdir()
    for name in ("manifest.csv", "night.csv"):
        (tmp_path / "films" / name).touch()
    assert places.default_out("images", tmp_path / data) == Path(expected)


@pytest.mark.parametrize(
    ("code", "said"), [(errno.ENOSPC, "disk is full"), (errno.EACCES, "permission denied"), (errno.EROFS, "read-only"), (errno.ENOTDIR, "not a folder")]
)
def test_a_full_or_closed_disk_is_explained(code: int, said: str) -> None:
    message = places.explain_os_error(OSError(code, "x", "out/report.html"))
    assert message is not None
    assert said in str(message)
    assert "out/report.html" in str(message)


def test_other_failures_are_not_explained_away() -> None:
    assert places.explain_os_error(OSError(errno.ECONNRESET, "x")) is None
    assert places.explain_os_error(TimeoutError("x")) is None


def test_a_missing_file_s_neighbours_are_listed_without_a_dangling_comma(tmp_path: Path) -> None:
    for n in range(9):
        (tmp_path / f"a{n}.csv").touch()
    with pytest.raises(InputError) as refusal:
        places.existing(tmp_path / "missing.csv", "a table")
    assert str(refusal.value).endswith("exists and holds a0.csv, a1.csv, a2.csv, a3.csv, a4.csv, a5.csv and 3 more.")
