"""Outside numbers for agreement: R 4.2.2 (psych 2.2.9; the call beside each) and figures printed in the papers."""

import json

import numpy as np
import pytest

from spinelab.core import InputError
from spinelab.evaluation import bland_altman, debiased_error, error_metrics, fit_temperature, icc, interval_score, lins_ccc, pearson, smape, wilcoxon_test

# fmt: off
# Shrout and Fleiss 1979, table 2: six subjects, four judges
JUDGES = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], dtype=float)
# Bland and Altman 1986, table 1: peak expiratory flow, first reading by each meter (l/min)
WRIGHT = [494, 395, 516, 434, 476, 557, 413, 442, 650, 433, 417, 656, 267, 478, 178, 423, 427]
MINI = [512, 430, 520, 428, 500, 600, 364, 380, 658, 445, 432, 626, 260, 477, 259, 350, 451]
# Bland and Altman 1999 and 2007: cardiac output (l/min) of 12 patients by two methods, 3 to 6 times each
PATIENT = np.repeat(np.arange(12), [5, 4, 6, 5, 6, 4, 4, 6, 3, 5, 6, 6])
RV = [7.83, 7.42, 7.89, 7.12, 7.88, 6.16, 7.26, 6.71, 6.54, 4.75, 5.24, 4.86, 4.78, 6.05, 5.42, 4.21, 3.61, 3.72, 3.87, 3.92, 3.13, 2.98, 2.85, 3.17, 3.09,
      3.12, 5.92, 6.42, 5.92, 6.27, 7.13, 6.62, 6.58, 6.93, 4.54, 4.81, 5.11, 5.29, 5.39, 5.57, 4.48, 4.92, 3.97, 4.22, 4.65, 4.74, 4.44, 4.5, 6.78, 6.07,
      6.52, 6.42, 6.41, 5.76, 5.06, 4.72, 4.9, 4.8, 4.9, 5.1]
IC = [6.57, 5.62, 6.9, 6.57, 6.35, 4.06, 4.29, 4.26, 4.09, 4.71, 5.5, 5.08, 5.02, 6.01, 5.67, 4.14, 4.2, 4.61, 4.68, 5.04, 3.03, 2.86, 2.77, 2.46, 2.32,
      2.43, 5.9, 5.81, 5.7, 5.76, 5.09, 4.63, 4.61, 5.09, 4.72, 4.61, 4.36, 4.2, 4.36, 4.2, 3.17, 3.12, 2.96, 4.35, 4.62, 3.16, 3.53, 3.53, 7.2, 6.09,
      7.0, 7.1, 7.4, 6.8, 4.5, 4.2, 3.8, 3.8, 4.2, 4.5]
# 18 of those pairs, the example of R's SimplyAgree
FIRST = [7.83, 7.42, 7.89, 7.12, 6.16, 7.26, 6.71, 4.75, 5.24, 4.86, 4.78, 6.05, 5.42, 4.21, 3.61, 3.72, 3.87, 3.92]
SECOND = [6.57, 5.62, 6.9, 6.57, 4.06, 4.29, 4.26, 4.71, 5.5, 5.08, 5.02, 6.01, 5.67, 4.14, 4.2, 4.61, 4.68, 5.04]
READERS = np.array([[10.2, 25.1, 33.0, 41.7, 18.4, 52.6, 12.9, 28.8, 36.1, 45.0, 22.2, 60.3],
                    [11.0, 24.2, 35.1, 43.9, 17.7, 55.0, 14.1, 29.9, 35.8, 47.2, 23.5, 61.1],
                    [9.1, 26.3, 31.8, 42.2, 19.9, 53.1, 11.2, 27.5, 37.4, 44.1, 20.8, 58.9]]).T
