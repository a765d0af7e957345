"""Outside numbers: R 4.2.2 (pROC 1.18.0, psych 2.2.9; the call beside each) and scikit-learn."""

from pathlib import Path

import numpy as np
import pytest
from sklearn import metrics as sk

from spinelab.evaluation import (
    METRICS,
    auroc,
    calibration_curve,
    corrected_resampled_t,
    delong_interval,
    delong_test,
    delong_variance,
    holm,
    interval_halfwidth_wilson,
    mcnemar,
    patients_needed,
    pr_curve,
    roc_curve,
    wilson,
)

# fmt: off
TRUTH = np.array([1, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 0, 1, 1, 0, 0, 1, 0, 1, 0, 0, 0, 1, 1, 1, 1, 1, 0, 1, 0, 1, 0])
A = np.array([0.35, 0.61, 0.12, 0.32, 0.95, 0.03, 0.1, 0.52, 0.34, 0.07, 0.26, 0.3, 0.35, 0.04, 0.81, 0.92, 0.77, 0.52, 0.55, 0.03,
              0.78, 0.91, 0.46, 0.02, 0.59, 0.29, 0.58, 0.56, 0.07, 0.18, 0.8, 0.86, 0.72, 0.86, 0.79, 0.13, 0.89, 0.21, 0.3, 0.41])
B = np.array([0.9, 0.64, 0.65, 0.45, 0.11, 0.57, 0.44, 0.1, 0.26, 0.22, 0.66, 0.43, 0.47, 0.46, 0.28, 0.17, 0.61, 0.53, 0.6, 0.36,
              0.48, 0.72, 0.45, 0.26, 0.18, 0.05, 0.26, 0.37, 0.63, 0.31, 0.75, 0.83, 0.94, 0.67, 0.87, 0.46, 0.3, 0.06, 0.67, 0.62])
GRADE = np.array([0, 2, 0, 0, 2, 0, 1, 1, 0, 0, 1, 0, 1, 0, 1, 0, 1, 1, 2, 0, 0, 2, 0, 0, 2, 1, 1, 1, 1, 2, 1, 0, 1, 2, 2, 1, 1, 2, 2, 0])
READ = np.array([0, 2, 2, 0, 2, 1, 1, 1, 0, 0, 1, 0, 1, 2, 1, 0, 1, 1, 1, 0, 0, 2, 1, 0, 1, 2, 1, 0, 2, 2, 1, 0, 1, 2, 2, 1, 1, 1, 2, 0])
# fmt: on
TWO = np.stack([1 - A, A], axis=1)
THREE = np.eye(3)[READ] * 0.5 + np.array([0.1, 0.15, 0.25])

# R: roc(truth, a, direction = "<"); t <- table(truth, a > .5), read off t; cor(truth, a > .5); mean((a - truth)^2); AP as sum(diff(c(0, R)) * P)
BINARY = {
    "accuracy": 0.9,
    "balanced_accuracy": (17 / 19 + 19 / 21) / 2,
    "sensitivity": 0.894736842105263,
    "specificity": 0.904761904761905,
    "precision": 0.894736842105263,
    "recall": 0.894736842105263,
    "f1": 0.894736842105263,
    "mcc": 0.799498746867168,
    "auroc": 0.949874686716792,
    "average_precision": 0.948423357191981,
    "brier": 0.1016875,
    "log_loss": 0.339981998904736,
}
# R: t <- table(grade, read); rec <- diag(t) / rowSums(t); pre <- diag(t) / colSums(t); f <- 2 * diag(t) / (rowSums(t) + colSums(t)); sup <- rowSums(t) / sum(t)
# R: RK from cov() of the indicator matrices; psych::cohen.kappa(cbind(grade, read))
MULTICLASS = {
    "accuracy": 0.75,
    "balanced_accuracy": 0.744444444444444,
    "sensitivity": 0.744444444444444,
    "specificity": 0.875555555555556,
    "precision_macro": 0.752970885323826,
    "recall_macro": 0.744444444444444,
    "f1_macro": 0.743827160493827,
    "precision_micro": 0.75,
    "recall_micro": 0.75,
    "f1_micro": 0.75,
    "precision_weighted": 0.76754679144385,
    "recall_weighted": 0.75,
    "f1_weighted": 0.753472222222222,
    "mcc": 0.625001138121517,
    "cohen_kappa": 0.620853080568720,
    "quadratic_kappa": 0.664921465968586,
}


