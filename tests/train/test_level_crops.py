"""Crops that name a level: their scale and direction are the column's, mirror and jitter change no name, and alternatives are told apart."""

import numpy as np
import pytest
import torch

from spinelab.nn.level_net import CROP, PITCH_PX, LevelLoss, LevelNet
from spinelab.train.canvas import Changes
from spinelab.train.level_crops import LevelFilms, LevelNamer, continued, frames_of

LEVELS = 6
STILL = Changes(turn_deg=0, shift=0, zoom=0, crop=0, flip=False)


def column(x: float = 60.0, pitch: float = 16.0) -> np.ndarray:
    """Return corners (levels, 4, 2) of a straight column, left to right 20 px wide."""
    y = 30 + pitch * np.arange(LEVELS)
    half = pitch / 3
    return np.stack([np.array([[x - 10, m - half], [x + 10, m - half], [x - 10, m + half], [x + 10, m + half]]) for m in y])


def test_a_straight_column_gives_upright_crops_at_its_own_pitch() -> None:
    frames = frames_of(column().mean(axis=1), np.arange(LEVELS, dtype=float))
    assert np.allclose(frames.turn, np.eye(2) * 16 / PITCH_PX, atol=1e-9)
    assert frames.size == CROP


def test_a_skipped_level_does_not_change_the_pitch() -> None:
    centre = np.delete(column().mean(axis=1), 3, axis=0)
    frames = frames_of(centre, np.array([0.0, 1, 2, 4, 5]))
    assert np.allclose(np.linalg.norm(frames.turn[:, 0], axis=1), 16 / PITCH_PX)


def test_a_leaning_column_is_cut_upright() -> None:
    lean = np.deg2rad(20)
    turn = np.array([[np.cos(lean), -np.sin(lean)], [np.sin(lean), np.cos(lean)]])
    frames = frames_of(column().mean(axis=1) @ turn.T, np.arange(LEVELS, dtype=float))
    assert np.allclose(frames.turn, turn * 16 / PITCH_PX, atol=1e-9)


def test_the_places_above_and_below_have_their_own_answers() -> None:
    centre, levels = continued(column()[1:4].mean(axis=1), np.array([1, 2, 3]))
    assert levels.tolist() == [0, 1, 2, 3, 4]
    assert np.allclose(np.diff(centre[:, 1]), 16)


def films(mirrored: bool) -> LevelFilms:
    pixels = np.zeros((1, 1, 160, 120), np.uint8)
    for level in range(LEVELS):  # each vertebra has its own grey
        pixels[0, 0, 23 + 16 * level : 38 + 16 * level, 40:80] = 60 + 30 * level
    corners = np.concatenate([column(), np.ones((LEVELS, 4, 1))], axis=2)[None]
    return LevelFilms(pixels, corners, STILL, mirrored)


@pytest.mark.parametrize("mirrored", [False, True])
def test_training_crops_carry_their_level(mirrored: bool) -> None:
    crops, there, levels = films(mirrored).changed_batch(np.array([0]), np.random.default_rng(1))
    assert crops.shape[1:] == (1, *CROP)
    assert there.all()
    middle = crops[:, 0, CROP[0] // 2, CROP[1] // 2].numpy()
    named = [(int(grey), int(level)) for grey, level in zip(middle, levels, strict=True) if 1 <= level <= LEVELS]
    assert len(named) >= LEVELS - 2
    order = [level for _, level in sorted(named)]
    assert order == sorted(order)


def test_a_film_with_two_vertebrae_teaches_nothing() -> None:
    made = films(False)
    made.corners[0, 2:, :, 2] = 0
    crops, _, levels = made.batch(np.array([0]))
    assert len(crops) == len(levels) == 0


class Knows(torch.nn.Module):
    """Names a crop by the grey in its middle."""

    def __init__(self) -> None:
        super().__init__()
        self.nothing = torch.nn.Parameter(torch.zeros(1))

    def forward(self, crops: torch.Tensor) -> torch.Tensor:
        level = (crops[:, 0, CROP[0] // 2, CROP[1] // 2].float() - 60) / 30
        return -4 * (torch.arange(LEVELS + 2)[None] - 1 - level[:, None]).abs()


def test_right_names_are_likelier_than_names_one_off() -> None:
    made = films(False)
    naming = LevelNamer(LEVELS, 1).naming(Knows(), made.pixels)
    right, off = (naming(0, column()[1:5], np.array([1, 2, 3, 4]) + step) for step in (0, 1))
    assert right > off + LEVELS
    assert naming(0, column()[1:3], np.array([1, 2])) == 0.0


def test_the_network_answers_with_every_level_and_both_ends() -> None:
    logits = LevelNet(17)(torch.zeros(3, 1, *CROP, dtype=torch.uint8))
    assert logits.shape == (3, 19)
    assert LevelLoss()(logits, torch.tensor([0, 9, 18])).isfinite()
