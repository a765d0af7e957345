"""Pictures to be refused, and what befalls films on their way."""

import numpy as np
import pytest

from spinelab.core import TaskError
from spinelab.phantoms import WRONG_KINDS, ap_spine, cropped_at, inverted, mirrored, not_a_spine, thumbnail, upside_down, whole_spine


@pytest.mark.parametrize("kind", WRONG_KINDS)
def test_every_kind_is_a_picture_with_something_in_it(kind):
    first, again, other = (not_a_spine(np.random.default_rng(s), kind, scale=0.3) for s in (1, 1, 2))
    assert first.pixels.dtype == np.uint8
    assert first.pixels.ndim == (3 if kind == "photograph" else 2)
    assert first.pixels.std() > 10
    assert np.array_equal(first.pixels, again.pixels)
    assert first.pixels.shape != other.pixels.shape or not np.array_equal(first.pixels, other.pixels)


def test_an_unknown_kind_is_refused():
    with pytest.raises(TaskError, match="chest, pelvis, hand, photograph"):
        not_a_spine(np.random.default_rng(0), "foot")


def test_a_cut_at_t6_keeps_one_side_of_it():
    lateral, frontal = whole_spine(np.random.default_rng(1), scale=0.05), ap_spine(np.random.default_rng(1), scale=0.1)
    for film in (lateral, frontal):
        below, above = (cropped_at(film, "T6", keep=side) for side in ("below", "above"))
        assert len(below) + len(above) == len(film.pixels) + 1
        assert np.array_equal(below, film.pixels[len(above) - 1 :])
    row = len(cropped_at(lateral, "T6", keep="above"))
    assert lateral.landmarks["T4_1"][1] < row < lateral.landmarks["T12_1"][1]


def test_what_cannot_be_cut_is_refused():
    film = ap_spine(np.random.default_rng(1), scale=0.05)
    with pytest.raises(TaskError, match="Level 'C2'"):
        cropped_at(film, "C2")
    with pytest.raises(TaskError, match="below or above"):
        cropped_at(film, keep="left")


def test_turning_mirroring_and_inverting_twice_changes_nothing():
    for pixels in (whole_spine(np.random.default_rng(1), scale=0.03).pixels, ap_spine(np.random.default_rng(1), scale=0.05).pixels):
        for change in (upside_down, mirrored, inverted):
            once = change(pixels)
            assert once.dtype == pixels.dtype
            assert not np.array_equal(once, pixels)
            assert np.array_equal(change(once), pixels)


def test_a_thumbnail_keeps_the_proportions():
    small = thumbnail(np.zeros((900, 300), np.uint16))
    assert small.shape == (200, 67)
    assert small.dtype == np.uint16