def _sk_multiclass() -> dict[str, float]:
    """scikit-learn 1.9: one-vs-rest macro areas, log loss; the Brier score summed over classes."""
    hot = np.eye(3)[GRADE]
    return {
        "auroc": sk.roc_auc_score(GRADE, THREE, multi_class="ovr", average="macro"),
        "average_precision": sk.average_precision_score(hot, THREE, average="macro"),
        "log_loss": sk.log_loss(GRADE, THREE),
        "brier": float(((THREE - hot) ** 2).sum(1).mean()),
    }


def test_every_metric_has_a_reference_value():
    assert set(METRICS) == set(BINARY) | set(MULTICLASS) | set(_sk_multiclass())


@pytest.mark.parametrize("name", sorted(BINARY))
def test_binary_metric_against_r(name):
    assert METRICS[name].function(TRUTH, TWO) == pytest.approx(BINARY[name], abs=1e-13)


@pytest.mark.parametrize("name", sorted(MULTICLASS))
def test_multiclass_metric_against_r(name):
    assert METRICS[name].function(GRADE, THREE) == pytest.approx(MULTICLASS[name], abs=1e-13)


@pytest.mark.parametrize("name", ["auroc", "average_precision", "brier", "log_loss"])
def test_multiclass_probability_metric_against_scikit_learn(name):
    assert METRICS[name].function(GRADE, THREE) == pytest.approx(_sk_multiclass()[name], abs=1e-12)


def test_other_positive_class_against_scikit_learn():
    answers = (A > 0.5).astype(int)
    assert METRICS["precision"].function(TRUTH, TWO, positive=0) == pytest.approx(sk.precision_score(TRUTH, answers, pos_label=0))
    assert METRICS["auroc"].function(TRUTH, TWO, positive=0) == pytest.approx(sk.roc_auc_score(1 - TRUTH, 1 - A))


def test_log_loss_of_a_certain_error_is_finite_as_in_scikit_learn():
    sure = np.array([[1.0, 0.0], [0.0, 1.0]])
    assert METRICS["log_loss"].function([1, 1], sure) == pytest.approx(sk.log_loss([1, 1], sure, labels=[0, 1]))


def test_wilson_against_r():
    # R: prop.test(17, 20, correct = FALSE)$conf.int; (0, 12); (45, 57, conf.level = .99)
    assert (wilson(17, 20).lo, wilson(17, 20).hi) == pytest.approx((0.639581135259243, 0.947631254103783), abs=1e-13)
    assert (wilson(0, 12).lo, wilson(0, 12).hi) == pytest.approx((0.0, 0.242494006655241), abs=1e-13)
    estimate = wilson(45, 57, 0.99)
    assert (estimate.lo, estimate.hi) == pytest.approx((0.624234939807153, 0.894348443880948), abs=1e-13)


def test_halfwidth_and_patients_needed_follow_wilson():
    estimate = wilson(17, 20)
    assert interval_halfwidth_wilson(20, 0.85) == pytest.approx((0.947631254103783 - 0.639581135259243) / 2, abs=1e-13)
    assert estimate.value == 0.85
    needed = patients_needed(0.05, 0.8)
    assert interval_halfwidth_wilson(needed, 0.8) <= 0.05 < interval_halfwidth_wilson(needed - 1, 0.8)
    assert patients_needed(0.9, 0.5) == 1


def test_delong_against_proc():
    # R: ra <- roc(truth, a); rb <- roc(truth, b); var(ra); ci.auc(ra)
    assert auroc(TRUTH, B) == pytest.approx(0.631578947368421, abs=1e-13)
    assert delong_variance(TRUTH, A) == pytest.approx(0.000905336998860281, rel=1e-12)
    assert delong_variance(TRUTH, B) == pytest.approx(0.009495386335512968, rel=1e-12)
    estimate = delong_interval(TRUTH, A)
    assert (estimate.lo, estimate.value, estimate.hi) == pytest.approx((0.890901686115054, 0.949874686716792, 1.0), abs=1e-12)


