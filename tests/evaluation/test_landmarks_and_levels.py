"""Landmark errors and level naming on films drawn by hand."""

import json

import numpy as np
import pytest

from spinelab.core import InputError
from spinelab.evaluation import at_temperature, certainty_calibration, fit_temperature, landmark_errors, level_naming, wilson

NAMES = ("C7", "T1", "S1")


def test_landmark_errors_by_hand():
    truth = np.zeros((4, 3, 2))
    found = np.array([[[3.0, 4], [0, 1], [0, 2]], [[6, 8], [0, 3], [1, 0]], [[0, 0], [np.nan, np.nan], [2, 0]], [[5, 12], [1, 1], [3, 0]]])
    truth[3, 1] = np.nan
    table = landmark_errors(
        found, truth, NAMES, regions={"cervicothoracic": ["C7", "T1"]}, spacing_mm=[[0.5, 0.25]] * 2 + [[np.nan] * 2] * 2, height_px=[10] * 4
    )
    assert list(table) == ["C7", "T1", "S1", "cervicothoracic", "all"]
    c7 = table["C7"]
    assert (c7.px.n, c7.px.median.value, c7.px.q1, c7.px.q3, c7.px.p90) == pytest.approx((4, 7.5, 3.75, 10.75, 12.1))
    assert c7.heights.median.value == pytest.approx(0.75)
    # the row spacing, 0.5 mm, belongs to y
    assert (c7.mm.n, c7.mm.median.value) == (2, pytest.approx((np.hypot(0.75, 2) + np.hypot(1.5, 4)) / 2))
    assert (table["T1"].present, table["T1"].missed, table["T1"].invented, table["T1"].px.n) == (3, 1, 1, 2)
    assert (table["all"].present, table["all"].missed, table["all"].invented, table["all"].px.n) == (11, 1, 1, 10)
    region = table["cervicothoracic"].px
    assert (region.n, region.median.value) == (6, pytest.approx(np.median([5, 10, 0, 13, 1, 3])))
    assert json.loads(json.dumps(table["all"].to_dict(), allow_nan=False))["px"]["n"] == 10


def test_one_spacing_a_film_means_square_pixels():
    found, truth = np.full((5, 3, 2), 3.0), np.zeros((5, 3, 2))
    square = landmark_errors(found, truth, NAMES, spacing_mm=[0.2] * 5)["all"].mm
    assert square.median.value == pytest.approx(0.2 * np.hypot(3, 3))
    assert landmark_errors(found, truth, NAMES)["all"].mm.n == 0


