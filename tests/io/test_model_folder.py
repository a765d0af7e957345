"""Model folders: there and back, whole or not at all, edits by hand found."""

import errno
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from spinelab.core import InputError, Model, Settings, TaskError, setting
from spinelab.io import model_folder as module
from spinelab.io.model_folder import builtin_folder, load_model, save_model


@dataclass(frozen=True)
class OwnSettings(Settings):
    epochs: int = setting(3, "passes", low=1)
    lr: float = setting(1e-4, "rate")
    model: str = setting("small", "name")


TYPES = {"own": OwnSettings}


@pytest.fixture
def model():
    rng = np.random.default_rng(0)
    tensors = {"a.weight": rng.normal(size=(3, 2)).astype(np.float32), "steps": np.array(7), "empty": np.zeros((0, 2), np.float32)}
    record = {"seed": 1, "history": [{"epoch": 1, "loss": np.float32(0.5)}], "undefined": float("nan"), "where": (1, 2)}
    return Model("own", OwnSettings(epochs=5), ("no", "yes"), tensors, record, {"version": 1})


@pytest.fixture
def folder(model, tmp_path):
    save_model(model, tmp_path / "m", "# Card\n")
    return tmp_path / "m"


def test_there_and_back(model, folder):
    back = load_model(folder, TYPES)
    assert (back.task, back.settings, back.classes, back.preprocessing) == (model.task, model.settings, model.classes, model.preprocessing)
    assert back.record == {"seed": 1, "history": [{"epoch": 1, "loss": 0.5}], "undefined": None, "where": [1, 2]}
    for name, values in model.tensors.items():
        np.testing.assert_array_equal(back.tensors[name], values)
    assert sorted(p.name for p in folder.iterdir()) == ["card.md", "model.json", "weights.safetensors"]
    body = json.loads((folder / "model.json").read_text())
    assert body["schema"] == "spinelab.model/1"
    assert body["parameters"] == model.parameters == 7
    assert not list(folder.parent.glob(".m*"))


def test_a_model_is_replaced_and_written_twice_alike(model, folder):
    before = (folder / "model.json").read_bytes()
    save_model(model, folder, "# Card\n")
    assert (folder / "model.json").read_bytes() == before


@pytest.mark.parametrize("change", [("epochs", 50), ("lr", 0.5)])
def test_settings_edited_by_hand_are_found(folder, change):
    path = folder / "model.json"
    body = json.loads(path.read_text())
    body["settings"][change[0]] = change[1]
    path.write_text(json.dumps(body))
    with pytest.raises(InputError, match="edited by hand"):
        load_model(folder, TYPES)


def test_reformatted_json_is_still_the_same_model(folder):
    path = folder / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text())))
    assert load_model(folder, TYPES).classes == ("no", "yes")


def test_weights_of_another_model_are_found(folder, model):
    save_file({"a.weight": np.ones((3, 2), np.float32)}, folder / "weights.safetensors")
    with pytest.raises(InputError, match="SHA-256"):
        load_model(folder, TYPES)


def test_one_changed_byte_is_found(folder):
    path = folder / "weights.safetensors"
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.write_bytes(raw)
    with pytest.raises(InputError, match="SHA-256"):
        load_model(folder, TYPES)


@pytest.mark.parametrize("name", ["weights.safetensors", "model.json"])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(InputError, match=name):
        load_model(folder, TYPES)


@pytest.mark.parametrize(
    ("text", "words"), [("{", "not JSON"), ("[]", "schema 'list'"), ('{"schema": "spinelab.model/9"}', "spinelab.model/9"), ("", "not JSON")]
)
def test_a_model_json_that_is_none(folder, text, words):
    (folder / "model.json").write_text(text)
    with pytest.raises(InputError, match=words):
        load_model(folder, TYPES)


def test_weights_that_are_no_numbers_are_refused_both_ways(model, folder, tmp_path):
    model.tensors["a.weight"][0, 0] = np.nan
    with pytest.raises(InputError, match=r"not a finite number.*a\.weight"):
        save_model(model, tmp_path / "n", "")
    assert not (tmp_path / "n").exists()
    raw = module.tensors_to_bytes(dict(model.tensors))
    (folder / "weights.safetensors").write_bytes(raw)
    body = json.loads((folder / "model.json").read_text())
    body.pop("digest")
    body["weights_sha256"] = module.hashlib.sha256(raw).hexdigest()
    (folder / "model.json").write_text(json.dumps({**body, "digest": module._digest(body)}))
    with pytest.raises(InputError, match="1 weight is not a finite number"):
        load_model(folder, TYPES)


def test_an_unknown_task_is_told(folder):
    with pytest.raises(TaskError, match="'own'"):
        load_model(folder, {"other": OwnSettings})


def test_a_folder_with_other_things_is_left_alone(model, tmp_path):
    target = tmp_path / "thesis"
    target.mkdir()
    (target / "thesis.docx").write_text("years of work")
    with pytest.raises(InputError, match="not a model folder"):
        save_model(model, target, "")
    assert (target / "thesis.docx").read_text() == "years of work"
    with pytest.raises(InputError, match="not a model folder"):
        save_model(model, target / "thesis.docx", "")


def test_an_empty_folder_is_taken(model, tmp_path):
    (tmp_path / "empty").mkdir()
    save_model(model, tmp_path / "empty", "")
    assert load_model(tmp_path / "empty", TYPES).task == "own"


def test_a_full_disk_keeps_the_old_model_and_leaves_nothing_behind(model, folder, monkeypatch):
    before = {p.name: p.read_bytes() for p in folder.iterdir()}

    def full(self, *_args, **_kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(InputError, match="disk is full"):
        save_model(model, folder, "another card")
    monkeypatch.undo()
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before
    assert [p.name for p in folder.parent.iterdir()] == ["m"]


def test_a_builtin_that_is_not_there_is_told():
    with pytest.raises(InputError, match="builtin:nothing"):
        builtin_folder("nothing")
    with pytest.raises(InputError, match="builtin:nothing"):
        load_model("builtin:nothing", TYPES)
