"""The resampled figures equal the loop that they replace, obey their laws, cover, and are quick."""

import json

import numpy as np
import pytest

from spinelab.core import InputError
from spinelab.evaluation import (
    Resamples,
    bland_altman,
    clustered_wilson,
    error_metrics,
    form_key,
    icc,
    interval_agreement,
    lins_ccc,
    measurement_agreement,
    pearson,
    readers_table,
    smape,
    wilcoxon_test,
    wilson,
)
from spinelab.evaluation.resampling import draw_indices


def made(films=60, patients=25, seed=0):
    rng = np.random.default_rng(seed)
    owner = np.r_[np.arange(patients), rng.integers(0, patients, films - patients)]
    truth = rng.gamma(4, 8, films)
    spread = rng.gamma(3, 1, films)
    value = np.abs(truth + rng.normal(0, spread) + rng.normal(0, 1, patients)[owner])
    return value, truth, owner, spread


def rows_of_resamples(owner, bootstraps):
    return [np.concatenate([np.flatnonzero(owner == patient) for patient in drawn]) for drawn in draw_indices(len(np.unique(owner)), bootstraps, 0)]


@pytest.mark.parametrize(("rows", "patients"), [(1, 1), (2, 2), (5, 3), (97, 30), (101, 101)])
def test_every_resampled_quantile_is_that_of_numpy(rows, patients):
    rng = np.random.default_rng(rows)
    owner = rng.permutation(np.r_[np.arange(patients), rng.integers(0, patients, rows - patients)])
    column = np.round(rng.normal(size=rows), 1)
    draws = Resamples.of(owner, bootstraps=25)
    for q in (0, 0.25, 0.5, 0.9, 1):
        found = draws.quantile(column, q)
        assert found.value == pytest.approx(np.quantile(column, q))
        assert found.samples == pytest.approx([np.quantile(column[drawn], q) for drawn in rows_of_resamples(owner, 25)])


def test_every_figure_of_every_resample_equals_the_loop():
    value, truth, owner, _ = made()
    draws = rows_of_resamples(owner, 40)
    fast = error_metrics(value, truth, owner, bootstraps=40)
    slow = [{name: e.value for name, e in error_metrics(value[rows], truth[rows], bootstraps=0).items()} for rows in draws]
    for name in set(fast) - {"within_5"}:
        assert (fast[name].lo, fast[name].hi) == pytest.approx(tuple(np.quantile([row[name] for row in slow], [0.025, 0.975])), abs=1e-9), name
    assert fast["pearson"].value == pytest.approx(pearson(value, truth).value)
    assert fast["ccc"].value == pytest.approx(lins_ccc(value, truth).value)
    three = np.stack([value, truth, value + 1], axis=1), np.stack([truth, truth, truth], axis=1)
    whole = smape(*three, owner, bootstraps=40)
    assert (whole.lo, whole.hi) == pytest.approx(tuple(np.quantile([smape(three[0][r], three[1][r], bootstraps=0).value for r in draws], [0.025, 0.975])))


def test_figures_do_not_depend_on_the_order_of_the_films():
    value, truth, owner, _ = made()
    mixed = np.random.default_rng(9).permutation(len(value))
    first, second = error_metrics(value, truth, owner, bootstraps=50), error_metrics(value[mixed], truth[mixed], owner[mixed], bootstraps=50)
    for name, estimate in first.items():
        assert (estimate.value, estimate.lo, estimate.hi) == pytest.approx((second[name].value, second[name].lo, second[name].hi)), name


def test_shifting_and_scaling_do_what_they_must():
    value, truth, owner, _ = made()
    plain, moved, larger = (error_metrics(a, b, owner, bootstraps=0) for a, b in ((value, truth), (value + 7, truth), (3 * value, 3 * truth)))
    assert moved["bias"].value == pytest.approx(plain["bias"].value + 7)
    assert moved["sd_difference"].value == pytest.approx(plain["sd_difference"].value)
    assert moved["pearson"].value == pytest.approx(plain["pearson"].value)
    assert moved["ccc"].value < plain["ccc"].value
    assert moved["icc_3_1"].value == pytest.approx(plain["icc_3_1"].value)
    assert moved["icc_2_1"].value < plain["icc_2_1"].value
    assert larger["mae"].value == pytest.approx(3 * plain["mae"].value)
    assert larger["smape"].value == pytest.approx(plain["smape"].value)
    assert "smape" not in error_metrics(value - 100, truth, owner, bootstraps=0)


