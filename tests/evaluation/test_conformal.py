"""Intervals hold on fresh patients what they say, or say that they cannot."""

import json
import math

import numpy as np
import pytest

from spinelab.core import InputError
from spinelab.evaluation import Conformal, fit_conformal, interval_agreement, least_patients


def drawn(rng, patients, films=1):
    """Errors whose size follows the model's spread, imperfectly; films of a patient share a part of it."""
    shared = np.repeat(rng.gamma(2, 1, patients), films)
    spread = shared * rng.gamma(4, 0.25, patients * films)
    heavy = rng.standard_t(5, patients * films) + 0.7 * np.repeat(rng.normal(size=patients), films)
    return heavy * (0.3 + 0.8 * shared), spread, np.repeat(np.arange(patients), films)


@pytest.mark.parametrize(("patients", "films"), [(40, 1), (120, 1), (60, 4)])
def test_coverage_on_fresh_patients_is_the_stated_one(patients, films):
    """Mean coverage over calibrations; its standard error is about .0015, the finite-sample expectation is ceil(.95 (P + 1)) / (P + 1)."""
    rng, held = np.random.default_rng(patients + films), []
    for _ in range(250):
        error, spread, owner = drawn(rng, patients, films)
        conformal = fit_conformal(error, spread, owner)
        fresh, stated, _ = drawn(rng, 200)
        lo, hi = conformal.interval(0.0, stated)
        held.append(((lo <= fresh) & (fresh <= hi)).mean())
    expected = math.ceil(0.95 * (patients + 1)) / (patients + 1)
    assert 0.944 < np.mean(held) < expected + 0.012


def test_pooled_out_of_fold_errors_hold_for_the_model_trained_on_all():
    rng, held = np.random.default_rng(7), []
    for _ in range(150):
        x = rng.normal(size=(80, 6))
        y = x @ np.arange(6) + rng.normal(0, 2, 80)
        fold = np.arange(80) % 5
        error = np.concatenate([x[fold == k] @ np.linalg.lstsq(x[fold != k], y[fold != k])[0] - y[fold == k] for k in range(5)])
        conformal = fit_conformal(error, np.ones(80), out_of_fold=True)
        fresh = rng.normal(size=(300, 6))
        lo, hi = conformal.interval(fresh @ np.linalg.lstsq(x, y)[0], np.ones(300))
        truth = fresh @ np.arange(6) + rng.normal(0, 2, 300)
        held.append(((lo <= truth) & (truth <= hi)).mean())
    assert 0.94 < np.mean(held) < 0.965


def test_coverage_varies_between_calibrations_as_foretold():
    rng, held = np.random.default_rng(5), []
    for _ in range(300):
        error, spread, _ = drawn(rng, 60)
        conformal = fit_conformal(error, spread, floor=0.5)
        fresh, stated, _ = drawn(rng, 2000)
        held.append((np.abs(fresh) <= conformal.half_width(stated)).mean())
    foretold = conformal.expected_coverage(0.9)
    assert np.mean(held) == pytest.approx(foretold.value, abs=0.005)
    assert np.mean((foretold.lo <= np.array(held)) & (np.array(held) <= foretold.hi)) == pytest.approx(0.9, abs=0.05)


def test_width_follows_the_spread_so_that_every_tercile_is_held():
    rng = np.random.default_rng(8)
    spread = rng.gamma(2, 1.5, 8000)
    error = rng.normal(size=8000) * (0.5 + spread)
    scaled = fit_conformal(error[:4000], spread[:4000])
    lo, hi = scaled.interval(0.0, spread[4000:])
    by_width = interval_agreement(lo, hi, error[4000:], bootstraps=50)["by_width"]
    assert all(abs(row["coverage"]["value"] - 0.95) < 0.02 for row in by_width)
    assert scaled.floor == pytest.approx(0.5, rel=0.5)
    constant = fit_conformal(error[:4000], np.ones(4000))
    small = spread[4000:] < np.quantile(spread, 1 / 3)
    assert (np.abs(error[4000:]) <= constant.half_width(1.0))[small].mean() > 0.985


