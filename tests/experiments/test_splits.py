from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spinelab.core import InputError
from spinelab.experiments.splits import banded_splits, grouped_folds, grouped_holdout, patients_per_class


@settings(max_examples=40, deadline=None)
@given(st.integers(12, 60), st.integers(2, 5), st.integers(0, 1000))
def test_no_patient_stands_on_both_sides_and_every_film_is_held_out_once(patients, folds, seed):
    rng = np.random.default_rng(seed)
    groups = [f"p{p}" for p in range(patients) for _ in range(rng.integers(1, 4))]
    labels = ["ab"[int(g[1:]) % 2] for g in groups]
    splits = grouped_folds(labels, groups, folds=folds, repeats=2, seed=seed)
    for split in splits:
        assert not {groups[i] for i in split.train} & {groups[i] for i in split.test}
        assert {labels[i] for i in split.train} == {"a", "b"}
        assert {labels[i] for i in split.test} == {"a", "b"}
    for repeat in range(2):
        tested = np.concatenate([s.test for s in splits if s.repeat == repeat])
        assert sorted(tested) == list(range(len(labels)))


def test_folds_keep_the_share_of_classes():
    labels = ["rare"] * 20 + ["common"] * 80
    groups = [str(i) for i in range(100)]
    for split in grouped_folds(labels, groups, folds=5, repeats=1, seed=0):
        assert sum(labels[i] == "rare" for i in split.test) == 4


def test_repeats_differ_and_seeds_reproduce():
    labels, groups = ["a", "b"] * 20, [str(i) for i in range(40)]
    first, again = (grouped_folds(labels, groups, folds=4, repeats=2, seed=3) for _ in range(2))
    assert all(np.array_equal(x.test, y.test) for x, y in zip(first, again, strict=True))
    assert not np.array_equal(first[0].test, first[4].test)


def test_a_class_with_fewer_patients_than_folds_is_refused():
    with pytest.raises(InputError, match="Class 'rare' has 1 patient"):
        grouped_folds(["rare"] * 3 + ["common"] * 30, ["one"] * 3 + [str(i) for i in range(30)], folds=5, repeats=1, seed=0)
    with pytest.raises(InputError, match="fewer folds"):
        grouped_folds(["rare"] * 3 + ["common"] * 30, [str(i) for i in range(33)], folds=5, repeats=1, seed=0)


def test_one_class_is_refused():
    with pytest.raises(InputError, match="Only one class"):
        grouped_folds(["a"] * 10, [str(i) for i in range(10)], folds=2, repeats=1, seed=0)


@pytest.mark.parametrize("fraction", [0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5])
@pytest.mark.parametrize("number", [24, 120])
def test_a_holdout_holds_out_its_share_of_the_patients_and_of_each_class(number, fraction):
    groups = [f"p{i}" for i in range(number) for _ in range(1 + i % 3)]
    labels = ["rare" if i % 6 == 0 else "common" for i in range(number) for _ in range(1 + i % 3)]
    splits = grouped_holdout(labels, groups, fraction=fraction, repeats=2, seed=0)
    splits += banded_splits(list(map(float, range(len(groups)))), groups, folds=5, holdout=fraction, repeats=2, seed=0)
    for split in splits:
        held = {groups[i] for i in split.test}
        assert len(held) == round(fraction * number)
        assert not held & {groups[i] for i in split.train}
        assert sorted([*split.train, *split.test]) == list(range(len(groups)))
    for split in splits[:2]:
        assert abs(len({groups[i] for i in split.test if labels[i] == "rare"}) - fraction * number / 6) < 1


def test_a_holdout_takes_a_patient_of_the_rarest_class_and_leaves_one():
    labels, groups = ["rare"] * 2 + ["common"] * 28, [str(i) for i in range(30)]
    for seed in range(20):
        (split,) = grouped_holdout(labels, groups, fraction=0.4, repeats=1, seed=seed)
        assert {labels[i] for i in split.test} == {labels[i] for i in split.train} == {"rare", "common"}


def test_a_holdout_of_one_class_alone_is_refused():
    labels, groups = ["rare"] * 2 + ["common"] * 5, [str(i) for i in range(7)]
    with pytest.raises(InputError, match=r"A hold-out of 0\.15 is 1 patient of 7, of class 'rare' alone"):
        grouped_holdout(labels, groups, fraction=0.15, repeats=1, seed=0)
    (split,) = grouped_holdout(labels, groups, fraction=0.3, repeats=1, seed=0)
    assert {labels[i] for i in split.test} == {"rare", "common"}


def of_several_classes(seed):
    """Patients whose films belong to classes of their own, so that one patient counts for several."""
    rng, groups = np.random.default_rng(seed), [str(patient) for patient in range(7) for _ in range(3)]
    return ["abc"[min(2, int(drawn))] for drawn in rng.exponential(0.7, len(groups))], groups


@pytest.mark.parametrize("seed", [45, 49, 111])
def test_splits_that_leave_no_film_of_a_class_to_learn_from_are_refused(seed):
    """Its patients stand for other classes too, and all of them can be held out at once."""
    labels, groups = of_several_classes(seed)
    assert set(patients_per_class(labels, groups)) == set("abc")
    for make in (partial(grouped_holdout, fraction=0.4), partial(grouped_folds, folds=2)):
        with pytest.raises(InputError, match=r"all patients of class '[abc]' are held out at once"):
            make(labels, groups, repeats=1, seed=seed)


def test_repeated_holdouts_differ_and_seeds_reproduce_them():
    labels, groups = ["a", "b"] * 20, [str(i) for i in range(40)]
    first, again = (grouped_holdout(labels, groups, fraction=0.4, repeats=2, seed=3) for _ in range(2))
    assert all(np.array_equal(x.test, y.test) for x, y in zip(first, again, strict=True))
    assert not np.array_equal(first[0].test, first[1].test)


@pytest.mark.parametrize("fraction", [0.9, 0.0, -0.1])
def test_a_holdout_of_no_share_or_more_than_half_is_refused(fraction):
    labels, groups = ["a", "b"] * 5, [str(i) for i in range(10)]
    with pytest.raises(InputError, match="above 0 and at most"):
        grouped_holdout(labels, groups, fraction=fraction, repeats=1, seed=0)
    with pytest.raises(InputError, match="above 0 and at most"):
        banded_splits([1.0] * 10, groups, folds=5, holdout=fraction, repeats=1, seed=0)


def test_patients_are_counted_once_a_class():
    assert patients_per_class(["a", "a", "b", "a"], ["1", "1", "1", "2"]) == {"b": 1, "a": 2}


def test_the_answer_clock_leaves_decoding_out(monkeypatch):
    from spinelab.core import Run
    from spinelab.experiments import bench
    from spinelab.io.cache import DECODING

    times = iter([0.0, 3.0, 3.5, 9.0, 9.25])  # made, three things told, asked
    monkeypatch.setattr(bench.time, "perf_counter", lambda: next(times))
    heard = []
    clock = bench.AnswerClock(Run(progress=lambda *told: heard.append(told[2])))
    for text in (DECODING, "reading", DECODING):
        clock.run.progress(1, 2, text)
    assert heard == [DECODING, "reading", DECODING]
    assert clock.milliseconds(3) == 250.0


def test_measured_values_of_fewer_films_a_third_than_folds_are_dealt_out_all_the_same():
    splits = banded_splits(list(map(float, range(12))), [f"P{i}" for i in range(12)], folds=5, holdout=None, repeats=1, seed=0)
    assert sorted(np.concatenate([split.test for split in splits]).tolist()) == list(range(12))
    assert {len(split.test) for split in splits} <= {2, 3}