LOG_POSTERIORS = np.array([
    -1.92, 1.57, 3.47, -0.59, -0.62, -0.7, 0.52, 3.4, 1.38, -2.3, -1.59, 2.45, 0.39, 0.7, 1.59, 0.06, -4.53, -0.01, 0.17, -0.32, 0.44, 2.23, 2.26, -1.77,
    -2.44, -0.91, 0.88, 2.53, -1.8, -1.77, -1.49, 1.45, -1.71, -2.26, -1.62, -1.98, -1.43, 0.53, -1.3, 0.51, -3.47, 2.11, 0.3, -2.82, -0.78, -0.62, -0.91,
    -0.14, -1.91, -2.07, -0.92, -1.3, 2.72, 1.08, 2.45, 1.83, 1.86, 0.4, -1.57, -0.42, -1.16, 1.15, 1.23, -1.88, 1.84, -0.81, -0.41, 0.51, 2.11, -3.33, 0.7,
    1.2, -0.97, 2.35, 2.03, -1.48, -0.96, 1.22, 2.32, -0.84, 0.41, 2.02, 1.91, -3.8, -0.14, -2.58, -1.37, -2.27, 0.37, 0.96, 1.8, -0.06, -0.93, 1.7, 0.93,
    -0.56, 1.46, 2.05, -0.83, 1.47, 0.53, 3.24, -0.7, 0.46, -1.44, 1.41, 1.5, -0.91, 2.6, 2.43, 0.03, 0.08, 0.77, 0.43, -1.96, -1.98, 0.38, 1.59, -0.31,
    -0.1]).reshape(40, 3)
TRUE_NAMING = [1, 0, 0, 2, 2, 1, 1, 1, 2, 0, 1, 1, 1, 0, 1, 2, 2, 1, 0, 0, 2, 1, 1, 2, 2, 2, 2, 0, 2, 2, 0, 2, 1, 1, 1, 1, 1, 2, 2, 2]
# fmt: on

# R: psych::ICC(judges, lmer = FALSE)$results; Shrout and Fleiss print .17 .29 .71 .44 .62 .91
SHROUT_FLEISS = {
    "ICC(1,1)": (0.1657417684, -0.13293232487, 0.7225600623, 1.794678492, 5, 18, 0.1647688083446),
    "ICC(2,1)": (0.2897637795, 0.01878651337, 0.7610843696, 11.027247956, 5, 15, 0.0001345665165),
    "ICC(3,1)": (0.7148407148, 0.34246476503, 0.9458582600, 11.027247956, 5, 15, 0.0001345665165),
    "ICC(1,k)": (0.4427971337, -0.88444215524, 0.9124154203, 1.794678492, 5, 18, 0.1647688083446),
    "ICC(2,k)": (0.6200505476, 0.07113681530, 0.9272320402, 11.027247956, 5, 15, 0.0001345665165),
    "ICC(3,k)": (0.9093155424, 0.67567471382, 0.9858916782, 11.027247956, 5, 15, 0.0001345665165),
}
THREE_READERS = {
    "ICC(1,1)": (0.993722921224, 0.983871462026, 0.998015734833),
    "ICC(2,1)": (0.993726223543, 0.980874037802, 0.998122982429),
    "ICC(3,1)": (0.995297076054, 0.987615998571, 0.998525802219),
    "ICC(1,k)": (0.997898847676, 0.994565385754, 0.999337702161),
    "ICC(2,k)": (0.997899957717, 0.993542339960, 0.999373543563),
    "ICC(3,k)": (0.998427428228, 0.995837635035, 0.999508117318),
}


def limits(estimate):
    return estimate.value, estimate.lo, estimate.hi


@pytest.mark.parametrize("name", sorted(SHROUT_FLEISS))
def test_icc_of_shrout_and_fleiss(name):
    form = icc(JUDGES).forms[name]
    value, lo, hi, f, df1, df2, p = SHROUT_FLEISS[name]
    assert limits(form.icc) == pytest.approx((value, lo, hi), abs=1e-9)
    assert (form.f, form.df1, form.df2, form.p) == pytest.approx((f, df1, df2, p), rel=1e-8)


