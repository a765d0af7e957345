"""Limits of the classes as published, shares of samples, and ranges that say for whom they hold."""

import math

import numpy as np
import pytest

from spinelab.core import InputError
from spinelab.geometry import PARAMETERS, ROUSSOULY_TYPES, SCHWAB_GRADES, lordosis_apex, reference_range, roussouly, schwab, shares


@pytest.mark.parametrize(
    ("parameter", "values", "grades"),
    [
        ("pi_ll", [-15, 9.9, 10, 20, 20.1], ["0", "0", "+", "+", "++"]),
        ("sva", [-60, 39.9, 40, 95, 95.1], ["0", "0", "+", "+", "++"]),
        ("pt", [5, 19.9, 20, 30, 30.1], ["0", "0", "+", "+", "++"]),
    ],
)
def test_srs_schwab_modifiers(parameter, values, grades):
    assert [SCHWAB_GRADES[grade] for grade in schwab(parameter, values)] == grades
    assert schwab(parameter, [[math.nan], [0.0]]).tolist() == [[-1], [0]]


def test_no_modifier_for_other_parameters():
    with pytest.raises(InputError, match="tk"):
        schwab("tk", 30.0)


@pytest.mark.parametrize(
    ("ss", "pt", "kind"),
    [(30, 10, "1 or 2"), (34.9, 2, "1 or 2"), (35, 13, "3"), (45, 13, "3"), (45.1, 13, "4"), (41, 4, "3 anteverted"), (47, 1, "3 anteverted"), (47, 4, "4")],
)
def test_roussouly_types(ss, pt, kind):
    assert ROUSSOULY_TYPES[int(roussouly(ss, pt))] == kind


def test_roussouly_without_pelvic_tilt_tells_no_anteversion_and_unknown_stays_unknown():
    assert ROUSSOULY_TYPES[int(roussouly(41))] == "3"
    assert roussouly([math.nan, 40.0], [10.0, math.nan]).tolist() == [-1, -1]


def test_lordosis_apex_against_l4():
    assert lordosis_apex([-8.0, -1.0, 0.0, 2.0, 9.0, math.nan]).tolist() == [0, 1, 1, 1, 2, -1]


def test_shares_are_probabilities_over_the_known_samples():
    samples = np.random.default_rng(0).normal(20, 4, 4000)
    probability = shares(schwab("pt", samples), SCHWAB_GRADES)
    assert sum(probability.values()) == pytest.approx(1)
    assert probability["0"] == pytest.approx(0.5, abs=0.03)
    assert shares([0, 2, 2, -1], SCHWAB_GRADES) == pytest.approx({"0": 1.5 / 4.5, "+": 0.5 / 4.5, "++": 2.5 / 4.5})
    assert shares([0] * 300, SCHWAB_GRADES)["0"] == pytest.approx(300.5 / 301.5)
    assert all(math.isnan(share) for share in shares([-1, -1], SCHWAB_GRADES).values())
    with pytest.raises(InputError, match="Class"):
        shares([3], SCHWAB_GRADES)


@pytest.mark.parametrize(
    ("name", "age", "low", "high"),
    [
        ("pi", 30, 32, 74),
        ("pt", 70, 0, 27),
        ("ss", 18, 24, 55),
        ("ssa", 50, 110, 150),
        ("c2_c7", 25, -15.1, 31.1),
        ("c2_c7", 45, -10.2, 38.0),
        ("c2_c7", 75, -2.4, 41.8),
        ("t1_slope", 45, 3.2, 39.2),
        ("pi_ll", 45, -26.4, 24.6),
        ("cbva", 45, -9.7, 11.8),
        ("tpa", 30, -3.5, 18.1),
    ],
)
def test_published_ranges(name, age, low, high):
    found = reference_range(name, age_years=age, sex="F")
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.051)
    assert found.share == 0.95
    assert found.population
    assert any(year in found.source for year in ("2010", "2011", "2012", "2021", "2024"))


def test_a_range_needs_an_age_that_it_holds_for_and_the_right_unit():
    assert all(reference_range(name) is None for name in PARAMETERS)
    assert all(reference_range(name, age_years=9) is None for name in PARAMETERS)
    assert reference_range("sva", unit="px", age_years=30) is None
    assert reference_range("sva", unit="mm", age_years=30).low == pytest.approx(-51.2)
    assert reference_range("sva", unit="mm", age_years=60).high == pytest.approx(27.8)
    assert reference_range("c2_c7", age_years=85) is None
    assert reference_range("tk", age_years=40) is None
    assert reference_range("tpa", age_years=40) is not None
    assert reference_range("tpa", age_years=41) is None


def test_below_ten_degrees_is_no_scoliosis_at_any_age():
    found = reference_range("cobb_main_thoracic")
    assert (found.low, found.high) == (0, 10)
    assert "Kane" in found.source
