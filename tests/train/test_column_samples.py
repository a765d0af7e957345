"""Samples that err as held-out vertebrae did, and numberings that could be meant, on drawn columns."""

import numpy as np
import pytest

from spinelab.geometry.cobb import centres, tilts
from spinelab.train.column_samples import LEAST_VERTEBRAE, VertebraError, erring, learn_error, renamed

LEVELS, WIDTH = 17, 60.0


def column(noise=0.0, seed=0):
    """Return a bent column ``(17, 4, 2)`` of vertebrae 60 wide, with noise on every corner."""
    level = np.arange(LEVELS)
    tilt = np.deg2rad(20 * np.cos(level / 3))
    down = np.cumsum(np.stack([-np.sin(tilt), np.cos(tilt)], axis=1) * 42, axis=0)
    box = np.array([[-30, -16], [30, -16], [-30, 16], [30, 16]])
    turn = np.stack([np.stack([np.cos(tilt), -np.sin(tilt)], -1), np.stack([np.sin(tilt), np.cos(tilt)], -1)], -2)
    return down[:, None] + [150, 0] + np.einsum("nij,kj->nki", turn, box) + np.random.default_rng(seed).normal(0, noise, (LEVELS, 4, 2))


def films(error, count=60, *, spread=0.2):
    """Return readings that are off by ``error`` and by their samples' spread, and the truth."""
    truth = np.stack([column(1.0, seed) for seed in range(count)])
    rng = np.random.default_rng(5)
    read = erring(truth, error) + rng.normal(0, spread, truth.shape)
    return [(one, one + rng.normal(0, spread, (40, *one.shape))) for one in read], truth


def test_samples_err_by_as_much_as_they_are_told_to():
    drawn = erring(np.repeat(column()[None], 4000, axis=0), VertebraError(turn_deg=2.0, endplate_deg=1.5, place=0.05))
    seen, plain = tilts(drawn), tilts(column())
    assert seen.upper_deg.mean(axis=0) == pytest.approx(plain.upper_deg, abs=0.2)
    assert seen.upper_deg.std(axis=0) == pytest.approx(2.5, rel=0.06)
    assert seen.lower_deg.std(axis=0) == pytest.approx(2.5, rel=0.06)
    assert seen.middle_deg.std(axis=0) == pytest.approx((2.0**2 + 1.5**2 / 2) ** 0.5, rel=0.06)
    assert centres(drawn).std(axis=0) == pytest.approx(0.05 * WIDTH, rel=0.06)
    lengths = np.linalg.norm(drawn[:, :, 1::2] - drawn[:, :, ::2], axis=-1)
    assert lengths == pytest.approx(WIDTH), "an endplate is turned, and stays as wide"


def test_the_errors_of_held_out_vertebrae_are_told_from_the_spread_of_their_samples():
    true = VertebraError(turn_deg=2.2, endplate_deg=1.4, place=0.05)
    learnt = learn_error(*films(true))
    assert learnt is not None
    assert learnt.turn_deg == pytest.approx(true.turn_deg, abs=0.25)
    assert learnt.endplate_deg == pytest.approx(true.endplate_deg, abs=0.25)
    assert learnt.place == pytest.approx(true.place, abs=0.005)
    assert VertebraError.from_dict(learnt.to_dict()) == learnt


def test_samples_that_spread_as_far_as_they_err_need_no_more():
    learnt = learn_error(*films(VertebraError(0.0, 0.0, 0.0), spread=1.2))
    assert learnt is not None
    assert learnt.turn_deg < 0.5
    assert learnt.endplate_deg < 0.7
    assert learnt.place < 0.01


def test_a_vertebra_is_held_against_the_one_that_it_lies_on_whatever_it_is_called():
    read, truth = films(VertebraError(2.2, 1.4, 0.05))
    whole = learn_error(read, truth)
    missed = [(np.delete(one, 7, axis=0), np.delete(samples, 7, axis=1)) for one, samples in read]
    short = learn_error(missed, truth)
    assert whole is not None
    assert short is not None
    assert short.turn_deg == pytest.approx(whole.turn_deg, abs=0.15)


def test_few_vertebrae_and_films_without_all_their_marks_teach_nothing():
    read, truth = films(VertebraError(2.0, 1.0, 0.05), LEAST_VERTEBRAE // LEVELS)
    assert learn_error(read, truth) is None
    read, truth = films(VertebraError(2.0, 1.0, 0.05), 40)
    truth[5:, 16] = np.nan
    assert learn_error(read, truth) is None


@pytest.mark.parametrize("shift", [1, -1, 2])
def test_another_numbering_moves_every_name_and_continues_the_column(shift):
    samples = np.repeat(column()[None], 400, axis=0)
    named = renamed(samples, {0: 0.75, shift: 0.25})
    moved = (named != samples).any(axis=(1, 2, 3))
    assert moved.mean() == pytest.approx(0.25, abs=0.07)
    one = named[moved][0]
    kept = slice(shift, None) if shift > 0 else slice(None, shift)
    source = slice(None, -shift) if shift > 0 else slice(-shift, None)
    assert one[kept] == pytest.approx(column()[source]), "the vertebra that was called T1 is called T2"
    ends = column()[:2] if shift > 0 else column()[[-1, -2]]
    beyond = one[abs(shift) - 1] if shift > 0 else one[shift]
    assert beyond == pytest.approx(2 * ends[0] - ends[1]), "where a name has no vertebra the column goes straight on"


def test_names_that_are_sure_leave_the_samples_as_they_are():
    samples = np.random.default_rng(1).normal(0, 1, (50, LEVELS, 4, 2)) + column()
    assert (renamed(samples, {0: 1.0}) == samples).all()
    assert (renamed(samples, {0: 0.6, 1: 0.4}) == renamed(samples, {0: 0.6, 1: 0.4})).all()
    assert (erring(samples, VertebraError(2, 1, 0.05)) == erring(samples, VertebraError(2, 1, 0.05))).all()
