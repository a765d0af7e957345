"""The challenge's rule on drawn spines with known tilts, and against the challenge's own angles where its films are at hand."""

import csv
import math
import struct
from pathlib import Path

import numpy as np
import pytest

from spinelab.core import InputError
from spinelab.geometry import CORNER_LANDMARKS, challenge_cobb, regional_cobb, tilts

DATA = Path(__file__).parents[2].parent / "shared" / "data" / "scoliosis-ap"

DOUBLE = [0, 5, 10, 15, 20, 12, 4, -4, -12, -20, -28, -20, -12, -4, 4, 12, 6]
"""Tilts of T1 .. L5 in degrees, an S shape: the largest difference is 48, between T5 and T11."""
SINGLE = [10, 12, 14, 16, 14, 12, 8, 4, 0, -4, -8, -12, -16, -18, -16, -12, -8]


def drawn_spine(tilt_deg, *, width=40.0, height=22.0, gap=8.0, at=(400.0, 100.0), wedge_deg=0.0):
    """Vertebrae (n, 4, 2) with these tilts (image-right end lower is positive), each standing on the one above along the column's course."""
    tilt = np.radians(np.asarray(tilt_deg, dtype=float))
    half_wedge = np.radians(np.broadcast_to(np.asarray(wedge_deg, dtype=float), tilt.shape)) / 2
    down = np.stack([-np.sin(tilt), np.cos(tilt)], -1)
    step = (height + gap) * (down[1:] + down[:-1]) / 2
    middle = np.array(at) + np.concatenate([np.zeros((1, 2)), np.cumsum(step, axis=0)])

    def plate(side, angle):
        along = width / 2 * np.stack([np.cos(angle), np.sin(angle)], -1)
        centre = middle + side * height / 2 * down
        return centre - along, centre + along

    return np.stack([*plate(-1, tilt - half_wedge), *plate(1, tilt + half_wedge)], axis=1)


def turned(points, degrees, about=(350.0, 420.0)):
    """Turn clockwise as displayed."""
    angle = math.radians(degrees)
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    return (points - about) @ turn + about


def mirrored(points, width=800.0):
    """Mirror the picture: left corners become right corners."""
    flipped = points[..., [1, 0, 3, 2], :].copy()
    flipped[..., 0] = width - flipped[..., 0]
    return flipped


def test_tilts_are_those_drawn():
    spine = drawn_spine(DOUBLE, wedge_deg=6)
    measured = tilts(spine)
    assert measured.upper_deg == pytest.approx(np.array(DOUBLE) - 3)
    assert measured.lower_deg == pytest.approx(np.array(DOUBLE) + 3)
    assert measured.middle_deg == pytest.approx(DOUBLE)


def test_a_vertebra_with_left_and_right_swapped_has_the_same_tilt():
    spine = drawn_spine(DOUBLE)
    spine[6] = spine[6][[1, 0, 3, 2]]
    assert tilts(spine).middle_deg == pytest.approx(DOUBLE)


def test_s_shape_in_the_upper_half_takes_the_largest_above_and_below():
    spine = drawn_spine(DOUBLE)
    measured = challenge_cobb(spine, image_height=3000)
    assert measured.angles_deg == pytest.approx([48, 20, 40])
    assert measured.ends.tolist() == [[4, 10], [0, 4], [10, 15]]


def test_s_shape_in_the_lower_half_takes_the_two_above():
    spine = drawn_spine(DOUBLE)
    measured = challenge_cobb(spine, image_height=300)
    assert measured.angles_deg == pytest.approx([48, 20, 0])
    assert measured.ends.tolist()[:2] == [[4, 10], [0, 4]]


def test_without_s_shape_the_others_run_to_the_first_and_the_last_vertebra():
    measured = challenge_cobb(drawn_spine(SINGLE))
    assert measured.angles_deg == pytest.approx([34, 6, 10])
    assert measured.ends.tolist() == [[3, 13], [0, 3], [13, 16]]


