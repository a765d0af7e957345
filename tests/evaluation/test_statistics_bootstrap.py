"""The vectorised bootstrap equals the loop that it replaces, obeys its laws and covers."""

import numpy as np
import pytest
from sklearn import metrics as sk

from spinelab.core import InputError
from spinelab.evaluation import (
    METRICS,
    Predictions,
    auroc_interval,
    calibration_curve,
    compute_metrics,
    fold_values,
    metric_distributions,
    paired_difference,
    pr_band,
    roc_band,
    roc_curve,
)
from spinelab.evaluation.resampling import draw_counts, draw_indices


def made(n=120, classes=2, repeats=1, patients=50, seed=0, signal=1.2, decimals=2):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, classes, n)
    weight = np.round(np.exp(rng.normal(size=(repeats, n, classes)) + signal * np.eye(classes)[truth]), decimals) + 0.01
    owners = tuple(f"p{number}" for number in rng.integers(0, patients, n))
    names = tuple("abcdef"[:classes])
    return Predictions(names, tuple(f"i{i}" for i in range(n)), owners, truth, weight / weight.sum(-1, keepdims=True), np.tile(np.arange(n) % 5, (repeats, 1)))


def rows_of_resamples(predictions, bootstraps, seed):
    names = np.unique(predictions.patients)
    owned = [np.flatnonzero(np.array(predictions.patients) == name) for name in names]
    return [np.concatenate([owned[patient] for patient in drawn]) for drawn in draw_indices(len(names), bootstraps, seed)]


def taken(predictions, rows):
    images = tuple(f"{predictions.images[r]}#{i}" for i, r in enumerate(rows))
    patients = tuple(predictions.patients[r] for r in rows)
    return Predictions(predictions.classes, images, patients, predictions.truth[rows], predictions.probabilities[:, rows], predictions.folds[:, rows])


@pytest.mark.parametrize(("classes", "repeats"), [(2, 1), (2, 3), (4, 2)])
def test_every_metric_of_every_resample_equals_the_loop(classes, repeats):
    predictions = made(classes=classes, repeats=repeats)
    fast = metric_distributions(predictions, bootstraps=15, seed=3)
    for number, rows in enumerate(rows_of_resamples(predictions, 15, 3)):
        for name, spec in METRICS.items():
            if name in fast:
                slow = [spec.function(predictions.truth[rows], shares[rows]) for shares in predictions.probabilities]
                assert fast[name].samples[number] == pytest.approx(np.mean(slow), abs=1e-12, nan_ok=True), name


def test_pooled_metrics_are_those_of_scikit_learn():
    predictions = made(n=300, classes=3)
    ours = {name: e.value for name, e in compute_metrics(predictions, bootstraps=20).items()}
    answers = predictions.answers[0]
    assert ours["accuracy"] == sk.accuracy_score(predictions.truth, answers)
    assert ours["f1_macro"] == pytest.approx(sk.f1_score(predictions.truth, answers, average="macro"), abs=1e-13)
    assert ours["auroc"] == pytest.approx(sk.roc_auc_score(predictions.truth, predictions.probabilities[0], multi_class="ovr"), abs=1e-13)
    assert ours["auroc[b]"] == pytest.approx(sk.roc_auc_score(predictions.truth == 1, predictions.probabilities[0, :, 1]), abs=1e-13)
    assert ours["quadratic_kappa"] == pytest.approx(sk.cohen_kappa_score(predictions.truth, answers, weights="quadratic"), abs=1e-13)


@pytest.mark.parametrize("decimals", [0, 1, 9])
@pytest.mark.parametrize("grouped", [False, True])
def test_auroc_limits_equal_the_loop_over_scikit_learn(decimals, grouped):
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 2, 90)
    score = np.round(rng.normal(size=90) + truth, decimals)
    groups = rng.integers(0, 30, 90) if grouped else None
    if grouped:
        owned = [np.flatnonzero(groups == name) for name in np.unique(groups)]
        resamples = [np.concatenate([owned[patient] for patient in drawn]) for drawn in draw_indices(len(owned), 200, 5)]
    else:
        resamples = list(np.lexsort((truth, score))[draw_indices(90, 200, 5)])
    loop = [sk.roc_auc_score(truth[rows], score[rows]) for rows in resamples]
    estimate = auroc_interval(truth, score, groups=groups, bootstraps=200, seed=5)
    assert (estimate.lo, estimate.hi) == pytest.approx(np.quantile(loop, [0.025, 0.975]), abs=1e-12)
    assert estimate.value == pytest.approx(sk.roc_auc_score(truth, score), abs=1e-14)


