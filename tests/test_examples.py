"""The examples run as they stand."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

EXAMPLES = Path(__file__).parents[1] / "examples"


def load(name: str):
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_compare_models(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    load("compare_models").main(tmp_path)
    said = capsys.readouterr().out
    assert "phantom" in said.lower()
    assert (tmp_path / "comparison" / "report.html").is_file()


def test_fit_and_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    load("fit_and_read").main(tmp_path)
    assert "made from phantoms: True" in capsys.readouterr().out
    assert (tmp_path / "answer" / "report.html").is_file()


def test_read_any_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).save(tmp_path / "film.png")
    load("read_any_file").main(str(tmp_path / "film.png"))
    assert "YX (8, 8) uint8, view None" in capsys.readouterr().out


def test_every_example_is_tested() -> None:
    tested = {name.removeprefix("test_") for name in globals() if name.startswith("test_")}
    assert {path.stem for path in EXAMPLES.glob("*.py")} <= tested