def test_a_useless_spread_is_found_out_and_the_width_becomes_constant():
    rng = np.random.default_rng(2)
    conformal = fit_conformal(rng.normal(size=3000), rng.gamma(1, 1, 3000))
    assert conformal.half_width(5.0) / conformal.half_width(0.1) < 1.6


def test_scale_is_the_finite_sample_quantile():
    errors = np.random.default_rng(0).permutation(np.arange(1, 101) * np.tile([-1, 1], 50))
    assert fit_conformal(errors, np.ones(100), floor=0).scale == 96  # ceil(.95 * 101) = 96
    assert fit_conformal(errors, np.ones(100), floor=0, level=0.8).scale == 81
    assert fit_conformal(errors, np.full(100, 0.5), floor=0.5).scale == 96


def test_ten_copies_of_a_film_teach_no_more_than_one():
    error, spread, owner = drawn(np.random.default_rng(1), 50)
    once, often = fit_conformal(error, spread, owner), fit_conformal(*(np.repeat(column, 10) for column in (error, spread, owner)))
    assert often.scale == pytest.approx(once.scale)
    assert often.floor == once.floor
    assert (once.films, often.films, often.patients) == (50, 500, 50)


@pytest.mark.parametrize(
    ("patients", "enough", "told"), [(18, False, "promises nothing"), (19, False, "largest error"), (38, False, "39"), (39, True, "holds 95 %")]
)
def test_too_few_patients_are_told(patients, enough, told):
    errors = np.arange(1.0, patients + 1)
    conformal = fit_conformal(errors, np.ones(patients), floor=0)
    assert conformal.enough is enough
    assert told in conformal.note
    assert f"{patients} held-out patients" in conformal.note
    assert conformal.scale == (patients if not enough else patients - 1)
    assert least_patients() == 19
    assert least_patients(beyond_largest=True) == 39
    assert least_patients(0.9) == 9


def test_intervals_are_cut_where_the_quantity_ends():
    conformal = fit_conformal(np.linspace(-4, 4, 99), np.ones(99), floor=0, bounds=(0, 90))
    lo, hi = conformal.interval([2.0, 30, 89], [1.0, 1, 1])
    assert lo.tolist() == [0, pytest.approx(30 - conformal.scale), pytest.approx(89 - conformal.scale)]
    assert hi.tolist() == [pytest.approx(2 + conformal.scale), pytest.approx(30 + conformal.scale), 90]
    one_lo, one_hi = conformal.interval(10.0, np.nan)
    assert np.isnan(one_lo)
    assert np.isnan(one_hi)


def test_state_survives_json():
    conformal = fit_conformal(*drawn(np.random.default_rng(3), 60), bounds=(0, None), out_of_fold=True)
    assert Conformal.from_dict(json.loads(json.dumps(conformal.to_dict(), allow_nan=False))) == conformal
    assert "out of fold" in conformal.note
    with pytest.raises(InputError, match="other fields"):
        Conformal.from_dict({"scale": 1.0})
    with pytest.raises(InputError, match="finite"):
        Conformal.from_dict(conformal.to_dict() | {"scale": math.inf})


def test_withheld_measurements_are_left_out_and_nonsense_is_refused():
    error, spread, owner = drawn(np.random.default_rng(4), 45)
    holed = fit_conformal(np.r_[error, np.nan, 1.0], np.r_[spread, 1.0, np.nan], np.r_[owner, 98, 99])
    assert holed.scale == fit_conformal(error, spread, owner).scale
    assert holed.patients == 45
    with pytest.raises(InputError, match="spread"):
        fit_conformal([1.0, 2.0], [1.0, -1.0])
    with pytest.raises(InputError, match="No errors"):
        fit_conformal([np.nan], [1.0])
    with pytest.raises(InputError, match="floor of 0"):
        fit_conformal([1.0, 2.0], [0.0, 1.0], floor=0)
    assert fit_conformal([1.0, 2.0], [0.0, 0.0]).half_width(0.0) == 2.0