def test_delong_test_against_proc():
    # R: roc.test(ra, rb, method = "delong", paired = TRUE)
    estimate, p = delong_test(TRUTH, A, B)
    assert p == pytest.approx(0.00212863613103462, rel=1e-10)
    assert (estimate.lo, estimate.hi) == pytest.approx((0.115198461588488, 0.521393017108254), abs=1e-12)


def test_mcnemar_against_r():
    # R: binom.test(3, 16)$p.value; mcnemar.test(table(ca, cb))$p.value; 2 * pbinom(3, 16, .5) - dbinom(3, 16, .5)
    right_a, right_b = (A > 0.5) == TRUTH, (B > 0.5) == TRUTH
    assert mcnemar(right_a, right_b) == pytest.approx(0.021270751953125, abs=1e-14)
    assert mcnemar(right_a, right_b, exact=False) == pytest.approx(0.0244489453100894, abs=1e-13)
    assert mcnemar(right_a, right_b, mid_p=True) == pytest.approx(0.012725830078125, abs=1e-14)
    assert mcnemar(right_a, right_a) == 1.0


def test_corrected_resampled_t_against_r():
    # R: se <- sqrt(var(x) * (1 / k + .25)); mean(x) + qt(c(.025, .975), k - 1) * se; 2 * pt(-abs(mean(x) / se), k - 1)
    estimate, p = corrected_resampled_t([0.03, 0.05, -0.01, 0.04, 0.02, 0.06, 0.01, 0.03, 0.00, 0.05], test_fraction_ratio=0.25)
    assert (estimate.value, estimate.lo, estimate.hi, p) == pytest.approx((0.028, -0.00277790238799748, 0.05877790238799747, 0.06970737536955263), abs=1e-12)


def test_holm_against_r():
    # R: p.adjust(c(.01, .04, .03, .005, .5), "holm")
    assert holm([0.01, None, 0.04, 0.03, 0.005, 0.5]) == [pytest.approx(p) if p is not None else None for p in (0.04, None, 0.09, 0.09, 0.025, 0.5)]
    assert holm([None]) == [None]


def test_calibration_against_r():
    # R: glm(truth ~ qlogis(a), binomial); glm(truth ~ offset(qlogis(a)), binomial); tapply(truth, floor(a * 10), mean)
    curve = calibration_curve(TRUTH, A, bootstraps=50)
    assert curve.slope.value == pytest.approx(2.451823158034491, abs=1e-8)
    assert curve.intercept.value == pytest.approx(0.0989322665535568, abs=1e-8)
    assert curve.error.value == pytest.approx(0.16725, abs=1e-12)
    assert curve.predicted[[0, 3, 5]] == pytest.approx([0.0433333333333333, 0.3266666666666667, 0.5533333333333333], abs=1e-12)
    assert curve.observed[[0, 3, 5]] == pytest.approx([0, 1 / 3, 5 / 6], abs=1e-12)
    assert curve.examinations.sum() == 40


def test_curves_against_scikit_learn():
    roc = roc_curve(TRUTH, A)
    fpr, tpr, thresholds = sk.roc_curve(TRUTH, A, drop_intermediate=False)
    assert np.allclose(roc.x, fpr) and np.allclose(roc.y, tpr) and np.allclose(roc.thresholds, thresholds)
    pr = pr_curve(TRUTH, A)
    precision, recall, thresholds = sk.precision_recall_curve(TRUTH, A)
    assert np.allclose(pr.y[::-1], precision[:-1]) and np.allclose(pr.x[::-1], recall[:-1]) and np.allclose(pr.thresholds[::-1], thresholds)


def test_every_metric_is_documented():
    page = (Path(__file__).parents[2] / "docs" / "reference" / "statistics.md").read_text(encoding="utf-8")
    assert not [name for name in METRICS if f"`{name}`" not in page]
