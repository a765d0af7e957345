"""Drawn columns with one fault each, and sound ones that only look unusual."""

import json

import numpy as np
import pytest

from spinelab.geometry.misplaced import LEAST_COLUMNS, LEAST_LIMIT, MISCOUNTED, Neighbours, find_faults, fit_neighbours

LEVELS = 17
MIRROR = [1, 0, 3, 2]


def column(cobb_deg=20.0, *, size=1.0, phase=0.0, period=12.0, noise=0.0, seed=0):
    """Return a spine ``(17, 4, 2)`` with curves of this angle; bodies grow from T1 to L5 as they do."""
    level = np.arange(LEVELS)
    tilt = np.deg2rad(cobb_deg / 2 * np.cos(2 * np.pi * level / period + phase))
    wide, high = size * (30 + 1.0 * level), size * (16 + 0.9 * level)
    step = 1.3 * (high[1:] + high[:-1]) / 2
    along = (tilt[1:] + tilt[:-1]) / 2
    down = np.stack([-np.sin(along), np.cos(along)], axis=1) * step[:, None]
    middle = np.concatenate([[[0.0, 0.0]], np.cumsum(down, axis=0)]) + size * np.array([200.0, 60.0])
    box = np.array([[-0.5, -0.5], [0.5, -0.5], [-0.5, 0.5], [0.5, 0.5]]) * np.stack([wide, high], axis=1)[:, None]
    return middle[:, None] + turned(box, tilt) + np.random.default_rng(seed).normal(0, noise * size, (LEVELS, 4, 2))


def turned(points, angle):
    """Return vectors ``(n, 4, 2)`` turned by ``angle`` ``(n,)``, clockwise as displayed."""
    turn = np.stack([np.stack([np.cos(angle), -np.sin(angle)], -1), np.stack([np.sin(angle), np.cos(angle)], -1)], -2)
    return np.einsum("nij,nkj->nki", turn, points)


def people(count=80):
    """Return marked columns of children and adults with no to large curves."""
    rng = np.random.default_rng(7)
    parts = ((rng.uniform(0, 60), rng.uniform(0.5, 1.2), rng.uniform(0, 6), rng.uniform(10, 16)) for _ in range(count))
    return np.stack([column(c, size=s, phase=p, period=t, noise=0.7, seed=n) for n, (c, s, p, t) in enumerate(parts)])


LEARNT = fit_neighbours(people())


def changed(place, how, cobb_deg=20.0):
    """Return a column one of whose vertebrae is changed by ``how``, of its corners about its centre."""
    out = column(cobb_deg, noise=0.5, seed=3)
    middle = out[place].mean(axis=0)
    out[place] = middle + how(out[place] - middle)
    return out


def kinds(corners, learnt=LEARNT, first=0):
    return {(fault.kind, fault.place) for fault in find_faults(corners, learnt, first)}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    "corners",
    [column(0.0), column(80.0), column(80.0, phase=1.5), column(55.0, size=0.3), column(30.0, period=17)],
    ids=["straight", "80 degrees", "80 degrees, other apex", "small child", "one long curve"],
)
def test_sound_columns_have_no_fault(corners, seed):
    noisy = corners + np.random.default_rng(seed).normal(0, 0.02, corners.shape) * np.linalg.norm(corners[0, 1] - corners[0, 0])
    assert kinds(noisy) == set()
    mirrored = (noisy * [-1, 1] + [600, 0])[:, MIRROR]
    assert kinds(mirrored) == set()
    assert kinds(noisy * 7.3 + [40, -900]) == set()
    assert kinds(noisy[3:14], first=3) == set(), "a film of a part of the spine"


def test_a_vertebra_that_was_missed_is_told_where_the_gap_is():
    whole = column(30.0, noise=0.5)
    faults = find_faults(np.delete(whole, 8, axis=0), LEARNT)
    assert [(f.kind, f.place) for f in faults] == [("missed", 8)]
    assert faults[0].amount == pytest.approx(2, abs=0.15)
    assert faults[0].kind in MISCOUNTED


def test_a_vertebra_counted_twice_is_told():
    whole = column(30.0, noise=0.5)
    again = whole[8] + 0.3 * (whole[9].mean(axis=0) - whole[8].mean(axis=0))
    assert ("twice", 9) in kinds(np.insert(whole, 9, again, axis=0)[:LEVELS])


def test_a_vertebra_that_jumped_sideways_is_told_with_the_side_and_its_neighbours_are_not():
    faults = find_faults(changed(9, lambda box: np.add(box, [12.0, 0.0])), LEARNT)
    assert [(f.kind, f.place) for f in faults] == [("aside", 9)]
    assert faults[0].amount == pytest.approx(12 / 39, abs=0.06), "in its widths, positive to the image's right"