def test_several_films_a_patient_widen_the_intervals():
    value, truth, owner, _ = made(films=40, patients=40)
    copied = [np.repeat(column, 5) for column in (value, truth, owner)]
    once, often, naive = error_metrics(value, truth, owner), error_metrics(*copied), error_metrics(*copied[:2])
    assert (often["mae"].lo, often["mae"].hi) == pytest.approx((once["mae"].lo, once["mae"].hi), abs=1e-9)
    assert naive["mae"].hi - naive["mae"].lo < 0.6 * (once["mae"].hi - once["mae"].lo)
    assert often["within_5"].lo == pytest.approx(once["within_5"].lo, abs=0.02)


def test_clustered_wilson_is_wilson_for_one_film_a_patient_and_covers_for_several():
    assert clustered_wilson([True] * 17 + [False] * 3, np.arange(20)) == wilson(17, 20)
    assert clustered_wilson([True] * 40, np.repeat(np.arange(8), 5)).lo == wilson(8, 8).lo
    assert clustered_wilson([], []).value is None
    rng, held, naive = np.random.default_rng(1), 0, 0
    for _ in range(400):
        chance = np.repeat(rng.beta(8 * 0.5, 2 * 0.5, 50), 6)
        right = rng.random(300) < chance
        clustered, plain = clustered_wilson(right, np.repeat(np.arange(50), 6)), wilson(int(right.sum()), 300)
        held += clustered.lo <= 0.8 <= clustered.hi
        naive += plain.lo <= 0.8 <= plain.hi
    assert held / 400 > 0.915
    assert naive / 400 < 0.9


@pytest.mark.parametrize("films", [1, 4])
def test_limits_of_agreement_are_covered(films):
    rng, patients, hits = np.random.default_rng(films), 20, np.zeros(3)
    truth = 0.5 + np.array([0, -1.959964, 1.959964]) * np.sqrt((0.8**2 if films > 1 else 0) + 0.5**2)
    for _ in range(400):
        between = 0.8 * np.repeat(rng.normal(size=patients), films) if films > 1 else 0
        difference = 0.5 + between + rng.normal(0, 0.5, patients * films)
        found = bland_altman(difference, np.zeros(patients * films), np.repeat(np.arange(patients), films))
        hits += [estimate.lo <= true <= estimate.hi for estimate, true in zip((found.bias, found.lower, found.upper), truth, strict=True)]
    assert ((hits / 400 > 0.92) & (hits / 400 < 0.98)).all(), hits / 400


def test_proportional_bias_is_found_and_none_is_invented():
    rng = np.random.default_rng(3)
    truth = rng.uniform(10, 60, 200)
    grows = bland_altman(1.2 * truth + rng.normal(0, 2, 200), truth).slope
    assert grows.lo > 0.1
    assert grows.value == pytest.approx(2 * 0.2 / 2.2, abs=0.03)
    none = bland_altman(truth + rng.normal(0, 2, 200), truth + rng.normal(0, 2, 200)).slope
    assert none.lo < 0 < none.hi


def test_too_few_to_bound():
    alone = bland_altman([3.0, 4.0], [1.0, 2.0], ["a", "a"])
    assert alone.bias.value == 2.0
    assert alone.lower.value is None
    assert "fewer than two patients" in alone.note
    assert bland_altman([np.nan], [1.0]).bias.value is None
    assert "1 pair with a missing number" in bland_altman([1.0, np.nan, 2, 4], [1.0, 2, 3, 4]).note


def test_the_whole_report_is_json_and_counts_what_was_withheld():
    value, truth, owner, spread = made(80, 30)
    value[[3, 7]], truth[11] = np.nan, np.nan
    report = measurement_agreement(value, truth, owner, value - 2 * spread, value + 2 * spread, bootstraps=200)
    assert (report["n"], report["films"], report["withheld"], report["without_reference"]) == (77, 80, 2, 1)
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    assert report["metrics"]["mae"]["lo"] < report["metrics"]["mae"]["value"] < report["metrics"]["mae"]["hi"]
    assert 0.8 < report["interval"]["coverage"]["value"] <= 1
    assert report["interval"]["n"] == 77
    assert report["metrics"]["bias"] == report["bland_altman"]["bias"]
    assert sum(row["n"] for row in report["interval"]["by_width"]) == 77
    assert "interval" not in measurement_agreement(value, truth, owner, bootstraps=10)
    nothing = measurement_agreement([np.nan], [1.0])
    assert nothing == {"n": 0, "patients": 0, "films": 1, "withheld": 1, "without_reference": 0}
    with pytest.raises(InputError, match="different shapes"):
        measurement_agreement([1.0, 2.0], [1.0])
    with pytest.raises(InputError, match="3 patients for 2 rows"):
        measurement_agreement([1.0, 2.0], [1.0, 2.0], ["a", "b", "c"])