@pytest.mark.parametrize("name", sorted(THREE_READERS))
def test_icc_of_three_close_readers(name):
    assert limits(icc(READERS).forms[name].icc) == pytest.approx(THREE_READERS[name], abs=1e-11)


def test_every_form_is_named_in_words():
    forms = icc(JUDGES).forms
    assert list(forms) == ["ICC(1,1)", "ICC(1,k)", "ICC(2,1)", "ICC(2,k)", "ICC(3,1)", "ICC(3,k)"]
    assert forms["ICC(2,1)"].model.startswith("two-way random")
    assert forms["ICC(2,1)"].type == "absolute agreement"
    assert forms["ICC(3,1)"].type == "consistency"
    assert forms["ICC(2,k)"].unit == "the mean of 4 readings"


def test_standard_error_of_measurement_and_detectable_change():
    # R: a <- anova(lm(x ~ subject + reader)); sqrt((a[2, 3] - a[3, 3]) / 12 + a[3, 3]); sqrt(a[3, 3]); sqrt(a[3, 3] * 22 / qchisq(c(.975, .025), 22))
    found = icc(READERS)
    assert found.sem_agreement.value == pytest.approx(1.25510070424, abs=1e-10)
    assert limits(found.sem_consistency) == pytest.approx((1.0858130129, 0.839762188555, 1.53680696832), abs=1e-9)
    assert found.mdc95_agreement.value == pytest.approx(1.96 * 2**0.5 * 1.25510070424, abs=1e-9)
    assert found.sem_agreement.lo < found.sem_agreement.value < found.sem_agreement.hi


def test_icc_refuses_or_tells_of_missing_ratings():
    holed = JUDGES.copy()
    holed[2, 1] = np.nan
    with pytest.raises(InputError, match="1 of 6 subjects lack a rating"):
        icc(holed)
    found = icc(holed, missing="drop")
    assert (found.subjects, found.dropped) == (5, 1)
    assert "1 of 6 subjects left out" in found.note
    assert found.forms["ICC(2,1)"].icc == icc(np.delete(JUDGES, 2, axis=0)).forms["ICC(2,1)"].icc
    with pytest.raises(InputError):
        icc(JUDGES[:, :1])


def test_icc_of_perfect_agreement_has_no_interval():
    found = icc(np.repeat(JUDGES[:, :1], 3, axis=1))
    assert limits(found.forms["ICC(2,1)"].icc) == (1.0, None, None)
    assert "agree exactly" in found.note
    assert found.sem_agreement.value == 0
    assert icc(np.ones((5, 2))).forms["ICC(1,1)"].icc.value is None


def test_bland_altman_1986():
    found = bland_altman(WRIGHT, MINI)
    # the paper: mean difference -2.1, s 38.8, 95 % interval -22.0 to 17.8, limits (2 s) -79.7 and 75.5
    assert limits(found.bias) == pytest.approx((-2.11764705882353, -22.0488376966452, 17.8135435789981), abs=1e-10)  # R: t.test(w - m)
    assert found.sd == pytest.approx(38.7651298736074, abs=1e-10)
    wide = bland_altman(WRIGHT, MINI, agreement=0.9544997361036416)
    assert (wide.lower.value, wide.upper.value) == pytest.approx((-79.7, 75.5), abs=0.1)
    # R: mean(d) + qt(c(.025, .975), 16, ncp = qnorm(.975) * sqrt(17)) * sd(d) / sqrt(17)
    assert limits(found.upper) == pytest.approx((73.8606113494646, 48.8596372990951, 119.925504177193), abs=1e-3)
    assert found.lower.lo == pytest.approx(2 * found.bias.value - found.upper.hi)
    # R: confint(lm(d ~ I((w + m) / 2)))
    assert limits(found.slope) == pytest.approx((0.0286874451525492, -0.159320063683956, 0.216694953989055), abs=1e-12)
    assert json.loads(json.dumps(found.to_dict()))["films"] == 17