def test_a_vertebra_that_slid_along_the_column_is_told_not_the_gaps():
    (fault,) = find_faults(changed(9, lambda box: np.add(box, [0.0, -11.0])), LEARNT)
    assert (fault.kind, fault.place) == ("slid", 9)
    assert fault.amount < 0.75 < 1.25 < fault.below


def test_swapped_vertebrae_are_out_of_order():
    swapped = column()
    swapped[[5, 6]] = swapped[[6, 5]]
    assert ("order", 6) in kinds(swapped)
    assert ("order", 6) in kinds(swapped, None), "order needs nothing learnt"


@pytest.mark.parametrize(("kind", "how", "amount"), [("height", [1, 0.4], 0.4), ("width", [0.5, 1], 0.5)])
def test_a_vertebra_of_half_the_size_is_told(kind, how, amount):
    faults = [f for f in find_faults(changed(7, lambda box: box * how), LEARNT) if f.kind == kind]
    assert [f.place for f in faults] == [7]
    assert faults[0].amount == pytest.approx(amount, abs=0.08)


def test_a_vertebra_turned_against_the_course_is_told_in_degrees():
    (fault,) = find_faults(changed(6, lambda box: turned(box[None], np.array([np.deg2rad(25)]))[0]), LEARNT)
    assert (fault.kind, fault.place) == ("tilt", 6)
    assert fault.amount == pytest.approx(25, abs=4), "its right end is lower"


def test_a_wedged_body_is_told_with_the_side_that_is_higher():
    faults = find_faults(changed(10, lambda box: np.add(box, [[0, 0], [0, -7], [0, 0], [0, 7]])), LEARNT)
    assert ("wedge", 10) in {(f.kind, f.place) for f in faults}
    assert next(f.amount for f in faults if f.kind == "wedge") == pytest.approx(20, abs=5)


@pytest.mark.parametrize("order", [[1, 0, 2, 3], [2, 3, 0, 1], [1, 0, 3, 2]], ids=["crossed", "upside down", "sides exchanged"])
def test_corners_that_form_no_quadrilateral_in_their_order_need_nothing_learnt(order):
    assert kinds(changed(4, lambda box: box[order]), None) == {("outline", 4)}


def test_endplates_that_cross_need_nothing_learnt_and_a_touching_corner_is_none():
    assert kinds(changed(8, lambda box: np.add(box, [0, 15])), None) == {("crossing", 9)}
    assert kinds(changed(8, lambda box: turned(box[None] + [0, 11], np.array([0.4]))[0]), None) == {("crossing", 9)}, "one side is enough"
    assert kinds(changed(8, lambda box: box * [1, 1.6]), None) == set(), "discs are thin, and marks overlap a little"


def test_a_model_that_learnt_nothing_about_neighbours_invents_no_threshold():
    assert kinds(np.delete(column(), 8, axis=0), None) == set()


def test_too_few_vertebrae_are_judged_by_geometry_alone():
    few = np.delete(column(), 2, axis=0)[:5]
    assert kinds(few) == set()
    few[1] = few[1][[1, 0, 2, 3]]
    assert kinds(few) == {("outline", 1)}


def test_what_is_learnt_survives_its_record():
    again = Neighbours.from_dict(json.loads(json.dumps(LEARNT.to_dict())))
    odd = np.delete(column(30.0), 8, axis=0)
    assert [(f.kind, f.place) for f in find_faults(odd, again)] == [(f.kind, f.place) for f in find_faults(odd, LEARNT)]
    assert find_faults(odd, again)[0].amount == pytest.approx(find_faults(odd, LEARNT)[0].amount, rel=1e-3)


def test_a_few_wrong_marks_do_not_change_what_is_learnt():
    marks = people()
    for one in marks[::20]:
        one[12:] = one[11:16].copy()
        one[5] = one[5][[1, 0, 2, 3]]
    learnt = fit_neighbours(marks)
    assert learnt.limit == pytest.approx(LEARNT.limit, rel=0.3)
    for name in learnt.spread:
        assert np.median(learnt.spread[name]) == pytest.approx(np.median(LEARNT.spread[name]), rel=0.15)


def test_limits_are_never_strict_and_leave_nearly_all_columns_that_were_learnt_from():
    assert min(LEARNT.limit.values()) >= LEAST_LIMIT
    assert sum(bool(find_faults(one, LEARNT)) for one in people()) <= 4


def test_nothing_is_learnt_from_few_or_incomplete_columns():
    marks = people(LEAST_COLUMNS)
    assert fit_neighbours(marks) is not None
    marks[0, 3, 2] = np.nan
    assert fit_neighbours(marks) is None
    assert fit_neighbours(people()[:, :5]) is None