@pytest.mark.parametrize(
    ("value", "truth", "patients"),
    [([1.0], [2.0], None), ([1.0, 2, 3], [1.0, 2, 3], None), ([5.0] * 4, [5.0] * 4, None), ([0.0] * 3, [0.0] * 3, None), ([1.0, 2, 4], [1.0, 3, 3], ["a"] * 3)],
    ids=["one film", "perfect", "constant", "zero", "one patient"],
)
def test_small_and_perfect_samples_give_values_without_limits_and_no_warning(value, truth, patients):
    report = measurement_agreement(value, truth, patients, np.array(value) - 1, np.array(value) + 1, bootstraps=50)
    json.dumps(report, allow_nan=False)
    assert report["metrics"]["mae"]["value"] == pytest.approx(np.abs(np.subtract(value, truth)).mean())
    assert report["metrics"]["mae"]["lo"] is None or report["metrics"]["mae"]["lo"] < report["metrics"]["mae"]["hi"]
    assert report["metrics"]["within_5"]["lo"] < 1


def test_intervals_are_judged_by_hand():
    found = interval_agreement([0, 0, 0, 0, np.nan], [1, 2, 3, 4, 5], [0.5, 3, -1, 4, 1], bootstraps=50)
    assert (found["n"], found["coverage"]["value"], found["below"], found["above"]) == (4, 0.5, 0.25, 0.25)
    assert found["mean_width"]["value"] == 2.5
    assert found["interval_score"]["value"] == pytest.approx((1 + 2 + 40 + 3 + 40 + 4) / 4)
    assert [row["n"] for row in found["by_width"]] == [2, 1, 1]
    assert interval_agreement([np.nan], [1], [1])["n"] == 0
    assert interval_agreement([1, 1], [2, 2], [1.5, 1.5], bootstraps=20)["by_width"][0]["n"] == 2
    for lo, hi in ((2, 1), (0, np.inf)):
        with pytest.raises(InputError, match="infinite or have the lower limit above"):
            interval_agreement([lo], [hi], [1])