@pytest.mark.parametrize("degrees", [-20.0, 8.0])
@pytest.mark.parametrize("scale", [0.2, 3.0])
@pytest.mark.parametrize("tilt", [DOUBLE, SINGLE])
def test_turning_scaling_and_mirroring_change_nothing(tilt, degrees, scale):
    spine = drawn_spine(tilt, wedge_deg=2)
    expected = challenge_cobb(spine, 3000)
    for same in (turned(spine, degrees) * scale, mirrored(spine) * scale):
        measured = challenge_cobb(same, 3000 * scale)
        assert measured.angles_deg == pytest.approx(expected.angles_deg, abs=1e-8)
        assert measured.ends.tolist() == expected.ends.tolist()


def test_many_spines_in_one_call_equal_one_after_the_other():
    spines = drawn_spine(DOUBLE) + np.random.default_rng(1).normal(0, 2, (3, 40, 17, 4, 2))
    heights = np.linspace(300, 1500, 40)
    together = challenge_cobb(spines, heights)
    assert together.angles_deg.shape == (3, 40, 3)
    assert together.ends.shape == (3, 40, 3, 2)
    for row, column in np.ndindex(3, 40):
        alone = challenge_cobb(spines[row, column], heights[column])
        assert together.angles_deg[row, column] == pytest.approx(alone.angles_deg)
        assert together.ends[row, column].tolist() == alone.ends.tolist()


def test_corners_need_their_shape():
    for wrong in (np.zeros((17, 4)), np.zeros((17, 2, 2)), np.zeros((2, 4, 2))):
        with pytest.raises(InputError, match="shape"):
            challenge_cobb(wrong)


def test_landmark_names_are_in_the_order_of_the_corners():
    assert len(CORNER_LANDMARKS) == 68
    assert CORNER_LANDMARKS[:4] == ("T1_superior_image_left", "T1_superior_image_right", "T1_inferior_image_left", "T1_inferior_image_right")
    assert CORNER_LANDMARKS[-1] == "L5_inferior_image_right"


def jpeg_size(path):
    """Width and height from the frame header, without decoding."""
    content = path.read_bytes()
    at = 2
    while content[at + 1] not in range(0xC0, 0xC4):
        at += 2 + struct.unpack(">H", content[at + 2 : at + 4])[0]
    height, width = struct.unpack(">HH", content[at + 5 : at + 9])
    return width, height


@pytest.fixture(scope="module")
def challenge_films():
    labels = DATA / "labels" / "training"
    if not labels.is_dir():
        pytest.skip("the public scoliosis films are not at hand")
    with (labels / "filenames.csv").open() as file:
        names = [row[0] for row in csv.reader(file)]
    size = np.array([jpeg_size(DATA / "data" / "training" / name) for name in names], dtype=float)
    marks = np.loadtxt(labels / "landmarks.csv", delimiter=",")
    corners = np.stack([marks[:, :68], marks[:, 68:]], -1).reshape(-1, 17, 4, 2) * size[:, None, None, :]
    return corners, size[:, 1], np.loadtxt(labels / "angles.csv", delimiter=",")


def test_the_challenge_s_own_angles_are_reproduced(challenge_films):
    corners, heights, angles = challenge_films
    difference = np.abs(challenge_cobb(corners, heights).angles_deg - angles)
    assert len(angles) == 481
    assert difference.max() < 0.02


def test_without_the_picture_s_height_the_first_two_still_agree(challenge_films):
    corners, _, angles = challenge_films
    difference = np.abs(challenge_cobb(corners).angles_deg - angles)
    assert difference[:, :2].max() < 0.02
    assert (difference[:, 2] < 0.02).mean() > 0.95


def test_the_clinical_rule_finds_the_same_large_curves(challenge_films):
    corners, _, angles = challenge_films
    clinical = np.nan_to_num(regional_cobb(corners).angles_deg).max(axis=-1)
    sound = angles[:, 0] < 120  # one film has a vertebra turned round
    difference = (clinical - angles[:, 0])[sound]
    # From endplates and between neighbouring turning points, not between any two mid-lines: near, and not the same.
    assert abs(np.median(difference)) < 1.5
    assert np.median(np.abs(difference)) < 2.0
    assert np.quantile(np.abs(difference), 0.95) < 6.0
    assert np.corrcoef(clinical[sound], angles[sound, 0])[0, 1] > 0.98
