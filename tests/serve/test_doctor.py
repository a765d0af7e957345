"""What the doctor says follows from what it found."""

import copy
import json

import pytest
from typer.testing import CliRunner

from spinelab.serve import doctor
from spinelab.serve.cli import app

FOUND = {
    "spinelab": "0.1.0",
    "python": "3.11.7",
    "system": "Linux x86_64",
    "libraries": {"numpy": "2.4", "torch": None},
    "devices": {"cpu": "A CPU", "cores": 2, "flags": ["AVX2"], "gpus": ["A GPU, 80 GiB"]},
    "memory": {"total": 2**34, "available": 2**33},
    "disk": {"here": {"folder": ".", "free": 2**40, "writable": True}, "cache": {"folder": "c", "free": 2**40, "writable": True}},
    "cache": {"folder": "c", "bytes": 3 * 2**20},
    "codecs": [{"uid": "1", "name": "JPEG 2000", "decoders": ["pylibjpeg"], "ok": True}],
    "hub": {"address": "https://hub", "reachable": True, "reason": ""},
    "gflops": 109.0,
}


def with_change(*path: str, value: object) -> dict:
    found = copy.deepcopy(FOUND)
    place = found
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return found


def test_nothing_is_slow_on_a_good_machine() -> None:
    assert doctor.what_will_be_slow(FOUND) == ["nothing found"]


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (with_change("devices", "gpus", value=[]), "resnet18 10, mobilenetv2 61, densenet121 6"),
        (with_change("hub", "reachable", value=False), "--weights FILE"),
        (with_change("memory", "available", value=2**30), "batch_size"),
        (with_change("disk", "cache", value={"folder": "c", "free": 2**20, "writable": True}), "--cache DIR"),
        (with_change("codecs", value=[{"uid": "1", "name": "JPIP", "decoders": [], "ok": False}]), "JPIP"),
    ],
)
def test_a_lack_is_said_with_its_remedy(found: dict, said: str) -> None:
    assert any(said in sentence for sentence in doctor.what_will_be_slow(found))


def test_missing_libraries_are_named() -> None:
    assert dict(doctor.in_words(FOUND))["Not installed"] == ["torch"]


def test_the_hub_is_not_asked_when_offline_is_wished(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert doctor.examine()["hub"]["reason"] == "HF_HUB_OFFLINE is set"


def test_json_is_the_only_thing_on_stdout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    result = CliRunner().invoke(app, ["doctor", "--json"])
    found = json.loads(result.stdout)
    assert found["devices"]["cores"] >= 1
    assert found["gflops"] > 0
    assert any(codec["ok"] for codec in found["codecs"])


def test_sizes() -> None:
    assert doctor.gib(1.5 * 2**30) == "1.5 GiB"
    assert doctor.gib(12 * 2**20) == "12 MiB"
