"""The command line from end to end, on phantoms, and what it says to bad input."""

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from spinelab.serve.cli import app

TINY = ["--set", "model=simple-cnn", "--set", "image_size=64", "--set", "epochs=1", "--set", "weights=scratch"]


def spinelab(*words: object):
    return CliRunner().invoke(app, [str(word) for word in words])


def refused(*words: object) -> str:
    """The paragraph of a refusal; anything but exit code 2 fails."""
    result = spinelab(*words)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert "Cannot go on: " in result.stderr
    assert "Expected:" in result.stderr
    assert "To do:" in result.stderr
    return result.stderr


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli") / "films"
    result = spinelab("phantom", "images", "--out", folder, "-n", 16, "--seed", 4, "--difficulty", "easy")
    assert result.exit_code == 0, result.output
    assert "no evidence about patients" in result.stdout
    return folder


@pytest.fixture(scope="module")
def model(films: Path) -> Path:
    folder = films.parent / "model"
    result = spinelab("fit", "images", "--data", films, "--out", folder, *TINY)
    assert result.exit_code == 0, result.output
    assert f"Model: {folder}" in result.stdout
    assert "phantom" in result.stdout.lower()
    assert not (films.parent / "model.work").exists()
    assert (folder / "card.md").read_text(encoding="utf-8").startswith("> Figures in this card are of models that the authors trained")
    return folder


def test_tasks() -> None:
    assert "lumbar-xray" in spinelab("tasks").stdout
    explained = spinelab("tasks", "images").stdout
    assert "image_size" in explained
    listed = json.loads(spinelab("tasks", "--json").stdout)
    assert [task["name"] for task in listed] == ["images", "landmarks", "lumbar-mri", "lumbar-xray", "scoliosis", "spine-lesion-xray", "whole-spine"]
    assert json.loads(spinelab("tasks", "lumbar-xray", "--json").stdout)["name"] == "lumbar-xray"


def test_baselines(films: Path) -> None:
    found = json.loads(spinelab("baselines", "images", "--data", films, "--json").stdout)
    assert found["phantom"] is True
    assert found["majority_class"] in found["classes"]
    assert "majority rate" in spinelab("baselines", "images", "--data", films).stdout


def test_read_one(films: Path, model: Path, tmp_path: Path) -> None:
    picture = next(films.rglob("*.png"), None) or next(films.rglob("*.jpg"))
    (found,) = json.loads(spinelab("read", picture, "--model", model, "--out", tmp_path / "one", "--json").stdout)
    assert found["schema"] == "spinelab.result/1"
    assert json.loads((tmp_path / "one" / "result.json").read_text(encoding="utf-8")) == found
    assert (tmp_path / "one" / "report.html").is_file()


def test_the_user_chooses_the_heatmaps(films: Path, model: Path, tmp_path: Path) -> None:
    picture = next(films.rglob("*.jpg"))
    (plain,) = json.loads(spinelab("read", picture, "--model", model, "--out", tmp_path / "none", "--explain", "none", "--json").stdout)
    assert "explanations" not in plain
    assert sorted(p.name for p in (tmp_path / "none").iterdir()) == ["report.html", "report.pdf", "result.json"]
    (found,) = json.loads(spinelab("read", picture, "--model", model, "--out", tmp_path / "two", "--explain", "gradcam,integrated-gradients", "--json").stdout)
    assert [e["method"] for e in found["explanations"]] == ["Grad-CAM", "integrated gradients"]
    assert all(e["insertion_auc"] is not None and e["random_weights_similarity"] is not None for e in found["explanations"])
    assert all((tmp_path / "two" / e["file"]).is_file() for e in found["explanations"])
    assert "scorecam" in refused("read", picture, "--model", model, "--out", tmp_path / "no", "--explain", "grad-cam")
    assert "without attention" in refused("read", picture, "--model", model, "--out", tmp_path / "no", "--explain", "rollout")


