"""What an angle's spread knows of vertebrae that are off and of names that may be others."""

import numpy as np
import pytest

from spinelab.core import Fact, Image, Model, Study, unknown
from spinelab.geometry import CORNER_LANDMARKS
from spinelab.tasks.scoliosis.task import Scoliosis
from spinelab.train.landmark_head import Sighting

TASK = Scoliosis()
ROWS, COLUMNS = 832, 352
ERROR = {"error": {"turn_deg": 2.2, "endplate_deg": 2.0, "place": 0.05}}


def column():
    """Return a spine ``(17, 4, 2)`` with a large curve from T7 to L2, its apex at T10/T11, a curve of half its size above and a straight end below."""
    level = np.arange(17)
    above, large = 12.5 * (1 - np.cos(level / 6 * np.pi)), 25 * np.cos(np.clip((level - 6) / 7, 0, 1) * np.pi)
    tilt = np.deg2rad(np.where(level < 6, above, large))
    down = np.cumsum(np.stack([-np.sin(tilt), np.cos(tilt)], axis=1) * 42, axis=0)
    box = np.array([[-30, -16], [30, -16], [-30, 16], [30, 16]])
    turn = np.stack([np.stack([np.cos(tilt), -np.sin(tilt)], -1), np.stack([np.sin(tilt), np.cos(tilt)], -1)], -2)
    return down[:, None] + [150, 0] + np.einsum("nij,kj->nki", turn, box)


def spreads(learnt, chances=None, *, spacing=None, points=None, found=17):
    points = column() if points is None else points
    there = np.repeat(np.arange(17) < found, 4).astype(float)
    samples = points.reshape(-1, 2) + np.random.default_rng(0).normal(0, 0.3, (300, 68, 2))
    seen = Sighting(points.reshape(-1, 2), there, there, samples, {"certainty": 0.9, "alternatives": chances or {0: 1.0}, "columns": [], "between": []})
    record = {"landmarks": list(CORNER_LANDMARKS), "calibration": {"head": learnt}}
    model = Model("scoliosis", TASK.settings_type(rows=ROWS, columns=COLUMNS), ("below", "surgical-range"), {}, record)
    fact = unknown("a drawing") if spacing is None else Fact(spacing, "a drawing")
    study = Study("film", images=(Image(np.zeros((ROWS, COLUMNS), np.uint8), spacing_mm=fact),))
    reading = TASK.on_film(model, seen, study, (ROWS, COLUMNS))
    return {name: one.spread for (name, _), one in TASK.measured(model, reading).items()}, reading


def test_an_angle_spreads_as_held_out_vertebrae_err():
    plain, _ = spreads({})
    erring, reading = spreads(ERROR)
    assert plain["cobb_max"] < 1.5
    assert 3 < erring["cobb_max"] < 7, "two mid-lines that are off by 2.6 degrees each, and the largest of many pairs"
    assert reading.counted == 1.0


def test_a_model_that_learnt_nothing_of_its_errors_keeps_its_samples():
    _, reading = spreads({}, {0: 0.5, 1: 0.5})
    assert reading.counted < 1
    assert reading.samples.std(axis=0).max() < 1


def test_where_the_names_may_be_others_what_hangs_on_them_spreads_and_the_largest_angle_hardly_does():
    sure, _ = spreads(ERROR)
    doubtful, _ = spreads(ERROR, {0: 0.6, 2: 0.4})
    assert doubtful["cobb_main_thoracic"] > 2 * sure["cobb_main_thoracic"], "two levels further down the large curve is a thoracolumbar one, the other thoracic"
    assert doubtful["t1_l5_offset"] > 1.5 * sure["t1_l5_offset"]
    assert doubtful["cobb_max"] < 1.5 * sure["cobb_max"]


def test_pixels_that_are_not_square_change_no_angle_and_no_spread():
    square, _ = spreads(ERROR, spacing=(0.2, 0.2))
    stretched, _ = spreads(ERROR, spacing=(0.2, 0.1), points=column() * [2, 1])
    for name in ("cobb_max", "cobb_main_thoracic", "trunk_tilt"):
        assert stretched[name] == pytest.approx(square[name], rel=0.1)


def test_a_part_of_a_column_errs_too():
    _, reading = spreads(ERROR, {0: 0.7, -1: 0.3}, found=14)
    spread = reading.samples.std(axis=0).mean(axis=1)
    assert spread[: 4 * 14].min() > 2
    assert spread[4 * 14 :].max() < 1, "vertebrae that are not on the film have nothing to err about"
