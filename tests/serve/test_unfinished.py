"""The folder of an interrupted training: kept where it holds something, taken up only by the same training."""

from pathlib import Path

import pytest

from spinelab.core import InputError
from spinelab.serve.unfinished import work_folder

BEGUN = {"task": "images", "data": "/films", "split": None, "settings": {"epochs": 8, "model": "cnn"}}


def interrupted(out: Path, *, resume: bool = False, **changed: object) -> None:
    with pytest.raises(KeyboardInterrupt), work_folder(out, BEGUN | changed, resume=resume) as folder:
        (folder / "checkpoint.safetensors").write_bytes(b"half")
        raise KeyboardInterrupt


def test_it_is_gone_at_the_end_and_kept_at_an_interruption(tmp_path):
    out = tmp_path / "model"
    interrupted(out)
    interrupted(out, resume=True)
    with work_folder(out, BEGUN, resume=True) as folder:
        assert (folder / "checkpoint.safetensors").read_bytes() == b"half"
    assert not (tmp_path / "model.work").exists()


def test_nothing_is_left_of_a_training_that_did_not_begin(tmp_path):
    with pytest.raises(InputError, match="one class"), work_folder(tmp_path / "model", BEGUN, resume=False):
        raise InputError("only one class", expected="two", action="add the other")
    assert not (tmp_path / "model.work").exists()


def test_an_interrupted_training_is_not_begun_anew_by_accident(tmp_path):
    interrupted(tmp_path / "model")
    with pytest.raises(InputError, match=r"model\.work already holds earlier work") as refusal, work_folder(tmp_path / "model", BEGUN, resume=False):
        pass
    assert "--resume" in refusal.value.action


def test_other_choices_are_named(tmp_path):
    interrupted(tmp_path / "model")
    for changed, said in (({"settings": {"epochs": 9, "model": "cnn"}}, "epochs was 8, now 9"), ({"data": "/others"}, "data was /films, now /others")):
        with pytest.raises(InputError, match=said), work_folder(tmp_path / "model", BEGUN | changed, resume=True):
            pass
    assert (tmp_path / "model.work" / "checkpoint.safetensors").is_file()


def test_a_folder_of_the_users_own_is_left_alone(tmp_path):
    (tmp_path / "model.work").mkdir()
    (tmp_path / "model.work" / "thesis.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match="other things"), work_folder(tmp_path / "model", BEGUN, resume=True):
        pass