def test_explain_looks_into_the_network(films: Path, model: Path, tmp_path: Path) -> None:
    picture = next(films.rglob("*.jpg"))
    result = spinelab("explain", model, picture, "--out", tmp_path / "inside", "--methods", "gradcam")
    assert result.stdout.startswith("The model was trained on digital phantoms")
    assert result.exit_code == 0, result.output
    assert "Grad-CAM for" in result.stdout
    assert {"layer-1.png", "map-1-grad-cam.png", "report.html", "result.json"} <= {p.name for p in (tmp_path / "inside").iterdir()}
    assert "Does a map depend on what was learnt?" in (tmp_path / "inside" / "report.html").read_text(encoding="utf-8")
    assert "takes many" in refused("explain", model, films, "--out", tmp_path / "no")
    pixels = cv2.imread(str(picture), cv2.IMREAD_GRAYSCALE)
    mask = np.zeros(pixels.shape, np.uint8)
    mask[: len(mask) // 2] = 1
    cv2.imwrite(str(tmp_path / "mask.png"), mask)
    masked = spinelab("explain", model, picture, "--out", tmp_path / "masked", "--methods", "gradcam", "--mask", tmp_path / "mask.png", "--json")
    (told,) = json.loads(masked.stdout)["explanations"]
    assert 0.1 < told["area_inside"] < 0.6
    assert 0 <= told["share_inside"] <= 1
    assert told["peak_inside"] in (True, False)
    assert "asks one" in refused("explain", model, picture, "--out", tmp_path / "no", "--question", "L4/L5 canal")


def test_read_many_goes_on_after_a_bad_file(films: Path, model: Path, tmp_path: Path) -> None:
    pictures = [p for p in sorted(films.rglob("*")) if p.suffix in (".png", ".jpg")][:3]
    folder = tmp_path / "many"
    folder.mkdir()
    for picture in pictures:
        (folder / picture.name).write_bytes(picture.read_bytes())
    (folder / "broken.png").write_bytes(pictures[0].read_bytes()[:100])
    result = spinelab("read", folder, "--model", model, "--out", tmp_path / "answers", "--json")
    found = json.loads(result.stdout)
    assert len(found) == 4
    assert sum(bool(one["findings"]) for one in found) == 3
    assert any("No answer" in note for one in found for note in one["notes"])
    assert "broken" in refused("read", folder / "broken.png", "--model", model, "--out", tmp_path / "no")


def test_evaluate(films: Path, model: Path, tmp_path: Path) -> None:
    result = spinelab("evaluate", model, "--data", films, "--out", tmp_path / "evaluation", "--json")
    assert json.loads(result.stdout)["schema"] == "spinelab.evaluation/1", result.output
    assert {"evaluation.json", "predictions.csv", "report.html"} <= {p.name for p in (tmp_path / "evaluation").iterdir()}
    assert "never overwritten" in refused("evaluate", model, "--data", films, "--out", tmp_path / "evaluation")


def test_compare_and_resume(films: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["compare", "images", "--data", films, "--vary", "lr=1e-3,1e-4", "--folds", 2, "--no-learning-curve", *TINY]
    first = spinelab(*words)
    assert first.exit_code == 0, first.output
    out = tmp_path / "spinelab-images-films"
    assert f"writing to {out.name}" in first.stderr
    assert "phantom" in first.stdout.lower()
    assert "--resume" in refused(*words)
    stamps = {p: p.stat().st_mtime_ns for p in out.rglob("fold.json")}
    again = spinelab(*words, "--resume", "--json")
    assert json.loads(again.stdout)["schema"] == "spinelab.comparison/1"
    assert stamps == {p: p.stat().st_mtime_ns for p in out.rglob("fold.json")}
    assert "another" in refused(*words[:6], *words[6:], "--resume", "--seed", 3)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--set", "epochs"], "key=value"),
        (["--set", "epoch=3"], "did you mean 'epochs'"),
        (["--set", "epochs=none-such"], "epochs"),
        (["--vary", "model="], "--vary"),
        (["--vary", "model=simple-cnn,simple-cnn"], "listed twice"),
        (["--set", "model=resnet18", "--vary", "model=simple-cnn"], "both set and varied"),
        (["--folds", "1"], "at least 2"),
        (["--repeats", "0"], "at least 1"),
        (["--holdout", "1.5"], "--holdout"),
        (["--rank-by", "accuracy"], "constant"),
        (["--devices", "none"], "--devices"),
        (["--weights", "absent.safetensors"], "does not exist"),
        (["--settings", "absent.toml"], "absent.toml"),
    ],
)
def test_a_bad_choice_is_refused_before_training(films: Path, tmp_path: Path, words: list[str], said: str) -> None:
    vary = [] if "--vary" in words else ["--vary", "lr=1e-3,1e-4"]
    assert said in refused("compare", "images", "--data", films, "--out", tmp_path / "out", *vary, *words)
    assert not (tmp_path / "out").exists()