def test_the_median_of_a_region_is_resampled_by_patient():
    rng = np.random.default_rng(0)
    truth = np.zeros((120, 20, 2))
    found = rng.normal(0, rng.gamma(2, 1, 30)[np.arange(120) // 4][:, None, None], truth.shape)
    names = [f"p{number}" for number in range(20)]
    alone = landmark_errors(found, truth, names, bootstraps=300)["all"].px.median
    together = landmark_errors(found, truth, names, bootstraps=300, patients=np.arange(120) // 4)["all"].px.median
    assert together.value == alone.value == pytest.approx(np.median(np.hypot(found[..., 0], found[..., 1])))
    assert together.hi - together.lo > 1.4 * (alone.hi - alone.lo)


def test_landmark_tables_that_do_not_fit_are_refused():
    truth = np.zeros((2, 3, 2))
    with pytest.raises(InputError, match="L9"):
        landmark_errors(truth, truth, NAMES, regions={"lumbar": ["L9"]})
    with pytest.raises(InputError, match="names"):
        landmark_errors(truth, truth, NAMES[:2])
    with pytest.raises(InputError, match="Spacing"):
        landmark_errors(truth, truth, NAMES, spacing_mm=[0.0, 1.0])


def column(films, levels=17):
    """True centres of a column that curves a little, 30 px apart."""
    y = 30.0 * np.arange(levels)
    return np.stack([np.stack([100 + 10 * np.sin(y / 150 + film), y + film], axis=-1) for film in range(films)])


def test_level_naming_by_hand():
    truth = column(6)
    found = truth + np.random.default_rng(1).normal(0, 3, truth.shape)
    found[1] = truth[1] + [0, 30]  # one level too low: T1's name on T2
    found[2] = truth[2] - [0, 60]
    found[3, 4] = np.nan  # one missed
    found[4, 9] = truth[4, 10] - [0, 10]  # one name wrong
    table = level_naming(found, truth)
    assert table.right.tolist() == [True, False, False, False, False, True]
    assert table.unmistaken.tolist() == [True, False, False, True, False, True]
    assert table.all_right == wilson(2, 6)
    assert table.none_wrong == wilson(3, 6)
    assert table.numbered_right == wilson(4, 6)  # one missed and one wrong name shift no column
    assert (table.missed, table.invented) == (1, 0)
    assert table.film_off_by == {-2: 1, 0: 4, 1: 1}
    # at the ends of the column the nearest true vertebra is the last one, which has a smaller shift
    assert table.off_by == {-2: 15, -1: 1, 0: 17 + 16 + 16 + 17 + 2, 1: 17}
    assert table.to_dict()["film_off_by"] == {"-2": 1, "0": 4, "+1": 1}
    assert sum(table.off_by.values()) == 6 * 17 - 1
    assert table.certainty is None
    sure = level_naming(found, truth, certainty=[1, 0, 0, 1, 0, 1], bootstraps=50)
    assert sure.certainty.brier.value == 0
    assert sure.certainty.came_true.value == 0.5
    json.dumps(sure.to_dict(), allow_nan=False)


def test_a_vertebra_without_a_true_one_of_its_name_is_wrong():
    truth = column(3)
    found = truth.copy()
    truth[1, 16] = np.nan
    truth[2] = np.nan
    table = level_naming(found, truth, certainty=[0.9, 0.2, 0.5], bootstraps=20)
    assert table.films == table.certainty.films == 2
    assert table.known.tolist() == [True, True, False]
    assert table.right.tolist() == [True, False]
    assert table.invented == 1
    with pytest.raises(InputError, match="No film"):
        level_naming(found, np.full_like(truth, np.nan))
    nothing = level_naming(np.full_like(found, np.nan), column(3))
    assert (nothing.all_right.value, nothing.numbered_right.value, nothing.none_wrong.value, nothing.missed, nothing.off_by) == (0.0, 0.0, 0.0, 51, {})


def test_a_true_certainty_is_called_true_and_an_exaggerated_one_is_not():
    rng = np.random.default_rng(2)
    honest = rng.beta(4, 1.5, 1500)
    right = rng.random(1500) < honest
    good, bad = certainty_calibration(right, honest, bootstraps=200), certainty_calibration(right, np.clip(honest * 1.25, 0, 1), bootstraps=200)
    assert good.ece_debiased < good.ece.value < 0.04
    assert bad.ece_debiased > 0.08
    assert good.brier.value == pytest.approx(((honest - right) ** 2).mean())
    assert good.came_true.lo < good.stated.value < good.came_true.hi
    assert bad.stated.value > bad.came_true.hi
    inside = [row["came_true"]["lo"] <= row["stated"] <= row["came_true"]["hi"] for row in good.bins]
    assert sum(inside) >= len(inside) - 1
    assert sum(row["films"] for row in good.bins) == 1500
    json.dumps(good.to_dict(), allow_nan=False)


def test_taking_off_the_bias_matters_for_few_films():
    rng, plain, debiased = np.random.default_rng(3), [], []
    for _ in range(60):
        honest = rng.uniform(0, 1, 50)
        found = certainty_calibration(rng.random(50) < honest, honest, bootstraps=1)
        plain.append(found.ece.value)
        debiased.append(found.ece_debiased)
    assert np.mean(debiased) < 0.75 * np.mean(plain)


def test_temperature_makes_a_posterior_as_sure_as_it_is_right():
    rng = np.random.default_rng(4)
    logs = rng.normal(0, 2, (3000, 5))
    share = np.exp(logs) / np.exp(logs).sum(1, keepdims=True)
    truth = np.array([rng.choice(5, p=row) for row in share])
    assert fit_temperature(logs, truth) == pytest.approx(1, abs=0.08)
    assert fit_temperature(3 * logs, truth) == pytest.approx(3, abs=0.25)
    assert fit_temperature(logs - 50 + rng.normal(size=(3000, 1)), truth) == pytest.approx(fit_temperature(logs, truth), rel=1e-4)
    cooled = at_temperature(3 * logs, fit_temperature(3 * logs, truth))
    assert cooled.sum(1) == pytest.approx(1)
    assert cooled.argmax(1).tolist() == logs.argmax(1).tolist()
    assert certainty_calibration(cooled.argmax(1) == truth, cooled.max(1), bootstraps=1).ece_debiased < 0.03


def test_temperature_at_the_edges():
    logs = np.array([[0.0, -5, -np.inf], [-3, 0, -2]])
    assert fit_temperature(logs, [0, 1]) == pytest.approx(0.02, rel=0.01), "all right: as cold as allowed"
    assert at_temperature(logs, 1.0)[0, 2] == 0
    one = fit_temperature(np.array([[0.0, 2], [0, 2], [0, 2]]), [1, 0, 1], ["a", "b", "b"])
    often = fit_temperature(np.array([[0.0, 2]] * 7), [1, 0, 1, 0, 1, 0, 1], ["a", "b", "b", "b", "b", "b", "b"])
    assert one == pytest.approx(often, rel=1e-4), "each patient weighs the same"
    with pytest.raises(InputError, match="impossible"):
        fit_temperature(logs, [2, 0])
    with pytest.raises(InputError, match="True columns"):
        fit_temperature(logs, [3, 0])
    with pytest.raises(InputError, match="Temperature"):
        at_temperature(logs, 0)
