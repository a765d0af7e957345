"""Six families of changes: what each does to a film, and what none of them may do."""

import numpy as np
import pytest

from spinelab.core import TaskError
from spinelab.train.families import FAMILIES, NOISE_LEVELS, SHIFT_SHARE, Strengths, augmenter

SIDE = 64


def film(value=120):
    square = np.zeros((SIDE, SIDE), np.uint8)
    square[8:56, 12:52] = value
    return square


def changed(strengths, pixels, seed=0):
    change = augmenter(strengths)
    assert change is not None
    return change(pixels, np.random.default_rng(seed))


def test_all_off_is_no_augmentation():
    assert augmenter(Strengths()) is None
    assert str(Strengths()) == "no augmentation"
    assert str(Strengths(noise=0.5, zoom=1.0)) == "noise 0.5, zoom 1"


@pytest.mark.parametrize("name", FAMILIES)
def test_each_family_alone_changes_films_and_keeps_their_shape(name):
    pixels = np.stack([film(), film(200)])[None].repeat(3, axis=0)
    before = pixels.copy()
    out = changed(Strengths(**{name: 1.0}), pixels)
    assert out.shape == pixels.shape
    assert out.dtype == np.uint8
    assert not np.array_equal(out, pixels)
    assert np.array_equal(pixels, before)
    assert np.array_equal(out, changed(Strengths(**{name: 1.0}), pixels))
    assert not np.array_equal(out, changed(Strengths(**{name: 1.0}), pixels, seed=1))


def test_a_stronger_family_changes_more():
    pixels = film()[None, None].repeat(40, axis=0)
    for name in FAMILIES:
        little, much = (np.abs(changed(Strengths(**{name: s}), pixels).astype(int) - pixels).mean() for s in (0.25, 1.0))
        assert much > 1.5 * little, name


def test_noise_has_the_stated_size_and_leaves_black_margins_black():
    pixels = film()[None, None].repeat(400, axis=0)
    out = changed(Strengths(noise=1.0), pixels)
    assert not out[pixels == 0].any()
    spread = (out.astype(float) - pixels)[:, 0, 8:56, 12:52].reshape(400, -1).std(axis=1)
    assert spread.max() < 1.05 * NOISE_LEVELS
    assert spread.mean() == pytest.approx(NOISE_LEVELS / 2, rel=0.1)


def test_translation_moves_no_farther_than_stated():
    spot = np.zeros((200, 1, SIDE, SIDE), np.uint8)
    spot[:, 0, 32, 32] = 255
    out = changed(Strengths(translation=1.0), spot).astype(float)
    rows, columns = (out.sum(axis=axis)[:, 0] @ np.arange(SIDE) / out.sum(axis=(1, 2, 3)) for axis in (3, 2))
    limit = SHIFT_SHARE * SIDE + 0.5
    assert np.abs(rows - 32).max() <= limit
    assert np.abs(columns - 32).max() <= limit
    assert np.abs(columns - 32).max() > 0.8 * limit


def test_pixelation_makes_blocks():
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 255, (1, 1, 224, 224), dtype=np.uint8).repeat(20, axis=0)
    out = changed(Strengths(pixelation=1.0), pixels)
    kinds = [np.count_nonzero(np.diff(one[0, 0].astype(int))) for one in out]
    assert min(kinds) < 60


def test_left_stays_left():
    """No family mirrors: the brighter half stays on its side whatever is drawn."""
    half = np.full((300, 1, SIDE, SIDE), 40, np.uint8)
    half[..., : SIDE // 2] = 220
    for name in FAMILIES:
        out = changed(Strengths(**{name: 1.0}), half).astype(float)
        assert (out[..., 4:20].mean(axis=(1, 2, 3)) > out[..., -20:-4].mean(axis=(1, 2, 3))).all(), name


def test_everything_is_centred_on_average():
    """Cropping and shifting favour no side."""
    spot = np.zeros((1500, 1, SIDE, SIDE), np.uint8)
    spot[:, 0, 30:34, 30:34] = 255
    out = changed(Strengths(translation=1.0, cropping=1.0, resizing=1.0, zoom=1.0), spot).astype(float)[:, 0]
    total = out.sum(axis=(1, 2))
    seen = total > 0
    rows, columns = (out.sum(axis=axis)[seen] @ np.arange(SIDE) / total[seen] for axis in (2, 1))
    assert rows.mean() == pytest.approx(31.5, abs=0.6)
    assert columns.mean() == pytest.approx(31.5, abs=0.6)


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
def test_a_strength_beyond_its_range_is_refused(value):
    with pytest.raises(TaskError):
        Strengths(zoom=value)
