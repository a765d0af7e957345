"""Points of one's own in every verb: what is measured is declared by the data, so no verb may ask the settings alone."""

import json
import shutil

import pytest
from typer.testing import CliRunner

from spinelab.serve.cli.app import app
from spinelab.tasks.landmarks.phantom import write_phantoms

QUICK = [f"--set={key}={value}" for key, value in {"model": "compact-small", "rows": 64, "columns": 64, "epochs": 1, "zoom": 0, "crop": 0}.items()]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("points") / "data"
    write_phantoms(folder, n=12, seed=3, difficulty="easy", scale=0.5)
    return folder


@pytest.fixture(scope="module")
def bare(data):
    """The same pictures and points, without a declaration of what is measured between them."""
    folder = data.parent / "bare"
    shutil.copytree(data, folder)
    (folder / "measurements.toml").unlink()
    (folder / "truth.json").unlink()
    return folder


def run(*words):
    said = CliRunner().invoke(app, [str(word) for word in words])
    assert said.exit_code == 0, (said.output, said.exception)
    return said.output


def test_baselines_know_what_the_data_declare(data, bare):
    measured = json.loads(run("baselines", "landmarks", "--data", data, "--json"))["measured"]
    assert {"l4_s1_deg", "sacral_slope_deg"} <= set(measured["quantities"])
    said = run("baselines", "landmarks", "--data", bare)
    assert "mean shape" in said
    assert "always answering" not in said


def test_a_model_remembers_the_medians_of_its_training_part(data, tmp_path):
    run("fit", "landmarks", "--data", data, "--out", tmp_path / "model", *QUICK)
    constants = json.loads((tmp_path / "model" / "model.json").read_text())["record"]["data"]["constants"]
    assert "l4_s1_deg" in constants["medians"]
    assert constants["mean_shape"]
    assert "The constants are the medians of the training data." in run("evaluate", tmp_path / "model", "--data", data, "--out", tmp_path / "evaluation")


def test_points_alone_are_judged_beside_a_mean_shape(bare, tmp_path):
    run("fit", "landmarks", "--data", bare, "--out", tmp_path / "model", *QUICK)
    said = run("evaluate", tmp_path / "model", "--data", bare, "--out", tmp_path / "evaluation")
    assert "places landmarks with a median error" in said
    assert "; a mean shape laid over every film has" in said
    assert "No intervals were stated" not in said


@pytest.mark.parametrize(("which", "ranking"), [("data", "l4_s1_mae_deg"), ("bare", "landmark_median_px")])
def test_models_are_compared_by_what_is_declared_or_else_by_the_points(which, ranking, request, tmp_path):
    folder = request.getfixturevalue(which)
    quick = [*QUICK[1:], "--holdout", "0.5", "--no-learning-curve"]
    said = run("compare", "landmarks", "--data", folder, "--out", tmp_path / "out", "--vary", "seed=1,2", *quick, "--set=model=compact-small")
    found = json.loads((tmp_path / "out" / "comparison.json").read_text())
    assert found["rank_by"] == ranking
    assert {v["rank"] for v in found["variants"]} == {1, 2}
    assert ("always " if which == "data" else "a mean shape over every film") in said