@pytest.mark.parametrize(("rows", "factor"), [(10, 2.911), (20, 2.396), (30, 2.220)])
def test_exact_limits_are_the_printed_tolerance_factors(rows, factor):
    """One-sided 95 % / 95 % tolerance factors of the normal distribution (Owen 1963)."""
    difference = np.random.default_rng(rows).normal(size=rows)
    found = bland_altman(difference, np.zeros(rows), level=0.9, agreement=0.9)
    assert (found.upper.hi - found.bias.value) / found.sd == pytest.approx(factor, abs=5e-4)


def test_classical_and_mover_intervals_of_simplyagree():
    # SimplyAgree 0.1: agree_test(x, y, agree.level = .8), 90 % limits; agreement_limit(loa_calc = "mover")
    eighty = bland_altman(FIRST, SECOND, level=0.9, agreement=0.8)
    assert limits(eighty.bias) == pytest.approx((0.4383, -0.0607, 0.9374), abs=5e-5)
    assert limits(eighty.lower_classical) == pytest.approx((-1.1214, -1.8037, -0.4391), abs=5e-5)
    assert limits(eighty.upper_classical) == pytest.approx((1.9980, 1.3157, 2.6803), abs=5e-5)
    ninety_five = bland_altman(FIRST, SECOND, level=0.9)
    assert (ninety_five.lower_mover.lo, ninety_five.upper_mover.hi) == pytest.approx((-3.0117, 3.8884), abs=5e-5)


def test_bland_altman_2007_several_films_a_patient():
    found = bland_altman(RV, IC, PATIENT)
    # the paper: residual mean square .1707140, mean square of subjects 4.2090856, divisor 4.9818182, variance .98133606, limits -1.34 and 2.54 (1.96 s)
    assert found.sd**2 == pytest.approx(0.98133606, abs=1e-7)
    assert found.sd_within**2 == pytest.approx(0.170714026, abs=5e-8)
    assert found.sd_between**2 == pytest.approx((4.2090856 - 0.170714026) / 4.9818182, abs=1e-6)
    assert (found.lower.value, found.upper.value) == pytest.approx((-1.3394565, 2.5437899), abs=1e-4)
    assert found.bias.value == pytest.approx(0.6021667, abs=1e-7)
    assert (found.films, found.patients) == (60, 12)
    assert found.lower_classical.value is None
    alone = bland_altman(RV, IC)
    assert alone.sd == pytest.approx(0.9610571, abs=5e-8)
    assert found.bias.hi - found.bias.lo > 1.5 * (alone.bias.hi - alone.bias.lo)


def test_correlations_against_r():
    # R: cor.test(w, m); Lin's formula with the correction of 2000 as in epiR::epi.ccc(w, m, ci = "z-transform")
    assert limits(pearson(WRIGHT, MINI)) == pytest.approx((0.943279446890946, 0.846358808792465, 0.979731337351924), abs=1e-12)
    assert limits(lins_ccc(WRIGHT, MINI)) == pytest.approx((0.942742431427484, 0.85049187316856, 0.978726279170122), abs=1e-12)
    assert lins_ccc(WRIGHT, MINI).value == pytest.approx(lins_ccc(MINI, WRIGHT).value)
    assert pearson([1, 2, 3, 4.5], [2, 4, 6, 9.0]).value == pytest.approx(1)
    assert lins_ccc([1, 2, 3, 4.5], [2, 4, 6, 9.0]).value < 0.6
    assert pearson([1, 1, 1, 1], [1, 2, 3, 4]).value is None


def test_wilcoxon_against_r():
    # R: wilcox.test(w, m, paired = TRUE)
    assert wilcoxon_test(WRIGHT, MINI) == {"statistic": 64.0, "p": pytest.approx(0.569942041726, abs=1e-12), "patients": 17}
    assert wilcoxon_test([1, 2], [1, 2])["p"] is None
    doubled = wilcoxon_test(np.repeat(WRIGHT, 2), np.repeat(MINI, 2), np.repeat(np.arange(17), 2))
    assert doubled == wilcoxon_test(WRIGHT, MINI), "copies of a film add nothing"