def test_counts_add_up_the_draws():
    counts, indices = draw_counts(300, 700, 4), draw_indices(300, 700, 4)
    assert all((np.bincount(drawn, minlength=300) == row).all() for drawn, row in zip(indices, counts, strict=True))


def test_order_of_the_rows_changes_nothing():
    predictions = made(classes=3, repeats=2)
    rows = np.random.default_rng(8).permutation(len(predictions.truth))
    before, after = (compute_metrics(p, bootstraps=100) for p in (predictions, taken(predictions, rows)))
    for name, estimate in before.items():
        assert (estimate.value, estimate.lo, estimate.hi) == pytest.approx((after[name].value, after[name].lo, after[name].hi), abs=1e-12)
    truth, score = predictions.truth == 1, predictions.probabilities[0, :, 1]
    assert auroc_interval(truth, score, bootstraps=99) == auroc_interval(truth[rows], score[rows], bootstraps=99)


def test_copies_of_a_patients_images_do_not_narrow_the_interval():
    predictions = made(patients=10**9)
    tripled = taken(predictions, np.repeat(np.arange(len(predictions.truth)), 3))
    strangers = Predictions(tripled.classes, tripled.images, tripled.images, tripled.truth, tripled.probabilities, tripled.folds)
    once, copied, naive = (compute_metrics(p, metrics=["accuracy", "auroc"], bootstraps=400) for p in (predictions, tripled, strangers))
    for name in ("accuracy", "auroc"):
        assert (copied[name].lo, copied[name].hi) == pytest.approx((once[name].lo, once[name].hi), abs=1e-12)
        assert naive[name].hi - naive[name].lo < 0.7 * (copied[name].hi - copied[name].lo)


def test_clustered_interval_covers_and_the_naive_one_does_not():
    # beta(0.7, 0.3): correlation 0.5 within a patient, so eight images are worth 8 / 4.5
    rng = np.random.default_rng(11)
    patients, names = np.repeat(np.arange(40), 8), tuple(f"i{i}" for i in range(320))
    covered = np.zeros(2)
    for _ in range(200):
        right = rng.random(320) < rng.beta(0.7, 0.3, 40)[patients]
        shares = np.stack([right, ~right], axis=1).astype(float)[None]
        for kind, owners in enumerate((tuple(map(str, patients)), names)):
            predictions = Predictions(("right", "wrong"), names, owners, np.zeros(320, np.int64), shares, np.zeros((1, 320), np.int64))
            estimate = compute_metrics(predictions, metrics=["accuracy"], bootstraps=200)["accuracy"]
            covered[kind] += estimate.lo <= 0.7 <= estimate.hi
    assert 0.90 <= covered[0] / 200 <= 0.98
    assert covered[1] / 200 < 0.80


def test_difference_changes_sign_with_the_order_of_the_models():
    a, b = made(seed=1), made(seed=1, signal=0.3)
    b = Predictions(a.classes, a.images, a.patients, a.truth, b.probabilities, a.folds)
    forward, p = paired_difference(a, b, "auroc", bootstraps=500)
    backward, q = paired_difference(b, a, "auroc", bootstraps=500)
    assert (forward.value, forward.lo, forward.hi) == pytest.approx((-backward.value, -backward.hi, -backward.lo), abs=1e-12)
    assert p == q == pytest.approx(2 / 501)
    shuffled = Predictions(b.classes, b.images[::-1], b.patients[::-1], b.truth[::-1], b.probabilities[:, ::-1], b.folds[:, ::-1])
    assert paired_difference(a, shuffled, "auroc", bootstraps=500) == (forward, p)