def test_readers_by_pair_and_together():
    rng = np.random.default_rng(6)
    ratings = rng.gamma(4, 8, 40)[:, None] + rng.normal([0, 1, 5], [1, 1, 1], (40, 3))
    ratings[0, 2] = np.nan
    table = readers_table(ratings, ["A", "B", "model"])
    assert [(row["a"], row["b"], row["n"]) for row in table["pairs"]] == [("A", "B", 40), ("A", "model", 39), ("B", "model", 39)]
    assert table["readers"][2] == {"reader": "model", "n": 39, "missing": 1}
    assert table["overall"]["dropped"] == 1
    assert "1 of 40 films left out" in table["overall"]["note"]
    pair = table["pairs"][1]
    assert pair["bland_altman"]["bias"] == bland_altman(ratings[1:, 0], ratings[1:, 2]).to_dict()["bias"]
    assert pair["mdc95_agreement"]["value"] == pytest.approx(icc(ratings[1:, [0, 2]]).mdc95_agreement.value)
    for name, form in icc(ratings[1:, [0, 2]]).forms.items():
        assert pair[form_key(name)] == form.icc.to_dict()
    assert pair["wilcoxon"]["p"] < 0.001
    assert pair["mdc95_agreement"]["value"] > pair["mdc95_consistency"]["value"]
    assert json.loads(json.dumps(table, allow_nan=False)) == table
    few = readers_table(ratings[:6])
    assert few["overall"]["note"] == few["pairs"][0]["note"] == "too few to say (fewer than 10 patients)"
    alone = readers_table(ratings[1:4], patients=["a"] * 3, least=1)
    assert alone["overall"]["note"] == alone["pairs"][0]["note"] == "too few to say (fewer than 2 patients)"
    clustered = readers_table(ratings[1:], patients=np.arange(39) // 2)
    assert "several films a patient" in clustered["overall"]["note"]
    assert clustered["overall"]["subjects"] == 20
    assert clustered["pairs"][0]["bland_altman"]["films"] == 39
    with pytest.raises(InputError):
        readers_table(ratings, ["A"])


@pytest.mark.parametrize("seed", range(4))
def test_few_films_never_give_an_icc_beyond_its_bounds(seed):
    """Draws of one film over and over have no variance; what rounding leaves of it once made limits of 2.0 and of -1.8e14."""
    rng = np.random.default_rng(seed)
    truth = rng.uniform(6, 46, 4)
    found = error_metrics(truth + rng.normal(0, 8, 4), truth, ["a", "a", "b", "c"], seed=seed)
    for form in ("icc_1_1", "icc_2_1", "icc_3_1"):
        limits = [limit for limit in (found[form].lo, found[form].hi) if limit is not None]
        assert all(-1 - 1e-9 <= limit <= 1 + 1e-9 for limit in limits), form
    for form in ("icc_1_k", "icc_2_k", "icc_3_k"):
        limits = [limit for limit in (found[form].value, found[form].hi) if limit is not None]
        assert all(limit <= 1 + 1e-9 for limit in limits), form
        assert found[form].lo is None or found[form].lo > -1e6, form


def test_readers_who_agree_no_more_than_by_chance_have_an_icc_without_limits():
    """Where the subjects' means are all equal the F ratio is 0; Satterthwaite's limits then divided by zero, or were nan."""
    for table in ([[1.0, 0], [0, 1], [0, 1], [1, 0]], [[1.0, 1, 3], [1, 3, 1]], [[3.0, 1], [2, 2]], [[3.0, 0], [2, 1], [1, 2]]):
        found = icc(table)
        assert found.forms["ICC(3,1)"].icc.value == pytest.approx(-1 / (len(table[0]) - 1))
        json.dumps(found.to_dict(), allow_nan=False)
        assert all(form.icc.lo is form.icc.hi is None for form in found.forms.values())


def test_limits_of_an_icc_are_numbers_on_either_side_of_it():
    rng = np.random.default_rng(8)
    for _ in range(400):
        for form in icc(rng.integers(0, 4, (rng.integers(2, 5), rng.integers(2, 4)))).forms.values():
            if form.icc.value is not None and form.icc.lo is not None and form.icc.hi is not None:
                assert form.icc.lo - 1e-9 <= form.icc.value <= form.icc.hi + 1e-9, form


def test_the_icc_of_a_mean_of_readings_that_contradict_each_other_does_not_exist():
    """Spearman and Brown's step has a pole at -1: the mean of two readings that mirror each other once had an ICC of 10."""
    value = np.arange(10.0)
    found, whole = error_metrics(value, value[::-1] + 0.01, bootstraps=50), icc(np.c_[value, value[::-1] + 0.01])
    for form in ("icc_1_k", "icc_2_k", "icc_3_k"):
        assert found[form].value is found[form].lo is found[form].hi is None
    for name, form in whole.forms.items():
        ours = found[form_key(name)].value
        assert ours == form.icc.value or ours == pytest.approx(form.icc.value)


def test_what_is_left_of_rounding_is_no_spread():
    """45.3 - 45.1 and 30.3 - 30.1 are not the same number to a computer; a mean that is the same on every film carries no slope."""
    rng = np.random.default_rng(4)
    apart = rng.normal(size=20)
    assert bland_altman(10.1 + apart, 10.1 - apart).slope.value is None
    truth = rng.normal(30, 10, 20)
    for owner in (None, np.arange(20) // 2):
        shifted = bland_altman(truth + 5.1, truth, owner)
        assert shifted.sd == 0
        for one in (shifted.bias, shifted.lower, shifted.upper, shifted.lower_mover, shifted.upper_mover):
            assert one.value == pytest.approx(5.1)
            assert one.lo is one.hi is None
        errors = error_metrics(truth + 5.1, truth, owner, bootstraps=50)
        assert errors["sd_difference"].value == errors["mdc95"].value == errors["sd_absolute_error"].value == 0


def test_wilcoxon_sees_ties_and_zeros_that_rounding_hides():
    """20.3 - 20.1 and 10.3 - 10.1 are one rank, and films of a patient that cancel out are no difference."""
    whole = wilcoxon_test([203, 103, 53, 73, 11], [201, 101, 51, 75, 10])
    tenths = wilcoxon_test([20.3, 10.3, 5.3, 7.3, 1.1], [20.1, 10.1, 5.1, 7.5, 1.0])
    assert tenths == whole
    assert wilcoxon_test([20.1, 10.0, 5.0], [20.0, 10.1, 5.0], ["a", "a", "b"])["p"] is None