def test_resampled_figures_have_the_values_of_their_formulas():
    found = error_metrics(WRIGHT, MINI, bootstraps=200)
    difference = np.subtract(WRIGHT, MINI)
    assert found["mae"].value == pytest.approx(np.abs(difference).mean())
    assert found["median_absolute_error"].value == np.median(np.abs(difference))
    assert found["p90_absolute_error"].value == pytest.approx(np.quantile(np.abs(difference), 0.9))
    assert found["rmse"].value == pytest.approx(np.sqrt((difference**2).mean()))
    assert found["sd_absolute_error"].value == pytest.approx(np.abs(difference).std(ddof=1))
    assert found["sd_difference"].value == pytest.approx(38.7651298736074)
    assert found["pearson"].value == pytest.approx(0.943279446890946, abs=1e-12)
    assert found["ccc"].value == pytest.approx(0.942742431427484, abs=1e-12)
    table = icc(np.stack([WRIGHT, MINI], axis=1))
    two = table.forms
    assert found["mdc95"].value == pytest.approx(1.96 * 2**0.5 * 38.7651298736074)
    assert found["mdc95"].value == pytest.approx(2**0.5 * table.mdc95_consistency.value)  # two readers who err alike share the difference
    assert found["icc_2_1"].value == pytest.approx(two["ICC(2,1)"].icc.value, abs=1e-12)
    assert found["icc_3_1"].value == pytest.approx(two["ICC(3,1)"].icc.value, abs=1e-12)
    assert found["within_5"].value == pytest.approx((np.abs(difference) <= 5).mean())


def test_smape_is_that_of_the_challenge():
    value, truth = [[40.0, 20, 10], [4, 2, 0], [0, 0, 0]], [[44.0, 18, 6], [2, 2, 2], [0, 0, 0]]
    # film 1: (4 + 2 + 4) / (70 + 68); film 2: (2 + 0 + 2) / (6 + 6); film 3: no angle, no error
    assert smape(value, truth).value == pytest.approx(100 * (10 / 138 + 4 / 12 + 0) / 3)
    assert smape(value, truth, variant="pooled").value == pytest.approx(100 * 14 / 150)
    assert smape(value[:2], truth[:2]).value == pytest.approx(smape(truth[:2], value[:2]).value)
    assert smape([[1.0, np.nan]], [[1.0, 2.0]]).value is None
    with pytest.raises(InputError, match="Negative"):
        smape([-3.0], [3.0])


def test_interval_score_against_r():
    # R: mean((b - a) + 40 * (a - x) * (x < a) + 40 * (x - b) * (x > b))
    score = interval_score([2, 2, 3, 0, 4, 5, 2, 1, 5, 4], [4, 3, 5, 2, 6, 8, 4, 5, 6, 9], [3, 1, 4, 1, 5, 9, 2, 6, 5, 3])
    assert score.mean() == pytest.approx(18.4)


def test_temperature_against_r():
    # R: optimize(function(t) -mean(log(exp(lp[cbind(1:n, truth)] / t) / rowSums(exp(lp / t)))), c(.1, 20))
    assert fit_temperature(LOG_POSTERIORS, TRUE_NAMING) == pytest.approx(2.29691217537, abs=1e-5)


def test_debiased_calibration_error_against_its_simulation():
    # R: 2 * plain - mean(replicate(4e5, sum(w * abs(p - rnorm(4, y, sqrt(y * (1 - y) / n))))))
    found = debiased_error(np.array([0.25, 0.65, 0.85, 0.95]), np.array([0.3, 0.6, 0.7, 0.99]), np.array([20, 30, 50, 100]))
    assert found == pytest.approx(0.0608996, abs=1e-4)