def test_a_model_does_not_differ_from_itself():
    a = made()
    estimate, p = paired_difference(a, a, "balanced_accuracy", bootstraps=100)
    assert (estimate.value, estimate.lo, estimate.hi, p) == (0, 0, 0, 1)


def test_p_value_of_equal_models_is_uniform_enough():
    small = 0
    for seed in range(100):
        a = made(seed=seed, patients=10**9)
        b = Predictions(a.classes, a.images, a.patients, a.truth, _reseeded(a.truth, seed), a.folds)
        small += paired_difference(a, b, "accuracy", bootstraps=200)[1] < 0.05
    assert small <= 11


def _reseeded(truth, seed):
    weight = np.exp(np.random.default_rng(5000 + seed).normal(size=(1, len(truth), 2)) + 1.2 * np.eye(2)[truth])
    return weight / weight.sum(-1, keepdims=True)


def test_other_examinations_cannot_be_paired():
    with pytest.raises(InputError):
        paired_difference(made(), made(n=100), "auroc")


def test_perfect_model_gets_wilson_with_patients_as_n_and_never_a_point():
    n = 30
    truth = np.arange(n) % 2
    owners = tuple(f"p{i // 3}" for i in range(n))
    predictions = Predictions(("a", "b"), tuple(map(str, range(n))), owners, truth, np.eye(2)[truth][None], np.zeros((1, n), np.int64))
    estimates = compute_metrics(predictions, bootstraps=300)
    # R: prop.test(10, 10, correct = FALSE)$conf.int = 0.7224672 1
    for name in ("accuracy", "sensitivity", "specificity", "balanced_accuracy", "precision"):
        assert (estimates[name].value, estimates[name].lo, estimates[name].hi) == pytest.approx((1, 0.7224672, 1), abs=1e-6), name
    assert all(e.lo is None or e.lo < e.hi for e in estimates.values())
    assert estimates["auroc"].value == 1 and estimates["auroc"].lo is None


def test_collapsed_model_has_no_precision_of_what_it_never_answers():
    truth = np.array([0] * 40 + [1] * 10)
    owners = tuple(map(str, range(50)))
    predictions = Predictions(("a", "b"), owners, owners, truth, np.tile([0.8, 0.2], (1, 50, 1)), np.zeros((1, 50), np.int64))
    estimates = compute_metrics(predictions, bootstraps=200)
    for name in ("precision", "precision_macro", "precision_weighted", "mcc"):
        assert estimates[name].value is None, name
    assert (estimates["sensitivity"].value, estimates["balanced_accuracy"].value, estimates["auroc"].value) == (0, 0.5, 0.5)
    assert estimates["balanced_accuracy"].lo < 0.5 < estimates["balanced_accuracy"].hi


def test_one_class_one_patient_and_rare_class_do_not_crash():
    owners = tuple(map(str, range(20)))
    shares = np.random.default_rng(0).dirichlet([1, 1, 1], (1, 20))
    one = Predictions(("a", "b", "c"), owners, owners, np.zeros(20, np.int64), shares, np.zeros((1, 20), np.int64))
    assert compute_metrics(one, bootstraps=50)["auroc"].value is None
    alone = Predictions(("a", "b", "c"), owners, ("p",) * 20, np.arange(20) % 3, shares, np.zeros((1, 20), np.int64))
    assert all(e.lo is None for e in compute_metrics(alone, bootstraps=50).values())
    truth = np.zeros(20, np.int64)
    truth[3] = 1
    rare = Predictions(("a", "b", "c"), owners, owners, truth, shares, np.zeros((1, 20), np.int64))
    distribution = metric_distributions(rare, metrics=["auroc[b]"], bootstraps=400)["auroc[b]"]
    assert 0.25 < distribution.undefined / 400 < 0.5
    assert distribution.estimate().value is not None and distribution.estimate().lo is None