def test_a_bad_place_is_refused(films: Path, tmp_path: Path) -> None:
    vary = ["--vary", "lr=1e-3,1e-4"]
    assert "did you mean 'images'" in refused("compare", "image", "--data", films, *vary)
    assert "lies inside the data" in refused("compare", "images", "--data", films, "--out", films / "out", *vary)
    assert "does not exist" in refused("compare", "images", "--data", tmp_path / "absent", *vary)
    (tmp_path / "thesis.docx").touch()
    assert "thesis.docx" in refused("compare", "images", "--data", films, "--out", tmp_path, *vary)
    assert "already holds" in refused("phantom", "images", "--out", tmp_path)


def test_phantoms_come_in_the_layout_that_is_asked_for(tmp_path: Path) -> None:
    result = spinelab("phantom", "scoliosis", "--out", tmp_path / "films", "-n", 1, "--seed", 4, "--layout", "dicom")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "films" / "films" / "0001-1.dcm").is_file()
    assert (tmp_path / "films" / "landmarks.csv").is_file()
    assert "Expected: aasce, dicom." in refused("phantom", "scoliosis", "--out", tmp_path / "other", "--layout", "nifti")
    assert "leave --layout out" in refused("phantom", "images", "--out", tmp_path / "other", "--layout", "dicom")
    assert not (tmp_path / "other").exists()


def test_a_bad_model_is_refused(films: Path, model: Path, tmp_path: Path) -> None:
    picture = next(p for p in films.rglob("*") if p.suffix in (".png", ".jpg"))
    out = ["--out", tmp_path / "out"]
    assert "model.json" in refused("read", picture, "--model", films, *out)
    assert "builtin:nothing" in refused("read", picture, "--model", "builtin:nothing", *out)
    assert "does not exist" in refused("read", picture, "--model", tmp_path / "absent", *out)
    changed = tmp_path / "changed"
    changed.mkdir()
    for file in model.iterdir():
        (changed / file.name).write_bytes(file.read_bytes())
    body = (changed / "model.json").read_text(encoding="utf-8")
    (changed / "model.json").write_text(body.replace('"simple-cnn"', '"resnet18"', 1), encoding="utf-8")
    assert str(changed) in refused("read", picture, "--model", changed, *out)


def test_a_blank_film_gets_no_answer(model: Path, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "blank.png"), np.full((90, 70), 130, np.uint8))
    assert "of one grey value" in refused("read", tmp_path / "blank.png", "--model", model, "--out", tmp_path / "out")


def test_a_finished_model_is_not_overwritten(films: Path, model: Path) -> None:
    assert "never overwritten" in refused("fit", "images", "--data", films, "--out", model, *TINY)


def test_json_is_alone_on_stdout_of_a_real_process(films: Path, tmp_path: Path) -> None:
    words = ["fit", "images", "--data", films, "--out", tmp_path / "model", "--json", *TINY]
    done = subprocess.run([sys.executable, "-m", "spinelab", *map(str, words)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["record"]["data"]["phantom"] is True
