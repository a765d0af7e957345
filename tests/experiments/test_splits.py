import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spinelab.core import InputError
from spinelab.experiments.splits import grouped_folds, grouped_holdout, patients_per_class


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


def test_a_holdout_holds_out_about_its_share():
    labels, groups = ["a", "b"] * 50, [str(i) for i in range(100)]
    splits = grouped_holdout(labels, groups, fraction=0.1, repeats=3, seed=0)
    assert [len(s.test) for s in splits] == [10, 10, 10]
    with pytest.raises(InputError):
        grouped_holdout(labels, groups, fraction=0.9, repeats=1, seed=0)


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