def test_examinations_left_out_of_a_repeat_are_left_out_of_its_metrics():
    whole = made(repeats=2)
    shares = whole.probabilities.copy()
    shares[1, :70] = np.nan
    part = Predictions(whole.classes, whole.images, whole.patients, whole.truth, shares, whole.folds)
    for name in ("accuracy", "auroc", "average_precision", "brier", "log_loss"):
        expected = (METRICS[name].function(whole.truth, shares[0]) + METRICS[name].function(whole.truth[70:], shares[1, 70:])) / 2
        assert compute_metrics(part, metrics=[name], bootstraps=20)[name].value == pytest.approx(expected, abs=1e-12)


def test_fold_values_are_the_metric_of_each_fold():
    predictions = made(repeats=2)
    values = fold_values(predictions, "auroc")
    rows = predictions.folds[1] == 3
    assert values.shape == (2, 5)
    assert values[1, 3] == pytest.approx(sk.roc_auc_score(predictions.truth[rows], predictions.probabilities[1, rows, 1]), abs=1e-13)


@pytest.mark.parametrize(
    "change",
    [
        {"probabilities": np.full((1, 120, 2), 0.7)},
        {"truth": np.full(120, 2)},
        {"classes": ("a",)},
        {"probabilities": np.full((120, 2), 0.5)},
        {"truth": np.full(120, 0.5)},
    ],
)
def test_impossible_predictions_are_refused(change):
    good = made()
    parts = {name: getattr(good, name) for name in ("classes", "images", "patients", "truth", "probabilities", "folds")}
    with pytest.raises(InputError):
        compute_metrics(Predictions(**(parts | change)), bootstraps=10)


def test_unknown_metric_is_refused_with_the_known_ones():
    with pytest.raises(InputError, match="balanced_accuracy"):
        compute_metrics(made(), metrics=["acuracy"])
    with pytest.raises(InputError):
        compute_metrics(made(), level=95)
    with pytest.raises(InputError):
        compute_metrics(made(classes=3), metrics=["precision"])


def test_bands_hold_the_curve_and_end_in_the_corners():
    predictions = made(n=200, repeats=2)
    truth, score = predictions.truth, predictions.probabilities[:, :, 1]
    band = roc_band(truth, score, groups=predictions.patients, bootstraps=200)
    assert (band.lo <= band.y + 1e-9).all() and (band.y <= band.hi + 1e-9).all()
    assert band.y[-1] == 1 and band.hi[0] < 0.7
    single = roc_band(truth, score[0], bootstraps=20)
    curve = roc_curve(truth, score[0])
    assert np.trapezoid(single.y, single.x) == pytest.approx(np.trapezoid(curve.y, curve.x), abs=0.01)
    pr = pr_band(truth, score, groups=predictions.patients, bootstraps=200)
    assert pr.y[-1] >= truth.mean() - 1e-9
    assert (pr.lo <= pr.hi).all()
    assert np.mean(pr_band(truth, score[0], bootstraps=20).y) == pytest.approx(sk.average_precision_score(truth, score[0]), abs=0.02)


def test_calibration_finds_the_drawn_distortion():
    rng = np.random.default_rng(2)
    logit = rng.normal(size=4000) * 1.5
    truth = rng.random(4000) < 1 / (1 + np.exp(-logit))
    too_sure = 1 / (1 + np.exp(-2 * logit))
    curve = calibration_curve(truth, too_sure, groups=np.arange(4000) // 2, bootstraps=100)
    assert curve.slope.lo < 0.5 < curve.slope.hi and curve.slope.hi < 0.6
    assert curve.intercept.lo < 0.0 < curve.intercept.hi
    assert curve.error.value > 0.05
    assert (curve.patients <= curve.examinations).all() and (curve.lo <= curve.observed).all()


def test_separated_classes_have_no_calibration_slope():
    curve = calibration_curve([0, 0, 0, 1, 1, 1], [0.1, 0.2, 0.3, 0.7, 0.8, 0.9], bootstraps=20)
    assert curve.slope.value is None
    constant = calibration_curve([0, 1, 0, 1], [0.5] * 4, bootstraps=20)
    assert constant.slope.value is None and constant.intercept.value == pytest.approx(0, abs=1e-9)
